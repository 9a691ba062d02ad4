"""How a pair's LR-HSI samples the ground of the HR-MSI: blur and place, and who knows them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from affine import Affine

from pifnet_cli.choices import Align, Phase, Protocol
from pifnet_cli.degrade.psf import DEFAULT_MTF, Psf, psf_of
from pifnet_cli.errors import SettingsError
from pifnet_cli.estimation.blur_and_shift import PairEstimate, estimate_pair
from pifnet_cli.estimation.registration.pair import register_scenes
from pifnet_cli.networks.checkpoint import Header
from pifnet_cli.pair.alignment import Alignment, align
from pifnet_cli.scene import OpenScene
from pifnet_cli.settings import FuseSettings

log = logging.getLogger(__name__)


class BlurSource(StrEnum):
    """Where the blur is known from: the options, the checkpoint's training, the pair itself, or nowhere."""

    GIVEN = "given"
    TRAINED = "trained"
    FOUND = "found"
    ASSUMED = "assumed"

    @property
    def told(self) -> str:
        """In words."""
        match self:
            case BlurSource.GIVEN:
                return "as the options say"
            case BlurSource.TRAINED:
                return "as the checkpoint was trained"
            case BlurSource.FOUND:
                return "found from the pair"
            case BlurSource.ASSUMED:
                return "assumed, since nobody tells it"


@dataclass(frozen=True, slots=True)
class PairOperator:
    """How a pair's LR-HSI samples the ground.

    Attributes:
        psf: The hyperspectral sensor's blur, in HR pixels.
        alignment: How the scenes lie on each other, what was corrected included.
        source: Where the blur is known from.
        estimate: What the pair itself tells of blur and place; None where that was not asked, or is not reliable.
    """

    psf: Psf
    alignment: Alignment
    source: BlurSource
    estimate: PairEstimate | None = None

    @property
    def ratio(self) -> tuple[float, float]:
        """Sides of an LR pixel in HR pixels, along rows and columns."""
        return self.alignment.ratio_rows, self.alignment.ratio_columns

    @property
    def mtf_at_nyquist(self) -> tuple[float, float]:
        """At the LR Nyquist frequency, along rows and columns."""
        return self.psf.mtf_at_nyquist(self.ratio)

    @property
    def shift_lr(self) -> tuple[float, float]:
        """The shift that is corrected, in LR pixels along rows (down) and columns (right)."""
        rows, columns = self.alignment.shift
        return rows / self.alignment.ratio_rows, columns / self.alignment.ratio_columns

    @property
    def is_sensor_known(self) -> bool:
        """Whether somebody knows the blur."""
        return self.source is not BlurSource.ASSUMED

    def trained_with(self, sensor: Mapping[str, Any]) -> "PairOperator":
        """The operator with the blur that a checkpoint was trained with, unless the options tell another."""
        psf = _told_as(sensor.get("protocol"), sensor.get("mtf_at_nyquist"), self.alignment)
        if self.source in (BlurSource.GIVEN, BlurSource.TRAINED) or psf is None:
            return self
        return replace(self, psf=psf, source=BlurSource.TRAINED)


def find_operator(
    lr: OpenScene, hr: OpenScene, settings: FuseSettings, *, header: Header | None = None
) -> PairOperator:
    """Decide blur and place of a pair: as the options say, else as the checkpoint was trained, else as the pair tells.

    Args:
        lr: The LR-HSI.
        hr: The HR-MSI.
        settings: What the user says of protocol, MTF, phase, alignment, shift and extent.
        header: Of the checkpoint that the user named.

    Raises:
        GridError: The scenes do not fit each other, or an affine correction was asked for and cannot be found.
        SettingsError: Options that exclude each other.
    """
    phase = settings.phase or (Phase.TRUE if header is None else header.phase)
    if settings.align is Align.AFFINE:
        estimate = _registered(lr, hr, settings, header, phase)
        alignment = align(lr.scene, hr.scene, extent=settings.extent, correction=estimate.correction)
        return _operator(alignment, settings, header, estimate)
    alignment = align(lr.scene, hr.scene, extent=settings.extent, phase=phase)
    if settings.shift is not None:
        rows, columns = settings.shift
        alignment = replace(alignment, correction=Affine.translation(columns, rows))
    given, _ = _told_psf(settings, header, alignment)
    is_asked = phase is Phase.TRUE and (given is None or settings.finds_shift)
    found = _estimated(lr, hr, alignment, given) if is_asked else None
    if found is not None and settings.finds_shift:
        return _operator(replace(alignment, correction=found.correction), settings, header, found)
    return _operator(alignment, settings, header, found)


