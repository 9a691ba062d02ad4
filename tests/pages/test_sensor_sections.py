from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from affine import Affine

from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.fusion.pair_operator import BlurSource, PairOperator
from pifnet_cli.pages.page import Chart, Section, Table
from pifnet_cli.pages.sensor_sections import SensorFacts, sensor_facts, sensor_section, srf_section
from pifnet_cli.pair.alignment import align
from pifnet_cli.scene import Bands, Grid, Scene

FACTS = SensorFacts(
    psf=gaussian_from_mtf(0.3, ratio_rows=4.0, ratio_columns=2.5),
    ratio=(4.0, 2.5),
    source="found",
    sigma_error=(0.02, 0.03),
    shift_lr=(0.25, -0.5),
    shift_error_lr=(0.01, 0.02),
    shift_used_lr=(0.25, -0.5),
    further=(("LR pixels", "1234"),),
)


def words(part: object) -> list[str]:
    assert isinstance(part, Chart)
    return ["".join(item.itertext()) for item in ElementTree.fromstring(part.svg).iter() if item.tag.endswith("text")]


def rows(section: Section) -> dict[str, tuple[str, ...]]:
    table = section.tables[0]
    assert isinstance(table, Table)
    return {row[0]: row[1:] for row in table.rows}


def test_the_response_at_nyquist_is_the_one_that_the_blur_was_made_from() -> None:
    assert rows(sensor_section(FACTS))["MTF at the LR Nyquist frequency"] == ("0.300", "0.300")


def test_errors_stand_beside_what_was_found() -> None:
    told = rows(sensor_section(FACTS))
    assert told["shift found, LR pixels"] == ("+0.250 ± 0.010", "-0.500 ± 0.020")
    assert told["standard deviation of the PSF, HR pixels"][0].endswith("± 0.020")
    assert told["LR pixels"] == ("1234", "")


def test_what_nobody_looked_for_is_not_told() -> None:
    section = sensor_section(SensorFacts(psf=FACTS.psf, ratio=FACTS.ratio, source="assumed"))
    told = rows(section)
    assert "shift found, LR pixels" not in told
    assert told["shift corrected, LR pixels"] == ("+0.000", "+0.000")
    assert "±" not in "".join(told["standard deviation of the PSF, HR pixels"])
    assert section.text == "assumed"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (BlurSource.GIVEN, "given by the options"),
        (BlurSource.FOUND, "found from the pair"),
        (BlurSource.TRAINED, "trained with"),
        (BlurSource.ASSUMED, "assumed"),
    ],
)
def test_it_is_told_where_the_blur_is_known_from(source: BlurSource, words: str) -> None:
    lr, hr = (Scene(Path(), Grid(side, side, Affine.scale(48 / side), None), Bands(1)) for side in (12, 48))
    facts = sensor_facts(PairOperator(FACTS.psf, align(lr, hr), source))
    assert words in facts.source
    assert facts.ratio == (4, 4)
    assert (facts.shift_lr, facts.sigma_error) == (None, None)


def test_profile_and_response_are_drawn_for_both_directions() -> None:
    profile, response = sensor_section(FACTS).figures
    # FWHM of a Gaussian of MTF m at Nyquist: ratio / pi sqrt(-2 ln m) times 2 sqrt(2 ln 2)
    fwhm = 4 / np.pi * np.sqrt(-2 * np.log(0.3)) * 2 * np.sqrt(2 * np.log(2))
    assert f"down the rows, FWHM {fwhm:.2f}" in words(profile)
    assert "LR pixel" in words(profile)
    assert "along the columns, 0.300 at Nyquist" in words(response)
    assert isinstance(response, Chart)
    assert response.svg.count("FillBetween") == 2


def test_every_multispectral_band_has_its_response() -> None:
    weights = np.abs(np.random.default_rng(0).standard_normal((3, 20)))
    section = srf_section(weights, np.linspace(400, 900, 20), names=["blue", "green", "$red"], text="estimated")
    assert {"blue", "green", "$red", "wavelength, nm"} <= set(words(section.parts[0]))
