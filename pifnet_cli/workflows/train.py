"""Scenes with their truth -> checkpoint + history."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from pifnet_cli.choices import Anchor, Variant
from pifnet_cli.degrade.srf import response_tables
from pifnet_cli.errors import SettingsError, TrainingError
from pifnet_cli.fusion.closed_form import scene_anchor
from pifnet_cli.fusion.statistics import scene_statistics
from pifnet_cli.networks.build import block_ratio
from pifnet_cli.networks.checkpoint import Header, bands_record
from pifnet_cli.networks.device import chosen_device, chosen_precision
from pifnet_cli.recipe import Recipe
from pifnet_cli.settings import TrainSettings
from pifnet_cli.training.example_cache import ExampleCache
from pifnet_cli.training.history import History
from pifnet_cli.training.loop import Budget, Callbacks, Learner, ReportStatus, Training, TrainingStatus
from pifnet_cli.training.patches import PatchNeeds, PatchSource, TrainingPair, anchor_margin
from pifnet_cli.training.recipes import recipe_of
from pifnet_cli.training.resume import TrainingFiles, fingerprint, network_so_far, opened_folder, restore
from pifnet_cli.training.sources import TrainingScene, files_of, open_training_scene, require_alike
from pifnet_cli.training.untrained import (
    anchored_shape,
    basis_of_corrections,
    image_shape,
    objective_of,
    untrained_network,
)
from pifnet_cli.training.validation import HeldOut, Validation
from pifnet_models.interface import FusionNetwork
from pifnet_models.kriging.regression import RegressionSums
from pifnet_models.pifnet.anchored import ResidualBasis, image_scale


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What was trained: the header of the best checkpoint, and how far training came."""

    folder: Path
    header: Header
    status: TrainingStatus

    @property
    def best(self) -> HeldOut | None:
        """Scores of the best checkpoint on held-out area; None where nothing was held out."""
        return self.status.best

    def record(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "checkpoint": str(self.folder),
            "method": self.header.method.value,
            "variant": self.header.variant.value,
            "steps": self.status.step,
            "minutes": round(self.status.seconds / 60, 2),
            "best": {"step": self.status.best_step} | ({} if self.best is None else self.best.to_record()),
            "last": self.status.to_record(),
        }


def train_model(
    inputs: Sequence[Path], folder: Path, settings: TrainSettings, *, progress: ReportStatus = lambda _status: None
) -> TrainingResult:
    """Train a network.

    Args:
        inputs: Folders written by `pifnet simulate`, folders with a real pair and its truth, or reference scenes.
        folder: Receives the best checkpoint (`checkpoint.json`, `weights.safetensors`), the last one
            (`last.safetensors`), `history.jsonl`, and `state.safetensors` to resume from.
        settings: The network, its recipe and its budget.
        progress: Called after every step.

    Raises:
        PifnetError: An input cannot be used, inputs do not fit each other, or training stopped before its budget.
    """
    recipe = recipe_of(settings)
    read = [file for path in (*inputs, *settings.validation) for file in files_of(path)]
    read += response_tables(settings.degradation.srf)
    state = opened_folder(folder, start=settings.start, overwrite=settings.overwrite, inputs=read)
    with ExitStack() as stack:
        # BLAS threads wait for cores that torch's threads hold, and the other way round: 17 x slower (measured).
        stack.enter_context(threadpool_limits(limits=1, user_api="blas"))
        scenes, pairs, validated = _opened(inputs, settings, stack)
        is_anchored = settings.variant_used is Variant.ANCHORED
        basis = basis_of_corrections(pairs, components=settings.components) if is_anchored else None
        decided_by = fingerprint(settings, recipe, scenes)
        so_far = {} if state is None else network_so_far(state, folder, decided_by)
        learner = _learner(scenes[0], basis, settings, replace(recipe, network=so_far | recipe.network))
        objective = objective_of(learner.network, basis, recipe)
        status = TrainingStatus() if state is None else restore(learner, state, str(folder))
        history = stack.enter_context(History(folder, log=settings.log, from_step=status.step if state else -1))
        files = TrainingFiles(
            folder,
            learner,
            header=_header(scenes, pairs, learner.network, settings),
            constants={} if basis is None else basis.to_arrays(),
            fingerprint=decided_by,
            add_to_history=history.add,
        )
        needs = PatchNeeds(settings.phase, block_ratio=block_ratio(learner.network), margin=anchor_margin(pairs))
        patches = PatchSource(
            pairs,
            patch_size=recipe.patch_size,
            sampling=settings.sampling,
            stride=settings.stride or recipe.patch_size // 2,
            seed=settings.seed,
            needs=needs,
        )
        validation = Validation(validated, objective, margin=needs.margin)
        callbacks = Callbacks(
            validate=lambda network: validation.score(network, device=learner.device),
            save=files.save,
            report=progress,
        )
        budget = Budget.of_recipe(recipe, places=len(patches))
        training = Training(
            learner,
            objective=objective,
            budget=budget,
            validations=settings.validations,
            callbacks=callbacks,
            status=status,
        )
        examples = ExampleCache(patches.patch, objective, size=recipe.cached_examples)
        end = training.run(lambda step: examples.batch(step, batch_size=recipe.batch_size, seed=settings.seed))
        return TrainingResult(folder, files.header, end)


