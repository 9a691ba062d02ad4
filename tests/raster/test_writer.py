import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import GridError, SceneWriteError, SettingsError
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.raster.writer import JointWriters, WriteOptions, create_scene, require_creatable, require_names
from pifnet_cli.scene import Bands, Grid, Scene, WavelengthUnit, Window
from scenes import NORTH_UP, ROTATED, SOUTH_UP, random_pixels, write_scene

C, H, W = 7, 24, 40
WKT = CRS.from_epsg(32633).to_wkt()
NAMES = ["o.tif", "o.hdr", "o.dat", "o.bil", "o.bip"]
BANDS = Bands(
    count=C,
    names=("blue", "B2", "B3", "B4", "B5", "B6", "grün"),
    wavelengths=(418.24, 423.874, 902.257, 993.083, 911.5700000000001, 2445.53, 2445.53),
    fwhm=(6.99561, 7.1, 9.17725, 11.3624, 10.0, 12.0, 12.5),
    unit=WavelengthUnit.NANOMETERS,
    good=(True, True, False, False, True, True, True),
)
REFUSE, REPLACE = WriteOptions(Overwrite.REFUSE), WriteOptions(Overwrite.REPLACE)


def _scene(path, *, bands=BANDS, height=H, width=W, transform=NORTH_UP, **coding):
    return Scene(path, Grid(height, width, transform, WKT), bands, **coding)


def _write(scene, pixels, options=REFUSE, *, step=11):
    """Write by windows that fit neither blocks nor the scene."""
    height, width = scene.grid.height, scene.grid.width
    with create_scene(scene, options) as writer:
        for row in range(0, height, step):
            for column in range(0, width, step):
                window = Window(row, column, step, step).clipped(height, width)
                writer.write(pixels[:, window.slices[0], window.slices[1]], window)
    return writer.path


def _stored(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)
def test_what_is_written_is_read_by_gdal(tmp_path, name, dtype):
    pixels = random_pixels(C, H, W).round()
    path = _write(_scene(tmp_path / name, dtype=dtype), pixels)
    stored = _stored(path)
    assert stored.dtype == dtype
    np.testing.assert_array_equal(stored, pixels.astype(dtype))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_again_the_same(tmp_path, name):
    scene = _scene(
        tmp_path / name,
        dtype="int16",
        nodata=-32768,
        scales=(1e-4,) * C,
        offsets=None,
        acquisition=(("description", "May, 2024"), ("sensor type", "EnMAP"), ("pifnet ratio", "4.0")),
    )
    pixels = random_pixels(C, H, W) / 100
    pixels[:, 3, 5] = np.nan
    path = _write(scene, pixels)
    with open_scene(path) as reader:
        assert replace(reader.scene, path=scene.path) == scene
        np.testing.assert_allclose(reader.read(), pixels, atol=0.5e-4 + 1e-7)
        assert np.isnan(reader.read()[:, 3, 5]).all()
        assert reader.remarks == ()


@pytest.mark.parametrize("name", NAMES)
def test_different_gains_and_offsets_are_kept(tmp_path, name):
    scales, offsets = tuple(0.01 * (i + 1) for i in range(C)), tuple(0.3 - i for i in range(C))
    scene = _scene(tmp_path / name, dtype="int32", nodata=-1, scales=scales, offsets=offsets)
    path = _write(scene, random_pixels(C, H, W))
    with open_scene(path) as reader:
        assert (reader.scene.scales, reader.scene.offsets) == (scales, offsets)
    with rasterio.open(path) as dataset:
        assert (dataset.scales, dataset.offsets) == (scales, offsets)


@pytest.mark.parametrize("unit", list(WavelengthUnit))
@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_wavelengths_keep_their_unit_and_last_digit(tmp_path, name, unit):
    bands = Bands(2, wavelengths=(0.1 + 0.2, 392.10182100000003), fwhm=(1 / 3, 6.5), unit=unit)
    path = _write(_scene(tmp_path / name, bands=bands), random_pixels(2, H, W))
    with open_scene(path) as reader:
        assert reader.scene.bands == bands


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, ROTATED], ids=["north-up", "south-up", "rotated"])
@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_the_grid_is_kept(tmp_path, name, transform):
    path = _write(_scene(tmp_path / name, transform=transform), random_pixels(C, H, W))
    with rasterio.open(path) as dataset:
        assert dataset.transform.almost_equals(transform, 1e-9)
        assert dataset.crs.to_epsg() == 32633
    with open_scene(path) as reader:
        assert reader.scene.grid.transform.almost_equals(transform, 1e-9)
        if transform != ROTATED:
            assert reader.scene.grid == Grid(H, W, transform, WKT)


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_a_scene_without_georeferencing_stays_one(tmp_path, name):
    scene = replace(_scene(tmp_path / name), grid=Grid(H, W, Affine.identity(), None))
    with open_scene(_write(scene, random_pixels(C, H, W))) as reader:
        assert reader.scene.grid == scene.grid


