"""The order of the data: shuffled, warped and handed out a few batches at a time, one call ahead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from digitcli.images.augmentation import ALL, Warp, warp

Batches = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Images (batches, batch size, 28, 28) and their labels (batches, batch size)."""


def batches(
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batch_size: int,
    *,
    first: int = 0,
    at_a_time: int,
    seed: tuple[int, ...],
    bounds: Warp | None,
    share: slice = ALL,
) -> Iterator[Batches]:
    """All images once, except for the last, incomplete batch, in an order that `seed` alone decides.

    first: the batch to begin with, a multiple of `at_a_time`.
    at_a_time: batches handed out together, the last time perhaps fewer. bounds: of the warps, None for
    images as they are. share: the part of each batch that is wanted.
    The next ones are made by a thread while the caller works on these.
    """
    order = np.random.default_rng(seed).permutation(len(images))
    whole = order[: len(order) // batch_size * batch_size].reshape(-1, batch_size)

    def make(start: int) -> Batches:
        call = whole[start : start + at_a_time]
        chosen = call[:, share]
        pixels = images[chosen.ravel()]
        if bounds:
            places = np.arange(call.size).reshape(call.shape)[:, share].ravel()
            pixels = warp(pixels, np.random.default_rng((*seed, start)), bounds, of=call.size, which=places)
        return pixels.reshape(*chosen.shape, *images.shape[1:]), labels[chosen]

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(make, first)
        for following in range(first + at_a_time, len(whole) + at_a_time, at_a_time):
            ready = coming.result()
            if following < len(whole):
                coming = thread.submit(make, following)
            yield ready
