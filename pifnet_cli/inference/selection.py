"""Which method fuses a pair: the one asked for, else the best that is known to fit (DESIGN 8). No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pifnet_cli
from pifnet_cli.checkpoint import read_header, require_fits
from pifnet_cli.errors import CheckpointError, SettingsError
from pifnet_cli.scene import Bands
from pifnet_cli.settings import Method

BUNDLED = Path(pifnet_cli.__file__).parent / "bundled"


@dataclass(frozen=True, slots=True)
class Choice:
    """A method, the checkpoint it needs, and why."""

    method: Method
    checkpoint: Path | None
    header: Mapping[str, Any] | None
    reason: str


def choose_method(
    method: Method | None, checkpoint: Path | None, *, lr_bands: Bands, hr_bands: Bands, ratio: float
) -> Choice:
    """Decide how a pair is fused.

    Raises:
        SettingsError: A checkpoint was given for a method that has none.
        CheckpointError: The given checkpoint does not fit the pair.
    """
    if checkpoint is not None:
        if method is not None and method is not Method.PIFNET:
            raise SettingsError(f"--method {method.value} uses no checkpoint; leave --checkpoint or --method out")
        header = read_header(checkpoint)
        require_fits(header, hsi_bands=lr_bands, msi_bands=hr_bands, ratio=ratio, name=str(checkpoint))
        return Choice(Method.PIFNET, checkpoint, header, f"checkpoint {checkpoint}{_gain_words(header)}")
    if method is Method.REGRESSION:
        return Choice(method, None, None, "asked for")
    for candidate in sorted(BUNDLED.iterdir()) if BUNDLED.is_dir() else []:
        header = read_header(candidate)
        try:
            require_fits(header, hsi_bands=lr_bands, msi_bands=hr_bands, ratio=ratio, name=candidate.name)
        except CheckpointError:
            continue
        if (_gain_db(header) or 0.0) > 0:  # a correction is used only where it is known to help
            reason = f"bundled checkpoint {candidate.stem} fits the pair{_gain_words(header)}"
            return Choice(Method.PIFNET, candidate, header, reason)
    return Choice(
        Method.REGRESSION, None, None, "no checkpoint fits the pair; train one with: pifnet train, or give --checkpoint"
    )


def _gain_db(header: Mapping[str, Any]) -> float | None:
    """PSNR over the anchor on held-out area, as the training recorded it."""
    gain = header.get("training", {}).get("gain_db")
    return None if gain is None else float(gain)


def _gain_words(header: Mapping[str, Any]) -> str:
    gain = _gain_db(header)
    return "" if gain is None else f" ({gain:+.2f} dB over regression on its held-out area)"
