"""What a target provides: the calling convention and the pieces of machine code that the runtime itself needs."""

from __future__ import annotations

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import Final, Protocol
from wasmcore.plugin.convention import CallingConvention

INSTALLERS: Final = ("sigaction", "signal", "bsd_signal")
"""Functions of the C library that install a signal handler; the signal is their first argument. What they are called for in this
process is done by stubs."""


class ObjectLayout(NamedTuple):
    """Where this interpreter's objects have what stubs read and write without a call: displacements in bytes, found in this process."""

    type: int
    """Of any object: the address of its type."""
    int_size: int
    """Of an int, 64 bits: the number of its digits and its sign; see `tagged_ints`."""
    int_digits: int
    """Of an int: its digits of 30 bits, the lowest one first, 32 bits each."""
    tagged_ints: bool
    """Whether `int_size` has digits << 3 | sign (0, 1 for zero, 2 for negative), and a bit of value 4 that means nothing here, instead
    of the signed number of digits."""
    float_value: int
    """Of a float: its value."""
    size: int
    """Of a tuple or bytes: how many items or bytes it has."""
    tuple_items: int
    bytes_value: int
    dict_used: int
    """Of a dict: how many keys it has."""
    immortal: bool
    """The count of references stands at 0. False: it has 64 bits. True: it has 32 bits, and objects for which they are negative are
    not counted."""


class HostInterface(NamedTuple):
    """Addresses and numbers of this process that stubs are made with."""

    symbols: dict[str, int]
    """Addresses of functions of the C API of Python and of the C library, and of objects (`PyLong_Type`), by name."""
    process: int
    """Address of the process record (`wasmcore.plugin.layout.PROCESS_FIELDS`)."""
    signal_actions: int
    """Address of the signal actions that these handlers chain to: {handler, flags} by signal number, 64 of them. In the process record
    for the first handlers; handlers that are put on top of those of somebody else later have a table of their own."""
    objects: ObjectLayout | None
    """None where nothing is known of objects: then stubs use only functions of the stable C API, with these as with all others."""
    callbacks: dict[str, int]
    """Addresses of the Python callables that stubs call, by name:

    - `enter(store: int, pointer: int) -> int`: the thread with this thread pointer is not the one that `store.thread` names: waits for its
      turn and returns the address of its thread record, or raises. If then the store has no activation, or that of a thread whose
      record is free, the stub makes the activation 0 and this thread the store's, with the interpreter lock held; and looks again.
    - `attend() -> None`: the process record asks for it, at an entry (the activation is there) or at the end of a host call; or raises.
    - `trap(thread: int, pc: int, address: int, frame: int) -> None`: raises the exception of a fault, with what the thread record
      said about it; returns normally only for an interrupt that raised nothing, after which the code is resumed.
    - `poll(store: int) -> None`: the polls of the store with this address are counted down: counts anew, and raises the exception of an
      interrupt or returns.
    - `compile(context: int, index: int) -> int`: compiles a defined function (counted without the imports) that was called for the
      first time, patches its funcref records and returns the address of its code, or raises.
    - `wrong_count(self: object, given: int) -> None`: raises the TypeError of a call with so many arguments too few or too many.
    - `wrong_argument(self: object, number: int, value: object) -> None`: raises the TypeError or OverflowError of an argument (counted
      from 0) that is not of its type.
    - `number(kind: int, value: object) -> int`: the bits, as an unsigned int, of an object that is given for an i32, i64 or v128 (kind is
      the packed value type) and can not be an index; or raises.
    - `host_error(error: BaseException, context: int, what: int, result: object) -> BaseException`: the exception to raise instead of one
      that a host function with this context raised (what -1, result None), or that its result caused: `what` is the number of the
      result, or -2 where they are not as many as expected or can not be iterated over.
    - `sweep(store: int) -> None`: the dict `recent` of the store with this address is full (`wasmcore.plugin.layout.STORE_FIELDS`). Called
      before objects are put in, when nothing of the call that brings them is in registers.
    - `box_reference(kind: int, value: int) -> object` and `unbox_reference(kind: int, value: object, store: int) -> int`: references,
      where kind is the packed value type and store the address of the store record the reference goes to; value 0 (`None`) never
      gets there, nor does a value of type externref: `EXTERN_TAG + address of the object`, which the stub puts into `recent` of the
      store, and looks for in `recent` and `settled` when it comes back.
    """


class Stub(NamedTuple):
    """A piece of position-independent machine code and named places in it."""

    code: bytes
    labels: dict[str, int]


