"""Calls, arguments and results; references to functions."""

from __future__ import annotations

from wasmcore.errors import TrapKind
from wasmcore.plugin.layout import FUNCREF, FUNCREF_SIZE, OVERFLOW_OFFSET, OVERFLOW_SLOT, VMCONTEXT
from wasmcore.plugin.unit import NO_FUNCTION
from wasmcore.stream import CLASS_F32, CLASS_F64, CLASS_I32, CLASS_V128
from wasmcore_llvm.convention import TYPES, UNIFORM_RESULT, VECTOR, Signature, uniform_places
from wasmcore_llvm.text.memory import Memory
from wasmcore_llvm.text.state import CONTEXT_ACCESS, INVARIANT, TABLE_ACCESS


class Calls(Memory):
    """The calling convention (`convention`)."""

    # Registers of the uniform prototype

    def to_register(self, machine_class: int, x: str) -> str:
        """A value as what its register is declared as in uniform prototypes."""
        if machine_class == CLASS_I32:
            return self.value(f"zext i32 {x} to i64") if x[0] == "%" else str(int(x) & 0xFFFFFFFF)
        if machine_class == CLASS_F32:
            return self.value(f"insertelement {VECTOR} poison, float {x}, i32 0")
        if machine_class == CLASS_F64:
            pair = self.value(f"insertelement <2 x double> poison, double {x}, i32 0")
            return self.value(f"bitcast <2 x double> {pair} to {VECTOR}")
        if machine_class == CLASS_V128:
            return self.value(f"bitcast <2 x i64> {x} to {VECTOR}")
        return x

    def from_register(self, machine_class: int, x: str) -> str:
        """The other way round."""
        if machine_class == CLASS_I32:
            return self.value(f"trunc i64 {x} to i32")
        if machine_class == CLASS_F32:
            return self.value(f"extractelement {VECTOR} {x}, i32 0")
        if machine_class == CLASS_F64:
            pair = self.value(f"bitcast {VECTOR} {x} to <2 x double>")
            return self.value(f"extractelement <2 x double> {pair}, i32 0")
        if machine_class == CLASS_V128:
            return self.value(f"bitcast {VECTOR} {x} to <2 x i64>")
        return x

    def prototype(self) -> list[str]:
        """Types of all arguments of a uniform prototype behind the context."""
        convention = self.unit.convention
        return ["i64"] * len(convention.integers) + [VECTOR] * len(convention.floats)

    # The overflow area

    def overflow(self, slot: int) -> str:
        """The address of a slot."""
        return self.store_field(OVERFLOW_OFFSET + OVERFLOW_SLOT * slot)

    def write_overflow(self, slot: int, machine_class: int, x: str) -> None:
        """Put an argument or result into a slot."""
        self.write(f"store {TYPES[machine_class]} {x}, ptr {self.overflow(slot)}, align 8{CONTEXT_ACCESS}")

    def read_overflow(self, slot: int, machine_class: int) -> str:
        """Get it from there, before anything else can be called."""
        return self.value(f"load volatile {TYPES[machine_class]}, ptr {self.overflow(slot)}, align 8{CONTEXT_ACCESS}")

    # Entry and return

    def header(self, signature: Signature) -> tuple[str, str, list[str]]:
        """Result type, parameters, and the name of each parameter ("" if it is in the overflow area)."""
        names: list[str] = []
        params: list[str] = []
        if self.uniform:
            types = self.prototype()
            numbers = uniform_places(signature.places, len(self.unit.convention.integers))
            names = [f"%a{number}" if number >= 0 else "" for number in numbers]
            return UNIFORM_RESULT, ", ".join(f"{each} %a{number}" for number, each in enumerate(types)), names
        for place in signature.places:
            if place.overflow >= 0:
                names.append("")
            else:
                name = f"%a{len(params)}"
                params.append(f"{signature.arguments[len(params)]} {name}")
                names.append(name)
        return signature.returned, ", ".join(params), names

    def parameter(self, name: str, machine_class: int, slot: int) -> str:
        """The value of a parameter, by its name in the header or its overflow slot."""
        if not name:
            return self.read_overflow(slot, machine_class)
        return self.from_register(machine_class, name) if self.uniform else name

    def return_values(self, signature: Signature, values: list[str]) -> None:
        """Return from the function."""
        in_registers = []
        for machine_class, place, x in zip(signature.results, signature.result_places, values):
            if place.overflow >= 0:
                self.write_overflow(place.overflow, machine_class, x)
            else:
                in_registers.append((machine_class, x))
        if self.uniform:
            self.write(f"ret {UNIFORM_RESULT} {self.uniform_result(signature, in_registers)}")
        elif not in_registers:
            self.write("ret void")
        elif len(in_registers) == 1:
            self.write(f"ret {signature.returned} {in_registers[0][1]}")
        else:
            whole = "poison"
            for number, (machine_class, x) in enumerate(in_registers):
                whole = self.value(f"insertvalue {signature.returned} {whole}, {TYPES[machine_class]} {x}, {number}")
            self.write(f"ret {signature.returned} {whole}")

    def uniform_result(self, signature: Signature, in_registers: list[tuple[int, str]]) -> str:
        """The results as a uniform function returns them."""
        numbers = [n for n in uniform_places(signature.result_places, len(self.unit.convention.integer_results)) if n >= 0]
        whole = "poison"
        for number, (machine_class, x) in zip(numbers, in_registers):
            register = self.to_register(machine_class, x)
            value_type = "i64" if number < len(self.unit.convention.integer_results) else VECTOR
            whole = self.value(f"insertvalue {UNIFORM_RESULT} {whole}, {value_type} {register}, {number}")
        return whole

    # Calls

    def call(self, callee: str, context: str, signature: Signature, uniform: bool, tail: bool) -> None:
        """Call code, with the arguments on the stack; for a tail call the function is uniform."""
        values = self.pop_many(len(signature.params))
        in_registers = []
        for machine_class, place, x in zip(signature.params, signature.places, values):
            if place.overflow >= 0:
                self.write_overflow(place.overflow, machine_class, x)
            else:
                in_registers.append((machine_class, x))
        if uniform or tail:
            arguments = self.uniform_arguments(signature, in_registers)
            returned = UNIFORM_RESULT
        else:
            arguments = [f"{TYPES[machine_class]} {x}" for machine_class, x in in_registers]
            returned = signature.returned
        text = f"call preserve_nonecc {returned} {callee}({', '.join([f'ptr {context}', *arguments])}) #3{self.place()}"
        if tail:
            self.write(f"ret {UNIFORM_RESULT} {self.value(f'musttail {text}')}")
        elif returned == "void":
            self.write(f"notail {text}")
            self.push_results(signature, "", uniform)
        else:
            self.push_results(signature, self.value(f"notail {text}"), uniform)

    def uniform_arguments(self, signature: Signature, in_registers: list[tuple[int, str]]) -> list[str]:
        """All arguments of a uniform prototype."""
        types = self.prototype()
        arguments = [f"{each} poison" for each in types]
        numbers = [n for n in uniform_places(signature.places, len(self.unit.convention.integers)) if n >= 0]
        for number, (machine_class, x) in zip(numbers, in_registers):
            arguments[number] = f"{types[number]} {self.to_register(machine_class, x)}"
        return arguments

    def push_results(self, signature: Signature, returned: str, uniform: bool) -> None:
        """Push the results of a call."""
        numbers = uniform_places(signature.result_places, len(self.unit.convention.integer_results))
        one = signature.returned[0] != "{"
        next_number = 0
        for machine_class, place, number in zip(signature.results, signature.result_places, numbers):
            if place.overflow >= 0:
                x = self.read_overflow(place.overflow, machine_class)
            elif uniform:
                register = self.value(f"extractvalue {UNIFORM_RESULT} {returned}, {number}")
                x = self.from_register(machine_class, register)
            else:
                x = returned if one else self.value(f"extractvalue {signature.returned} {returned}, {next_number}")
                next_number += 1
            self.stack.append(x)

    def direct_call(self, function: int, tail: bool) -> None:
        """call and return_call: directly in the unit, unless a tail call wants another prototype."""
        unit = self.unit
        environment = self.environment
        signature = unit.signature(unit.type_of(function))
        if function < environment.imported_functions:
            record = self.value(f"load ptr, ptr {self.field(environment.imports_offset + 8 * function)}, align 8{INVARIANT}")
            self.call_record(record, signature, tail)
        elif function in unit.defined and (function in unit.uniform or not tail):
            self.call(self.declared(function, signature), "%vm", signature, function in unit.uniform, tail)
        else:
            offset = environment.functions_offset + FUNCREF_SIZE * (function - environment.imported_functions) + FUNCREF["code"]
            code = self.value(f"load ptr, ptr {self.field(offset)}, align 8{CONTEXT_ACCESS}")
            self.call(code, "%vm", signature, False, tail)

    def declared(self, function: int, signature: Signature) -> str:
        """The name of a function of the unit, declared in case that it is not written."""
        if function in self.unit.uniform:
            arguments, returned = self.prototype(), UNIFORM_RESULT
        else:
            arguments, returned = signature.arguments, signature.returned
        name = f"f{function}"
        self.unit.declarations[name] = f"declare dso_local preserve_nonecc {returned} @{name}({', '.join(['ptr', *arguments])}) #0"
        return f"@{name}"

    def call_record(self, record: str, signature: Signature, tail: bool) -> None:
        """Call the function of a funcref record."""
        code = self.value(f"load ptr, ptr {record}, align 8{CONTEXT_ACCESS}")
        place = self.value(f"getelementptr inbounds i8, ptr {record}, i64 {FUNCREF['context']}")
        context = self.value(f"load ptr, ptr {place}, align 8{INVARIANT}")
        self.call(code, context, signature, False, tail)

    def indirect_call(self, type_index: int, table: int, tail: bool) -> None:
        """call_indirect and return_call_indirect: bounds, null and type are compared, unless the table never changes and all fit."""
        functions = self.environment.tables[table].functions
        place = self.table_element(table, TrapKind.UNDEFINED_ELEMENT)
        invariant = TABLE_ACCESS if functions is None else INVARIANT
        element = self.value(f"load i64, ptr {place}, align 8{invariant}")
        record = self.value(f"inttoptr i64 {element} to ptr")
        if functions is None or not all(self.has_type(each, type_index) for each in set(memoryview(functions).cast("I"))):
            self.check_type(element, record, type_index)
        self.call_record(record, self.unit.signature(type_index), tail)

    def has_type(self, function: int, type_index: int) -> bool:
        """Whether a function surely has a type."""
        return function != NO_FUNCTION and self.unit.type_of(function) == type_index

    def check_type(self, element: str, record: str, type_index: int) -> None:
        """Trap if a reference is null or a function of another type."""
        self.trap_if(self.value(f"icmp eq i64 {element}, 0"), TrapKind.UNINITIALIZED_ELEMENT)
        id_place = self.value(f"getelementptr inbounds i8, ptr {record}, i64 {FUNCREF['type_id']}")
        type_id = self.value(f"load i32, ptr {id_place}, align 4{INVARIANT}")
        type_ids = self.value(f"load ptr, ptr {self.field(VMCONTEXT['type_ids'])}, align 8{INVARIANT}")
        wanted_place = self.value(f"getelementptr inbounds i8, ptr {type_ids}, i64 {4 * type_index}")
        wanted = self.value(f"load i32, ptr {wanted_place}, align 4{INVARIANT}")
        self.trap_if(self.value(f"icmp ne i32 {type_id}, {wanted}"), TrapKind.INDIRECT_CALL_TYPE_MISMATCH)

    def reference_call(self, type_index: int, tail: bool) -> None:
        """call_ref and return_call_ref."""
        record = self.value(f"inttoptr i64 {self.pop_non_null()} to ptr")
        self.call_record(record, self.unit.signature(type_index), tail)

    # References

    def pop_non_null(self) -> str:
        """Pop a reference, which traps if it is null."""
        x = self.pop()
        self.trap_if(self.value(f"icmp eq i64 {x}, 0"), TrapKind.NULL_REFERENCE)
        return x

    def table_function(self, type_index: int, table: int) -> None:
        """TABLE_FUNCTION."""
        index = self.wide(self.pop(), self.environment.tables[table].index64)
        self.stack.append(self.call_builtin("table_function", [f"i32 {table}", f"i32 {type_index}", f"i64 {index}"], "i64"))

    def function_reference(self, function: int) -> None:
        """ref.func."""
        environment = self.environment
        if function < environment.imported_functions:
            place = self.field(environment.imports_offset + 8 * function)
            self.stack.append(self.value(f"load i64, ptr {place}, align 8{INVARIANT}"))
        else:
            offset = environment.functions_offset + FUNCREF_SIZE * (function - environment.imported_functions)
            self.stack.append(self.value(f"ptrtoint ptr {self.field(offset)} to i64"))
