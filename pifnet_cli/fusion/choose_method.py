"""Which method fuses a pair: the one asked for, else the best that is known to fit (docs/design.md 8). No torch."""

from dataclasses import dataclass
from pathlib import Path

import pifnet_cli
from pifnet_cli.catalog import Method
from pifnet_cli.choices import Anchor
from pifnet_cli.errors import CheckpointError, SettingsError
from pifnet_cli.networks.checkpoint import Header, read_header, require_fits
from pifnet_cli.scene import Bands

BUNDLED = Path(pifnet_cli.__file__).parent / "bundled"


@dataclass(frozen=True, slots=True)
class Choice:
    """A method, the checkpoint it needs, and why."""

    method: Method
    checkpoint: Path | None
    header: Header | None
    reason: str


def choose_method(
    method: Method | None,
    checkpoint: tuple[Path, Header] | None,
    *,
    lr_bands: Bands,
    hr_bands: Bands,
    ratio: float,
    is_sensor_known: bool,
    bundled: Path = BUNDLED,
) -> Choice:
    """Decide how a pair is fused.

    Args:
        method: Asked for; None leaves the choice to us.
        checkpoint: Asked for: where it lies, and what it says about itself.
        lr_bands: Of the LR-HSI.
        hr_bands: Of the HR-MSI.
        ratio: GSD of LR-HSI / GSD of HR-MSI.
        is_sensor_known: Whether it is known how the LR-HSI's sensor blurs: from the user, or from the pair.
        bundled: The folder of checkpoints to choose from where none is asked for.

    Raises:
        SettingsError: A checkpoint was given for a method that has none, or is another's; or a network was asked for
            without one.
        CheckpointError: The given checkpoint does not fit the pair.
    """
    if checkpoint is not None:
        return _given(*checkpoint, method, lr_bands=lr_bands, hr_bands=hr_bands, ratio=ratio)
    if method is not None and not method.is_network:
        return Choice(method, None, None, "asked for")
    needs_kriging = is_sensor_known and method is None
    found = _bundled(bundled, lr_bands=lr_bands, hr_bands=hr_bands, ratio=ratio, over_kriging=needs_kriging)
    if found is not None and method in (None, found.method):
        return found
    if method is not None:
        raise SettingsError(
            f"--method {method.value}: needs --checkpoint; train one with: pifnet train --method {method.value}"
        )
    if is_sensor_known:
        return Choice(Method.KRIGING, None, None, "the sensor's blur is known, or was found from the pair")
    return Choice(
        Method.REGRESSION,
        None,
        None,
        "no checkpoint fits the pair, nor does it tell the sensor's blur; where that is known, give --mtf: kriging "
        "does better",
    )


def _given(
    checkpoint: Path, header: Header, method: Method | None, *, lr_bands: Bands, hr_bands: Bands, ratio: float
) -> Choice:
    trained = header.method
    if method is not None and not method.is_network:
        raise SettingsError(f"--method {method.value} uses no checkpoint; leave --checkpoint or --method out")
    if method not in (None, trained):
        raise SettingsError(f"--method {method.value}: {checkpoint} holds {trained.value}; leave --method out")
    require_fits(header, hsi_bands=lr_bands, msi_bands=hr_bands, ratio=ratio, name=str(checkpoint))
    return Choice(trained, checkpoint, header, f"checkpoint {checkpoint}{_gain_words(header)}")


def _bundled(folder: Path, *, lr_bands: Bands, hr_bands: Bands, ratio: float, over_kriging: bool) -> Choice | None:
    """A checkpoint of ours that fits; a correction is used only where it is known to help.

    One over the regression is none where kriging, which does better, is to be had.
    """
    for candidate in sorted(folder.iterdir()) if folder.is_dir() else []:
        header = read_header(candidate)
        try:
            require_fits(header, hsi_bands=lr_bands, msi_bands=hr_bands, ratio=ratio, name=candidate.name)
        except CheckpointError:
            continue
        if over_kriging and header.anchor is not Anchor.KRIGING:
            continue
        if (header.gain_db or 0.0) > 0:
            reason = f"bundled checkpoint {candidate.stem} fits the pair{_gain_words(header)}"
            return Choice(header.method, candidate, header, reason)
    return None


def _gain_words(header: Header) -> str:
    if header.gain_db is None:
        return ""
    return f" ({header.gain_db:+.2f} dB over {header.compared_with.value} on its held-out area)"
