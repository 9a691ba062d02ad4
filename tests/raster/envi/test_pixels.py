import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pifnet_cli.raster.envi.header import EnviLayout
from pifnet_cli.raster.envi.pixels import EnviPixels, in_file_order, joined, runs_of
from pifnet_cli.scene import Window

AXES = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}


def _layout(interleave, *, bands=3, lines=4, samples=5, offset=0, dtype=">i2"):
    return EnviLayout(
        samples=samples, lines=lines, bands=bands, offset=offset, dtype=np.dtype(dtype), interleave=interleave
    )


@given(data=st.data(), interleave=st.sampled_from(list(AXES)))
def test_runs_are_the_window_s_values_in_file_order(data, interleave):
    layout = _layout(interleave, bands=3, lines=6, samples=7)
    row, column = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 6))
    window = Window(row, column, data.draw(st.integers(1, 6 - row)), data.draw(st.integers(1, 7 - column)))
    bands = range(3) if interleave == "bip" else data.draw(st.permutations(range(3)))
    starts, length = runs_of(layout, bands, window)
    found = np.concatenate([np.arange(start, start + count) for start, count in joined(starts, length)])
    # the place of every value in the file, cut like the window
    places = np.arange(3 * 6 * 7).reshape([(3, 6, 7)[axis] for axis in AXES[interleave]])
    places = places.transpose(np.argsort(AXES[interleave]))[list(bands)][:, window.slices[0], window.slices[1]]
    np.testing.assert_array_equal(found, in_file_order(places, interleave).ravel())


@pytest.mark.parametrize(("interleave", "runs"), [("bsq", 3), ("bil", 1), ("bip", 1)])
def test_rows_that_touch_are_one_run(interleave, runs):
    starts, length = runs_of(_layout(interleave), range(3), Window(1, 0, 2, 5))
    assert len(joined(starts, length)) == runs


def test_a_whole_file_is_one_run():
    for interleave in AXES:
        starts, length = runs_of(_layout(interleave), range(3), Window(0, 0, 4, 5))
        assert joined(starts, length) == [(0, 60)]


@pytest.mark.parametrize("interleave", list(AXES))
def test_pixels_come_in_the_machine_s_byte_order_and_may_be_changed(tmp_path, interleave):
    values = np.arange(60, dtype="int16").reshape(3, 4, 5)
    path = tmp_path / "x.img"
    path.write_bytes(b"header!" + values.transpose(AXES[interleave]).astype(">i2").tobytes())
    pixels = EnviPixels(path, _layout(interleave, offset=7))
    read = pixels.read([2, 0], Window(1, 2, 2, 3))
    pixels.close()
    np.testing.assert_array_equal(read, values[[2, 0], 1:3, 2:5])
    assert read.dtype == np.dtype("=i2")
    assert read.flags["C_CONTIGUOUS"]
    assert read.flags["WRITEABLE"]


def test_a_file_that_ends_too_early_is_an_error(tmp_path):
    path = tmp_path / "x.img"
    path.write_bytes(bytes(119))
    pixels = EnviPixels(path, _layout("bsq"))
    with pytest.raises(OSError, match="ends too early"):
        pixels.read(range(3), Window(0, 0, 4, 5))
    pixels.close()
