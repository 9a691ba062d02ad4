from pathlib import Path

import numpy
import numpy as np
import rasterio

from pifnet_cli import __version__
from pifnet_cli.catalog import Method
from pifnet_cli.pages.provenance import files_table, options_table, versions_table
from pifnet_cli.settings import FuseSettings
from scenes import write_scene


def test_every_file_of_a_scene_is_listed_with_its_size(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "a.hdr", np.ones((2, 30, 40), dtype=np.float32))
    rows = files_table([("LR-HSI", scene), ("checkpoint", tmp_path), ("gone", tmp_path / "gone")]).rows
    assert [row[:3] for row in rows] == [
        ("LR-HSI", str(tmp_path / "a.img"), "9 600"),
        ("LR-HSI", str(scene), str(scene.stat().st_size)),
        ("checkpoint", str(tmp_path), "folder"),
        ("gone", str(tmp_path / "gone"), ""),
    ]


def test_options_are_told_in_words() -> None:
    facts = dict(options_table(FuseSettings(method=Method.GSA, creation_options=("A=1", "B=2"))).rows)
    assert facts["method"] == "gsa"
    assert facts["creation options"] == "A=1, B=2"
    assert facts["scale"] == "not given"
    assert facts["tile size"] == "288"


def test_versions_are_those_that_run() -> None:
    facts = dict(versions_table().rows)
    assert facts["pifnet"] == __version__
    assert facts["numpy"] == numpy.__version__
    assert facts["GDAL"] == rasterio.__gdal_version__
