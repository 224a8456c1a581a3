// @ts-check
// Small kernels for tests, with the text that each was made of.

/** A module, of its bytes in hexadecimal digits. @param {string} hex */
const module = (hex) => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");

/** `run(n: i64) -> i64`: the sum of the squares of n's digits. It was made by rustc. */
export const DIGITS = Buffer.from(
  "AGFzbQEAAAABBgFgAX4BfgMCAQAFAwEAEAYZA38BQYCAwAALfwBBgIDAAAt/AEGAgMAACwcrBAZtZW1vcnkCAANydW4AAApfX2RhdGFfZW5kAwELX19oZWFwX2Jhc2UDAgpCAUACA34Bf0IAIQECQCAAQgFTDQADQCAAIABCCoAiAkIKfn0iAyADfiABfCEBIABCClQhBCACIQAgBEUNAAsLIAEL",
  "base64",
);

/** The same. @param {number} n */
export const squares = (n) => [...String(n)].reduce((sum, digit) => sum + Number(digit) ** 2, 0);

/** Does not end.
 *
 *     (module (func (export "run") (param i64) (result i64) (loop (br 0)) (unreachable)))
 */
export const ENDLESS_LOOP = module(`
  0061736d0100000001060160017e017e030201000707010372756e00000a0a01080003400c000b000b
`);

/** Gives its input, as JSON.
 *
 *     (module (memory (export "memory") 1)
 *      (func (export "alloc") (param i32) (result i32) (i32.const 1024))
 *      (func (export "run") (param $at i32) (param $length i32) (result i32)
 *       (i32.store (i32.const 1020) (local.get $length)) (i32.const 1020)))
 */
export const ECHO = module(`
  0061736d01000000010c0260017f017f60027f7f017f03030200010503010001071803066d656d6f7279020005616c6c6f63
  00000372756e00010a150205004180080b0d0041fc07200136020041fc070b0016046e616d65020f0101020002617401066c
  656e677468
`);

/** Gives the data that it was given, which is JSON; nothing without any.
 *
 *     (module (memory (export "memory") 1) (global $next (mut i32) (i32.const 1024)) (global $given (mut i32) (i32.const 0))
 *      (func (export "alloc") (param $length i32) (result i32)
 *       (global.get $next)
 *       (global.set $next (i32.add (i32.add (global.get $next) (local.get $length)) (i32.const 4))))
 *      (func (export "init") (param $at i32) (param $length i32) (result i32)
 *       (global.set $given (i32.sub (local.get $at) (i32.const 4)))
 *       (i32.store (global.get $given) (local.get $length))
 *       (i32.const 0))
 *      (func (export "run") (param i32 i32) (result i32) (global.get $given)))
 */
export const GIVEN = module(`
  0061736d01000000010c0260017f017f60027f7f017f0304030001010503010001060c027f014180080b7f0141000b071f04
  066d656d6f7279020005616c6c6f63000004696e697400010372756e00020a28030e002300230020006a41046a24000b1200
  200041046b24012301200136020041000b040023010b0030046e616d65021902000100066c656e6774680102000261740106
  6c656e677468070e0200046e6578740105676976656e
`);

/** Takes 256 MiB of memory, writes into each page of that, and gives how many there are of 64 KiB.
 *
 *     (module (memory (export "memory") 1)
 *      (func (export "run") (param $task i32) (result i32) (local $at i32)
 *       (if (i32.eq (memory.size) (i32.const 1)) (then (drop (memory.grow (i32.const 4095)))))
 *       (loop $touch
 *        (i32.store (local.get $at) (local.get $task))
 *        (br_if $touch (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4096))) (i32.mul (memory.size) (i32.const 65536)))))
 *       (memory.size)))
 */
export const GROWN = module(`
  0061736d0100000001060160017f017f030201000503010001071002066d656d6f727902000372756e00000a32013001017f
  3f00410146044041ff1f40001a0b03402001200036020020014180206a22013f00418080046c490d000b3f000b0020046e61
  6d65020d01000200047461736b01026174030a0100010105746f756368
`);

/** A command that asks for the time, and writes 42.
 *
 *     (module
 *      (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
 *      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
 *      (memory (export "memory") 1)
 *      (data (i32.const 0) "\08\00\00\00\02\00\00\0042")
 *      (func (export "_start")
 *       (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 16)))
 *       (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 24)))))
 */
export const CLOCK = module(`
  0061736d0100000001130360037f7e7f017f60047f7f7f7f017f600000024b0216776173695f736e617073686f745f707265
  76696577310e636c6f636b5f74696d655f676574000016776173695f736e617073686f745f70726576696577310866645f77
  726974650001030201020503010001071302066d656d6f72790200065f737461727400020a1801160041004200411010001a
  410141004101411810011a0b0b10010041000b0a080000000200000034320016046e616d65010f020005636c6f636b010577
  72697465
`);
