import os
from pathlib import Path

import pytest

from pifnet_cli.choices import SceneFormat
from pifnet_cli.errors import SceneReadError, SceneWriteError
from pifnet_cli.raster.formats import find_scene, output_files
from pifnet_cli.raster.reader import open_scene
from scenes import random_pixels, write_scene
from unprivileged import unprivileged


def _pair(folder: Path, header: str, data: str) -> tuple[Path, Path]:
    """An ENVI pair with any two names."""
    write_scene(folder / "original.img", random_pixels(2, 3, 4))
    return (folder / "original.hdr").rename(folder / header), (folder / "original.img").rename(folder / data)


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ("x.hdr", "x.img"),
        ("x.hdr", "x.dat"),
        ("x.hdr", "x"),
        ("x.hdr", "x.bil"),
        ("x.hdr", "x.raw"),
        ("x.img.hdr", "x.img"),
        ("x.dat.hdr", "x.dat"),
        ("X.HDR", "X.IMG"),
        ("x.HDR", "x.img"),
        ("x.y.hdr", "x.y"),
        ("my scene (1).hdr", "my scene (1).bsq"),
        ("grün.hdr", "grün.img"),
    ],
)
def test_header_and_data_file_find_each_other(tmp_path, header, data):
    header_path, data_path = _pair(tmp_path, header, data)
    for named in (header_path, data_path):
        files = find_scene(named)
        assert (files.scene_format, files.data, files.header) == (SceneFormat.ENVI, data_path, header_path)
        with open_scene(named) as reader:
            assert reader.read().shape == (2, 3, 4)


def test_a_relative_path_works(tmp_path, monkeypatch):
    _pair(tmp_path, "x.hdr", "x.img")
    monkeypatch.chdir(tmp_path)
    assert find_scene(Path("x.hdr")).data == Path("x.img")
    with open_scene(Path("x.img")) as reader:
        assert reader.scene.bands.count == 2


def test_a_quicklook_beside_the_data_is_no_candidate(tmp_path):
    header, data = _pair(tmp_path, "x.hdr", "x.bsq")
    write_scene(tmp_path / "x.tif", random_pixels(3, 3, 4))
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    assert find_scene(header).data == data


def test_two_data_files_are_not_chosen_between(tmp_path):
    header, data = _pair(tmp_path, "x.hdr", "x.bsq")
    (tmp_path / "x.img").write_bytes(data.read_bytes())
    with pytest.raises(SceneReadError, match=r"x\.hdr: several files may be its data \(x\.bsq, x\.img\)"):
        find_scene(header)


def test_two_headers_are_not_chosen_between(tmp_path):
    header, data = _pair(tmp_path, "x.hdr", "x.img")
    (tmp_path / "x.img.hdr").write_bytes(header.read_bytes())
    with pytest.raises(SceneReadError, match=r"two ENVI headers claim it, x\.hdr and x\.img\.hdr"):
        find_scene(data)


def test_a_header_without_data_is_refused(tmp_path):
    header, data = _pair(tmp_path, "x.hdr", "x.img")
    data.unlink()
    with pytest.raises(SceneReadError, match=r"x\.hdr: its data file is missing; x, x\.img or the like was expected"):
        find_scene(header)


@pytest.mark.parametrize("data", ["x.rfl", "x.cube2", "X.rad"])
def test_data_of_an_unusual_name_are_pointed_at(tmp_path, data):
    header, _ = _pair(tmp_path, "x.hdr", data)
    words = rf"x\.hdr: no file of a usual name is its data; .*; if {data} is its data, name that file instead"
    with pytest.raises(SceneReadError, match=words):
        find_scene(header)
    if data.startswith("x"):
        assert find_scene(tmp_path / data).header == header


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('<?xml version="1.0"?>\n<VRTDataset rasterXSize="4">', "a GDAL virtual raster"),
        ('\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n<VRTDataset>', "a GDAL virtual raster"),
        ("\n  <VRTDataset>", "a GDAL virtual raster"),
        ('<?xml version="1.0"?>\n<isd>', "an XML file"),
    ],
)
def test_xml_is_told_from_data_that_lost_their_header(tmp_path, text, kind):
    (tmp_path / "s.vrt").write_text(text, encoding="utf-8")
    with pytest.raises(SceneReadError, match=rf"s\.vrt: is {kind}; .*; convert it to GeoTIFF"):
        find_scene(tmp_path / "s.vrt")


