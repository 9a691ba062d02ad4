"""One frozen dataclass per command: every default, every range. Only workflows see these objects.

No slots: commands take their defaults from the classes' own attributes.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pifnet_cli.errors import SettingsError

HyperParameter = int | float | str | None


class Protocol(StrEnum):
    """How a reference becomes an LR-HSI (DESIGN 3)."""

    PAPER = "paper"
    MTF = "mtf"


class SceneFormat(StrEnum):
    """Raster formats that are written."""

    GEOTIFF = "geotiff"
    ENVI = "envi"


class Overwrite(StrEnum):
    """What happens to an output that exists."""

    REFUSE = "refuse"
    REPLACE = "replace"


class Method(StrEnum):
    """Ways to fuse a pair."""

    PIFNET = "pifnet"
    REGRESSION = "regression"


class Variant(StrEnum):
    """The two readings of PIF-Net (DESIGN 4)."""

    ANCHORED = "anchored"
    PAPER = "paper"


class Extent(StrEnum):
    """Which part of the HR-MSI grid is written."""

    COMMON = "common"
    HR = "hr"


class Precision(StrEnum):
    """Number format of a network's arithmetic."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Device(StrEnum):
    """Where a network runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Compat(StrEnum):
    """Whose definitions a score follows where they differ (METHODS 9)."""

    NONE = "none"
    PAPER = "paper"


OUTPUT_DTYPES = ("uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def require(claim: bool, message: str) -> None:  # noqa: FBT001 - the claim is the point
    """Raise `SettingsError` unless the claim holds."""
    if not claim:
        raise SettingsError(message)


@dataclass(frozen=True)
class SimulateSettings:
    """Wald-protocol degradation."""

    ratio: int = 4
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
        require(2 <= self.ratio <= 32, f"--ratio {self.ratio}: a whole number from 2 to 32 was expected")
        require(0.01 <= self.mtf_at_nyquist <= 0.95, f"--mtf {self.mtf_at_nyquist}: 0.01 to 0.95 was expected")
        require(max(map(abs, self.shift)) <= 64, f"--shift {self.shift}: at most 64 HR pixels were expected")
        for option, snr_db in (("--hsi-snr", self.hsi_snr_db), ("--msi-snr", self.msi_snr_db)):
            require(snr_db is None or abs(snr_db) <= 200, f"{option} {snr_db}: -200 to 200 dB were expected")
        require(self.seed >= 0, f"--seed {self.seed}: a number from 0 up was expected")
        require(self.block_size >= 16, f"--block-size {self.block_size}: at least 16 was expected")


@dataclass(frozen=True)
class FuseSettings:
    """Tiled fusion of a scene pair. Sizes in HR-MSI pixels; `tile_size` includes `overlap`."""

    method: Method | None = None
    tile_size: int = 288
    overlap: int = 32
    halo: int = 16
    protocol: Protocol | None = None
    mtf_at_nyquist: float | None = None
    extent: Extent = Extent.COMMON
    dtype: str | None = None
    scale: float | None = None
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    creation_options: tuple[str, ...] = ()
    overwrite: Overwrite = Overwrite.REFUSE

    def __post_init__(self) -> None:
        require(32 <= self.tile_size <= 4096, f"--tile-size {self.tile_size}: 32 to 4096 was expected")
        require(
            0 <= self.overlap <= self.tile_size // 2,
            f"--overlap {self.overlap}: 0 to half of --tile-size ({self.tile_size // 2}) was expected",
        )
        require(0 <= self.halo <= 512, f"--halo {self.halo}: 0 to 512 was expected")
        mtf = self.mtf_at_nyquist
        require(mtf is None or 0.01 <= mtf <= 0.95, f"--mtf {mtf}: 0.01 to 0.95 was expected")
        known = ", ".join(OUTPUT_DTYPES)
        require(self.dtype is None or self.dtype in OUTPUT_DTYPES, f"--dtype {self.dtype}: one of {known} was expected")
        require(self.scale is None or self.scale > 0, f"--scale {self.scale}: a number above 0 was expected")


@dataclass(frozen=True)
class MetricsSettings:
    """Scores of a fused scene against its reference."""

    ratio: float | None = None
    border: int = 0
    compat: Compat = Compat.NONE
    rgb_bands: tuple[int, int, int] | None = None
    block_size: int = 256
    overwrite: Overwrite = Overwrite.REFUSE

    def __post_init__(self) -> None:
        require(self.ratio is None or self.ratio >= 1, f"--ratio {self.ratio}: 1 or more was expected")
        require(self.border >= 0, f"--border {self.border}: 0 or more was expected")
        require(
            self.rgb_bands is None or min(self.rgb_bands) >= 1,
            f"--rgb-bands {self.rgb_bands}: three band numbers, counted from 1, were expected",
        )
        require(self.block_size >= 32, f"--block-size {self.block_size}: at least 32 was expected")


class Schedule(StrEnum):
    """How the learning rate falls: a cosine to zero over the budget, or the paper's halving every 200 epochs."""

    COSINE = "cosine"
    HALVING = "halving"
    CONSTANT = "constant"


