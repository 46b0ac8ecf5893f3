"""Types of constant expressions (specification, section 3.4.16 "Constant Expressions")."""

from __future__ import annotations

from wasmcore._typing import TYPE_CHECKING, Final, final
from wasmcore.binary.module_info import ArrayType, FieldType, StructType
from wasmcore.binary.segments import ConstantExpression, Immediate
from wasmcore.errors import ValidationError
from wasmcore.opcodes import OPCODES
from wasmcore.types import (
    F32,
    F64,
    FUNCREF,
    HEAP_ANY,
    HEAP_CONCRETE,
    HEAP_EXTERN,
    HEAP_I31,
    I32,
    I64,
    NULLABLE_REFERENCE,
    REFERENCE,
    V128,
    value_types_text,
)

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo
    from wasmcore.validation.subtyping import TypeRelations

_GLOBAL_GET: Final = 0x23
_REF_NULL: Final = 0xD0
_REF_FUNC: Final = 0xD2
_STRUCT_NEW: Final = 0x400
_STRUCT_NEW_DEFAULT: Final = 0x401
_ARRAY_NEW: Final = 0x406
_ARRAY_NEW_DEFAULT: Final = 0x407
_ARRAY_NEW_FIXED: Final = 0x408
_ANY_CONVERT_EXTERN: Final = 0x41A
_EXTERN_CONVERT_ANY: Final = 0x41B
_REF_I31: Final = 0x41C
_CONSTANT_TYPES: Final = {0x41: I32, 0x42: I64, 0x43: F32, 0x44: F64, 0x20C: V128}

_MAX_FIXED_ELEMENTS: Final = 10_000
"""Most operands of `array.new_fixed`; an implementation limit of the JavaScript API."""


def _unpacked(storage: int) -> int:
    """Type of the values that a field of a storage type holds."""
    return storage if storage > 0 else I32


