;; Kernels that every host is to compute alike, by the rules of `kernel/src/host/mod.rs`. A title is followed by lines
;; of tasks: an input (of the numbers form the values), an arrow, and the outcome. `block` says how many tasks have an
;; instance in common (64 if nothing is said), and `data` is the job's shared data.

;; # 32-bit integers with their sign
;; 0 => 0
;; -0.0 => 0
;; -1 => -1
;; 2147483647 => 2147483647
;; -2147483648 => -2147483648
(module (func (export "run") (param i32) (result i32) local.get 0))

;; # an unsigned 32-bit integer is written with a sign
;; 0 => -1
(module (func (export "run") (param i32) (result i32) i32.const 0xffffffff))

;; # 64-bit integers in full
;; 0 => -9223372036854775808
;; 1 => -9223372036854775807
;; -1 => 9223372036854775807
;; 9007199254740991 => -9214364837600034817
;; -9007199254740991 => 9214364837600034817
;; -0.0 => -9223372036854775808
(module (func (export "run") (param i64) (result i64) local.get 0 i64.const 0x8000000000000000 i64.add))

;; # 32-bit floats are rounded, and widened
;; 0.1 => 0.10000000149011612
;; 1 => 1.0
;; -0.0 => -0.0
;; 1e39 => "Infinity"
;; -1e39 => "-Infinity"
;; 1e-46 => 0.0
;; 1e-45 => 1.401298464324817e-45
;; 16777217 => 16777216.0
(module (func (export "run") (param f32) (result f32) local.get 0))

;; # 64-bit floats
;; 0.1 => 0.1
;; -0.0 => -0.0
;; 1.7976931348623157e308 => 1.7976931348623157e+308
;; 5e-324 => 5e-324
(module (func (export "run") (param f64) (result f64) local.get 0))

;; # NaNs are alike, whatever their bits are
;; 0 => "NaN"
;; 1 => "NaN"
;; 2 => "Infinity"
;; 3 => "-Infinity"
(module (func (export "run") (param i32) (result f64)
  (f64.div
    (select (f64.const 0) (select (f64.const 1) (f64.const -1) (i32.eq (local.get 0) (i32.const 2)))
      (i32.lt_s (local.get 0) (i32.const 2)))
    (f64.const 0))))

;; # a 32-bit NaN
;; 0 => "NaN"
(module (func (export "run") (param i32) (result f32) (f32.const nan:0x200001)))

;; # eight values of all types, in order
;; 1 2 3.5 4.25 -5 -6 7.5 8.25 => "Infinity"
;; 1 2 3.5 4.25 -5 -6 7.5 8 => 15.25
(module (func (export "run") (param i32 i64 f32 f64 i32 i64 f32 f64) (result f64)
  (if (result f64) (f64.eq (local.get 7) (f64.const 8.25)) (then (f64.const inf)) (else
    (f64.add
      (f64.add
        (f64.add (f64.convert_i32_s (local.get 0)) (f64.convert_i64_s (local.get 1)))
        (f64.add (f64.promote_f32 (local.get 2)) (local.get 3)))
      (f64.add
        (f64.add (f64.convert_i32_s (local.get 4)) (f64.convert_i64_s (local.get 5)))
        (f64.add (f64.promote_f32 (local.get 6)) (local.get 7))))))))

