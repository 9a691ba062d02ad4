import numpy as np
import pytest
import rasterio

from pifnet_cli.raster.gdal import gdal_session
from pifnet_cli.raster.stored_numbers import BandCoding, to_physical, to_stored
from scenes import write_scene

INTEGERS = ["uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def _plane(*values, dtype="float32"):
    return np.array([[values]], dtype=dtype)


def test_scale_and_offset_are_applied_per_band():
    stored = np.array([[[10]], [[10]]], dtype="int16")
    physical = to_physical(stored, [BandCoding(scale=0.5), BandCoding(offset=-3.0)])
    assert physical[:, 0, 0].tolist() == [5.0, 7.0]
    assert physical.dtype == np.float32


def test_nodata_nan_and_infinity_become_nan():
    stored = _plane(-9999.0, np.nan, np.inf, -np.inf, 1.0)
    assert np.isnan(to_physical(stored, [BandCoding(nodata=-9999.0)])[0, 0]).tolist() == [True, True, True, True, False]


def test_nodata_is_compared_before_scaling():
    stored = _plane(-32768, 5, dtype="int16")
    physical = to_physical(stored, [BandCoding(scale=1e-4, nodata=-32768)])
    assert np.isnan(physical[0, 0, 0])
    assert physical[0, 0, 1] == np.float32(5e-4)


def test_a_float64_nodata_that_float32_cannot_hold_is_found():
    lowest = float(np.finfo("float64").min)
    assert np.isnan(to_physical(_plane(lowest, dtype="float64"), [BandCoding(nodata=lowest)])[0, 0, 0])


def test_a_float32_nodata_written_with_fewer_digits_is_found():
    stored = _plane(-12345.678, -12345.6)
    assert np.isnan(to_physical(stored, [BandCoding(nodata=-12345.68)])[0, 0]).tolist() == [True, False]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("coding", [BandCoding(), BandCoding(scale=1e-4), BandCoding(nodata=-9999.0)])
@pytest.mark.parametrize("fill", [-3.4028234663852886e38, 3.4028234663852886e38, 9.96921e36, 1e20, -1e30])
def test_floats_as_large_as_fill_are_invalid_whatever_is_declared(dtype, coding, fill):
    assert np.isnan(to_physical(_plane(fill, 7.0, dtype=dtype), [coding])[0, 0]).tolist() == [True, False]


@pytest.mark.parametrize("value", [2**63 - 1, 2**64 - 1])
def test_the_largest_whole_numbers_are_values(value):
    assert np.isfinite(to_physical(_plane(value, dtype="uint64"), [BandCoding()])).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nodata", [-9999.0, -12345.678, 1e-4, 0.0])
def test_nodata_is_found_where_gdal_finds_it(tmp_path, dtype, nodata):
    off = np.array([0, 1e-7, -1e-7, 4e-7, -4e-7, 6e-7, -6e-7, 1e-5])
    stored = (nodata * (1 + off) + (nodata == 0) * off)[None, None].astype(dtype)
    path = write_scene(tmp_path / "x.tif", stored, nodata=nodata)
    with gdal_session(), rasterio.open(path) as dataset:
        hidden = dataset.read_masks(1) == 0
    assert np.isnan(to_physical(stored, [BandCoding(nodata=nodata)])[0]).tolist() == hidden.tolist()


def test_a_large_offset_costs_no_precision():
    stored = _plane(2_000_000_001, dtype="uint32")
    assert to_physical(stored, [BandCoding(offset=-2e9)])[0, 0, 0] == 1.0


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_are_rounded_and_clipped_never_wrapped(dtype):
    limits = np.iinfo(dtype)
    values = _plane(2.4, 2.6, 1e30, -1e30)
    stored, clipped = to_stored(values, [BandCoding()], np.dtype(dtype))
    assert stored[0, 0].tolist() == [2, 3, limits.max, limits.min]
    assert clipped == 2


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("which", ["min", "max"])
def test_a_valid_value_never_becomes_nodata(dtype, which):
    nodata = getattr(np.iinfo(dtype), which)
    stored, _ = to_stored(_plane(1e30, -1e30, np.nan), [BandCoding(nodata=nodata)], np.dtype(dtype))
    assert (stored[0, 0] == nodata).tolist() == [False, False, True]
    assert abs(int(stored[0, 0, 0 if which == "max" else 1]) - nodata) == 1


def test_zero_next_to_nodata_zero_becomes_one():
    stored, clipped = to_stored(_plane(0.3, np.nan), [BandCoding(nodata=0)], np.dtype("uint8"))
    assert stored[0, 0].tolist() == [1, 0]
    assert clipped == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_float_that_equals_nodata_moves_just_so_far_that_it_is_not_taken_for_it(dtype):
    near = np.nextafter(np.float32(-9999), np.float32(0))
    codings = [BandCoding(nodata=-9999.0)]
    stored, _ = to_stored(_plane(-9999.0, near, -9999.1, np.nan), codings, np.dtype(dtype))
    assert stored[0, 0, 3] == -9999.0
    np.testing.assert_allclose(stored[0, 0, :3], [-9999, -9999, -9999.1], rtol=1e-6)
    assert np.isnan(to_physical(stored, codings)[0, 0]).tolist() == [False, False, False, True]


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "float32", "float64"])
def test_decoding_then_encoding_returns_the_stored_numbers(dtype):
    generator = np.random.default_rng(1)
    stored = generator.integers(0, 30000, (3, 4, 5)).astype(dtype)
    codings = [BandCoding(1e-4, 0.0, 7), BandCoding(0.02, -5.0, 7), BandCoding(1.0, 0.0, 7)]
    again, clipped = to_stored(to_physical(stored.copy(), codings), codings, np.dtype(dtype))
    # float32 physical numbers carry 24 bits: enough for every stored integer here, not for every stored float
    np.testing.assert_allclose(again, stored, rtol=2e-6 if dtype.startswith("float") else 0, atol=0)
    assert clipped == 0
