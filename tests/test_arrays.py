"""Fusion from memory to memory: the numbers of the files, the labels of the arrays."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray
from affine import Affine
from numpy.testing import assert_allclose, assert_array_equal

import pifnet_cli as pifnet
from pifnet_cli.errors import PifnetError, SceneReadError
from waves import write_pair

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data"
UNITS = {"units": "nm"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Files of a pair at ratio 4, with a gap and a dead band, and the same opened by rioxarray."""

    def spoil(lr_hsi, hr_msi):
        lr_hsi[:, 3:5, 4:7] = -9999
        lr_hsi[2] = -9999
        hr_msi[1, 30:34, 40:44] = -9999

    lr, hr, _ = write_pair(tmp_path_factory.mktemp("pair"), hr_size=(96, 120), spoil=spoil)
    return lr, hr, *(rioxarray.open_rasterio(path) for path in (lr, hr))


@pytest.fixture(scope="module", params=["kriging", "regression", "cnmf"])
def by_file(request, pair, tmp_path_factory):
    """(method, the file's float32 pixels, NaN where invalid)."""
    output = tmp_path_factory.mktemp("fused") / "fused.tif"
    pifnet.fuse(*pair[:2], output, method=request.param, tile_size=64, overlap=16)
    with rasterio.open(output) as dataset:
        return request.param, dataset.read(masked=True).filled(np.nan)


def test_data_arrays_give_the_numbers_of_the_files(pair, by_file):
    method, expected = by_file
    result = pifnet.fuse(*pair[2:], method=method, tile_size=64, overlap=16)
    assert isinstance(result.fused, xarray.DataArray)
    assert_array_equal(result.fused.values, expected)
    assert np.isnan(expected).any()
    assert np.isfinite(expected).any()


def test_numpy_arrays_give_the_numbers_of_the_files(pair, by_file):
    method, expected = by_file
    lr, hr = (np.where(image.values == -9999, np.nan, image.values) for image in pair[2:])
    result = pifnet.fuse(lr, hr, ratio=4, method=method, tile_size=64, overlap=16)
    assert isinstance(result.fused, np.ndarray)
    assert_allclose(result.fused, expected, rtol=2e-5)  # positions in pixels instead of metres: rounding
    assert_array_equal(np.isnan(result.fused), np.isnan(expected))


def test_transforms_say_what_a_ratio_says(pair):
    lr, hr = (np.where(image.values == -9999, np.nan, image.values) for image in pair[2:])
    transforms = {"lr_transform": pair[2].rio.transform(), "hr_transform": pair[3].rio.transform()}
    by_transform = pifnet.fuse(lr, hr, **transforms, method="regression", align="none", mtf=0.3)
    by_ratio = pifnet.fuse(lr, hr, ratio=4, method="regression", align="none", mtf=0.3)
    assert_allclose(by_transform.fused, by_ratio.fused, rtol=2e-5)
    assert by_transform.ratio == pytest.approx(4)


def test_masked_arrays_are_nan_where_they_are_masked(pair):
    lr, hr = (np.ma.masked_equal(image.values, -9999) for image in pair[2:])
    masked = pifnet.fuse(lr, hr, ratio=4, method="regression", mtf=0.3).fused
    plain = pifnet.fuse(lr.filled(np.nan), hr.filled(np.nan), ratio=4, method="regression", mtf=0.3).fused
    assert_array_equal(masked, plain)


def _labelled(pair, **more):
    lr, hr = pair[2:]
    wavelengths = ("band", np.linspace(450.0, 900.0, lr.sizes["band"]), UNITS)
    fwhm = ("band", np.full(lr.sizes["band"], 12.5))
    return lr.assign_coords(wavelength=wavelengths, fwhm=fwhm, **more).assign_attrs(campaign="June"), hr


def test_the_result_keeps_the_labels_of_both(pair):
    lr, hr = _labelled(pair, time="2026-06-01")
    fused = pifnet.fuse(lr, hr, method="regression").fused
    assert fused.dims == ("band", "y", "x")
    assert_array_equal(fused["wavelength"], lr["wavelength"])
    assert fused["wavelength"].attrs == UNITS
    assert_array_equal(fused["fwhm"], lr["fwhm"])
    assert_array_equal(fused["band"], lr["band"])
    assert fused["time"].item() == "2026-06-01"
    assert fused.attrs["campaign"] == "June"
    assert_array_equal(fused["x"], hr["x"])
    assert_array_equal(fused["y"], hr["y"])
    assert fused.rio.crs == hr.rio.crs
    assert fused.rio.transform().almost_equals(hr.rio.transform())
    assert "spatial_ref" in fused.coords
    assert np.isnan(fused.rio.nodata)