;; # each trap spends the instance, and the block goes on
;; 0 => 1
;; 0 => 2
;; 1 => error: trap: unreachable
;; 0 => 1
;; 2 => error: trap: integer division by zero
;; 3 => error: trap: integer division by zero
;; 4 => error: trap: integer overflow
;; 5 => error: trap: integer overflow
;; 6 => error: trap: integer overflow
;; 7 => error: trap: out of bounds
;; 8 => error: trap: out of bounds
;; 9 => error: trap: bad indirect call
;; 10 => error: trap: bad indirect call
;; 11 => error: trap: out of bounds
;; 12 => error: trap: out of bounds
;; 13 => error: trap: out of bounds
;; 14 => error: trap: out of bounds
;; 15 => error: trap: integer division by zero
;; 16 => error: trap: integer overflow
;; 17 => error: trap: integer overflow
;; 18 => error: trap: integer overflow
;; 0 => 1
;; 0 => 2
(module
  (memory 1)
  (data $d "abc")
  (table 4 4 funcref)
  (elem (i32.const 0) func $run)
  (elem $e func $run)
  (type $none (func (result f32)))
  (type $i (func (param i32) (result i32)))
  (global $n (mut i32) (i32.const 0))
  (func $run (export "run") (param i32) (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    block $17 block $16 block $15 block $14 block $13 block $12 block $11 block $10 block $9 block $8 block $7
    block $6 block $5 block $4 block $3 block $2 block $1 block $0 block $18
      local.get 0
      br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11 $12 $13 $14 $15 $16 $17 $18
    end (drop (i32.trunc_f32_u (f32.const -1)))
    end (return (global.get $n))
    end unreachable
    end (return (i32.div_s (local.get 0) (i32.const 0)))
    end (return (i32.rem_u (local.get 0) (i32.const 0)))
    end (return (i32.div_s (i32.const 0x80000000) (i32.sub (local.get 0) (i32.const 5))))
    end (return (i32.trunc_f64_s (f64.const 1e300)))
    end (return (i32.trunc_f64_s (f64.sqrt (f64.const -1))))
    end (return (i32.load (i32.const 65533)))
    end (memory.fill (i32.const 65530) (i32.const 0) (i32.const 7)) (return (i32.const 0))
    end (drop (call_indirect (type $none) (i32.const 0))) (return (i32.const 0))
    end (return (call_indirect (type $i) (i32.const 0) (i32.const 1)))
    end (return (call_indirect (type $i) (i32.const 0) (i32.const 4)))
    end (memory.init $d (i32.const 0) (i32.const 1) (i32.const 3)) (return (i32.const 0))
    end (table.init $e (i32.const 0) (i32.const 1) (i32.const 1)) (return (i32.const 0))
    end (table.copy (i32.const 3) (i32.const 0) (i32.const 2)) (return (i32.const 0))
    end (return (i32.wrap_i64 (i64.rem_s (i64.const 1) (i64.const 0))))
    end (return (i32.wrap_i64 (i64.div_s (i64.const 0x8000000000000000) (i64.const -1))))
    end (return (i32.wrap_i64 (i64.trunc_f32_s (f32.const inf))))
    ))

;; # JSON as it comes
;; {"a":1} => {"a":1}
;; "é" => "é"
;; [] => []
(module (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32 i32) (result i32)
    (i32.store (i32.const 1020) (local.get 1))
    (i32.const 1020)))

;; # segments that do not fit are the error of each task
;; 1 => error: trap: out of bounds
;; 2 => error: trap: out of bounds
(module (memory 1) (data (i32.const 65535) "abc") (func (export "run") (param i32) (result i32) local.get 0))

;; # entries of a table that do not fit
;; 1 => error: trap: out of bounds
(module (table 1 funcref) (elem (i32.const 1) $run)
  (func $run (export "run") (param i32) (result i32) local.get 0))

