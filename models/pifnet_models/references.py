"""The publications to cite."""

from dataclasses import dataclass

ACCENTS = str.maketrans({"õ": r"{\~o}", "é": r"{\'e}"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A publication, in BibTeX's terms.

    `doi` is None where we could not verify it. `source` is its journal, or the proceedings it is in where `kind` is
    `inproceedings`; `details` are fields as volume and pages.
    """

    key: str
    kind: str
    authors: tuple[str, ...]
    title: str
    source: str
    year: int
    doi: str | None
    details: tuple[tuple[str, str], ...] = ()

    @property
    def citation(self) -> str:
        """One line: first author, title, source and year."""
        return f"{self._first}, {self.title}, {self.source}, {self.year}"

    @property
    def short(self) -> str:
        """First author and year."""
        return f"{self._first} {self.year}"

    @property
    def _first(self) -> str:
        family = self.authors[0].split(",")[0]
        return f"{family} et al." if len(self.authors) > 1 else family

    def bibtex(self) -> str:
        """An entry of a bibliography."""
        place = "booktitle" if self.kind == "inproceedings" else "journal"
        entries = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title}}}",
            place: self.source,
            "year": str(self.year),
            **dict(self.details),
            "doi": self.doi,
        }
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in entries.items() if value is not None)
        return f"@{self.kind}{{{self.key},\n{lines}\n}}".translate(ACCENTS)


TGRS = "IEEE Transactions on Geoscience and Remote Sensing"

PIFNET = Reference(
    "li2026pifnet",
    "inproceedings",
    ("Li, Baisong", "Wang, Xingwang", "Xu, Haixiao"),
    "PIF-Net: Ill-Posed Prior Guided Multispectral and Hyperspectral Image Fusion via Invertible Mamba and "
    "Fusion-Aware LoRA",
    "Proceedings of the AAAI Conference on Artificial Intelligence",
    2026,
    "10.1609/aaai.v40i8.37519",
    (("volume", "40"), ("number", "8"), ("pages", "5964--5972")),
)
HSRNET = Reference(
    "hu2022hsrnet",
    "article",
    ("Hu, Jin-Fan", "Huang, Ting-Zhu", "Deng, Liang-Jian", "Jiang, Tai-Xiang", "Vivone, Gemine", "Chanussot, Jocelyn"),
    "Hyperspectral Image Super-Resolution via Deep Spatiospectral Attention Convolutional Neural Networks",
    "IEEE Transactions on Neural Networks and Learning Systems",
    2022,
    "10.1109/TNNLS.2021.3084682",
    (("volume", "33"), ("number", "12"), ("pages", "7251--7265")),
)
FUSFORMER = Reference(
    "hu2022fusformer",
    "article",
    ("Hu, Jin-Fan", "Huang, Ting-Zhu", "Deng, Liang-Jian", "Dou, Hong-Xia", "Hong, Danfeng", "Vivone, Gemine"),
    "Fusformer: A Transformer-Based Fusion Network for Hyperspectral Image Super-Resolution",
    "IEEE Geoscience and Remote Sensing Letters",
    2022,
    "10.1109/LGRS.2022.3194257",
    (("volume", "19"), ("pages", "1--5")),
)
PSRT = Reference(
    "deng2023psrt",
    "article",
    ("Deng, Shang-Qi", "Deng, Liang-Jian", "Wu, Xiao", "Ran, Ran", "Hong, Danfeng", "Vivone, Gemine"),
    "PSRT: Pyramid Shuffle-and-Reshuffle Transformer for Multispectral and Hyperspectral Image Fusion",
    TGRS,
    2023,
    "10.1109/TGRS.2023.3244750",
    (("volume", "61"),),
)
U2NET = Reference(
    "peng2023u2net",
    "inproceedings",
    ("Peng, Siran", "Guo, Chenhao", "Wu, Xiao", "Deng, Liang-Jian"),
    "U2Net: A General Framework with Spatial-Spectral-Integrated Double U-Net for Image Fusion",
    "Proceedings of the 31st ACM International Conference on Multimedia",
    2023,
    "10.1145/3581783.3612084",
    (("pages", "3219--3227"),),
)
DT3NET = Reference(
    "ma2023dt3net",
    "article",
    ("Ma, Qing", "Jiang, Junjun", "Liu, Xianming", "Ma, Jiayi"),
    "Learning a 3D-CNN and Transformer Prior for Hyperspectral Image Super-Resolution",
    "Information Fusion",
    2023,
    "10.1016/j.inffus.2023.101907",
    (("volume", "100"), ("pages", "101907")),
)
SMGUNET = Reference(
    "yan2025smgunet",
    "article",
    ("Yan, Jun", "others"),
    "Spatial-Spectral Unfolding Network with Mutual Guidance for Multispectral and Hyperspectral Image Fusion",
    "Pattern Recognition",
    2025,
    None,
    (("volume", "161"), ("pages", "111277")),
)
ATPRK = Reference(
    "wang2015atprk",
    "article",
    ("Wang, Qunming", "Shi, Wenzhong", "Atkinson, Peter M.", "Zhao, Yuanling"),
    "Downscaling MODIS Images with Area-to-Point Regression Kriging",
    "Remote Sensing of Environment",
    2015,
    "10.1016/j.rse.2015.06.003",
    (("volume", "166"), ("pages", "191--204")),
)
HYPERSHARPENING = Reference(
    "selva2015hypersharpening",
    "article",
    ("Selva, Massimo", "Aiazzi, Bruno", "Butera, Francesco", "Chiarantini, Leandro", "Baronti, Stefano"),
    "Hyper-Sharpening: A First Approach on SIM-GA Data",
    "IEEE Journal of Selected Topics in Applied Earth Observations and Remote Sensing",
    2015,
    "10.1109/JSTARS.2015.2440092",
    (("volume", "8"), ("number", "6"), ("pages", "3008--3024")),
)
GSA = Reference(
    "aiazzi2007gsa",
    "article",
    ("Aiazzi, Bruno", "Baronti, Stefano", "Selva, Massimo"),
    "Improving Component Substitution Pansharpening Through Multivariate Regression of MS+Pan Data",
    TGRS,
    2007,
    "10.1109/TGRS.2007.901007",
    (("volume", "45"), ("number", "10"), ("pages", "3230--3239")),
)
GLP = Reference(
    "aiazzi2006mtfglp",
    "article",
    ("Aiazzi, Bruno", "Alparone, Luciano", "Baronti, Stefano", "Garzelli, Andrea", "Selva, Massimo"),
    "MTF-Tailored Multiscale Fusion of High-Resolution MS and Pan Imagery",
    "Photogrammetric Engineering and Remote Sensing",
    2006,
    "10.14358/PERS.72.5.591",
    (("volume", "72"), ("number", "5"), ("pages", "591--596")),
)
SFIM = Reference(
    "liu2000sfim",
    "article",
    ("Liu, J. G.",),
    "Smoothing Filter-Based Intensity Modulation: A Spectral Preserve Image Fusion Technique for Improving Spatial "
    "Details",
    "International Journal of Remote Sensing",
    2000,
    "10.1080/014311600750037499",
    (("volume", "21"), ("number", "18"), ("pages", "3461--3472")),
)
BROVEY = Reference(
    "gillespie1987brovey",
    "article",
    ("Gillespie, Alan R.", "Kahle, Anne B.", "Walker, Richard E."),
    "Color Enhancement of Highly Correlated Images. II. Channel Ratio and Chromaticity Transformation Techniques",
    "Remote Sensing of Environment",
    1987,
    "10.1016/0034-4257(87)90088-5",
    (("volume", "22"), ("number", "3"), ("pages", "343--365")),
)
CNMF = Reference(
    "yokoya2012cnmf",
    "article",
    ("Yokoya, Naoto", "Yairi, Takehisa", "Iwasaki, Akira"),
    "Coupled Nonnegative Matrix Factorization Unmixing for Hyperspectral and Multispectral Data Fusion",
    TGRS,
    2012,
    "10.1109/TGRS.2011.2161320",
    (("volume", "50"), ("number", "2"), ("pages", "528--537")),
)
HYSURE = Reference(
    "simoes2015hysure",
    "article",
    ("Simões, Miguel", "Bioucas-Dias, José", "Almeida, Luis B.", "Chanussot, Jocelyn"),
    "A Convex Formulation for Hyperspectral Image Superresolution via Subspace-Based Regularization",
    TGRS,
    2015,
    "10.1109/TGRS.2014.2375320",
    (("volume", "53"), ("number", "6"), ("pages", "3373--3388")),
)
KEYS = Reference(
    "keys1981cubic",
    "article",
    ("Keys, Robert G.",),
    "Cubic Convolution Interpolation for Digital Image Processing",
    "IEEE Transactions on Acoustics, Speech, and Signal Processing",
    1981,
    "10.1109/TASSP.1981.1163711",
    (("volume", "29"), ("number", "6"), ("pages", "1153--1160")),
)
