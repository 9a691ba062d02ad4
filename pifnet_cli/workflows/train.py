"""Scenes with their truth -> checkpoint + history."""

import json
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Anchor, Overwrite, Start, Variant
from pifnet_cli.degrade.noise import noise_std
from pifnet_cli.errors import BandsError, CheckpointError, GridError, SettingsError, TrainingError
from pifnet_cli.fusion.closed_form import scene_anchor
from pifnet_cli.fusion.statistics import scene_statistics
from pifnet_cli.networks.build import block_ratio, build_network
from pifnet_cli.networks.checkpoint import WEIGHTS_FILE, Header, TrainingState, bands_record, load_state
from pifnet_cli.networks.device import chosen_device, chosen_precision
from pifnet_cli.pair.resample import SUPPORT
from pifnet_cli.pair.tile import TileEngine
from pifnet_cli.settings import TrainSettings
from pifnet_cli.training.example_cache import ExamplePool
from pifnet_cli.training.history import History
from pifnet_cli.training.loop import (
    BatchAt,
    Budget,
    Course,
    Learner,
    Optimisation,
    Position,
    Training,
    contained_randomness,
)
from pifnet_cli.training.objectives import Batch, CorrectionObjective, ImageObjective, LossWeights, Objective, collate
from pifnet_cli.training.patches import PatchNeeds, PatchSource, TrainingPair, split_area
from pifnet_cli.training.recipes import Recipe, recipe_of
from pifnet_cli.training.resume import Keeper, changed_settings, position_record, restore, scores_record
from pifnet_cli.training.sources import Source, open_source
from pifnet_cli.training.validation import HeldOut, Validation
from pifnet_models.interface import FusionNetwork, OutputStart
from pifnet_models.kriging.regression import Regression, RegressionSums
from pifnet_models.pifnet.anchored import ResidualBasis, band_mean_square, image_scale, noise_scale, residual_basis

RATIO_TOLERANCE = 0.05
MAY_CHANGE = "epochs", "steps", "minutes", "validations", "device", "start", "log", "overwrite"  # when resumed

