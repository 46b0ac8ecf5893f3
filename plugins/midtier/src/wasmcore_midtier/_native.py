"""Native integers, vectors and byte buffers for the hot modules: mypyc's where they are compiled, plain Python else.

The same in every distribution that is compiled, but for the name of the group. Compiled modules import what stands here, but do not use it.
"""

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
    i16 = i32 = i64 = u8 = int  # those of mypy_extensions are Python functions, and import `typing`
    if "wasmcore_midtier__mypyc" in sys.modules:
        append = extend = vec = int
    else:

        class vec(list):
            """A list with the vector's name."""

            def __class_getitem__(cls, item):
                return cls

        def append(items, item, /):
            """Add an item at the end and return the vector."""
            items.append(item)
            return items

        def extend(items, more, /):
            """Add the items of another vector and return the vector."""
            items.extend(more)
            return items

    try:
        from librt.strings import BytesWriter, read_i32_le, read_i64_le, write_i16_le, write_i32_le, write_i64_le
    except (ImportError, AttributeError, ValueError):  # not installed, or another version
        from struct import Struct, error

        class BytesWriter(bytearray):
            """A growing buffer."""

            def write(self, data):
                """Append bytes."""
                self += data

            def getvalue(self):
                """The bytes written so far."""
                return bytes(self)

            def truncate(self, size):
                """Drop everything from `size` on."""
                del self[size:]

        def _writer(form):
            pack = Struct(form).pack

            def write(writer, value, /):
                writer += pack(value)

            return write

        def _reader(form):
            unpack_from = Struct(form).unpack_from

            def read(data, index, /):
                if index < 0:
                    raise IndexError("index out of range")
                try:
                    return unpack_from(data, index)[0]
                except error:
                    raise IndexError("index out of range") from None

            return read

        write_i16_le = _writer("<h")
        write_i32_le = _writer("<i")
        write_i64_le = _writer("<q")
        read_i32_le = _reader("<i")
        read_i64_le = _reader("<q")
