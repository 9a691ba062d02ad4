"""`pifnet.info`: what pifnet sees in a file."""

from pifnet_cli.api.words import PathLike, path_of
from pifnet_cli.results import Described


def info(file: PathLike) -> Described:
    """Tell what pifnet sees in a raster or a checkpoint: `pifnet info`.

    Args:
        file: ENVI or GeoTIFF, or a checkpoint.

    Raises:
        PifnetError: The file cannot be used.

    Example:
        >>> import pifnet_cli as pifnet
        >>> scene = pifnet.info("sample_data/lr.hdr")
        >>> scene.bands, scene.height, scene.width, scene.gsd
        (80, 54, 54, [30.0, 30.0])
    """
    from pifnet_cli.workflows.info import file_record

    return Described(file_record(path_of(file)))
