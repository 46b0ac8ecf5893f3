"""The entry point: WASI preview 1 as a host module."""

from __future__ import annotations

from collections.abc import Mapping

from wasmcore.plugin.markers import hookimpl
from wasmcore_wasi import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from wasmcore.plugin.hooks import HostFunctions, HostLink

OPTIONS: Final = ("args", "env", "dirs", "stdin", "stdout", "stderr", "clock", "random")


class WasiPreview1:
    """The host module `wasi_snapshot_preview1`."""

    name = "wasi_snapshot_preview1"
    version = __version__
    contract = (2, 0)

    def functions(self, link: HostLink, options: Mapping[str, Any]) -> HostFunctions:
        """All functions for one instance; options as in the README. TypeError for an unknown option or one of a wrong type, OSError for a
        directory that can not be opened."""
        for option in options:
            if option not in OPTIONS:
                raise TypeError(f"unknown WASI option {option!r}; there are {', '.join(OPTIONS)}")
        from wasmcore.types import I32, I64, FuncType
        from wasmcore_wasi.functions import FUNCTIONS, bind
        from wasmcore_wasi.guest import Guest

        guest = Guest(link.memory, **options)
        value_types = {"i": I32, "I": I64}
        functions = {}
        for name, (params, results, function) in FUNCTIONS.items():
            func_type = FuncType(tuple([value_types[letter] for letter in params]), tuple([value_types[letter] for letter in results]))
            functions[name] = func_type, bind(function, guest, len(params))
        return functions


@hookimpl
def wasmcore_host_module() -> WasiPreview1:
    """The hook: WASI preview 1."""
    return WasiPreview1()
