"""Python objects to WebAssembly values and back, as machine code."""

from __future__ import annotations

from wasmcore.plugin.layout import EXTERN_TAG, STORE
from wasmcore.types import F32, F64, HEAP_EXTERN, I32, I64, NULLABLE_REFERENCE, REFERENCE, V128, ValueType
from wasmcore_x86_64.assembler.instructions import (
    ABOVE_EQUAL,
    ADD,
    CMP,
    CVTSD2SS,
    CVTSS2SD,
    DIGIT_AND,
    DIGIT_CMP,
    DIGIT_NEG,
    DIGIT_OR,
    DIGIT_SHL,
    DIGIT_SHR,
    EQUAL,
    IMUL,
    LESS,
    MOVD,
    MOVD_STORE,
    MOVSD_STORE,
    MOVSXD,
    MOVUPS,
    MOVUPS_STORE,
    NOT_EQUAL,
    OR,
    PARITY,
    R8,
    RAX,
    RBX,
    RCX,
    RDI,
    RDX,
    RSI,
    RSP,
    TEST,
    UCOMISD,
    UCOMISS,
)
from wasmcore_x86_64.stubs.writer import StubWriter, signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore.plugin.target import ObjectLayout

FLOATS: Final = (F32, F64, V128)
VECTOR_SIZE: Final = 16
_MOVSD: Final = 0xF20110
_MINUS_ONE: Final = signed(0xBFF0000000000000)
_QUIET_F32: Final = 0x400000


def is_float(value_type: ValueType) -> bool:
    """Whether values of a type are in the float registers."""
    return value_type & 7 in FLOATS


def is_extern(value_type: ValueType) -> bool:
    """Whether any Python object is a value of a type."""
    return value_type >> 3 == HEAP_EXTERN and value_type & 7 >= NULLABLE_REFERENCE


