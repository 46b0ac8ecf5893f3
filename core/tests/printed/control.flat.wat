(module
  (type $two (func (param i32 i32) (result i32 i32)))
  (type (;1;) (func (param i32 i64)))
  (type (;2;) (func (param i32 i32) (result i32)))
  (type (;3;) (func (param i32) (result i32)))
  (type (;4;) (func (result i32)))
  (type (;5;) (func (param i32) (result i64)))
  (type (;6;) (func (result i32 i64)))
  (type (;7;) (func (param i32) (result f64)))
  (tag $failure (type 1) (param i32 i64))
  (func $swap (type $two) (param i32 i32) (result i32 i32)
    local.get 1
    local.get 0
  )
  (func $choose (type 2) (param i32 i32) (result i32)
    local.get 0
    i32.const 0
    i32.lt_s
    if (;@1;) (result i32)
      local.get 1
      if (;@2;)
        nop
      end
      i32.const -1
    else
      local.get 1
      if (;@2;)
      else
        i32.const 7
        return
      end
      local.get 0
      local.get 1
      i32.const 1
      select
    end
  )
  (func $stack (type 3) (param i32) (result i32)
    local.get 0
    local.get 0
    block (;@1;) (type $two) (param i32 i32) (result i32 i32)
      call $swap
    end
    i32.sub
    i32.const 2
    if (;@1;) (type 3) (param i32) (result i32)
      i32.const 1
      i32.add
    end
  )
  (func $dead (type 4) (result i32)
    block (;@1;) (result i32)
      i32.const 1
      br 0 (;@1;)
      i32.add
      drop
      i32.const 2
      i32.const 3
    end
    drop
    unreachable
    i32.mul
  )
  (func $table (type 5) (param i32) (result i64)
    block $a
      block $b
        block $c
          i64.const 0
          local.get 0
          br_table $a $b $c 3
        end
      end
      i64.const 1
      return
    end
    i64.const 2
  )
  (func $catch (type 6) (result i32 i64)
    block $handler (type 6) (result i32 i64)
      block $any (result exnref)
        try_table (;@3;) (catch $failure $handler) (catch_all_ref $any)
          i32.const 1
          i64.const 2
          throw $failure
        end
        unreachable
      end
      throw_ref
    end
  )
  (func $wide (type 7) (param i32) (result f64)
    local.get 0
    f64.convert_i32_s
    f64.const 3.25
    local.get 0
    f64.convert_i32_u
    f64.mul
    f64.add
    f64.const 1e+100
    f64.neg
    f64.sqrt
    f64.div
  )
  (func $last (type $two) (param i32 i32) (result i32 i32)
    local.get 0
    local.get 1
    return_call $swap
  )
)
