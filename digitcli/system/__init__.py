"""Files, limits, processes and the start of TensorFlow: what knows nothing of digits."""
