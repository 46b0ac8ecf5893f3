"""Runs programs: a process that stays, and forks one for each program that it reads as a line of JSON.

It writes what the programs write, each step before it is done, and behind each program a line `END` with its wait status.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import sys
import traceback

from . import interrupts as interrupts
from . import surroundings as surroundings
from .operations import OPERATIONS
from .world import EndOfProgram, Step, World, objects_of_wasmcore, prepare

END = "END"
PATIENCE = float(os.environ.get("WASMCORE_TEST_PATIENCE", "60"))
"""Seconds that a program may take."""
COUNTED = ("Memory", "Table", "Global", "Instance", "InstanceState", "Group", "Store", "Module", "ModuleCode", "LoadedCode", "_Mapping")


def run(program: list[Step]) -> int:
    """The exit code of a program: 0 if all was as the model says, and everything is let go at the end."""
    faulthandler.dump_traceback_later(PATIENCE, exit=True, file=sys.__stderr__)
    before = objects_of_wasmcore()
    world = World(OPERATIONS)
    try:
        for step in program:
            world.run(step)
        os.write(1, b"let go of everything\n")
        _let_go(world, {name: before[name] for name in COUNTED})
    except EndOfProgram:
        return 0
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    return 0


def _let_go(world: World, before: dict[str, int]) -> None:
    world.clear()
    for _ in range(3):
        gc.collect()
    after = objects_of_wasmcore()
    left = {name: after[name] - number for name, number in before.items() if after[name] > number}
    assert not left, f"left alive: {left}"
    assert not world.things_alive(), f"{world.things_alive()} objects passed as externref are left alive"


def main() -> int:
    """Serve programs until the input ends."""
    prepare()
    for line in sys.stdin:
        sys.stdout.flush()
        child = os.fork()
        if not child:
            return run(json.loads(line))
        _, status = os.waitpid(child, 0)
        os.write(1, f"{END} {status}\n".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
