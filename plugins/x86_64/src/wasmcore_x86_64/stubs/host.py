"""Stubs that look like WebAssembly functions and call Python: of host functions of one type, and of built-ins."""

from __future__ import annotations

from wasmcore.plugin.convention import CallingConvention
from wasmcore.plugin.layout import ACTIVATION, STORE, VMCONTEXT
from wasmcore.types import I32, NULLABLE_REFERENCE, ValueType
from wasmcore_x86_64.assembler.instructions import DIGIT_CMP, EQUAL, NOT_EQUAL, R8, R9, R12, R13, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP
from wasmcore_x86_64.stubs.places import KEPT, load_place, machine_classes, store_place
from wasmcore_x86_64.stubs.values import VECTOR_SIZE, ValueWriter, is_float
from wasmcore_x86_64.stubs.writer import signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore.plugin.target import HostInterface

_ARGUMENTS_OFFSET: Final = 1 << 63
"""`PY_VECTORCALL_ARGUMENTS_OFFSET`."""
_RAISED: Final = -1
_WRONG_COUNT: Final = -2
"""What the callback `host_error` is told instead of the number of a result."""


class HostWriter(ValueWriter):
    """Writes stubs that look like WebAssembly functions and call a Python callable.

    rbx holds the activation, r12 first the context, then the result.
    """

    def __init__(
        self, host: HostInterface, convention: CallingConvention, params: tuple[ValueType, ...], results: tuple[ValueType, ...]
    ) -> None:
        super().__init__(host)
        self.params = params
        self.results = results
        self.arguments = convention.arguments(machine_classes(params))
        self.returned = convention.results(machine_classes(results))
        self.failed = self.a.label()
        self.drop = self.a.label()
        self.report = self.a.label()

    def _lay_out(self, objects: int) -> None:
        """The thread state, a word that belongs to the callee, the array of objects, an exception (type, value, traceback), the context,
        the slots."""
        self.thread_state = 0
        self.word = 8
        self.vector = 16
        self.error = -(-(self.vector + 8 * objects) // 16) * 16
        self.context = self.error + 24
        self.slots = self.error + 32
        self.frame = self.slots + VECTOR_SIZE * max(len(self.params), len(self.results))

    def slot(self, number: int) -> int:
        """Displacement of the slot of an argument or a result."""
        return self.slots + VECTOR_SIZE * number

    def load_store(self, register: int) -> None:
        """The caller's."""
        self.a.load(register, RBX, ACTIVATION["store"])

    load_activation_store = load_store

    def write(self) -> bytes:
        """The stub for a host function: the callable is in the context."""
        self._lay_out(len(self.params))
        self._begin()
        self.a.store(RSP, self.context, R12)
        self._box_arguments(0, len(self.params))
        self.a.load(RDI, R12, 8)
        self._vectorcall(len(self.params), self._reported(_RAISED))
        self.make_room(self.results, self.drop)
        if len(self.results) == 1:
            self._unbox_one()
        elif self.results:
            self._unbox_several()
        self._drop_result()
        self._end()
        self.later(self._report)
        return self.finish()

    def write_builtin(self, function: int) -> bytes:
        """The stub for a built-in: all values are unsigned integers, the context comes first."""
        a = self.a
        self._lay_out(len(self.params) + 1)
        self._begin()
        a.mov(RDI, R12)
        self.call("PyLong_FromUnsignedLongLong")
        a.test(RAX, RAX)
        a.jump_if(EQUAL, self.failed)
        a.store(RSP, self.vector, RAX)
        self._box_arguments(1, len(self.params) + 1)
        a.mov_imm64(RDI, function)
        self._vectorcall(len(self.params) + 1, self.failed)
        if self.results:
            self._unbox_builtin()
        self._drop_result()
        self._end()
        return self.finish()

    def _begin(self) -> None:
        """Bring the arguments to where Python leaves them alone, and have the interpreter lock."""
        a = self.a
        released, held = a.label(), a.label()
        a.push(RBP)
        a.mov(RBP, RSP)
        a.sub_imm(RSP, self.frame)
        a.load(RAX, R12, VMCONTEXT["store"])
        for number, place in enumerate(self.arguments):
            # References have to be where a sweep finds them.
            if place.float or place.register not in KEPT or self.params[number] & 7 >= NULLABLE_REFERENCE:
                store_place(a, self.params[number], place, RSP, self.slot(number), RAX)
        a.load(RBX, RAX, STORE["activation"])
        a.store(RBX, ACTIVATION["host_frame"], RBP)
        a.store(RBX, ACTIVATION["host_stack"], RSP)
        a.load(RDI, RBX, ACTIVATION["thread_state"])
        a.store(RSP, self.thread_state, RDI)
        a.test(RDI, RDI)
        a.jump_if(NOT_EQUAL, released)
        a.bind(held)

        def write() -> None:
            a.bind(released)
            a.store_imm(RBX, ACTIVATION["thread_state"], 0)
            self.call("PyEval_RestoreThread")
            a.jump(held)

        self.later(write)

    def _box_arguments(self, before: int, objects: int) -> None:
        """Fill the array of objects behind those that are there already."""
        a = self.a
        failures = [a.label() for _ in self.params]
        for number, value_type in enumerate(self.params):
            place = self.arguments[number]
            if place.register in KEPT and not place.float:
                a.mov(RAX, place.register)
            else:
                self.load_value(value_type, RSP, self.slot(number))
            self._box_argument(value_type, self.slot(number), bool(before))
            a.test(RAX, RAX)
            a.jump_if(EQUAL, failures[number])
            a.store(RSP, self.vector + 8 * (number + before), RAX)

        def write() -> None:
            """Drop those that were made, from the last."""
            for number in range(len(self.params) - 1, -1, -1):
                a.bind(failures[number])
                if number + before:
                    a.load(RDI, RSP, self.vector + 8 * (number + before - 1))
                    self.call("Py_DecRef")
            a.jump(self.failed)

        if self.params:
            self.later(write)

    def _box_argument(self, value_type: ValueType, vector: int, unsigned: bool) -> None:
        if not unsigned or is_float(value_type):
            self.box(value_type, vector)
            return
        if value_type == I32:
            self.a.mov32(RDI, RAX)
        else:
            self.a.mov(RDI, RAX)
        self.call("PyLong_FromUnsignedLongLong")

    def _vectorcall(self, count: int, failed: int) -> None:
        """Call the object in rdi with the array; the result goes to r12."""
        a = self.a
        a.lea(RSI, RSP, self.vector)
        a.mov_imm64(RDX, signed(_ARGUMENTS_OFFSET + count))
        a.zero(RCX)
        self.call(self._vectorcall_name())
        a.mov(R12, RAX)
        for number in range(count):
            a.load(RDI, RSP, self.vector + 8 * number)
            self.decref(RDI)
        a.test(R12, R12)
        a.jump_if(EQUAL, failed)

    def _vectorcall_name(self) -> str:
        """Python 3.10 exports only the one for which keyword arguments come in a dict."""
        try:
            self.host.symbols["PyObject_Vectorcall"]
        except KeyError:
            return "PyObject_VectorcallDict"
        return "PyObject_Vectorcall"

    def _unbox_one(self) -> None:
        self.a.mov(RDI, R12)
        self.unbox(self.results[0], self.slot(0), self._reported(0))
        self.save_value(self.results[0], RSP, self.slot(0))

    def _unbox_builtin(self) -> None:
        a = self.a
        a.mov(RDI, R12)
        self.unbox(self.results[0], self.slot(0), self.drop)
        self.save_value(self.results[0], RSP, self.slot(0))

        def write() -> None:
            a.bind(self.drop)
            a.mov(RDI, R12)
            self.call("Py_DecRef")
            a.jump(self.failed)

        self.later(write)

    def _unbox_several(self) -> None:
        a = self.a
        wrong = a.label()
        wrong_count = self._reported(_WRONG_COUNT)
        a.mov(RDI, R12)
        self.call("PySequence_Tuple")
        a.test(RAX, RAX)
        a.jump_if(EQUAL, wrong_count)
        a.mov(R13, RAX)
        self.decref(R12)
        a.mov(R12, R13)
        self.compare_size(R12, len(self.results))
        a.jump_if(NOT_EQUAL, wrong)
        for number, value_type in enumerate(self.results):
            self.get_item(R12, number)
            self.unbox(value_type, self.slot(number), self._reported(number))
            self.save_value(value_type, RSP, self.slot(number))

        def write() -> None:
            a.bind(wrong)
            self.raise_error("PyExc_TypeError", b"wrong number of results")
            a.jump(wrong_count)

        self.later(write)

    def _reported(self, what: int) -> int:
        """Where to go with an exception of a host function, with what it returned in r12, or 0; `what` as for the callback."""
        a = self.a
        begin = a.label()

        def write() -> None:
            a.bind(begin)
            a.mov_imm(RAX, what)
            a.jump(self.report)

        self.later(write)
        return begin

    def _report(self) -> None:
        """Let Python say which function the exception is about, and what it went through. What it is about is in rax."""
        a = self.a
        without, has_result, replaced = a.label(), a.label(), a.label()
        parts = tuple(zip((RDI, RSI, RDX), (self.error, self.error + 8, self.error + 16)))
        a.bind(self.report)
        a.store(RSP, self.word, RAX)
        for function in ("PyErr_Fetch", "PyErr_NormalizeException"):
            for register, displacement in parts:
                a.lea(register, RSP, displacement)
            self.call(function)
        a.load(RDI, RSP, self.error + 8)
        a.load(RSI, RSP, self.error + 16)
        a.test(RSI, RSI)
        a.jump_if(EQUAL, without)
        self.call("PyException_SetTraceback")
        a.bind(without)
        a.mov(R9, R12)
        a.test(R12, R12)
        a.jump_if(NOT_EQUAL, has_result)
        self.address(R9, "_Py_NoneStruct")
        a.bind(has_result)
        a.load(RDX, RSP, self.error + 8)
        a.load(RCX, RSP, self.context)
        a.load(R8, RSP, self.word)
        self.callback("host_error", b"OKnO")
        a.store(RSP, self.word, RAX)
        for _, displacement in parts:
            a.load(RDI, RSP, displacement)
            self.call("Py_DecRef")
        a.alu_mem_imm(DIGIT_CMP, 1, RSP, self.word, 0)
        a.jump_if(EQUAL, replaced)
        a.load(RDI, RSP, self.word)
        self.call("PyException_GetTraceback")
        a.store(RSP, self.error, RAX)
        a.load(RDI, RSP, self.word)
        self.call("PyObject_Type")
        a.mov(RDI, RAX)
        a.load(RSI, RSP, self.word)
        a.load(RDX, RSP, self.error)
        self.call("PyErr_Restore")
        a.bind(replaced)
        a.bind(self.drop)
        a.mov(RDI, R12)
        self.call("Py_DecRef")
        a.jump(self.failed)

    def _drop_result(self) -> None:
        self.decref(R12)

    def _end(self) -> None:
        """Give the interpreter lock back if it was released, load the results and return."""
        a = self.a
        release, held = a.label(), a.label()
        self.attend(self.failed)
        a.store_imm(RBX, ACTIVATION["host_frame"], 0)
        a.alu_mem_imm(DIGIT_CMP, 1, RSP, self.thread_state, 0)
        a.jump_if(NOT_EQUAL, release)
        a.bind(held)
        overflowing = [number for number, place in enumerate(self.returned) if place.overflow >= 0]
        if overflowing:
            a.load(RSI, RBX, ACTIVATION["store"])
        for number, place in enumerate(self.returned):
            load_place(a, self.results[number], place, RSP, self.slot(number), RSI)
        a.leave()
        a.ret()

        def write() -> None:
            a.bind(release)
            self.call("PyEval_SaveThread")
            a.store(RBX, ACTIVATION["thread_state"], RAX)
            a.jump(held)

        self.later(write)
        a.bind(self.failed)
        a.store_imm(RBX, ACTIVATION["host_frame"], 0)
        a.load(RSP, RBX, ACTIVATION["stack"])
        a.jump_mem(RSP, 0)
