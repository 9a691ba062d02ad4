from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from pifnet_cli.reports.consistency import ConsistencyMaps
from pifnet_cli.scene import Grid, Window


@pytest.fixture
def maps() -> ConsistencyMaps:
    """LR 6 x 10, HR 12 x 20, each in two blocks; the degraded scene is off by 3 and 4 in two bands."""
    observer = ConsistencyMaps()
    observer.begin(Grid(6, 10, Affine.identity(), None), Grid(12, 20, Affine.identity(), None))
    for column in (0, 5):
        lr = np.ones((2, 6, 5), dtype=np.float32)
        lr[:, 2, 1] = np.nan
        observer.add_lr(lr + np.array([3, 4], dtype=np.float32)[:, None, None], lr, Window(0, column, 6, 5))
        hr = np.ones((3, 12, 10), dtype=np.float32)
        observer.add_hr(hr + column, hr, Window(0, 2 * column, 12, 10))
    return observer


def test_maps_lie_on_their_grids_and_leave_out_what_is_not_scored(maps: ConsistencyMaps) -> None:
    assert maps.lr_rmse.shape == maps.lr_sam.shape == (6, 10)
    for image in (maps.lr_rmse, maps.lr_sam):
        assert np.argwhere(np.isnan(image)).tolist() == [[2, 1], [2, 6]]


def test_values_are_those_of_each_pixel(maps: ConsistencyMaps) -> None:
    np.testing.assert_allclose(maps.lr_rmse[0], np.sqrt(12.5), rtol=1e-6)
    angle = np.degrees(np.arctan2(5, 4) - np.pi / 4)  # of (4, 5) and (1, 1)
    np.testing.assert_allclose(maps.lr_sam[0], angle, rtol=1e-5)
    np.testing.assert_allclose(maps.msi_rmse, np.repeat([[0.0, 5.0]], 10, axis=1).repeat(12, axis=0), rtol=1e-6)


def test_only_maps_with_a_name_are_written(maps: ConsistencyMaps, tmp_path: Path) -> None:
    (told,) = maps.write(sam_map=tmp_path / "sam.png", error_map=None)
    assert told.startswith("spectral angle to the LR-HSI in degrees, 0 (dark) to 6.34")
    assert [path.name for path in tmp_path.iterdir()] == ["sam.png"]
