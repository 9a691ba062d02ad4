import numpy as np
import pytest
from affine import Affine

from pifnet_cli.errors import SettingsError
from pifnet_cli.pages.highlights import busiest_window, distinct_spectra, named_points, require_inside, texture
from pifnet_cli.reports.pictures import Mosaic
from pifnet_cli.scene import Grid, Window


def busiest(image: np.ndarray, side: int, largest_side: int = 1024) -> Window:
    height, width = image.shape[1:]
    mosaic = Mosaic(1, height=height, width=width, largest_side=largest_side)
    mosaic.add(texture(image), Window(0, 0, height, width))
    return busiest_window(mosaic, height=height, width=width, side=side)


def patched(height: int, width: int, row: int, column: int, side: int) -> np.ndarray:
    image = np.ones((3, height, width), dtype=np.float32)
    noise = np.random.default_rng(0).random((side, side))
    image[:, row : row + side, column : column + side] += noise.astype(np.float32)
    return image


@pytest.mark.parametrize("largest_side", [1024, 33])
def test_the_window_lies_where_neighbours_differ(largest_side: int) -> None:
    window = busiest(patched(80, 120, 40, 70, 20), 20, largest_side)
    assert (window.height, window.width) == (20, 20)
    assert abs(window.row - 40) <= 4
    assert abs(window.column - 70) <= 4


def test_one_strong_step_is_no_texture() -> None:
    image = patched(80, 120, 40, 70, 20)
    image[:, :30, :2] = 1e6
    assert busiest(image, 20).column > 50


def test_texture_is_the_larger_step_to_a_neighbour() -> None:
    image = np.array([[[0, 1, 1], [4, 1, 3]]], dtype=np.float32)
    assert texture(image).tolist() == [[[0, 1, 0], [4, 3, 2]]]


@pytest.mark.parametrize("shape", [(3, 10, 200), (3, 7, 9), (3, 1, 1)])
def test_a_small_scene_has_a_window_inside(shape: tuple[int, int, int]) -> None:
    window = busiest(np.random.default_rng(0).random(shape).astype(np.float32), 32)
    assert window == window.clipped(*shape[1:])
    assert (window.height, window.width) == (min(32, shape[1]), min(32, shape[2]))


def test_a_scene_without_pixels_has_a_window() -> None:
    assert busiest(np.full((3, 50, 60), np.nan, dtype=np.float32), 20) == Window(0, 0, 20, 20)


def scene_spectra() -> np.ndarray:
    """500 nearly grey spectra, with a bright, a dark and a red one."""
    rng = np.random.default_rng(1)
    spectra = 1 + 0.01 * rng.standard_normal((500, 8)) + np.linspace(0, 0.2, 500)[:, None]
    spectra[7] = 5.0
    spectra[8] = 0.1
    spectra[9] = np.linspace(0.2, 2.4, 8)
    return spectra


def test_spectra_that_differ_are_found() -> None:
    found = distinct_spectra(scene_spectra())
    assert len(found) == 6
    assert len({chosen.number for chosen in found}) == 6
    assert [chosen.reason for chosen in found[:3]] == ["typical", "among the brightest", "among the darkest"]
    assert (found[3].number, found[3].reason) == (9, "unlike the others in shape")


def test_single_glints_are_not_the_brightest() -> None:
    assert distinct_spectra(scene_spectra())[1].number not in (7, 8, 9)


def test_the_choice_is_always_the_same() -> None:
    assert distinct_spectra(scene_spectra()) == distinct_spectra(scene_spectra())


def test_invalid_spectra_and_empty_bands_do_not_count() -> None:
    spectra = scene_spectra()
    spectra[:, 3] = np.nan
    spectra[9] = np.nan
    numbers = [chosen.number for chosen in distinct_spectra(spectra)]
    assert len(numbers) == 6
    assert 9 not in numbers


@pytest.mark.parametrize("spectra", [np.empty((0, 4)), np.full((9, 4), np.nan)])
def test_nothing_valid_gives_no_points(spectra: np.ndarray) -> None:
    assert distinct_spectra(spectra) == []


def test_few_spectra_give_few_points() -> None:
    assert len(distinct_spectra(np.eye(2) + 1)) == 2
    assert len(distinct_spectra(np.ones((1, 3)))) == 1


def test_equal_spectra_do_not_end_in_a_circle() -> None:
    assert 1 <= len(distinct_spectra(np.ones((50, 3)))) <= 6


def test_points_have_letters_and_the_map_coordinates_of_their_centres() -> None:
    points = named_points(
        [(0, 0, "typical"), (5, 2, "asked for")], Grid(10, 10, Affine(10, 0, 365000, 0, -10, 5807000), None)
    )
    assert [(point.label, point.place) for point in points] == [("A", "365005, 5806995"), ("B", "365025, 5806945")]


@pytest.mark.parametrize("point", [(10, 0), (0, 20)])
def test_points_outside_are_refused(point: tuple[int, int]) -> None:
    with pytest.raises(SettingsError, match=rf"--point {point[0]},{point[1]}: the scene has rows 0 to 9 and columns"):
        require_inside([(9, 19), point], height=10, width=20)
