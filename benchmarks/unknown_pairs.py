"""Pairs whose blur, shift and response nobody tells: what is found, and what not knowing costs. Prints Markdown.

python benchmarks/unknown_pairs.py DATA [--mtf 0.2 0.4] [--output FILE.md]

Each scene is degraded by a ratio of 3.3 and a Gaussian of MTF 0.2 or 0.4, displaced by 0.4 LR pixels along both axes,
with noise of 35 and 40 dB; the HR-MSI has the bands of Sentinel-2, 10 nm off. `pifnet estimate` sees the pair alone.
Fused is it by kriging, regression, GSA and interpolation without being told, and by kriging told the truth; of kriging
the share of errors within one predicted standard deviation is given. The truth is the scene. All by the commands.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from measured import pifnet, scores
from real_scenes import AVIRIS_TEST, ENMAP, OTHERS, RealScene

from pifnet_cli.degrade.sensors import sensor_responses

RATIO, SHIFT_LR, RESPONSE_OFF_NM = 3.3, 0.4, 10.0
METHODS = "kriging", "regression", "gsa", "bicubic"
SCENES = [*AVIRIS_TEST, *(scene for scene in OTHERS if scene.name == "Samson"), ENMAP]
WAVELENGTHS = {"Samson": (401.0, 889.0)}  # where the file gives none, as published; evenly spaced
AVIRIS_NM = 400.0, 2500.0
HEAD = (
    "| scene | MTF | MTF found | shift found, LR pixels | responses off, nm: median, worst | kriging | told the truth "
    "| regression | GSA | bicubic | within one sigma |"
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What `pifnet estimate` says, against the truth."""

    mtf: tuple[float, float]
    shift_lr: tuple[float, float]
    response_errors_nm: tuple[float, ...]


def main() -> None:
    """Make every pair, estimate, fuse, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of real scenes")
    parser.add_argument("--mtf", nargs="+", type=float, default=(0.2, 0.4))
    parser.add_argument("--output", type=Path, help="Markdown; else it is printed")
    words = parser.parse_args()
    lines = [HEAD, "|---" * (HEAD.count("|") - 1) + "|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = _shifted_responses(folder)
        for scene in SCENES:
            source = _with_wavelengths(scene, scene.prepared(words.data, folder))
            for mtf in words.mtf:
                lines.append(_line(scene, source, table, mtf, folder))
                print(lines[-1], flush=True)
    if words.output:
        words.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(scene: RealScene, source: Path, table: Path, mtf: float, folder: Path) -> str:
    pair, shift = folder / f"{scene.name}_{mtf}".replace(" ", "_"), str(RATIO * SHIFT_LR)
    pixels = "--ratio", RATIO, "--mtf", mtf, "--shift", shift, shift
    pifnet("simulate", source, "-o", pair, *pixels, "--srf", table, "--hsi-snr", 35, "--msi-snr", 40, "-q")
    found = _findings(pair)
    files = pair / "lr_hsi.tif", pair / "hr_msi.tif", "-o", folder / "fused.tif", "-q", "--overwrite"

    def psnr(*options: object) -> float:
        pifnet("fuse", *files, *options, threads=1)
        return scores(folder / "fused.tif", pair / "reference.tif")["psnr"]

    told = psnr("--method", "kriging", "--mtf", mtf, "--shift", shift, shift)
    regression, gsa, bicubic = (psnr("--method", method) for method in METHODS[1:])
    kriging = psnr("--uncertainty", folder / "sigma.tif")
    covered = _covered(folder / "fused.tif", pair / "reference.tif", folder / "sigma.tif")
    cells = (
        scene.name,
        f"{mtf}",
        " and ".join(f"{value:.3f}" for value in found.mtf),
        " and ".join(f"{value:+.3f}" for value in found.shift_lr),
        f"{np.median(found.response_errors_nm):.1f}, {max(found.response_errors_nm):.1f}",
        *(f"{value:.2f}" for value in (kriging, told, regression, gsa, bicubic)),
        f"{100 * covered:.1f} %",
    )
    return "| " + " | ".join(cells) + " |"


def _findings(pair: Path) -> Findings:
    record = json.loads(pifnet("estimate", pair / "lr_hsi.tif", pair / "hr_msi.tif", "--json", "-q").output)
    with rasterio.open(pair / "hr_msi.tif") as dataset:
        true = [float(dataset.tags(band)["wavelength"]) for band in dataset.indexes]
    responses = record["hr_bands"]
    errors = tuple(abs(response["centre_nm"] - nm) for response, nm in zip(responses, true, strict=True))
    return Findings(tuple(record["mtf_at_nyquist"]), tuple(record["shift_lr_pixels"]), errors)


def _covered(fused: Path, reference: Path, sigma: Path) -> float:
    """Share of errors, over pixels and bands, that are smaller than the predicted standard deviation."""
    images = []
    for path in (fused, reference, sigma):
        with rasterio.open(path) as dataset:
            images.append(dataset.read(masked=True).filled(np.nan))
    error, predicted = np.abs(images[0] - images[1]), images[2]
    known = np.isfinite(error) & np.isfinite(predicted)
    return float((error[known] <= predicted[known]).mean())


def _shifted_responses(folder: Path) -> Path:
    """Sentinel-2's bands, so many nanometres to the right of where they belong."""
    table = folder / "sentinel-2_off.csv"
    rows = ["band,wavelength_nm,response"]
    for band in sensor_responses("sentinel-2") or ():
        samples = zip(band.wavelengths_nm + RESPONSE_OFF_NM, band.response, strict=True)
        rows += [f"{band.name},{nm},{response}" for nm, response in samples]
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


def _with_wavelengths(scene: RealScene, path: Path) -> Path:
    """The file, with evenly spaced wavelengths where it gives none."""
    if scene.cube is not None:
        with rasterio.open(path, "r+") as dataset:
            first, last = WAVELENGTHS.get(scene.name, AVIRIS_NM)
            for band, nm in enumerate(np.linspace(first, last, dataset.count), start=1):
                dataset.update_tags(band, wavelength=f"{nm:.3f}", wavelength_units="Nanometers")
    return path


if __name__ == "__main__":
    main()