def test_a_sheared_grid_goes_to_geotiff_only(tmp_path):
    transform = NORTH_UP @ Affine.shear(10, 0)
    _write(_scene(tmp_path / "o.tif", transform=transform), random_pixels(C, H, W))
    with pytest.raises(GridError, match=r"o\.img: an ENVI header cannot express this grid"):
        create_scene(_scene(tmp_path / "o.hdr", transform=transform), REFUSE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.tif"]


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
@pytest.mark.parametrize(
    ("dtype", "declared"), [("float32", math.nan), ("int16", -32768), ("uint8", 255), ("uint16", 65535)]
)
def test_nodata_is_declared_where_none_is_given(tmp_path, name, dtype, declared):
    pixels = random_pixels(C, H, W)
    pixels[2, 4, 6] = np.nan
    path = _write(_scene(tmp_path / name, dtype=dtype), pixels)
    with rasterio.open(path) as dataset:
        assert dataset.nodata == pytest.approx(declared, nan_ok=True)
    with open_scene(path) as reader:
        assert np.argwhere(np.isnan(reader.read())).tolist() == [[2, 4, 6]]


@pytest.mark.parametrize(("dtype", "nodata"), [("int16", -99999), ("uint8", math.nan), ("uint8", 0.5), ("uint16", -1)])
def test_a_nodata_number_that_does_not_fit_is_refused(tmp_path, dtype, nodata):
    with pytest.raises(SceneWriteError, match=rf"o\.tif: the nodata value .* does not fit {dtype}"):
        create_scene(_scene(tmp_path / "o.tif", dtype=dtype, nodata=nodata), REFUSE)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint64"])
@pytest.mark.parametrize("nodata", [None, 7])
def test_other_programs_find_the_nodata_of_geotiffs_of_8_and_64_bits(tmp_path, dtype, nodata):
    pixels = np.minimum(random_pixels(C, H, W), 100) + 8
    pixels[2, 4, 6] = np.nan
    path = _write(_scene(tmp_path / "o.tif", dtype=dtype, nodata=nodata), pixels)
    with rasterio.open(path) as dataset:
        assert dataset.dtypes[0] == dtype
        hidden = dataset.read_masks() == 0
    assert np.argwhere(hidden).tolist() == [[2, 4, 6]]


@pytest.mark.parametrize(("dtype", "nodata"), [("int64", -(2**63)), ("int64", 2**63 - 1), ("uint64", 2**64 - 1)])
def test_nodata_of_64_bits_goes_to_envi_and_is_refused_for_geotiff(tmp_path, dtype, nodata):
    with pytest.raises(SceneWriteError, match=rf"o\.tif: .* does not keep the nodata value {nodata}; .*--dtype"):
        create_scene(_scene(tmp_path / "o.tif", dtype=dtype, nodata=nodata), REFUSE)
    pixels = random_pixels(C, H, W)
    pixels[2, 4, 6] = np.nan
    path = _write(_scene(tmp_path / "o.hdr", dtype=dtype, nodata=nodata), pixels)
    assert f"data ignore value = {nodata}\n" in path.with_suffix(".hdr").read_text()
    assert _stored(path)[2, 4, 6] == nodata


def test_int8_goes_to_geotiff_only(tmp_path):
    with pytest.raises(SceneWriteError, match=r"o\.img: int8 is not written to an ENVI file; .* with --dtype"):
        create_scene(_scene(tmp_path / "o.hdr", dtype="int8"), REFUSE)


@pytest.mark.parametrize("dtype", ["complex64", "float16", "bool"])
def test_other_number_types_are_refused(tmp_path, dtype):
    with pytest.raises(SceneWriteError, match=f"{dtype} is not written"):
        create_scene(_scene(tmp_path / "o.tif", dtype=dtype), REFUSE)


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_clipped_values_are_counted(tmp_path, caplog, name):
    pixels = np.full((C, H, W), 7, dtype="float32")
    pixels[0, 0, :3] = (-1e9, 1e9, 300)
    with caplog.at_level(logging.WARNING):
        path = _write(_scene(tmp_path / name, dtype="uint8", nodata=0), pixels)
    assert _stored(path)[0, 0, :4].tolist() == [1, 255, 255, 7]
    assert "3 values beyond the range of uint8 were clipped" in caplog.text


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_wavelengths_without_unit_stay_without_and_writing_logs_nothing(tmp_path, caplog, name):
    bands = Bands(2, wavelengths=(150.0, 500.0))
    with caplog.at_level(logging.DEBUG, logger="pifnet_cli"):
        path = _write(_scene(tmp_path / name, bands=bands), random_pixels(2, H, W))
    assert caplog.records == []
    with open_scene(path) as reader:
        assert reader.scene.bands == bands


def test_names_that_envi_cannot_hold_are_replaced_with_a_warning(tmp_path, caplog):
    bands = Bands(1, names=("red, {edge}",))
    with (
        caplog.at_level(logging.WARNING),
        open_scene(_write(_scene(tmp_path / "o.hdr", bands=bands), random_pixels(1, H, W))) as reader,
    ):
        assert reader.scene.bands.names == ("red; (edge)",)
    assert "commas and braces" in caplog.text


@pytest.mark.parametrize("name", NAMES)
def test_nothing_else_is_left_beside_an_output(tmp_path, name):
    _write(_scene(tmp_path / name), random_pixels(C, H, W))
    expected = {"o.tif"} if name == "o.tif" else {"o.hdr", "o.img" if name == "o.hdr" else name}
    assert {path.name for path in tmp_path.iterdir()} == expected


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_nothing_is_seen_before_the_end(tmp_path, name):
    with create_scene(_scene(tmp_path / name), REFUSE) as writer:
        writer.write(random_pixels(C, H, W), Window(0, 0, H, W))
        assert all(path.name.startswith(".") and ".partial" in path.name for path in tmp_path.iterdir())
    assert writer.path.is_file()


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing(tmp_path, name, error):
    def fail():
        with create_scene(_scene(tmp_path / name), REFUSE) as writer:
            writer.write(random_pixels(C, 5, W), Window(0, 0, 5, W))
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_an_unfinished_scene_is_not_published(tmp_path, name):
    with pytest.raises(SceneWriteError, match="only 200 pixels were written"):  # noqa: SIM117
        with create_scene(_scene(tmp_path / name), REFUSE) as writer:
            writer.write(random_pixels(C, 5, W), Window(0, 0, 5, W))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_a_failed_run_keeps_the_old_output(tmp_path, name):
    path = _write(_scene(tmp_path / name), random_pixels(C, H, W))
    before = path.read_bytes()
    with pytest.raises(RuntimeError), create_scene(_scene(tmp_path / name), REPLACE):
        raise RuntimeError
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_an_old_output_is_replaced_whole(tmp_path, name):
    old = _write(_scene(tmp_path / name, dtype="float64", height=2 * H), random_pixels(C, 2 * H, W))
    old.with_name(f"{old.name}.aux.xml").write_text("<PAMDataset/>")
    path = _write(_scene(tmp_path / name, dtype="uint8"), random_pixels(C, H, W), REPLACE)
    assert _stored(path).shape == (C, H, W)
    assert not path.with_name(f"{path.name}.aux.xml").exists()


def test_two_runs_on_one_output_do_not_meet(tmp_path):
    pixels = random_pixels(C, H, W)
    scene = _scene(tmp_path / "o.tif")
    with create_scene(scene, REPLACE) as first:
        with create_scene(scene, REPLACE) as second:
            second.write(pixels + 1, Window(0, 0, H, W))
        first.write(pixels, Window(0, 0, H, W))
    np.testing.assert_array_equal(_stored(tmp_path / "o.tif"), pixels)


def test_a_link_stays_a_link(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "real.tif").write_bytes(b"old")
    (tmp_path / "o.tif").symlink_to(folder / "real.tif")
    _write(_scene(tmp_path / "o.tif"), random_pixels(C, H, W), REPLACE)
    assert (tmp_path / "o.tif").is_symlink()
    assert _stored(folder / "real.tif").shape == (C, H, W)


def test_an_input_is_never_written_over(tmp_path):
    source = write_scene(tmp_path / "in.tif", random_pixels(C, H, W))
    before = source.read_bytes()
    with pytest.raises(SceneWriteError, match="is also an input"):
        create_scene(_scene(source), REPLACE, inputs=[source])
    assert source.read_bytes() == before


def test_pixels_of_another_shape_are_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="do not fit"), create_scene(_scene(tmp_path / "o.tif"), REFUSE) as writer:
        writer.write(random_pixels(C, 5, 5), Window(0, 0, 5, 6))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("o.hdr", WriteOptions(Overwrite.REFUSE, ("INTERLEAVE=TILE",)), "ENVI outputs take INTERLEAVE"),
        ("o.hdr", WriteOptions(Overwrite.REFUSE, ("COMPRESS=ZSTD",)), "ENVI outputs take INTERLEAVE"),
        ("o.bil", WriteOptions(Overwrite.REFUSE, interleave="bip"), "contradicts the extension"),
        ("o.hdr", WriteOptions(Overwrite.REFUSE, interleave="band"), "bsq, bil or bip"),
        ("o.tif", WriteOptions(Overwrite.REFUSE, block_size=100), "a multiple of 16 was expected"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, name, options, message):
    with pytest.raises(SettingsError, match=message):
        create_scene(_scene(tmp_path / name), options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [{"interleave": "bil"}, {"creation_options": ("interleave=BIL",)}])
