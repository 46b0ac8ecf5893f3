"""Instructions on structures and arrays of the garbage-collected heap."""

from __future__ import annotations

from wasmcore._native import i64
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.module_info import ArrayType, StructType
from wasmcore.errors import ValidationError
from wasmcore.validation.references import References

if TYPE_CHECKING:
    from wasmcore.binary.module_info import FieldType, ModuleInfo

_I32: Final = 1
_V128: Final = 5
_NULLABLE: Final = 6
_REFERENCE: Final = 7
_ARRAYREF: Final = 54
_HEAP_CONCRETE: Final = 16
_MAX_FIXED_ELEMENTS: Final = 10_000


def unpacked(storage: i64) -> i64:
    """Type of the values that a field of a storage type holds."""
    if storage < 0:
        return _I32
    return storage


class Objects(References):
    """Structures and arrays."""

    def __init__(self, module: ModuleInfo, features: frozenset[str]) -> None:
        super().__init__(module, features)
        self.types: Final = module.types

    def object_(self, code: i64) -> None:
        """An instruction of the prefix 0xFB."""
        if code >= 0x41A:
            self.convert(code)
        elif code >= 0x418:
            self.branch_on_cast(code)
        elif code >= 0x414:
            self.cast(code)
        elif code < 0x402:
            self.struct_new(code)
        elif code < 0x406:
            self.struct_access(code)
        elif code < 0x40B:
            self.array_new(code)
        elif code < 0x40F:
            self.array_access(code)
        elif code == 0x40F:
            self.not_compiled(code)
            self.pop(_ARRAYREF)
            self.push(_I32)
        else:
            self.bulk_array(code)

    # Types

    def unknown(self, type_index: i64, kind: str) -> ValidationError:
        """The error of a type index that does not exist, or names a type of another kind."""
        if type_index >= self.type_count:
            return self.invalid(f"unknown type {type_index}")
        return self.invalid(f"type mismatch: type {type_index} is no {kind} type")

    def struct_type(self, type_index: i64) -> StructType:
        """A structure type."""
        if type_index < self.type_count:
            composite = self.types[type_index].composite
            if isinstance(composite, StructType):
                return composite
        raise self.unknown(type_index, "structure")

    def array_element(self, type_index: i64) -> FieldType:
        """The element of an array type."""
        if type_index < self.type_count:
            composite = self.types[type_index].composite
            if isinstance(composite, ArrayType):
                return composite.element
        raise self.unknown(type_index, "array")

    def require_default(self, type_index: i64) -> None:
        """Refuse a type with fields that have no default value."""
        if not self.relations.is_defaultable(type_index):
            raise self.invalid(f"type mismatch: a field of type {type_index} has no default value")

    def require_mutable(self, field: FieldType) -> None:
        """Refuse to change what does not change."""
        if not field.mutable:
            raise self.invalid("immutable field or array")

    def check_extension(self, field: FieldType, extending: bool) -> None:
        """Packed fields are read with an extension, others without."""
        if (field.storage < 0) != extending:
            what = "packed, and needs an extension" if field.storage < 0 else "not packed, and can not be extended"
            raise self.invalid(f"type mismatch: the field is {what}")

    # Structures

    def struct_new(self, code: i64) -> None:
        """`struct.new` and `struct.new_default`."""
        type_index = self.u32()
        fields = self.struct_type(type_index).fields
        self.not_compiled(code)
        if code == 0x401:
            self.require_default(type_index)
        else:
            left = len(fields)
            while left and (self.sp > self.height or self.unreachable == 0):
                left -= 1
                self.pop(unpacked(fields[left].storage))
        self.push((_HEAP_CONCRETE + type_index) << 3 | _REFERENCE)

    def struct_access(self, code: i64) -> None:
        """`struct.get`, `struct.get_s`, `struct.get_u`, `struct.set`."""
        type_index = self.u32()
        fields = self.struct_type(type_index).fields
        index = self.u32()
        if index >= len(fields):
            raise self.invalid(f"unknown field {index}")
        self.not_compiled(code)
        field = fields[index]
        if code == 0x405:
            self.require_mutable(field)
            self.pop(unpacked(field.storage))
        else:
            self.check_extension(field, code != 0x402)
        self.pop((_HEAP_CONCRETE + type_index) << 3 | _NULLABLE)
        if code != 0x405:
            self.push(unpacked(field.storage))

    # Arrays

    def array_new(self, code: i64) -> None:
        """`array.new`, `array.new_default`, `array.new_fixed`, `array.new_data`, `array.new_elem`."""
        type_index = self.u32()
        element = self.array_element(type_index)
        self.not_compiled(code)
        if code == 0x408:
            self.array_fixed(unpacked(element.storage))
        else:
            if code >= 0x409:
                self.check_segment(code == 0x409, element)
                self.pop(_I32)
            elif code == 0x407:
                self.require_default(type_index)
            self.pop(_I32)
            if code == 0x406:
                self.pop(unpacked(element.storage))
        self.push((_HEAP_CONCRETE + type_index) << 3 | _REFERENCE)

    def array_fixed(self, value_type: i64) -> None:
        """Pop the operands of `array.new_fixed`."""
        left = self.u32()
        if left > _MAX_FIXED_ELEMENTS:
            raise self.invalid(f"array.new_fixed with {left} operands, the limit is {_MAX_FIXED_ELEMENTS}")
        while left and (self.sp > self.height or self.unreachable == 0):
            left -= 1
            self.pop(value_type)

    def check_segment(self, data: bool, element: FieldType) -> None:
        """Read the index of a segment; the elements of an array must be made of it."""
        segment = self.u32()
        if data:
            self.check_data_segment(segment)
            if element.storage > _V128:
                raise self.invalid("type mismatch: array type is not numeric or vector")
        else:
            found = self.element_segment(segment)
            if element.storage < 0 or not self.matches(found, element.storage):
                raise self.mismatch([int(unpacked(element.storage))], [found])

    def array_access(self, code: i64) -> None:
        """`array.get`, `array.get_s`, `array.get_u`, `array.set`."""
        type_index = self.u32()
        element = self.array_element(type_index)
        self.not_compiled(code)
        if code == 0x40E:
            self.require_mutable(element)
            self.pop(unpacked(element.storage))
        else:
            self.check_extension(element, code != 0x40B)
        self.pop(_I32)
        self.pop((_HEAP_CONCRETE + type_index) << 3 | _NULLABLE)
        if code != 0x40E:
            self.push(unpacked(element.storage))

    def bulk_array(self, code: i64) -> None:
        """`array.fill`, `array.copy`, `array.init_data`, `array.init_elem`."""
        type_index = self.u32()
        element = self.array_element(type_index)
        self.require_mutable(element)
        self.not_compiled(code)
        self_type = (_HEAP_CONCRETE + type_index) << 3 | _NULLABLE
        if code == 0x411:
            source_type = self.u32()
            if not self.relations.storage_matches(self.array_element(source_type).storage, element.storage):
                raise self.invalid("type mismatch: array types do not match")
            self.pop(_I32)
            self.pop(_I32)
            self.pop((_HEAP_CONCRETE + source_type) << 3 | _NULLABLE)
        elif code == 0x410:
            self.pop(_I32)
            self.pop(unpacked(element.storage))
        else:
            self.check_segment(code == 0x412, element)
            self.pop(_I32)
            self.pop(_I32)
        self.pop(_I32)
        self.pop(self_type)
