import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scenes import write_scene
from waves import NORTH_UP, Texture, write_pair

SHAPE = (7, 24, 40)
WAVELENGTHS = (460.0, 550.0, 640.0, 700.0, 800.0, 1600.0, 2200.0)


def pifnet(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pifnet_cli", "metrics", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    reference = (1 + np.random.default_rng(0).random(SHAPE)).astype(np.float32)
    return (
        write_scene(folder / "fused.tif", reference + np.float32(0.125), wavelengths=WAVELENGTHS),
        write_scene(folder / "reference.tif", reference, wavelengths=WAVELENGTHS),
    )


def test_json_stands_alone_on_stdout(pair: tuple[Path, Path]) -> None:
    done = pifnet(*pair, "--json")
    assert done.returncode == 0
    record = json.loads(done.stdout)
    assert record["rmse"] == pytest.approx(0.125, rel=1e-6)
    assert record["ergas"] is None
    assert done.stderr.count("\n") == 1
    assert "give --ratio" in done.stderr


def test_options_reach_the_scores(pair: tuple[Path, Path]) -> None:
    done = pifnet(*pair, "--json", "--ratio", 8, "--border", 2, "--compat", "paper")
    record = json.loads(done.stdout)
    assert (record["pixels"], record["ratio"], record["compat"]) == (20 * 36, 4, "paper")
    assert done.stderr.count("\n") == 1
    assert "takes scenes within [0, 1]" in done.stderr


def test_a_table_is_printed_for_the_eye(pair: tuple[Path, Path]) -> None:
    done = pifnet(*pair, "--ratio", 4)
    assert done.returncode == 0
    assert "SAM" in done.stdout
    assert "degrees" in done.stdout


def test_quiet_leaves_the_result_only(pair: tuple[Path, Path]) -> None:
    done = pifnet(*pair, "-q", "--json")
    assert json.loads(done.stdout)
    assert done.stderr == ""


def test_reports_are_written_and_not_replaced_unasked(pair: tuple[Path, Path], tmp_path: Path) -> None:
    files = {option: tmp_path / name for option, name in (
        ("--csv", "s.csv"), ("--bands-csv", "b.csv"), ("--quicklook", "q.png"), ("--sam-map", "a.png"),
        ("--error-map", "e.png"),
    )}  # fmt: skip
    arguments = [*pair, "--rgb-bands", 5, 4, 3, *(word for item in files.items() for word in item)]
    assert pifnet(*arguments).returncode == 0
    assert sorted(tmp_path.iterdir()) == sorted(files.values())
    again = pifnet(*arguments)
    assert again.returncode == 1
    assert again.stderr == f"pifnet: {tmp_path}/s.csv: exists; give --overwrite to replace it\n"
    assert pifnet(*arguments, "--overwrite").returncode == 0


def test_a_failure_is_one_line_and_exit_code_1(pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = pifnet(pair[0], tmp_path / "absent.tif")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "absent.tif" in done.stderr


@pytest.mark.parametrize(
    "words", [("--ratio", "0.5"), ("--compat", "other"), ("--rgb-bands", "1", "2"), ("--border", "x")]
)
def test_a_bad_option_is_exit_code_2(pair: tuple[Path, Path], words: tuple[str, ...]) -> None:
    assert pifnet(*pair, *words).returncode == 2


@pytest.fixture(scope="module")
def triple(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Fused scene, LR-HSI, HR-MSI."""
    folder = tmp_path_factory.mktemp("triple")
    lr, hr, truth = write_pair(folder, ground=Texture(7), hr_size=(101, 117))
    return write_scene(folder / "fused.tif", truth, transform=NORTH_UP), lr, hr


def test_a_pair_gives_scores_without_reference(triple: tuple[Path, Path, Path]) -> None:
    fused, lr, hr = triple
    done = pifnet(fused, "--lr", lr, "--hr", hr, "--json", "--mtf", 0.3, "--wald", "--method", "sfim", "-q")
    record = json.loads(done.stdout)
    assert done.stderr == ""
    assert record["qnr"] > 0.9
    assert record["lr_rmse"] < 1e-3
    assert record["operator"]["source"] == "given"
    assert record["wald"]["method"] == "sfim"
    assert record["wald"]["psnr"] > 20
    assert "psnr" not in record


def test_reference_and_pair_give_both(triple: tuple[Path, Path, Path]) -> None:
    fused, lr, hr = triple
    done = pifnet(fused, fused, "--lr", lr, "--hr", hr, "--mtf", 0.3, "--json", "-q")
    record = json.loads(done.stdout)
    assert record["identical"] is True
    assert record["d_s"] < 0.03
    assert record["pixels"] == 101 * 117


def test_reports_of_a_pair_are_written(triple: tuple[Path, Path, Path], tmp_path: Path) -> None:
    fused, lr, hr = triple
    files = {"--csv": "s.csv", "--bands-csv": "b.csv", "--sam-map": "a.png", "--error-map": "e.png"}
    words = [word for option, name in files.items() for word in (option, tmp_path / name)]
    done = pifnet(fused, "--lr", lr, "--hr", hr, "--mtf", 0.3, *words)
    assert done.returncode == 0
    assert "QNR" in done.stdout
    assert "MTF given: 0.300, 0.300" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.csv", "e.png", "s.csv"]
    assert (tmp_path / "b.csv").read_text().startswith("band,name,wavelength_nm,lr_rmse,lr_cc,lr_mean,lr_noise\n1,")
    again = pifnet(fused, "--lr", lr, "--hr", hr, *words)
    assert again.stderr == f"pifnet: {tmp_path}/s.csv: exists; give --overwrite to replace it\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to score by: give REFERENCE, or --lr and --hr, or all three"),
        (["--lr", "lr.tif"], "--lr and --hr: one was given alone"),
        (["--hr", "hr.tif"], "--lr and --hr: one was given alone"),
        (["reference.tif", "--wald"], "need the pair; give --lr and --hr"),
        (["--lr", "lr.tif", "--hr", "hr.tif", "--quicklook", "q.png"], "--quicklook: shows the reference"),
        (["--lr", "lr.tif", "--hr", "hr.tif", "--mtf", "2"], "--mtf 2.0: 0.01 to 0.95 was expected"),
    ],
)
def test_what_makes_no_sense_together_is_one_line_and_exit_code_2(words: list[str], said: str) -> None:
    done = pifnet("fused.tif", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_scenes_that_do_not_belong_together_are_one_line_and_exit_code_1(triple: tuple[Path, Path, Path]) -> None:
    fused, lr, hr = triple
    done = pifnet(lr, "--lr", fused, "--hr", hr)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_scoring_never_loads_torch(pair: tuple[Path, Path]) -> None:
    program = (
        "import sys; from pathlib import Path; from pifnet_cli.settings import MetricsSettings; "
        "from pifnet_cli.scoring.with_reference import score_scene; "
        f"score_scene(Path({str(pair[0])!r}), Path({str(pair[1])!r}), MetricsSettings(ratio=4)); "
        "import pifnet_cli.workflows.metrics; "
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
