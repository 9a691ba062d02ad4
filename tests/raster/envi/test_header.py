import re

import numpy as np
import pytest

from pifnet_cli.errors import PifnetError, SceneReadError
from pifnet_cli.raster.envi.header import read_header, read_layout
from pifnet_cli.raster.reader import open_scene
from scenes import NORTH_UP, random_pixels, write_scene

C, H, W = 7, 24, 40
SIZE = C * H * W * 2


def _header(tmp_path, text, encoding="utf-8", newline=None):
    path = tmp_path / "x.hdr"
    with path.open("w", encoding=encoding, newline=newline) as file:
        file.write(text)
    return path


def _scene(tmp_path, **fields):
    """An int16 scene whose header has some fields replaced, or removed by None."""
    spelled = {name.replace("_", " "): value for name, value in fields.items()}
    return write_scene(tmp_path / "x.hdr", random_pixels(C, H, W, dtype="int16"), fields=spelled)


PLAIN = "ENVI\nsamples = 4\nlines = 3\nbands = 2\ndata type = 4\ninterleave = bil\nbyte order = 1\nheader offset = 8\n"


def test_a_layout_is_what_the_header_says(tmp_path):
    layout = read_layout(read_header(_header(tmp_path, PLAIN)))
    assert (layout.samples, layout.lines, layout.bands, layout.offset) == (4, 3, 2, 8)
    assert layout.interleave == "bil"
    assert layout.dtype == np.dtype(">f4")
    assert layout.pixel_bytes == 96


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(tmp_path, newline):
    assert read_layout(read_header(_header(tmp_path, PLAIN, newline=newline))).samples == 4


