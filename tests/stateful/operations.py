"""What an embedder does with modules, instances, memories, tables, globals, functions and views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy

import wasmcore

from .guests import GUESTS, TRAPS, Guest
from .model import PAGE, FunctionModel, GlobalModel, GuestModel, MemoryModel, TableModel
from .world import ENGINES, HostError, NothingToDo, Step, View, World

INNER: Final = -1
"""The bound of an argument that is another step."""
PICK: Final = 5
"""The largest number that chooses among objects; there are rarely more."""
BYTES: Final = 3
REMOTE: Final = 1 << 40
"""An address beyond every memory, where addresses have 64 bits."""


class Operation(NamedTuple):
    """What a step runs, and the largest value of each of its arguments."""

    run: Callable[..., None]
    bounds: dict[str, int]


OPERATIONS: Final[dict[str, Operation]] = {}


def operation(**bounds: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make an operation of a function of the world and of numbers from 0 to these bounds."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        OPERATIONS[function.__name__] = Operation(function, bounds)
        return function

    return add


MEMORY_LIMITS = ((1, 4), (0, 3), (2, None))
TABLE_LIMITS = ((2, 6), (0, 4), (1, None))
GROWTH = (1, 0, 2, 70000)
ELEMENTS = (1, 0, 3, 1000, 20_000_000)
INDICES = (0, 1, 2, 5, 1000)
THREADS: tuple[dict[str, bool], ...] = ({}, {"release_gil": True}, {"release_gil": True, "wait": False})
PLACES = 9


def place(model: MemoryModel, number: int) -> int:
    """An address where something may go wrong: at the ends of memory and of pages."""
    size = len(model.data)
    far = REMOTE if model.index64 else 0xFFFFFFFF
    return (0, 1, 5, max(size - 1, 0), size, PAGE - 1, PAGE, size + PAGE - 1, 0x7FFFFFFF, far)[number]


@operation(guest=len(GUESTS) - 1, engine=len(ENGINES) - 1, imports=7, threads=len(THREADS) - 1)
def instance(world: World, guest: int, engine: int, imports: int, threads: int) -> None:
    """An instance, its imports taken from what there is, directly or by a `Linker`."""
    options = THREADS[threads]
    world.may_be_busy |= not options.get("wait", True)
    made: list[wasmcore.Instance] = []
    make, model, module = new_instance(world, guest, engine, imports, options)
    world.agree(lambda: made.append(make()), model.initialize)
    for found in made:
        assert list(found.exports) == [item.name for item in module.exports] and len(found.exports) == len(module.exports)
        world.hold("instances", found, model)


def new_instance(
    world: World, guest: int, engine: int, imports: int, options: dict[str, bool]
) -> tuple[Callable[[], wasmcore.Instance], GuestModel, wasmcore.Module]:
    """What makes an instance, its model before it is initialized, and the module."""
    shape, module = world.module(guest, engine)
    chosen = {name: _import(world, shape, name, imports) for name in sorted(shape.imports)}
    model = GuestModel(shape, {name: found.model for name, found in chosen.items()})
    host = wasmcore.Func(["i64"], ["i64"], world.host) if imports & 1 else world.host
    values = {"host": host, **{name: found.object for name, found in chosen.items()}}
    return lambda: _instantiate(module, values, imports, options), model, module


def _instantiate(module: wasmcore.Module, values: dict[str, Any], imports: int, options: dict[str, bool]) -> Any:
    if not imports & 2:
        return wasmcore.Instance(module, {"env": values}, **options)
    linker = wasmcore.Linker()
    for name, value in values.items():
        linker.define("env", name, value)
    return linker.instantiate(module, name="linked", **options)


POOL_OF_IMPORT = {
    "memory": "memories",
    "functions": "functions_tables",
    "objects": "objects_tables",
    "counter": "counters",
    "kept": "kept",
}


def _import(world: World, guest: Guest, name: str, number: int) -> Any:
    pool = POOL_OF_IMPORT[name]
    fitting = [held for held in world.pools[pool] if name != "memory" or held.model.index64 == guest.index64]
    if fitting:
        return fitting[number % len(fitting)]
    if name == "memory" and guest.index64:
        raise NothingToDo
    MAKERS[name](world, number)
    return world.pools[pool][-1]


@operation(limits=2, guarded=1)
def memory(world: World, limits: int, guarded: int) -> None:
    """A memory made by the host."""
    minimum, maximum = MEMORY_LIMITS[limits]
    made = wasmcore.Memory(minimum, maximum, guarded=None if guarded else False)
    world.hold("memories", made, MemoryModel(minimum, maximum))


@operation(limits=2)
def functions_table(world: World, limits: int) -> None:
    """A table of functions made by the host."""
    world.hold("functions_tables", wasmcore.Table(*TABLE_LIMITS[limits]), TableModel(*TABLE_LIMITS[limits]))


@operation(limits=2)
def objects_table(world: World, limits: int) -> None:
    """A table of objects made by the host."""
    made = wasmcore.Table(*TABLE_LIMITS[limits], element=wasmcore.types.EXTERNREF)
    world.hold("objects_tables", made, TableModel(*TABLE_LIMITS[limits]))


@operation()
def counter(world: World) -> None:
    """A number made by the host."""
    world.hold("counters", wasmcore.Global("i64", 7, mutable=True), GlobalModel(7))


@operation(thing=PICK)
def kept(world: World, thing: int) -> None:
    """A variable for objects made by the host."""
    value = world.thing(thing)
    world.hold("kept", wasmcore.Global("externref", value, mutable=True), GlobalModel(value and value.number))


MAKERS: dict[str, Callable[[World, int], None]] = {
    "memory": lambda world, number: memory(world, number % 3, number & 1),
    "functions": lambda world, number: functions_table(world, number % 3),
    "objects": lambda world, number: objects_table(world, number % 3),
    "counter": lambda world, number: counter(world),
    "kept": lambda world, number: kept(world, number % 3),
}


@operation(fits=1)
def host_func(world: World, fits: int) -> None:
    """A `Func`, of the type that `call` expects or of another."""
    if fits:
        world.hold("functions", wasmcore.Func(["i64"], ["i64"], lambda value: value - 3), FunctionModel(True, lambda value: value - 3))
    else:
        world.hold("functions", wasmcore.Func([], ["i32"], lambda: 4), FunctionModel(False, lambda: 4))


@operation(instance=PICK, what=6)
def export(world: World, instance: int, what: int) -> None:
    """Take an export, by attribute or by name."""
    made, model = world.pick("instances", instance)
    name = ("memory", "functions", "objects", "counter", "kept", "add", "size")[what]
    found = getattr(made.exports, name) if instance & 1 else made.exports[name]
    if name in POOL_OF_IMPORT:
        world.hold(POOL_OF_IMPORT[name], found, getattr(model, name))
    else:
        world.hold("functions", found, FunctionModel(name == "add", getattr(model, name)))


@operation(instance=PICK)
def exports_as_mapping(world: World, instance: int) -> None:
    """Walk over exports; the iterator stays where it is."""
    exports = world.pick("instances", instance).object.exports
    assert dict(exports)["memory"] is exports.memory and "nothing" not in exports
    iterator = iter(exports)
    world.hold("odds", (next(iterator), iterator))
    world.agree(lambda: exports.nothing, lambda: None.nothing)  # type: ignore[attr-defined]


@operation(instance=PICK, at=PLACES, value=BYTES)
def store(world: World, instance: int, at: int, value: int) -> None:
    """Write a byte, in the guest."""
    made, model = world.pick("instances", instance)
    address = place(model.memory, at)
    world.agree(lambda: made.exports.store(address, value), lambda: model.store(address, value))


@operation(instance=PICK, at=PLACES, far=1)
def load(world: World, instance: int, at: int, far: int) -> None:
    """Read a byte, in the guest."""
    made, model = world.pick("instances", instance)
    address = place(model.memory, at)
    name = "load_far" if far else "load"
    world.agree(lambda: getattr(made.exports, name)(address), lambda: getattr(model, name)(address))


@operation(instance=PICK, at=PLACES, start=PLACES, size=2)
def copy_bytes(world: World, instance: int, at: int, start: int, size: int) -> None:
    """Fill and copy, in the guest."""
    made, model = world.pick("instances", instance)
    to, source, length = place(model.memory, at), place(model.memory, start), (0, 1, 70000)[size]
    world.agree(lambda: made.exports.fill(source, size + 1, length), lambda: model.fill(source, size + 1, length))
    world.agree(lambda: made.exports.copy(to, source, length), lambda: model.copy(to, source, length))


@operation(instance=PICK, pages=3, at=PLACES)
def grow(world: World, instance: int, pages: int, at: int) -> None:
    """Grow the memory in the guest, which then writes; its size afterwards."""
    made, model = world.pick("instances", instance)
    address = place(model.memory, at)
    count = GROWTH[pages]
    world.agree(lambda: made.exports.grow_and_store(count, address, 9), lambda: model.grow_and_store(count, address, 9))
    world.agree(lambda: made.exports.size(), model.size)


@operation(memory=PICK, pages=3)
def grow_memory(world: World, memory: int, pages: int) -> None:
    """Grow a memory from Python."""
    held, model = world.pick("memories", memory)
    world.agree(lambda: held.grow(GROWTH[pages]), lambda: model.grow(GROWTH[pages]))


@operation(memory=PICK, at=PLACES, value=BYTES)
def write(world: World, memory: int, at: int, value: int) -> None:
    """Write to a memory from Python."""
    held, model = world.pick("memories", memory)
    address, data = place(model, at), bytes([value + 1]) * 3
    world.agree(lambda: held.write(address, data), lambda: model.write(address, data))


@operation(memory=PICK, kind=3)
def view(world: World, memory: int, kind: int) -> None:
    """A view of a memory."""
    held, model = world.pick("memories", memory)
    shown = View(model, len(model.data))
    if kind == 0:
        world.hold("views", held.view(), shown)
    elif kind == 1:
        world.hold("views", numpy.asarray(held), shown)
    elif kind == 2:
        world.hold("views", numpy.asarray(held.view()).reshape(-1), shown)
    else:
        world.hold("views", held.view()[: PAGE // 2], View(model, min(PAGE // 2, shown.size)))


@operation(view=PICK, value=BYTES)
def write_view(world: World, view: int, value: int) -> None:
    """Write through a view, which may be older than the last grow."""
    held, shown = world.pick("views", view)
    if not shown.size:
        raise NothingToDo
    held[shown.size - 1] = value
    shown.memory.write(shown.size - 1, bytes([value]))


@operation(table=PICK, index=4, thing=PICK)
def put_object(world: World, table: int, index: int, thing: int) -> None:
    """Put an object into a table from Python."""
    held, model = world.pick("objects_tables", table)
    value = world.thing(thing)
    world.agree(lambda: held.__setitem__(INDICES[index], value), lambda: model.put(INDICES[index], value and value.number))


@operation(table=PICK, index=4, function=PICK)
def put_function(world: World, table: int, index: int, function: int) -> None:
    """Put a function into a table from Python."""
    held, model = world.pick("functions_tables", table)
    value = world.function(function)
    world.agree(lambda: held.__setitem__(INDICES[index], value.object), lambda: model.put(INDICES[index], value.model))


@operation(table=PICK, elements=4, thing=PICK)
def grow_table(world: World, table: int, elements: int, thing: int) -> None:
    """Grow a table of objects from Python."""
    held, model = world.pick("objects_tables", table)
    value = world.thing(thing)
    count = ELEMENTS[elements]
    world.agree(lambda: held.grow(count, value), lambda: model.grow(value and value.number, count))


@operation(instance=PICK, index=4, thing=PICK)
def set_object(world: World, instance: int, index: int, thing: int) -> None:
    """Put an object into the table and the global, in the guest, and take both out again."""
    made, model = world.pick("instances", instance)
    exports, value, at = made.exports, world.thing(thing), INDICES[index]
    number = value and value.number
    world.agree(lambda: exports.keep(value), lambda: model.keep(number))
    world.agree(lambda: exports.set_object(at, value), lambda: model.set_object(at, number))
    world.agree(lambda: exports.get_object(at), lambda: model.get_object(at))
    world.agree(lambda: exports.kept_now(), model.kept_now)
    world.agree(lambda: exports.same(value), lambda: model.same(number))


@operation(instance=PICK, index=4, thing=PICK)
def tie(world: World, instance: int, index: int, thing: int) -> None:
    """Put an object into a table that it keeps alive itself."""
    made, model = world.pick("instances", instance)
    value, at = world.thing(max(thing, 1)), INDICES[index]
    assert value is not None
    value.keeps = made
    world.agree(lambda: made.exports.set_object(at, value), lambda: model.set_object(at, value.number))


@operation(instance=PICK, elements=4, thing=PICK)
def grow_objects(world: World, instance: int, elements: int, thing: int) -> None:
    """Grow the table of objects in the guest."""
    made, model = world.pick("instances", instance)
    value, count = world.thing(thing), ELEMENTS[elements]
    world.agree(lambda: made.exports.grow_objects(value, count), lambda: model.grow_objects(value and value.number, count))


@operation(instance=PICK, elements=4, function=PICK)
def grow_functions(world: World, instance: int, elements: int, function: int) -> None:
    """Grow the table of functions in the guest."""
    made, model = world.pick("instances", instance)
    value, count = world.function(function), ELEMENTS[elements]
    world.agree(lambda: made.exports.grow_functions(value.object, count), lambda: model.grow_functions(value.model, count))


@operation(instance=PICK, index=4, function=PICK)
def set_function(world: World, instance: int, index: int, function: int) -> None:
    """Put a function into the table in the guest, and take it out again."""
    made, model = world.pick("instances", instance)
    value, at = world.function(function), INDICES[index]
    world.agree(lambda: made.exports.set_function(at, value.object), lambda: model.set_function(at, value.model))
    world.agree(lambda: made.exports.get_function(at), lambda: model.get_function(at))


@operation(instance=PICK, index=4, value=BYTES)
def call(world: World, instance: int, index: int, value: int) -> None:
    """Call what is in the table of functions."""
    made, model = world.pick("instances", instance)
    world.agree(lambda: made.exports.call(INDICES[index], value), lambda: model.call(INDICES[index], value))


@operation(function=PICK, value=BYTES)
def call_function(world: World, function: int, value: int) -> None:
    """Call a function that Python holds."""
    held, model = world.pick("functions", function)
    arguments = [value] if model.is_step else []
    world.agree(lambda: held(*arguments), lambda: model.call(*arguments))


@operation(counter=PICK, value=BYTES)
def set_counter(world: World, counter: int, value: int) -> None:
    """Set a global from Python."""
    held, model = world.pick("counters", counter)
    held.value = model.value = value - 1


@operation(kept=PICK, thing=PICK)
def set_kept(world: World, kept: int, thing: int) -> None:
    """Set a global of an object from Python."""
    held, model = world.pick("kept", kept)
    value = world.thing(thing)
    held.value, model.value = value, value and value.number


@operation(instance=PICK, kind=4)
def trap(world: World, instance: int, kind: int) -> None:
    """A call that traps."""
    made, model = world.pick("instances", instance)
    name = list(TRAPS)[kind]
    world.agree(getattr(made.exports, name), lambda: model.trap(name))


@operation(instance=PICK)
def wrong_arguments(world: World, instance: int) -> None:
    """Calls that never reach the guest."""
    exports = world.pick("instances", instance).object.exports
    for arguments in ((), ("text",), (1, 2), (1.5,), (object(),)):
        try:
            exports.add(*arguments)
        except TypeError as error:
            world.hold("errors", error, str(error))
        else:
            raise AssertionError(f"add{arguments} is accepted")


@operation(instance=PICK, how=2, at=PLACES, raises=1, inner=INNER)
def call_host(world: World, instance: int, how: int, at: int, raises: int, inner: Step) -> None:
    """A call of a host function that does something, raises or not, and after which the guest goes on."""
    made, model = world.pick("instances", instance)
    exports, thing = made.exports, world.thing(at)
    del made
    address = place(model.memory, at)
    world.host_steps.append(inner)
    world.host_raises = bool(raises)
    number = thing and thing.number

    def modelled(action: Callable[[], Any]) -> Any:
        if raises:
            raise HostError
        return action()

    try:
        if how == 0:
            world.agree(lambda: exports.host_and_add(5), lambda: modelled(lambda: model.host_and_add(5)))
        elif how == 1:
            world.agree(lambda: exports.host_and_store(5, address, 3), lambda: modelled(lambda: model.host_and_store(5, address, 3)))
        else:
            world.agree(lambda: exports.host_and_object(thing), lambda: modelled(lambda: model.host_and_object(number)))
    finally:
        world.host_steps.clear()
        world.host_raises = False
