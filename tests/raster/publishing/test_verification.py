from dataclasses import replace

import pytest
from affine import Affine

from pifnet_cli.errors import SceneWriteError
from pifnet_cli.raster.publishing.verification import MissingBlocks, verify
from pifnet_cli.raster.reader import open_scene
from scenes import NORTH_UP, random_pixels, write_scene


@pytest.fixture(params=["o.tif", "o.img"])
def written(tmp_path, request):
    profile = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    path = write_scene(tmp_path / request.param, random_pixels(3, 24, 40), profile=profile)
    with open_scene(path) as reader:
        return path, reader.scene


def test_a_complete_file_passes(written):
    verify(*written)


def test_a_truncated_file_does_not(written):
    path, scene = written
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SceneWriteError, match="check the disk"):
        verify(path, scene)


def test_another_size_type_or_place_does_not(written):
    path, scene = written
    moved = replace(scene.grid, transform=NORTH_UP @ Affine.translation(1, 0))
    for other in (
        replace(scene, dtype="int16"),
        replace(scene, grid=moved),
        replace(scene, grid=replace(scene.grid, width=41)),
    ):
        with pytest.raises(SceneWriteError, match=r"is not what was written|cannot be read again"):
            verify(path, other)


def test_missing_blocks_do_not_unless_they_stand_for_nodata(tmp_path):
    profile = {"tiled": True, "blockxsize": 16, "blockysize": 16, "sparse_ok": True}
    pixels = random_pixels(1, 64, 64)
    pixels[:, 16:32] = 0
    path = write_scene(tmp_path / "o.tif", pixels, nodata=0, profile=profile)
    with open_scene(path) as reader:
        scene = reader.scene
    verify(path, scene, missing=MissingBlocks.NODATA)
    with pytest.raises(SceneWriteError, match="is incomplete after writing"):
        verify(path, scene)
