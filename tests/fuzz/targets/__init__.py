"""What is fuzzed, one module each.

A module has `seeds`, some honest inputs, made here; `read`, which gives bytes to a reader and lets only
errors through that users are not meant to meet; and `CHEAP` or `DEAR`, how many mutations of the seeds are
tried in every run of the tests.
"""

CHEAP, DEAR = 400, 60