;; # what an instance keeps is kept for a block
;; block 4
;; 0 => 1
;; 0 => 2
;; 0 => 3
;; 0 => 4
;; 0 => 1
;; 0 => 2
(module (global $n (mut i32) (i32.const 0))
  (func (export "run") (param i32) (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (global.get $n)))

;; # an error in the first task, and in the last
;; block 2
;; 0 => error: trap: unreachable
;; 1 => 1
;; 1 => 1
;; 0 => error: trap: unreachable
;; 0 => error: trap: unreachable
;; 0 => error: trap: unreachable
(module (func (export "run") (param i32) (result i32) local.get 0 if (result i32) i32.const 1 else unreachable end))

;; # _initialize is called first, in each instance
;; 5 => 47
;; -1 => error: trap: unreachable
;; 6 => 48
(module (global $n (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $n (i32.add (global.get $n) (i32.const 42))))
  (func (export "run") (param i32) (result i32)
    (if (i32.lt_s (local.get 0) (i32.const 0)) (then unreachable))
    (i32.add (local.get 0) (global.get $n))))

;; # _initialize that traps
;; 5 => error: trap: integer division by zero
;; 6 => error: trap: integer division by zero
(module
  (func (export "_initialize") (drop (i32.div_s (i32.const 1) (i32.const 0))))
  (func (export "run") (param i32) (result i32) local.get 0))

;; # init is given the data
;; data "abc\u0000é"
;; 0 => 97
;; 4 => 195
;; 6 => 6
;; -65 => error: trap: out of bounds
;; 0 => 97
(module (memory (export "memory") 1) (global $len (mut i32) (i32.const 0))
  (func (export "alloc") (param i32) (result i32) (i32.const 64))
  (func (export "init") (param i32 i32) (result i32)
    (global.set $len (local.get 1)) (i32.sub (local.get 0) (i32.const 64)))
  (func (export "run") (param i32) (result i32)
    (if (result i32) (i32.ge_s (local.get 0) (global.get $len))
      (then (global.get $len))
      (else (i32.load8_u (i32.add (i32.const 64) (local.get 0)))))))

;; # data of no bytes
;; data ""
;; 1 => 1
(module (memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
  (func (export "alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "init") (param i32 i32) (result i32) (global.set $n (i32.const 1)) (local.get 1))
  (func (export "run") (param i32) (result i32) (global.get $n)))

;; # without data init is not called
;; 1 => 0
(module (memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
  (func (export "alloc") (param i32) (result i32) unreachable)
  (func (export "init") (param i32 i32) (result i32) (global.set $n (i32.const 1)) (i32.const 0))
  (func (export "run") (param i32) (result i32) (global.get $n)))

;; # data without init
;; data "abc"
;; 1 => 0
(module (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) unreachable)
  (func (export "run") (param i32) (result i32) (i32.load (i32.const 0))))

;; # init that gives another number
;; data "abc"
;; 1 => error: init gave -3
;; 2 => error: init gave -3
(module (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 64))
  (func (export "init") (param i32 i32) (result i32) (i32.sub (i32.const 0) (local.get 1)))
  (func (export "run") (param i32) (result i32) (i32.load (i32.const 0))))

;; # data that finds no place
;; data "abc"
;; 1 => error: alloc gave a place outside memory
(module (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 65534))
  (func (export "init") (param i32 i32) (result i32) (i32.const 0))
  (func (export "run") (param i32) (result i32) (i32.load (i32.const 0))))

;; # places have no sign
;; "abc" => error: alloc gave a place outside memory
(module (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const -3))
  (func (export "run") (param i32 i32) (result i32) (i32.const 0)))

;; # alloc that grows the memory
;; "abc" => "abc"
;; "defg" => "defg"
(module (memory (export "memory") 0)
  (func (export "alloc") (param i32) (result i32)
    (i32.add (i32.const 1024) (i32.mul (i32.const 65536) (memory.grow (i32.const 1)))))
  (func (export "run") (param i32 i32) (result i32)
    (drop (memory.grow (i32.const 1)))
    (i32.store (i32.sub (local.get 0) (i32.const 4)) (local.get 1))
    (i32.sub (local.get 0) (i32.const 4))))

;; # JSON: the input says where the result is, and what it is
;; "a" => null
;; "b" => error: run gave a place outside memory
;; "c" => error: run gave a place outside memory
;; "d" => error: run gave a place outside memory
;; "e" => error: the result is longer than 65536 bytes
;; "f" => error: the result is longer than 65536 bytes
;; "g" => error: run gave a place outside memory
;; "h" => error: the result is not JSON
;; "i" => error: the result is not JSON
;; "j" => error: no�such place
;; "k" => error: the kernel gave an error without words
;; "l" => error: the kernel gave an error without words
;; "m" => error: bad � bytes
;; "n" => {"a":[1,2.50,"é\u0000\ud800"],"a":1e400}
;; "o" => error: the result is not JSON
;; "p" => error: run gave a place outside memory
;; "q" => 9
;; "r" => error: trap: unreachable
;; "q" => 9
(module (memory (export "memory") 3)
  (data (i32.const 1024) "\02\00\00\00{]")
  (data (i32.const 1040) "\02\00\00\00\"\ff\"")
  (data (i32.const 1060) "\0d\00\00\80no\tsuch place")
  (data (i32.const 1080) "\00\00\00\80")
  (data (i32.const 1090) "\02\00\00\80 \0a")
  (data (i32.const 1100) "\0b\00\00\80bad \ff bytes")
  (data (i32.const 1120) "\30\00\00\00 {\"a\" : [1 ,\n2.50, \"\c3\a9\\u0000\\ud800\"],\"a\":1e400} \00")
  (data (i32.const 1200) "\00\00\00\00")
  (data (i32.const 1300) "\01\00\01\00")
  (data (i32.const 1310) "\ff\ff\ff\7f")
  (data (i32.const 196604) "\01\00\00\00")
  (data (i32.const 1400) "\ff\ff\ff\ff")
  (data (i32.const 196593) "\01\00\00\009")
  (func (export "alloc") (param i32) (result i32) (i32.const 8))
  (func (export "run") (param i32 i32) (result i32)
    block $r block $q block $p block $o block $n block $m block $l block $k block $j block $i block $h block $g
    block $f block $e block $d block $c block $b block $a
      (i32.sub (i32.load8_u (i32.const 9)) (i32.const 97))
      br_table $a $b $c $d $e $f $g $h $i $j $k $l $m $n $o $p $q $r
    end (return (i32.const 0))
    end (return (i32.const 196605))
    end (return (i32.const 0x80000000))
    end (return (i32.const -1))
    end (return (i32.const 1300))
    end (return (i32.const 1310))
    end (return (i32.const 196604))
    end (return (i32.const 1024))
    end (return (i32.const 1040))
    end (return (i32.const 1060))
    end (return (i32.const 1080))
    end (return (i32.const 1090))
    end (return (i32.const 1100))
    end (return (i32.const 1120))
    end (return (i32.const 1200))
    end (return (i32.const 1400))
    end (return (i32.const 196593))
    end unreachable))

;; # calls that nest too deeply are nobody's outcome
;; block 1
;; 1 => 1
;; 100000000 => gave up: the stack is exhausted: calls nest too deeply
;; 1 => 1
(module (func $f (export "run") (param i32) (result i32)
  (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
    (else (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))))))

