"""Every choice that an option offers."""

from enum import StrEnum

HyperParameter = int | float | str | None


class Protocol(StrEnum):
    """How a reference becomes an LR-HSI (docs/design.md 3)."""

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


class Anchor(StrEnum):
    """The closed-form estimate that a network starts from."""

    NONE = "none"
    REGRESSION = "regression"
    KRIGING = "kriging"


class Phase(StrEnum):
    """Where LR pixels are taken to lie: where the map says, or with the HR-MSI's corner, as in published code."""

    TRUE = "true"
    NAIVE = "naive"


class Align(StrEnum):
    """What is done about a misregistration that is found between the scenes."""

    NONE = "none"
    SHIFT = "shift"
    AFFINE = "affine"


class Variant(StrEnum):
    """The two readings of PIF-Net (docs/design.md 6.4)."""

    ANCHORED = "anchored"
    PAPER = "paper"


class Extent(StrEnum):
    """Which part of the HR-MSI grid is written."""

    COMMON = "common"
    HR = "hr"


class BandChoice(StrEnum):
    """Which bands of the LR-HSI are fused: all of them, or those that its bad-band list does not mark."""

    ALL = "all"
    GOOD = "good"


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
    """Whose definitions a score follows where they differ (docs/design.md 9.2)."""

    NONE = "none"
    PAPER = "paper"


class Wald(StrEnum):
    """Whether the pair is degraded once more, fused, and scored against the LR-HSI."""

    SKIP = "skip"
    SCORE = "score"


class Schedule(StrEnum):
    """How the learning rate falls: a cosine to zero over the budget, a step every so many epochs, or not at all."""

    COSINE = "cosine"
    STEPS = "steps"
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
