"""`pifnet train`: scenes with their truth become a checkpoint."""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Anchor, HyperParameter, Log, Phase, Sampling, Schedule, Variant
from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting
from pifnet_cli.commands.printing import print_record
from pifnet_cli.settings import SimulateSettings, TrainSettings

if TYPE_CHECKING:
    from pifnet_cli.training.loop import ReportStatus, TrainingStatus


def train(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of `pifnet simulate`, folders of a real lr_hsi, hr_msi and reference, or reference scenes.",
            show_default=False,
        ),
    ],
    output: options.OutputFolder,
    method: Annotated[
        Method, typer.Option("--method", help="Network to train; `pifnet methods` lists them.", show_choices=False)
    ] = TrainSettings.method,
    variant: Annotated[
        Variant | None,
        typer.Option(
            "--variant",
            help="What PIF-Net does: it corrects an anchor (its default), or predicts the image as in the paper.",
        ),
    ] = None,
    anchor: Annotated[
        Anchor | None,
        typer.Option("--anchor", help="Closed-form estimate that the network starts from; none is interpolation."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Stop after this many minutes. Default: 10 with --variant anchored."),
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Stop after this many batches.")] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Stop after this many epochs. Default: as published.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the training that stopped in the output folder.")
    ] = False,
    validation: Annotated[
        list[Path] | None, typer.Option("--validation", help="Folder or scene to hold out for validation; repeatable.")
    ] = None,
    validation_share: Annotated[
        float,
        typer.Option(
            "--validation-share", help="Share of every scene's rows to hold out where no --validation is given."
        ),
    ] = TrainSettings.validation_share,
    validations: Annotated[
        int, typer.Option("--validations", help="Number of validations during the training.")
    ] = TrainSettings.validations,
    patch_size: Annotated[
        int | None, typer.Option("--patch-size", help="Side of a training patch in HR pixels.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Patches in a batch.")] = None,
    sampling: Annotated[
        Sampling, typer.Option("--sampling", help="Where patches lie: at random places, or on a grid, --stride apart.")
    ] = TrainSettings.sampling,
    stride: Annotated[
        int | None,
        typer.Option("--stride", help="HR pixels between patches of --sampling strided. Default: half a patch."),
    ] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="Highest learning rate.")] = None,
    schedule: Annotated[
        Schedule | None,
        typer.Option("--schedule", help="How the learning rate falls: as a cosine, in steps, or not at all."),
    ] = None,
    decay_every: Annotated[
        int | None,
        typer.Option(
            "--decay-every",
            help="Epochs between the steps of --schedule steps. Default: as published; the published share of a budget "
            "of --steps or --minutes.",
        ),
    ] = None,
    decay_factor: Annotated[
        float | None,
        typer.Option("--decay-factor", help="Factor of the learning rate at each step of --schedule steps."),
    ] = None,
    beta1: Annotated[
        float | None,
        typer.Option("--beta1", help="Decay of the optimiser's running mean of gradients (AdamW's beta 1)."),
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option("--weight-decay", help="Weight decay of AdamW; 0 makes it Adam.")
    ] = None,
    ema: Annotated[
        float | None, typer.Option("--ema", help="Decay of the running mean of weights; 0 for no mean.")
    ] = None,
    clip: Annotated[
        float | None, typer.Option("--clip", help="Largest norm of the gradient; a larger gradient is scaled down.")
    ] = None,
    input_noise: Annotated[
        float | None,
        typer.Option("--input-noise", help="Standard deviation of noise that is added to the network's inputs."),
    ] = None,
    pool: Annotated[
        int | None,
        typer.Option(
            "--pool",
            help="Patches to make once and use again; 0 makes all anew. Default: 256 with --anchor kriging, else 0.",
        ),
    ] = None,
    components: Annotated[
        int, typer.Option("--components", help="Spectral components of the residual that --variant anchored predicts.")
    ] = TrainSettings.components,
    inverse_weight: Annotated[
        float | None,
        typer.Option("--inverse-weight", help="Weight of PIF-Net's invertibility loss, L_inv. Default: 0.01."),
    ] = None,
    cosine_weight: Annotated[
        float | None, typer.Option("--cosine-weight", help="Weight of PIF-Net's cosine loss. Default: 0.1.")
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            "--network",
            metavar="NAME=VALUE",
            help="Argument of the network's constructor, such as width=32; repeatable.",
        ),
    ] = None,
    ratio: options.Ratio = SimulateSettings.ratio,
    protocol: options.SensorProtocol = SimulateSettings.protocol,
    mtf: options.Mtf = SimulateSettings.mtf_at_nyquist,
    srf: options.Srf = SimulateSettings.srf,
    hsi_snr: options.HsiSnr = None,
    msi_snr: options.MsiSnr = None,
    shift: options.Shift = SimulateSettings.shift,
    phase: Annotated[
        Phase,
        typer.Option(
            "--phase",
            help="Position of LR pixels. true: from the map; naive: upper left corners coincide, as in published code.",
        ),
    ] = TrainSettings.phase,
    seed: Annotated[int, typer.Option("--seed", help="Seed of weights, patches and noise.")] = TrainSettings.seed,
    device: options.DeviceChoice = TrainSettings.device,
    precision: options.PrecisionChoice = TrainSettings.precision,
    log: Annotated[
        Log, typer.Option("--log", help="Record of the training: history.jsonl alone, or TensorBoard's files besides.")
    ] = (TrainSettings.log),
    overwrite: options.OverwriteFlag = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a network on simulated pairs, on real pairs with a reference, or on reference scenes.

    The sensor model applies to reference scenes; a simulated pair brings its own.

    Example: pifnet train pair -o model --minutes 10
    """
    arguments = _hyper_parameters(network or [])

    import pifnet_cli as pifnet

    with reporting(quiet), _training_bar(quiet) as progress:
        result = pifnet.train(
            inputs,
            output,
            method=method,
            variant=variant,
            anchor=anchor,
            minutes=minutes,
            steps=steps,
            epochs=epochs,
            resume=resume,
            validation=validation or (),
            validation_share=validation_share,
            validations=validations,
            patch_size=patch_size,
            batch_size=batch_size,
            sampling=sampling,
            stride=stride,
            learning_rate=learning_rate,
            schedule=schedule,
            decay_every=decay_every,
            decay_factor=decay_factor,
            beta1=beta1,
            weight_decay=weight_decay,
            ema=ema,
            clip=clip,
            input_noise=input_noise,
            pool=pool,
            components=components,
            inverse_weight=inverse_weight,
            cosine_weight=cosine_weight,
            network=arguments,
            ratio=ratio,
            protocol=protocol,
            mtf=mtf,
            srf=srf,
            hsi_snr=hsi_snr,
            msi_snr=msi_snr,
            shift=shift,
            phase=phase,
            seed=seed,
            device=device,
            precision=precision,
            log=log,
            overwrite=overwrite,
            progress=progress,
        )
    start = Anchor.KRIGING if result.anchor == Anchor.KRIGING else Anchor.REGRESSION
    print_record(result.record, as_json=as_json, for_people=lambda record: _in_short(record, start))


def _in_short(record: Mapping[str, Any], start: Anchor) -> dict[str, object]:
    """The record with the best scores in a line, beside those of what the network starts from."""
    told = {name: record[name] for name in ("checkpoint", "method", "variant", "steps", "minutes")}
    best = record["best"]
    if "psnr_db" in best:
        told["held-out PSNR"] = (
            f"{best['psnr_db']:.2f} dB at step {best['step']} "
            f"({start.value} {best['anchor_psnr_db']:.2f}, interpolation {best['upsampled_psnr_db']:.2f})"
        )
    return told


def _hyper_parameters(assignments: list[str]) -> dict[str, HyperParameter]:
    """NAME=VALUE -> numbers where they are numbers, else text; whether `none` is a word, the network knows."""
    chosen = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.isidentifier() or not value:
            raise typer.BadParameter(f"{assignment!r}: NAME=VALUE was expected, as width=32", param_hint="--network")
        chosen[name] = _number(value)
    return chosen


def _number(text: str) -> HyperParameter:
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
