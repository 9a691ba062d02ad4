from pathlib import Path

import pytest

from pifnet_cli.errors import BandsError
from pifnet_cli.raster.bands import (
    BandFields,
    display_bands,
    envi_band_fields,
    parse_bands,
    split_list,
)
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


@pytest.mark.parametrize("wrong", ["", "red", "1,5", "0", "-1", "nan", "inf", "450-500 nm", "4 GHz", "9" * 5000])
def test_a_band_without_a_wavelength_leaves_all_unknown_and_is_named(wrong):
    remarks = []
    bands = _parse(3, remarks, wavelengths=["400", wrong, "500"], fwhm=["5", "5", "5"], unit="nm")
    assert (bands.wavelengths, bands.fwhm, bands.without_wavelength) == (None, None, (1,))
    assert len(remarks) == 1
    assert "band 2 has no wavelength" in remarks[0]


def test_a_cut_knows_its_bands_without_a_wavelength():
    bands = _parse(4, wavelengths=["400", "", "500", "n/a"], unit="nm")
    assert bands.cut([0, 3]).without_wavelength == (1,)
    assert bands.cut([0, 2]).without_wavelength == ()


@pytest.mark.parametrize(
    ("texts", "unit", "expected_nm"),
    [
        (["664.5nm (S2A) / 665nm (S2B)", "782.5nm (S2A) / 780nm (S2B)"], None, [664.5, 782.5]),
        (["450nm", "550 nm"], None, [450, 550]),
        (["450 Nanometers", "0.55 um"], None, [450, 550]),
        (["0.45 \N{MICRO SIGN}m", "550"], "nm", [450, 550]),
        (['"450.5"', "'550.5'"], '"Nanometers"', [450.5, 550.5]),
        (["450", "550"], "{nm}", [450, 550]),
        (["4.5e-1", ".55"], "[um]", [450, 550]),
    ],
)
def test_wavelengths_are_read_however_they_are_written(texts, unit, expected_nm):
    assert _parse(2, wavelengths=texts, unit=unit).wavelengths_nm.tolist() == expected_nm


def test_of_two_wavelengths_the_first_is_taken_with_a_remark():
    remarks = []
    _parse(1, remarks, wavelengths=["664.5nm (S2A) / 665nm (S2B)"])
    assert len(remarks) == 1
    assert "the first is taken, 664.5" in remarks[0]


def test_a_number_without_a_unit_among_others_that_have_one_is_no_wavelength():
    assert _parse(2, wavelengths=["450 nm", "0.5"]).without_wavelength == (1,)


def test_widths_are_converted_to_the_unit_of_the_wavelengths():
    assert _parse(2, wavelengths=["0.45", "0.55"], unit="um", fwhm=["5 nm", "0.006"]).fwhm == (0.005, 0.006)


def test_words_for_bad_bands_are_refused():
    with pytest.raises(BandsError, match="'bbl' holds 'good'; numbers were expected"):
        _parse(2, good=["1", "good"])


@pytest.mark.parametrize("wrong", ["0", "wide"])
def test_useless_fwhm_are_left_out_with_a_remark(wrong):
    remarks = []
    assert _parse(2, remarks, wavelengths=["400", "500"], fwhm=["10", wrong], unit="nm").fwhm is None
    assert "FWHM" in remarks[0]


def test_names_of_another_count_are_left_out_with_a_remark():
    remarks = []
    assert _parse(2, remarks, names=["a", "b", "c"]).names is None
    assert "3 band names" in remarks[0]


@pytest.mark.parametrize(
    ("polluted", "clean"),
    [
        ("blue (450.5 Nanometers)", "blue"),
        ("B1 (0.4505 Micrometers)", "B1"),
        ("blue (612.5 Nanometers)", "blue (612.5 Nanometers)"),
        ("Resize (Band 1:x) (450.5)", "Resize (Band 1:x) (450.5)"),
        ("NIR (near infrared)", "NIR (near infrared)"),
        ("mean (3 pixels)", "mean (3 pixels)"),
    ],
)
def test_a_name_loses_its_own_wavelength_where_it_is_known_and_nothing_else(polluted, clean):
    assert _parse(1, names=[polluted], wavelengths=["450.5"], unit="nm").names == (clean,)


@pytest.mark.parametrize(
    ("names", "expected_nm"),
    [
        (["450.37 Nanometers", "460.1 Nanometers"], [450.37, 460.1]),
        (["blue (450.5 nm)", "green (0.55 um)"], [450.5, 550]),
        (["Band 1 (402.4 Nanometers)", "Band 2 (410 Nanometers)"], [402.4, 410]),
        (["B2_490nm", "B3_560nm"], [490, 560]),
        (["R at 0.66 Micrometers, smoothed", "NIR: .85 Micrometers"], [660, 850]),
    ],
)
def test_wavelengths_are_read_from_names_that_are_left_alone(names, expected_nm):
    remarks = []
    bands = _parse(2, remarks, names=names)
    assert bands.wavelengths_nm.tolist() == expected_nm
    assert bands.names == tuple(names)
    assert "from the band names" in remarks[0]


@pytest.mark.parametrize(
    "name",
    ["B2_490", "blue", "450-510 nm", "450 to 510 nm", "450 nm, 10 nm wide", "mean (3 nm)", "450 nmol", "1,450.5 nm"],
)
def test_a_name_without_one_clear_wavelength_leaves_all_unknown(name):
    remarks = []
    bands = _parse(2, remarks, names=["blue (450.5 nm)", name])
    assert (bands.wavelengths, bands.without_wavelength, remarks) == (None, (), [])
    assert bands.names == ("blue (450.5 nm)", name)


def test_wavelengths_of_fields_come_before_those_of_names():
    assert _parse(1, names=["x (700 nm)"], wavelengths=["450"], unit="nm").wavelengths == (450.0,)


@pytest.mark.parametrize("text", ["[ 450   550 ]", "[450, 550]", "{450 550}", "450, 550", ["450 550"], ["450", "550"]])
def test_lists_of_numbers_are_read_in_any_brackets(text):
    fields = envi_band_fields({"wavelength": text, "wavelength units": '"Nanometers"'})
    assert parse_bands(SCENE, 2, fields, []).wavelengths == (450.0, 550.0)


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
