"""Pictures of digits as people make them, from a seed: pens, papers, lamps and cameras, simulated.

For measuring and training what reads pictures; nothing in it is a photograph.
"""

from digitcli.simulator.kinds import HELD_OUT, KINDS, NOT_DIGITS, Picture, mixed, not_digits, picture

__all__ = ["HELD_OUT", "KINDS", "NOT_DIGITS", "Picture", "mixed", "not_digits", "picture"]
