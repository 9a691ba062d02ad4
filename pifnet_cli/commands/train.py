"""`pifnet train`: scenes with their truth become a checkpoint."""

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Anchor, HyperParameter, Log, Overwrite, Phase, Sampling, Schedule, Start, Variant
from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting
from pifnet_cli.settings import RecipeOverrides, SimulateSettings, TrainSettings

if TYPE_CHECKING:
    from pifnet_cli.training.loop import ReportStatus, TrainingStatus


def train(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of `pifnet simulate` (or with a real lr_hsi, hr_msi and reference), or reference scenes.",
            show_default=False,
        ),
    ],
    output: options.OutputFolder,
    method: Annotated[
        Method, typer.Option("--method", help="Which network; `pifnet methods` lists them.", show_choices=False)
    ] = TrainSettings.method,
    variant: Annotated[
        Variant | None,
        typer.Option(
            "--variant", help="Of PIF-Net. anchored (its default): corrects an anchor; paper: predicts the image."
        ),
    ] = None,
    anchor: Annotated[
        Anchor | None,
        typer.Option("--anchor", help="The closed-form estimate that the network starts from; none: interpolation."),
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Budget; anchored: 10 by default.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Budget in batches.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Budget; others: as published.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the folder's training stopped.")] = False,
    validation: Annotated[
        list[Path] | None, typer.Option("--validation", help="Held-out folder or scene; repeatable.")
    ] = None,
    validation_share: Annotated[
        float,
        typer.Option(
            "--validation-share", help="Rows of every scene that are held out where no --validation is given."
        ),
    ] = TrainSettings.validation_share,
    validations: Annotated[
        int, typer.Option("--validations", help="Validations over the budget.")
    ] = TrainSettings.validations,
    patch_size: Annotated[int | None, typer.Option("--patch-size", help="Side of a training crop, HR pixels.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Patches a step.")] = None,
    sampling: Annotated[
        Sampling, typer.Option("--sampling", help="random places, or a strided lattice.")
    ] = TrainSettings.sampling,
    stride: Annotated[int | None, typer.Option("--stride", help="Of the lattice; half a patch by default.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--lr", help="Learning rate at its highest.")] = None,
    schedule: Annotated[Schedule | None, typer.Option("--schedule", help="How the learning rate falls.")] = None,
    decay_every: Annotated[
        int | None, typer.Option("--decay-every", help="Epochs between the schedule's steps.")
    ] = None,
    decay_factor: Annotated[
        float | None, typer.Option("--decay-factor", help="Of the learning rate at a step.")
    ] = None,
    beta1: Annotated[float | None, typer.Option("--beta1", help="Of Adam.")] = None,
    weight_decay: Annotated[float | None, typer.Option("--weight-decay", help="Of AdamW; 0 is Adam.")] = None,
    ema: Annotated[float | None, typer.Option("--ema", help="Decay of the running mean of weights; 0: none.")] = None,
    clip: Annotated[float | None, typer.Option("--clip", help="Largest norm of the gradient.")] = None,
    input_noise: Annotated[float | None, typer.Option("--input-noise", help="Added to the network's inputs.")] = None,
    pool: Annotated[
        int | None,
        typer.Option("--pool", help="Patches that are made once and used again; 0: all are new. 256 over kriging."),
    ] = None,
    components: Annotated[
        int, typer.Option("--components", help="Of the residual (anchored).")
    ] = TrainSettings.components,
    inverse_weight: Annotated[
        float | None, typer.Option("--inverse-weight", help="Of PIF-Net's L_inv; 0.01 by default.")
    ] = None,
    cosine_weight: Annotated[
        float | None, typer.Option("--cosine-weight", help="Of PIF-Net's cosine loss; 0.1 by default.")
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="NAME=VALUE", help="Argument of the network, as width=32; repeatable."),
    ] = None,
    ratio: options.Ratio = SimulateSettings.ratio,
    protocol: options.SensorProtocol = SimulateSettings.protocol,
    mtf: options.Mtf = SimulateSettings.mtf_at_nyquist,
    srf: options.Srf = SimulateSettings.srf,
    hsi_snr: options.HsiSnr = None,
    msi_snr: options.MsiSnr = None,
    shift: options.Shift = SimulateSettings.shift,
    phase: Annotated[
        Phase, typer.Option("--phase", help="naive: take corners to coincide, as published code does.")
    ] = TrainSettings.phase,
    seed: Annotated[int, typer.Option("--seed", help="Of everything random.")] = TrainSettings.seed,
    device: options.DeviceChoice = TrainSettings.device,
    precision: options.PrecisionChoice = TrainSettings.precision,
    log: Annotated[Log, typer.Option("--log", help="Keep TensorBoard's files besides history.jsonl.")] = (
        TrainSettings.log
    ),
    overwrite: options.OverwriteFlag = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a network on simulated pairs, on real pairs with a reference, or on reference scenes.

    The sensor model applies to reference scenes; a simulated pair brings its own.

    Example: pifnet train pair -o model --minutes 10
    """
    settings = TrainSettings(
        method=method,
        variant=variant,
        anchor=anchor,
        phase=phase,
        epochs=epochs,
        steps=steps,
        minutes=minutes,
        overrides=RecipeOverrides(
            patch_size=patch_size,
            batch_size=batch_size,
            learning_rate=learning_rate,
            schedule=schedule,
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
        network=_hyper_parameters(network or []),
        components=components,
        degradation=SimulateSettings(
            ratio=ratio,
            protocol=protocol,
            mtf_at_nyquist=mtf,
            srf=srf,
            hsi_snr_db=hsi_snr,
            msi_snr_db=msi_snr,
            shift=shift,
            seed=seed,
        ),
        validation=tuple(validation or ()),
        validation_share=validation_share,
        validations=validations,
        sampling=sampling,
        stride=stride,
        seed=seed,
        device=device,
        precision=precision,
        start=Start.RESUME if resume else Start.FRESH,
        log=log,
        overwrite=Overwrite.REPLACE if overwrite else Overwrite.REFUSE,
    )

    from pifnet_cli.workflows.train import train_model

    with reporting(quiet), _training_bar(quiet) as progress:
        result = train_model(inputs, output, settings, progress=progress)
    if as_json:
        typer.echo(json.dumps(result.record(), indent=2))
        return
    typer.echo(f"{output}: {result.status.step} steps in {result.status.seconds / 60:.1f} minutes")
    if result.best is not None:
        start = Anchor.KRIGING if settings.anchor_used is Anchor.KRIGING else Anchor.REGRESSION
        typer.echo(
            f"held-out PSNR {result.best.psnr_db:.2f} dB at step {result.status.best_step} "
            f"({start.value} {result.best.anchor_psnr_db:.2f}, interpolation {result.best.upsampled_psnr_db:.2f})"
        )


def _hyper_parameters(assignments: list[str]) -> dict[str, HyperParameter]:
    """NAME=VALUE -> numbers where they are numbers, `None` for none, else text."""
    chosen = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.isidentifier() or not value:
            raise typer.BadParameter(f"{assignment!r}: NAME=VALUE was expected, as width=32", param_hint="--network")
        chosen[name] = _number(value)
    return chosen


def _number(text: str) -> HyperParameter:
    if text.lower() == "none":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@contextmanager
def _training_bar(quiet: bool) -> "Iterator[ReportStatus]":
    """A bar on stderr with loss, held-out PSNR and the time left; on terminals only."""
    if quiet or not sys.stderr.isatty():
        yield lambda _status: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("training"), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda status: bar.update(task, completed=status.progress, description=_sentence(status))


def _sentence(status: "TrainingStatus") -> str:
    words = [f"step {status.step}"]
    if "loss" in status.losses:
        words.append(f"loss {status.losses['loss']:.4g}")
    if status.held_out is not None:
        words.append(f"PSNR {status.held_out.psnr_db:.2f} dB ({status.held_out.gain_db:+.2f})")
    if math.isfinite(status.seconds_left):
        minutes, seconds = divmod(round(status.seconds_left), 60)
        words.append(f"{minutes}:{seconds:02d} left")
    return ", ".join(words)