;; # memory grows to its limit, and then no further
;; 0 => 1
;; 1 => 1
;; 4094 => 2
;; 1 => -1
;; -1 => -1
;; 0 => 4096
(module (memory 1) (func (export "run") (param i32) (result i32) (memory.grow (local.get 0))))

;; # a command's line
;; block 4
;; "a" => "a"
;; [1, 2] => [1,2]
;; {"b" :2} => {"b":2}
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 4)))))

;; # a command by its input: what it writes, and how it ends
;; "a" => ""
;; "b" => "no JSON"
;; "c" => error: exit code 3
;; "d" => error: the last line
;; "e" => error: trap: unreachable
;; "f" => "no JSON"
;; "g" => error: abort: no message at unknown file:0:4294967295
;; "h" => "bad � bytes"
;; "i" => "a\n"
;; "j" => 7
;; "k" => error: exit code -1
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\10\00\00\00\01\00\00")
  (data (i32.const 1024) "no JSON\n")
  (data (i32.const 1040) "first\n the last line \n \n")
  (data (i32.const 1080) "bad \ff bytes")
  (data (i32.const 1100) "a\n\0d\n")
  (data (i32.const 1110) " 7\0d\n")
  (func $print (param $file i32) (param $place i32) (param $len i32)
    (i32.store (i32.const 16) (local.get $place))
    (i32.store (i32.const 20) (local.get $len))
    (if (call $write (local.get $file) (i32.const 16) (i32.const 1) (i32.const 24)) (then unreachable))
    (if (i32.ne (i32.load (i32.const 24)) (local.get $len)) (then unreachable)))
  (func (export "_start")
    (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
    block $k block $j block $i block $h block $g block $f block $e block $d block $c block $b block $a
      (i32.sub (i32.load8_u (i32.const 4097)) (i32.const 97))
      br_table $a $b $c $d $e $f $g $h $i $j $k
    end return
    end (call $print (i32.const 1) (i32.const 1024) (i32.const 8)) return
    end (call $print (i32.const 1) (i32.const 1024) (i32.const 8)) (call $exit (i32.const 3)) return
    end (call $print (i32.const 2) (i32.const 1040) (i32.const 24)) (call $exit (i32.const 1)) return
    end (call $print (i32.const 1) (i32.const 1024) (i32.const 8)) unreachable
    end (call $print (i32.const 1) (i32.const 1024) (i32.const 3))
      (call $print (i32.const 1) (i32.const 1027) (i32.const 5)) (call $exit (i32.const 0)) unreachable
    end (call $abort (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)) return
    end (call $print (i32.const 1) (i32.const 1080) (i32.const 11)) return
    end (call $print (i32.const 1) (i32.const 1100) (i32.const 4)) return
    end (call $print (i32.const 1) (i32.const 1110) (i32.const 4)) return
    end (call $exit (i32.const -1))))

