"""Runs a WASI program in wasmtime-py with as little as possible: `python wasmtime_wasi.py MODULE [ARGUMENT...]`.

With `WASMTIME_CACHE=1` in the environment, with its cache of compiled modules.
"""

import os
import sys

import wasmtime

settings = wasmtime.Config()
if os.environ.get("WASMTIME_CACHE") == "1":
    settings.cache = True
engine = wasmtime.Engine(settings)
store = wasmtime.Store(engine)
linker = wasmtime.Linker(engine)
linker.define_wasi()
config = wasmtime.WasiConfig()
config.argv = sys.argv[1:]
config.inherit_stdout()
config.inherit_stderr()
store.set_wasi(config)
instance = linker.instantiate(store, wasmtime.Module.from_file(engine, sys.argv[1]))
try:
    instance.exports(store)["_start"](store)
except wasmtime.ExitTrap as exit_trap:
    sys.exit(exit_trap.code)
