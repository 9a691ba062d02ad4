import pytest
import rasterio

from pifnet_cli.errors import BandsError
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.scene import WavelengthUnit
from scenes import random_pixels, write_scene

C = 3


def _geotiff(tmp_path, *, band_tags=(), imagery=(), envi=None, whole=None, names=None):
    path = write_scene(tmp_path / "x.tif", random_pixels(C, 4, 5), names=names)
    with rasterio.open(path, "r+") as dataset:
        for position, tags in enumerate(band_tags, start=1):
            dataset.update_tags(position, **tags)
        for position, tags in enumerate(imagery, start=1):
            dataset.update_tags(position, ns="IMAGERY", **tags)
        dataset.update_tags(**(whole or {}))
        dataset.update_tags(ns="ENVI", **(envi or {}))
    with open_scene(path) as reader:
        return reader


def test_band_tags_come_before_the_envi_domain_and_imagery(tmp_path):
    bands = _geotiff(
        tmp_path,
        band_tags=[{"wavelength": str(450.5 + i), "wavelength_units": "Nanometers", "fwhm": "6.5"} for i in range(C)],
        imagery=[{"CENTRAL_WAVELENGTH_UM": "0.451", "FWHM_UM": "0.006"}] * C,
        envi={"wavelength": "{1,2,3}", "wavelength_units": "Micrometers"},
    ).scene.bands
    assert bands.wavelengths == (450.5, 451.5, 452.5)
    assert bands.fwhm == (6.5, 6.5, 6.5)
    assert bands.unit is WavelengthUnit.NANOMETERS


def test_the_envi_domain_comes_before_imagery(tmp_path):
    bands = _geotiff(
        tmp_path,
        imagery=[{"CENTRAL_WAVELENGTH_UM": "0.451", "FWHM_UM": "0.006"}] * C,
        envi={
            "wavelength": "{0.4505,0.5505,0.6505}",
            "wavelength_units": "Micrometers",
            "fwhm": "{0.0065,0.0065,0.0065}",
            "bbl": "{1,0,1}",
            "band_names": "{a,b,c}",
        },
    ).scene.bands
    assert bands.wavelengths == (0.4505, 0.5505, 0.6505)
    assert bands.fwhm == (0.0065,) * 3
    assert bands.good == (True, False, True)
    assert bands.names == ("a", "b", "c")


def test_imagery_is_the_last_resort_and_said_so(tmp_path):
    reader = _geotiff(tmp_path, imagery=[{"CENTRAL_WAVELENGTH_UM": "0.451", "FWHM_UM": "0.006"}] * C)
    assert reader.scene.bands.wavelengths_nm.tolist() == [451.0] * 3
    assert reader.scene.bands.fwhm_nm.tolist() == [6.0] * 3
    assert all("may be rounded" in remark for remark in reader.remarks)


def test_imagery_widths_take_the_unit_of_precise_wavelengths(tmp_path):
    reader = _geotiff(
        tmp_path,
        band_tags=[{"wavelength": "450.5", "wavelength_units": "nm"}] * C,
        imagery=[{"CENTRAL_WAVELENGTH_UM": "0.451", "FWHM_UM": "0.0065"}] * C,
    )
    assert reader.scene.bands.wavelengths_nm.tolist() == [450.5] * 3
    assert reader.scene.bands.fwhm_nm.tolist() == [6.5] * 3
    assert len(reader.remarks) == 1


@pytest.mark.parametrize("key", ["Wavelength", "WAVELENGTH", "wavelength"])
def test_the_case_of_tags_does_not_matter(tmp_path, key):
    tags = [{key: "450.5", "Wavelength_Units": "Nanometers", "FWHM": "6.5"}] * C
    bands = _geotiff(tmp_path, band_tags=tags).scene.bands
    assert (bands.wavelengths, bands.fwhm) == ((450.5,) * 3, (6.5,) * 3)


def test_the_unit_may_stand_once_for_the_whole_file(tmp_path):
    reader = _geotiff(tmp_path, band_tags=[{"wavelength": "450.5"}] * C, whole={"wavelength_units": "Nanometers"})
    assert reader.scene.bands.unit is WavelengthUnit.NANOMETERS
    assert reader.remarks == ()


def test_a_tag_of_some_bands_only_leaves_all_wavelengths_unknown(tmp_path):
    reader = _geotiff(tmp_path, band_tags=[{"wavelength": "450.5"}] * 2)
    assert reader.scene.bands.without_wavelength == (2,)
    assert "band 3 has no wavelength" in reader.remarks[0]


def test_a_list_of_all_bands_comes_before_tags_of_some(tmp_path):
    envi = {"wavelength": "{450,550,650}", "wavelength_units": "Nanometers"}
    assert _geotiff(tmp_path, band_tags=[{"wavelength": "1"}], envi=envi).scene.bands.wavelengths == (450, 550, 650)


def test_each_band_may_have_its_own_unit_and_name_of_the_tag(tmp_path):
    tags = [
        {"wavelength": "450", "wavelength_units": "nm"},
        {"CENTRAL_WAVELENGTH": "0.55", "WAVELENGTH_UNIT": "um"},
        {"wavelength": "650 nm", "wavelength_units": "um"},
    ]
    assert _geotiff(tmp_path, band_tags=tags).scene.bands.wavelengths_nm.tolist() == [450, 550, 650]


def test_bad_bands_of_some_bands_only_are_refused(tmp_path):
    with pytest.raises(BandsError, match=r"x\.tif: 2 of 3 bands have the tag 'bbl'; all or none"):
        _geotiff(tmp_path, band_tags=[{"bbl": "1"}] * 2)


def test_an_envi_domain_of_another_band_count_is_refused(tmp_path):
    with pytest.raises(BandsError, match="'wavelength' has 2 entries"):
        _geotiff(tmp_path, envi={"wavelength": "{1,2}"})


def test_descriptions_are_band_names(tmp_path):
    reader = _geotiff(tmp_path, names=["blue (450.5 Nanometers)", "", "nir"])
    assert reader.scene.bands.names == ("blue (450.5 Nanometers)", "Band 2", "nir")


def test_wavelengths_are_read_from_descriptions(tmp_path):
    reader = _geotiff(tmp_path, names=["blue (450.5 Nanometers)", "550 nm", "0.65 um"])
    assert reader.scene.bands.wavelengths_nm.tolist() == [450.5, 550, 650]
