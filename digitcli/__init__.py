"""Trains, evaluates, runs and exports handwritten-digit classifiers."""

__version__ = "0.1.0"
