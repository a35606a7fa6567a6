"""A small network that finds the digits of a picture, whatever else is in it."""
