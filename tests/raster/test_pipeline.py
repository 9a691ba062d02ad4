import numpy as np
import pytest
from affine import Affine

from pifnet_cli.errors import SceneWriteError
from pifnet_cli.raster.pipeline import RowReader, WriteBehind
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.scene import Window
from scenes import random_pixels, write_scene

C, H, W = 3, 40, 96


@pytest.fixture
def scene(tmp_path):
    return write_scene(tmp_path / "scene.tif", random_pixels(C, H, W), transform=Affine(10, 0, 0, 0, -10, 0))


WINDOWS = [Window(row, column, 12, min(9, W - column)) for row in (0, 10, 28) for column in range(0, W, 7)]


@pytest.mark.parametrize("windows", [WINDOWS, WINDOWS[::-1], [Window(0, 0, H, W), Window(5, 90, 3, 6)]])
def test_windows_read_ahead_are_the_windows(scene, windows):
    with open_scene(scene) as reader:
        ahead = RowReader(reader)
        for window in windows:
            np.testing.assert_array_equal(ahead.read(window), reader.read(window))


def test_a_window_that_is_changed_spoils_no_other(scene):
    with open_scene(scene) as reader:
        ahead = RowReader(reader)
        ahead.read(WINDOWS[0])[:] = 0
        np.testing.assert_array_equal(ahead.read(WINDOWS[0]), reader.read(WINDOWS[0]))


class _Sink:
    """What takes windows, and fails on demand."""

    def __init__(self, failing=None):
        self.rows, self._failing = [], failing

    def write(self, _pixels, window):
        if window.row == self._failing:
            raise SceneWriteError("the disk refused")
        self.rows.append(window.row)


def _write(sink, rows):
    with WriteBehind(sink) as behind:
        for row in rows:
            behind.write(np.zeros((C, 1, W), dtype=np.float32), Window(row, 0, 1, W))


def test_all_windows_are_written_in_order():
    sink = _Sink()
    _write(sink, range(20))
    assert sink.rows == list(range(20))


@pytest.mark.parametrize("failing", [0, 7, 19])
def test_a_failure_behind_is_raised(failing):
    with pytest.raises(SceneWriteError, match="the disk refused"):
        _write(_Sink(failing), range(20))


def _write_and_stop(sink):
    with WriteBehind(sink) as behind:
        behind.write(np.zeros((C, 1, W), dtype=np.float32), Window(0, 0, 1, W))
        raise KeyError


def test_another_failure_is_not_hidden_by_one_behind():
    with pytest.raises(KeyError):
        _write_and_stop(_Sink(0))
