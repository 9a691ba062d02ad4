import struct

import numpy as np
import pytest
import rasterio

from pifnet_cli.errors import SceneReadError, SettingsError
from pifnet_cli.raster.checks import MAX_GEOTIFF_BANDS
from pifnet_cli.raster.geotiff.budget import MAX_ITEMS
from pifnet_cli.raster.geotiff.output import creation_profile
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.scene import Bands, Grid, Scene
from scenes import NORTH_UP, random_pixels, write_scene

SHORT, LONG, ASCII = 3, 4, 2


def _with_metadata(path, metadata):
    """A TIFF of 8 x 8 bytes with GDAL's metadata as they are: GDAL itself takes minutes to write many."""
    text, count = metadata.encode() + b"\0", 9
    pixels_at = 8 + 2 + count * 12 + 4
    fields = [
        (256, SHORT, 1, 8), (257, SHORT, 1, 8), (258, SHORT, 1, 8), (259, SHORT, 1, 1), (262, SHORT, 1, 1),
        (273, LONG, 1, pixels_at), (278, SHORT, 1, 8), (279, LONG, 1, 64), (42112, ASCII, len(text), pixels_at + 64),
    ]  # fmt: skip
    head = struct.pack("<2sHIH", b"II", 42, 8, count) + b"".join(struct.pack("<HHII", *field) for field in fields)
    path.write_bytes(head + struct.pack("<I", 0) + b"\7" * 64 + text)
    return path


def _items(count, sample=""):
    items = "".join(f'<Item name="a{number}"{sample}>1</Item>' for number in range(count))
    return f"<GDALMetadata>{items}</GDALMetadata>"


def test_metadata_that_scenes_have_are_read(tmp_path):
    with open_scene(_with_metadata(tmp_path / "x.tif", _items(500))) as reader:
        assert (reader.read() == 7).all()


@pytest.mark.parametrize("sample", ["", ' sample="0"'], ids=["of the file", "of a band"])
def test_a_hundred_thousand_items_are_refused_in_one_line(tmp_path, sample):
    path = _with_metadata(tmp_path / "x.tif", _items(100_000, sample))
    with pytest.raises(SceneReadError, match=rf"x\.tif: has 100000 metadata items in one place, at most {MAX_ITEMS}"):
        open_scene(path)


def test_metadata_of_many_bytes_are_refused_in_one_line(tmp_path):
    path = _with_metadata(tmp_path / "x.tif", "x" * 17 * 2**20)
    with pytest.raises(SceneReadError, match=r"x\.tif: holds 17 MiB of metadata, at most 16 were expected"):
        open_scene(path)


def test_a_file_beside_it_with_a_hundred_thousand_items_is_refused_in_one_line(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(1, 4, 5))
    items = "".join(f'<MDI key="a{i}">1</MDI>' for i in range(100_000))
    (tmp_path / "x.tif.aux.xml").write_text(f"<PAMDataset><Metadata>{items}</Metadata></PAMDataset>")
    with pytest.raises(SceneReadError, match=r"x\.tif: has 100000 metadata items"):
        open_scene(path)


def test_more_bands_than_a_geotiff_is_read_for_are_refused_in_one_line(tmp_path):
    path = tmp_path / "x.tif"
    layout = {"driver": "GTiff", "width": 1, "height": 1, "count": 20_000, "dtype": "uint8", "transform": NORTH_UP}
    with rasterio.open(path, "w", **layout):
        pass
    with pytest.raises(SceneReadError, match=r"x\.tif: has 20000 bands, .*gdal_translate -of ENVI"):
        open_scene(path)


def test_what_could_not_be_read_again_is_not_begun(tmp_path):
    scene = Scene(tmp_path / "x.tif", Grid(1, 1, NORTH_UP, None), Bands(MAX_GEOTIFF_BANDS + 1))
    with pytest.raises(SettingsError, match=r"x\.tif: 4097 bands, .*write ENVI"):
        creation_profile(scene, (), block_size=None)


def test_tags_of_five_thousand_digits_are_no_numbers(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(2, 4, 5))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(1, wavelength="9" * 5000, fwhm="9" * 5000, wavelength_units="n" * 5000)
    with open_scene(path) as reader:
        assert reader.scene.bands.without_wavelength == (0, 1)
        assert all(len(remark) < 500 for remark in reader.remarks)
        assert np.isfinite(reader.read()).all()
