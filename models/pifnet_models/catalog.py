"""Which methods exist. Naming them costs nothing; a class is imported when it is asked for."""

from enum import StrEnum
from typing import Any


class ModelName(StrEnum):
    """Every network that can be trained and used."""

    PIFNET = "pifnet"
    HSRNET = "hsrnet"
    FUSFORMER = "fusformer"
    PSRT = "psrt"
    U2NET = "u2net"
    DT3NET = "3dtnet"
    SMGUNET = "smgunet"


class PointwiseName(StrEnum):
    """Training-free methods whose pixels depend on the same pixel of their input planes."""

    GSA = "gsa"
    GLP = "glp"
    SFIM = "sfim"
    BROVEY = "brovey"
    BICUBIC = "bicubic"


class BlockName(StrEnum):
    """Training-free methods that solve for a block as a whole."""

    ATPRK = "atprk"
    CNMF = "cnmf"
    HYSURE = "hysure"


def network_class(name: ModelName) -> type:
    """The class behind a name; a `torch.nn.Module` that follows `pifnet_models.interface.FusionNetwork`."""
    match name:
        case ModelName.PIFNET:
            from pifnet_models.pifnet.network import PIFNet

            return PIFNet
        case ModelName.HSRNET:
            from pifnet_models.hsrnet import HSRNet

            return HSRNet
        case ModelName.FUSFORMER:
            from pifnet_models.fusformer import Fusformer

            return Fusformer
        case ModelName.PSRT:
            from pifnet_models.psrt import PSRT

            return PSRT
        case ModelName.U2NET:
            from pifnet_models.u2net import U2Net

            return U2Net
        case ModelName.DT3NET:
            from pifnet_models.dt3net import DT3Net

            return DT3Net
        case ModelName.SMGUNET:
            from pifnet_models.smgunet import SMGUNet

            return SMGUNet


def training_free_class(name: PointwiseName | BlockName) -> Any:
    """The class behind a name; made by `from_moments`, it is a `PointwiseFusion` or a `BlockFusion`."""
    return _block_class(name) if isinstance(name, BlockName) else _pointwise_class(name)


def _pointwise_class(name: PointwiseName) -> Any:
    match name:
        case PointwiseName.GSA:
            from pifnet_models.classical.gsa import GSA

            return GSA
        case PointwiseName.GLP:
            from pifnet_models.classical.glp import GLP

            return GLP
        case PointwiseName.SFIM:
            from pifnet_models.classical.sfim import SFIM

            return SFIM
        case PointwiseName.BROVEY:
            from pifnet_models.classical.brovey import Brovey

            return Brovey
        case PointwiseName.BICUBIC:
            from pifnet_models.classical.bicubic import Bicubic

            return Bicubic


def _block_class(name: BlockName) -> Any:
    match name:
        case BlockName.ATPRK:
            from pifnet_models.classical.atprk import ATPRK

            return ATPRK
        case BlockName.CNMF:
            from pifnet_models.classical.cnmf import CNMF

            return CNMF
        case BlockName.HYSURE:
            from pifnet_models.classical.hysure import HySure

            return HySure


def kriging_class() -> Any:
    """Guided kriging, made by `from_regression`; it brings numba along."""
    from pifnet_models.kriging.kriging import GuidedKriging

    return GuidedKriging