Progress = Callable[[Position], None]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What was trained: the header of the best checkpoint, and how far training came."""

    folder: Path
    header: Header
    position: Position

    @property
    def best(self) -> HeldOut | None:
        """Scores of the best checkpoint on held-out area; None where nothing was held out."""
        return self.position.best

    def record(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "checkpoint": str(self.folder),
            "method": self.header.method,
            "variant": self.header.variant,
            "steps": self.position.step,
            "minutes": round(self.position.seconds / 60, 2),
            "best": {"step": self.position.best_step} | scores_record(self.position.best),
            "last": position_record(self.position),
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Scenes:
    """Everything that is open: what to train on, and what to validate on.

    `margin` is how many LR pixels round a patch its anchor looks at.
    """

    sources: list[Source]
    training: list[TrainingPair]
    validation: list[TrainingPair]
    margin: int


def train_model(
    inputs: Sequence[Path], folder: Path, settings: TrainSettings, *, progress: Progress = lambda _position: None
) -> TrainingResult:
    """Train a network.

    Args:
        inputs: Folders written by `pifnet simulate`, folders with a real pair and its truth, or reference scenes.
        folder: Receives the best checkpoint (`checkpoint.json`, `weights.safetensors`), the last one
            (`last.safetensors`), `history.jsonl`, and `state.safetensors` to resume from.
        settings: How.
        progress: Called after every step.

    Raises:
        PifnetError: An input cannot be used, inputs do not fit each other, or training stopped before its budget.
    """
    recipe = recipe_of(settings)
    state = _usable_folder(folder, settings)
    with ExitStack() as stack:
        # BLAS threads wait for cores that torch's threads hold, and the other way round: 17 x slower (measured).
        stack.enter_context(threadpool_limits(limits=1, user_api="blas"))
        scenes = _open_scenes(inputs, settings, stack)
        fingerprint = _fingerprint(scenes, settings)
        basis = _basis(scenes, settings) if settings.variant_used is Variant.ANCHORED else None
        learner = _learner(scenes, basis, settings, recipe)
        objective = _objective(learner, basis, recipe)
        position = _resumed(learner, state, folder, fingerprint)
        history = stack.enter_context(History(folder, log=settings.log, from_step=position.step if state else -1))
        keeper = Keeper(
            folder,
            learner,
            header=_header(scenes, learner, settings),
            constants={} if basis is None else basis.to_arrays(),
            fingerprint=fingerprint,
            add_to_history=history.add,
        )
        needs = PatchNeeds(settings.phase, block_ratio=block_ratio(learner.network), margin=scenes.margin)
        validation = Validation(scenes.validation, objective, margin=scenes.margin)
        course = Course(
            validate=lambda network: validation.score(network, device=learner.device),
            validations=settings.validations,
            keep=keeper.keep,
            report=progress,
        )
        patches = PatchSource(
            scenes.training,
            patch_size=recipe.patch_size,
            sampling=settings.sampling,
            stride=settings.stride or recipe.patch_size // 2,
            seed=settings.seed,
            needs=needs,
        )
        training = Training(
            learner, objective=objective, budget=_budget(patches, recipe), course=course, position=position
        )
        batch_at = _batches(ExamplePool(patches, objective, size=recipe.pool), recipe.batch_size, settings.seed)
        end = training.run(batch_at)
        return TrainingResult(folder, keeper.header, end)


def _usable_folder(folder: Path, settings: TrainSettings) -> TrainingState | None:
    """Create the folder, or read what it holds to resume from; refuse one that holds another training."""
    if settings.start is Start.RESUME:
        return load_state(folder)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder}: is a file; a folder for the checkpoint was expected")
    if (folder / WEIGHTS_FILE).exists() and settings.overwrite is Overwrite.REFUSE:
        raise CheckpointError(f"{folder}: holds a checkpoint; use --resume to go on with it, --overwrite to replace it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be created ({error.strerror or error})") from error
    return None


def _open_scenes(inputs: Sequence[Path], settings: TrainSettings, stack: ExitStack) -> _Scenes:
    if not inputs:
        raise SettingsError("nothing to train on; name folders of pifnet simulate, or reference scenes")
    sources = [open_source(path, settings.degradation, stack, phase=settings.phase) for path in inputs]
    others = [open_source(path, settings.degradation, stack, phase=settings.phase) for path in settings.validation]
    for source in [*sources[1:], *others]:
        _require_alike(source, sources[0])
    share = 0.0 if others else settings.validation_share
    pairs = [_training_pair(source, share, settings) for source in sources]
    held_out = [_training_pair(source, 1.0, settings) for source in others] or pairs
    engines = [pair.anchor for pair in pairs if pair.anchor is not None]
    margin = max((engine.margin for engine in engines), default=SUPPORT)
    return _Scenes(sources, pairs, [pair for pair in held_out if not pair.held_out.is_empty], margin)


def _require_alike(source: Source, first: Source) -> None:
    for kind, mine, theirs in (("LR-HSI", source.lr, first.lr), ("HR-MSI", source.hr, first.hr)):
        if mine.bands.count != theirs.bands.count:
            raise BandsError(
                f"{source.path}: an {kind} of {mine.bands.count} bands, {first.path} of {theirs.bands.count}; "
                f"all scenes of a training need the same bands"
            )
    if abs(source.alignment.ratio / first.alignment.ratio - 1) > RATIO_TOLERANCE:
        raise GridError(
            f"{source.path}: ratio {source.alignment.ratio:.3g}, {first.path} {first.alignment.ratio:.3g}; "
            f"all scenes of a training need the same ratio"
        )


def _training_pair(source: Source, share: float, settings: TrainSettings) -> TrainingPair:
    """The source with its anchor, over the whole pair as `fuse` computes it, and the area held out."""
    guard = math.ceil(source.psf.radius + source.alignment.ratio)
    area, held_out = split_area(source.alignment.output, share=share, guard=guard)
    try:
        regression = scene_statistics(
            RegressionSums(hsi_bands=source.lr.bands.count, msi_bands=source.hr.bands.count),
            source.read_lr,
            source.read_hr,
            alignment=source.alignment,
            psf=source.psf,
            report=lambda _done, _total: None,
        )
    except ValueError as error:
        raise TrainingError(f"{source.path}: {error}; train on scenes with valid pixels") from error
    return TrainingPair(
        name=str(source.path),
        read_lr=source.read_lr,
        read_hr=source.read_hr,
        read_reference=source.read_reference,
        alignment=source.alignment,
        psf=source.psf,
        sensor=source.sensor if source.sensor and source.sensor.has_whole_ratio else None,
        regression=regression,
        area=area,
        held_out=held_out,
        anchor=_anchor(source, regression, settings),
    )


def _anchor(source: Source, regression: Regression, settings: TrainSettings) -> TileEngine | None:
    """What the network starts from, where that is neither interpolation nor the regression it knows of itself."""
    anchor = settings.anchor_used
    is_built_in = anchor is Anchor.REGRESSION and settings.variant_used is Variant.ANCHORED
    if anchor is Anchor.NONE or is_built_in:
        return None
    return scene_anchor(anchor, regression, source.read_hr, alignment=source.alignment, psf=source.psf)


def _basis(scenes: _Scenes, settings: TrainSettings) -> ResidualBasis:
    return residual_basis(
        [pair.regression.residual_covariance for pair in scenes.training],
        components=settings.components,
        band_scale=_band_scale(scenes.training),
        ratio=scenes.sources[0].alignment.ratio,
    )


def _objective(learner: Learner, basis: ResidualBasis | None, recipe: Recipe) -> Objective:
    weights = LossWeights(inverse=recipe.inverse_weight, cosine=recipe.cosine_weight)
    if basis is None:
        ratio = block_ratio(learner.network)
        return ImageObjective(weights=weights, input_noise=recipe.input_noise, block_ratio=ratio)
    return CorrectionObjective(basis, weights=weights, input_noise=recipe.input_noise)


def _band_scale(pairs: Sequence[TrainingPair]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What whitens the LR-HSI's noise, where every sensor model tells it; ones elsewhere."""
    variances = [
        np.square(noise_std(band_mean_square(pair.regression), pair.sensor.hsi_snr_db).astype(np.float64))
        for pair in pairs
        if pair.sensor is not None and pair.sensor.hsi_snr_db is not None
    ]
    if len(variances) < len(pairs):
        return np.ones(len(pairs[0].regression.weights))
    return noise_scale(np.sqrt(np.mean(variances, axis=0)))


