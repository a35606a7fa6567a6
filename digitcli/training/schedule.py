"""What changes while a network trains: the learning rate and the strength of the warps."""

from __future__ import annotations

import math

from digitcli.models import Recipe

WARM_UP = 0.02
"""Share of the training in which the rate of the cosine schedule rises."""
LAST_WARPS = 0.4
"""What is left of the bounds of the warps when training ends."""


def learning_rate(recipe: Recipe, progress: float) -> float:
    """The rate where `progress` of the training, 0 to 1, is done.

    "cosine" rises in a straight line for the first WARM_UP and comes down to zero along half a cosine
    (Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017).
    """
    if recipe.schedule == "constant":
        return recipe.lr
    if progress < WARM_UP:
        return recipe.lr * (0.05 + 0.95 * progress / WARM_UP)
    return recipe.lr * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2


def warp_strength(progress: float) -> float:
    """By what to multiply the bounds of the warps where `progress` of the training, 0 to 1, is done.

    Strong warps teach what a digit may look like, weak ones at the end what it mostly does look like: the
    digits to be read are not warped (Touvron, Vedaldi, Douze & Jégou, "Fixing the train-test resolution
    discrepancy", 2019, found the same for the size of objects).
    """
    return 1 - (1 - LAST_WARPS) * progress