def test_the_interleave_may_be_chosen(tmp_path, how):
    pixels = random_pixels(C, H, W)
    _write(_scene(tmp_path / "o.hdr"), pixels, WriteOptions(Overwrite.REFUSE, **how))
    raw = np.fromfile(tmp_path / "o.img", dtype="<f4").reshape(H, C, W)
    np.testing.assert_array_equal(raw.transpose(1, 0, 2), pixels)


def test_checking_creates_nothing(tmp_path):
    require_creatable(_scene(tmp_path / "o.tif"), REFUSE)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "o.tif").write_bytes(b"old")
    with pytest.raises(SceneWriteError, match="exists already"):
        require_creatable(_scene(tmp_path / "o.tif"), REFUSE)


def test_an_output_larger_than_the_disk_is_refused_at_once(tmp_path):
    for name in ("o.tif", "o.hdr"):
        with pytest.raises(SceneWriteError, match=r"needs .* GiB more"):
            create_scene(_scene(tmp_path / name, height=10**7, width=10**7), REFUSE)
    assert list(tmp_path.iterdir()) == []


INTERRUPTED = """
    import signal, sys, time
    from pathlib import Path
    import numpy as np
    from affine import Affine
    from pifnet_cli.raster.writer import WriteOptions, create_scene
    from pifnet_cli.scene import Bands, Grid, Scene, Window
    from pifnet_cli.settings import Overwrite

    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    scene = Scene(Path(sys.argv[1]), Grid(64, 64, Affine.identity(), None), Bands(2))
    with create_scene(scene, WriteOptions(Overwrite.REFUSE)) as writer:
        writer.write(np.ones((2, 32, 64), "float32"), Window(0, 0, 32, 64))
        print("half", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
@pytest.mark.parametrize(("number", "left"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, 1)])
def test_a_killed_run_leaves_no_output_under_its_name(tmp_path, name, number, left):
    program = [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(tmp_path / name)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        run.stdout.readline()
        run.send_signal(number)
        run.wait(timeout=30)
    remains = [path.name for path in tmp_path.iterdir()]
    assert all(".partial" in path for path in remains)
    assert bool(remains) == bool(left)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    for _ in range(20):
        if subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0:
            break
        time.sleep(0.1)


def _noise(height):
    return np.random.default_rng(0).normal(size=(1, height, 512)).astype("float32")


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_a_disk_that_is_full_before_is_one_clear_error(small_disk, name):
    (small_disk / "filler").write_bytes(bytes(2 * 2**20 - 8192))
    with pytest.raises(SceneWriteError, match=r"needs .* more, .* are free"):
        _write(_scene(small_disk / name, bands=Bands(1), height=1024, width=512), _noise(1024), step=512)
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


@pytest.mark.parametrize("options", [(), ("NUM_THREADS=2",), ("COMPRESS=LZW",)])
def test_a_geotiff_that_fills_the_disk_is_one_clear_error(small_disk, capfd, options):
    scene = _scene(small_disk / "o.tif", bands=Bands(1), height=4096, width=512)
    with pytest.raises(SceneWriteError, match=r"o\.tif: needs .* more, .* are free"):
        _write(scene, _noise(4096), WriteOptions(Overwrite.REFUSE, options), step=256)
    assert list(small_disk.iterdir()) == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("options", [("NUM_THREADS=2",), ("COMPRESS=NONE",)])
def test_a_disk_that_others_fill_at_the_last_moment_is_an_error(small_disk, options):
    scene = _scene(small_disk / "o.tif", bands=Bands(2), height=256, width=512)

    def run():
        with create_scene(scene, WriteOptions(Overwrite.REFUSE, options)) as writer:
            writer.write(_noise(512).reshape(2, 256, 512), Window(0, 0, 256, 512))
            (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))

    with pytest.raises(SceneWriteError, match=r"o\.tif: "):
        run()
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_a_reserved_envi_file_does_not_mind_a_full_disk(small_disk):
    scene = _scene(small_disk / "o.hdr", bands=Bands(1), height=512, width=512)
    pixels = _noise(512)
    with create_scene(scene, REFUSE) as writer:
        (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
        writer.write(pixels, Window(0, 0, 512, 512))
    np.testing.assert_array_equal(_stored(small_disk / "o.img"), pixels)


def test_the_path_of_a_scene_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _write(_scene(Path("o.tif")), random_pixels(C, H, W))
    assert Path("o.tif").is_file()


def _joint(folder, *names, options=REFUSE):
    return [create_scene(_scene(folder / name), options) for name in names]


def _fill(writers, heights):
    with JointWriters(writers):
        for writer, height in zip(writers, heights, strict=True):
            writer.write(random_pixels(C, height, W), Window(0, 0, height, W))


@pytest.mark.parametrize("names", [("a.tif", "b.tif"), ("a.hdr", "b.tif"), ("a.tif", "b.dat")])
def test_scenes_appear_together(tmp_path, names):
    writers, pixels = _joint(tmp_path, *names), random_pixels(C, H, W)
    with JointWriters(writers):
        for writer in writers:
            writer.write(pixels, Window(0, 0, H, W))
            assert not any(path.name in names for path in tmp_path.iterdir())
    for writer in writers:
        with open_scene(writer.path) as reader:
            assert np.array_equal(reader.read(Window(0, 0, H, W)), pixels)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("incomplete", [0, 1])
def test_no_scene_appears_where_one_is_incomplete(tmp_path, incomplete):
    writers = _joint(tmp_path, "a.tif", "b.hdr")
    heights = [H - (index == incomplete) for index in range(2)]
    with pytest.raises(SceneWriteError, match="pixels were written"):
        _fill(writers, heights)
    assert list(tmp_path.iterdir()) == []


def test_no_scene_appears_where_one_cannot_be_named(tmp_path):
    writers = _joint(tmp_path, "a.tif", "b.tif")
    (tmp_path / "b.tif").mkdir()  # meanwhile, by another program
    (tmp_path / "b.tif" / "something").write_bytes(b"x")
    with pytest.raises(SceneWriteError, match="cannot be completed"):
        _fill(writers, [H, H])
    assert [path.name for path in tmp_path.iterdir()] == ["b.tif"]


def test_no_scene_appears_after_an_exception(tmp_path):
    def fail(writers):
        writers[0].write(random_pixels(C, H, W), Window(0, 0, H, W))
        raise KeyboardInterrupt

    writers = _joint(tmp_path, "a.tif", "b.tif")
    with pytest.raises(KeyboardInterrupt), JointWriters(writers):
        fail(writers)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("o.tif", "o.tif"),
        ("o.img", "o.dat"),
        ("o.hdr", "o.img"),
        ("link.tif", "o.tif"),
    ],
)
def test_outputs_that_share_files_are_refused(tmp_path, one, other):
    (tmp_path / "link.tif").symlink_to(tmp_path / "o.tif")
    with pytest.raises(SceneWriteError, match="choose another name"):
        require_names([tmp_path / one, tmp_path / other], inputs=[], overwrite=Overwrite.REFUSE)


@pytest.mark.parametrize(("one", "other"), [("o.tif", "sigma.tif"), ("o.img", "sigma.img"), ("o.tif", "o.dat")])
def test_outputs_of_their_own_are_let_through(tmp_path, one, other):
    require_names([tmp_path / one, tmp_path / other], inputs=[], overwrite=Overwrite.REFUSE)