;; # a command writes very much: to stdout so many times a KiB, of stderr the end is kept
;; 64 => error: the result is longer than 65536 bytes
;; 70 => error: the result is longer than 65536 bytes
;; 99 => error: the result is longer than 65536 bytes
;; -1 => error: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\10\00\00\00\01\00\00\00\20\00\00\00\04\00\00")
  (func (export "_start")
    (local $file i32) (local $n i32)
    (memory.fill (i32.const 8192) (i32.const 120) (i32.const 1024))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
    (local.set $file (i32.const 1))
    (local.set $n (i32.sub (i32.add (i32.mul (i32.load8_u (i32.const 4096)) (i32.const 10)) (i32.load8_u (i32.const 4097)))
      (i32.const 528)))
    (if (i32.eq (i32.load8_u (i32.const 4096)) (i32.const 45)) (then
      (local.set $file (i32.const 2)) (local.set $n (i32.const 8))))
    (if (i32.eq (local.get $n) (i32.const 64)) (then (i32.store8 (i32.const 8192) (i32.const 32))))
    loop $more
      (drop (call $write (local.get $file) (i32.const 8) (i32.const 1) (i32.const 16)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))
    end
    (if (i32.eq (local.get $file) (i32.const 2)) (then (call $exit (i32.const 1))))
    (drop (call $write (local.get $file) (i32.const 8) (i32.const 1) (i32.const 16)))))

