"""Facts of a pair, band by band: how much the HR-MSI explains of the LR-HSI, noise, spectral response."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.degrade.psf import Psf
from pifnet_cli.degrade.sampling import clear_of_holes
from pifnet_cli.estimation.blur_and_shift import sample_windows
from pifnet_cli.estimation.blur_and_shift_fit import FINEST_NOISE
from pifnet_cli.estimation.response import SpectralResponse, estimate_response
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.pair.tile import degrade_msi
from pifnet_cli.scene import Bands, Pixels, Window
from pifnet_models.classical.moments import SceneMoments
from pifnet_models.kriging.noise import hsi_noise_std, noise_about_neighbours
from pifnet_models.kriging.regression import Regression, RegressionSums

Floats = NDArray[np.float64]
ReadWindow = Callable[[Window], Pixels]


@dataclass(frozen=True, slots=True, eq=False)
class PairFacts:
    """Facts of the bands of a pair, from a few of its windows.

    Attributes:
        regression: Of the LR-HSI on the degraded HR-MSI.
        noise: (C,), standard deviations of the LR-HSI's noise, pixel units; zero where a band does not tell.
        response: How the HR-MSI's bands follow from those of the LR-HSI.
        wavelengths_nm: (C,) of the LR-HSI; None where the file gives none.
    """

    regression: Regression
    noise: Floats
    response: SpectralResponse
    wavelengths_nm: Floats | None

    @property
    def explained(self) -> Floats:
        """(C,), share of each band's variance over LR pixels that the HR-MSI explains."""
        return self.regression.explained

    def band_records(self) -> list[dict[str, object]]:
        """A record for each band of the LR-HSI."""
        places = [None] * len(self.noise) if self.wavelengths_nm is None else self.wavelengths_nm.tolist()
        return [
            {"band": band, "wavelength_nm": place, "explained": round(float(share), 5), "noise": _rounded(noise)}
            for band, (place, share, noise) in enumerate(zip(places, self.explained, self.noise, strict=True), start=1)
        ]

    def response_records(self, msi: Bands, msi_noise: Floats) -> list[dict[str, object]]:
        """A record for each band of the HR-MSI; centre and width in nanometres, or in bands of the LR-HSI.

        Args:
            msi: These bands.
            msi_noise: (M,), standard deviations of their noise.
        """
        unit, places = ("bands", np.arange(1.0, len(self.noise) + 1)) if self.wavelengths_nm is None else (
            "nm", self.wavelengths_nm)  # fmt: skip
        found, declared = self.response, msi.wavelengths_nm
        centres, widths = found.centres(places), found.widths(places)
        return [
            {
                "band": band + 1,
                "name": msi.names[band] if msi.names else None,
                f"centre_{unit}": round(float(centres[band]), 2),
                f"width_{unit}": round(float(widths[band]), 2),
                "declared_centre_nm": None if declared is None else float(declared[band]),
                "explained": round(float(found.explained[band]), 5),
                "noise": _rounded(msi_noise[band]),
            }
            for band in range(len(centres))
        ]


def pair_facts(read_lr: ReadWindow, read_hr: ReadWindow, *, alignment: Alignment, psf: Psf, bands: Bands) -> PairFacts:
    """Read a few windows of a pair and find the facts of its bands.

    Args:
        read_lr: LR window -> (C, h, w).
        read_hr: HR window -> (M, H, W).
        alignment: How the scenes lie on each other.
        psf: The hyperspectral sensor's blur, in HR pixels.
        bands: Of the LR-HSI.

    Raises:
        ValueError: Too few LR pixels are valid in both scenes.
    """
    hsi, msi = [], []
    for window in sample_windows(alignment):
        reach = alignment.hr_window(window, psf.radius)
        if window.is_empty or reach.is_empty:
            continue
        at = alignment.hr_positions(window).moved(reach.row, reach.column)
        lr_hsi, hr_msi = read_lr(window), read_hr(reach)
        seen = degrade_msi(hr_msi, at, psf)
        seen[:, ~clear_of_holes(hr_msi, at, reach=(psf.radius, psf.radius))] = np.nan
        hsi.append(lr_hsi.reshape(len(lr_hsi), -1))
        msi.append(seen.reshape(len(seen), -1))
    if not hsi:
        raise ValueError("no LR pixel is valid in both scenes")
    spectra, broad = np.concatenate(hsi, axis=1), np.concatenate(msi, axis=1)
    sums = RegressionSums(hsi_bands=len(spectra), msi_bands=len(broad))
    sums.add(spectra, broad)
    regression = sums.solve()
    noise, wavelengths = hsi_noise_std(regression), bands.wavelengths_nm
    known = wavelengths if wavelengths is not None and np.isfinite(wavelengths).all() else None
    response = estimate_response(spectra, broad, noise=noise, wavelengths=known)
    return PairFacts(regression, noise, response, known)


def response_table(facts: PairFacts, msi: Bands) -> str:
    """The responses as a table that `pifnet simulate --srf FILE.csv` takes; empty where there are no wavelengths."""
    if facts.wavelengths_nm is None:
        return ""
    lines = ["band,wavelength_nm,response"]
    order = np.argsort(facts.wavelengths_nm)
    for band, weights in enumerate(facts.response.relative):
        name = msi.names[band] if msi.names else f"band {band + 1}"
        peak = max(float(weights.max()), np.finfo(np.float64).tiny)
        lines += [f'"{name}",{facts.wavelengths_nm[i]:.6g},{weights[i] / peak:.6g}' for i in order]
    return "\n".join(lines) + "\n"


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def measurable_noise_std(moments: SceneMoments) -> NDArray[np.float64]:
    """Noise of each band of the LR-HSI, (C,), where there is enough of it to measure scores against.

    What a band alone shows of the ground counts as noise too.

    Args:
        moments: All bands live, in the order of their wavelengths or nearly so.

    Returns:
        Standard deviations; NaN where there are too few neighbours or pixels, or less noise than arithmetic makes
        (80 dB).
    """
    covariance, bands = moments.hsi_covariance, len(moments.hsi_mean)
    std = noise_about_neighbours(covariance, live=np.full(bands, fill_value=True), pixels=moments.pixels)
    least = FINEST_NOISE * np.sqrt(covariance.diagonal() + np.square(moments.hsi_mean))
    return np.asarray(np.where(std > least, std, np.nan))
