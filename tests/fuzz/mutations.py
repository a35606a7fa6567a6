"""Bytes that are nearly what they should be, without end, and the same for the same seeds."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

LONGEST = 2**16
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def mutated(seeds: list[bytes]) -> Iterator[bytes]:
    """Each of the seeds, then what becomes of them by one to eight changes each."""
    yield from seeds
    random = Random(0)
    while True:
        content = bytearray(random.choice(seeds))
        for _ in range(random.choice((1, 1, 2, 3, 8))):
            _change(content, random, seeds)
        yield bytes(content[:LONGEST])


def _change(content: bytearray, random: Random, seeds: list[bytes]) -> None:
    at = random.randrange(len(content) + 1)
    size = random.choice((1, 2, 4, 4, 16, 200))
    match random.randrange(8):
        case 0 if content:
            content[at % len(content)] ^= 1 << random.randrange(8)
        case 1:
            content[at : at + 1] = bytes(
                [random.choice((0, 10, 32, 44, 48, 57, 127, 255, random.randrange(256)))]
            )
        case 2:
            width = random.choice((1, 2, 4, 8))
            number = random.choice(NUMBERS) % 256**width
            content[at : at + width] = number.to_bytes(width, random.choice(("little", "big")))
        case 3:
            del content[at : at + size]
        case 4:
            content[at:at] = content[at : at + size] * random.choice((1, 1, 50))
        case 5:
            content[at:at] = random.randbytes(size)
        case 6:
            other = random.choice(seeds)
            start = random.randrange(len(other) + 1)
            content[at : at + size] = other[start : start + size]
        case _:
            del content[at:]
