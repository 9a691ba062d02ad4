from pathlib import Path

import pytest
from affine import Affine

from pifnet_cli.errors import GridError
from pifnet_cli.metrics.area import scored_area
from pifnet_cli.scene import Bands, Grid, Scene, Window

UTM = 'PROJCS["WGS 84 / UTM zone 33N"]'  # never parsed here
NORTH_UP = Affine(10, 0, 300000, 0, -10, 5800000)
SOUTH_UP = Affine(10, 0, 300000, 0, 10, 5800000)
ROTATED = NORTH_UP @ Affine.rotation(30)


def scene(name: str, height: int, width: int, transform: Affine = NORTH_UP, *, crs: str | None = UTM) -> Scene:
    return Scene(Path(name), Grid(height, width, transform, crs), Bands(7))


def test_equal_grids_are_scored_whole() -> None:
    area = scored_area(scene("f.tif", 24, 40), scene("r.tif", 24, 40), border=0)
    assert area.fused == area.reference == Window(0, 0, 24, 40)
    assert area.notices == ()


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, ROTATED])
def test_a_fused_crop_meets_its_place_in_the_reference(transform: Affine) -> None:
    fused = scene("f.tif", 20, 30, transform @ Affine.translation(6, 3))
    area = scored_area(fused, scene("r.tif", 24, 40, transform), border=0)
    assert area.fused == Window(0, 0, 20, 30)
    assert area.reference == Window(3, 6, 20, 30)


def test_scenes_that_overlap_in_part_share_the_overlap() -> None:
    fused = scene("f.tif", 24, 40, NORTH_UP @ Affine.translation(-8, 4))
    area = scored_area(fused, scene("r.tif", 24, 40), border=0)
    assert area.fused == Window(0, 8, 20, 32)
    assert area.reference == Window(4, 0, 20, 32)
    assert "share 20 x 32 pixels; only these are scored" in area.notices[0]


def test_a_border_is_cut_from_the_common_ground() -> None:
    fused = scene("f.tif", 20, 30, NORTH_UP @ Affine.translation(6, 3))
    area = scored_area(fused, scene("r.tif", 24, 40), border=2)
    assert area.fused == Window(2, 2, 16, 26)
    assert area.reference == Window(5, 8, 16, 26)
    assert (area.height, area.width) == (16, 26)


def test_parts_are_found_in_both_scenes() -> None:
    fused = scene("f.tif", 20, 30, NORTH_UP @ Affine.translation(6, 3))
    area = scored_area(fused, scene("r.tif", 24, 40), border=2)
    assert area.windows(Window(1, 4, 5, 6)) == (Window(3, 6, 5, 6), Window(6, 12, 5, 6))


def test_rounding_of_a_geotransform_is_forgiven() -> None:
    fused = scene("f.tif", 24, 40, NORTH_UP @ Affine.translation(0.0009, -0.0009))
    assert scored_area(fused, scene("r.tif", 24, 40), border=0).reference == Window(0, 0, 24, 40)


@pytest.mark.parametrize(
    ("step", "misfit"),
    [
        (Affine.translation(0.5, 0), "0.5"),
        (Affine.translation(0, 0.0011), "0.0011"),
        (Affine.scale(1.0001), "0.004"),  # 40 columns further, 0.004 pixels off
        (Affine.scale(4), "120"),
        (Affine.rotation(90), "64"),
    ],
)
def test_pixels_that_do_not_coincide_are_refused(step: Affine, misfit: str) -> None:
    with pytest.raises(
        GridError, match=rf"f\.tif: its pixels do not coincide .*r\.tif .*up to {misfit}\d* pixels apart"
    ):
        scored_area(scene("f.tif", 24, 40, NORTH_UP @ step), scene("r.tif", 24, 40), border=0)


def test_the_remedy_names_the_reference_s_grid() -> None:
    fused = scene("f.tif", 24, 40, NORTH_UP @ Affine.translation(0.5, 0))
    with pytest.raises(
        GridError, match=r"gdalwarp -r cubic -te 300000 5799760 300400 5800000 -ts 40 24 f.tif f_aligned"
    ):
        scored_area(fused, scene("r.tif", 24, 40), border=0)


def test_scenes_apart_are_refused() -> None:
    fused = scene("f.tif", 24, 40, NORTH_UP @ Affine.translation(40, 0))
    with pytest.raises(GridError, match=r"f\.tif: does not overlap r\.tif"):
        scored_area(fused, scene("r.tif", 24, 40), border=0)


def test_a_border_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(GridError, match="--border 12 leaves nothing of the 24 x 40 pixels"):
        scored_area(scene("f.tif", 24, 40), scene("r.tif", 24, 40), border=12)


@pytest.mark.parametrize("transform", [Affine.identity(), NORTH_UP])
def test_scenes_of_one_size_without_crs_lie_on_each_other(transform: Affine) -> None:
    fused, reference = scene("f.tif", 24, 40, transform, crs=None), scene("r.tif", 24, 40, Affine.identity(), crs=None)
    assert scored_area(fused, reference, border=0).reference == Window(0, 0, 24, 40)
    assert scored_area(reference, fused, border=0).reference == Window(0, 0, 24, 40)


def test_sizes_that_differ_without_any_georeference_are_refused() -> None:
    fused, reference = (scene(name, side, 40, Affine.identity(), crs=None) for name, side in (("f", 20), ("r", 24)))
    with pytest.raises(GridError, match="f: 20 x 40 pixels, but r has 24 x 40, and neither is georeferenced"):
        scored_area(fused, reference, border=0)


def test_transforms_without_crs_are_believed() -> None:
    fused = scene("f.tif", 20, 30, Affine.translation(6, 3), crs=None)
    area = scored_area(fused, scene("r.tif", 24, 40, Affine.identity(), crs=None), border=0)
    assert area.reference == Window(3, 6, 20, 30)
