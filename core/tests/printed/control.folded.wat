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
    (local.get 1)
    (local.get 0)
  )
  (func $choose (type 2) (param i32 i32) (result i32)
    (if (;@1;) (result i32)
      (i32.lt_s (local.get 0) (i32.const 0))
      (then
        (if (;@2;)
          (local.get 1)
          (then
            (nop)
          )
        )
        (i32.const -1)
      )
      (else
        (if (;@2;)
          (local.get 1)
          (then)
          (else
            (return (i32.const 7))
          )
        )
        (select (local.get 0) (local.get 1) (i32.const 1))
      )
    )
  )
  (func $stack (type 3) (param i32) (result i32)
    (local.get 0)
    (local.get 0)
    (i32.sub
      (block (;@1;) (type $two) (param i32 i32) (result i32 i32)
        call $swap
      ))
    (if (;@1;) (type 3) (param i32) (result i32)
      (i32.const 2)
      (then
        (i32.const 1)
        i32.add
      )
    )
  )
  (func $dead (type 4) (result i32)
    (drop
      (block (;@1;) (result i32)
        (br 0 (;@1;) (i32.const 1))
        i32.add
        drop
        (i32.const 2)
        (i32.const 3)
      ))
    (unreachable)
    i32.mul
  )
  (func $table (type 5) (param i32) (result i64)
    (block $a
      (block $b
        (block $c
          (br_table $a $b $c 3 (i64.const 0) (local.get 0))
        )
      )
      (return (i64.const 1))
    )
    (i64.const 2)
  )
  (func $catch (type 6) (result i32 i64)
    (block $handler (type 6) (result i32 i64)
      (throw_ref
        (block $any (result exnref)
          (try_table (;@3;) (catch $failure $handler) (catch_all_ref $any)
            (throw $failure (i32.const 1) (i64.const 2))
          )
          (unreachable)
        ))
    )
  )
  (func $wide (type 7) (param i32) (result f64)
    (f64.div
      (f64.add
        (f64.convert_i32_s (local.get 0))
        (f64.mul (f64.const 3.25) (f64.convert_i32_u (local.get 0))))
      (f64.sqrt (f64.neg (f64.const 1e+100))))
  )
  (func $last (type $two) (param i32 i32) (result i32 i32)
    (return_call $swap (local.get 0) (local.get 1))
  )
)
