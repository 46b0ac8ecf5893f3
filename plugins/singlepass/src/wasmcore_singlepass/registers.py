"""A target's registers, as the compiler takes them."""

from __future__ import annotations

from wasmcore_singlepass._native import i64


class RegisterFile:
    """Sets of registers are bits, lists are bytes of hardware numbers (see `protocol.Lowering` for their meaning)."""

    def __init__(
        self,
        temporaries: i64,
        float_temporaries: i64,
        pinned: bytes,
        float_pinned: bytes,
        integers: bytes,
        floats: bytes,
        integer_results: bytes,
        float_results: bytes,
        call_index: i64,
        native_arguments: bytes,
        native_destroyed: i64,
        shift_count: i64,
        dividend: i64,
        remainder: i64,
        vector_temporaries: bytes,
    ) -> None:
        self.temporaries: i64 = temporaries
        self.float_temporaries: i64 = float_temporaries
        self.pinned = pinned
        self.float_pinned = float_pinned
        self.integers = integers
        self.floats = floats
        self.integer_results = integer_results
        self.float_results = float_results
        self.call_index: i64 = call_index
        self.native_arguments = native_arguments
        self.native_destroyed: i64 = native_destroyed
        self.shift_count: i64 = shift_count
        self.dividend: i64 = dividend
        self.remainder: i64 = remainder
        self.vector_temporaries = vector_temporaries
