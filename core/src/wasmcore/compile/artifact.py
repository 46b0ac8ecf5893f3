"""The one serialized form of compiled code: for the cache, for files made ahead of time, for what worker processes send back.

    header       magic, version, number of sections, length of everything, digest of everything else
    sections     kind, offset and length of each, ascending; code begins at a multiple of `CODE_ALIGNMENT`, the rest of 16
    ...

Numbers are little-endian. The digest is SHA-256, or HMAC-SHA256 where a key is given. Nothing in it is executed or interpreted when it
is read, and every length and offset is checked, so bytes of any origin give an artifact or an `ArtifactError`. That says nothing
about the code in it, which is as trustworthy as its origin.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from struct import Struct, error, iter_unpack, pack

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.errors import ArtifactError
from wasmcore.plugin.checking import wrong_tables
from wasmcore.plugin.code import LARGEST_ALIGNMENT, CompiledCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAGIC: Final = b"\x7fwcode\r\n"
"""The first bytes; shows damage by transfer as text."""
VERSION: Final = 5
"""Of the form, in every artifact; another one is refused."""
CODE_ALIGNMENT: Final = 4096
"""Code begins at a multiple of that many bytes, so that a file can be mapped."""

_HEADER: Final = Struct("<8sIIQQ")
_DIGEST_SIZE: Final = 32
_SECTION: Final = Struct("<IIQQ")
_UNIT: Final = Struct("<QQQQQQQ")
"""Length of each blob of a unit."""
_HEADER_SIZE: Final = _HEADER.size + _DIGEST_SIZE
_MADE_FOR, _MODULE, _UNITS, _CODE, _FUNCTIONS, _TRAPS, _ADDRESS_MAP, _INLINED, _MADE_BY, _CALLEES = range(1, 11)
_NAMES: Final = ("", "made-for", "module", "units", "code", "functions", "traps", "address-map", "inlined", "made-by", "callees")
_BLOBS: Final = (_CODE, _FUNCTIONS, _TRAPS, _ADDRESS_MAP, _INLINED, _MADE_BY, _CALLEES)
"""Sections that have a piece of each unit, one behind the other."""
_ENTRY_SIZES: Final = {_FUNCTIONS: 12, _TRAPS: 8, _ADDRESS_MAP: 8, _INLINED: 12, _CALLEES: 4}
UNIT_ALIGNMENT: Final = LARGEST_ALIGNMENT
"""Code of each unit begins at a multiple of that many bytes of the code section."""


class MadeFor(NamedTuple):
    """Everything that decides what code is compiled. Code runs only where all of it is the same."""

    module: bytes
    """SHA-256 of the WebAssembly module."""
    wasmcore: str
    backend: str
    backend_version: str
    build: bytes
    """Tells builds of one version apart (`wasmcore.compile.build_identity.build_of`); empty in files that travel."""
    contract: tuple[int, int]
    options: tuple[tuple[str, str], ...]
    target: str
    features: frozenset[str]
    """CPU features that the code may use."""
    wasm_features: frozenset[str]
    """The bodies of the module are valid with these WebAssembly features."""
    signals: bool
    lazy: bool
    """Compiled one by one, when nothing is known of the others but that they are called through their records."""
    memories: tuple[tuple[int, bool, bool, int], ...]
    """Of each memory: offset in the VMContext, 64-bit index, guarded, logarithm of the page size."""
    layout: tuple[int, int, int, int]
    """Imported functions, offsets of imports and functions in the VMContext, its size."""

    def pack(self) -> bytes:
        """As bytes, equal for equal values only."""
        write = _Writer()
        write.blob(self.module)
        for text in (self.wasmcore, self.backend, self.backend_version, self.target):
            write.text(text)
        write.blob(self.build)
        write.numbers(*self.contract, self.signals, self.lazy, *self.layout)
        write.texts([text for option in self.options for text in option])
        write.texts(sorted(self.features))
        write.texts(sorted(self.wasm_features))
        write.numbers(len(self.memories))
        for memory in self.memories:
            write.numbers(*memory)
        return b"".join(write.parts)

    @classmethod
    def unpack(cls, data: bytes) -> MadeFor:
        """What `pack` made bytes of; ArtifactError if it did not."""
        read = _Reader(data)
        module = read.blob()
        wasmcore, backend, backend_version, target = (read.text() for _ in range(4))
        build = read.blob()
        major, minor, signals, lazy, *layout = (read.number() for _ in range(8))
        options = read.texts()
        features, wasm_features = frozenset(read.texts()), frozenset(read.texts())
        memories = []
        for _ in range(read.count(16)):
            offset, index64, guarded, page_size = (read.number() for _ in range(4))
            memories.append((offset, bool(index64), bool(guarded), page_size))
        pairs = tuple(zip(options[::2], options[1::2]))
        found = cls(
            module,
            wasmcore,
            backend,
            backend_version,
            build,
            (major, minor),
            pairs,
            target,
            features,
            wasm_features,
            bool(signals),
            bool(lazy),
            tuple(memories),
            (layout[0], layout[1], layout[2], layout[3]),
        )
        if found.pack() != data:
            raise ArtifactError("precompiled code is damaged: its made-for section is not what it would be written as")
        return found


class _Writer:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def numbers(self, *values: int) -> None:
        self.parts += [pack("<I", value) for value in values]

    def blob(self, data: bytes) -> None:
        self.numbers(len(data))
        self.parts.append(data)

    def text(self, text: str) -> None:
        self.blob(text.encode())

    def texts(self, texts: Sequence[str]) -> None:
        self.numbers(len(texts))
        for text in texts:
            self.text(text)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise ArtifactError("precompiled code is damaged: its made-for section ends too early")
        return self._data[start : self._at]

    def number(self) -> int:
        return int.from_bytes(self._take(4), "little")

    def count(self, size: int) -> int:
        """A number of things that take at least `size` bytes each."""
        found = self.number()
        if found * size > len(self._data) - self._at:
            raise ArtifactError("precompiled code is damaged: its made-for section ends too early")
        return found

    def blob(self) -> bytes:
        return self._take(self.number())

    def text(self) -> str:
        try:
            return self.blob().decode()
        except UnicodeDecodeError:
            raise ArtifactError("precompiled code is damaged: a name in it is not UTF-8") from None

    def texts(self) -> list[str]:
        return [self.text() for _ in range(self.count(4))]


class Artifact(NamedTuple):
    """Compiled code of a module."""

    made_for: MadeFor
    units: tuple[CompiledCode, ...]
    """In order. A function is in at most one."""
    complete: bool
    """Whether all functions of the module are there."""
    module: bytes | None = None
    """The WebAssembly itself, in a file that is to stand alone."""

    def required_features(self) -> frozenset[str]:
        """CPU features that the code needs."""
        return frozenset[str]().union(*[unit.features for unit in self.units])

    def size(self) -> int:
        """Bytes of machine code."""
        return sum([len(unit.code) for unit in self.units])


def is_artifact(data: bytes) -> bool:
    """Whether bytes begin like an artifact."""
    return data.startswith(MAGIC)


# Writing


def write_artifact(artifact: Artifact, key: bytes | None = None) -> bytes:
    """An artifact as bytes, authenticated with a key or with a checksum only."""
    return b"".join(artifact_parts(artifact, key))


def artifact_parts(artifact: Artifact, key: bytes | None = None) -> list[bytes]:
    """The same in pieces, most of them those that the artifact is made of."""
    head = _Writer()
    head.numbers(artifact.complete)
    head.texts(sorted(artifact.required_features()))
    head.blob(artifact.made_for.pack())
    contents = {_MADE_FOR: head.parts, **_unit_sections(artifact.units, artifact.made_for)}
    if artifact.module is not None:
        contents[_MODULE] = [artifact.module]
    parts: list[bytes] = []
    table: list[bytes] = []
    position = _HEADER_SIZE + _SECTION.size * len(contents)
    for kind in sorted(contents):
        padding = -position % (CODE_ALIGNMENT if kind == _CODE else 16)
        length = sum(map(len, contents[kind]))
        parts += (bytes(padding), *contents[kind])
        table.append(_SECTION.pack(kind, 0, position + padding, length))
        position += padding + length
    header = _HEADER.pack(MAGIC, VERSION, len(contents), position, 0)
    return [header, _digest(key, (header, *table, *parts)), *table, *parts]


def _unit_sections(units: tuple[CompiledCode, ...], made_for: MadeFor) -> dict[int, list[bytes]]:
    blobs = [
        (
            *(unit.code, unit.functions, unit.traps, unit.address_map, unit.inlined),
            *(_made_by(unit, made_for), unit.callees),
        )
        for unit in units
    ]
    sections = {kind: [blob[at] for blob in blobs] for at, kind in enumerate(_BLOBS)}
    sections[_CODE] = [piece for blob in blobs for piece in (blob[0], _padding(blob[0]))]
    sections[_UNITS] = [_UNIT.pack(*map(len, blob)) for blob in blobs]
    return sections


def _made_by(unit: CompiledCode, made_for: MadeFor) -> bytes:
    """The backend, its version and options, where they are not those that the artifact was made for."""
    if (unit.backend, unit.options) == (made_for.backend, made_for.options):
        return b""
    write = _Writer()
    write.texts([unit.backend, unit.backend_version, *(text for option in unit.options for text in option)])
    return b"".join(write.parts)


def _padding(code: bytes) -> bytes:
    return bytes(-len(code) % UNIT_ALIGNMENT)


def _digest(key: bytes | None, parts: Iterable[bytes | memoryview]) -> bytes:
    state: Any = sha256() if key is None else hmac.new(key, digestmod=sha256)
    for part in parts:
        state.update(part)
    found: bytes = state.digest()
    return found


# Reading


def read_artifact(data: bytes, key: bytes | None = None, *, made_for: MadeFor | None = None) -> Artifact:
    """The artifact that bytes hold; ArtifactError saying what is wrong with them.

    key: what it must have been written with. Then the tables of the units are not looked at one entry by one, for who had the key
        made them from what a backend returned.
    made_for: refuse what was made for anything else.
    """
    sections = _sections(data, key)
    read = _Reader(bytes(sections[_MADE_FOR]))
    complete = read.number()
    required = frozenset(read.texts())
    packed = read.blob()
    if made_for is None:
        made_for = MadeFor.unpack(packed)
    elif made_for.pack() != packed:
        raise ArtifactError(f"precompiled code does not fit: {difference(MadeFor.unpack(packed), made_for)}")
    if complete > 1:
        raise _damaged("whether it is complete")
    module = bytes(sections[_MODULE]) if _MODULE in sections else None
    if module is not None and sha256(module).digest() != made_for.module:
        raise _damaged("the module in it is not the one that it was made for")
    units = tuple(_units(sections, made_for, required))
    if key is None:
        _check_units(units, made_for)
    return Artifact(made_for, units, bool(complete), module)


def difference(found: MadeFor, wanted: MadeFor) -> str:
    """What precompiled code was made for, and what would be needed, in one line."""
    names = ("module", "wasmcore", "backend", "backend_version", "contract", "target", "features", "options")
    for name in (*names, "wasm_features", "signals", "lazy", "memories", "layout", "build"):
        one, other = getattr(found, name), getattr(wanted, name)
        if one != other:
            return f"made for {_PHRASES.get(name, name)} {_shown(one)}, not {_shown(other)}"
    return "made for the same"


_PHRASES: Final = {"backend_version": "version", "features": "CPU features", "wasm_features": "WebAssembly features"}


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()[:16] or "(none)"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "(none)"
    return str(value)


def _damaged(what: str) -> ArtifactError:
    return ArtifactError(f"precompiled code is damaged: {what}")


def _sections(data: bytes, key: bytes | None) -> dict[int, memoryview]:
    """The content of each section, of bytes whose digest is right."""
    if not is_artifact(data):
        raise ArtifactError("this is no precompiled WebAssembly: it does not begin with the bytes 7f 77 63 6f 64 65 0d 0a")
    try:
        _, version, count, length, reserved = _HEADER.unpack_from(data)
        digest_end = _HEADER_SIZE
        table_end = digest_end + _SECTION.size * count
        if version != VERSION:
            raise ArtifactError(f"precompiled code has version {version} of its form, this wasmcore reads version {VERSION}")
        if length != len(data) or table_end > length:
            raise ArtifactError(f"precompiled code is truncated or longer than it should be: {len(data)} bytes of {length}")
        view = memoryview(data)
        digest = _digest(key, (view[: _HEADER.size], view[digest_end:]))
        if not hmac.compare_digest(digest, data[_HEADER.size : digest_end]):
            raise _damaged("its checksum is wrong" if key is None else "it is not authentic")
        if reserved:
            raise _damaged("its header")
        return _section_table(view, table_end, list(iter_unpack(_SECTION.format, view[digest_end:table_end])))
    except error:
        raise ArtifactError(f"precompiled code is truncated: {len(data)} bytes") from None


def _section_table(view: memoryview, position: int, table: list[tuple[int, ...]]) -> dict[int, memoryview]:
    found: dict[int, memoryview] = {}
    for kind, reserved, offset, length in table:
        if not 0 < kind < len(_NAMES) or kind in found or reserved:
            raise _damaged(f"it has a section of kind {kind}")
        if offset < position or offset + length > len(view):
            raise _damaged(f"its {_NAMES[kind]} section is out of place")
        found[kind] = view[offset : offset + length]
        position = offset + length
    missing = [name for kind, name in enumerate(_NAMES) if kind not in found and kind not in (0, _MODULE)]
    if missing or position != len(view):
        raise _damaged(f"its sections are not complete ({', '.join(missing) or 'bytes behind the last one'})")
    return found


def _units(sections: dict[int, memoryview], made_for: MadeFor, required: frozenset[str]) -> Iterator[CompiledCode]:
    if len(sections[_UNITS]) % _UNIT.size:
        raise _damaged("its units section")
    position = dict.fromkeys(_BLOBS, 0)
    for lengths in _UNIT.iter_unpack(sections[_UNITS]):
        blobs: list[bytes] = []
        for kind, length in zip(_BLOBS, lengths):
            start = position[kind]
            if start + length > len(sections[kind]) or length % _ENTRY_SIZES.get(kind, 1):
                raise _damaged(f"its {_NAMES[kind]} section does not have what its units say")
            blobs.append(bytes(sections[kind][start : start + length]))
            position[kind] = start + length + (-length % UNIT_ALIGNMENT if kind == _CODE else 0)
        if not blobs[1]:
            raise _damaged("a unit has no function")
        code, functions, traps, address_map, inlined, made_by, callees = blobs
        backend, version, *options = _Reader(made_by).texts() if made_by else (made_for.backend, made_for.backend_version)
        yield CompiledCode(
            code=code,
            functions=functions,
            traps=traps,
            address_map=address_map,
            target=made_for.target,
            features=required,
            backend=backend,
            backend_version=version,
            contract=made_for.contract,
            inlined=inlined,
            options=tuple(zip(options[::2], options[1::2])) if made_by else made_for.options,
            callees=callees,
        )
    if any(position[kind] != len(sections[kind]) for kind in _BLOBS):
        raise _damaged("its units do not add up to its sections")


def _check_units(units: tuple[CompiledCode, ...], made_for: MadeFor) -> None:
    """Check every entry of the tables of units."""
    seen: set[int] = set()
    for unit in units:
        wrong = wrong_tables(unit, made_for.layout[0])
        if wrong is not None:
            raise _damaged(wrong)
        functions = {function.function for function in unit.function_table()}
        if seen & functions:
            raise _damaged(f"function {min(seen & functions)} is in it twice or is imported")
        seen |= functions


# Units


def joined(units: Sequence[CompiledCode]) -> CompiledCode:
    """Several units as one, in the same order. Their code may not need an alignment greater than `UNIT_ALIGNMENT`."""
    codes: list[bytes] = []
    functions: list[bytes] = []
    traps: list[bytes] = []
    maps: list[bytes] = []
    position = 0
    for unit in units:
        if unit.inlined:
            raise ArtifactError("code with inlined calls can not be joined")
        padding = _padding(unit.code)
        codes += (unit.code, padding)
        functions += [pack("<III", index, offset + position, size) for index, offset, size in iter_unpack("<III", unit.functions)]
        traps += [pack("<II", offset + position, kind) for offset, kind in iter_unpack("<II", unit.traps)]
        maps += [pack("<II", offset + position, word) for offset, word in iter_unpack("<II", unit.address_map)]
        position += len(unit.code) + len(padding)
    features = frozenset[str]().union(*[unit.features for unit in units])
    return units[0]._replace(
        code=b"".join(codes), functions=b"".join(functions), traps=b"".join(traps), address_map=b"".join(maps), features=features
    )
