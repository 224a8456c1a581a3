// A kernel: the sum of the squares of a number's digits. Build it with Node:
//
//   npm install && npm run build
//
// This is the numbers form: up to 8 parameters, each i32, i64, f32 or f64, and one result of these. An i64 is
// given whole numbers up to 2^53 - 1.
//
// For other inputs and results there is the JSON form. It exports two functions instead:
//
//   export function alloc(len: i32): usize              room for the input, such as heap.alloc(len)
//   export function run(input: usize, len: i32): usize  reads the input as JSON, such as {"n":1234}:
//                                                       String.UTF8.decodeUnsafe(input, len)
//
// run returns a pointer to the result's length (a u32, little endian) and, behind it, as many bytes of JSON. 0 is
// no result. If the length's highest bit is set, the bytes are the words of an error.

export function run(n: i64): i64 {
  let rest: u64 = n < 0 ? -n : n;
  let sum: i64 = 0;
  while (rest > 0) {
    const digit: i64 = rest % 10;
    sum += digit * digit;
    rest /= 10;
  }
  return sum;
}
