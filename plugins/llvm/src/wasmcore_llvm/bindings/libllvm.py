"""LLVM by the C API of a libLLVM, where one is installed: a release build, and pipelines put together for what comes out of `text`.

Names, types and ownership are those of LLVM's headers `llvm-c/Core.h`, `IRReader.h`, `TargetMachine.h`, `Transforms/PassBuilder.h`.
"""

from __future__ import annotations

import os
import re
from ctypes import CDLL, byref, c_char_p, c_int, c_size_t, c_uint, c_void_p, string_at
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasmcore.errors import PluginError
from wasmcore_llvm.bindings.settings import PROCESS_OPTIONS, feature_text, with_target
from wasmcore_llvm.version import installed_libllvm

if TYPE_CHECKING:
    from wasmcore_llvm.target import LlvmTarget

OLDEST: Final = 22
"""LLVM's release that understands the text."""
_COMBINE: Final = "instcombine<no-verify-fixpoint>"
_SIMPLIFY: Final = ("sroa", "early-cse", _COMBINE, "simplifycfg")
_LOOPS: Final = ("loop-mssa(loop-rotate,licm)", "loop(indvars)")
_REDUNDANT: Final = ("gvn", "sccp")
_VECTORS: Final = ("loop-vectorize<interleave-forced-only>", "vector-combine", _COMBINE, "simplifycfg")
PIPELINES: Final = {
    "O1": f"function({','.join(_SIMPLIFY)})",
    "O2": f"function({','.join(_SIMPLIFY + _LOOPS + _REDUNDANT + _VECTORS)})",
    "O3": "default<O3>",
}
"""What LLVM does at each level. Its own `default<O2>` takes twice as long and makes the same code (docs/llvm.md)."""

_FILES: Final = [re.compile(rf"{name}\.so\.\d+\.\d+") for name in ("libunwind", r"libc\+\+abi", r"libc\+\+", "libLLVM")]
"""Names of the libraries, each after those that it needs."""
_PARTS: Final = ("TargetInfo", "Target", "TargetMC", "AsmPrinter", "AsmParser")
_PIC: Final = 2
_SMALL: Final = 3
_OBJECT_FILE: Final = 1

_PROTOTYPES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "GetVersion": (None, (c_void_p, c_void_p, c_void_p)),
    "ParseCommandLineOptions": (None, (c_int, c_void_p, c_char_p)),
    "GetTargetFromTriple": (c_int, (c_char_p, c_void_p, c_void_p)),
    "CreateTargetMachine": (c_void_p, (c_void_p, c_char_p, c_char_p, c_char_p, c_int, c_int, c_int)),
    "CreateTargetDataLayout": (c_void_p, (c_void_p,)),
    "CopyStringRepOfTargetData": (c_void_p, (c_void_p,)),
    "DisposeTargetData": (None, (c_void_p,)),
    "DisposeMessage": (None, (c_void_p,)),
    "CreatePassBuilderOptions": (c_void_p, ()),
    "PassBuilderOptionsSetLoopInterleaving": (None, (c_void_p, c_int)),
    "PassBuilderOptionsSetSLPVectorization": (None, (c_void_p, c_int)),
    "ContextCreate": (c_void_p, ()),
    "ContextDispose": (None, (c_void_p,)),
    "CreateMemoryBufferWithMemoryRange": (c_void_p, (c_char_p, c_size_t, c_char_p, c_int)),
    "ParseIRInContext": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "DisposeModule": (None, (c_void_p,)),
    "RunPasses": (c_void_p, (c_void_p, c_char_p, c_void_p, c_void_p)),
    "GetErrorMessage": (c_void_p, (c_void_p,)),
    "DisposeErrorMessage": (None, (c_void_p,)),
    "TargetMachineEmitToMemoryBuffer": (c_int, (c_void_p, c_void_p, c_int, c_void_p, c_void_p)),
    "GetBufferStart": (c_void_p, (c_void_p,)),
    "GetBufferSize": (c_size_t, (c_void_p,)),
    "DisposeMemoryBuffer": (None, (c_void_p,)),
}
"""Result and arguments of the functions used, without the `LLVM` that all names begin with."""


class _Machine(NamedTuple):
    """How code is made for a target at a level."""

    handle: int
    layout: str
    """Of data, as modules name it."""
    options: int
    """Of the pipelines."""


def _files(directory: str) -> list[str]:
    """The library, and before it those that it needs, from its distribution's list, which names them relative to where the directory is.

    They would find each other by links, which are only made when somebody starts Python who may write there; so each is loaded by its path.
    """
    try:
        with open(os.path.join(directory, "RECORD"), encoding="utf-8") as record:
            names = [line.split(",")[0] for line in record]
    except OSError as error:
        raise ImportError(f"libLLVM can not be found: {error}") from None
    found = [[name for name in names if pattern.fullmatch(os.path.basename(name))] for pattern in _FILES]
    if len(found[-1]) != 1:
        raise ImportError(f"libLLVM can not be found: {directory} lists {len(found[-1])} files libLLVM.so.*, expected 1")
    return [os.path.normpath(os.path.join(directory, os.pardir, name)) for each in found for name in each]


