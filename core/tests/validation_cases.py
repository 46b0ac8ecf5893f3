"""Checks one rule at a time: modules as text, what is said about them, and wasmtime's opinion."""

from __future__ import annotations

import pytest
from module_samples import binary, is_valid

from wasmcore.binary import decode
from wasmcore.errors import ValidationError
from wasmcore.opcodes import DEFAULT_FEATURES, FEATURES
from wasmcore.validation import validate


def accept(text: str, proposals: bool = False) -> None:
    """The fields of a module that is valid."""
    data = binary(f"(module {text})")
    features = frozenset(FEATURES) if proposals else DEFAULT_FEATURES
    assert is_valid(data, proposals)
    validate(decode(data, features), features)


def refuse(text: str, message: str, proposals: bool = False) -> None:
    """The fields of a module that is well-formed and invalid, and a part of what is said about it."""
    data = binary(f"(module {text})")
    features = frozenset(FEATURES) if proposals else DEFAULT_FEATURES
    assert not is_valid(data, proposals)
    with pytest.raises(ValidationError) as caught:
        validate(decode(data, features), features)
    assert message in caught.value.message
    assert caught.value.offset is not None and 8 <= caught.value.offset <= len(data)