;; # WASI in the numbers form: what each function gives, and writes
;; block 1
;; 0 => 0
;; 1 => 0
;; 2 => 0
;; 3 => 0
;; 4 => 0
;; 5 => 4294967296
;; 6 => 21
;; 7 => 0
;; 8 => 8
;; 9 => 8
;; 10 => 70
;; 11 => 8
;; 12 => 70
;; 13 => 8
;; 14 => 8
;; 15 => 0
;; 16 => 52
;; 17 => 144115188075855872
;; 18 => 274877906944
;; 19 => 8
;; 20 => 21
;; 21 => 8
;; 22 => 21
;; 23 => 21
;; 24 => 28
;; 25 => 25769803776
;; 26 => 8
;; 27 => 0
;; 28 => error: exit code 0
;; 29 => error: exit code 7
;; 30 => error: oh
;; 31 => -2152535657050944081
;; 32 => 7960286522194355700
;; 33 => 21
;; 34 => 0
;; 35 => 1
;; 36 => error: abort: hé😀� at a.ts:7:4294967295
;; 37 => error: abort: no message at unknown file:0:0
;; 38 => 21
;; 39 => 52
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_res_get" (func $res (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_tell" (func $tell (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $dir (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "env" "seed" (func $seed (result f64)))
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff")
  ;; Lists of buffers: one of 3 bytes twice; one that is not within memory; very many bytes.
  (data (i32.const 256) "\00\02\00\00\03\00\00\00\00\02\00\00\03\00\00\00\ff\ff\00\00\02\00\00\00")
  (data (i32.const 512) "oh\n")
  ;; Texts of AssemblyScript.
  (data (i32.const 600) "\0b\00\00\00h\00\e9\00\3d\d8\00\de\00\d8")
  (data (i32.const 640) "\08\00\00\00a\00.\00t\00s\00")
  (func (export "run") (param $n i32) (result i64) (local $i i32)
    block $39 block $38 block $37 block $36 block $35 block $34 block $33 block $32 block $31 block $30
    block $29 block $28 block $27 block $26 block $25 block $24 block $23 block $22 block $21 block $20
    block $19 block $18 block $17 block $16 block $15 block $14 block $13 block $12 block $11 block $10
    block $9 block $8 block $7 block $6 block $5 block $4 block $3 block $2 block $1 block $0
      local.get $n
      br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11 $12 $13 $14 $15 $16 $17 $18 $19 $20 $21 $22 $23 $24 $25
        $26 $27 $28 $29 $30 $31 $32 $33 $34 $35 $36 $37 $38 $39
    end (return (i64.extend_i32_s (i32.or (call $args_sizes (i32.const 64) (i32.const 68))
          (i32.or (i32.load (i32.const 64)) (i32.load (i32.const 68))))))
    end (return (i64.extend_i32_s (call $args (i32.const -1) (i32.const -1))))
    end (return (i64.extend_i32_s (i32.or (call $environ_sizes (i32.const 64) (i32.const 68))
          (i32.or (i32.load (i32.const 64)) (i32.load (i32.const 68))))))
    end (return (i64.extend_i32_s (call $environ (i32.const -1) (i32.const -1))))
    end (return (i64.or (i64.extend_i32_s (call $time (i32.const 9) (i64.const -1) (i32.const 64)))
          (i64.load (i32.const 64))))
    end (return (i64.or (i64.extend_i32_s (call $res (i32.const 0) (i32.const 64)))
          (i64.shl (i64.load (i32.const 64)) (i64.const 32))))
    end (return (i64.extend_i32_s (call $time (i32.const 0) (i64.const 0) (i32.const 65529))))
    end (return (i64.extend_i32_s (call $close (i32.const 2))))
    end (return (i64.extend_i32_s (call $close (i32.const 3))))
    end (return (i64.extend_i32_s (call $close (i32.const -1))))
    end (return (i64.extend_i32_s (call $seek (i32.const 1) (i64.const -1) (i32.const 0) (i32.const -1))))
    end (return (i64.extend_i32_s (call $seek (i32.const 4) (i64.const 0) (i32.const 0) (i32.const 64))))
    end (return (i64.extend_i32_s (call $tell (i32.const 0) (i32.const 64))))
    end (return (i64.extend_i32_s (call $tell (i32.const 9) (i32.const 64))))
    end (return (i64.extend_i32_s (call $prestat (i32.const 3) (i32.const 64))))
    end (return (i64.extend_i32_s (call $yield)))
    end (return (i64.extend_i32_s (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
          (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 64))))
    ;; 17: of file 0 the device is at byte 0, the right at byte 8, and nothing elsewhere.
    end (drop (call $stat (i32.const 0) (i32.const 64)))
      (return (i64.shl (i64.or (i64.or (i64.load (i32.const 64)) (i64.load (i32.const 80))) (i64.load (i32.const 72)))
        (i64.const 56)))
    end (drop (call $stat (i32.const 2) (i32.const 64)))
      (return (i64.shl (i64.load (i32.const 72)) (i64.const 32)))
    end (return (i64.extend_i32_s (call $stat (i32.const 3) (i32.const -1))))
    end (return (i64.extend_i32_s (call $stat (i32.const 1) (i32.const 65513))))
    end (return (i64.extend_i32_s (call $write (i32.const 0) (i32.const -1) (i32.const 1) (i32.const 64))))
    ;; 22: a buffer, the list and the count that are not within memory.
    end (return (i64.extend_i32_s (call $write (i32.const 1) (i32.const 256) (i32.const 3) (i32.const 64))))
    end (return (i64.extend_i32_s (i32.and (call $write (i32.const 1) (i32.const 256) (i32.const 0x20000000) (i32.const 64))
          (call $write (i32.const 1) (i32.const 256) (i32.const 2) (i32.const 65533)))))
    ;; 24: 4,096 pages, and a list of buffers that all are all of it.
    end (drop (memory.grow (i32.const 1023)))
      loop $more
        (i32.store (i32.add (i32.const 1024) (i32.mul (local.get $i) (i32.const 8))) (i32.const 0))
        (i32.store (i32.add (i32.const 1028) (i32.mul (local.get $i) (i32.const 8))) (i32.const 0x4000000))
        (br_if $more (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64)))
      end
      (return (i64.extend_i32_s (call $write (i32.const 1) (i32.const 1024) (i32.const 64) (i32.const 64))))
    end (return (i64.or (i64.extend_i32_s (call $write (i32.const 2) (i32.const 256) (i32.const 2) (i32.const 64)))
          (i64.shl (i64.load32_u (i32.const 64)) (i64.const 32))))
    end (return (i64.extend_i32_s (call $read (i32.const 1) (i32.const 256) (i32.const 2) (i32.const 64))))
    end (return (i64.or (i64.extend_i32_s (call $read (i32.const 0) (i32.const 256) (i32.const 2) (i32.const 64)))
          (i64.load32_u (i32.const 64))))
    end (call $exit (i32.const 0)) unreachable
    end (call $exit (i32.const 7)) unreachable
    end (drop (call $write (i32.const 2) (i32.const 256) (i32.const 2) (i32.const 64))) (call $exit (i32.const 0)) unreachable
    ;; 31: the first word of the stream; 32: the second, where the first was not needed in full.
    end (drop (call $random (i32.const 64) (i32.const 8))) (return (i64.load (i32.const 64)))
    end (drop (call $random (i32.const 72) (i32.const 1))) (drop (call $random (i32.const 64) (i32.const 15)))
      (return (i64.load (i32.const 64)))
    end (return (i64.extend_i32_s (call $random (i32.const 65530) (i32.const 7))))
    end (return (i64.extend_i32_s (call $random (i32.const 65536) (i32.const 0))))
    end (return (i64.trunc_f64_s (call $seed)))
    end (call $abort (i32.const 604) (i32.const 644) (i32.const 7) (i32.const -1)) unreachable
    end (call $abort (i32.const 3) (i32.const -1) (i32.const 0) (i32.const 0)) unreachable
    end (return (i64.extend_i32_s (call $args_sizes (i32.const 64) (i32.const 65533))))
    end (return (i64.extend_i32_s (call $poll (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))))

;; # stdin in parts, one of which lies over the list of buffers: the next is at 0x6463
;; "abcdefghij" => "\"abef\u0007"
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\04\00\00\03\00\00\00\10\00\00\00\02\00\00\00\03\04\00\00\02\00\00\00")
  (data (i32.const 64) "\00\04\00\00\03\00\00\00\63\64\00\00\02\00\00\00\20\00\00\00\01\00\00\00")
  (func (export "_start")
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 32)))
    (drop (call $write (i32.const 1) (i32.const 64) (i32.const 3) (i32.const 96)))))

