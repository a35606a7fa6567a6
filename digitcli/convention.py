"""MNIST's convention, which everything here keeps: 28x28 pixels, light ink on black, ten digits."""

SIDE = 28
CLASSES = 10
NO_DIGIT = 10
"""The class of what is no digit, for networks that know it."""
NO_DIGITS = 0.02
"""Share of the pictures that people have read that show no digit; what such networks expect."""
