import numpy as np
import pytest

from pifnet_cli.degrade.sensors import SENSORS
from pifnet_cli.degrade.srf import read_response_table, spectral_projection
from pifnet_cli.errors import BandsError, SettingsError
from pifnet_cli.scene import Bands, WavelengthUnit


def spectrometer(first=400.0, last=2500.0, step=10.0, **fields):
    wavelengths = tuple(np.arange(first, last + step, step).tolist())
    return Bands(len(wavelengths), wavelengths=wavelengths, unit=WavelengthUnit.NANOMETERS, **fields)


@pytest.mark.parametrize("sensor", SENSORS)
def test_every_sensor_keeps_a_flat_spectrum_flat(sensor):
    weights = spectral_projection(sensor, spectrometer(first=390.0)).weights

    assert weights.shape[0] == len(SENSORS[sensor])
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)


def test_band_centres_are_the_sensors_own_on_a_fine_spectrometer():
    bands = spectral_projection("sentinel-2", spectrometer(step=2.0)).bands

    assert bands.names == ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
    assert bands.wavelengths == pytest.approx(
        (492.4, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 1613.7, 2202.4), abs=0.1
    )
    assert bands.fwhm == pytest.approx((66, 36, 31, 15, 15, 20, 106, 21, 91, 175), abs=0.3)


def test_a_linear_spectrum_is_seen_at_the_band_centre():
    bands = spectrometer(step=7.3)
    weights = spectral_projection("landsat-8", bands).weights

    seen = weights @ bands.wavelengths_nm

    assert seen == pytest.approx([443, 482, 561.5, 654.5, 865, 1608.5, 2200.5], abs=1.0)


def test_file_order_of_bands_does_not_matter():
    ordered = spectrometer(step=7.3)
    order = np.random.default_rng(0).permutation(ordered.count)
    shuffled = Bands(
        ordered.count, wavelengths=tuple(np.array(ordered.wavelengths)[order]), unit=WavelengthUnit.NANOMETERS
    )

    np.testing.assert_allclose(
        spectral_projection("ali", shuffled).weights, spectral_projection("ali", ordered).weights[:, order], atol=1e-15
    )


def test_overlapping_detectors_share_the_weight():
    single = spectrometer(first=700, last=1100, step=10)
    nm = (*np.arange(700, 1000, 10), *np.arange(900.5, 1100, 10))  # two detectors, both see 900 to 990
    doubled = Bands(len(nm), wavelengths=tuple(nm), unit=WavelengthUnit.NANOMETERS)
    narrow = "worldview-2"

    one = spectral_projection(narrow, single).weights[-1] @ single.wavelengths_nm
    two = spectral_projection(narrow, doubled).weights[-1] @ doubled.wavelengths_nm

    assert two == pytest.approx(one, abs=0.5)  # counting the overlap twice would pull it towards 950


def test_a_gap_is_not_filled_by_the_bands_at_its_rim():
    nm = np.array([500, 510, 520, 530, 600, 610, 620, 630.0])
    bands = Bands(len(nm), wavelengths=tuple(nm), unit=WavelengthUnit.NANOMETERS, fwhm=(10.0,) * 8)
    table_free = spectral_projection("planetscope", bands).weights  # Yellow, 600 to 620

    assert table_free.sum(axis=1) == pytest.approx(1)
    assert (table_free <= 0.6).all()


def test_bad_bands_get_no_weight():
    good = tuple(not 640 <= nm <= 660 for nm in spectrometer().wavelengths)

    weights = spectral_projection("sentinel-2", spectrometer(good=good)).weights

    assert not weights[:, ~np.array(good)].any()
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_micrometres_give_the_same_weights():
    nanometres = spectrometer()
    micrometres = Bands(
        nanometres.count,
        wavelengths=tuple(nm / 1000 for nm in nanometres.wavelengths),
        unit=WavelengthUnit.MICROMETERS,
    )

    np.testing.assert_allclose(
        spectral_projection("ikonos", micrometres).weights, spectral_projection("ikonos", nanometres).weights, atol=1e-9
    )


def test_bands_outside_the_scene_are_left_out_and_named():
    projection = spectral_projection("sentinel-2", spectrometer(last=860.0))

    assert projection.left_out == ("B11", "B12")
    assert projection.incomplete == ("B8", "B8A")
    assert projection.bands.names == ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A")


def test_sensor_that_sees_nothing_of_the_scene_is_refused():
    with pytest.raises(BandsError, match="none of its 4 bands lies in the scene's 1500 to 2500 nm"):
        spectral_projection("ikonos", spectrometer(first=1500.0))