def test_a_header_of_raw_data_does_not_take_a_tiff_for_it(tmp_path):
    header, data = _pair(tmp_path, "x.hdr", "x.img")
    data.unlink()
    write_scene(tmp_path / "x.tif", random_pixels(2, 3, 4))
    with pytest.raises(SceneReadError, match=r"x\.hdr: its data file is missing"):
        open_scene(header)


def test_data_without_header_is_refused(tmp_path):
    _, data = _pair(tmp_path, "x.hdr", "x.img")
    (tmp_path / "x.hdr").unlink()
    with pytest.raises(SceneReadError, match=r"x\.img: no ENVI header lies beside it; .*x\.hdr, was expected"):
        find_scene(data)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SceneReadError, match=r"absent\.tif: no such file"):
        find_scene(tmp_path / "absent.tif")


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "x.tif").mkdir()
    with pytest.raises(SceneReadError, match=r"x\.tif: is a folder"):
        find_scene(tmp_path / "x.tif")


@pytest.mark.parametrize("name", ["x.tif", "x.hdr", "x.img"])
def test_an_empty_file_is_refused(tmp_path, name):
    _pair(tmp_path, "y.hdr", "x.img")
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(SceneReadError, match="is empty"):
        find_scene(tmp_path / name)


def test_an_empty_data_file_named_by_its_header_is_refused(tmp_path):
    header, data = _pair(tmp_path, "x.hdr", "x.img")
    data.write_bytes(b"")
    with pytest.raises(SceneReadError, match=r"x\.img: is empty"):
        find_scene(header)


def test_an_unreadable_file_is_refused(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(1, 3, 4))
    path.chmod(0)
    with unprivileged(), pytest.raises(SceneReadError, match=r"x\.tif: cannot be read \(Permission denied\)"):
        find_scene(path)


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "x.tif")
    with pytest.raises(SceneReadError, match="no regular file"):
        find_scene(tmp_path / "x.tif")


def test_a_dangling_link_is_refused(tmp_path):
    (tmp_path / "x.tif").symlink_to(tmp_path / "absent.tif")
    with pytest.raises(SceneReadError, match=r"x\.tif: no such file"):
        find_scene(tmp_path / "x.tif")


def test_a_path_through_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(SceneReadError, match=r"x\.tif: cannot be read \(Not a directory\)"):
        find_scene(tmp_path / "file" / "x.tif")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89HDF\r\n\x1a\n", "an HDF5 or netCDF-4 file"),
        (b"CDF\x01" + bytes(20), "a netCDF file"),
        (b"MATLAB 5.0 MAT-file", "a MATLAB file"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"<VRTDataset rasterXSize=", "a GDAL virtual raster"),
    ],
)
def test_other_formats_are_named(tmp_path, content, kind):
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(SceneReadError, match=f"is {kind}; GeoTIFF, or ENVI .* convert it to GeoTIFF"):
        find_scene(tmp_path / "x.bin")


def test_a_text_file_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("ratio 4")
    with pytest.raises(SceneReadError, match=r"notes\.txt: no ENVI header lies beside it"):
        find_scene(tmp_path / "notes.txt")


def test_another_kind_of_header_is_refused(tmp_path):
    (tmp_path / "x.hdr").write_text("NROWS 10\nNCOLS 10\n")
    (tmp_path / "x.bil").write_bytes(bytes(100))
    for name in ("x.hdr", "x.bil"):
        with pytest.raises(SceneReadError, match=r"x\.hdr: is no ENVI header"):
            open_scene(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "scene_format", "data", "header"),
    [
        ("o.tif", SceneFormat.GEOTIFF, "o.tif", None),
        ("o.TIFF", SceneFormat.GEOTIFF, "o.TIFF", None),
        ("o.hdr", SceneFormat.ENVI, "o.img", "o.hdr"),
        ("o.dat.hdr", SceneFormat.ENVI, "o.dat", "o.dat.hdr"),
        ("o.img", SceneFormat.ENVI, "o.img", "o.hdr"),
        ("o.bip", SceneFormat.ENVI, "o.bip", "o.hdr"),
    ],
)
def test_the_extension_of_an_output_chooses_its_files(name, scene_format, data, header):
    files = output_files(Path(name))
    assert files.scene_format is scene_format
    assert files.data == Path(data)
    assert files.header == (None if header is None else Path(header))


@pytest.mark.parametrize("name", ["o", "o.png", "o.nc", "o.vrt"])
def test_other_extensions_are_no_outputs(name):
    with pytest.raises(SceneWriteError, match=r"names no format; \.tif for GeoTIFF"):
        output_files(Path(name))
