"""The types that mypyc compiles to machine integers and buffers, with plain stand-ins where librt is missing."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from librt.strings import BytesWriter as BytesWriter
    from librt.strings import read_i32_le as read_i32_le
    from librt.strings import read_i64_le as read_i64_le
    from librt.strings import write_i16_le as write_i16_le
    from librt.strings import write_i32_le as write_i32_le
    from librt.strings import write_i64_le as write_i64_le
    from librt.vecs import append as append
    from librt.vecs import extend as extend
    from librt.vecs import vec as vec
    from mypy_extensions import i16 as i16
    from mypy_extensions import i32 as i32
    from mypy_extensions import i64 as i64
    from mypy_extensions import u8 as u8
else:
    _COMPILED = "wasmcore_midtier__mypyc" in sys.modules
    if _COMPILED:
        append = extend = vec = i16 = i32 = i64 = u8 = int  # imported by compiled modules, never used; the real ones import `typing`
    else:
        from mypy_extensions import i16 as i16
        from mypy_extensions import i32 as i32
        from mypy_extensions import i64 as i64
        from mypy_extensions import u8 as u8
    try:
        from librt.strings import BytesWriter, read_i32_le, read_i64_le, write_i16_le, write_i32_le, write_i64_le
        if not _COMPILED:
            from librt.vecs import append, extend, vec
    except (ImportError, AttributeError, ValueError):

        class BytesWriter(bytearray):
            """A growing buffer of bytes."""

            def getvalue(self):
                return bytes(self)

            def write(self, data):
                self += data

            def truncate(self, size):
                del self[size:]

        def read_i32_le(data, position):
            return int.from_bytes(data[position : position + 4], "little", signed=True)

        def read_i64_le(data, position):
            return int.from_bytes(data[position : position + 8], "little", signed=True)

        def write_i16_le(writer, value):
            writer += value.to_bytes(2, "little", signed=True)

        def write_i32_le(writer, value):
            writer += value.to_bytes(4, "little", signed=True)

        def write_i64_le(writer, value):
            writer += value.to_bytes(8, "little", signed=True)

        class vec(list):
            """A list that may be subscripted by its element type."""

            __class_getitem__ = classmethod(lambda cls, item: cls)

        def append(items, item):
            items.append(item)
            return items

        def extend(items, more):
            items += list(more)
            return items
