"""What bytes are that are taken for a module and are none."""

from __future__ import annotations

from wasmcore._typing import Final

COMPONENT: Final = (
    "this is a component, not a core module; compile for a core target such as wasm32-wasip1, or take the modules out of it "
    "(`wasm-tools component unbundle`)"
)
_COMPILE: Final = "compile its source for a WebAssembly target"
_FORMATS: Final = (
    (rb"\x7fwcode\r\n", "it holds machine code, which only `Module.deserialize` reads, if you trust it"),
    (rb"\x1f\x8b", "it is compressed by gzip; decompress it first"),
    (rb"\x28\xb5\x2f\xfd", "it is compressed by zstd; decompress it first"),
    (rb"\xfd7zXZ\x00", "it is compressed by xz; decompress it first"),
    (rb"BZh[1-9]1AY&SY", "it is compressed by bzip2; decompress it first"),
    (rb"PK\x03\x04", "it is a zip archive; take the module out of it"),
    (rb"\x7fELF", f"it is a native program or library (ELF); {_COMPILE}"),
    (rb"MZ.{62}", f"it is a native program or library (Windows); {_COMPILE}"),
    (rb"\xcf\xfa\xed\xfe", f"it is a native program or library (macOS); {_COMPILE}"),
    (rb"BC\xc0\xde", "it is LLVM bitcode, which `clang --target=wasm32` compiles"),
    (rb"!<arch>\n", "it is a library of object files, which wasm-ld links to a module"),
    (rb"version https://git-lfs", "it is the pointer of a file in Git LFS, which `git lfs pull` gets"),
    (rb"\xff\xfe|\xfe\xff|\(\x00|\x00\(|;\x00;\x00|\x00;\x00;", "it is text in UTF-16; save it as UTF-8"),
    (rb"\xef\xbb\xbf", "it is text with a byte order mark; save it as UTF-8 without"),
    (rb"\s*<(!DOCTYPE|html|\?xml|!--|head|body)", "it is HTML or XML, such as the page of a failed download"),
    (rb"\s*\{", "it is JSON"),
    (rb"#!", "it is a script, which its interpreter runs"),
    (rb"\x00?\Z|\x00as?\Z", "it ends within its first bytes"),
)
"""How other formats begin, and what to say of them."""


def known_format(data: bytes) -> str | None:
    """What bytes are of which it is certain that they are no module, neither binary nor text."""
    import re

    if not data:
        return "it is empty"
    return next((what for start, what in _FORMATS if re.match(start, data, re.IGNORECASE | re.DOTALL)), None)


def described(data: bytes) -> str:
    """What bytes are that are neither WebAssembly nor its text."""
    return known_format(data) or "it does not begin with the bytes 00 61 73 6d, nor is it text"
