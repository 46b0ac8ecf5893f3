"""What this distribution brings to wasmcore."""

from __future__ import annotations

from wasmcore.plugin.hooks import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmcore.plugin.hooks import Backend


@hookimpl
def wasmcore_backend() -> Backend:
    """The LLVM backend."""
    from wasmcore_llvm.backend import Llvm

    return Llvm()
