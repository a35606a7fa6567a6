"""The one door to Ray: it is started here, and functions are called by it."""
