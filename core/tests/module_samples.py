"""Modules that several tests start from, and wasmtime as the judge of validity."""

from __future__ import annotations

from functools import cache

import wasmtime

from wasmcore.binary import ModuleInfo, decode

CONTROL = """
(module
  (type $pair (func (param i32 i64) (result i32 i64)))
  (func $f (export "f") (param i32 i64) (result i32 i64) (local f32 f64 i32)
    local.get 0 local.get 1
    block (type $pair)
      local.get 0
      if (type $pair)
        i64.const 1 i64.add
      else
        local.get 0 br_if 1
        drop i64.const -5
      end
    end
    loop (type $pair)
      local.get 0 i32.const 1 i32.sub local.tee 0
      br_if 0
    end
    local.get 0
    if (result i32) i32.const 200 else unreachable end
    local.tee 4
    br_table 0 0)
  (func $g (param i32) (result i32)
    block $a block $b block $c
      local.get 0 br_table $a $b $c $a
    end i32.const 1 return
    end i32.const 2 return
    end i32.const 3)
  (func $h (param i64) (result i64)
    local.get 0 i64.eqz
    if (result i64) i64.const 1 else local.get 0 local.get 0 i64.const 1 i64.sub call $h i64.mul end)
  (func $tail (param i64) (result i64) local.get 0 return_call $h)
  (func $dead (result i32)
    i32.const 1 return
    block (result i64) i64.const 1 br 0 end drop
    select call $g i32.add
    loop (result f32) br 0 end drop)
  (func $loops (param i32) (local i32 f64)
    block loop loop local.get 0 local.set 1 local.get 1 br_if 2 local.get 1 br_if 1 call $nothing br 0 end end end)
  (func $nothing nop)
)"""

MEMORY = """
(module
  (import "env" "log" (func $log (param i32)))
  (import "env" "base" (global $base i32))
  (memory (export "memory") 1 2)
  (memory $second 1)
  (global $g (mut i32) (i32.add (global.get $base) (i32.const 40)))
  (global $v v128 (v128.const i32x4 1 2 3 4))
  (data $passive "hello")
  (data (i32.const 8) "active")
  (data (memory $second) (i32.const 8) "active")
  (func (param i32) (result i32)
    local.get 0 i32.load8_u offset=5 local.get 0 i32.load offset=0x90000000 align=2 i32.add
    local.get 0 i64.load $second offset=300 i32.wrap_i64 i32.add
    local.get 0 f32.load f32.sqrt i32.trunc_sat_f32_s i32.add
    local.get 0 f64.load f64.const -0.5 f64.mul i32.trunc_f64_u i32.add
    local.get 0 global.get $g i32.store16 offset=2
    local.get 0 i64.const -1 i64.store32 $second
    i32.const 0 i32.const 0 i32.const 5 memory.init $passive
    data.drop $passive
    i32.const 0 i32.const 1 i32.const 5 memory.copy $second 0
    i32.const 0 i32.const 1 i32.const 5 memory.fill
    memory.size i32.add i32.const 1 memory.grow $second i32.add
    i32.const 7 global.set $g
    i32.const 9 call $log
    f32.const nan drop f32.const 0x1p-3 drop
    i32.extend8_s)
)"""

TABLES = """
(module
  (type $unary (func (param i32) (result i32)))
  (table $t 3 10 funcref)
  (table $e 2 externref)
  (elem (i32.const 0) $inc $dec)
  (elem $p func $inc)
  (elem $x externref (ref.null extern))
  (elem declare func $call)
  (start $start)
  (func $start)
  (func $inc (type $unary) local.get 0 i32.const 1 i32.add)
  (func $dec (type $unary) local.get 0 i32.const 1 i32.sub)
  (func $call (export "call") (param i32) (result i32) local.get 0 i32.const 0 call_indirect $t (type $unary))
  (func (param i32) (result i32) local.get 0 i32.const 1 return_call_indirect $t (type $unary))
  (func (param externref) (result i32) (local funcref)
    i32.const 0 local.get 0 table.set $e
    i32.const 0 table.get $t local.set 1
    local.get 1 ref.is_null
    ref.func $call ref.null func i32.const 1 select (result funcref) ref.is_null i32.add
    table.size $e i32.add
    ref.null extern i32.const 1 table.grow $e i32.add
    i32.const 0 ref.func $inc i32.const 1 table.fill $t
    i32.const 0 i32.const 0 i32.const 1 table.init $t $p
    elem.drop $p
    i32.const 0 i32.const 0 i32.const 1 table.copy $t $t
    i32.const 0 i32.const 0 i32.const 1 table.init $e $x)
)"""

