"""Random warps: small, smooth, each image for itself, and decided by the generator alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitcli.data import synthetic
from digitcli.images.augmentation import Warp, views, warp

NONE = Warp(rotation=0, shear=0, scale=0, shift=0, elastic=0)


@pytest.fixture(scope="module")
def images():
    return synthetic.generate(300, seed=1).images


def warped(images, bounds, seed=0):
    return warp(images, np.random.default_rng(seed), bounds)


def block(rows, columns):
    image = np.zeros((28, 28), np.uint8)
    image[rows, columns] = 255
    return image


def middle(image):
    rows, columns = np.indices(image.shape)
    return np.array([(image * rows).sum(), (image * columns).sum()]) / image.sum()


@pytest.mark.parametrize("bounds", [Warp(), Warp(elastic=0)])
def test_every_image_is_moved_a_little_and_keeps_its_ink(images, bounds):
    result = warped(images, bounds)
    assert (result.shape, result.dtype) == (images.shape, images.dtype)
    assert (result != images).any((1, 2)).all()
    ink = result.sum((1, 2)) / images.sum((1, 2))
    assert 0.6 < ink.min() < ink.max() < 1.6


def test_the_generator_alone_decides(images):
    np.testing.assert_array_equal(warped(images, Warp(), 3), warped(images, Warp(), 3))
    assert not np.array_equal(warped(images, Warp(), 3), warped(images, Warp(), 4))


def test_nothing_moves_without_bounds(images):
    np.testing.assert_array_equal(warped(images, NONE), images)


def test_two_images_get_two_warps(images):
    twice = np.stack([images[0], images[0]])
    first, second = warped(twice, Warp())
    assert not np.array_equal(first, second)


def test_no_image_bleeds_into_its_neighbour():
    images = np.zeros((3, 28, 28), np.uint8)
    images[1] = 255
    result = warped(images, Warp(rotation=40, scale=0.3, shift=8, elastic=2))
    assert result[[0, 2]].max() == 0


def test_more_images_than_one_call_of_opencv_takes(images):
    many = np.concatenate([images] * 5)
    result = warped(many, replace(NONE, shift=1.0))
    assert (np.abs(result.astype(int).sum((1, 2)) / many.sum((1, 2)) - 1) < 0.1).all()


@settings(max_examples=30, deadline=None)
@given(shift=st.floats(0.5, 4), seed=st.integers(0, 1000))
def test_a_shift_moves_the_middle_by_no_more_than_its_bound(shift, seed):
    image = block(slice(12, 16), slice(12, 16))
    (result,) = warped(image[None], replace(NONE, shift=shift), seed)
    moved = np.abs(middle(result) - middle(image))
    assert (moved <= shift + 0.05).all()


@settings(max_examples=30, deadline=None)
@given(rotation=st.floats(5, 60), seed=st.integers(0, 1000))
def test_a_rotation_turns_about_the_middle_by_no_more_than_its_bound(rotation, seed):
    image = block(slice(13, 15), slice(19, 23))
    (result,) = warped(image[None], replace(NONE, rotation=rotation), seed)
    row, column = middle(result) - 13.5
    assert abs(np.degrees(np.arctan2(row, column))) <= rotation + 1
    assert np.hypot(row, column) == pytest.approx(7, abs=0.3)


def test_views_are_the_image_itself_and_small_warps_that_are_always_the_same(images):
    each = views(images, 5)
    assert each.shape == (5, *images.shape)
    np.testing.assert_array_equal(each[0], images)
    assert all((view != images).any((1, 2)).all() for view in each[1:])
    np.testing.assert_array_equal(views(images[7:9], 5), each[:, 7:9])
    moved = [np.abs(middle(view[0]) - middle(images[0])).max() for view in each]
    assert max(moved) < 2
