"""One frozen dataclass per command: every default, every range. Only workflows see these objects.

No slots: commands take their defaults from the classes' own attributes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pifnet_cli.catalog import NETWORKS, Method
from pifnet_cli.choices import (
    Align,
    Anchor,
    BandChoice,
    Compat,
    Device,
    Extent,
    HyperParameter,
    Log,
    Overwrite,
    Phase,
    Precision,
    Protocol,
    Sampling,
    SceneFormat,
    Schedule,
    Start,
    Variant,
    Wald,
)
from pifnet_cli.errors import SettingsError

MOST_POINTS = 26
OUTPUT_DTYPES = ("uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def require(claim: bool, message: str) -> None:  # noqa: FBT001 - the claim is the point
    """Raise `SettingsError` unless the claim holds."""
    if not claim:
        raise SettingsError(message)


def require_one_blur(protocol: Protocol | None, mtf: float | None) -> None:
    """Raise `SettingsError` where a Gaussian is asked for by its MTF, and the kernel of the published protocol too."""
    require(
        protocol is not Protocol.PAPER or mtf is None,
        f"--protocol paper --mtf {mtf}: the protocol's blur is a 3 x 3 kernel of its own, whatever the MTF; "
        f"leave one of them out",
    )


def _spaced(numbers: Iterable[float]) -> str:
    """Numbers as the command line takes them."""
    return " ".join(f"{number:g}" for number in numbers)


@dataclass(frozen=True)
class Nodata:
    """What invalid pixels of a scene hold, as stored, in place of what it declares; None: no number stands for them."""

    value: float | int | None

    def __str__(self) -> str:
        return "none" if self.value is None else repr(self.value)


@dataclass(frozen=True)
class SimulateSettings:
    """Wald-protocol degradation; `shift` is (rows down, columns right), in HR pixels."""

    ratio: float = 4
    protocol: Protocol = Protocol.MTF
    mtf_at_nyquist: float = 0.3
    srf: str = "sentinel-2"
    hsi_snr_db: float | None = None
    msi_snr_db: float | None = None
    seed: int = 0
    shift: tuple[float, float] = (0.0, 0.0)
    scene_format: SceneFormat = SceneFormat.GEOTIFF
    block_size: int = 256
    overwrite: Overwrite = Overwrite.REFUSE

    def __post_init__(self) -> None:
        require(1 < self.ratio <= 32, f"--ratio {self.ratio:g}: a number above 1, up to 32 was expected")
        require(
            self.protocol is Protocol.MTF or self.has_whole_ratio,
            f"--ratio {self.ratio:g}: --protocol paper keeps one pixel of every block; a whole number was expected",
        )
        require(0.01 <= self.mtf_at_nyquist <= 0.95, f"--mtf {self.mtf_at_nyquist}: 0.01 to 0.95 was expected")
        usual = SimulateSettings.mtf_at_nyquist
        require_one_blur(self.protocol, None if self.mtf_at_nyquist == usual else self.mtf_at_nyquist)
        require(max(map(abs, self.shift)) <= 64, f"--shift {_spaced(self.shift)}: at most 64 HR pixels were expected")
        for option, snr_db in (("--hsi-snr", self.hsi_snr_db), ("--msi-snr", self.msi_snr_db)):
            require(snr_db is None or abs(snr_db) <= 200, f"{option} {snr_db}: -200 to 200 dB were expected")
        require(self.seed >= 0, f"--seed {self.seed}: a number from 0 up was expected")
        require(self.block_size >= 16, f"--block-size {self.block_size}: at least 16 was expected")

    @property
    def has_whole_ratio(self) -> bool:
        """Whether LR pixels are blocks of whole HR pixels."""
        return float(self.ratio).is_integer()


@dataclass(frozen=True)
class FuseSettings:
    """Tiled fusion of a scene pair. Sizes in HR-MSI pixels; `tile_size` includes `overlap`.

    `shift` is how far (rows down, columns right) LR pixels lie from where their georeferencing says. Where it is None,
    and `align` asks for it, the shift is found from the pair.
    """

    method: Method | None = None
    checkpoint: Path | None = None
    tile_size: int = 288
    overlap: int = 32
    halo: int = 16
    protocol: Protocol | None = None
    mtf_at_nyquist: float | None = None
    phase: Phase | None = None
    align: Align = Align.SHIFT
    shift: tuple[float, float] | None = None
    extent: Extent = Extent.COMMON
    bands: BandChoice = BandChoice.ALL
    hsi_nodata: Nodata | None = None
    msi_nodata: Nodata | None = None
    dtype: str | None = None
    scale: float | None = None
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    creation_options: tuple[str, ...] = ()
    overwrite: Overwrite = Overwrite.REFUSE
    uncertainty: Path | None = None

    def __post_init__(self) -> None:
        require(
            self.uncertainty is None or self.method is None or self.method.facts.tells_sigma,
            f"--uncertainty: only kriging says how far it may be off, {self.method} does not; leave one of them out",
        )
        require(
            self.uncertainty is None or self.checkpoint is None,
            "--uncertainty: only kriging says how far it may be off, a network does not; leave --checkpoint out",
        )
        require(
            self.shift is None or self.align is Align.SHIFT,
            f"--shift: has no effect with --align {self.align}; leave one of them out",
        )
        require(
            self.shift is None or max(map(abs, self.shift)) <= 1000,
            f"--shift {_spaced(self.shift or ())}: at most 1000 HR pixels were expected",
        )
        require(32 <= self.tile_size <= 4096, f"--tile-size {self.tile_size}: 32 to 4096 was expected")
        require(
            0 <= self.overlap <= self.tile_size // 2,
            f"--overlap {self.overlap}: 0 to half of --tile-size ({self.tile_size // 2}) was expected",
        )
        require(0 <= self.halo <= 512, f"--halo {self.halo}: 0 to 512 was expected")
        mtf = self.mtf_at_nyquist
        require_one_blur(self.protocol, mtf)
        require(mtf is None or 0.01 <= mtf <= 0.95, f"--mtf {mtf}: 0.01 to 0.95 was expected")
        known = ", ".join(OUTPUT_DTYPES)
        require(self.dtype is None or self.dtype in OUTPUT_DTYPES, f"--dtype {self.dtype}: one of {known} was expected")
        require(self.scale is None or self.scale > 0, f"--scale {self.scale}: a number above 0 was expected")

    @property
    def finds_shift(self) -> bool:
        """Whether a shift is corrected that the pair itself tells."""
        return self.align is Align.SHIFT and self.shift is None


@dataclass(frozen=True)
class MetricsSettings:
    """Scores of a fused scene: against its reference, or by the pair that it was made from (the last seven fields).

    Scenes are read in blocks of `block_size` pixels along their sides, fewer where all bands would take more than
    `block_bytes`.
    """

    ratio: float | None = None
    border: int = 0
    compat: Compat = Compat.NONE
    rgb_bands: tuple[int, int, int] | None = None
    block_size: int = 256
    block_bytes: int = 64 * 2**20
    overwrite: Overwrite = Overwrite.REFUSE
    protocol: Protocol | None = None
    mtf_at_nyquist: float | None = None
    wald: Wald = Wald.SKIP
    method: Method | None = None
    checkpoint: Path | None = None
    hsi_nodata: Nodata | None = None
    msi_nodata: Nodata | None = None

    def __post_init__(self) -> None:
        mtf = self.mtf_at_nyquist
        require_one_blur(self.protocol, mtf)
        require(mtf is None or 0.01 <= mtf <= 0.95, f"--mtf {mtf}: 0.01 to 0.95 was expected")
        require(self.ratio is None or self.ratio >= 1, f"--ratio {self.ratio}: 1 or more was expected")
        require(self.border >= 0, f"--border {self.border}: 0 or more was expected")
        require(
            self.rgb_bands is None or min(self.rgb_bands) >= 1,
            f"--rgb-bands {_spaced(self.rgb_bands or ())}: three band numbers, counted from 1, were expected",
        )
        require(self.block_size >= 32, f"--block-size {self.block_size}: at least 32 was expected")


@dataclass(frozen=True)
class ReportSettings:
    """A page about a result; points are (row, column) of its pixels, counted from 0."""

    page: Path
    points: tuple[tuple[int, int], ...] = ()
    overwrite: Overwrite = Overwrite.REFUSE

    def __post_init__(self) -> None:
        require(
            len(self.points) <= MOST_POINTS,
            f"--point: {len(self.points)} were given; at most {MOST_POINTS} can be marked by letters",
        )
        for row, column in self.points:
            require(min(row, column) >= 0, f"--point {row},{column}: rows and columns count from 0")


@dataclass(frozen=True)
class MethodsSettings:
    """The scene pair that networks are sized for."""

    hsi_bands: int = 103
    msi_bands: int = 4
    ratio: int = 4

    def __post_init__(self) -> None:
        sizes = (("--hsi-bands", self.hsi_bands), ("--msi-bands", self.msi_bands), ("--ratio", self.ratio))
        for option, value in sizes:
            require(1 <= value <= 10_000, f"{option} {value}: 1 to 10000 was expected")


def within(low: float, high: float, option: str, *, default: float | None = None) -> Any:
    """A field of a number from `low` to `high`, or of None where that is its default; `require_ranges` checks it.

    `option` is what the command line calls it, for the message.
    """
    return field(default=default, metadata={"option": option, "low": low, "high": high})


def require_ranges(settings: "RecipeOverrides | TrainSettings") -> None:
    """Raise `SettingsError` unless every field that was made by `within` lies in its range, or is None."""
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if entry.metadata and value is not None:
            option, low, high = (entry.metadata[name] for name in ("option", "low", "high"))
            require(low <= value <= high, f"{option} {value}: {low:g} to {high:g} was expected")


@dataclass(frozen=True)
class RecipeOverrides:
    """What takes the place of a recipe's own values (`pifnet_cli.training.recipes`); None keeps the recipe's."""

    patch_size: int | None = within(8, 1024, "--patch-size")
    batch_size: int | None = within(1, 1024, "--batch-size")
    learning_rate: float | None = within(1e-8, 1.0, "--learning-rate")
    schedule: Schedule | None = None
    decay_every: int | None = within(1, 10**6, "--decay-every")
    decay_factor: float | None = within(1e-6, 1.0, "--decay-factor")
    beta1: float | None = within(0.0, 0.9999, "--beta1")
    weight_decay: float | None = within(0.0, 1.0, "--weight-decay")
    ema_decay: float | None = within(0.0, 0.99999, "--ema")
    gradient_clip: float | None = within(1e-6, 1e6, "--clip")
    input_noise: float | None = within(0.0, 10.0, "--input-noise")
    cached_examples: int | None = within(0, 10**6, "--pool")
    inverse_weight: float | None = within(0.0, 100.0, "--inverse-weight")
    cosine_weight: float | None = within(0.0, 100.0, "--cosine-weight")

    def __post_init__(self) -> None:
        require((self.patch_size or 8) % 2 == 0, f"--patch-size {self.patch_size}: an even number was expected")
        require_ranges(self)


@dataclass(frozen=True)
class TrainSettings:
    """Training of a network. The method has a recipe (`pifnet_cli.training.recipes`), which `overrides` change.

    A budget ends at whichever of epochs, steps and minutes comes first; a recipe's budget counts only where none is
    given. `network` goes to the network's constructor. `degradation` says how reference scenes become pairs (of a
    simulated pair its own record does), and which sensor model a real pair has. `validation_share` is the part of every
    scene, at its lower end, that is held out where `validation` names no scenes of its own.
    """

    method: Method = Method.PIFNET
    variant: Variant | None = None
    anchor: Anchor | None = None
    phase: Phase = Phase.TRUE
    epochs: int | None = within(1, 10**6, "--epochs")
    steps: int | None = within(1, 10**8, "--steps")
    minutes: float | None = within(1e-3, 10**6, "--minutes")
    overrides: RecipeOverrides = RecipeOverrides()
    network: dict[str, HyperParameter] = field(default_factory=dict)
    components: int = within(1, 256, "--components", default=8)
    degradation: SimulateSettings = field(default_factory=SimulateSettings)
    validation: tuple[Path, ...] = ()
    validation_share: float = within(0.0, 0.5, "--validation-share", default=0.2)
    validations: int = within(1, 10_000, "--validations", default=20)
    sampling: Sampling = Sampling.RANDOM
    stride: int | None = within(1, 1024, "--stride")
    seed: int = within(0, 2**63 - 1, "--seed", default=0)
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    start: Start = Start.FRESH
    log: Log = Log.JSONL
    overwrite: Overwrite = Overwrite.REFUSE

    def __post_init__(self) -> None:
        known = ", ".join(NETWORKS)
        require(self.method.is_network, f"--method {self.method.value}: needs no training; one of {known} was expected")
        require(
            self.degradation.has_whole_ratio,
            f"--ratio {self.degradation.ratio:g}: training degrades references by whole numbers only; simulate a "
            f"pair with this ratio and train on it",
        )
        is_pifnet = self.method is Method.PIFNET
        require(
            is_pifnet or self.variant is not Variant.ANCHORED,
            f"--variant anchored: only PIF-Net has it; {self.method.value} takes --anchor regression or kriging",
        )
        require(
            self.variant_used is Variant.PAPER or self.anchor is not Anchor.NONE,
            "--anchor none: the anchored variant corrects an anchor; choose --variant paper",
        )
        require(
            not (is_pifnet and self.variant is Variant.PAPER and self.anchor not in (None, Anchor.NONE)),
            f"--variant paper --anchor {self.anchor}: PIF-Net takes anchors in --variant anchored only",
        )
        terms = (self.overrides.inverse_weight, self.overrides.cosine_weight)
        require(
            is_pifnet or not any(terms),
            "--inverse-weight, --cosine-weight: only PIF-Net has these losses; leave them out",
        )
        require_ranges(self)

    @property
    def variant_used(self) -> Variant:
        """The one asked for; else PIF-Net corrects an anchor, the others predict the image."""
        default = Variant.ANCHORED if self.method is Method.PIFNET else Variant.PAPER
        return self.variant or default

    @property
    def anchor_used(self) -> Anchor:
        """The one asked for; else the anchored variant's best, and none for networks that predict the image."""
        default = Anchor.REGRESSION if self.variant_used is Variant.ANCHORED else Anchor.NONE
        return self.anchor or default
