"""A pair degraded by its own ratio once more, fused, and compared with the LR-HSI.

This is Wald's protocol one level down (Wald, Ranchin and Mangolini 1997). What it measures is real, but at another
level: at LR the ground is smoother, pixels are more mixed, there are fewer of them to learn from and noise weighs
otherwise. It ranks methods that differ much, not ones that are close, and its values are not those of the scene.
"""

import logging
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from affine import Affine

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align, Overwrite, Protocol
from pifnet_cli.degrade.psf import Psf, psf_of
from pifnet_cli.degrade.sampling import reached
from pifnet_cli.errors import GridError, SceneReadError, SettingsError
from pifnet_cli.fusion.outputs import FileOutputs
from pifnet_cli.fusion.pair_operator import PairOperator
from pifnet_cli.fusion.run import run_fusion
from pifnet_cli.metrics.without_reference import WaldScores
from pifnet_cli.pair.tile import degrade_msi
from pifnet_cli.progress import Progress
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.raster.writer import WriteOptions, create_scene
from pifnet_cli.scene import METHOD_FIELD, Grid, Pixels, Positions, Scene, Window
from pifnet_cli.scoring.with_reference import score_scene
from pifnet_cli.settings import FuseSettings, MetricsSettings

log = logging.getLogger(__name__)

HR_BLOCK, LR_BLOCK = 64, 16  # pixels along the side of what is written at once; each comes from many times as many
LEAST_SIDE = 4  # pixels of the twice degraded scene
LEAST_PER_BAND = 3  # of its pixels for every coefficient of a regression on the MSI bands
MTF_RANGE = 0.01, 0.95  # that `FuseSettings` takes
NODATA = -9999.0


def wald_scores(
    lr: SceneReader,
    hr: SceneReader,
    operator: PairOperator,
    window: Window,
    *,
    method: Method | None,
    noted: Scene,
    checkpoint: Path | None,
    progress: Progress,
) -> WaldScores | None:
    """Degrade, fuse, score.

    Args:
        lr: The LR-HSI, which is the truth here.
        hr: The HR-MSI.
        operator: How the first samples the ground of the second.
        window: LR pixels that both show.
        method: Asked for; else the one that `noted` was fused by, else what pifnet would choose.
        noted: The fused scene.
        checkpoint: The network to be used.
        progress: Called with the stage's name, steps done, and steps in all.

    Returns:
        None, with a warning, where the scenes are too small or hold too little, or a network noted has no checkpoint.

    Raises:
        PifnetError: The method asked for cannot fuse the pair, or there is no room for temporary files.
    """
    size = int(window.height / operator.alignment.ratio_rows), int(window.width / operator.alignment.ratio_columns)
    needed = LEAST_PER_BAND * (hr.scene.bands.count + 1)
    if min(size) < LEAST_SIDE or size[0] * size[1] < needed:
        log.warning(
            "%s: no Wald-level score: degraded once more it would be %d x %d pixels; at least %d x %d, and %d in all, "
            "are needed", lr.scene.path, *size, LEAST_SIDE, LEAST_SIDE, needed,
        )  # fmt: skip
        return None
    used = method or (None if checkpoint is not None else _noted_method(noted))
    degradation = _Degradation(lr, hr, operator, window, size)
    try:
        with tempfile.TemporaryDirectory(prefix="pifnet-") as folder, _quietly():
            return _scored(degradation, used, Path(folder), checkpoint=checkpoint, progress=progress)
    except SettingsError as error:
        if method is not None or checkpoint is not None:
            raise
        log.warning("%s: no Wald-level score: %s", noted.path, error)
    except (GridError, SceneReadError):
        log.warning("%s: no Wald-level score: degraded once more the scenes share too few valid pixels", lr.scene.path)
    return None


