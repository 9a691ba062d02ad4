from pathlib import Path

import numpy as np
import pytest

from pifnet_cli.raster.live_bands import bands_with_pixels
from pifnet_cli.raster.reader import open_scene
from scenes import write_scene


@pytest.mark.parametrize("block_size", [16, 256])
def test_a_band_counts_from_its_only_pixel_on(block_size: int, tmp_path: Path) -> None:
    image = np.full((5, 40, 24), -1, dtype=np.float32)
    image[1], image[3, 39, 23] = 2, 3
    with open_scene(write_scene(tmp_path / "scene.tif", image, nodata=-1)) as scene:
        assert bands_with_pixels(scene, range(5), block_size=block_size) == {1, 3}
        assert bands_with_pixels(scene, [0, 3], block_size=block_size) == {3}
