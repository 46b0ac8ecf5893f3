"""WebAssembly in Python, with the compiler as a plug-in.

module = wasmcore.Module("gcd.wasm")
instance = wasmcore.Instance(module)
instance.exports.gcd(6, 27)
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than everything here
if TYPE_CHECKING:
    from wasmcore._exports import Exports as Exports
    from wasmcore._instance import Instance as Instance
    from wasmcore._linker import Linker as Linker
    from wasmcore._module import ExportType as ExportType
    from wasmcore._module import ImportType as ImportType
    from wasmcore._module import Module as Module
    from wasmcore._module import validate as validate
    from wasmcore._registry import backends as backends
    from wasmcore._registry import host_modules as host_modules
    from wasmcore._registry import problems as problems
    from wasmcore._registry import targets as targets
    from wasmcore.compile.engine import Engine as Engine
    from wasmcore.errors import ArtifactError as ArtifactError
    from wasmcore.errors import CompileError as CompileError
    from wasmcore.errors import CompileWarning as CompileWarning
    from wasmcore.errors import DecodeError as DecodeError
    from wasmcore.errors import Exit as Exit
    from wasmcore.errors import LinkError as LinkError
    from wasmcore.errors import PluginError as PluginError
    from wasmcore.errors import StoreBusyError as StoreBusyError
    from wasmcore.errors import TextError as TextError
    from wasmcore.errors import Trap as Trap
    from wasmcore.errors import TrapKind as TrapKind
    from wasmcore.errors import ValidationError as ValidationError
    from wasmcore.errors import WasmcoreError as WasmcoreError
    from wasmcore.opcodes import DEFAULT_FEATURES as DEFAULT_FEATURES
    from wasmcore.opcodes import FEATURES as FEATURES
    from wasmcore.runtime.objects.func import Func as Func
    from wasmcore.runtime.objects.global_ import Global as Global
    from wasmcore.runtime.objects.memory import Memory as Memory
    from wasmcore.runtime.objects.table import Table as Table
    from wasmcore.runtime.objects.tag import Tag as Tag
    from wasmcore.text import wasm2wat as wasm2wat
    from wasmcore.text import wat2wasm as wat2wasm
    from wasmcore.types import FuncType as FuncType
    from wasmcore.types import GlobalType as GlobalType
    from wasmcore.types import Limits as Limits
    from wasmcore.types import MemoryType as MemoryType
    from wasmcore.types import TableType as TableType
    from wasmcore.types import TagType as TagType

__version__ = "0.1.0"

_HOMES = {
    "wasmcore._exports": ("Exports",),
    "wasmcore._instance": ("Instance",),
    "wasmcore._linker": ("Linker",),
    "wasmcore._module": ("ExportType", "ImportType", "Module", "validate"),
    "wasmcore._registry": ("backends", "host_modules", "problems", "targets"),
    "wasmcore.compile.engine": ("Engine",),
    "wasmcore.errors": (
        "ArtifactError",
        "CompileError",
        "CompileWarning",
        "DecodeError",
        "Exit",
        "LinkError",
        "PluginError",
        "StoreBusyError",
        "TextError",
        "Trap",
        "TrapKind",
        "ValidationError",
        "WasmcoreError",
    ),
    "wasmcore.opcodes": ("DEFAULT_FEATURES", "FEATURES"),
    "wasmcore.runtime.objects.func": ("Func",),
    "wasmcore.runtime.objects.global_": ("Global",),
    "wasmcore.runtime.objects.memory": ("Memory",),
    "wasmcore.runtime.objects.table": ("Table",),
    "wasmcore.runtime.objects.tag": ("Tag",),
    "wasmcore.text": ("wasm2wat", "wat2wasm"),
    "wasmcore.types": ("FuncType", "GlobalType", "Limits", "MemoryType", "TableType", "TagType"),
}
"""Where each public name lives; it is imported when first used."""
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DEFAULT_FEATURES",
    "FEATURES",
    "ArtifactError",
    "CompileError",
    "CompileWarning",
    "DecodeError",
    "Engine",
    "Exit",
    "ExportType",
    "Exports",
    "Func",
    "FuncType",
    "Global",
    "GlobalType",
    "ImportType",
    "Instance",
    "Limits",
    "LinkError",
    "Linker",
    "Memory",
    "MemoryType",
    "Module",
    "PluginError",
    "StoreBusyError",
    "Table",
    "TableType",
    "Tag",
    "TagType",
    "TextError",
    "Trap",
    "TrapKind",
    "ValidationError",
    "WasmcoreError",
    "__version__",
    "backends",
    "host_modules",
    "problems",
    "targets",
    "validate",
    "wasm2wat",
    "wat2wasm",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if home != "wasmcore.errors":
        _refuse_subinterpreters()
    from importlib import import_module

    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def _refuse_subinterpreters() -> None:
    """PluginError in a subinterpreter, before anything is imported that would be shared with the main one or can not be loaded there."""
    import _thread

    if hasattr(_thread, "_is_main_interpreter"):
        in_main: bool = _thread._is_main_interpreter()
    else:  # before Python 3.12, where every subinterpreter can load ctypes
        from wasmcore.runtime.system.platform import in_main_interpreter

        in_main = in_main_interpreter()
    if not in_main:
        from wasmcore.errors import PluginError

        raise PluginError("WebAssembly code runs only in the main interpreter of a process, not in subinterpreters")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
