"""What published programs are asked, with answers that are known without them."""

from __future__ import annotations

from collections.abc import Callable

import wasmcore
from tests.programs.answers import digests, images, texts

ANSWERS: dict[str, Callable[[wasmcore.Module], None]] = {
    "argon2": digests.argon2,
    "boolector": texts.boolector,
    "deflate": digests.deflate,
    "go": texts.go,
    "gofmt": texts.gofmt,
    "graphviz": texts.graphviz,
    "oxipng": images.oxipng,
    "png": images.png,
    "resvg": images.resvg,
    "sha256": digests.sha256,
    "sha256_simd": digests.sha256,
    "shfmt": texts.shfmt,
    "source_map": texts.source_map,
    "usvg": images.usvg,
    "zig_fmt": texts.zig_fmt,
    "zstd_compress": digests.zstd_compress,
    "zstd_decompress": digests.zstd_decompress,
}
"""By the names of the programs: asks, and AssertionError if an answer is wrong."""
