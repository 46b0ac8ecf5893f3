(module $"a module"
  (type $pair (func (param $x i32) (param i64) (result i32 i64)))
  (type $list (struct (field $head i32) (field i8) (field $next (mut (ref null $list)))))
  (type (;2;) (func (param i32 i32)))
  (type (;3;) (func (param i32)))
  (type (;4;) (func))
  (type (;5;) (func (param i32 i32 i32) (result i32)))
  (type (;6;) (func (param (ref $list)) (result i32)))
  (import "env" "print" (func $print (type 2) (param $text i32) (param i32)))
  (import "env" "\"quoted\"\n" (global $base i32))
  (table $callees 2 funcref)
  (memory $heap 1)
  (memory $"second heap" 1)
  (tag $problem (type 3) (param i32))
  (global (@name "counter") (;1;) (mut i32) (i32.const 0))
  (global (@name "counter") (;2;) i64 (i64.const 1))
  (export "total" (func 2))
  (start $"set up")
  (elem $some (i32.const 0) func 2 $"set up")
  (func $"set up" (type 4)
    global.get $base
    i32.const 1
    i32.add
    global.set 1
    i32.const 0
    i32.const 0
    i32.const 5
    memory.init $"second heap" $greeting
  )
  (func (@name "total") (;2;) (type 5) (param $from i32) (param i32) (param $to i32) (result i32)
    (local (@name "sum") i32) (local f64 f64) (local (@name "sum") i32)
    block $done
      loop $next
        local.get $from
        local.get $to
        i32.ge_u
        br_if $done
        local.get 3
        local.get $from
        i32.add
        local.set 3
        local.get $from
        i32.const 1
        i32.add
        local.set $from
        loop $next
          local.get 1
          br_if $next
          br 1 (;@2;)
        end
        br $next
      end
    end
    local.get 3
    i32.const 0
    i32.load $"second heap" offset=4
    call $print
    local.get 3
  )
  (func (;3;) (type 6) (param (ref $list)) (result i32)
    local.get 0
    struct.get $list $head
    local.get 0
    struct.get_s $list 1
    i32.add
  )
  (func (@name "total") (;4;) (type 4)
    i32.const 1
    i64.const 2
    i32.const 0
    call_indirect (type $pair) (param i32 i64) (result i32 i64)
    drop
    drop
  )
  (data $greeting "hello")
)
