from pathlib import Path

import pytest

from pifnet_cli.errors import BandsError
from pifnet_cli.raster.bands import BandFields, clean_name, display_bands, envi_band_fields, parse_bands, split_list
from pifnet_cli.scene import Bands, WavelengthUnit

SCENE = Path("scene.hdr")
NANOMETERS = ["nm", "NM", "Nanometers", "nanometer", "Nanometre", "NANOMETRES"]
MICROMETERS = ["um", "Micrometers", "micrometer", "Micrometres", "microns", "Micron", "\N{MICRO SIGN}m", "\u03bcm"]


def _parse(count, remarks=None, **fields):
    return parse_bands(SCENE, count, BandFields(**fields), [] if remarks is None else remarks)


@pytest.mark.parametrize("unit", NANOMETERS)
def test_nanometers_are_known_by_many_names(unit):
    assert _parse(2, wavelengths=["400", "500"], unit=unit).wavelengths_nm.tolist() == [400.0, 500.0]


@pytest.mark.parametrize("unit", MICROMETERS)
def test_micrometers_are_known_by_many_names(unit):
    bands = _parse(2, wavelengths=["0.4", "0.5"], fwhm=["0.01", "0.02"], unit=unit)
    assert bands.wavelengths_nm.tolist() == [400.0, 500.0]
    assert bands.fwhm_nm.tolist() == [10.0, 20.0]


@pytest.mark.parametrize("unit", [None, "", "Unknown"])
@pytest.mark.parametrize(
    ("wavelengths", "expected"),
    [
        (["0.4", "2.5"], WavelengthUnit.MICROMETERS),
        (["8.1", "14"], WavelengthUnit.MICROMETERS),
        (["350", "2500"], WavelengthUnit.NANOMETERS),
        (["150", "2500"], None),
        (["0.4", "500"], None),
    ],
)
def test_a_missing_unit_is_inferred_only_where_one_makes_sense(unit, wavelengths, expected):
    remarks = []
    bands = _parse(2, remarks, wavelengths=wavelengths, unit=unit)
    assert bands.unit is expected
    assert bands.wavelengths == tuple(map(float, wavelengths))
    assert "no unit" in remarks[0]


@pytest.mark.parametrize("unit", ["Index", "Angstroms", "Wavenumber", "GHz"])
def test_wavelengths_in_other_units_are_left_out_with_a_remark(unit):
    remarks = []
    bands = _parse(2, remarks, wavelengths=["4000", "5000"], unit=unit)
    assert (bands.wavelengths, bands.unit) == (None, None)
    assert f"unit {unit} is not understood" in remarks[0]


def test_wavelengths_keep_their_last_digit_order_and_duplicates():
    texts = ["392.10182100000003", "1276.85", "1276.85", "0.1e3", "418.24"]
    assert _parse(5, wavelengths=texts, unit="nm").wavelengths == tuple(map(float, texts))


@pytest.mark.parametrize("field", ["wavelengths", "fwhm", "good"])
@pytest.mark.parametrize("entries", [["1"], ["1", "1", "1"]])
def test_a_list_of_another_length_is_refused(field, entries):
    fields = {"wavelengths": ["400", "500"], "unit": "nm", field: entries}
    with pytest.raises(BandsError, match=rf"has {len(entries)} entries; one for each of the 2 bands was expected"):
        _parse(2, **fields)


@pytest.mark.parametrize("wrong", ["red", "1,5", "450nm"])
def test_words_for_wavelengths_are_refused(wrong):
    with pytest.raises(BandsError, match=f"'wavelength' holds '{wrong}'; numbers were expected"):
        _parse(2, wavelengths=["400", wrong], unit="nm")


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "inf"])
def test_wavelengths_that_are_not_positive_are_refused(wrong):
    with pytest.raises(BandsError, match="wavelength of band 2"):
        _parse(2, wavelengths=["400", wrong], unit="nm")


def test_useless_fwhm_are_left_out_with_a_remark():
    remarks = []
    assert _parse(2, remarks, wavelengths=["400", "500"], fwhm=["10", "0"], unit="nm").fwhm is None
    assert "FWHM" in remarks[0]


def test_names_of_another_count_are_left_out_with_a_remark():
    remarks = []
    assert _parse(2, remarks, names=["a", "b", "c"]).names is None
    assert "3 band names" in remarks[0]


@pytest.mark.parametrize(
    ("polluted", "clean"),
    [
        ("blue (450.5 Nanometers)", "blue"),
        ("band 1 (418.24 Nanometers)", "band 1"),
        ("B1 (0.4505 Micrometers)", "B1"),
        ("Resize (Band 1:x) (426.820007)", "Resize (Band 1:x) (426.820007)"),
        ("NIR (near infrared)", "NIR (near infrared)"),
        ("422.16 (423.84)", "422.16 (423.84)"),
        ("mean (3 pixels)", "mean (3 pixels)"),
    ],
)
def test_a_name_loses_the_wavelength_that_gdal_appends_and_nothing_else(polluted, clean):
    assert clean_name(polluted) == clean


@pytest.mark.parametrize("text", ["{1, 2,3}", "1,2,3", "{1,2,3,}", ["1", " 2", "3"]])
def test_lists_are_split_however_they_are_written(text):
    assert split_list(text) == ["1", "2", "3"]


@pytest.mark.parametrize("text", [None, "", "{}", []])
def test_an_empty_list_is_none(text):
    assert split_list(text) is None


def test_bad_bands_are_those_of_zero():
    fields = envi_band_fields({"bbl": "{1, 0, 1.0}"})
    assert parse_bands(SCENE, 3, fields, []).good == (True, False, True)


def test_display_bands_are_the_nearest_good_ones():
    wavelengths = (440.0, 452.0, 548.0, 600.0, 655.0)
    bands = Bands(5, wavelengths=wavelengths, unit=WavelengthUnit.NANOMETERS, good=(True, False, True, True, True))
    assert display_bands(bands) == (5, 3, 1)


def test_a_scene_without_visible_bands_has_no_display_bands():
    assert display_bands(Bands(2, wavelengths=(0.65, 2.2), unit=WavelengthUnit.MICROMETERS)) is None
    assert display_bands(Bands(2)) is None
