//! A kernel: the sum of the squares of a number's digits. Build it (pip install ziglang has Zig too):
//!
//!   zig build-exe kernel.zig -target wasm32-freestanding -fno-entry --export=run -OReleaseSmall --stack 65536
//!
//! The less memory an instance has, the sooner it is made: a stack of 64 KiB is enough for most kernels.
//!
//! This is the numbers form: up to 8 parameters, each i32, i64, f32 or f64, and one result of these. An i64 is
//! given whole numbers up to 2^53 - 1.
//!
//! For other inputs and results there is the JSON form. It exports two functions instead, so --export=alloc too:
//!
//!   export fn alloc(len: u32) [*]u8                     room for the input
//!   export fn run(input: [*]const u8, len: u32) ?[*]u8  reads the input as JSON, such as {"n":1234}
//!
//! run returns a pointer to the result's length (a u32, little endian) and, behind it, as many bytes of JSON. null
//! is no result. If the length's highest bit is set, the bytes are the words of an error.

export fn run(n: i64) i64 {
    var rest = @abs(n);
    var sum: i64 = 0;
    while (rest > 0) : (rest /= 10) {
        const digit: i64 = @intCast(rest % 10);
        sum += digit * digit;
    }
    return sum;
}
