"""Confidence that means what it says: of the readings that are 90 % sure, nine in ten are right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from digitcli import models
from digitcli.convention import NO_DIGIT, NO_DIGITS
from digitcli.data.digits import Digits
from digitcli.reading.likelihood import odds

_TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5), 401))
_BATCH = 1000


def expect_digits(model: Any, share: float) -> None:
    """Makes a network that was trained on a `share` of no digits expect the NO_DIGITS that people show it.

    model: as from `models.build` or `models.ensemble`, with an output for no digit, whose log odds move by
    the difference (Saerens, Latinne & Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori
    Probabilities", 2002).
    """
    for layer in models.last_layers(model):
        kernel, bias = layer.get_weights()
        bias[NO_DIGIT] += math.log(odds(NO_DIGITS) / odds(share))
        layer.set_weights([kernel, bias])


def calibrate(model: Any, digits: Digits) -> float:
    """Divides the logits of a trained network by the temperature that makes `digits` least surprising.

    model: as from `models.build` or `models.ensemble`; the temperature goes into the weights before its
    logits, so that every file and every runtime has it. What it reads stays the same. digits: none that it
    was trained on.
    Returns the temperature: above 1 if the network was too sure of itself, below if it was too modest.
    Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", 2017.
    """
    network = models.logits(model)
    batches = (digits.images[first : first + _BATCH] for first in range(0, len(digits), _BATCH))
    logits = np.concatenate(
        [network(batch[..., None] / np.float32(255), training=False).numpy() for batch in batches]
    ).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    right = logits[np.arange(len(digits)), digits.labels]

    def surprise(temperature: float) -> float:
        totals = np.log(np.exp(logits / temperature).sum(axis=1))
        return float((totals - right / temperature).mean())

    temperature = float(min(_TEMPERATURES.tolist(), key=surprise))
    for layer in models.last_layers(model):
        layer.set_weights([weight / temperature for weight in layer.get_weights()])
    return temperature
