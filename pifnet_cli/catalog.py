"""The methods, a row each: what a method is, what it needs, and whom to cite. Loads the standard library only.

A new method is a row here and a file in `pifnet_models`: the command line's choices, `pifnet methods`, the README's
table, planning, statistics, tiling, training and the contract tests read this table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Any, Self, cast

from pifnet_cli.choices import HyperParameter, Schedule
from pifnet_cli.recipe import Optimisation, Recipe
from pifnet_models import references as papers
from pifnet_models.references import Reference


class Kind(StrEnum):
    """How a method is applied to a tile."""

    NETWORK = "network"  # trained; used through a checkpoint
    KRIGING = "kriging"  # solved core by core from the LR pixels around
    POINTWISE = "pointwise"  # from the same pixel of the interpolated scenes
    BLOCK = "block"  # solved for a block of both scenes as a whole


class Statistics(StrEnum):
    """What is gathered of the whole pair before the first tile is fused."""

    REGRESSION = "regression"
    MOMENTS = "moments"


class Gaps(StrEnum):
    """What a method is shown in the gaps of the LR-HSI."""

    LEFT = "left"  # the gaps
    SINGLE_BANDS = "single bands"  # what the HR-MSI explains, where most bands of the pixel are valid
    CLOSED = "closed"  # what the HR-MSI explains


@dataclass(frozen=True)
class MethodFacts:
    """A row of the table.

    Attributes:
        title: What the method is called.
        summary: What it does, in a few words.
        kind: How it is applied to a tile.
        load: Imports the class and returns it: a network is built from numbers, kriging by `from_regression`, another
            method by `from_moments`. Regression is its own statistics.
        papers: What to cite; the first is the method's own.
        statistics: What it is solved from.
        blends_tiles: Whether tiles overlap and are blended, since a pixel depends on the tile that it lies in.
        needs_parallel_grid: Whether LR rows must run along HR rows; the LR-HSI is interpolated where they do not.
        tells_sigma: Whether it says how far it may be off.
        gaps: What it is shown in the gaps of the LR-HSI.
        spares_bad_bands: Whether bands that are marked bad are fused by regression, since they would spoil the others.
        least_bands: Bands of the LR-HSI below which it does worse than interpolation, since it takes bands together.
        takes_ratio: Whether a network is built for a ratio.
        over_anchor: Further arguments of a network that starts from a closed-form anchor.
        recipe: How a network is trained, as published.
        anchored_recipe: How it is trained to correct an anchor in the subspace of its residual, where it can be.
    """

    title: str
    summary: str
    kind: Kind
    load: Callable[[], Any]
    papers: tuple[Reference, ...]
    statistics: Statistics = Statistics.REGRESSION
    blends_tiles: bool = False
    needs_parallel_grid: bool = False
    tells_sigma: bool = False
    gaps: Gaps = Gaps.CLOSED
    spares_bad_bands: bool = False
    least_bands: int = 1
    takes_ratio: bool = True
    over_anchor: Mapping[str, HyperParameter] = field(default_factory=dict)
    recipe: Recipe | None = None
    anchored_recipe: Recipe | None = None


class Method(StrEnum):
    """Ways to fuse a pair: networks, then what needs no training."""

    facts: MethodFacts

    def __new__(cls, name: str, facts: MethodFacts | None = None) -> Self:
        """A name on the command line that carries its row; `Method(name)` alone finds it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.facts = cast("MethodFacts", facts)
        return member

    PIFNET = (
        "pifnet",
        MethodFacts(
            title="PIF-Net",
            summary="Haar wavelets, an invertible Mamba coupling, an ill-posed residual prior, fusion-aware LoRA",
            kind=Kind.NETWORK,
            load=lambda: import_module("pifnet_models.pifnet.network").PIFNet,
            papers=(papers.PIFNET,),
            blends_tiles=True,
            recipe=Recipe(
                patch_size=64,
                batch_size=8,
                optimisation=Optimisation(1e-4, Schedule.STEPS, weight_decay=1e-4, gradient_clip=1.0),
                inverse_weight=0.01,
                cosine_weight=0.1,
                epochs=500,
            ),
            anchored_recipe=Recipe(
                network={"width": 32, "blocks": 1, "pooling_window": 31},
                patch_size=32,
                batch_size=8,
                optimisation=Optimisation(1e-3, Schedule.COSINE, weight_decay=1e-4, gradient_clip=1.0, ema_decay=0.99),
                input_noise=0.01,
                inverse_weight=0.01,
                cosine_weight=0.1,
                minutes=10.0,
            ),
            takes_ratio=False,
        ),
    )
    HSRNET = (
        "hsrnet",
        MethodFacts(
            title="HSRnet",
            summary="a residual network between spatial and spectral attention",
            kind=Kind.NETWORK,
            load=lambda: import_module("pifnet_models.hsrnet").HSRNet,
            papers=(papers.HSRNET,),
            blends_tiles=True,
            recipe=Recipe(
                patch_size=64, batch_size=32, optimisation=Optimisation(1e-4, Schedule.CONSTANT), steps=150_000
            ),
        ),
    )
    FUSFORMER = (
        "fusformer",
        MethodFacts(
            title="Fusformer",
            summary="attention of every pixel to every other",
            kind=Kind.NETWORK,
            load=lambda: import_module("pifnet_models.fusformer").Fusformer,
            papers=(papers.FUSFORMER,),
            blends_tiles=True,
            recipe=Recipe(
                patch_size=64,
                batch_size=3,
                optimisation=Optimisation(1e-3, Schedule.STEPS, decay_factor=0.1),
                epochs=1000,
            ),
        ),
    )
    PSRT = (
        "psrt",
        MethodFacts(
            title="PSRT",
            summary="attention in windows, between whose passes the image is shuffled and put back",
            kind=Kind.NETWORK,
            load=lambda: import_module("pifnet_models.psrt").PSRT,
            papers=(papers.PSRT,),
            blends_tiles=True,
            recipe=Recipe(
                patch_size=64,
                batch_size=32,
                optimisation=Optimisation(1e-4, Schedule.CONSTANT, weight_decay=1e-4, gradient_clip=10.0),
                epochs=2000,
            ),
        ),
    )
    U2NET = (
        "u2net",
        MethodFacts(
            title="U2Net",
            summary="two U-shaped streams that meet in attention over pixels and over channels",
            kind=Kind.NETWORK,
            load=lambda: import_module("pifnet_models.u2net").U2Net,
            papers=(papers.U2NET,),
            blends_tiles=True,
            recipe=Recipe(
                patch_size=64,
                batch_size=16,
                optimisation=Optimisation(1e-3, Schedule.STEPS, decay_every=100),
                epochs=500,
            ),
            over_anchor={"skip": "upsampled"},  # else it learns its skip
        ),
    )
    DT3NET = (
        "3dtnet",
        MethodFacts(
            title="3DT-Net",
            summary="three unfolded stages with one prior, of Swin blocks and 3-D convolutions",
            kind=Kind.NETWORK,
            load=lambda: import_module("pifnet_models.dt3net").DT3Net,
            papers=(papers.DT3NET,),
            blends_tiles=True,
            recipe=Recipe(
                patch_size=64,
                batch_size=8,
                optimisation=Optimisation(1e-4, Schedule.STEPS, decay_every=80),
                epochs=100,
                epoch_patches=20_000,
            ),
        ),
    )
    SMGUNET = (
        "smgunet",
        MethodFacts(
            title="SMGU-Net",
            summary="two unfolded iterations, guided by features of both images",
            kind=Kind.NETWORK,
            load=lambda: import_module("pifnet_models.smgunet").SMGUNet,
            papers=(papers.SMGUNET,),
            blends_tiles=True,
            recipe=Recipe(
                patch_size=64,  # its authors state none; the others' is taken
                batch_size=2,
                optimisation=Optimisation(1e-4, Schedule.STEPS, decay_every=1000, decay_factor=0.1, beta1=0.5),
                epochs=2001,
            ),
        ),
    )
    KRIGING = (
        "kriging",
        MethodFacts(
            title="guided kriging (pifnet's own), after ATPRK",
            summary="the regression, and its residual predicted between the LR pixels from position *and* HR-MSI "
            "through the sensor's exact blur, the HR-MSI's noise taken out; the most accurate; the default",
            kind=Kind.KRIGING,
            load=lambda: import_module("pifnet_models.kriging.kriging").GuidedKriging,
            papers=(papers.ATPRK,),
            needs_parallel_grid=True,
            tells_sigma=True,
            gaps=Gaps.SINGLE_BANDS,
        ),
    )
    REGRESSION = (
        "regression",
        MethodFacts(
            title="regression and residual (pifnet's own), after hyper-sharpening",
            summary="HSI bands regressed on the MSI bands at LR, applied at HR, plus the interpolated residual; "
            "robust, seconds",
            kind=Kind.POINTWISE,
            load=lambda: import_module("pifnet_models.kriging.regression").Regression,
            papers=(papers.HYPERSHARPENING,),
        ),
    )
    ATPRK = (
        "atprk",
        MethodFacts(
            title="area-to-point regression kriging",
            summary="the regression, and its residual kriged from position alone",
            kind=Kind.BLOCK,
            load=lambda: import_module("pifnet_models.classical.atprk").ATPRK,
            papers=(papers.ATPRK,),
            statistics=Statistics.MOMENTS,
            needs_parallel_grid=True,
        ),
    )
    GSA = (
        "gsa",
        MethodFacts(
            title="Gram-Schmidt adaptive, band by band",
            summary="component substitution, each HSI band by its nearest MSI band",
            kind=Kind.POINTWISE,
            load=lambda: import_module("pifnet_models.classical.gsa").GSA,
            papers=(papers.GSA,),
            statistics=Statistics.MOMENTS,
            least_bands=2,
        ),
    )
    GLP = (
        "glp",
        MethodFacts(
            title="MTF-GLP hyper-sharpening",
            summary="the detail of a synthetic fine band for every HSI band, at the sensor's MTF",
            kind=Kind.POINTWISE,
            load=lambda: import_module("pifnet_models.classical.glp").GLP,
            papers=(papers.GLP, papers.HYPERSHARPENING),
            statistics=Statistics.MOMENTS,
        ),
    )
    SFIM = (
        "sfim",
        MethodFacts(
            title="SFIM hyper-sharpening",
            summary="the same detail as a factor instead of a sum",
            kind=Kind.POINTWISE,
            load=lambda: import_module("pifnet_models.classical.sfim").SFIM,
            papers=(papers.SFIM, papers.HYPERSHARPENING),
            statistics=Statistics.MOMENTS,
        ),
    )
    BROVEY = (
        "brovey",
        MethodFacts(
            title="Brovey, haze-corrected",
            summary="every HSI band times a ratio of MSI bands",
            kind=Kind.POINTWISE,
            load=lambda: import_module("pifnet_models.classical.brovey").Brovey,
            papers=(papers.BROVEY,),
            statistics=Statistics.MOMENTS,
            least_bands=2,
        ),
    )
    CNMF = (
        "cnmf",
        MethodFacts(
            title="coupled non-negative matrix factorisation",
            summary="both scenes unmixed in turn into the same materials",
            kind=Kind.BLOCK,
            load=lambda: import_module("pifnet_models.classical.cnmf").CNMF,
            papers=(papers.CNMF,),
            statistics=Statistics.MOMENTS,
            least_bands=2,
            blends_tiles=True,
            needs_parallel_grid=True,
            spares_bad_bands=True,
        ),
    )
    HYSURE = (
        "hysure",
        MethodFacts(
            title="HySure",
            summary="a spectral subspace whose abundances have little total variation",
            kind=Kind.BLOCK,
            load=lambda: import_module("pifnet_models.classical.hysure").HySure,
            papers=(papers.HYSURE,),
            statistics=Statistics.MOMENTS,
            least_bands=2,
            blends_tiles=True,
            needs_parallel_grid=True,
            spares_bad_bands=True,
        ),
    )
    BICUBIC = (
        "bicubic",
        MethodFacts(
            title="interpolation of the LR-HSI alone, at its true phase",
            summary="cubic interpolation of the LR-HSI; what every method must beat",
            kind=Kind.POINTWISE,
            load=lambda: import_module("pifnet_models.classical.bicubic").Bicubic,
            papers=(papers.KEYS,),
            statistics=Statistics.MOMENTS,
            gaps=Gaps.LEFT,
        ),
    )

    @property
    def is_network(self) -> bool:
        """Whether it is trained, and used through a checkpoint."""
        return self.facts.kind is Kind.NETWORK


NETWORKS = tuple(method for method in Method if method.is_network)
