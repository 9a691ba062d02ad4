"""Which networks exist. Naming them costs nothing; the class is imported when it is asked for."""

from enum import StrEnum


class ModelName(StrEnum):
    """Every network that can be trained and used."""

    PIFNET = "pifnet"


def network_class(name: ModelName) -> type:
    """The class behind a name; a `torch.nn.Module` that follows `models.interface.FusionNetwork`."""
    match name:
        case ModelName.PIFNET:
            from models.pifnet.network import PIFNet

            return PIFNet
