"""Does training work? Both variants on the AVIRIS crops (x4, `paper` protocol, four boxes of bands), test crops unseen.

python benchmarks/aviris_training.py DATA/aviris_los_angeles [--anchored-steps 1500] [--paper-steps 750]

Trains on airport-1, airport-3 and urban-4, their last fifth of rows held out to choose the checkpoint; fuses airport-2
and urban-5 by regression and by both checkpoints; prints the held-out curves and the mean PSNR of the test crops.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
import scipy.io
import torch
from affine import Affine

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Protocol, Schedule, Variant
from pifnet_cli.metrics.with_reference import scores
from pifnet_cli.pair.resample import CubicResampler
from pifnet_cli.scene import Positions
from pifnet_cli.settings import FuseSettings, RecipeOverrides, SimulateSettings, TrainSettings
from pifnet_cli.training.history import read_history
from pifnet_cli.workflows.fuse import fuse_scene
from pifnet_cli.workflows.simulate import simulate_scene
from pifnet_cli.workflows.train import train_model

TRAINING, TEST = ("airport-1", "airport-3", "urban-4"), ("airport-2", "urban-5")
DEGRADATION = SimulateSettings(ratio=4, protocol=Protocol.PAPER, srf="boxes:4")
UNITS_PER_REFLECTANCE = 10_000


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--anchored-steps", type=int, default=1500)
    parser.add_argument("--paper-steps", type=int, default=750)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        crops = {name: crop(options.data / f"abu-{name}.mat", work / f"{name}.tif") for name in (*TRAINING, *TEST)}
        for name in TEST:
            simulate_scene(crops[name], work / name, DEGRADATION)
        print(f"{options.threads} threads, seed {options.seed}")
        print(f"interpolation {interpolation_psnr(work):.2f} dB, regression {mean_psnr(work):.2f} dB on the test crops")
        for settings in (anchored(options), paper(options)):
            model = work / settings.variant
            result = train_model([crops[name] for name in TRAINING], model, settings)
            print(json.dumps(result.record()))
            for line in read_history(model):
                score = f"held-out {line['psnr_db']:.2f} dB ({line['gain_db']:+.2f} over regression)"
                print(f"  {settings.variant} step {line['step']:5d} {line['seconds']:6.0f} s  {score}")
            for kind, path in (("best", model), ("last", model / "last.safetensors")):
                score = mean_psnr(work, checkpoint=path)
                print(f"{settings.variant}, {kind} checkpoint: {score:.2f} dB on the test crops")


def anchored(options: argparse.Namespace) -> TrainSettings:
    """The default recipe, with a budget in steps: minutes depend on what else the processor does."""
    return TrainSettings(degradation=DEGRADATION, steps=options.anchored_steps, seed=options.seed)


def paper(options: argparse.Namespace) -> TrainSettings:
    """The paper's network at full width; its recipe (500 epochs at 1e-4, 8 x 64 x 64) shortened for a CPU."""
    return TrainSettings(
        variant=Variant.PAPER,
        degradation=DEGRADATION,
        steps=options.paper_steps,
        overrides=RecipeOverrides(
            patch_size=32, batch_size=2, learning_rate=1e-3, schedule=Schedule.COSINE, ema_decay=0.99
        ),
        seed=options.seed,
    )


def crop(source: Path, target: Path) -> Path:
    """A crop in reflectance, negative noise clipped, as GeoTIFF."""
    stored = scipy.io.loadmat(source)["data"].transpose(2, 0, 1)
    pixels = np.clip(stored.astype(np.float32) / UNITS_PER_REFLECTANCE, 0, None)
    bands, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": "float32"}
    with rasterio.open(target, "w", **profile, crs="EPSG:32611", transform=Affine(10, 0, 0, 0, -10, 0)) as dataset:
        dataset.write(pixels)
    return target


def mean_psnr(work: Path, *, checkpoint: Path | None = None) -> float:
    """Mean over the test crops, whole cubes; the regression where there is no checkpoint."""
    found = []
    for name in TEST:
        pair, output = work / name, work / f"{name}_fused.tif"
        output.unlink(missing_ok=True)
        settings = FuseSettings(method=Method.PIFNET if checkpoint else Method.REGRESSION, protocol=Protocol.PAPER)
        fuse_scene(pair / "lr_hsi.tif", pair / "hr_msi.tif", output, replace(settings, checkpoint=checkpoint))
        with rasterio.open(output) as fused, rasterio.open(pair / "reference.tif") as reference:
            found.append(scores(fused.read(), reference.read(), ratio=4).psnr)
    return float(np.mean(found))


def interpolation_psnr(work: Path) -> float:
    """Phase-correct cubic interpolation of the LR-HSI, mean over the test crops."""
    found = []
    for name in TEST:
        with rasterio.open(work / name / "lr_hsi.tif") as lr, rasterio.open(work / name / "reference.tif") as reference:
            image, truth = lr.read(), reference.read()
        height, width = image.shape[1:]
        at = Positions(np.arange(truth.shape[1]) / DEGRADATION.ratio, np.arange(truth.shape[2]) / DEGRADATION.ratio)
        upsampled = CubicResampler(at, height=height, width=width, reach=1.0)(image)
        found.append(scores(upsampled, truth, ratio=DEGRADATION.ratio).psnr)
    return float(np.mean(found))


if __name__ == "__main__":
    main()