class Sampling(StrEnum):
    """Where training patches lie: anywhere, or on a lattice that every epoch visits once, in a new order."""

    RANDOM = "random"
    STRIDED = "strided"


class Start(StrEnum):
    """Whether training begins anew or goes on where the folder's state ends."""

    FRESH = "fresh"
    RESUME = "resume"


class Log(StrEnum):
    """How the course of a training is kept: lines of JSON, or TensorBoard's files besides."""

    JSONL = "jsonl"
    TENSORBOARD = "tensorboard"


@dataclass(frozen=True)
class Recipe:
    """How a variant is trained where the user says nothing. `network` goes to the network's constructor."""

    network: dict[str, HyperParameter]
    patch_size: int
    batch_size: int
    learning_rate: float
    schedule: Schedule
    ema_decay: float
    input_noise: float
    minutes: float | None
    epochs: int | None
    steps: int | None = None


RECIPES = {
    Variant.ANCHORED: Recipe(
        network={"width": 32, "blocks": 1, "pooling_window": 31},
        patch_size=32,
        batch_size=8,
        learning_rate=1e-3,
        schedule=Schedule.COSINE,
        ema_decay=0.99,
        input_noise=0.01,
        minutes=10.0,
        epochs=None,
    ),
    Variant.PAPER: Recipe(
        network={},
        patch_size=64,
        batch_size=8,
        learning_rate=1e-4,
        schedule=Schedule.HALVING,
        ema_decay=0.0,
        input_noise=0.0,
        minutes=None,
        epochs=500,
    ),
}


@dataclass(frozen=True)
class TrainSettings:
    """Training of a network; `None` stands for the variant's recipe.

    A budget ends at whichever of epochs, steps and minutes comes first; a recipe's budget counts only where none is
    given. `degradation` says how reference scenes become pairs (of a simulated pair its own record does), and which
    sensor model a real pair has. `validation_share` is the part of every scene, at its lower end, that is held out
    where `validation` names no scenes of its own.
    """

    method: Method = Method.PIFNET
    variant: Variant = Variant.ANCHORED
    network: dict[str, HyperParameter] = field(default_factory=dict)
    degradation: SimulateSettings = field(default_factory=SimulateSettings)
    validation: tuple[Path, ...] = ()
    validation_share: float = 0.2
    validations: int = 20
    sampling: Sampling = Sampling.RANDOM
    stride: int | None = None
    patch_size: int | None = None
    batch_size: int | None = None
    epochs: int | None = None
    steps: int | None = None
    minutes: float | None = None
    learning_rate: float | None = None
    schedule: Schedule | None = None
    weight_decay: float = 1e-4
    ema_decay: float | None = None
    gradient_clip: float = 1.0
    input_noise: float | None = None
    components: int = 8
    inverse_weight: float = 0.01
    cosine_weight: float = 0.1
    seed: int = 0
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    start: Start = Start.FRESH
    log: Log = Log.JSONL
    overwrite: Overwrite = Overwrite.REFUSE

    def __post_init__(self) -> None:
        require(self.method is Method.PIFNET, f"--method {self.method}: only pifnet is trained")
        require((self.patch_size or 8) % 2 == 0, f"--patch-size {self.patch_size}: an even number was expected")
        for name, (option, low, high) in TRAIN_RANGES.items():
            value = getattr(self, name)
            require(value is None or low <= value <= high, f"{option} {value}: {low:g} to {high:g} was expected")

    def recipe(self) -> Recipe:
        """The variant's recipe with all that these settings say put in its place."""
        default = RECIPES[self.variant]
        has_budget = any(limit is not None for limit in (self.epochs, self.steps, self.minutes))
        budget = self if has_budget else default
        return Recipe(
            network=default.network | self.network,
            patch_size=self.patch_size or default.patch_size,
            batch_size=self.batch_size or default.batch_size,
            learning_rate=self.learning_rate or default.learning_rate,
            schedule=self.schedule or default.schedule,
            ema_decay=default.ema_decay if self.ema_decay is None else self.ema_decay,
            input_noise=default.input_noise if self.input_noise is None else self.input_noise,
            minutes=budget.minutes,
            epochs=budget.epochs,
            steps=budget.steps,
        )


TRAIN_RANGES = {
    "validation_share": ("--validation-share", 0.0, 0.5),
    "validations": ("--validations", 1, 10_000),
    "patch_size": ("--patch-size", 8, 1024),
    "stride": ("--stride", 1, 1024),
    "batch_size": ("--batch-size", 1, 1024),
    "epochs": ("--epochs", 1, 10**6),
    "steps": ("--steps", 1, 10**8),
    "minutes": ("--minutes", 1e-3, 10**6),
    "learning_rate": ("--lr", 1e-8, 1.0),
    "weight_decay": ("--weight-decay", 0.0, 1.0),
    "ema_decay": ("--ema", 0.0, 0.99999),
    "gradient_clip": ("--clip", 1e-6, 1e6),
    "input_noise": ("--input-noise", 0.0, 10.0),
    "components": ("--components", 1, 256),
    "inverse_weight": ("--inverse-weight", 0.0, 100.0),
    "cosine_weight": ("--cosine-weight", 0.0, 100.0),
    "seed": ("--seed", 0, 2**63 - 1),
}
