"""Modules that were damaged on the way."""

from __future__ import annotations

from random import Random


def damaged(random: Random, data: bytes) -> bytes:
    """A module that is cut off, has bits flipped, or bytes changed, put in or taken out."""
    changed = bytearray(data)
    kind = random.choice(("cut", "flip", "flip", "byte", "insert", "delete"))
    for _ in range(1 if kind == "cut" else random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(changed))
        if kind == "cut":
            del changed[max(at, 1) :]
        elif kind == "flip":
            changed[at] ^= 1 << random.randrange(8)
        elif kind == "byte":
            changed[at] = random.randrange(256)
        elif kind == "insert":
            changed.insert(at, random.randrange(256))
        else:
            del changed[at]
    return bytes(changed)