@cache
def _library() -> CDLL:
    """Loaded, with the options that are global."""
    found = installed_libllvm()
    if found is None:
        raise ImportError("libLLVM is not installed: pip install 'wasmcore-llvm[libllvm]'")
    try:
        *_, library = [CDLL(file) for file in _files(found[1])]
        for name, (result, arguments) in _PROTOTYPES.items():
            function = library[f"LLVM{name}"]
            function.restype, function.argtypes = result, arguments
            setattr(library, name, function)
    except (OSError, AttributeError) as error:
        raise ImportError(f"libLLVM {found[0]} can not be loaded: {error}") from None
    release = c_uint()
    library.GetVersion(byref(release), None, None)
    if release.value < OLDEST:
        raise ImportError(f"libLLVM {found[0]} is too old: expected {OLDEST} or later")
    options = [b"wasmcore", *(option.encode() for option in PROCESS_OPTIONS)]
    library.ParseCommandLineOptions(len(options), (c_char_p * len(options))(*options), None)
    return library


@cache
def _machine(name: str, target_triple: str, processor: str, features: str, level: int) -> _Machine:
    library = _library()
    handle, message = c_void_p(), c_void_p()
    try:
        for part in _PARTS:
            library[f"LLVMInitialize{name}{part}"]()
    except AttributeError as error:
        raise ImportError(f"libLLVM has no code generator for {target_triple}: {error}") from None
    triple = target_triple.encode()
    if library.GetTargetFromTriple(triple, byref(handle), byref(message)):
        raise ImportError(f"libLLVM has no code generator for {target_triple}: {_taken(message)}")
    machine = library.CreateTargetMachine(handle, triple, processor.encode(), features.encode(), level, _PIC, _SMALL)
    data = library.CreateTargetDataLayout(machine)
    layout = _taken(c_void_p(library.CopyStringRepOfTargetData(data)))
    library.DisposeTargetData(data)
    options = library.CreatePassBuilderOptions()
    library.PassBuilderOptionsSetLoopInterleaving(options, 0)
    library.PassBuilderOptionsSetSLPVectorization(options, 0)
    return _Machine(machine, layout, options)


def _taken(message: c_void_p) -> str:
    """A message, which is given back."""
    text = string_at(message.value or 0).decode(errors="replace")
    _library().DisposeMessage(message)
    return text


def object_file(text: str, target: LlvmTarget, features: frozenset[str], level: str) -> bytes:
    """An ELF object made from LLVM's text."""
    library = _library()
    described = target.LIBRARY_NAME, target.TRIPLE, target.PROCESSOR, feature_text(target, features)
    machine = _machine(*described, int(level[1]))
    data = with_target(text, target, machine.layout).encode()
    context = library.ContextCreate()
    try:
        module, message = c_void_p(), c_void_p()
        # What is parsed ends with a zero byte, as Python's bytes do; the module does not refer to it, and the buffer goes with the call.
        buffer = library.CreateMemoryBufferWithMemoryRange(data, len(data), b"unit", 1)
        if library.ParseIRInContext(context, buffer, byref(module), byref(message)):
            raise PluginError(f"libLLVM refuses the code made for it: {_taken(message)}")
        try:
            if level in PIPELINES:
                _optimize(library, module, machine, PIPELINES[level])
            return _emitted(library, module, machine)
        finally:
            library.DisposeModule(module)
    finally:
        library.ContextDispose(context)


def _optimize(library: CDLL, module: c_void_p, machine: _Machine, pipeline: str) -> None:
    error = library.RunPasses(module, pipeline.encode(), machine.handle, machine.options)
    if error:
        message = library.GetErrorMessage(error)
        text = string_at(message).decode(errors="replace")
        library.DisposeErrorMessage(message)
        raise PluginError(f"libLLVM does not know the pipeline {pipeline}: {text}")


def _emitted(library: CDLL, module: c_void_p, machine: _Machine) -> bytes:
    buffer, message = c_void_p(), c_void_p()
    if library.TargetMachineEmitToMemoryBuffer(machine.handle, module, _OBJECT_FILE, byref(message), byref(buffer)):
        raise PluginError(f"libLLVM writes no object file: {_taken(message)}")
    try:
        return string_at(library.GetBufferStart(buffer), library.GetBufferSize(buffer))
    finally:
        library.DisposeMemoryBuffer(buffer)