def test_the_result_can_be_written_and_lies_where_the_hr_msi_lies(pair, tmp_path):
    fused = pifnet.fuse(*_labelled(pair), method="regression").fused
    fused.rio.to_raster(tmp_path / "fused.tif")
    with rasterio.open(tmp_path / "fused.tif") as written, rasterio.open(pair[1]) as hr:
        assert written.crs == hr.crs
        assert written.transform.almost_equals(hr.transform)
        assert_array_equal(written.read(), fused.values)


def test_dimensions_may_stand_in_any_order_and_have_other_names(pair):
    expected = pifnet.fuse(*pair[2:], method="regression").fused
    lr = pair[2].rename(band="wavelength").transpose("y", "x", "wavelength")
    lr = lr.assign_coords(wavelength=("wavelength", np.linspace(450.0, 900.0, lr.sizes["wavelength"]), UNITS))
    hr = pair[3].rename(x="easting", y="northing").rio.set_spatial_dims(x_dim="easting", y_dim="northing")
    fused = pifnet.fuse(lr, hr, method="regression").fused
    assert fused.dims == ("y", "x", "wavelength")
    assert_array_equal(fused.transpose("wavelength", "y", "x").values, expected.values)
    assert_array_equal(fused["wavelength"], lr["wavelength"])
    assert_array_equal(fused["x"], hr["easting"])


def test_a_scene_cut_by_position_lies_where_its_coordinates_say(pair):
    whole = pifnet.fuse(*pair[2:], method="regression", align="none", mtf=0.3)
    lr, hr = pair[2].isel(y=slice(6, 20), x=slice(9, 30)), pair[3].isel(y=slice(28, 72), x=slice(40, 100))
    part = pifnet.fuse(lr, hr, method="regression", align="none", mtf=0.3)
    assert part.fused["x"].isin(whole.fused["x"]).all()
    assert part.window == (0, 0, 44, 60)
    at_same_place = whole.fused.sel(x=part.fused["x"], y=part.fused["y"])
    inner = {"y": slice(12, -12), "x": slice(12, -12)}
    difference = (part.fused - at_same_place).isel(inner)
    assert float(abs(difference).max()) < 0.05 * float(whole.fused.std())  # statistics of a part, not another place


def test_upside_down_arrays_are_the_same_ground(pair):
    expected = pifnet.fuse(*pair[2:], method="regression", align="none", mtf=0.3).fused
    flipped = [image.isel(y=slice(None, None, -1)) for image in pair[2:]]
    fused = pifnet.fuse(*flipped, method="regression", align="none", mtf=0.3).fused
    assert_array_equal(fused["y"], flipped[1]["y"])
    assert_allclose(fused.values[:, ::-1], expected.values, rtol=1e-4, atol=1e-4)


def test_stored_numbers_are_scaled_and_their_nodata_is_left_out(pair):
    lr, hr = pair[2:]
    scaled = (lr.where(lr != -9999) * 100).round().fillna(-32768).astype("int16")
    stored = scaled.assign_attrs(scale_factor=0.01, add_offset=0.0).rio.write_nodata(-32768)
    physical = (scaled.where(scaled != -32768) * np.float32(0.01)).astype("float32").rio.write_crs(lr.rio.crs)
    by_stored = pifnet.fuse(stored, hr, method="regression", mtf=0.3)
    by_value = pifnet.fuse(physical, hr, method="regression", mtf=0.3)
    assert_allclose(by_stored.fused.values, by_value.fused.values, rtol=1e-4)
    assert not {"scale_factor", "add_offset"} & set(by_stored.fused.attrs)
    assert by_stored.fused.dtype == np.float32


def test_bands_marked_bad_can_be_left_out(pair):
    good = np.ones(pair[2].sizes["band"])
    good[[1, 4]] = 0
    lr, hr = _labelled(pair, good=("band", good))
    fused = pifnet.fuse(lr, hr, method="regression", bands="good").fused
    assert fused.sizes["band"] == len(good) - 2
    assert_array_equal(fused["wavelength"], lr["wavelength"][good > 0])


def test_uncertainty_comes_as_an_array(pair):
    result = pifnet.fuse(*pair[2:], method="kriging", uncertainty=True)
    assert_array_equal(np.isnan(result.uncertainty), np.isnan(result.fused))
    assert float(result.uncertainty.min()) > 0
    assert len(result.expected_error) == result.bands


