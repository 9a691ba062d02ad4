import pytest

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import SceneWriteError
from pifnet_cli.raster.publishing.folder import OutputFolder

OWNED = ("a.tif", "b.tif")


def folder_at(path, overwrite=Overwrite.REFUSE):
    return OutputFolder(path, record="record.json", owned=OWNED, overwrite=overwrite)


def names(path):
    return sorted(file.name for file in path.iterdir())


def test_nothing_is_visible_before_the_end(tmp_path):
    with folder_at(tmp_path / "out") as output:
        output.path_of("a.tif").write_text("new")
        output.write_record("{}")
        assert not (tmp_path / "out").exists()

    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["a.tif", "record.json"]


def test_existing_folder_keeps_its_other_files(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    with folder_at(tmp_path) as output:
        output.path_of("a.tif").write_text("new")
        output.write_record("{}")

    assert names(tmp_path) == ["a.tif", "notes.txt", "record.json"]


def test_replacing_removes_owned_files_that_are_not_written_anew(tmp_path):
    for name in (*OWNED, "record.json", "notes.txt"):
        (tmp_path / name).write_text("old")

    with folder_at(tmp_path, Overwrite.REPLACE) as output:
        output.path_of("a.tif").write_text("new")
        output.write_record("{}")

    assert names(tmp_path) == ["a.tif", "notes.txt", "record.json"]
    assert (tmp_path / "a.tif").read_text() == "new"


def test_failure_leaves_the_old_files(tmp_path):
    (tmp_path / "a.tif").write_text("old")

    def interrupted():
        with folder_at(tmp_path, Overwrite.REPLACE) as output:
            output.path_of("a.tif").write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()

    assert names(tmp_path) == ["a.tif"]
    assert (tmp_path / "a.tif").read_text() == "old"


def test_owned_file_is_refused_without_overwrite(tmp_path):
    (tmp_path / "b.tif").write_text("old")

    with pytest.raises(SceneWriteError, match=r"b\.tif: exists already; add --overwrite"):
        folder_at(tmp_path)


def test_current_folder_may_be_named_by_a_dot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with folder_at(type(tmp_path)()) as output:
        output.write_record("{}")

    assert names(tmp_path) == ["record.json"]
