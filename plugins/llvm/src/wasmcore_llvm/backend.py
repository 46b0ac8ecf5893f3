"""The backend as core sees it: a unit through LLVM to compiled code."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right

from wasmcore.errors import PluginError
from wasmcore.plugin.code import CONTRACT, CompiledCode
from wasmcore.plugin.streams import CALLEE_SIZE
from wasmcore.plugin.unit import CompileUnit
from wasmcore_llvm.options import features_of, installed_options, level_of, option
from wasmcore_llvm.target import llvm_target, target_names
from wasmcore_llvm.version import backend_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore_llvm.objects.elf import Linked
    from wasmcore_llvm.target import LlvmTarget
    from wasmcore_llvm.text.state import Unit

LARGE_FRAME: Final = 16 << 10
"""Bytes of a frame that the reserve below the stack limit is not made for."""

_FEATURES: Final = (
    "mvp sign_extension saturating_conversions multi_value bulk_memory reference_types tail_calls multi_memory extended_const "
    "function_references memory64 custom_page_sizes wide_arithmetic threads simd relaxed_simd"
)


class Llvm:
    """`wasmcore.plugin.hooks.Backend`."""

    name = "llvm"
    contract = CONTRACT
    targets = target_names()
    features = frozenset(_FEATURES.split())
    unit_size = 1 << 19
    callee_size = CALLEE_SIZE
    lazy = False

    def __init__(self) -> None:
        self.version = backend_version()
        self.options = installed_options()

    def compile(self, unit: CompileUnit) -> CompiledCode:
        """Compile the functions of a unit together, but by themselves those that are too large for its level."""
        from wasmcore_llvm.streams.giants import joined, notes, parts

        return joined([self._compile(part)._replace(notes=notes(unit, part)) for part in parts(unit)])

    def lower(self, unit: CompileUnit) -> tuple[str, CompileUnit] | None:
        """One level less, and at last the `fallback`."""
        level = level_of(unit)
        if level != "O0":
            options = {**dict(unit.options), "level": f"O{int(level[1]) - 1}"}
            return self.name, unit._replace(options=tuple(sorted(options.items())))
        if option(unit, "fallback") == "none":
            return None
        return "singlepass", unit._replace(features=features_of(unit), options=())

    def _compile(self, unit: CompileUnit) -> CompiledCode:
        from wasmcore_llvm.text.state import Unit

        features = features_of(unit)
        large: dict[int, int] = {}
        while True:
            state = Unit(unit, llvm_target(unit.target), features)
            state.large = large
            code, large = self._attempt(unit, state)
            if not large:
                return code

    def _attempt(self, unit: CompileUnit, state: Unit) -> tuple[CompiledCode, dict[int, int]]:
        """The code, and the sizes of frames that have to be checked in another way, by function."""
        from wasmcore_llvm.bindings import object_file
        from wasmcore_llvm.objects.elf import link
        from wasmcore_llvm.text.module import module_text

        state.optimized = level_of(unit) != "O0"
        text = module_text(state, unit.streams, unit.wanted, unit.callees)
        elsewhere = frozenset(f"f{function}" for function in state.defined if unit.wanted >= 0)
        linked = link(object_file(option(unit, "library"), text, state.target, state.features, level_of(unit)), state.target, elsewhere)
        large = _large_frames(linked, state)
        if large:
            return CompiledCode(b"", b"", b""), large
        address_map, inlined = address_maps(linked, state) if unit.address_map else (b"", b"")
        return (
            CompiledCode(
                code=linked.code,
                functions=_function_table(linked, state),
                traps=b"".join(struct.pack("<II", at, state.sites[number][0]) for at, number in linked.traps),
                address_map=address_map,
                target=unit.target,
                features=state.features,
                backend=self.name,
                backend_version=self.version,
                inlined=inlined,
            ),
            {},
        )


def _function_table(linked: Linked, state: Unit) -> bytes:
    """Index, offset and size of each function, in the order of the unit."""
    return b"".join(struct.pack("<III", *row) for row in _function_rows(linked, state))


def _function_rows(linked: Linked, state: Unit) -> list[tuple[int, int, int]]:
    table = []
    for function in state.written:
        start, size = _symbol(linked, f"f{function}")
        if function in state.large:
            inner, inner_size = _symbol(linked, f"f{function}.large")
            if inner < start:
                raise PluginError("LLVM has moved a function")
            size = inner + inner_size - start
        table.append((function, start, size))
    if table != sorted(table, key=lambda row: row[1]):
        raise PluginError("LLVM has moved functions")
    return table


def _symbol(linked: Linked, name: str) -> tuple[int, int]:
    found = linked.symbols.get(name)
    if found is None:
        raise PluginError(f"LLVM's object does not define {name}")
    return found


def _large_frames(linked: Linked, state: Unit) -> dict[int, int]:
    """Bytes of the frames, by function, if there are new ones that are too large for a check that comes afterwards."""
    found = dict(state.large)
    for function in state.written:
        if function not in found:
            size = frame_size(state.target, linked.code, _symbol(linked, f"f{function}")[0])
            if size > LARGE_FRAME:
                found[function] = size
    return found if len(found) > len(state.large) else {}


def frame_size(target: LlvmTarget, code: bytes, at: int) -> int:
    """Bytes that the prologue at an offset takes from the stack."""
    size = target.frame_size(code, at)
    if size is None:
        raise PluginError("LLVM has made a function without a frame")
    return size


def address_maps(linked: Linked, state: Unit) -> tuple[bytes, bytes]:
    """`CompiledCode.address_map` and `inlined`: the line table and the trap sites as pairs of offset and place.

    LLVM forgets where an access comes from when it computes its address together with something else. Then it is the first that
    may fault from the place before on, which is that of its address.
    """
    from wasmcore.plugin.streams.places import InlinedPlaces

    places = dict(linked.places)
    places.update((at, state.sites[number][1] + 1) for at, number in linked.traps)
    rows = _function_rows(linked, state)
    starts = [start for _, start, _ in rows]
    inlined = InlinedPlaces()
    faulting = {function: sorted(words) for function, words in state.faulting.items()}
    pairs = []
    word, before = 0, -1
    for at in sorted(places):
        number = bisect_right(starts, at) - 1
        function = rows[number][0] if number >= 0 else -1
        if number != before:
            word, before = 0, number
        if places[at]:
            word = places[at] - 1
        else:
            words = faulting.get(function, [])
            found = bisect_left(words, word)
            if found == len(words):
                continue
            word = words[found]
        origins = state.origins.get(function)
        pairs.append((at, word if origins is None else inlined.place(function, origins, *origins.origin(word))))
    return b"".join(struct.pack("<II", *pair) for pair in pairs), b"".join(struct.pack("<III", *row) for row in inlined.rows)
