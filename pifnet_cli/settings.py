"""One frozen dataclass per command: every default, every range. Only workflows see these objects."""

from dataclasses import dataclass, field
from enum import StrEnum

from pifnet_cli.errors import SettingsError


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


@dataclass(frozen=True, slots=True)
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
        require(self.seed >= 0, f"--seed {self.seed}: a number from 0 up was expected")
        require(self.block_size >= 16, f"--block-size {self.block_size}: at least 16 was expected")


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Training of PIF-Net. A budget ends at whichever of epochs, steps and minutes comes first."""

    method: Method = Method.PIFNET
    variant: Variant = Variant.ANCHORED
    network: dict[str, object] = field(default_factory=dict)
    patch_size: int = 64
    batch_size: int | None = None
    epochs: int | None = None
    steps: int | None = None
    minutes: float | None = None
    learning_rate: float | None = None
    seed: int = 0
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    overwrite: Overwrite = Overwrite.REFUSE
