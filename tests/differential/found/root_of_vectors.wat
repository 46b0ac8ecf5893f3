;; llvm took the canonical NaN that v128.bitselect chooses in place of a square root for the NaN of the root
(module
  (type (;0;) (func (param f32 i64) (result i64 i64)))
  (memory (;0;) 1 3)
  (export "" (func 0))
  (export "m" (memory 0))
  (func (;0;) (type 0) (param f32 i64) (result i64 i64)
    (local v128 i64 i32 i64 v128 funcref externref v128 v128 v128 v128 v128 f64 v128 f64 v128 f64 f64 i64 v128 i64 v128 f64 v128 i32 f32 i64)
    i32.const 0
    if ;; label = @1
      i64.const -5027934857059837425
      i64.const 0
      return
    end
    i32.const 0
    v128.const i32x4 0x00000000 0x00000080 0x00000080 0x00000040
    local.get 2
    i64x2.ne
    f64x2.sqrt
    local.tee 9
    v128.const i32x4 0x00000000 0x7ff80000 0x00000000 0x7ff80000
    local.get 9
    local.get 9
    f64x2.eq
    v128.bitselect
    local.tee 9
    local.get 10
    f64x2.pmax
    v128.store offset=8 align=1
    i64.const 0
    i64.const 0
  )
)
