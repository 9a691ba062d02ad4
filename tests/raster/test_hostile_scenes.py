"""Scenes that are damaged or made up: pifnet reads them, or refuses them in words of its own."""

import logging
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pifnet_cli.errors import GridError, PifnetError, SceneReadError
from pifnet_cli.raster.envi.header import read_header, read_layout
from pifnet_cli.raster.reader import open_scene
from scenes import random_pixels, write_scene

WAVELENGTHS, FWHM, NAMES, GOOD = (400.0, 500.5, 610.0), (5.0, 5.0, 6.0), ("a", "b", "c"), (1, 0, 1)
QUICK = settings(
    max_examples=150, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
WORDS = st.sampled_from(
    [b"nan", b"inf", b"-1", b"0", b"1e400", b"9" * 30, b"{", b"}", b"{}", b"\n", b"=", b",", b"\xff\xfe", b"\xe1",
     b"\r", b'"', b"2.5", b"UTM", b"Arbitrary", b"units=", b"rotation", b"\0\0\0\0", b"\xff\xff\xff\xff",
     b"\xff\xff\xff\x7f"]
)  # fmt: skip
PLACES = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 12), st.one_of(WORDS, st.binary(max_size=6)))
CHANGES = st.lists(PLACES, min_size=1, max_size=4)  # where, how many bytes go, what comes instead


def _changed(content, changes):
    for share, gone, new in changes:
        place = int(share * len(content))
        content = content[:place] + new + content[place + gone :]
    return content


def _scene(path):
    return write_scene(
        path,
        random_pixels(3, 5, 7, dtype="uint16"),
        wavelengths=WAVELENGTHS,
        fwhm=FWHM,
        names=NAMES,
        good=GOOD,
        nodata=0,
    )


def _opened(path):
    """Only a `PifnetError` is a refusal; anything else passes on."""
    with suppress(PifnetError), open_scene(path) as reader:
        reader.read()


@pytest.fixture
def envi(tmp_path):
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)  # as the program does
    data = _scene(tmp_path / "x.img")
    header = data.with_suffix(".hdr").read_bytes()
    numbers = count()

    def changed(changes):
        folder = tmp_path / str(next(numbers))  # GDAL remembers what a folder held
        folder.mkdir()
        (folder / "x.img").write_bytes(data.read_bytes())
        (folder / "x.hdr").write_bytes(_changed(header, changes))
        return folder / "x.hdr"

    return changed


@pytest.fixture
def tiff(tmp_path):
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    content = _scene(tmp_path / "x.tif").read_bytes()
    numbers = count()

    def changed(changes):
        path = tmp_path / f"{next(numbers)}.tif"
        path.write_bytes(_changed(content, changes))
        return path

    return changed


@QUICK
@given(changes=CHANGES)
def test_any_envi_header_is_parsed_or_refused(envi, changes):
    path = envi(changes)
    with suppress(PifnetError):
        read_layout(read_header(path))


@QUICK
@given(text=st.binary(max_size=60))
def test_anything_after_the_word_envi_is_parsed_or_refused(tmp_path, text):
    (tmp_path / "x.hdr").write_bytes(b"ENVI\n" + text)
    with suppress(PifnetError):
        read_layout(read_header(tmp_path / "x.hdr"))


@pytest.mark.filterwarnings("ignore:Exception ignored in. 'rasterio:pytest.PytestUnraisableExceptionWarning")
@QUICK
@given(changes=CHANGES)
def test_any_envi_scene_is_opened_or_refused(envi, changes):
    _opened(envi(changes))


@pytest.mark.filterwarnings("ignore:Exception ignored in. 'rasterio:pytest.PytestUnraisableExceptionWarning")
@QUICK
@given(changes=CHANGES)
def test_any_geotiff_is_opened_or_refused(tiff, changes):
    _opened(tiff(changes))


def test_a_rotation_without_a_number_is_refused(tmp_path):
    fields = {"map info": "{Arbitrary, 1, 1, 0, 0, 1, 1, 0, rotation?0.0}"}
    path = write_scene(tmp_path / "x.img", random_pixels(3, 5, 7), crs=None, fields=fields)
    with pytest.raises(GridError, match="rotation"):
        open_scene(path)


def test_text_that_gdal_can_quote_but_not_decode_is_refused(tmp_path):
    path = _scene(tmp_path / "x.img")
    header = path.with_suffix(".hdr")
    header.write_bytes(
        header.read_bytes().replace(b"GCS_WGS", b"GCS\xe1WGS").replace(b"Transverse_Mercator", b"No\xe1Projection")
    )
    with pytest.raises(SceneReadError, match="cannot be opened as ENVI"):
        open_scene(path)
