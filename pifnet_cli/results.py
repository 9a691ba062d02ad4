"""What the functions of `pifnet_cli.api` return: values with names, shown as the command line shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xarray import DataArray

    from pifnet_cli.metrics.with_reference import Scores
    from pifnet_cli.metrics.without_reference import UnreferencedScores

    Image = Path | NDArray[np.float32] | DataArray

Record = Mapping[str, Any]
LONGEST = 6  # entries of a sequence that are shown


class Readable:
    """Shown with a line for every value; long sequences are cut."""

    def __repr__(self) -> str:
        """The class, then its values."""
        return "\n  ".join([type(self).__name__, *(f"{name}: {value}" for name, value in self._shown())])

    def _shown(self) -> list[tuple[str, str]]:
        values = ((entry.name, getattr(self, entry.name)) for entry in fields(self))  # type: ignore[arg-type]
        return [(name, _short(value)) for name, value in values if value is not None and name != "record"]


@dataclass(frozen=True, eq=False, repr=False)
class Fused(Readable):
    """A fused scene, and how it was made.

    Attributes:
        fused: The file, or the array of the kind that was given: (C, H, W), float32, NaN where invalid.
        uncertainty: The standard deviation of every pixel and band, likewise; None where it was not asked for.
        method: The method's name.
        because: Why it was chosen.
        bands: C.
        height: Rows of the result.
        width: Its columns.
        window: First row and column, height and width of the result in pixels of the HR-MSI.
        gsd: Pixel side along rows and columns, in map units.
        ratio: GSD of the LR-HSI over that of the HR-MSI.
        mtf: Of the LR-HSI's sensor at its Nyquist frequency, along rows and columns.
        blur_source: Where the blur is known from: given, trained, found or assumed.
        shift: What was corrected, in LR pixels along rows (down) and columns (right).
        expected_error: Root mean square standard deviation of every band, (C,); None where it was not asked for.
        record: All of it as JSON values, as `pifnet fuse --json` prints it.
    """

    fused: "Image"
    uncertainty: "Image | None"
    method: str
    because: str
    bands: int
    height: int
    width: int
    window: tuple[int, int, int, int]
    gsd: tuple[float, float]
    ratio: float
    mtf: tuple[float, float]
    blur_source: str
    shift: tuple[float, float]
    expected_error: NDArray[np.float64] | None
    record: Record

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 - NumPy's protocol
        """The fused array; TypeError where it is a file."""
        if isinstance(self.fused, Path):
            raise TypeError(f"{self.fused}: is a file; open it with rasterio or rioxarray")
        return np.array(self.fused, dtype=dtype) if copy else np.asarray(self.fused, dtype=dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Simulated(Readable):
    """A pair of which the truth is known.

    Attributes:
        lr_hsi: The degraded scene.
        hr_msi: Its MSI bands.
        reference: The truth.
        simulation: `simulation.json`, all parameters.
        ratio: GSD of the LR-HSI over that of the HR-MSI.
        record: Files, sizes and transforms as JSON values.
    """

    lr_hsi: Path
    hr_msi: Path
    reference: Path
    simulation: Path
    ratio: float
    record: Record


@dataclass(frozen=True, eq=False, repr=False)
class Trained(Readable):
    """A checkpoint, and how far its training came.

    Attributes:
        checkpoint: The folder; `fuse(..., checkpoint=...)` takes it.
        method: The network's name.
        steps: Batches that were trained on.
        minutes: Time that it took.
        psnr: Of the best checkpoint on held-out area, dB; None where nothing was held out.
        gain: The same over its anchor, dB.
        anchor: What the network starts from: none, regression or kriging.
        record: All of it as JSON values.
    """

    checkpoint: Path
    method: str
    steps: int
    minutes: float
    psnr: float | None
    gain: float | None
    anchor: str
    record: Record


@dataclass(frozen=True, eq=False, repr=False)
class Estimated(Readable):
    """What a pair tells of its own sensors.

    Attributes:
        mtf: Of the LR-HSI's sensor at its Nyquist frequency, along rows and columns.
        shift: How much further down and right LR pixels lie than their georeferencing says, in LR pixels.
        shift_error: Its standard error, likewise.
        is_reliable: Whether the pair tells enough to rely on.
        explained: Share of the LR-HSI's variance that the HR-MSI explains, with this blur and shift.
        expected_error: Root mean square error that kriging expects of every band, (C,); None where pixels are too few.
        record: All of it as JSON values, as `pifnet estimate --json` prints it.
    """

    mtf: tuple[float, float]
    shift: tuple[float, float]
    shift_error: tuple[float, float]
    is_reliable: bool
    explained: float
    expected_error: NDArray[np.float64] | None
    record: Record


@dataclass(frozen=True, eq=False, repr=False)
class Scored(Readable):
    """Scores of a fused scene: `score(...).psnr` and all others by name.

    Attributes:
        with_reference: PSNR, SSIM, SAM, ERGAS and more; None where no reference was given.
        without_reference: QNR and the agreement with the pair; None where no pair was given.
        record: All of it as JSON values, as `pifnet metrics --json` prints it.
    """

    with_reference: "Scores | None"
    without_reference: "UnreferencedScores | None"
    record: Record

    def __getattr__(self, name: str) -> Any:
        """A score of either kind by its name."""
        if not name.startswith("_"):
            for kind in (self.with_reference, self.without_reference):
                if kind is not None and hasattr(kind, name):
                    return getattr(kind, name)
        raise AttributeError(f"no score {name!r} was computed; a reference, or the pair, may be missing")

    def _shown(self) -> list[tuple[str, str]]:
        kinds = [kind for kind in (self.with_reference, self.without_reference) if kind is not None]
        named = [(entry.name, getattr(kind, entry.name)) for kind in kinds for entry in fields(kind)]
        return [(name, _short(value)) for name, value in named if isinstance(value, int | float)]


@dataclass(frozen=True, eq=False, repr=False)
class Described(Readable):
    """What pifnet sees in a file: `info(...).bands` and all other facts by name.

    Attributes:
        record: All facts as JSON values, as `pifnet info --json` prints them.
    """

    record: Record

    def __getattr__(self, name: str) -> Any:
        """A fact by its name."""
        if not name.startswith("_") and name in self.record:
            return self.record[name]
        raise AttributeError(
            f"nothing is known of {name!r}; known: {', '.join(self.record)}" if name != "record" else name
        )

    def _shown(self) -> list[tuple[str, str]]:
        return [(name, _short(value)) for name, value in self.record.items() if value is not None]


@dataclass(frozen=True, eq=False, repr=False)
class MethodEntry(Readable):
    """A method.

    Attributes:
        name: What `method=` takes.
        title: What it is called.
        kind: network or training-free.
        parameters: Trainable ones for the bands and the ratio asked for; 0 where there are none.
        paper: What to cite.
        doi: Of the paper.
        bibtex: Entries of all that is to be cited.
        record: All of it as JSON values.
    """

    name: str
    title: str
    kind: str
    parameters: int
    paper: str
    doi: str | None
    bibtex: tuple[str, ...]
    record: Record


def _short(value: object) -> str:
    """A value on one line."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and getattr(value, "ndim", 1) > 1:
        return f"{type(value).__name__} of {' x '.join(map(str, value.shape))}, {value.dtype}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple | np.ndarray):
        shown = ", ".join(_short(entry) for entry in list(value)[:LONGEST])
        return shown if len(value) <= LONGEST else f"{shown}, ... ({len(value)} in all)"
    return str(value)
