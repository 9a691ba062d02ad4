from pathlib import Path

import pytest

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import SceneWriteError
from pifnet_cli.reports.files import published, require_free, write_text


def test_a_file_is_seen_when_it_is_complete(tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    with published(output) as partial:
        partial.write_text("half")
        assert not output.exists()
    assert output.read_text() == "half"
    assert list(tmp_path.iterdir()) == [output]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    output.write_text("old")

    def fail() -> None:
        with published(output) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


def test_a_folder_that_vanished_is_told(tmp_path: Path) -> None:
    with pytest.raises(SceneWriteError, match=r"gone/a\.csv: cannot be written"):
        write_text(tmp_path / "gone" / "a.csv", "text")


def test_text_is_utf_8(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "µm")
    assert (tmp_path / "a.csv").read_bytes() == "µm".encode()


def test_an_existing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(SceneWriteError, match=r"a\.csv: exists; give --overwrite"):
        require_free([tmp_path / "a.csv"], inputs=[], overwrite=Overwrite.REFUSE)
    require_free([tmp_path / "a.csv"], inputs=[], overwrite=Overwrite.REPLACE)


@pytest.mark.parametrize("kind", ["same", "symlink", "hard link"])
def test_an_input_is_refused_by_any_name(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "in.tif"
    source.touch()
    output = {"same": source, "symlink": tmp_path / "soft.png", "hard link": tmp_path / "hard.png"}[kind]
    if kind == "symlink":
        output.symlink_to(source)
    if kind == "hard link":
        output.hardlink_to(source)
    with pytest.raises(SceneWriteError, match="is also an input"):
        require_free([output], inputs=[source], overwrite=Overwrite.REPLACE)


def test_one_name_for_two_outputs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(SceneWriteError, match="two outputs have this name"):
        require_free([tmp_path / "a.png", tmp_path / "sub" / ".." / "a.png"], inputs=[], overwrite=Overwrite.REPLACE)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneWriteError, match="its folder does not exist; create it first"):
        require_free([tmp_path / "no" / "a.png"], inputs=[], overwrite=Overwrite.REFUSE)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(SceneWriteError, match="is a folder; a file name was expected"):
        require_free([tmp_path / "a.png"], inputs=[], overwrite=Overwrite.REPLACE)
