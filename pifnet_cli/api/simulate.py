"""`pifnet.simulate`: a pair of which the truth is known."""

from pifnet_cli.api.words import Pair, PathLike, choice, overwrite_of, path_of, srf_of
from pifnet_cli.choices import Protocol, SceneFormat
from pifnet_cli.progress import Progress, silent
from pifnet_cli.results import Simulated
from pifnet_cli.settings import SimulateSettings


def simulate(
    scene: PathLike,
    output: PathLike,
    *,
    ratio: float = SimulateSettings.ratio,
    protocol: str = SimulateSettings.protocol,
    srf: str = SimulateSettings.srf,
    mtf: float = SimulateSettings.mtf_at_nyquist,
    hsi_snr: float | None = None,
    msi_snr: float | None = None,
    seed: int = SimulateSettings.seed,
    shift: Pair = SimulateSettings.shift,
    format: str = SimulateSettings.scene_format,  # noqa: A002 - the option's name
    block_size: int = SimulateSettings.block_size,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Simulated:
    """Degrade a hyperspectral scene into an LR-HSI and an HR-MSI, and keep it as their reference: `pifnet simulate`.

    Args:
        scene: The HR-HSI.
        output: The folder of the three scenes and of `simulation.json`.
        ratio: HR pixels along the side of an LR pixel; any number with the protocol mtf.
        protocol: paper (3 x 3 blur, pixel 0 of each block) or mtf (Gaussian, block centres).
        srf: Bands of the HR-MSI: a sensor, FILE.csv, or boxes:N.
        mtf: MTF of the hyperspectral sensor at the LR Nyquist frequency.
        hsi_snr: Noise on the LR-HSI: SNR of each band, dB.
        msi_snr: The same of the HR-MSI.
        seed: Seed of the noise.
        shift: (rows, columns): how far, in HR pixels, what the LR-HSI shows lies down and right of where its
            georeferencing puts it.
        format: geotiff or envi.
        block_size: HR pixels worked on at once; changes memory, not results.
        overwrite: Replace outputs that exist.
        progress: See `pifnet_cli.api`.

    Raises:
        PifnetError: The scene cannot be used, the SRF does not fit it, or the folder cannot be written.

    Example:
        >>> import pifnet_cli as pifnet
        >>> pair = pifnet.simulate("sample_data/reference.tif", "pair", ratio=3, mtf=0.3)
        >>> pair.lr_hsi.name, pair.ratio
        ('lr_hsi.tif', 3)
    """
    settings = SimulateSettings(
        ratio=ratio,
        protocol=choice(Protocol, "--protocol", protocol),
        mtf_at_nyquist=mtf,
        srf=srf_of(srf),
        hsi_snr_db=hsi_snr,
        msi_snr_db=msi_snr,
        seed=seed,
        shift=shift,
        scene_format=choice(SceneFormat, "--format", format),
        block_size=block_size,
        overwrite=overwrite_of(overwrite),
    )
    from pifnet_cli.workflows.simulate import simulate_scene

    pair = simulate_scene(path_of(scene), path_of(output), settings, progress=progress or silent)
    return Simulated(
        lr_hsi=pair.lr_hsi.path,
        hr_msi=pair.hr_msi.path,
        reference=pair.reference.path,
        simulation=pair.record_path,
        ratio=pair.sensor.ratio,
        record=pair.record(),
    )