VECTORS = """
(module (memory 1)
  (func (param i32 v128) (result v128) (local v128)
    local.get 0 v128.load offset=16 local.get 1 i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31
    v128.const i64x2 1 -1 i32x4.add
    local.get 0 local.get 1 v128.load16_lane offset=2 5
    i16x8.mul
    local.get 0 i32x4.splat v128.or local.tee 2
    local.get 2 i32x4.extract_lane 3 f32.convert_i32_s f32x4.replace_lane 1
    local.get 0 local.get 2 v128.store64_lane 1
    local.get 1 local.get 2 f32x4.relaxed_madd
    block (result v128) local.get 1 end
    local.get 0 select)
)"""

REFERENCES = """
(module
  (type $unary (func (param i32) (result i32)))
  (type $maker (func (result (ref $unary))))
  (table $t 2 (ref null $unary))
  (table $full 3 (ref $unary) (ref.func $inc))
  (table $large i64 2 funcref)
  (memory $wide i64 1)
  (global $g (ref $unary) (ref.func $inc))
  (elem (table $t) (i32.const 0) (ref $unary) (item (ref.func $inc)) (item (global.get $g)))
  (elem (table $large) (i64.const 0) func $inc)
  (elem declare func $make)
  (func $inc (export "inc") (type $unary) local.get 0 i32.const 1 i32.add)
  (func $make (result (ref $unary)) (local (ref $unary) i64)
    ref.func $inc local.tee 0 drop
    block local.get 0 local.set 0 end
    local.get 0)
  (func (param (ref null $unary) i32) (result i32)
    block $null
      local.get 1 local.get 0 br_on_null $null call_ref $unary return
    end
    block $some (result (ref $unary))
      i32.const 1 table.get $t br_on_non_null $some
      i32.const 2 return
    end
    drop
    local.get 1 local.get 0 ref.as_non_null return_call_ref $unary)
  (func (param i32) (result i32) local.get 0 ref.func $make call_ref $maker return_call_ref $same)
  (type $same (sub final (func (param i32) (result i32))))
  (func (param i64) (result i64)
    local.get 0 i64.load $wide offset=0x123456789abc
    local.get 0 i32.const 7 i64.const 1 memory.fill $wide
    memory.size $wide i64.add
    local.get 0 table.get $large drop
    table.size $large i64.sub))
"""

OBJECTS = """
(module
  (rec (type $list (sub (struct (field $head i32) (field $tail (mut (ref null $list))))))
       (type $long (sub final $list (struct (field i32) (field (mut (ref null $list))) (field i64)))))
  (type $bytes (array (mut i8)))
  (type $any (array (mut anyref)))
  (global $nil (ref null $list) (ref.null $list))
  (global $one (ref $list) (struct.new $list (i32.const 1) (global.get $nil)))
  (global $seven i31ref (ref.i31 (i32.const 7)))
  (global $numbers (ref $bytes) (array.new_fixed $bytes 2 (i32.const 1) (i32.const 2)))
  (global externref (extern.convert_any (array.new_default $any (i32.const 3))))
  (data $d "hello")
  (elem $e anyref (item (ref.i31 (i32.const 1))) (item (ref.null none)))
  (func (param (ref null $list)) (result i32)
    local.get 0 ref.as_non_null local.get 0 ref.as_non_null struct.set $list $tail
    local.get 0 struct.get $list $head
    local.get 0 ref.test (ref $long) i32.add
    local.get 0 ref.cast (ref null $long) struct.get $long 0 i32.add
    i32.const 0 i32.const 2 array.new_data $bytes $d i32.const 1 array.get_s $bytes i32.add
    i32.const 3 i32.const 2 array.new $bytes array.len i32.add)
  (func (param anyref) (result i32)
    block $other (result anyref)
      block $list (result (ref $list))
        local.get 0 br_on_cast $list anyref (ref $list)
        br_on_cast_fail $other anyref i31ref
        i31.get_u return
      end
      struct.get $list 0 return
    end
    drop i32.const -1)
  (func (param (ref $any) (ref $bytes) externref) (result eqref)
    local.get 0 i32.const 0 local.get 0 i32.const 1 i32.const 2 array.copy $any $any
    local.get 0 i32.const 0 i32.const 0 i32.const 1 array.init_elem $any $e
    local.get 1 i32.const 0 i32.const 0 i32.const 1 array.init_data $bytes $d
    local.get 1 i32.const 0 i32.const 7 i32.const 1 array.fill $bytes
    local.get 0 i32.const 0 local.get 2 any.convert_extern array.set $any
    i32.const 0 i32.const 1 array.new_elem $any $e
    struct.new_default $long ref.eq drop
    local.get 0))
"""