def test_upper_case_keys_comments_and_blanks_do_not_matter(tmp_path):
    text = (
        "ENVI\n; a comment = {\n\nSAMPLES=4\nLines   =   3\nBANDS = 2\nData Type = 4\n"
        "InterLeave = BIL\nBYTE ORDER = 1\n"
        "Wavelength Units = Nanometers\nwavelength = {\n; red\n 650.1,\n;nir\n 850.2\n}\nstray line\n"
    )
    header = read_header(_header(tmp_path, text))
    assert read_layout(header).interleave == "bil"
    assert header.fields["wavelength"] == ["650.1", "850.2"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_headers_may_hold_umlauts_in_either_encoding(tmp_path, encoding):
    header = read_header(_header(tmp_path, PLAIN + "band names = {grün, µ}\n", encoding=encoding))
    assert header.fields["band names"] == ["grün", "µ"]


def test_the_parser_ignores_the_case_of_pixels_read_through_it(tmp_path):
    path = _scene(tmp_path)
    text = path.read_text().replace("samples", "SAMPLES").replace("interleave = bsq", "Interleave = BSQ")
    path.write_text(text.replace("ENVI\n", "ENVI\n; written by hand\n"))
    with open_scene(path) as reader:
        np.testing.assert_array_equal(reader.read(), random_pixels(C, H, W, dtype="int16"))


@pytest.mark.parametrize(("encoding", "what"), [("utf-8-sig", "byte order mark"), ("utf-16", "byte order mark")])
def test_a_byte_order_mark_is_refused_with_the_remedy(tmp_path, encoding, what):
    path = _scene(tmp_path)
    path.write_text(path.read_text(), encoding=encoding)
    with pytest.raises(SceneReadError, match=rf"x\.hdr: .*({what}|is no ENVI header)"):
        open_scene(path)


def test_a_brace_that_never_closes_is_named(tmp_path):
    with pytest.raises(SceneReadError, match="the brace of 'wavelength' is never closed"):
        open_scene(_scene(tmp_path, wavelength="{400, 500", fwhm="{10, 10}"))
    with pytest.raises(SceneReadError, match="a brace is probably never closed"):
        open_scene(_scene(tmp_path, wavelength="{400, 500"))


@pytest.mark.parametrize("name", ["samples", "lines", "bands", "data type", "interleave", "byte order"])
def test_a_missing_field_is_named(tmp_path, name):
    with pytest.raises(SceneReadError, match=rf"x\.hdr: .*{name}.* (is )?missing"):
        open_scene(_scene(tmp_path, **{name.replace(" ", "_"): None}))


def test_what_one_byte_and_one_band_do_not_need_may_be_missing(tmp_path):
    fields = {"byte order": None, "interleave": None, "header offset": None, "file type": None}
    path = write_scene(tmp_path / "x.img", random_pixels(1, H, W, dtype="uint8"), fields=fields)
    with open_scene(path) as reader:
        np.testing.assert_array_equal(reader.read(), random_pixels(1, H, W, dtype="uint8"))


@pytest.mark.parametrize("name", ["samples", "lines", "bands"])
@pytest.mark.parametrize("value", ["0", "-6", "2.5", "forty", "1e30", "nan", "99999999999999999999"])
def test_sizes_that_are_none_are_refused(tmp_path, name, value):
    with pytest.raises(SceneReadError, match=rf"x\.hdr: {name} = .*; a whole number from 1 to"):
        open_scene(_scene(tmp_path, **{name: value}))


@pytest.mark.parametrize("value", ["-1", "0x10", "two"])
def test_header_offsets_that_are_none_are_refused(tmp_path, value):
    with pytest.raises(SceneReadError, match=r"x\.hdr: header offset = "):
        open_scene(_scene(tmp_path, header_offset=value))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"samples": "2000000000", "lines": "2000000000", "bands": "60000"}, "more than any disk holds"),
        ({"samples": "100000", "lines": "100000", "bands": "400"}, r"declares 8000000000000 \(100000 samples"),
        ({"lines": str(10 * H)}, "the file is truncated or the header wrong"),
        ({"header_offset": "1000000000"}, "the file is truncated or the header wrong"),
        ({"header_offset": "1"}, "the file is truncated or the header wrong"),
        ({"data_type": "4"}, "the file is truncated or the header wrong"),
        ({"lines": str(H - 2)}, r"too few by whole lines: 24 would fit"),
        ({"bands": str(C - 1)}, r"too few by whole .*would fit"),
        ({"samples": str(W // 2)}, r"too few by whole .*would fit"),
        ({"interleave": "xyz"}, "interleave is xyz; bsq, bil or bip was expected"),
        ({"interleave": "bup"}, "interleave is bup; bsq, bil or bip was expected"),
        ({"data_type": "6"}, "data type 6 is complex"),
        ({"data_type": "9"}, "data type 9 is complex"),
        ({"data_type": "99"}, "data type 99 is unknown; one of 1, 2, 3, 4, 5, 12, 13, 14, 15 was expected"),
        ({"data_type": "7"}, "data type 7 is unknown"),
        ({"byte_order": "2"}, "byte order = 2; a whole number from 0 to 1"),
        ({"file_type": "ENVI Spectral Library"}, "file type is ENVI Spectral Library; an image"),
        ({"file_type": "HDF Scientific Data"}, "file type is HDF Scientific Data"),
        ({"file_compression": "1"}, "'file compression' is not supported"),
        ({"major_frame_offsets": "{8, 0}"}, "'major frame offsets' is not supported"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path, fields, message):
    with pytest.raises(SceneReadError, match=message):
        open_scene(_scene(tmp_path, **fields))


def test_frame_offsets_of_zero_do_no_harm(tmp_path):
    with open_scene(_scene(tmp_path, major_frame_offsets="{0, 0}", minor_frame_offsets="{0, 0}")) as reader:
        assert reader.read().shape == (C, H, W)


def test_a_truncated_file_is_refused_not_filled_with_zeros(tmp_path):
    path = _scene(tmp_path)
    data = path.with_suffix(".img")
    data.write_bytes(data.read_bytes()[: SIZE * 5 // 6])
    with pytest.raises(SceneReadError, match=rf"x\.img: holds {SIZE * 5 // 6} bytes, x\.hdr declares {SIZE}"):
        open_scene(path)


def test_a_few_bytes_too_many_are_a_remark(tmp_path):
    path = _scene(tmp_path)
    with path.with_suffix(".img").open("ab") as file:
        file.write(b"trailer")
    with open_scene(path) as reader:
        assert "7 bytes after the last pixel are ignored" in reader.remarks[0]
        np.testing.assert_array_equal(reader.read(), random_pixels(C, H, W, dtype="int16"))


@pytest.mark.parametrize("content", [b"", b"PNG", b"ENVI\0\0\0", b"ENVI" + bytes(range(256))])
def test_what_is_no_header_is_refused(tmp_path, content):
    path = _scene(tmp_path)
    path.write_bytes(content)
    with pytest.raises(SceneReadError, match=r"x\.hdr: is (empty|no ENVI header)"):
        open_scene(path)


def test_an_endless_header_is_refused(tmp_path):
    path = _scene(tmp_path)
    with path.open("r+b") as file:
        file.truncate(17 * 2**20)
    with pytest.raises(SceneReadError, match="too long for an ENVI header"):
        open_scene(path)


MANY = 65536


@pytest.mark.parametrize("separator", [", ", ",\n"], ids=["one line", "a line each"])
def test_as_many_bands_as_there_may_be_are_opened_with_all_lists(tmp_path, separator):
    wavelengths = [str(400 + band / 32) for band in range(MANY)]
    lists = {
        "wavelength": wavelengths, "fwhm": ["5.5"] * MANY, "bbl": ["1"] * MANY,
        "band names": [f"B{band}" for band in range(MANY)],
    }  # fmt: skip
    fields = {name: "{\n" + separator.join(values) + "}" for name, values in lists.items()}
    path = write_scene(tmp_path / "x.hdr", np.ones((MANY, 1, 1), dtype="uint8"), fields=fields)
    with open_scene(path) as reader:
        bands = reader.scene.bands
        assert (bands.wavelengths[-1], bands.fwhm[-1], bands.names[-1]) == (float(wavelengths[-1]), 5.5, "B65535")
        assert reader.scene.grid.transform == NORTH_UP
        assert reader.read().sum() == MANY


@pytest.mark.parametrize(
    ("excess", "message"),
    [
        ("wavelength = {" + "1," * 2**20 + "1}\n", "has 10486.. entries in lists, at most 1048576 were expected"),
        ("wavelength = {\n" + "1\n" * 2**20, "has 10485.. lines, at most 1048576 were expected"),
        ("\r" * (2**20 + 1), "has 10485.. lines"),
        ("".join(f"f{number} = 1\n" for number in range(20000)), "has 200.. fields, at most 16384 were expected"),
    ],
    ids=["entries", "lines", "carriage returns", "fields"],
)
def test_a_header_that_is_only_large_is_refused_in_one_line(tmp_path, excess, message):
    path = _scene(tmp_path)
    path.write_bytes(path.read_bytes() + excess.encode())
    with pytest.raises(SceneReadError, match=message) as refusal:
        open_scene(path)
    assert len(str(refusal.value)) < 500


def test_a_long_header_that_gdal_refuses_is_named_by_its_own_name(tmp_path):
    path = write_scene(tmp_path / "x.hdr", np.ones((1, 1, 1), dtype="uint8"), fields={"description": "{" + "x" * 2**17})
    with pytest.raises(SceneReadError, match=r"x\.hdr: .*that of 'description'"):
        open_scene(path)


@pytest.mark.parametrize("field", ["data_ignore_value", "reflectance_scale_factor", "samples", "header_offset"])
def test_a_number_of_five_thousand_digits_is_refused_in_one_short_line(tmp_path, field):
    with pytest.raises(PifnetError) as refusal:
        open_scene(_scene(tmp_path, **{field: "9" * 5000}))
    assert len(str(refusal.value)) < 500


def test_a_list_in_square_brackets_may_go_on_for_lines(tmp_path):
    text = PLAIN + "wavelength = [ 450\n 550 ]\nfwhm = [5, 5\nwavelength units = nm\n"
    fields = read_header(_header(tmp_path, text)).fields
    assert fields["wavelength"].split() == ["[", "450", "550", "]"]
    assert fields["wavelength units"] == "nm"


REFUSED = {
    "OTB__monobandComplexDouble.raw": "data type 9 is complex",
    "RStoolbox__a.sli": "file type is ENVI Spectral Library",
    "SpectralUnmixing-Project__Full": "file type is TIFF",  # beside its TIFF it would be read
    "biodivMapR__WorldView": "x in 'map info' is XX",
    "enmap-box__gamsberg_field_library": "file type is ENVI Spectral Library",
    "enmap-box__library_berlin": "file type is ENVI Spectral Library",
    "gdal__aea_compressed": "'file compression' is not supported",
    "plantcv__darkReference4": "interleave is bup",
    "two_step_lmm__DLR_HySU_HS_library": "file type is ENVI Spectral Library",
}


def test_headers_of_the_wild_are_read_or_refused_in_one_line(real_data, tmp_path):
    refused = {}
    for source in sorted((real_data / "envi_headers").glob("*.hdr")):
        folder = tmp_path / source.stem
        folder.mkdir()
        header = folder / "x.hdr"
        header.write_bytes(source.read_bytes())
        _give_data(header)
        try:
            with open_scene(header) as reader:
                assert reader.read(reader.scene.grid.window.clipped(2, 2)).ndim == 3
        except PifnetError as error:
            refused[source.stem] = str(error).split(": ", 1)[1].split(";")[0]
    refused.pop("gdal__testenviclasses")  # one pixel of one byte: GDAL does not take it for a raster
    assert refused == REFUSED


def _give_data(header):
    """A data file of the right size that takes no room on disk; long scenes are cut first."""
    try:
        layout = read_layout(read_header(header))
        if layout.pixel_bytes > 2**30:
            header.write_bytes(re.sub(rb"lines *= *\d+", b"lines = 5", header.read_bytes()))
            layout = read_layout(read_header(header))
    except PifnetError:
        header.with_suffix(".img").write_bytes(b"\1")
        return
    with header.with_suffix(".img").open("wb") as file:
        file.truncate(layout.offset + layout.pixel_bytes)
