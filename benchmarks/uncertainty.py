"""Are the errors as large as `pifnet fuse --uncertainty` says? On real scenes degraded, by command. Prints Markdown.

python benchmarks/uncertainty.py DATA [--output FILE.md]

Scenes are degraded at a ratio that is no whole number, by two blurs, with noise and a misregistration that `fuse` is
not told; then others at whole ratios, also without noise. Errors are the fused scene less the noise-free reference:
68 % are smaller than their standard deviation where errors are normal and the deviation is right. A reference has noise
of its own, which no method can tell from the pair; the second share counts that too, as its bands' neighbours show it.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from measured import pifnet
from numpy.typing import NDArray
from real_scenes import AVIRIS_TEST, AVIRIS_TRAINING, ENMAP, GROUND, OTHERS, ROSIS, UTM, RealScene
from scipy.stats import spearmanr

from pifnet_cli.degrade.noise import with_noise
from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.degrade.sampling import PsfSampler
from pifnet_cli.scene import Positions
from pifnet_models.kriging.noise import hsi_noise_std
from pifnet_models.kriging.regression import RegressionSums

MSI_BANDS = 4
NOISY, CLEAN = (35.0, 40.0), (None, None)
OTHER_NAMES = "Jasper Ridge", "Salinas A", "Samson", "beach-1", "urban-1"

Cube = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Case:
    """A pair: blur, noise of both scenes in dB, and LR pixels by which they are displaced."""

    scene: RealScene
    ratio: float
    mtf: float
    snr_db: tuple[float | None, float | None]
    shift: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of real scenes")
    parser.add_argument("--output", type=Path, help="Markdown; else it is printed")
    words = parser.parse_args()
    columns = "within sigma", "and own noise", "by band, 5 / 50 / 95 %", "rms sigma / error", "rank correlation"
    lines = ["| pair | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    with tempfile.TemporaryDirectory() as folder:
        for case in _cases():
            if case.scene.is_in(words.data):
                lines.append(_measured(case, words.data, Path(folder)))
                print(lines[-1], flush=True)
    if words.output:
        words.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cases() -> Iterator[Case]:
    others = {scene.name: scene for scene in OTHERS}
    for scene in (*AVIRIS_TEST, others["Samson"], ENMAP):
        for mtf in (0.2, 0.4):
            yield Case(scene, 3.3, mtf, NOISY, 0.4)
    for scene in (*AVIRIS_TRAINING, *AVIRIS_TEST, ROSIS, ENMAP, *(others[name] for name in OTHER_NAMES)):
        for ratio, snr_db in ((2, NOISY), (4, NOISY), (4, CLEAN)):
            yield Case(scene, ratio, 0.3, snr_db, 0.0)


def _measured(case: Case, data: Path, folder: Path) -> str:
    """A row of the table."""
    reference = _reference(case.scene, data, folder)
    _write_pair(case, reference, folder)
    files = [folder / name for name in ("lr.tif", "hr.tif", "fused.tif", "sigma.tif")]
    pifnet("fuse", *files[:2], "-o", files[2], "--method", "kriging", "--uncertainty", files[3], "-q", "--overwrite")
    fused, sigma = (_read(path).astype(np.float64) for path in files[2:])
    reference = reference[:, : fused.shape[1], : fused.shape[2]]
    error, own = np.abs(fused - reference), _own_noise(reference)[:, None, None]
    within = error < sigma
    by_band = " / ".join(f"{value:.2f}" for value in np.quantile(within.mean(axis=(1, 2)), (0.05, 0.5, 0.95)))
    ranks = spearmanr(np.square(sigma).mean(axis=0).ravel(), np.square(error).mean(axis=0).ravel()).statistic
    noise = "no noise" if case.snr_db == CLEAN else "{:g}/{:g} dB".format(*case.snr_db)
    name = f"{case.scene.name}, x{case.ratio:g}, MTF {case.mtf:g}, {noise}, shift {case.shift:g}"
    return (
        f"| {name} | {within.mean():.3f} | {(error < np.hypot(sigma, own)).mean():.3f} | {by_band} | "
        f"{np.sqrt(np.square(sigma).mean() / np.square(error).mean()):.2f} | {ranks:.2f} |"
    )


def _reference(scene: RealScene, data: Path, folder: Path) -> Cube:
    cube = _read(scene.prepared(data, folder))
    cube = np.clip(cube[np.isfinite(cube).all(axis=(1, 2))], 0, None)
    return cube / np.float32(cube.max())


def _write_pair(case: Case, reference: Cube, folder: Path) -> None:
    """Pixels that the LR-HSI shows lie `shift` LR pixels down and right of where its file says."""
    rng, ratio, size = np.random.default_rng(0), case.ratio, reference.shape[1:]
    first = (ratio - 1) / 2 + case.shift * ratio
    at = [np.arange(first, side - 1 + 1e-9, ratio) for side in size]
    psf = gaussian_from_mtf(case.mtf, ratio_rows=ratio, ratio_columns=ratio)
    lr_hsi = PsfSampler(Positions(*at), psf, height=size[0], width=size[1])(reference)
    hr_msi = np.stack([part.mean(axis=0) for part in np.array_split(reference, MSI_BANDS)])
    _write(folder / "lr.tif", with_noise(lr_hsi, case.snr_db[0], rng), GROUND @ Affine.scale(ratio))
    _write(folder / "hr.tif", with_noise(hr_msi, case.snr_db[1], rng), GROUND)


def _own_noise(reference: Cube) -> NDArray[np.float64]:
    """(C,) standard deviations: what the neighbours of a band do not predict of it."""
    sums, flat = RegressionSums(hsi_bands=len(reference), msi_bands=1), reference.reshape(len(reference), -1)
    sums.add(flat, np.random.default_rng(0).normal(size=(1, flat.shape[1])).astype(np.float32))
    return hsi_noise_std(sums.solve())


def _read(path: Path) -> Cube:
    with rasterio.open(path) as dataset:
        return dataset.read(masked=True).astype(np.float32).filled(np.nan)


def _write(path: Path, pixels: Cube, transform: Affine) -> None:
    bands, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, crs=UTM, transform=transform) as dataset:
        dataset.write(pixels.astype(np.float32))


if __name__ == "__main__":
    main()
