import os

import pytest

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import SceneWriteError
from pifnet_cli.raster.formats import output_files
from pifnet_cli.raster.publishing.publication import partial_files, publish, require_free_name, require_space, sidecars
from scenes import random_pixels, write_scene
from unprivileged import unprivileged


def _require(path, *, inputs=(), overwrite=Overwrite.REFUSE):
    require_free_name(output_files(path), inputs=inputs, overwrite=overwrite)


def test_a_free_name_passes(tmp_path):
    for name in ("o.tif", "o.hdr", "o.dat"):
        _require(tmp_path / name)


@pytest.mark.parametrize("existing", ["o.tif", "o.tif.aux.xml", "o.tif.ovr", "o.tif.msk"])
def test_an_existing_geotiff_or_sidecar_is_kept(tmp_path, existing):
    (tmp_path / existing).write_bytes(b"x")
    with pytest.raises(SceneWriteError, match=rf"{existing}: exists already; .*--overwrite"):
        _require(tmp_path / "o.tif")
    _require(tmp_path / "o.tif", overwrite=Overwrite.REPLACE)


@pytest.mark.parametrize("existing", ["o.img", "o.hdr", "o.img.hdr", "o.img.aux.xml"])
@pytest.mark.parametrize("named", ["o.hdr", "o.img"])
def test_an_existing_envi_file_or_sidecar_is_kept(tmp_path, existing, named):
    (tmp_path / existing).write_bytes(b"x")
    with pytest.raises(SceneWriteError, match="exists already"):
        _require(tmp_path / named)


def test_a_link_to_nowhere_is_an_existing_output(tmp_path):
    (tmp_path / "o.tif").symlink_to(tmp_path / "absent.tif")
    with pytest.raises(SceneWriteError, match="exists already"):
        _require(tmp_path / "o.tif")


def _same(tmp_path, source, how):
    other = tmp_path / f"other{source.suffix}"
    match how:
        case "the same path":
            return source
        case "another spelling":
            return tmp_path / ".." / tmp_path.name / source.name
        case "a symbolic link":
            other.symlink_to(source)
        case "a hard link":
            os.link(source, other)
    return other


@pytest.mark.parametrize("how", ["the same path", "another spelling", "a symbolic link", "a hard link"])
@pytest.mark.parametrize("name", ["in.tif", "in.img"])
def test_an_output_that_is_an_input_is_refused_whatever_it_is_called(tmp_path, how, name):
    source = write_scene(tmp_path / name, random_pixels(1, 3, 4))
    with pytest.raises(SceneWriteError, match=r"is also an input .*would destroy it"):
        _require(_same(tmp_path, source, how), inputs=[source], overwrite=Overwrite.REPLACE)


@pytest.mark.parametrize(("source", "output"), [("in.hdr", "in.img"), ("in.dat", "in.hdr"), ("in.hdr", "in.dat")])
def test_the_other_half_of_an_envi_input_is_an_input(tmp_path, source, output):
    path = write_scene(tmp_path / source, random_pixels(1, 3, 4))
    with pytest.raises(SceneWriteError, match="is also an input"):
        _require(tmp_path / output, inputs=[path], overwrite=Overwrite.REPLACE)


def test_a_data_file_that_would_claim_the_header_is_refused(tmp_path):
    (tmp_path / "o.dat").write_bytes(b"someone's pixels")
    with pytest.raises(SceneWriteError, match=r"o\.dat beside it has the same name"):
        _require(tmp_path / "o.hdr", overwrite=Overwrite.REPLACE)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(SceneWriteError, match="does not exist; create it first"):
        _require(tmp_path / "absent" / "o.tif")


def test_a_folder_of_the_output_s_name_is_refused(tmp_path):
    (tmp_path / "o.tif").mkdir()
    with pytest.raises(SceneWriteError, match=r"o\.tif: is a folder"):
        _require(tmp_path / "o.tif", overwrite=Overwrite.REPLACE)


def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with unprivileged(), pytest.raises(SceneWriteError, match=r"does not exist|cannot be written"):
            _require(tmp_path / "o.tif")
    finally:
        tmp_path.chmod(0o755)


def test_more_than_the_disk_holds_is_refused(tmp_path):
    with pytest.raises(SceneWriteError, match=r"o\.tif: needs .* GiB more, .* are free"):
        require_space(tmp_path, 2**60, tmp_path / "o.tif")


def test_partial_names_are_unique_hidden_and_pair(tmp_path):
    files = output_files(tmp_path / "o.hdr")
    first, second = partial_files(files), partial_files(files)
    assert first.data != second.data
    assert first.data.name.startswith(".o.")
    assert first.header == first.data.with_suffix(".hdr")
    assert first.data.parent == tmp_path


def test_publishing_replaces_files_and_removes_what_would_change_them(tmp_path):
    for name in ("o.img", "o.hdr", "o.img.aux.xml"):
        (tmp_path / name).write_text("old")
    files = output_files(tmp_path / "o.hdr")
    partials = partial_files(files)
    for partial in partials.all:
        partial.write_text("new")
    publish(list(zip(partials.all, files.all, strict=True)), stale=sidecars(files))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"o.img": "new", "o.hdr": "new"}


def test_a_partial_file_that_vanished_is_an_error_and_keeps_the_old_output(tmp_path):
    (tmp_path / "o.tif").write_text("old")
    with pytest.raises(SceneWriteError, match=r"o\.tif: cannot be completed"):
        publish([(tmp_path / "absent", tmp_path / "o.tif")], stale=())
    assert (tmp_path / "o.tif").read_text() == "old"


def test_names_that_were_given_are_taken_away_where_another_is_refused(tmp_path):
    partials = [tmp_path / "one.partial", tmp_path / "other.partial"]
    for partial in partials:
        partial.write_bytes(b"x")
    with pytest.raises(SceneWriteError, match="cannot be completed"):
        publish([(partials[0], tmp_path / "one.tif"), (partials[1], tmp_path / "gone" / "other.tif")], stale=[])
    assert not (tmp_path / "one.tif").exists()
