"""`pifnet.estimate`: what a pair tells of its own sensors."""

from pifnet_cli.api.words import NodataWord, PathLike, choice, optional_path, overwrite_of, pair_nodata, path_of
from pifnet_cli.choices import Align
from pifnet_cli.results import Estimated


def estimate(
    lr_hsi: PathLike,
    hr_msi: PathLike,
    *,
    align: str = Align.SHIFT,
    nodata: NodataWord | None = None,
    hsi_nodata: NodataWord | None = None,
    msi_nodata: NodataWord | None = None,
    srf_csv: PathLike | None = None,
    overwrite: bool = False,
) -> Estimated:
    """Find blur and displacement of a pair, the HR-MSI's response, noise, and the error to expect: `pifnet estimate`.

    Args:
        lr_hsi: The LR-HSI.
        hr_msi: The HR-MSI.
        align: What is looked for: shift, or affine (rotation and scale besides).
        nodata: The stored number of invalid pixels in both scenes, or "none"; by default what they declare.
        hsi_nodata: The same of the LR-HSI alone.
        msi_nodata: The same of the HR-MSI alone.
        srf_csv: Receives the HR-MSI's response, as `simulate(srf=...)` takes it.
        overwrite: Replace that file.

    Raises:
        PifnetError: An input cannot be used, the two do not fit, or they share too few valid pixels.

    Example:
        >>> import pifnet_cli as pifnet
        >>> found = pifnet.estimate("sample_data/lr.hdr", "sample_data/hr.tif")
        >>> [round(value, 2) for value in found.mtf], found.is_reliable
        ([0.3, 0.3], True)
    """
    from pifnet_cli.workflows.estimate import estimate_scene_pair

    found = estimate_scene_pair(
        path_of(lr_hsi),
        path_of(hr_msi),
        choice(Align, "--align", align),
        nodata=pair_nodata(nodata, hsi_nodata, msi_nodata),
        srf_csv=optional_path(srf_csv),
        overwrite=overwrite_of(overwrite),
    )
    record = found.record()
    return Estimated(
        mtf=found.operator.mtf_at_nyquist,
        shift=found.operator.shift_lr,
        shift_error=tuple(record["shift_error_lr_pixels"]),
        is_reliable=found.operator.is_reliable,
        explained=record["explained"],
        expected_error=None if found.facts is None else found.facts.expected_error,
        record=record,
    )
