"""The compiled and the uncompiled build of decoder, validator and stream make the same of the same."""

from __future__ import annotations

import random
from types import ModuleType

import pureswitch
import pytest
from module_samples import SAMPLES, binary

import wasmcore.validation.body
from wasmcore.errors import CompileError

pytestmark = pytest.mark.skipif(
    not pureswitch.is_compiled(wasmcore.validation.body), reason="NOT COMPARED: wasmcore is not compiled in this environment"
)


def outcome(binary_package: ModuleType, validation: ModuleType, data: bytes) -> list[bytes] | str:
    """The streams and their positions, or what is wrong."""
    try:
        info = binary_package.decode(data)
        validation.validate(info)
        writer = validation.StreamWriter(info)
        functions = range(info.imported_functions, info.function_count)
        return [part for index in functions for part in (writer.stream(index), writer.positions(index))]
    except CompileError as error:
        return str(error)


def test_streams_and_errors_are_equal() -> None:
    import wasmcore.binary
    import wasmcore.validation

    generator = random.Random(1)
    cases = []
    for text in SAMPLES.values():
        data = binary(text)
        for _ in range(150):
            cases.append(data)
            changed = bytearray(binary(text))
            changed[generator.randrange(8, len(changed))] = generator.randrange(256)
            data = bytes(changed)
    expected = [outcome(wasmcore.binary, wasmcore.validation, data) for data in cases]
    assert set(map(type, expected)) == {list, str}
    with pureswitch.source_modules():  # once, for the modules that are imported at first use have to fit the others
        import wasmcore.binary as source_binary
        import wasmcore.validation as source_validation
        from wasmcore.validation import body

        assert not pureswitch.is_compiled(body)
        for data, wanted in zip(cases, expected, strict=True):
            assert outcome(source_binary, source_validation, data) == wanted


def printed(printer: ModuleType, reader: ModuleType, data: bytes, folded: bool) -> str:
    """The module as text and that read again, or what is wrong."""
    try:
        found: str = printer.wasm2wat(data, folded=folded)
        return found + reader.wat2wasm(found).hex()
    except CompileError as error:
        return str(error)


def test_texts_are_equal() -> None:
    from wasmcore.text import module, printer

    with pureswitch.source_modules():
        from wasmcore.text import module as source_module
        from wasmcore.text import printer as source_printer
        from wasmcore.text import printer_instructions
    assert not pureswitch.is_compiled(printer_instructions)
    generator = random.Random(2)
    for text in SAMPLES.values():
        data = binary(text)
        for number in range(60):
            folded = bool(number & 1)
            assert printed(source_printer, source_module, data, folded) == printed(printer, module, data, folded)
            changed = bytearray(binary(text))
            changed[generator.randrange(8, len(changed))] = generator.randrange(256)
            data = bytes(changed)
