"""Programs that make images, and their pixels."""

from __future__ import annotations

import re
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmcore

SIDE = 16
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" width="{SIDE}" height="{SIDE}">
  <rect width="{SIDE}" height="{SIDE}" fill="#204080"/><rect x="4" y="2" width="8" height="6" fill="#ff8000"/></svg>"""


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


def oxipng(module: wasmcore.Module) -> None:
    """A smaller file with the same pixels."""
    exports: Any = wasmcore.Instance(module, {"wbg": {"__wbindgen_throw": _thrown}}).exports
    raw = bytes((x * y * channel ^ x << channel) & 255 for y in range(64) for x in range(64) for channel in range(1, 5))
    lines = b"".join(b"\0" + raw[256 * y : 256 * (y + 1)] for y in range(64))
    header = struct.pack(">IIBBBBB", 64, 64, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b""))
    file = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)
    at = exports["__wbindgen_malloc"](len(file), 1)
    exports.memory.write(at, file)
    result = exports["__wbindgen_add_to_stack_pointer"](-16)
    exports.optimise(result, at, len(file), 3, 0, 0)
    where, size = struct.unpack("<II", exports.memory.read(result, 8))
    assert size < len(file)
    assert b"".join(bytes(pixel) for row in pixels(exports.memory.read(where, size)) for pixel in row) == raw


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
