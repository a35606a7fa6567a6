"""How the learning rate changes while a network trains."""

from __future__ import annotations

import math

from digitcli.models import Recipe

WARM_UP = 0.02
"""Share of the training in which the rate of the cosine schedule rises."""


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
