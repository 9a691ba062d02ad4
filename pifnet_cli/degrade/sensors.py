"""Named multispectral sensors: their bands as the agencies and makers publish them, as smooth-shouldered boxes.

Each band is a pair of wavelengths at half of the maximum response, in nanometres. Sources: ESA, Sentinel-2 MSI
(Sentinel-2A centres and bandwidths); USGS, Landsat band designations (TM, ETM+, OLI); NASA, EO-1 ALI; the data sheets
of QuickBird, IKONOS, GeoEye-1, WorldView-2 and -3 (DigitalGlobe / Maxar), Pleiades (CNES, Airbus), RapidEye and
PlanetScope (Planet). Measured responses differ in detail: `--srf FILE.csv` takes a table of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP_NM = 0.5
SHOULDER = 0.2  # width of an edge's rise from nothing to full, as a share of the band's width


@dataclass(frozen=True, slots=True, eq=False)
class BandResponse:
    """One band's relative response over wavelength; zero outside the given wavelengths.

    Attributes:
        name: The band, as its sensor calls it.
        wavelengths_nm: (n,), increasing.
        response: (n,), 0 or more, any scale.
    """

    name: str
    wavelengths_nm: NDArray[np.float64]
    response: NDArray[np.float64]


Edges = dict[str, tuple[float, float]]


def _around(**centres_and_widths: tuple[float, float]) -> Edges:
    return {name: (centre - width / 2, centre + width / 2) for name, (centre, width) in centres_and_widths.items()}


_SENTINEL_2 = _around(
    B2=(492.4, 66),
    B3=(559.8, 36),
    B4=(664.6, 31),
    B5=(704.1, 15),
    B6=(740.5, 15),
    B7=(782.8, 20),
    B8=(832.8, 106),
    B8A=(864.7, 21),
    B11=(1613.7, 91),
    B12=(2202.4, 175),
)
_OLI: Edges = {
    "Coastal": (435, 451),
    "Blue": (452, 512),
    "Green": (533, 590),
    "Red": (636, 673),
    "NIR": (851, 879),
    "SWIR1": (1566, 1651),
    "SWIR2": (2107, 2294),
}
_WORLDVIEW: Edges = {
    "Coastal": (400, 450),
    "Blue": (450, 510),
    "Green": (510, 580),
    "Yellow": (585, 625),
    "Red": (630, 690),
    "RedEdge": (705, 745),
    "NIR1": (770, 895),
    "NIR2": (866, 954),  # the effective band; silicon does not see the nominal 1040 nm
}

SENSORS: dict[str, Edges] = {
    # The ten bands at 10 and 20 m; those at 60 m (B1, B9, B10) serve atmospheric correction and sharpen nothing.
    "sentinel-2": _SENTINEL_2,
    "sentinel-2-10m": {name: _SENTINEL_2[name] for name in ("B2", "B3", "B4", "B8")},
    "landsat-5": {
        "Blue": (450, 520),
        "Green": (520, 600),
        "Red": (630, 690),
        "NIR": (760, 900),
        "SWIR1": (1550, 1750),
        "SWIR2": (2080, 2350),
    },
    "landsat-7": {
        "Blue": (441, 514),
        "Green": (519, 601),
        "Red": (631, 692),
        "NIR": (772, 898),
        "SWIR1": (1547, 1749),
        "SWIR2": (2064, 2345),
    },
    "landsat-8": _OLI,
    "landsat-9": _OLI,
    "ali": {
        "MS-1p": (433, 453),
        "MS-1": (450, 515),
        "MS-2": (525, 605),
        "MS-3": (630, 690),
        "MS-4": (775, 805),
        "MS-4p": (845, 890),
        "MS-5p": (1200, 1300),
        "MS-5": (1550, 1750),
        "MS-7": (2080, 2350),
    },
    "worldview-2": _WORLDVIEW,
    "worldview-3": _WORLDVIEW,
    "worldview-3-swir": _WORLDVIEW
    | {
        "SWIR1": (1195, 1225),
        "SWIR2": (1550, 1590),
        "SWIR3": (1640, 1680),
        "SWIR4": (1710, 1750),
        "SWIR5": (2145, 2185),
        "SWIR6": (2185, 2225),
        "SWIR7": (2235, 2285),
        "SWIR8": (2295, 2365),
    },
    "quickbird": {"Blue": (450, 520), "Green": (520, 600), "Red": (630, 690), "NIR": (760, 900)},
    "ikonos": {"Blue": (445, 516), "Green": (506, 595), "Red": (632, 698), "NIR": (757, 853)},
    "geoeye-1": {"Blue": (450, 510), "Green": (510, 580), "Red": (655, 690), "NIR": (780, 920)},
    "pleiades": {"Blue": (450, 530), "Green": (510, 590), "Red": (620, 700), "NIR": (775, 915)},
    "rapideye": {"Blue": (440, 510), "Green": (520, 590), "Red": (630, 685), "RedEdge": (690, 730), "NIR": (760, 850)},
    "planetscope": {
        "Coastal": (431, 452),
        "Blue": (465, 515),
        "Green1": (513, 549),
        "Green2": (547, 583),
        "Yellow": (600, 620),
        "Red": (650, 680),
        "RedEdge": (697, 713),
        "NIR": (845, 885),
    },
}
ALIASES = {
    "wv2": "worldview-2",
    "wv3": "worldview-3",
    "s2": "sentinel-2",
    "l8": "landsat-8",
    "l9": "landsat-9",
    "eo-1-ali": "ali",
    "quickbird-2": "quickbird",
    "ikonos-2": "ikonos",
    "superdove": "planetscope",
}


def sensor_responses(name: str) -> tuple[BandResponse, ...] | None:
    """The bands of a sensor, by wavelength; None where no sensor has that name (case does not matter)."""
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    edges = SENSORS.get(ALIASES.get(key, key))
    if edges is None:
        return None
    return tuple(shouldered_box(band, low, high) for band, (low, high) in edges.items())


def shouldered_box(name: str, low_nm: float, high_nm: float) -> BandResponse:
    """A band that is one inside, one half at its two edges, and rises and falls as a raised cosine."""
    shoulder = SHOULDER * (high_nm - low_nm)
    wavelengths = np.arange(low_nm - shoulder / 2, high_nm + shoulder / 2 + STEP_NM, STEP_NM)
    inside = np.minimum(wavelengths - low_nm, high_nm - wavelengths)  # distance from the nearer edge
    rise = np.clip(inside / shoulder, -0.5, 0.5)
    return BandResponse(name, wavelengths, (1 + np.sin(np.pi * rise)) / 2)