EXCEPTIONS = """
(module
  (tag $none) (tag $pair (export "pair") (param i32 i64))
  (func (param i32) (result i32)
    block $caught (result i32 i64)
      block $all (result exnref)
        try_table (result i32) (catch $pair $caught) (catch_all_ref $all)
          local.get 0 i64.const 2 throw $pair
        end
        return
      end
      throw_ref
    end
    drop)
  (func (result i64)
    block $caught (result i32 i64 (ref exn))
      block $none
        try_table (catch_ref $pair $caught) (catch $none $none) (catch_all $none) i32.const 0 call 0 drop end
      end
      i64.const 1 return
    end
    throw_ref))
"""

ATOMICS = """
(module
  (memory $shared 1 2 shared) (memory $pages i64 5 10 (pagesize 1))
  (func (param i32 i64) (result i64)
    local.get 0 i32.atomic.load offset=4 drop
    local.get 0 local.get 1 i64.atomic.store8
    local.get 0 i32.const 1 i32.atomic.rmw.add drop
    local.get 0 local.get 1 i64.const 3 i64.atomic.rmw32.cmpxchg_u drop
    local.get 0 i32.const 1 i64.const -1 memory.atomic.wait32 drop
    local.get 0 i32.const 1 memory.atomic.notify drop
    atomic.fence
    local.get 1 i32.atomic.load16_u $pages offset=0x100000000 drop
    local.get 1 local.get 1 i64.mul_wide_u local.get 1 local.get 1 i64.add128 drop))
"""

SAMPLES = {
    "control": CONTROL,
    "memory": MEMORY,
    "tables": TABLES,
    "vectors": VECTORS,
    "references": REFERENCES,
    "objects": OBJECTS,
    "exceptions": EXCEPTIONS,
}
"""Name -> text of valid modules."""
COMPILED = ("control", "memory", "tables", "vectors", "references")
"""Those of them that have resolved streams."""


@cache
def binary(text: str) -> bytes:
    """The bytes of a module's text, by wasmtime."""
    return bytes(wasmtime.wat2wasm(text))


def module(text: str) -> ModuleInfo:
    """A module's text, decoded."""
    return decode(binary(text))


@cache
def judge() -> wasmtime.Engine:
    """An engine with the features that wasmcore has by default."""
    return _engine(proposals=False)


@cache
def judge_of_proposals() -> wasmtime.Engine:
    """An engine with all features that wasmcore knows."""
    return _engine(proposals=True)


def _engine(proposals: bool) -> wasmtime.Engine:
    config = wasmtime.Config()
    for name in (
        "tail_call multi_memory simd relaxed_simd bulk_memory reference_types multi_value function_references gc exceptions memory64"
    ).split():
        setattr(config, f"wasm_{name}", True)
    for name in ("threads", "custom_page_sizes", "wide_arithmetic"):
        setattr(config, f"wasm_{name}", proposals)
    config.wasm_stack_switching = False
    return wasmtime.Engine(config)


def is_valid(data: bytes, proposals: bool = False) -> bool:
    """Whether wasmtime accepts a module."""
    return not verdict(data, proposals)


def verdict(data: bytes, proposals: bool = False) -> str:
    """Wasmtime's words about a module, empty when it is valid."""
    try:
        wasmtime.Module.validate(judge_of_proposals() if proposals else judge(), data)
    except wasmtime.WasmtimeError as error:
        return str(error)
    return ""