;; # a command has a fresh instance for each task
;; 1 => "1"
;; 2 => "1"
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\03\00\00\00")
  (data (i32.const 16) "\220\22")
  (func (export "_start")
    (i32.store8 (i32.const 17) (i32.add (i32.load8_u (i32.const 17)) (i32.const 1)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))

;; # abort without a memory: its texts are empty
;; 4 => error: abort: no message at unknown file:4:0
(module
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (func (export "run") (param i32) (result i32)
    (call $abort (local.get 0) (local.get 0) (local.get 0) (i32.const 0)) unreachable))

;; # the bits of a NaN are the same, wherever they can be seen
;; 0 => 9221120237041090560
;; 1 => 2143289344
;; 2 => 9221120237041090560
;; 3 => 2143289344
;; 4 => 4607182418800017408
;; 5 => 4607182418800017408
;; 6 => 9221120237041090560
;; 7 => 9221120237041090560
(module (memory 1) (global $zero f64 (f64.const 0))
  (func (export "run") (param $n i32) (result i64) (local $x f64) (local $y f32)
    (local.set $x (f64.div (f64.convert_i32_s (i32.const 0)) (global.get $zero)))
    (local.set $y (f32.demote_f64 (local.get $x)))
    block $7 block $6 block $5 block $4 block $3 block $2 block $1 block $0
      local.get $n
      br_table $0 $1 $2 $3 $4 $5 $6 $7
    end (return (i64.reinterpret_f64 (local.get $x)))
    end (return (i64.extend_i32_u (i32.reinterpret_f32 (f32.neg (local.get $y)))))
    end (f64.store (i32.const 8) (f64.neg (f64.sqrt (f64.const -1)))) (return (i64.load (i32.const 8)))
    end (f32.store (i32.const 8) (f32.const nan:0x200001)) (return (i64.load32_u (i32.const 8)))
    end (return (i64.reinterpret_f64 (f64.copysign (f64.const 1) (local.get $x))))
    end (return (i64.reinterpret_f64 (f64.copysign (f64.const -1) (f64.neg (local.get $x)))))
    end (return (i64.reinterpret_f64 (f64.min (local.get $x) (f64.const -inf))))
    end (return (i64.reinterpret_f64 (f64.reinterpret_i64 (i64.const 0xfff8000000000001))))))

;; # results and errors at their longest
;; 65536 => 1
;; 65537 => error: the result is longer than 65536 bytes
;; 99999 => error: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
(module (memory (export "memory") 3)
  (func (export "alloc") (param i32) (result i32) (i32.const 8))
  (func $digit (param i32) (result i32) (i32.sub (i32.load8_u (local.get 0)) (i32.const 48)))
  ;; As many bytes as the input says: a number, or an error from 90,000 on.
  (func (export "run") (param i32 i32) (result i32) (local $len i32)
    (local.set $len (i32.add
      (i32.add (i32.mul (call $digit (i32.const 8)) (i32.const 10000)) (i32.mul (call $digit (i32.const 9)) (i32.const 1000)))
      (i32.add (i32.mul (call $digit (i32.const 10)) (i32.const 100))
        (i32.add (i32.mul (call $digit (i32.const 11)) (i32.const 10)) (call $digit (i32.const 12))))))
    (if (i32.gt_u (local.get $len) (i32.const 90000))
      (then
        (memory.fill (i32.const 1028) (i32.const 120) (local.get $len))
        (i32.store (i32.const 1024) (i32.or (local.get $len) (i32.const 0x80000000))))
      (else
        (memory.fill (i32.const 1028) (i32.const 32) (local.get $len))
        (i32.store8 (i32.const 1030) (i32.const 49))
        (i32.store (i32.const 1024) (local.get $len))))
    (i32.const 1024)))

;; # a command's line at its longest: spaces, a number, and a line's end of two bytes
;; 6 => 1
;; 7 => error: the result is longer than 65536 bytes
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\40\00\00\00\01\00\00\00")
  (data (i32.const 16) "\00\04\00\00\00\00\00\00\50\00\00\00\02\00\00\00")
  (data (i32.const 80) "\0d\n")
  (func (export "_start")
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 20) (i32.add (i32.const 65482) (i32.load8_u (i32.const 64))))
    (memory.fill (i32.const 1024) (i32.const 32) (i32.load (i32.const 20)))
    (i32.store8 (i32.const 1025) (i32.const 49))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 2) (i32.const 8)))))

;; # one task in seven traps, and the count begins anew
;; 1 => 1
;; 2 => 2
;; 7 => error: trap: unreachable
;; 8 => 1
(module (global $n (mut i32) (i32.const 0))
  (func (export "run") (param i32) (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (if (i32.eqz (i32.rem_s (local.get 0) (i32.const 7))) (then unreachable))
    (global.get $n)))