def _operator(
    alignment: Alignment, settings: FuseSettings, header: Header | None, estimate: PairEstimate | None
) -> PairOperator:
    psf, source = _told_psf(settings, header, alignment)
    if psf is None and estimate is not None:
        psf, source = estimate.psf, BlurSource.FOUND
    if psf is None:
        psf, source = _psf_of(Protocol.MTF, DEFAULT_MTF, alignment), BlurSource.ASSUMED
    return PairOperator(psf, alignment, source, estimate)


def _told_psf(settings: FuseSettings, header: Header | None, alignment: Alignment) -> tuple[Psf | None, BlurSource]:
    """The user's sensor model, else the checkpoint's; None where neither says anything.

    Who names an MTF means a Gaussian, whatever the checkpoint was trained with; who names the protocol of Gaussians
    alone gets the checkpoint's MTF.
    """
    trained = {} if header is None else header.sensor or {}
    if settings.mtf_at_nyquist is not None:
        return _psf_of(Protocol.MTF, settings.mtf_at_nyquist, alignment), BlurSource.GIVEN
    if settings.protocol is not None:
        return _told_as(settings.protocol, trained.get("mtf_at_nyquist"), alignment), BlurSource.GIVEN
    return _told_as(trained.get("protocol"), trained.get("mtf_at_nyquist"), alignment), BlurSource.TRAINED


def _told_as(protocol: str | None, mtf: float | None, alignment: Alignment) -> Psf | None:
    """None where nothing is said."""
    if protocol is None and mtf is None:
        return None
    return _psf_of(Protocol(protocol or Protocol.MTF), mtf or DEFAULT_MTF, alignment)


def _psf_of(protocol: Protocol, mtf: float, alignment: Alignment) -> Psf:
    return psf_of(protocol, mtf, ratio_rows=alignment.ratio_rows, ratio_columns=alignment.ratio_columns)


def _estimated(lr: OpenScene, hr: OpenScene, alignment: Alignment, given: Psf | None) -> PairEstimate | None:
    """Blur and shift as the pair tells them; None where it does not."""
    sigma = None if given is None else given.sigma
    try:
        found = estimate_pair(lr.read, hr.read, alignment=alignment, default_mtf=DEFAULT_MTF, sigma=sigma)
    except ValueError as error:
        log.info("%s, %s: blur and shift cannot be found: %s", lr.scene.path, hr.scene.path, error)
        return None
    blur = "" if given is not None else "MTF {:.3f}, {:.3f} at LR Nyquist, ".format(*found.mtf_at_nyquist)
    log.info(
        "found from the pair (rows, columns): %sshift %+.3f, %+.3f LR pixels, varying by %.3f%s",
        blur,
        *found.shift_lr,
        found.shift_spread_lr,
        "" if found.is_reliable else "; it tells too little to rely on",
    )
    return found if found.is_reliable else None


def _registered(
    lr: OpenScene, hr: OpenScene, settings: FuseSettings, header: Header | None, phase: Phase
) -> PairEstimate:
    """Blur and affine correction as the pair tells them."""
    if phase is Phase.NAIVE:
        raise SettingsError("--align affine: --phase naive takes upper left corners to coincide; choose one of both")

    def sigma_of(alignment: Alignment) -> tuple[float, float] | None:
        given, _ = _told_psf(settings, header, alignment)
        return None if given is None else given.sigma

    return register_scenes(lr, hr, sigma_of=sigma_of)


def shift_notices(operator: PairOperator, settings: FuseSettings) -> list[str]:
    """What the user should know about where the scenes lie."""
    estimate = operator.estimate
    if estimate is None:
        return []
    notices = []
    if estimate.is_worrying:
        rows, columns = estimate.shift_lr
        option = "--align none was asked for" if settings.align is Align.NONE else "--shift was given"
        done = "corrected" if settings.finds_shift else f"not corrected, since {option}"
        beyond = "" if settings.shift is None else " of where --shift puts it"
        notices.append(
            f"the LR-HSI lies {rows:+.2f} LR pixels down and {columns:+.2f} right{beyond or ' of the HR-MSI'}: {done}"
        )
    if estimate.is_uneven:
        is_rest = settings.align is Align.AFFINE
        remedy = "no affine correction removes that" if is_rest else "--align affine corrects rotation and scale"
        notices.append(f"its shift varies by {estimate.shift_spread_lr:.2f} LR pixels over the scene: {remedy}")
    return notices