def _learner(scenes: _Scenes, basis: ResidualBasis | None, settings: TrainSettings, recipe: Recipe) -> Learner:
    device = chosen_device(settings.device)
    optimisation = Optimisation(
        learning_rate=recipe.learning_rate,
        schedule=recipe.schedule,
        decay_every=recipe.decay_every,
        decay_factor=recipe.decay_factor,
        beta1=recipe.beta1,
        weight_decay=recipe.weight_decay,
        ema_decay=recipe.ema_decay,
        gradient_clip=recipe.gradient_clip,
    )
    shape = _shape(scenes.sources[0], basis, settings)
    with contained_randomness(settings.seed):
        network = build_network(settings.method.value, shape | recipe.network)
    _require_whole_blocks(network, recipe.patch_size, settings.method)
    return Learner(network, optimisation, device=device, precision=chosen_precision(settings.precision, device))


def _shape(source: Source, basis: ResidualBasis | None, settings: TrainSettings) -> dict[str, Any]:
    """The numbers of a network's constructor that follow from the scenes."""
    hsi_bands, msi_bands = source.lr.bands.count, source.hr.bands.count
    if basis is not None:
        count = basis.components
        return {
            "hsi_channels": 2 * count,
            "msi_channels": 2 * msi_bands + 4,
            "out_channels": count,
            "output_start": OutputStart.ZERO.value,
        }
    shape: dict[str, Any] = {"hsi_channels": hsi_bands, "msi_channels": msi_bands}
    if settings.method.facts.takes_ratio:
        shape["ratio"] = round(source.alignment.ratio)
    if settings.anchor_used is not Anchor.NONE:
        shape["output_start"] = OutputStart.ZERO.value  # an untrained network is its anchor
        shape |= settings.method.facts.over_anchor
    return shape


