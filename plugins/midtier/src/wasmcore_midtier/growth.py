"""Arrays that grow, which costs less when much is added at once."""

from __future__ import annotations

from wasmcore_midtier._native import append, extend, i64, vec


def grown(numbers: vec[i64], count: i64) -> vec[i64]:
    """An array with room for so many numbers; what is in what was added means nothing."""
    if i64(len(numbers)) == 0 and count > 0:
        numbers = append(numbers, 0)
    while i64(len(numbers)) < count:
        numbers = extend(numbers, numbers)
    return numbers
