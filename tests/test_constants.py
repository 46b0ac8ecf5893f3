"""Constants that hot modules repeat, because mypyc inlines only what stands in the module itself, equal those of the contract."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from wasmcore import stream, types
from wasmcore.errors import TrapKind
from wasmcore.opcodes import OPCODES, Immediates
from wasmcore.plugin import layout
from wasmcore.plugin.builtins import BUILTIN_NUMBERS
from wasmcore_singlepass import records

ROOT = Path(__file__).parents[1]
FOLDERS = ("core/src/wasmcore/binary", "core/src/wasmcore/validation", "plugins/singlepass/src")
OWN = {("decoder.py", "_REF_FUNC"), ("vectors.py", "_SHUFFLE")}
"""Constants that mean something else than the constant of the same name (a type, not the instruction; a shape, not the immediates)."""


def integers(module: Any) -> dict[str, int]:
    """The integer constants of a module or class."""
    return {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int)}


def layout_offsets() -> dict[str, int]:
    """`STORE_STACK_LIMIT` for `STORE["stack_limit"]`, and the sizes."""
    tables = {name: value for name, value in vars(layout).items() if name.isupper() and isinstance(value, Mapping)}
    return integers(layout) | {f"{table}_{name}".upper(): at for table, fields in tables.items() for name, at in fields.items()}


STREAM = integers(stream)
OPERATIONS = {opcode.name.replace(".", "_").upper(): opcode.code for opcode in sorted(OPCODES.values(), key=lambda opcode: -opcode.code)}
"""By name; of the two instructions `select` the first."""
RECORDS = integers(records)


def allowed(name: str) -> set[int]:
    """Values that a constant may have, by its name; none if it repeats nothing."""
    bare = name.lstrip("_")
    if not name.startswith("_"):
        return set()
    if bare in STREAM:
        # The header's words are read by number or by byte.
        return {STREAM[bare], 8 * STREAM[bare]} if bare.startswith("HEADER_") else {STREAM[bare]}
    code = bare.removeprefix("OP_")
    if code in OPERATIONS:
        return {OPERATIONS[code]}
    if code != bare and code in STREAM:
        return {STREAM[code]}
    if bare.removeprefix("TRAP_") in TrapKind.__members__:
        return {TrapKind[bare.removeprefix("TRAP_")].value}
    sources: tuple[Mapping[str, Any], ...] = (integers(types), integers(Immediates), layout_offsets())
    return {int(source[bare]) for source in sources if bare in source}


def constants(file: Path) -> Iterator[tuple[str, int]]:
    """`NAME: Final = <integer>` at the top of a module."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, int) and node.target.id.isupper():
                yield node.target.id, node.value.value


@pytest.mark.parametrize("folder", FOLDERS)
def test_repeated_constants(folder: str) -> None:
    checked = 0
    for file in sorted((ROOT / folder).rglob("*.py")):
        for name, value in constants(file):
            wanted = allowed(name)
            if wanted and (file.name, name) not in OWN:
                assert value in wanted, f"{file}: {name} is {value}, not {wanted}"
                checked += 1
    assert checked > 3, "nothing recognised: have the names changed?"


INTERFACE = {
    **layout_offsets(),
    **{f"TRAP_{kind.name}": kind.value for kind in TrapKind},
    **{f"BUILTIN_{name}".upper(): number for name, number in BUILTIN_NUMBERS.items()},
    "NO_REGISTER": records.NO_REGISTER,
}
"""What the encoder of the x86-64 target repeats of the machine interface, by its names there."""


def test_the_machine_interface_in_the_encoder() -> None:
    found = dict(constants(ROOT / "plugins/x86_64/src/wasmcore_x86_64/singlepass/frame.py"))
    repeated = {name: value for name, value in found.items() if name in INTERFACE}
    assert repeated == {name: INTERFACE[name] for name in repeated}
    assert {name for name in found if name.startswith(("TRAP_", "STORE_", "FUNCREF_", "BUILTIN_", "VMCONTEXT_"))} <= set(INTERFACE)
    assert len(repeated) > 10, "nothing recognised: have the names changed?"


def test_macro_records_in_the_encoder() -> None:
    files = [ROOT / f"plugins/x86_64/src/wasmcore_x86_64/singlepass/{part}.py" for part in ("encoder", "vectors", "atomics")]
    found = {name: value for file in files for name, value in constants(file)}
    repeated = {name.removesuffix("_RECORD").lstrip("_"): value for name, value in found.items()}
    assert {name: value for name, value in repeated.items() if name in RECORDS and RECORDS[name] != value} == {}
    assert {operation for operation in records.OPERATIONS if operation not in found.values()} == set()
