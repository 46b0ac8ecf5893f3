(module
  (type $point (struct (field $x (mut i32)) (field i8)))
  (type $bytes (array (mut i8)))
  (type $points (array (mut (ref null $point))))
  (type $f (func (param i32) (result i32)))
  (type (;4;) (func))
  (type (;5;) (func (param i32 i64)))
  (type (;6;) (func (param v128) (result v128)))
  (type (;7;) (func (param i32)))
  (type (;8;) (func (param i64 i64) (result i64 i64)))
  (type (;9;) (func (param externref)))
  (type (;10;) (func (param anyref (ref null $point)) (result i32)))
  (type (;11;) (func (param (ref null $f)) (result i32)))
  (table (;0;) 1 funcref)
  (table $t 1 externref)
  (memory (;0;) 1 1 shared)
  (memory $m i64 1)
  (elem (;0;) funcref)
  (elem $e (ref null $point))
  (func $constants (type 4)
    i32.const -2147483648
    drop
    i64.const 9223372036854775807
    drop
    f32.const 0.1
    drop
    f32.const -0.0
    drop
    f32.const 0x1p-149
    drop
    f32.const inf
    drop
    f32.const -nan
    drop
    f32.const 16777216.0
    drop
    f32.const 3.4028235e+38
    drop
    f64.const 0.1
    drop
    f64.const -inf
    drop
    f64.const nan:0x1
    drop
    f64.const 5e-324
    drop
    f64.const 1.7976931348623157e+308
    drop
    v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c
    drop
  )
  (func $memory (type 5) (param i32 i64)
    local.get 0
    local.get 0
    i32.load8_s
    i32.store offset=8
    local.get 1
    local.get 1
    i64.load32_u $m align=2
    i64.store $m offset=4294967296 align=1
    memory.size $m
    memory.grow $m
    drop
    local.get 0
    i32.const 0
    memory.size
    memory.fill
    local.get 1
    local.get 1
    local.get 1
    memory.copy $m $m
    local.get 0
    local.get 0
    local.get 0
    memory.copy
    local.get 1
    i32.const 0
    i32.const 1
    memory.init $m 0
    data.drop 0
  )
  (func $vectors (type 6) (param $v v128) (result v128)
    i64.const 0
    local.get $v
    v128.store64_lane $m offset=16 1
    i32.const 0
    local.get $v
    v128.load8_lane 15
    local.set $v
    local.get $v
    i16x8.extract_lane_u 7
    drop
    local.get $v
    i32.const 1
    i32x4.replace_lane 2
    local.get $v
    local.get $v
    local.get $v
    f32x4.relaxed_madd
    i8x16.shuffle 0 1 2 3 4 5 6 7 24 25 26 27 28 29 30 31
  )
  (func $atomics (type 7) (param i32)
    local.get 0
    i32.const 1
    i32.const 2
    i32.atomic.rmw8.cmpxchg_u offset=3
    drop
    local.get 0
    i64.const 1
    i64.const -1
    memory.atomic.wait64
    drop
    atomic.fence
  )
  (func $wide (type 8) (param i64 i64) (result i64 i64)
    local.get 0
    local.get 1
    local.get 0
    local.get 1
    i64.mul_wide_u
    i64.add128
  )
  (func $tables (type 9) (param externref)
    i32.const 0
    local.get 0
    table.set $t
    i32.const 0
    table.get 0
    drop
    i32.const 0
    i32.const 0
    i32.const 1
    table.init 0
    i32.const 0
    i32.const 0
    i32.const 1
    table.copy $t $t
    ref.null extern
    table.size $t
    table.grow $t
    drop
    i32.const 0
    ref.null extern
    local.get 0
    i32.const 1
    select (result externref)
    i32.const 1
    table.fill $t
    elem.drop 0
  )
  (func $objects (type 10) (param $a anyref) (param $p (ref null $point)) (result i32)
    (local $b (ref null $bytes))
    local.get $p
    i32.const 1
    i32.const 2
    struct.new $point
    struct.get_s $point 1
    struct.set $point $x
    i32.const 1
    i32.const 2
    i32.const 3
    array.new_fixed $bytes 3
    local.set $b
    local.get $b
    i32.const 0
    i32.const 0
    i32.const 2
    array.new_data $bytes 0
    i32.const 1
    array.get_u $bytes
    array.set $bytes
    local.get $b
    i32.const 0
    local.get $b
    i32.const 1
    i32.const 2
    array.copy $bytes $bytes
    i32.const 0
    i32.const 0
    array.new_elem $points $e
    drop
    block $is (result (ref $point))
      block $no (result anyref)
        local.get $a
        br_on_cast_fail $no (ref null any) (ref $point)
        br_on_cast $is (ref null $point) (ref $point)
        drop
        ref.null none
      end
      drop
      local.get $a
      ref.cast (ref null $point)
      br_on_null 1
      ref.as_non_null
    end
    drop
    local.get $a
    ref.test (ref null i31)
    local.get $b
    array.len
    ref.i31
    i31.get_s
    i32.add
  )
  (func $references (type 11) (param $r (ref null $f)) (result i32)
    block $null
      i32.const 1
      local.get $r
      call_ref $f
      local.get $r
      br_on_null $null
      return_call_ref $f
    end
    ref.null any
    ref.null extern
    any.convert_extern
    ref.eq
    drop
    local.get $r
    ref.is_null
  )
  (data (;0;) "ab")
)