@final
class ConstantRules:
    """Checks the constant expressions of one module."""

    def __init__(self, module: ModuleInfo, features: frozenset[str], relations: TypeRelations) -> None:
        self.module: Final = module
        self.features: Final = features
        self.relations: Final = relations
        self.stack: list[int] = []
        self.offset: int = 0

    def check(self, expression: ConstantExpression, wanted: int, globals_end: int) -> None:
        """Check the type of an expression, which may read the globals before `globals_end`."""
        operations = expression.operations
        if len(operations) == 1 and _CONSTANT_TYPES.get(operations[0][0]) == wanted:
            return
        self.offset = expression.start
        stack = self.stack
        stack.clear()
        for code, immediate in operations:
            self.operation(code, immediate, globals_end)
        if len(stack) != 1 or not self.relations.value_type_matches(stack[0], wanted):
            required = value_types_text((wanted,))
            found = value_types_text(tuple(stack))
            raise ValidationError(f"type mismatch: constant expression requires {required} but stack has {found}", expression.start)

    def operation(self, code: int, immediate: Immediate, globals_end: int) -> None:
        """One instruction: pop its operands and push its result."""
        stack = self.stack
        if code in _CONSTANT_TYPES:
            stack.append(_CONSTANT_TYPES[code])
        elif code == _GLOBAL_GET and isinstance(immediate, int):
            stack.append(self.global_type(immediate, globals_end))
        elif code == _REF_NULL and isinstance(immediate, int):
            stack.append(immediate)
        elif code == _REF_FUNC and isinstance(immediate, int):
            stack.append(self.function_type(immediate))
        elif code >= _STRUCT_NEW:
            self.object_operation(code, immediate)
        else:
            opcode = OPCODES[code]
            assert opcode.params is not None and opcode.results is not None
            self.pop_all(opcode.params)
            stack.extend(opcode.results)

    def object_operation(self, code: int, immediate: Immediate) -> None:
        """One instruction that makes or converts a reference to an object."""
        stack = self.stack
        if code == _REF_I31:
            self.pop(I32)
            stack.append(HEAP_I31 << 3 | REFERENCE)
        elif code == _ANY_CONVERT_EXTERN:
            stack.append(HEAP_ANY << 3 | self.pop(HEAP_EXTERN << 3 | NULLABLE_REFERENCE) & 7)
        elif code == _EXTERN_CONVERT_ANY:
            stack.append(HEAP_EXTERN << 3 | self.pop(HEAP_ANY << 3 | NULLABLE_REFERENCE) & 7)
        elif isinstance(immediate, tuple):
            self.new_fixed(immediate[0], immediate[1])
        elif isinstance(immediate, int):
            if code <= _STRUCT_NEW_DEFAULT:
                self.new_struct(immediate, code == _STRUCT_NEW_DEFAULT)
            else:
                self.new_array(immediate, code == _ARRAY_NEW_DEFAULT)

    def new_struct(self, type_index: int, default: bool) -> None:
        """`struct.new` and `struct.new_default`."""
        composite = self.module.types[type_index].composite if type_index < len(self.module.types) else None
        if not isinstance(composite, StructType):
            raise self.unknown(type_index, "structure")
        if default:
            self.require_default(type_index)
        else:
            self.pop_all(tuple([_unpacked(each.storage) for each in composite.fields]))
        self.stack.append((HEAP_CONCRETE + type_index) << 3 | REFERENCE)

    def new_array(self, type_index: int, default: bool) -> None:
        """`array.new` and `array.new_default`."""
        element = self.array_element(type_index)
        self.pop(I32)
        if default:
            self.require_default(type_index)
        else:
            self.pop(_unpacked(element.storage))
        self.stack.append((HEAP_CONCRETE + type_index) << 3 | REFERENCE)

    def new_fixed(self, type_index: int, count: int) -> None:
        """`array.new_fixed`."""
        value_type = _unpacked(self.array_element(type_index).storage)
        if count > _MAX_FIXED_ELEMENTS:
            raise ValidationError(f"array.new_fixed with {count} operands, the limit is {_MAX_FIXED_ELEMENTS}", self.offset)
        while count:
            count -= 1
            self.pop(value_type)
        self.stack.append((HEAP_CONCRETE + type_index) << 3 | REFERENCE)

    def array_element(self, type_index: int) -> FieldType:
        """The element of an array type."""
        composite = self.module.types[type_index].composite if type_index < len(self.module.types) else None
        if not isinstance(composite, ArrayType):
            raise self.unknown(type_index, "array")
        return composite.element

    def unknown(self, type_index: int, kind: str) -> ValidationError:
        """The error of a type index that does not exist, or names a type of another kind."""
        if type_index >= len(self.module.types):
            return ValidationError(f"unknown type {type_index}", self.offset)
        return ValidationError(f"type mismatch: type {type_index} is no {kind} type", self.offset)

    def require_default(self, type_index: int) -> None:
        """Refuse a type with fields that have no default value."""
        if not self.relations.is_defaultable(type_index):
            raise ValidationError(f"type mismatch: a field of type {type_index} has no default value", self.offset)

    def pop(self, wanted: int) -> int:
        """Pop an operand and return its type."""
        stack = self.stack
        if not stack or not self.relations.value_type_matches(stack[-1], wanted):
            required = value_types_text((wanted,))
            found = value_types_text(tuple(stack[-1:]))
            raise ValidationError(f"type mismatch: instruction requires {required} but stack has {found}", self.offset)
        return stack.pop()

    def pop_all(self, wanted: tuple[int, ...]) -> None:
        """Pop operands, the last first."""
        left = len(wanted)
        while left:
            left -= 1
            self.pop(wanted[left])

    def function_type(self, index: int) -> int:
        """Type of a reference to a function."""
        if index >= self.module.function_count:
            raise ValidationError(f"unknown function {index}", self.offset)
        if "function_references" not in self.features:
            return FUNCREF
        return (self.module.function_type_index(index) + HEAP_CONCRETE) << 3 | REFERENCE

    def global_type(self, index: int, globals_end: int) -> int:
        """Type of a global that a constant expression reads."""
        module = self.module
        if index >= len(module.globals) or index >= globals_end:
            raise ValidationError(f"unknown global {index}", self.offset)
        item = module.globals[index]
        if item.type.mutable or ("gc" not in self.features and item.init is not None):
            raise ValidationError(f"constant expression required, global {index} is not an immutable import", self.offset)
        return item.type.value