def _require_whole_blocks(network: nn.Module, patch_size: int, method: Method) -> None:
    rule = cast("FusionNetwork", network).size_rule
    if not rule.accepts(patch_size, patch_size):
        raise SettingsError(
            f"--patch-size {patch_size}: {method.value} takes multiples of {rule.multiple_of} from {rule.minimum}; "
            f"the nearest is {rule.grown(patch_size)}"
        )


def _resumed(learner: Learner, state: TrainingState | None, folder: Path, fingerprint: dict[str, Any]) -> Position:
    if state is None:
        return Position()
    changed = changed_settings(state.record["fingerprint"], fingerprint)
    if changed:
        raise SettingsError(
            f"--resume: {folder} was trained otherwise ({'; '.join(changed)}); use the same options and inputs, or "
            f"--overwrite to begin anew"
        )
    return restore(learner, state, str(folder))


def _fingerprint(scenes: _Scenes, settings: TrainSettings) -> dict[str, Any]:
    """What decides the course of a training, as JSON values."""
    chosen = asdict(settings) | asdict(recipe_of(settings))
    chosen = {name: value for name, value in chosen.items() if name not in MAY_CHANGE}
    chosen["validation"] = [path.name for path in settings.validation]
    seen = [
        [source.path.name, source.lr.bands.count, source.hr.bands.count, source.hr.grid.height, source.hr.grid.width]
        for source in scenes.sources
    ]
    record: dict[str, Any] = json.loads(json.dumps(chosen | {"inputs": seen}))
    return record


def _header(scenes: _Scenes, learner: Learner, settings: TrainSettings) -> Header:
    first = scenes.sources[0]
    if first.sensor is not None:
        sensor = {name: value for name, value in first.sensor.to_record().items() if name != "srf"}
    else:
        degradation = settings.degradation
        sensor = {"protocol": degradation.protocol.value, "mtf_at_nyquist": degradation.mtf_at_nyquist}
    return Header(
        method=settings.method.value,
        variant=settings.variant_used.value,
        anchor=settings.anchor_used.value,
        phase=settings.phase.value,
        hyper_parameters=dict(cast("FusionNetwork", learner.network).hyper_parameters),
        hsi_bands=bands_record(first.lr.bands),
        msi_bands=bands_record(first.hr.bands),
        ratio=first.alignment.ratio,
        sensor=sensor,
        scale=float(np.mean([image_scale(pair.regression) for pair in scenes.training])),
        training={
            "inputs": [source.path.name for source in scenes.sources],
            "seed": settings.seed,
            "torch": torch.__version__,
        },
    )


def _budget(patches: PatchSource, recipe: Recipe) -> Budget:
    return Budget(
        steps=recipe.steps,
        epochs=recipe.epochs,
        minutes=recipe.minutes,
        steps_per_epoch=math.ceil((recipe.epoch_patches or len(patches)) / recipe.batch_size),
    )


def _batches(pool: ExamplePool, batch_size: int, seed: int) -> BatchAt:
    """The batch of a step as a function of its number: a resumed training sees what it would have seen."""

    def batch_at(step: int) -> Batch:
        numbers = range(step * batch_size, (step + 1) * batch_size)
        return collate([pool.example(number, np.random.default_rng([seed, number, 2])) for number in numbers])

    return batch_at
