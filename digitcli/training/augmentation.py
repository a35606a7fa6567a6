"""Random warps of digits, inside the TensorFlow graph."""

from __future__ import annotations

import math
from typing import Any

from digitcli.tensorflow_setup import import_tensorflow

tf = import_tensorflow()

ROTATION = math.radians(12)
SHEAR = 0.2
SCALE = 0.12
SHIFT = 2.2  # pixels


def warp(images: Any, seed: Any) -> Any:
    """Each image under a random affine map of its own, bilinear, black outside.

    images: (n, 28, 28, 1) float32. seed: (2,) int32, which alone decides the maps.
    Rotation, shear and scale turn about the middle; bounds are the constants above.
    """
    n = tf.shape(images)[0]
    u = tf.random.stateless_uniform((7, n), seed, -1.0, 1.0)
    angle, shear_x, shear_y = ROTATION * u[0], SHEAR * u[1], SHEAR * u[2]
    scale_x, scale_y = 1 + SCALE * u[3], 1 + SCALE * u[4]
    cos, sin = tf.cos(angle), tf.sin(angle)
    a, b = scale_x * (cos + shear_x * sin), scale_x * (shear_x * cos - sin)
    c, d = scale_y * (sin + shear_y * cos), scale_y * (cos - shear_y * sin)
    # The middle of 28 pixels lies between the 14th and the 15th.
    middle = 13.5
    shift_x = middle - (a + b) * middle + SHIFT * u[5]
    shift_y = middle - (c + d) * middle + SHIFT * u[6]
    zero = tf.zeros_like(a)
    # The eight numbers of a projective map from output to input; the last two stay 0 for an affine one.
    maps = tf.stack([a, b, shift_x, c, d, shift_y, zero, zero], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=maps,
        output_shape=tf.constant([28, 28]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