class ValueWriter(StubWriter):
    """Writes conversions. An object to convert is in rdi; integers and references arrive in rax, floats in xmm0, vectors in memory."""

    def load_store(self, register: int) -> None:
        """The address of the store record that a value is unboxed for."""
        raise NotImplementedError

    def load_activation_store(self, register: int) -> None:
        """The address of the store record of the activation."""
        raise NotImplementedError

    def make_room(self, types: tuple[ValueType, ...], failed: int) -> None:
        """Sweep if it is time to, before values of these types are unboxed."""
        if not any(map(is_extern, types)):
            return
        a = self.a
        full, done = a.label(), a.label()
        self.load_store(RDX)
        a.load(RDI, RDX, STORE["recent"])
        if self.objects is None:
            self.call("PyDict_Size")
            self.load_store(RDX)
        else:
            a.load(RAX, RDI, self.objects.dict_used)
        a.reg_mem(CMP, 1, RAX, RDX, STORE["room"])
        a.jump_if(ABOVE_EQUAL, full)
        a.bind(done)

        def write() -> None:
            a.bind(full)
            self.callback("sweep", b"K")
            a.jump_if(EQUAL, failed)
            a.mov(RDI, RAX)
            self.call("Py_DecRef")
            a.jump(done)

        self.later(write)

    def unbox(self, value_type: ValueType, vector: int, failed: int) -> None:
        """The value of the object in rdi. A vector goes to `[rsp + vector]`. With an exception set, continues at `failed`."""
        kind = value_type & 7
        if kind in (I32, I64):
            self._unbox_int(kind, failed)
        elif kind in (F32, F64):
            self._unbox_float(kind, failed)
        elif kind == V128:
            self._unbox_vector(vector, failed)
        elif is_extern(value_type):
            self._unbox_extern(value_type, failed)
        else:
            self._unbox_reference(value_type, failed)

    def _unbox_int(self, kind: int, failed: int) -> None:
        """The fast path takes an exact int of one digit, with its sign."""
        a = self.a
        slow = a.label()
        done = a.label()
        objects = self.known_objects(RDI, "PyLong_Type", slow)
        if objects is not None:
            self._unbox_digit(objects, slow)
        a.bind(done)
        routine = self.routine("i32", self._routine_i32) if kind == I32 else self.routine("i64", self._routine_i64)
        self.later(lambda: self._call_routine(slow, routine, failed, done))

    def _unbox_digit(self, objects: ObjectLayout, slow: int) -> None:
        a = self.a
        a.load(RAX, RDI, objects.int_size)
        if objects.tagged_ints:
            a.cmp_imm(RAX, 2 << 3)
            a.jump_if(ABOVE_EQUAL, slow)
            a.load32(RCX, RDI, objects.int_digits)
            a.alu_imm(DIGIT_AND, 0, RAX, 3)
            a.unary(DIGIT_NEG, 1, RAX)
            a.add_imm(RAX, 1)
        else:
            a.lea(RCX, RAX, 1)
            a.cmp_imm(RCX, 3)
            a.jump_if(ABOVE_EQUAL, slow)
            a.load32(RCX, RDI, objects.int_digits)
        a.reg_reg(IMUL, 1, RAX, RCX)

    def _call_routine(self, begin: int, routine: int, failed: int, done: int) -> None:
        a = self.a
        a.bind(begin)
        a.call(routine)
        a.reg_reg(TEST, 0, RDX, RDX)
        a.jump_if(EQUAL, done)
        a.jump(failed)

    def _routine_i32(self) -> None:
        """rax = the int in rdi; edx = 1 with an exception set, else 0."""
        a = self.a
        failed, check, in_range, overflow, leave = (a.label() for _ in range(5))
        a.push(RBX)
        a.sub_imm(RSP, 16)
        a.mov_imm(RSI, I32)
        a.call(self.routine("number", self._routine_number))
        a.test(RAX, RAX)
        a.jump_if(EQUAL, failed)
        a.mov(RBX, RAX)
        a.mov(RDI, RAX)
        self.call("PyLong_AsLongLong")
        a.store(RSP, 0, RAX)
        self.decref(RBX)
        a.load(RAX, RSP, 0)
        a.cmp_imm(RAX, -1)
        a.jump_if(EQUAL, check)
        a.bind(in_range)
        a.mov_imm(RCX, 1 << 31)
        a.reg_reg(0x03, 1, RCX, RAX)
        a.mov_imm64(RDX, (1 << 31) + (1 << 32))
        a.reg_reg(0x3B, 1, RCX, RDX)
        a.jump_if(ABOVE_EQUAL, overflow)
        a.zero(RDX)
        a.bind(leave)
        a.add_imm(RSP, 16)
        a.pop(RBX)
        a.ret()
        a.bind(check)
        self.call("PyErr_Occurred")
        a.test(RAX, RAX)
        a.jump_if(NOT_EQUAL, failed)
        a.mov_imm(RAX, -1)
        a.jump(in_range)
        a.bind(overflow)
        self.raise_error("PyExc_OverflowError", b"int does not fit i32")
        a.bind(failed)
        a.mov_imm(RDX, 1)
        a.jump(leave)

    def _routine_number(self) -> None:
        """rax = a new reference to the int that the object in rdi is as a value of type rsi; 0 with an exception set."""
        a = self.a
        leave = a.label()
        a.push(RBX)
        a.sub_imm(RSP, 16)
        a.mov(RBX, RDI)
        a.store(RSP, 0, RSI)
        self.call("PyNumber_Index")
        a.test(RAX, RAX)
        a.jump_if(NOT_EQUAL, leave)
        self.call("PyErr_Clear")
        a.load(RDX, RSP, 0)
        a.mov(RCX, RBX)
        self.callback("number", b"kO")
        a.bind(leave)
        a.add_imm(RSP, 16)
        a.pop(RBX)
        a.ret()

    def _routine_i64(self) -> None:
        """rax = the int in rdi; edx = 1 with an exception set, else 0."""
        a = self.a
        failed, big, good, bad, leave = (a.label() for _ in range(5))
        a.push(RBX)
        a.sub_imm(RSP, 16)
        a.mov_imm(RSI, I64)
        a.call(self.routine("number", self._routine_number))
        a.test(RAX, RAX)
        a.jump_if(EQUAL, failed)
        a.mov(RBX, RAX)
        a.mov(RDI, RAX)
        a.mov(RSI, RSP)
        self.call("PyLong_AsLongLongAndOverflow")
        a.alu_mem_imm(DIGIT_CMP, 0, RSP, 0, 0)
        a.jump_if(NOT_EQUAL, big)
        a.bind(good)
        a.store(RSP, 8, RAX)
        self.decref(RBX)
        a.load(RAX, RSP, 8)
        a.zero(RDX)
        a.bind(leave)
        a.add_imm(RSP, 16)
        a.pop(RBX)
        a.ret()
        a.bind(big)
        a.jump_if(LESS, bad)
        a.mov(RDI, RBX)
        self.call("PyLong_AsUnsignedLongLong")
        a.cmp_imm(RAX, -1)
        a.jump_if(NOT_EQUAL, good)
        self.call("PyErr_Occurred")
        a.test(RAX, RAX)
        a.mov_imm(RAX, -1)
        a.jump_if(EQUAL, good)
        a.bind(bad)
        self.raise_error("PyExc_OverflowError", b"int does not fit i64")
        self.decref(RBX)
        a.bind(failed)
        a.mov_imm(RDX, 1)
        a.jump(leave)

    def _unbox_float(self, kind: int, failed: int) -> None:
        a = self.a
        slow = a.label()
        done = a.label()
        objects = self.known_objects(RDI, "PyFloat_Type", slow)
        if objects is not None:
            a.reg_mem(_MOVSD, 0, 0, RDI, objects.float_value)
        a.bind(done)
        self.later(lambda: self._slow_float(slow, failed, done))
        if kind == F32:
            self._narrow()

    def _slow_float(self, begin: int, failed: int, done: int) -> None:
        a = self.a
        a.bind(begin)
        self.call("PyFloat_AsDouble")
        a.mov_imm64(RAX, _MINUS_ONE)
        a.reg_reg(MOVD_STORE, 1, 0, RCX)
        a.reg_reg(0x3B, 1, RCX, RAX)
        a.jump_if(NOT_EQUAL, done)
        self.call("PyErr_Occurred")
        a.test(RAX, RAX)
        a.jump_if(NOT_EQUAL, failed)
        a.mov_imm64(RAX, _MINUS_ONE)
        a.reg_reg(MOVD, 1, 0, RAX)
        a.jump(done)

    def _narrow(self) -> None:
        """f64 to f32 in xmm0; of a NaN, the upper part of the payload stays, and whether it is quiet where that can be."""
        a = self.a
        nan, done = a.label(), a.label()
        a.reg_reg(UCOMISD, 0, 0, 0)
        a.jump_if(PARITY, nan)
        a.reg_reg(CVTSD2SS, 0, 0, 0)
        a.bind(done)

        def write() -> None:
            a.bind(nan)
            a.reg_reg(MOVD_STORE, 1, 0, RAX)
            a.mov(RCX, RAX)
            a.shift_imm(DIGIT_SHR, 1, RCX, 63)
            a.shift_imm(DIGIT_SHL, 0, RCX, 31)
            a.shift_imm(DIGIT_SHR, 1, RAX, 29)
            a.alu_imm(DIGIT_AND, 0, RAX, 0x7FFFFF)
            payload = a.short_jump_if(NOT_EQUAL)
            a.mov_imm(RAX, _QUIET_F32)
            a.bind_short(payload)
            a.alu_imm(DIGIT_OR, 0, RAX, 0x7F800000)
            a.reg_reg(OR, 0, RAX, RCX)
            a.reg_reg(MOVD, 0, 0, RAX)
            a.jump(done)

        self.later(write)

    def _widen(self) -> None:
        """f32 to f64 in xmm0, with the payload of a NaN."""
        a = self.a
        nan, done = a.label(), a.label()
        a.reg_reg(UCOMISS, 0, 0, 0)
        a.jump_if(PARITY, nan)
        a.reg_reg(CVTSS2SD, 0, 0, 0)
        a.bind(done)

        def write() -> None:
            a.bind(nan)
            a.reg_reg(MOVD_STORE, 0, 0, RAX)
            a.mov32(RCX, RAX)
            a.shift_imm(DIGIT_SHR, 0, RCX, 31)
            a.shift_imm(DIGIT_SHL, 1, RCX, 63)
            a.alu_imm(DIGIT_AND, 0, RAX, 0x7FFFFF)
            a.shift_imm(DIGIT_SHL, 1, RAX, 29)
            a.reg_reg(OR, 1, RCX, RAX)
            a.mov_imm64(RAX, 0x7FF << 52)
            a.reg_reg(OR, 1, RAX, RCX)
            a.reg_reg(MOVD, 1, 0, RAX)
            a.jump(done)

        self.later(write)

    def _unbox_vector(self, vector: int, failed: int) -> None:
        """16 bytes, or an int below 2**128; the fast path takes an exact `bytes`."""
        a = self.a
        slow, done = a.label(), a.label()
        objects = self.known_objects(RDI, "PyBytes_Type", slow)
        if objects is not None:
            a.alu_mem_imm(DIGIT_CMP, 1, RDI, objects.size, VECTOR_SIZE)
            a.jump_if(NOT_EQUAL, slow)
            a.reg_mem(MOVUPS, 0, 0, RDI, objects.bytes_value)
            a.reg_mem(MOVUPS_STORE, 0, 0, RSP, vector)
        a.bind(done)
        routine = self.routine("v128", self._routine_v128)

        def write() -> None:
            a.bind(slow)
            a.lea(RSI, RSP, vector)
            a.call(routine)
            a.reg_reg(TEST, 0, RDX, RDX)
            a.jump_if(EQUAL, done)
            a.jump(failed)

        self.later(write)

    def _routine_v128(self) -> None:
        """[rsi] = the 16 bytes of the int in rdi; edx = 1 with an exception set, else 0."""
        a = self.a
        failed, leave = a.label(), a.label()
        a.push(RBX)
        a.sub_imm(RSP, 16)
        a.store(RSP, 0, RSI)
        a.mov_imm(RSI, V128)
        a.call(self.routine("number", self._routine_number))
        a.test(RAX, RAX)
        a.jump_if(EQUAL, failed)
        a.mov(RBX, RAX)
        a.mov(RDI, RAX)
        self.call("PyLong_AsUnsignedLongLongMask")
        a.load(RSI, RSP, 0)
        a.store(RSI, 0, RAX)
        self._shift_int(64)
        a.test(RBX, RBX)
        a.jump_if(EQUAL, failed)
        a.mov(RDI, RBX)
        self.call("PyLong_AsUnsignedLongLong")
        a.load(RSI, RSP, 0)
        a.store(RSI, 8, RAX)
        self.decref(RBX)
        self.call("PyErr_Occurred")
        a.test(RAX, RAX)
        a.jump_if(NOT_EQUAL, failed)
        a.zero(RDX)
        a.bind(leave)
        a.add_imm(RSP, 16)
        a.pop(RBX)
        a.ret()
        a.bind(failed)
        a.mov_imm(RDX, 1)
        a.jump(leave)

    def _shift_int(self, count: int) -> None:
        """rbx = the int in rbx, whose reference is dropped, shifted right; 0 with an exception set. Uses `[rsp + 8]`."""
        a = self.a
        shifted = a.label()
        a.mov_imm(RDI, count)
        self.call("PyLong_FromLong")
        a.store(RSP, 8, RAX)
        a.test(RAX, RAX)
        a.jump_if(EQUAL, shifted)
        a.mov(RDI, RBX)
        a.mov(RSI, RAX)
        self.call("PyNumber_Rshift")
        a.load(RDI, RSP, 8)
        a.store(RSP, 8, RAX)
        self.decref(RDI)
        a.bind(shifted)
        self.decref(RBX)
        a.load(RBX, RSP, 8)

    def _unbox_reference(self, value_type: ValueType, failed: int) -> None:
        a = self.a
        done = a.label()
        if value_type & 7 != REFERENCE:
            object_ = a.label()
            self.compare_none()
            a.jump_if(NOT_EQUAL, object_)
            a.zero(RAX)
            a.jump(done)
            a.bind(object_)
        a.mov_imm(RSI, value_type)
        self.load_store(RDX)
        routine = self.routine("reference", self._routine_reference)
        a.call(routine)
        a.reg_reg(TEST, 0, RDX, RDX)
        a.jump_if(NOT_EQUAL, failed)
        a.bind(done)

    def _routine_reference(self) -> None:
        """rax = bits of the object in rdi as a reference of type rsi for the store at rdx; edx = 1 with an exception set, else 0."""
        a = self.a
        failed, leave = a.label(), a.label()
        a.push(RBX)
        a.sub_imm(RSP, 16)
        a.mov(R8, RDX)
        a.mov(RDX, RSI)
        a.mov(RCX, RDI)
        self.callback("unbox_reference", b"kOK")
        a.jump_if(EQUAL, failed)
        a.mov(RBX, RAX)
        a.mov(RDI, RAX)
        self.call("PyLong_AsUnsignedLongLong")
        a.store(RSP, 0, RAX)
        self.decref(RBX)
        self.call("PyErr_Occurred")
        a.test(RAX, RAX)
        a.jump_if(NOT_EQUAL, failed)
        a.load(RAX, RSP, 0)
        a.zero(RDX)
        a.bind(leave)
        a.add_imm(RSP, 16)
        a.pop(RBX)
        a.ret()
        a.bind(failed)
        a.mov_imm(RDX, 1)
        a.jump(leave)

    def compare_none(self) -> None:
        """Whether the object in rdi is None: equal; uses rax."""
        self.address(RAX, "_Py_NoneStruct")
        self.a.reg_reg(CMP, 1, RDI, RAX)

    def _unbox_extern(self, value_type: ValueType, failed: int) -> None:
        """No Python code runs meanwhile, but to raise that None is refused."""
        a = self.a
        null, done = a.label(), a.label()
        self.compare_none()
        a.jump_if(EQUAL, null)
        self.load_activation_store(RDX)
        a.call(self.routine("extern", self._routine_extern))
        a.reg_reg(TEST, 0, RDX, RDX)
        a.jump_if(NOT_EQUAL, failed)
        a.bind(done)

        def write() -> None:
            a.bind(null)
            if value_type & 7 == REFERENCE:
                self._unbox_reference(value_type, failed)
            a.zero(RAX)
            a.jump(done)

        self.later(write)

    def _routine_extern(self) -> None:
        """rax = bits of the object in rdi, which the store at rdx has from now on; edx = 1 with an exception set, else 0."""
        a = self.a
        failed, leave = a.label(), a.label()
        a.push(RBX)
        a.sub_imm(RSP, 16)
        a.mov(RBX, RDI)
        a.store(RSP, 0, RDX)
        a.mov_imm64(RAX, EXTERN_TAG)
        a.reg_reg(ADD, 1, RDI, RAX)
        self.call("PyLong_FromUnsignedLongLong")
        a.test(RAX, RAX)
        a.jump_if(EQUAL, failed)
        a.load(RDI, RSP, 0)
        a.load(RDI, RDI, STORE["recent"])
        a.mov(RSI, RAX)
        a.mov(RDX, RBX)
        a.store(RSP, 0, RAX)
        self.call("PyDict_SetItem")
        a.store(RSP, 8, RAX)
        a.load(RDI, RSP, 0)
        self.decref(RDI)
        a.alu_mem_imm(DIGIT_CMP, 0, RSP, 8, 0)
        a.jump_if(NOT_EQUAL, failed)
        a.mov_imm64(RAX, EXTERN_TAG)
        a.reg_reg(ADD, 1, RAX, RBX)
        a.zero(RDX)
        a.bind(leave)
        a.add_imm(RSP, 16)
        a.pop(RBX)
        a.ret()
        a.bind(failed)
        a.mov_imm(RDX, 1)
        a.jump(leave)

    def box(self, value_type: ValueType, vector: int) -> None:
        """The object of a value in rax, xmm0 or at `[rsp + vector]`, to rax; 0 with an exception set."""
        kind = value_type & 7
        if kind == I32:
            self.a.reg_reg(MOVSXD, 1, RDI, RAX)
            self.call("PyLong_FromLong")
        elif kind == I64:
            self.a.mov(RDI, RAX)
            self.call("PyLong_FromLong")
        elif kind in (F32, F64):
            if kind == F32:
                self._widen()
            self.call("PyFloat_FromDouble")
        elif kind == V128:
            self.a.lea(RDI, RSP, vector)
            self.a.mov_imm(RSI, VECTOR_SIZE)
            self.call("PyBytes_FromStringAndSize")
        else:
            self._box_reference(value_type)

    def _routine_object(self) -> None:
        """rax = the object with the bits in rdi of the store at rsi; 0 with an exception set. No Python code runs meanwhile."""
        a = self.a
        found, leave = a.label(), a.label()
        a.push(RBX)
        a.sub_imm(RSP, 16)
        a.mov(RBX, RSI)
        self.call("PyLong_FromUnsignedLongLong")
        a.store(RSP, 0, RAX)
        a.test(RAX, RAX)
        a.jump_if(EQUAL, leave)
        for name in ("recent", "settled"):
            a.load(RDI, RBX, STORE[name])
            a.load(RSI, RSP, 0)
            self.call("PyDict_GetItemWithError")
            a.test(RAX, RAX)
            a.jump_if(NOT_EQUAL, found)
        self.raise_error("PyExc_SystemError", b"an externref without an object")
        a.zero(RAX)
        a.bind(found)
        a.mov(RBX, RAX)
        a.mov(RDI, RAX)
        self.call("Py_IncRef")
        a.load(RDI, RSP, 0)
        self.decref(RDI)
        a.mov(RAX, RBX)
        a.bind(leave)
        a.add_imm(RSP, 16)
        a.pop(RBX)
        a.ret()

    def _box_reference(self, value_type: ValueType) -> None:
        a = self.a
        null, done = a.label(), a.label()
        a.test(RAX, RAX)
        a.jump_if(EQUAL, null)
        if is_extern(value_type):
            a.mov(RDI, RAX)
            self.load_activation_store(RSI)
            a.call(self.routine("object", self._routine_object))
        else:
            a.mov_imm(RDX, value_type)
            a.mov(RCX, RAX)
            self.callback("box_reference", b"kK")
        a.bind(done)

        def write() -> None:
            a.bind(null)
            self.none()
            a.jump(done)

        self.later(write)

    def none(self) -> None:
        """A new reference to None in rax."""
        self.address(RAX, "_Py_NoneStruct")
        if self.objects is None:
            self.a.mov(RDI, RAX)
            self.call("Py_IncRef")
            self.address(RAX, "_Py_NoneStruct")
        elif not self.objects.immortal:
            self.a.reg_mem(0xFF, 1, 0, RAX, 0)

    def save_value(self, value_type: ValueType, base: int, displacement: int) -> None:
        """Store what `unbox` has left in rax or xmm0; a vector is in memory already."""
        kind = value_type & 7
        if kind in (F32, F64):
            self.a.reg_mem(MOVSD_STORE, 0, 0, base, displacement)
        elif kind != V128:
            self.a.store(base, displacement, RAX)

    def load_value(self, value_type: ValueType, base: int, displacement: int) -> None:
        """Load rax or xmm0 for `box`; a vector stays in memory."""
        kind = value_type & 7
        if kind in (F32, F64):
            self.a.reg_mem(_MOVSD, 0, 0, base, displacement)
        elif kind != V128:
            self.a.load(RAX, base, displacement)
