"""What published programs are asked, with answers that are known without them."""

from __future__ import annotations

import re
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmcore

PASSWORD, SALT = b"password", b"somesalt"
ARGON2I = "89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f"
"""Of 2 passes over 256 KiB; from the tests of the reference implementation."""
MAPPINGS = b"AAAA,SAASA,GACRC;AAEA,gBAAIA;;IAFJ,EAEI,A;4xvqB"
"""Source map revision 3, section "mappings": base 64 VLQ."""
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
SIDE = 16
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" width="{SIDE}" height="{SIDE}">
  <rect width="{SIDE}" height="{SIDE}" fill="#204080"/><rect x="4" y="2" width="8" height="6" fill="#ff8000"/></svg>"""


def argon2(module: wasmcore.Module) -> None:
    """The key of a password."""

    def copy(to: int, source: int, size: int) -> int:
        memory.write(to, memory.read(source, size))
        return to

    exports: Any = wasmcore.Instance(module, {"a": {"a": copy, "b": lambda size: 0}}).exports
    memory, malloc = exports.c, exports.f
    exports.d()

    def put(data: bytes) -> int:
        at = malloc(len(data))
        memory.write(at, data)
        return int(at)

    key = put(bytes(32))
    status = exports.e(2, 256, 1, put(PASSWORD), len(PASSWORD), put(SALT), len(SALT), key, 32, 0, 0, 1, 0x13)
    assert status == 0
    assert memory.read(key, 32).hex() == ARGON2I


def numbers(segment: str) -> list[int]:
    """A segment of a source map."""
    found, value, shift = [], 0, 0
    for digit in map(DIGITS.index, segment):
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            found.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    return found


def source_map(module: wasmcore.Module) -> None:
    """Where generated code comes from, in the order of the generated code."""
    rows: list[tuple[int, ...]] = []
    instance = wasmcore.Instance(module, {"env": {"mapping_callback": lambda *row: rows.append(row)}})
    exports: Any = instance.exports
    text = exports.allocate_mappings(len(MAPPINGS))
    exports.memory.write(text, MAPPINGS)
    parsed = exports.parse_mappings(text)
    assert parsed and exports.get_last_error() == 0
    exports.by_generated_location(parsed)
    expected = []
    source = line = column = name = 0
    for generated, segments in enumerate(MAPPINGS.decode().split(";")):
        at = 0
        for found in [numbers(segment) for segment in segments.split(",") if segment]:
            at += found[0]
            if len(found) > 1:
                source, line, column = source + found[1], line + found[2], column + found[3]
            if len(found) > 4:
                name += found[4]
            original = (1, source, line, column) if len(found) > 1 else (0, 0, 0, 0)
            expected.append((generated, at, *original, *((1, name) if len(found) > 4 else (0, 0))))
    assert [(*row[:2], *row[4:]) for row in rows] == expected


def graphviz(module: wasmcore.Module) -> None:
    """A drawing of a graph, with all its nodes and edges."""
    with tempfile.TemporaryFile() as file:
        exports: Any = wasmcore.Instance(module, host_options={"wasi": {"stdout": file, "stderr": file}}).exports

        def put(text: str) -> int:
            at = exports.malloc(len(text) + 1)
            exports.memory.write(at, text.encode() + b"\0")
            return int(at)

        size = exports.malloc(4)
        drawn = exports.graphviz_render(put("digraph { a -> b; b -> c; c -> a; a -> d }"), put("plain"), put("dot"), size)
        assert drawn
        text = exports.memory.read(drawn, int.from_bytes(exports.memory.read(size, 4), "little")).decode()
    rows = [line.split() for line in text.splitlines()]
    assert {row[1] for row in rows if row[0] == "node"} == {"a", "b", "c", "d"}
    assert {(row[1], row[2]) for row in rows if row[0] == "edge"} == {("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")}
    heights = {row[1]: float(row[3]) for row in rows if row[0] == "node"}
    assert heights["a"] > heights["b"] > heights["c"] and heights["a"] > heights["d"]


def pixels(data: bytes) -> list[list[tuple[int, ...]]]:
    """The rows of a PNG of 8 bits for each of three or four colours."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        chunks[kind] = chunks.get(kind, b"") + data[at + 8 : at + 8 + size]
        at += size + 12
    width, height, depth, colours = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    channels = {2: 3, 6: 4}[colours]
    assert depth == 8
    lines = zlib.decompress(chunks[b"IDAT"])
    stride = channels * width
    before, rows = bytearray(stride), []
    for y in range(height):
        kind, line = lines[y * (stride + 1)], bytearray(lines[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride):
            left = line[x - channels] if x >= channels else 0
            corner = before[x - channels] if x >= channels else 0
            line[x] = line[x] + _predicted(kind, left, before[x], corner) & 255
        rows.append([tuple(line[x : x + channels]) for x in range(0, stride, channels)])
        before = line
    return rows


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind < 4:
        return (0, left, above, (left + above) // 2)[kind]
    nearest = left + above - corner
    return min((left, above, corner), key=lambda each: abs(nearest - each))


def resvg(module: wasmcore.Module) -> None:
    """A drawing as pixels."""
    drawn = pixels(_converted(module, "drawing.png"))
    for y, row in enumerate(drawn):
        for x, pixel in enumerate(row):
            assert pixel[:3] == ((0xFF, 0x80, 0x00) if 4 <= x < 12 and 2 <= y < 8 else (0x20, 0x40, 0x80)), (x, y)


def usvg(module: wasmcore.Module) -> None:
    """A drawing in simpler terms: each rectangle is a path."""
    text = _converted(module, "drawing.svg").decode()
    assert re.findall(r'fill="(#[0-9a-f]{6})"', text) == ["#204080", "#ff8000"]
    assert len(re.findall("<path", text)) == 2


def _converted(module: wasmcore.Module, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in.svg").write_text(SVG)
        options = {"args": ["program", "/in.svg", f"/{name}"], "dirs": {"/": folder}}
        try:
            wasmcore.Instance(module, host_options={"wasi": options}).exports["_start"]()
        except wasmcore.Exit as ended:
            assert ended.code == 0
        return Path(folder, name).read_bytes()


def png(module: wasmcore.Module) -> None:
    """Pixels as a file, which has them."""
    imports: dict[str, Callable[..., Any]] = {item.name: lambda *arguments: 0 for item in module.imports}
    imports |= {"__wbindgen_object_drop_ref": lambda index: None, "__wbindgen_throw": _thrown}
    exports: Any = wasmcore.Instance(module, {"wbg": imports}).exports
    raw = bytes((7 * x ^ 3 * y) & 255 if channel < 3 else 255 for y in range(SIDE) for x in range(SIDE) for channel in range(4))
    at = exports["__wbindgen_malloc"](len(raw), 1)
    exports.memory.write(at, raw)
    result = exports["__wbindgen_add_to_stack_pointer"](-16)
    exports.encode(result, at, len(raw), SIDE, SIDE, 8)
    where, size = struct.unpack("<II", exports.memory.read(result, 8))
    assert b"".join(bytes(pixel) for row in pixels(exports.memory.read(where, size)) for pixel in row) == raw


def _thrown(at: int, size: int) -> None:
    raise AssertionError(f"it throws a text of {size} bytes")


ANSWERS: dict[str, Callable[[wasmcore.Module], None]] = {
    "argon2": argon2,
    "graphviz": graphviz,
    "png": png,
    "resvg": resvg,
    "source_map": source_map,
    "usvg": usvg,
}
"""By the names of the programs: asks, and AssertionError if an answer is wrong."""