class Target(Protocol):
    """A processor architecture with its operating system interface; what `wasmcore_target` returns."""

    name: str
    """As in `platform.machine()`, for example `x86_64`."""
    version: str
    contract: tuple[int, int]
    convention: CallingConvention

    def unsupported(self) -> str | None:
        """Why the running process can not execute this target's code, or None when it can."""

    def features(self) -> frozenset[str]:
        """CPU features of the running processor, in the target's names."""

    def publish(self, address: int, size: int) -> None:
        """Called when machine code has been written there and before it is called the first time: lets all processors see it as code."""

    def caller(self, frame: int) -> tuple[int, int]:
        """Of a function of generated code with this frame pointer: the frame pointer of its caller, and the address it returns to. Asked
        while all frames are as they were, at calls, polls and traps; also of what `host_frame` and `trap_frame` say."""

    def disassembler(self) -> tuple[int, int]:
        """What capstone calls the processor: architecture and mode (`capstone.CS_ARCH_X86`, `CS_MODE_64`)."""

    def process_stubs(self, host: HostInterface) -> Stub:
        """Code made once per process, with the labels:

        - `signal_handler`: a `sigaction` handler (SA_SIGINFO) for faults. Where the pc is in a code region of the process record and the
          thread has an activation, records the fault in the thread record and continues at `trap`; else the chained action.
        - `trap`: gives the poll page back if the fault is about it (and then clears `store.withdrawn`), calls the callback `trap` on the
          stack of the fault, then unwinds; or resumes with all registers as they were. `thread.store` is 0 meanwhile, and `thread.seen`
          afterwards: the ticker counts from there.
        - `poll`: the built-in of that name: calls the callback `poll`, then unwinds, or returns with all registers as they were. Both
          call the callback `poll` again as long as the process asks for `attend`.
        - `unwind`: leaves the innermost activation of the current thread; its entry stub returns NULL to Python. Jumped to with a
          Python exception set and the interpreter lock held.
        - `lazy`: jumped to by `lazy_stubs`: saves the arguments, calls the callback `compile`, continues in the compiled code.
        - `thread_exit`: a destructor for a pthread key: frees the thread record it is given.
        - `ticker`: a C function that a thread of its own runs until `process.ticker_stop`; then it sets `ticker_asleep`. Every 5
          milliseconds it looks at `store` of each thread record; a store that was there at the last look and is not withdrawn becomes so,
          in both senses. While it looks `process.ticker_scans` is odd. When it finds no store that is not withdrawn for a second, it sets
          `ticker_asleep`, looks once more a tick later and then waits for another value of `ticker_wakes`.
        - `installing_NAME` for each of `INSTALLERS`: does for a signal of a fault what this function promises, but leaves `signal_handler`
          on top if it is and the process is `process.pid`: the action becomes the given and the chained one, and what is returned is the
          one given before. Otherwise, and for all other signals, calls the function; and sets `process.handlers_changed` if the signal is
          one of a fault. Callable on any thread and in signal handlers.
        - `visit_object`: a callback for `dl_iterate_phdr`, whose data is an array of u64: how many objects have been visited, for how many
          there is room, and of those 5 each: base, address and number of the program headers, objects ever loaded and unloaded.
        """

    def lazy_stubs(self, count: int, lazy: int, address: int) -> bytes:
        """`count` pieces of equal length, loaded at `address`, the n-th of which goes to `lazy` for the n-th defined function."""

    def entry_stub(self, host: HostInterface, params: tuple[int, ...], results: tuple[int, ...], release_gil: bool) -> bytes:
        """Code behind a METH_FASTCALL builtin for exported functions of one type (packed value types). i32 takes integers of
        -2**31..2**32-1, i64 of -2**63..2**64-1, floats what has a float value, v128 16 bytes or an integer below 2**128. Results are
        signed integers, floats, bytes. Reached from one of the `trampolines`, which says the function. Unboxes the arguments
        (TypeError, OverflowError), makes an activation, calls, boxes the results: None, one object, or a tuple. A sweep finds no externref
        in this frame, so they are put in after the activation is made, and looked for before it ends, while no Python code runs."""

    def trampolines(self, count: int, address: int, data: int) -> bytes:
        """`count` METH_FASTCALL functions of equal length, loaded at `address`. The n-th finds at `data + 16 * n` the address of a funcref
        record and that of an entry stub, and continues there for that function."""

    def host_stub(self, host: HostInterface, params: tuple[int, ...], results: tuple[int, ...]) -> bytes:
        """Code of a funcref record for Python functions of one type. Its context has the address of the store record at 0 and
        of the callable at 8. Boxes the arguments, calls by vectorcall, unboxes the results (none: whatever it returned is dropped;
        several: any iterable of that length); an exception unwinds the innermost activation. Like everything that calls Python, writes
        the lowest stack pointer to `host_stack` of the activation when all arguments that are references are above it."""

    def builtin_stub(self, host: HostInterface, params: bytes, results: bytes, function: int) -> bytes:
        """Code of a built-in (machine classes; see `wasmcore.plugin.builtins`) that calls the Python callable at address
        `function` with the VMContext's address and the arguments as unsigned integers, references as their bits."""

    def self_test(self) -> bytes:
        """Code of a function without parameters and results that reads the poll page, then executes an undefined instruction."""