@dataclass(frozen=True, slots=True)
class _Degradation:
    """How a pair becomes one of `size` LR pixels, whose HR pixels are those of `window` of the LR-HSI."""

    lr: SceneReader
    hr: SceneReader
    operator: PairOperator
    window: Window
    size: tuple[int, int]

    @property
    def ratio(self) -> tuple[float, float]:
        """Along rows and columns."""
        return self.operator.ratio

    @property
    def protocol(self) -> Protocol:
        """Of the blur."""
        return Protocol.MTF if self.operator.psf.taps is None else Protocol.PAPER

    @property
    def mtf(self) -> float:
        """The mean of both axes: fusion is told one number."""
        rows, columns = self.operator.mtf_at_nyquist
        return float(np.clip(math.sqrt(rows * columns), *MTF_RANGE))

    @property
    def psf(self) -> Psf:
        """That of the LR-HSI at the next level, in LR pixels."""
        return psf_of(self.protocol, self.mtf, ratio_rows=self.ratio[0], ratio_columns=self.ratio[1])

    @property
    def lr_grid(self) -> Grid:
        """That of the twice degraded LR-HSI: from the window's corner on."""
        grid = self.hr_grid
        rows, columns = self.ratio
        return replace(
            grid, height=self.size[0], width=self.size[1], transform=grid.transform @ Affine.scale(columns, rows)
        )

    @property
    def hr_grid(self) -> Grid:
        """That of the degraded HR-MSI."""
        return self.operator.alignment.lr_grid.cropped(self.window)

    def lr_hsi(self, block: Window) -> Pixels:
        """(C, h, w), the LR-HSI as its own sensor would see it from further away."""
        (row, column), grid = self.ratio, self.operator.alignment.lr_grid
        rows = np.arange(block.row, block.bottom, dtype=np.float64)
        columns = np.arange(block.column, block.right, dtype=np.float64)
        at = Positions((rows + 0.5) * row - 0.5, (columns + 0.5) * column - 0.5)
        at = at.moved(-self.window.row, -self.window.column)
        reach = reached(at, self.psf).clipped(grid.height, grid.width)
        return degrade_msi(self.lr.read(reach), at.moved(reach.row, reach.column), self.psf)

    def hr_msi(self, block: Window) -> Pixels:
        """(M, h, w), the HR-MSI as the LR-HSI's sensor sees it."""
        alignment, psf = self.operator.alignment, self.operator.psf
        there = self._on_lr(block)
        reach = alignment.hr_window(there, psf.radius)
        at = alignment.hr_positions(there).moved(reach.row, reach.column)
        return degrade_msi(self.hr.read(reach), at, psf)

    def reference(self, block: Window) -> Pixels:
        """(C, h, w), the LR-HSI."""
        return self.lr.read(self._on_lr(block))

    def _on_lr(self, block: Window) -> Window:
        return block.moved_by(self.window.row, self.window.column)


def _scored(
    degradation: _Degradation, method: Method | None, folder: Path, *, checkpoint: Path | None, progress: Progress
) -> WaldScores:
    lr, hr, truth, fused = (folder / f"{name}.tif" for name in ("lr", "hr", "reference", "fused"))
    _write(_scene(lr, degradation.lr.scene, degradation.lr_grid), degradation.lr_hsi, side=LR_BLOCK)
    _write(_scene(hr, degradation.hr.scene, degradation.hr_grid), degradation.hr_msi, side=HR_BLOCK)
    _write(_scene(truth, degradation.lr.scene, degradation.hr_grid), degradation.reference, side=HR_BLOCK)
    settings = FuseSettings(
        method=method,
        checkpoint=checkpoint,
        align=Align.NONE,
        mtf_at_nyquist=degradation.mtf if degradation.protocol is Protocol.MTF else None,
        protocol=degradation.protocol,
    )
    outputs = FileOutputs(inputs=[lr, hr], overwrite=Overwrite.REFUSE)
    with open_scene(lr) as once_more, open_scene(hr) as degraded:
        result = run_fusion(once_more, degraded, fused, settings, outputs, progress=progress)
    ratio = max(degradation.operator.alignment.ratio, 1.0)
    scores = score_scene(fused, truth, MetricsSettings(ratio=ratio), progress=progress)
    return WaldScores(result.plan.choice.method.value, scores)


def _scene(path: Path, like: Scene, grid: Grid) -> Scene:
    """A scene with the bands of another, stored as float32."""
    return replace(like, path=path, grid=grid, dtype="float32", nodata=NODATA, scales=None, offsets=None)


def _write(scene: Scene, pixels: Callable[[Window], Pixels], *, side: int) -> None:
    with create_scene(scene, WriteOptions(overwrite=Overwrite.REFUSE, block_size=side)) as writer:
        for block in scene.grid.window.blocks(side):
            writer.write(pixels(block), block)


def _noted_method(fused: Scene) -> Method | None:
    """The one that the fused file says it was made by."""
    noted = dict(fused.acquisition).get(METHOD_FIELD)
    return Method(noted) if noted in set(Method) else None


@contextmanager
def _quietly() -> Iterator[None]:
    """Nothing is logged of files that the user never sees."""
    logger = logging.getLogger("pifnet_cli")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
