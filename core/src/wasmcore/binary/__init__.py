"""The binary format: bytes -> `ModuleInfo`."""

from wasmcore.binary.decoder import decode as decode
from wasmcore.binary.module_info import ModuleInfo as ModuleInfo
