"""What a pair tells about its own sensors."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pifnet_cli.choices import Align, Overwrite
from pifnet_cli.degrade.psf import DEFAULT_MTF, Psf
from pifnet_cli.errors import BandsError, SettingsError
from pifnet_cli.estimation.bands import PairFacts, pair_facts, response_table
from pifnet_cli.estimation.blur_and_shift import PairEstimate, estimate_pair, untold
from pifnet_cli.estimation.registration.pair import register_scenes
from pifnet_cli.fusion.closed_form import Sigma, kriging_engine
from pifnet_cli.fusion.msi_noise import msi_noise
from pifnet_cli.fusion.uncertainty import expected_error
from pifnet_cli.pair.alignment import Alignment, align
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.reports.files import require_free, write_text
from pifnet_cli.scene import Scene
from pifnet_cli.settings import Nodata

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class SceneFacts:
    """What a few windows of a pair tell of its bands.

    Attributes:
        bands: Shares explained, noise of the LR-HSI, response of the HR-MSI.
        msi_noise: (M,), standard deviations of the HR-MSI's noise.
        expected_error: (C,), root mean square error that guided kriging expects of itself.
    """

    bands: PairFacts
    msi_noise: NDArray[np.float64]
    expected_error: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SceneEstimate:
    """What a pair tells about its own sensors.

    Attributes:
        lr: The LR-HSI.
        hr: The HR-MSI.
        operator: Blur and misregistration.
        facts: What its bands tell; None where pixels are too few.
    """

    lr: Scene
    hr: Scene
    operator: PairEstimate
    facts: SceneFacts | None

    def record(self) -> dict[str, Any]:
        """As JSON values. The shift is how much further down and right LR pixels lie than their georeferencing says."""
        record: dict[str, Any] = self.operator.record()
        for told in ("shift", "shift_error"):
            values = zip(record[f"{told}_lr_pixels"], self.lr.grid.gsd, strict=True)
            record[f"{told}_map_units"] = [round(float(value * side), 6) for value, side in values]
        if self.facts is None:
            return record
        bands = self.facts.bands
        errors = [None if np.isnan(error) else float(f"{error:.5g}") for error in self.facts.expected_error]
        records = zip(bands.band_records(), errors, strict=True)
        lr_bands = [facts | {"expected_error": error} for facts, error in records]
        return record | {"lr_bands": lr_bands, "hr_bands": bands.response_records(self.hr.bands, self.facts.msi_noise)}


def estimate_scene_pair(
    lr_hsi: Path,
    hr_msi: Path,
    correction: Align = Align.SHIFT,
    *,
    nodata: tuple[Nodata | None, Nodata | None] = (None, None),
    srf_csv: Path | None = None,
    overwrite: Overwrite = Overwrite.REFUSE,
) -> SceneEstimate:
    """Blur and misregistration of a pair with standard errors, the HR-MSI's response, noise, and what to expect.

    Args:
        lr_hsi: LR-HSI, ENVI or GeoTIFF.
        hr_msi: HR-MSI of the same ground.
        correction: What is looked for: a shift, or an affine correction.
        nodata: Of LR-HSI and HR-MSI, in place of what they declare.
        srf_csv: Receives the response, as `simulate_scene` takes it.
        overwrite: Whether that file may exist.

    Raises:
        PifnetError: An input cannot be used, the two do not fit, or they share too few valid pixels.
    """
    if correction is Align.NONE:
        raise SettingsError("--align none: there is nothing to estimate; shift or affine was expected")
    with (
        threadpool_limits(limits=1, user_api="blas"),
        open_scene(lr_hsi, nodata=nodata[0]) as lr,
        open_scene(hr_msi, nodata=nodata[1]) as hr,
    ):
        if srf_csv is not None:
            require_free([srf_csv], inputs=[lr_hsi, hr_msi], overwrite=overwrite)
        found = _shifted(lr, hr) if correction is Align.SHIFT else register_scenes(lr, hr)
        alignment = align(lr.scene, hr.scene, correction=found.correction)
        facts = scene_facts(lr, hr, alignment, found.psf)
        if srf_csv is not None:
            _write_response(srf_csv, None if facts is None else facts.bands, lr, hr)
    return SceneEstimate(lr.scene, hr.scene, found, facts)


def scene_facts(lr: SceneReader, hr: SceneReader, alignment: Alignment, psf: Psf) -> SceneFacts | None:
    """Look at a few windows of a pair; None where too few pixels are valid."""
    try:
        facts = pair_facts(lr.read, hr.read, alignment=alignment, psf=psf, bands=lr.scene.bands)
    except ValueError as error:
        log.info("%s, %s: bands cannot be described: %s", lr.scene.path, hr.scene.path, error)
        return None
    noise = msi_noise(hr.read, facts.regression, area=alignment.output, psf=psf)
    ratio = alignment.ratio_rows, alignment.ratio_columns
    engine = kriging_engine(facts.regression, ratio=ratio, noise=noise, sigma=Sigma.TELL)
    return SceneFacts(facts, noise.std, expected_error(engine, lr.read, hr.read, alignment=alignment, psf=psf))


def _write_response(srf_csv: Path, bands: PairFacts | None, lr: SceneReader, hr: SceneReader) -> None:
    table = "" if bands is None else response_table(bands, hr.scene.bands)
    if not table:
        raise BandsError(
            f"{lr.scene.path}: too few valid pixels, or no wavelengths, to write a response to {srf_csv}; "
            "leave --srf-csv out"
        )
    write_text(srf_csv, table)


def _shifted(lr: SceneReader, hr: SceneReader) -> PairEstimate:
    try:
        return estimate_pair(lr.read, hr.read, alignment=align(lr.scene, hr.scene), default_mtf=DEFAULT_MTF)
    except ValueError as error:
        raise untold(lr.scene, hr.scene, error) from error