def test_sensor_on_a_scene_without_wavelengths_suggests_boxes():
    with pytest.raises(BandsError, match=r"no wavelengths.*--srf boxes:4"):
        spectral_projection("sentinel-2", Bands(30))


def test_sensor_on_a_scene_that_lacks_some_wavelengths_names_the_bands():
    with pytest.raises(BandsError, match=r"no wavelength is known of bands 5 and 6; .*--srf boxes:4"):
        spectral_projection("sentinel-2", Bands(30, without_wavelength=(4, 5)))


def test_unknown_sensor_names_the_known_ones():
    with pytest.raises(SettingsError, match=r"--srf sentinel-99: unknown.*worldview-3"):
        spectral_projection("sentinel-99", spectrometer())


def test_boxes_are_runs_of_bands_of_equal_length():
    weights = spectral_projection("boxes:3", Bands(7)).weights  # edges 0, 2, 5, 7

    expected = [[1 / 2, 1 / 2, 0, 0, 0, 0, 0], [0, 0, 1 / 3, 1 / 3, 1 / 3, 0, 0], [0, 0, 0, 0, 0, 1 / 2, 1 / 2]]
    np.testing.assert_allclose(weights, expected)
    assert spectral_projection("boxes:3", Bands(7)).bands.wavelengths is None


def test_boxes_leave_bad_bands_out():
    weights = spectral_projection("boxes:2", Bands(4, good=(True, False, True, True))).weights

    np.testing.assert_allclose(weights, [[1, 0, 0, 0], [0, 0, 0.5, 0.5]])


def test_box_of_bad_bands_is_refused():
    with pytest.raises(BandsError, match="bands 1 to 2 are all bad"):
        spectral_projection("boxes:2", Bands(4, good=(False, False, True, True)))


def test_scene_of_bad_bands_is_refused():
    with pytest.raises(BandsError, match="every band"):
        spectral_projection("boxes:2", Bands(2, good=(False, False)))


@pytest.mark.parametrize("spec", ["boxes:0", "boxes:8", "boxes:", "boxes:-1", "boxes:two"])
def test_impossible_numbers_of_boxes_are_refused(spec):
    with pytest.raises(SettingsError, match="1 to the scene's 7 bands"):
        spectral_projection(spec, Bands(7))


def test_box_bands_lie_at_the_mean_of_their_wavelengths():
    bands = spectral_projection("boxes:2", spectrometer(first=400.0, last=490.0)).bands

    assert bands.wavelengths == (420.0, 470.0)
    assert bands.fwhm == (50.0, 50.0)
    assert bands.unit is WavelengthUnit.NANOMETERS


def test_response_table_serves_as_a_sensor(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("band,wavelength_nm,response\nred,700,0\nred,600,0\nred,650,2\nblue,400,1\nblue,500,1\n")

    bands = spectral_projection(str(table), spectrometer(step=2.0)).bands

    assert bands.names == ("red", "blue")
    assert bands.wavelengths == pytest.approx((650, 450), abs=0.5)
    assert bands.fwhm == pytest.approx((50, 100), abs=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("band,nm,response\n", "no column wavelength_nm"),
        ("", "no column band"),
        ("band,wavelength_nm,response\n", "no rows"),
        ("band,wavelength_nm,response\nred,650,high\n", "line 2: not two numbers"),
        ("band,wavelength_nm,response\nred,650\n", "line 2: not two numbers"),
        ("band,wavelength_nm,response\nred,0.65,1\n", "wavelength in nanometres"),
        ("band,wavelength_nm,response\nred,650,nan\n", "finite numbers"),
        ("band,wavelength_nm,response\nred,650,1\n", "band red: two wavelengths"),
        ("band,wavelength_nm,response\nred,650,0\nred,660,-1\n", "a response above 0"),
    ],
)
def test_damaged_tables_are_refused(tmp_path, text, message):
    table = tmp_path / "table.csv"
    table.write_text(text)

    with pytest.raises(SettingsError, match=message):
        read_response_table(table)


def test_absent_table_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read as a response table"):
        read_response_table(tmp_path / "absent.csv")


def test_measured_table_of_sentinel_2_agrees_with_the_named_sensor(real_data):
    ours, measured = (
        dict(zip(bands.names, bands.wavelengths, strict=True))
        for bands in (
            spectral_projection(spec, spectrometer(step=5.0)).bands
            for spec in ("sentinel-2", str(real_data / "srf" / "S2A_MSI_V4.csv"))
        )
    )

    for name, centre in ours.items():
        assert measured[name.removeprefix("B")] == pytest.approx(centre, abs=2.0)
