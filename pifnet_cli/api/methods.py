"""`pifnet.methods`: what `method=` takes."""

from pifnet_cli.catalog import Method
from pifnet_cli.results import MethodEntry
from pifnet_cli.settings import MethodsSettings


def methods(
    *,
    hsi_bands: int = MethodsSettings.hsi_bands,
    msi_bands: int = MethodsSettings.msi_bands,
    ratio: int = MethodsSettings.ratio,
) -> list[MethodEntry]:
    """List the methods, networks first: `pifnet methods`.

    Args:
        hsi_bands: Bands of the LR-HSI that networks are sized for.
        msi_bands: Bands of the HR-MSI.
        ratio: GSD of the LR-HSI over that of the HR-MSI.

    Raises:
        SettingsError: A network cannot be built for these bands and this ratio.

    Example:
        >>> import pifnet_cli as pifnet
        >>> {method.name: method.kind for method in pifnet.methods()}["kriging"]
        'training-free'
    """
    settings = MethodsSettings(hsi_bands=hsi_bands, msi_bands=msi_bands, ratio=ratio)
    from pifnet_cli.workflows.methods import list_methods

    return [
        MethodEntry(
            name=record["name"],
            title=record["title"],
            kind=record["kind"],
            parameters=record["parameters"],
            paper=record["paper"],
            doi=record["doi"],
            bibtex=tuple(paper.bibtex() for paper in Method(record["name"]).facts.papers),
            record=record,
        )
        for record in list_methods(settings)
    ]
