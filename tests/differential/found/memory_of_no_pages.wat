;; A memory of 0 pages let its first 4,096 bytes be read and written.
(module
  (memory $imported (import "host" "empty") 0 2)
  (memory $own 0 2)
  (func (export "load own") (result i32) (i32.load $own (i32.const 0)))
  (func (export "store own") (i32.store8 $own (i32.const 4095) (i32.const 1)))
  (func (export "load imported") (result v128) (v128.load $imported (i32.const 16)))
  (func (export "grow") (result i32) (memory.grow $own (i32.const 1)))
  (func (export "load grown") (result i64) (i64.load $own (i32.const 4088)))
  (export "own" (memory $own)))