def test_lazily_loaded_arrays_are_read_by_window(pair):
    windows = []

    class Counted(xarray.backends.BackendArray):
        def __init__(self, values):
            self.values, self.shape, self.dtype = values, values.shape, values.dtype

        def __getitem__(self, key):
            part = self.values[key.tuple]
            windows.append(part.shape)
            return part

    lr, hr = pair[2].isel(y=slice(0, 12), x=slice(0, 15)), pair[3]  # half of the HR-MSI along either axis
    counted = xarray.core.indexing.LazilyIndexedArray(Counted(hr.values))
    lazy = xarray.DataArray(xarray.Variable(hr.dims, counted), hr.coords, attrs=hr.attrs)
    fused = pifnet.fuse(lr, lazy, method="regression", tile_size=48, overlap=16, mtf=0.3).fused
    assert_array_equal(fused, pifnet.fuse(lr, hr, method="regression", tile_size=48, overlap=16, mtf=0.3).fused)
    assert max(height * width for _, height, width in windows) < 0.6 * hr.sizes["y"] * hr.sizes["x"]


def test_a_result_is_an_array_for_numpy(pair):
    result = pifnet.fuse(*pair[2:], method="regression")
    assert_array_equal(np.asarray(result), result.fused.values)
    assert np.asarray(result, dtype=np.float64).dtype == np.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lr, hr: (lr.values, hr), "two paths, two DataArrays or two NumPy arrays"),
        (lambda lr, hr: (lr.values, hr.values), "give ratio="),
        (lambda lr, hr: (lr.isel(band=0), hr), "LR-HSI: dimensions y, x; bands, y and x were expected"),
        (lambda lr, hr: (lr, hr.rename(x="u", y="v")), "HR-MSI: dimensions band, v, u; y and x were expected"),
        (lambda lr, hr: (lr.astype(complex), hr), "LR-HSI: an array of complex128; real numbers"),
        (lambda lr, hr: (lr, hr.drop_vars("spatial_ref").drop_vars(["x", "y"])), "HR-MSI: has neither coordinates"),
        (lambda lr, hr: (lr.assign_coords(wavelength=("band", ["red"] * 7)), hr), "LR-HSI: its wavelength holds no"),
        (lambda lr, hr: (hr, lr), "were the two inputs swapped"),
    ],
)
def test_arrays_that_cannot_be_fused_are_refused(pair, change, message):
    with pytest.raises(PifnetError, match=message):
        pifnet.fuse(*change(*pair[2:]), method="regression")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": 0.5}, "ratio=0.5: a number from 1 up"),
        ({"ratio": float("nan")}, "a number from 1 up"),
        ({"ratio": 4, "output": "fused.tif"}, "are for files; the two scenes are arrays"),
        ({"ratio": 4, "dtype": "int16"}, "are for files; the two scenes are arrays"),
        ({"lr_transform": Affine.scale(4)}, "lr_transform without hr_transform"),
        ({"lr_transform": Affine.scale(4), "hr_transform": Affine.scale(0)}, "HR-MSI: its transform"),
        ({"ratio": 4, "lr_transform": Affine.scale(4), "hr_transform": Affine.scale(1)}, "give ratio=, or"),
        ({"ratio": 4, "method": "krige"}, "--method krige: one of pifnet, .* was expected"),
    ],
)
def test_options_that_make_no_sense_for_arrays_are_refused(pair, options, message):
    with pytest.raises(PifnetError, match=message):
        pifnet.fuse(*(image.values for image in pair[2:]), **options)


def test_numpy_needs_no_xarray():
    program = (
        "import sys; sys.modules['xarray'] = sys.modules['rioxarray'] = None\n"
        "import numpy as np, pifnet_cli as pifnet\n"
        "rng = np.random.default_rng(0)\n"
        "print(pifnet.fuse(rng.random((5, 12, 12)), rng.random((3, 48, 48)), ratio=4, method='regression').bands)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "5\n"


def test_nodata_of_arrays_may_be_told():
    generator = np.random.default_rng(0)
    hr_msi = generator.uniform(0.1, 0.6, (3, 24, 32)).astype(np.float32)
    lr_hsi = np.repeat(hr_msi.reshape(3, 6, 4, 8, 4).mean(axis=(2, 4)), 2, axis=0)
    holes, zeros = lr_hsi.copy(), lr_hsi.copy()
    holes[:, :2], zeros[:, :2] = np.nan, 0
    how = {"ratio": 4, "method": "regression", "mtf": 0.3, "align": "none"}
    expected, told = pifnet.fuse(holes, hr_msi, **how), pifnet.fuse(zeros, hr_msi, hsi_nodata=0, **how)
    np.testing.assert_array_equal(told.fused, expected.fused)
    assert np.isnan(told.fused).any()


def test_a_nodata_of_an_array_that_its_type_cannot_hold_is_refused(pair):
    with pytest.raises(SceneReadError, match="LR-HSI: its nodata cannot occur in uint8 values"):
        pifnet.fuse(pair[2].astype("uint8"), pair[3])
