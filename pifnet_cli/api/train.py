"""`pifnet.train`: scenes with their truth become a checkpoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pifnet_cli.api.words import Pair, PathLike, choice, optional_choice, overwrite_of, path_of, srf_of
from pifnet_cli.catalog import Method
from pifnet_cli.choices import (
    Anchor,
    Device,
    HyperParameter,
    Log,
    Phase,
    Precision,
    Protocol,
    Sampling,
    Schedule,
    Start,
    Variant,
)
from pifnet_cli.results import Trained
from pifnet_cli.settings import RecipeOverrides, SimulateSettings, TrainSettings

if TYPE_CHECKING:
    from pifnet_cli.training.loop import ReportStatus, TrainingStatus


def train(
    inputs: PathLike | Sequence[PathLike],
    output: PathLike,
    *,
    method: str = TrainSettings.method,
    variant: str | None = None,
    anchor: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    resume: bool = False,
    validation: Sequence[PathLike] = (),
    validation_share: float = TrainSettings.validation_share,
    validations: int = TrainSettings.validations,
    patch_size: int | None = None,
    batch_size: int | None = None,
    sampling: str = TrainSettings.sampling,
    stride: int | None = None,
    learning_rate: float | None = None,
    schedule: str | None = None,
    decay_every: int | None = None,
    decay_factor: float | None = None,
    beta1: float | None = None,
    weight_decay: float | None = None,
    ema: float | None = None,
    clip: float | None = None,
    input_noise: float | None = None,
    pool: int | None = None,
    components: int = TrainSettings.components,
    inverse_weight: float | None = None,
    cosine_weight: float | None = None,
    network: Mapping[str, HyperParameter] | None = None,
    ratio: float = SimulateSettings.ratio,
    protocol: str = SimulateSettings.protocol,
    mtf: float = SimulateSettings.mtf_at_nyquist,
    srf: str = SimulateSettings.srf,
    hsi_snr: float | None = None,
    msi_snr: float | None = None,
    shift: Pair = SimulateSettings.shift,
    phase: str = TrainSettings.phase,
    seed: int = TrainSettings.seed,
    device: str = TrainSettings.device,
    precision: str = TrainSettings.precision,
    log: str = TrainSettings.log,
    overwrite: bool = False,
    progress: "ReportStatus | None" = None,
) -> Trained:
    """Train a network on simulated pairs, on real pairs with a reference, or on reference scenes: `pifnet train`.

    What is None follows the network's own recipe. The sensor model (`ratio` to `shift`) applies to reference scenes; a
    simulated pair brings its own.

    Args:
        inputs: Folders of `simulate`, folders with a real pair and its reference, or reference scenes.
        output: The folder of the checkpoint.
        method: A network of `methods()`.
        variant: anchored or paper, for PIF-Net.
        anchor: none, regression or kriging: what the network starts from.
        minutes: Budget; the first limit that is reached ends the training.
        steps: Budget in batches.
        epochs: Budget in passes over the scenes.
        resume: Go on where the folder's training stopped.
        validation: Held-out folders or scenes.
        validation_share: Rows of every scene that are held out where there is no `validation`.
        validations: How many, over the budget.
        patch_size: Side of a training crop, HR pixels.
        batch_size: Patches a step.
        sampling: random or strided.
        stride: HR pixels from one strided crop to the next.
        learning_rate: At its highest.
        schedule: cosine, steps or constant.
        decay_every: Epochs between the steps of the schedule; by default as published, or the published share of a
            budget of steps or minutes.
        decay_factor: What the learning rate is multiplied by at a step.
        beta1: Adam's decay of the running mean of gradients.
        weight_decay: AdamW's; 0 is Adam.
        ema: Decay of the running mean of weights; 0 keeps none.
        clip: Largest norm of the gradient.
        input_noise: Standard deviation of what is added to the network's inputs.
        pool: Patches that are made once and used again; 0 makes every one anew.
        components: Of the residual's subspace, for the anchored variant.
        inverse_weight: Weight of PIF-Net's L_inv.
        cosine_weight: Weight of PIF-Net's cosine loss.
        network: Arguments of the network's constructor.
        ratio: As for `simulate`.
        protocol: As for `simulate`.
        mtf: As for `simulate`.
        srf: As for `simulate`.
        hsi_snr: As for `simulate`.
        msi_snr: As for `simulate`.
        shift: As for `simulate`.
        phase: true or naive.
        seed: Seed of weights, patches and noise.
        device: auto, cpu or cuda.
        precision: auto, float32 or bfloat16.
        log: jsonl, or tensorboard besides.
        overwrite: Replace a checkpoint that exists.
        progress: Called with a `pifnet_cli.training.loop.TrainingStatus` after every step.

    Raises:
        PifnetError: An input cannot be used, inputs do not fit each other, or training stopped before its budget.

    Example:
        >>> import pifnet_cli as pifnet
        >>> pair = pifnet.simulate("sample_data/reference.tif", "pair", ratio=3, overwrite=True)
        >>> model = pifnet.train("pair", "model", steps=2, validations=1, network={"width": 8})
        >>> model.method, model.steps
        ('pifnet', 2)
    """
    settings = TrainSettings(
        method=choice(Method, "--method", method),
        variant=optional_choice(Variant, "--variant", variant),
        anchor=optional_choice(Anchor, "--anchor", anchor),
        phase=choice(Phase, "--phase", phase),
        epochs=epochs,
        steps=steps,
        minutes=minutes,
        overrides=RecipeOverrides(
            patch_size=patch_size,
            batch_size=batch_size,
            learning_rate=learning_rate,
            schedule=optional_choice(Schedule, "--schedule", schedule),
            decay_every=decay_every,
            decay_factor=decay_factor,
            beta1=beta1,
            weight_decay=weight_decay,
            ema_decay=ema,
            gradient_clip=clip,
            input_noise=input_noise,
            cached_examples=pool,
            inverse_weight=inverse_weight,
            cosine_weight=cosine_weight,
        ),
        network=dict(network or {}),
        components=components,
        degradation=SimulateSettings(
            ratio=ratio,
            protocol=choice(Protocol, "--protocol", protocol),
            mtf_at_nyquist=mtf,
            srf=srf_of(srf),
            hsi_snr_db=hsi_snr,
            msi_snr_db=msi_snr,
            shift=shift,
            seed=seed,
        ),
        validation=tuple(map(path_of, validation)),
        validation_share=validation_share,
        validations=validations,
        sampling=choice(Sampling, "--sampling", sampling),
        stride=stride,
        seed=seed,
        device=choice(Device, "--device", device),
        precision=choice(Precision, "--precision", precision),
        start=Start.RESUME if resume else Start.FRESH,
        log=choice(Log, "--log", log),
        overwrite=overwrite_of(overwrite),
    )
    from pifnet_cli.workflows.train import train_model

    paths = [inputs] if isinstance(inputs, str | Path) else inputs
    result = train_model(list(map(path_of, paths)), path_of(output), settings, progress=progress or _ignored)
    best = result.best
    return Trained(
        checkpoint=result.folder,
        method=result.header.method.value,
        steps=result.status.step,
        minutes=result.status.seconds / 60,
        psnr=None if best is None else best.psnr_db,
        gain=None if best is None else best.gain_db,
        anchor=settings.anchor_used.value,
        record=result.record(),
    )


def _ignored(_status: "TrainingStatus") -> None:
    pass
