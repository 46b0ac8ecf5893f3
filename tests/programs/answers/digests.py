"""Programs that hash and pack bytes."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from pathlib import Path
from random import Random
from typing import Any

import wasmcore

PASSWORD, SALT = b"password", b"somesalt"
ARGON2I = "89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f"
"""Of 2 passes over 256 KiB; from the tests of the reference implementation."""


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


def sha256(module: wasmcore.Module) -> None:
    """Digests of messages of all sizes around a block, and of four at a time."""
    exports: Any = wasmcore.Instance(module, {"env": {"abort": _aborted}}).exports
    given, taken = exports.input.value, exports.output.value
    random = Random(1)
    for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 300, 512):
        message = random.randbytes(size)
        exports.memory.write(given, message)
        exports.digest(size)
        assert exports.memory.read(taken, 32) == hashlib.sha256(message).digest(), size
    messages = [random.randbytes(64) for _ in range(4)]
    exports.memory.write(given, b"".join(messages))
    exports.batchHash4UintArray64s(taken)
    assert exports.memory.read(taken, 128) == b"".join(hashlib.sha256(each).digest() for each in messages)


def _aborted(message: int, file: int, line: int, column: int) -> None:
    raise AssertionError(f"line {line} of the program")


def _text(size: int) -> bytes:
    """Of few words, so that it can be packed."""
    random = Random(2)
    return b" ".join(random.choice((b"block", b"loop", b"br_if", b"local.get", b"i32.add")) for _ in range(size))


def deflate(module: wasmcore.Module) -> None:
    """What it packs unpacks here, what is packed here unpacks there."""
    exports: Any = wasmcore.Instance(module).exports
    exports["_initialize"]()
    data = _text(20000)
    for level in (1, 6, 9):
        stream = exports.deflate_new()
        assert exports.deflate_init(stream, level) == 0
        packed = _streamed(exports, exports.deflate_process, exports.deflate_last_consumed, stream, data)
        exports.deflate_end(stream)
        assert len(packed) < len(data) // 3 and zlib.decompress(packed) == data
    stream = exports.inflate_new()
    assert exports.inflate_init(stream) == 0
    assert _streamed(exports, exports.inflate_process, exports.inflate_last_consumed, stream, zlib.compress(data)) == data


def _streamed(exports: Any, process: Any, last_consumed: Any, stream: int, data: bytes) -> bytes:
    size = 1 << 15
    given, taken = exports.malloc(size), exports.malloc(size)
    out, at, ended = b"", 0, False
    while not ended:
        piece = data[at : at + size]
        exports.memory.write(given, piece)
        result = process(stream, given if piece else 0, len(piece), taken, size, 0 if piece else 4)
        made, ended = result & 0xFFFFFF, result >> 24 == 1
        assert result >> 24 in (0, 1) and (made or piece or ended)
        out += exports.memory.read(taken, made)
        at += last_consumed(stream) if piece else 0
    return bytes(out)


def zstd_compress(module: wasmcore.Module) -> None:
    """Noise is stored as it is, text is not."""
    noise = Random(3).randbytes(2000)
    stored = _through(module, noise, ["--compression-level", "3"])
    assert stored[:4] == b"\x28\xb5\x2f\xfd" and noise in stored
    text = _text(5000)
    packed = _through(module, text, ["--compression-level", "9"])
    assert packed[:4] == b"\x28\xb5\x2f\xfd" and len(packed) < len(text) // 3


def zstd_decompress(module: wasmcore.Module) -> None:
    """A frame with a stored block and one of the same byte (RFC 8878)."""
    data = _text(50)
    header = b"\x28\xb5\x2f\xfd" + bytes((0x60,)) + (len(data) + 1000 - 256).to_bytes(2, "little")
    blocks = (len(data) << 3).to_bytes(3, "little") + data + (1000 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"w"
    assert _through(module, header + blocks, []) == data + b"w" * 1000


def _through(module: wasmcore.Module, data: bytes, options: list[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in").write_bytes(data)
        wasi = {"args": ["program", "/in", "/out", *options], "dirs": {"/": folder}}
        exports: Any = wasmcore.Instance(module, host_options={"wasi": wasi}).exports
        exports["_initialize"]()
        assert exports.itk_wasm_delayed_start() == 0
        return Path(folder, "out").read_bytes()
