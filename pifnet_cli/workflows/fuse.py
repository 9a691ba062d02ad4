"""A pair of files -> one file; what happens between is `fusion.run`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pifnet_cli.fusion.outputs import FileOutputs
from pifnet_cli.fusion.plan import plan_fusion
from pifnet_cli.fusion.run import FusedScene, chosen_bands, run_fusion
from pifnet_cli.progress import Progress, silent
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.settings import FuseSettings


def fuse_scene(
    lr_hsi: Path,
    hr_msi: Path,
    output: Path,
    settings: FuseSettings,
    *,
    progress: Progress = silent,
) -> FusedScene:
    """Fuse a pair into one scene with the bands of the first and the pixels of the second.

    Args:
        lr_hsi: LR-HSI, ENVI or GeoTIFF.
        hr_msi: HR-MSI of the same ground.
        output: Result; its extension chooses the format. Appears complete or not at all, and together with the raster
            of `settings.uncertainty`.
        settings: How; without method and checkpoint the best method known to fit is chosen.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: An input cannot be used, the two do not fit, or the output cannot be written.
    """
    outputs = _outputs(lr_hsi, hr_msi, output, settings)
    with _opened(lr_hsi, hr_msi, settings) as (lr, hr):
        return run_fusion(lr, hr, output, settings, outputs, progress=progress)


def preview_fusion(lr_hsi: Path, hr_msi: Path, output: Path, settings: FuseSettings) -> FusedScene:
    """What `fuse_scene` would do, after the same checks of inputs and output; nothing is written."""
    outputs = _outputs(lr_hsi, hr_msi, output, settings)
    with _opened(lr_hsi, hr_msi, settings) as (lr, hr):
        plan = plan_fusion(chosen_bands(lr, settings.bands), hr, output, settings)
        outputs.require(plan)
    return FusedScene(plan)


@contextmanager
def _opened(lr_hsi: Path, hr_msi: Path, settings: FuseSettings) -> Iterator[tuple[SceneReader, SceneReader]]:
    with open_scene(lr_hsi, nodata=settings.hsi_nodata) as lr, open_scene(hr_msi, nodata=settings.msi_nodata) as hr:
        yield lr, hr


def _outputs(lr_hsi: Path, hr_msi: Path, output: Path, settings: FuseSettings) -> FileOutputs:
    """Where the results go, once it is certain that their names are free."""
    checkpoint = [] if settings.checkpoint is None else [settings.checkpoint]
    outputs = FileOutputs(
        inputs=[lr_hsi, hr_msi, *checkpoint],
        overwrite=settings.overwrite,
        creation_options=settings.creation_options,
    )
    outputs.require_names(output, settings.uncertainty)
    return outputs
