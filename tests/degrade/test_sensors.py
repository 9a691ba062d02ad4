import csv

import numpy as np
import pytest

from pifnet_cli.degrade.sensors import ALIASES, SENSORS, sensor_responses, shouldered_box

TABLES = {
    "sentinel-2": ("S2A_MSI_V4", "2 3 4 5 6 7 8 8A 11 12"),
    "landsat-5": ("L5_TM", "1 2 3 4 5 7"),
    "landsat-7": ("L7_ETM", "1 2 3 4 5 7"),
    "landsat-8": ("L8_OLI", "1 2 3 4 5 6 7"),
    "landsat-9": ("L9_OLI", "1 2 3 4 5 6 7"),
    "ali": ("EO1_ALI", "2 3 4 5 6 7 8 9 10"),
    "worldview-2": ("WorldView2", "1_COASTAL 2_BLUE 3_GREEN 4_YELLOW 5_RED 6_REDEDGE 7_NIR1 8_NIR2"),
    "worldview-3-swir": (
        "WorldView3",
        "1_COASTAL 2_BLUE 3_GREEN 4_YELLOW 5_RED 6_REDEDGE 7_NIR1 8_NIR2 "
        "9_SWIR1 10_SWIR2 11_SWIR3 12_SWIR4 13_SWIR5 14_SWIR6 15_SWIR7 16_SWIR8",
    ),
    "quickbird": ("QuickBird2", "1_Blue 2_Green 3_Red 4_NIR"),
    "ikonos": ("IKONOS2", "2_Blue 3_Green 4_Red 5_NIR"),
    "geoeye-1": ("GeoEye1", "Blue Green Red NIR"),
    "pleiades": ("PHR1A", "1_Blue 2_Green 3_Red 4_NIR"),
    "rapideye": ("RapidEye", "1_Blue 2_Green 3_Red 4_RedEdge 5_NIR"),
    "planetscope": (
        "PlanetScope_SD8",
        "1_Coastal-Blue 2_Blue 3_Green_i 4_Green_ii 5_Yellow 6_Red 7_Red-edge 8_NIR",
    ),
}
GRID_NM = np.arange(330, 2700, 0.5)


def measured(folder, name):
    curves: dict[str, list[tuple[float, float]]] = {}
    with (folder / "srf" / f"{name}.csv").open() as file:
        for row in csv.DictReader(file):
            curves.setdefault(row["band"], []).append((float(row["wavelength_nm"]), max(float(row["response"]), 0)))
    return {band: np.interp(GRID_NM, *np.array(sorted(samples)).T, left=0, right=0) for band, samples in curves.items()}


def on_grid(response):
    return np.interp(GRID_NM, response.wavelengths_nm, response.response, left=0, right=0)


def compared(folder, sensor):
    """Per band: difference of the centres (nm), correlation of the curves, width of ours (nm)."""
    table, bands = TABLES[sensor]
    curves = measured(folder, table)
    for ours, theirs in zip(map(on_grid, sensor_responses(sensor)), (curves[b] for b in bands.split()), strict=True):
        centres = [(GRID_NM * curve).sum() / curve.sum() for curve in (ours, theirs)]
        yield centres[0] - centres[1], ours @ theirs / np.sqrt(ours @ ours * (theirs @ theirs)), ours.sum() / 2


@pytest.mark.parametrize("sensor", ["sentinel-2", "landsat-8", "landsat-9"])
def test_bands_of_well_published_sensors_lie_within_a_nanometre_of_measured_ones(real_data, sensor):
    for difference, correlation, _ in compared(real_data, sensor):
        assert abs(difference) < 1.5
        assert correlation > 0.95


@pytest.mark.parametrize("sensor", TABLES)
def test_boxes_resemble_measured_responses(real_data, sensor):
    # Nominal bands of commercial sensors are rounded, and real ones have tails that no box has.
    for difference, correlation, width in compared(real_data, sensor):
        assert abs(difference) < 0.25 * width
        assert correlation > 0.88


def test_box_is_half_at_its_edges_and_one_between():
    box = shouldered_box("Red", 600.0, 700.0)

    assert np.interp([600.0, 650.0, 700.0], box.wavelengths_nm, box.response) == pytest.approx(
        [0.5, 1.0, 0.5], abs=0.02
    )
    assert box.response[0] == pytest.approx(0, abs=1e-12)
    assert box.response[-1] == pytest.approx(0, abs=1e-3)


def test_names_are_found_in_any_spelling():
    for spelling in ("Sentinel_2", "SENTINEL 2", "s2"):
        assert [band.name for band in sensor_responses(spelling)] == list(SENSORS["sentinel-2"])


def test_aliases_name_sensors():
    assert set(ALIASES.values()) <= SENSORS.keys()


def test_unknown_name_is_no_sensor():
    assert sensor_responses("sentinel-99") is None
