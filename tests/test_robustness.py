"""Distortions of growing strength, and what a classifier makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from digitcli import classifiers, evaluation, runs
from digitcli.data import synthetic
from digitcli.evaluation import robustness
from digitcli.evaluation.robustness import DISTORTIONS, measure


@pytest.fixture(scope="module")
def digits():
    return synthetic.generate(200, seed=5)


def rng():
    return np.random.default_rng(1)


def dot(row, column):
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, row, column] = 255
    return image


def middle(image):
    return np.array([axis @ image.ravel() / image.sum() for axis in np.indices(image.shape).reshape(2, -1)])


@pytest.mark.parametrize("distortion", DISTORTIONS, ids=lambda each: each.name)
def test_every_distortion_changes_images_and_keeps_their_form(digits, distortion):
    for strength in distortion.strengths:
        result = distortion.apply(digits.images, strength, rng())
        assert result.shape == digits.images.shape
        assert result.dtype == np.uint8
        assert (result != digits.images).any((1, 2)).mean() > 0.8  # a small square may miss the ink
        assert np.abs(result - digits.images.astype(float)).mean() > 0


@pytest.mark.parametrize(
    "distortion", [d for d in DISTORTIONS if d.name != "blur"], ids=lambda each: each.name
)
def test_a_neutral_distortion_changes_nothing(digits, distortion):
    result = distortion.apply(digits.images, distortion.neutral, rng())
    np.testing.assert_array_equal(result, digits.images)


@pytest.mark.parametrize("distortion", DISTORTIONS, ids=lambda each: each.name)
def test_strengths_grow_away_from_what_is_neutral(distortion):
    far = [abs(strength - distortion.neutral) for strength in distortion.strengths]
    assert far[0] > 0
    assert far == sorted(far)


def test_rotation_turns_each_one_way_or_the_other_by_so_many_degrees():
    images = np.repeat(dot(13, 22), 50, axis=0)
    ends = [middle(image) - 13.5 for image in robustness.rotated(images, 30, rng())]
    angles = np.degrees([np.arctan2(row, column) for row, column in ends])
    start = np.degrees(np.arctan2(-0.5, 8.5))
    assert sorted({round(angle - start) for angle in angles}) == [-30, 30]


def test_shift_moves_by_so_many_pixels_in_any_direction():
    images = np.repeat(dot(14, 14), 200, axis=0)
    moves = np.array([middle(image) - 14 for image in robustness.shifted(images, 3, rng())])
    assert np.hypot(*moves.T) == pytest.approx([3] * 200, abs=0.15)
    assert (np.abs(moves).max(axis=0) > 2.5).all()


def test_strokes_get_thicker_and_thinner(digits):
    thick = [robustness.thickened(digits.images, pixels, rng()).sum() for pixels in (0, 0.5, 1, 2)]
    thin = [robustness.thinned(digits.images, pixels, rng()).sum() for pixels in (0, 0.5, 1, 2)]
    assert thick == sorted(thick)
    assert thin == sorted(thin, reverse=True)
    assert len({*thick, *thin}) == 7


def test_inversion_exchanges_ink_and_paper(digits):
    np.testing.assert_array_equal(robustness.inverted(digits.images, 1, rng()), 255 - digits.images)


def test_occlusion_hides_a_square_and_nothing_else():
    white = np.full((50, 28, 28), 255, np.uint8)
    hidden = robustness.occluded(white, 6, rng()) == 0
    assert (hidden.sum((1, 2)) == 36).all()
    assert len({tuple(np.argwhere(image)[0]) for image in hidden}) > 20


def test_robustness_starts_from_the_accuracy_and_falls(digits):
    classifier = classifiers.load(runs.BUNDLED)
    seen = []
    results = measure(classifier, digits, lambda done, total: seen.append((done, total)))
    accuracy = evaluation.evaluate(classifier, digits).accuracy
    assert [each.distortion for each in results] == [each.name for each in DISTORTIONS]
    for result, distortion in zip(results, DISTORTIONS, strict=True):
        assert result.strengths == (distortion.neutral, *distortion.strengths)
        assert len(result.accuracies) == len(result.strengths)
        assert result.accuracies[0] == accuracy > 0.9
        assert result.accuracies[-1] < accuracy
    assert seen[-1] == (len(seen), len(seen))
    assert measure(classifier, digits) == results