def _opened(
    inputs: Sequence[Path], settings: TrainSettings, stack: ExitStack
) -> tuple[list[TrainingScene], list[TrainingPair], list[TrainingPair]]:
    """The scenes to train on, their pairs, and the pairs to validate on."""
    if not inputs:
        raise SettingsError("nothing to train on; name folders of pifnet simulate, or reference scenes")
    scenes, others = (
        [open_training_scene(path, settings.degradation, stack, phase=settings.phase) for path in paths]
        for paths in (inputs, settings.validation)
    )
    require_alike([*scenes, *others])
    share = 0.0 if others else settings.validation_share
    pairs = [_pair(scene, share, settings) for scene in scenes]
    return scenes, pairs, [_pair(scene, 1.0, settings) for scene in others] or pairs


def _pair(scene: TrainingScene, held_out_share: float, settings: TrainSettings) -> TrainingPair:
    """The scene with the statistics of the whole pair and its anchor, as `fuse` computes them."""
    try:
        regression = scene_statistics(
            RegressionSums(hsi_bands=scene.lr.bands.count, msi_bands=scene.hr.bands.count),
            scene.read_lr,
            scene.read_hr,
            alignment=scene.alignment,
            psf=scene.psf,
            report=lambda _done, _total: None,
        )
    except ValueError as error:
        raise TrainingError(f"{scene.path}: {error}; train on scenes with valid pixels") from error
    kind = settings.anchor_used
    if kind is Anchor.NONE or (kind is Anchor.REGRESSION and settings.variant_used is Variant.ANCHORED):
        anchor = None  # interpolation, or the regression that the variant computes itself
    else:
        anchor = scene_anchor(kind, regression, scene.read_hr, alignment=scene.alignment, psf=scene.psf)
    return scene.pair(regression, anchor, held_out_share=held_out_share)


def _learner(scene: TrainingScene, basis: ResidualBasis | None, settings: TrainSettings, recipe: Recipe) -> Learner:
    """An untrained network for scenes like this one, on the device."""
    device, method = chosen_device(settings.device), settings.method
    if basis is not None:
        shape = anchored_shape(basis, msi_bands=scene.hr.bands.count)
    else:
        bands, ratio = (scene.lr.bands.count, scene.hr.bands.count), scene.alignment.ratio
        shape = image_shape(method, settings.anchor_used, bands=bands, ratio=ratio)
    network = untrained_network(method, shape | recipe.network, patch_size=recipe.patch_size, seed=settings.seed)
    precision = chosen_precision(settings.precision, device)
    return Learner(network, recipe.optimisation, device=device, precision=precision)


def _header(
    scenes: Sequence[TrainingScene], pairs: Sequence[TrainingPair], network: nn.Module, settings: TrainSettings
) -> Header:
    """The checkpoint's header but for how training went."""
    first, degradation = scenes[0], settings.degradation
    if first.sensor is not None:
        sensor = {name: value for name, value in first.sensor.to_record().items() if name != "srf"}
    else:
        sensor = {"protocol": degradation.protocol.value, "mtf_at_nyquist": degradation.mtf_at_nyquist}
    return Header(
        method=settings.method,
        variant=settings.variant_used,
        anchor=settings.anchor_used,
        phase=settings.phase,
        hyper_parameters=dict(cast("FusionNetwork", network).hyper_parameters),
        hsi_bands=bands_record(first.lr.bands),
        msi_bands=bands_record(first.hr.bands),
        ratio=first.alignment.ratio,
        sensor=sensor,
        scale=float(np.mean([image_scale(pair.regression) for pair in pairs])),
        training={"inputs": [scene.path.name for scene in scenes], "seed": settings.seed, "torch": torch.__version__},
    )
