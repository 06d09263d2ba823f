"""Rasterised shapes against scikit-image's own, and the canvas's promise that photo, ids and depth agree."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import draw

from robsub.demo.canvas import MIN_VISIBLE, Canvas, Region
from robsub.demo.pen import Pen
from robsub.demo.shapes import Cover, ellipse_cover, lattice_cover, polygon_cover, rectangle_cover

SHAPE = (60, 80)


def painted(cover: Cover) -> np.ndarray:
    full = np.zeros(SHAPE, dtype=bool)
    full[cover.window] = cover.mask
    return full


@pytest.mark.parametrize("seed", range(20))
def test_polygons_cover_the_pixels_that_scikit_image_covers(seed: int) -> None:
    # Some corners lie outside the canvas; scikit-image takes pixel centres as whole numbers, hence the half.
    x, y = np.random.default_rng(seed).uniform(-20, 100, (2, 5))
    expected = draw.polygon2mask(SHAPE, np.stack([y - 0.5, x - 0.5], axis=1))  # type: ignore[no-untyped-call]
    np.testing.assert_array_equal(painted(polygon_cover(x, y, SHAPE)), expected)


@pytest.mark.parametrize("seed", range(20))
def test_ellipses_cover_the_pixels_that_scikit_image_covers(seed: int) -> None:
    x, y, rx, ry = np.random.default_rng(seed).uniform((-5, -5, 1, 1), (85, 65, 30, 30))
    expected = np.zeros(SHAPE, dtype=bool)
    expected[draw.ellipse(y - 0.5, x - 0.5, ry, rx, SHAPE)] = True  # type: ignore[no-untyped-call]
    np.testing.assert_array_equal(painted(ellipse_cover((x, y), (rx, ry), SHAPE)), expected)


def test_a_rectangle_is_the_polygon_of_its_corners() -> None:
    cover = rectangle_cover((70.2, 11.0), (12.6, 99.0), SHAPE)
    corners = np.array([12.6, 70.2, 70.2, 12.6]), np.array([11.0, 11.0, 99.0, 99.0])
    np.testing.assert_array_equal(painted(cover), painted(polygon_cover(*corners, SHAPE)))


def test_a_shape_off_the_canvas_covers_nothing() -> None:
    assert not painted(rectangle_cover((-30, -30), (-2, -2), SHAPE)).any()
    assert not painted(ellipse_cover((200, 10), (5, 5), SHAPE)).any()


def test_a_lattice_has_one_pane_in_every_cell() -> None:
    panes = painted(lattice_cover((0, 0), (80, 60), (8, 12), SHAPE))
    assert panes.sum() == 10 * 5 * 4 * 6


def test_nearer_paint_hides_what_is_behind_it_in_ids_and_depth_but_not_in_its_extent() -> None:
    canvas = Canvas((40, 40))
    far, near = (canvas.add(Region("car", is_object=True)) for _ in range(2))
    canvas.rectangle((5, 5), (30, 30), (200, 0, 0), far, 50.0)
    canvas.rectangle((20, 20), (35, 35), (0, 200, 0), near, 10.0)
    scene = canvas.finish(np.random.default_rng(0), noise=0.0)
    assert np.sum(scene.ids == far) == 25 * 25 - 10 * 10
    assert np.sum(scene.extents[far]) == 25 * 25
    assert set(scene.depth[scene.ids == far]) == {50.0}
    assert set(scene.depth[scene.ids == near]) == {10.0}
    assert scene.photo[10, 10].tolist() == [200, 0, 0]
    assert scene.photo[32, 32].tolist() == [0, 200, 0]
    assert np.isinf(scene.depth[0, 0])


def test_slivers_and_shadows_are_not_annotated() -> None:
    canvas = Canvas((40, 40))
    sliver = canvas.add(Region("car", is_object=True))
    canvas.rectangle((5, 5), (6, 5 + MIN_VISIBLE - 1), (200, 0, 0), sliver, 9.0)
    canvas.rectangle((20, 20), (30, 30), (10, 10, 10), None, alpha=0.5)
    assert not canvas.finish(np.random.default_rng(0)).ids.any()


def test_a_mirrored_pen_swaps_left_and_right() -> None:
    canvas = Canvas((20, 40))
    region = canvas.add(Region("car", is_object=True))
    Pen(canvas, region, (0, 0, 40, 20), mirrored=True).rectangle(0.0, 0.0, 0.25, 1.0, (255, 255, 255))
    ids = canvas.finish(np.random.default_rng(0)).ids
    assert (ids[:, 30:] == region).all()
    assert not ids[:, :30].any()
