//! A kernel: the sum of the squares of a number's digits. Cargo.toml says how it is built.
//!
//! This is the numbers form: up to 8 parameters, each i32, i64, f32 or f64, and one result of these. An i64
//! is given whole numbers up to 2^53 - 1.
//!
//! For other inputs and results there is the JSON form. It exports two functions instead:
//!
//! - `alloc(len: u32) -> *mut u8`: room for the input;
//! - `run(input: *const u8, len: u32) -> *const u8`: it reads the input as JSON, such as `{"n":1234}`, and returns a
//!   pointer to the result's length (a u32, little endian) and, behind it, as many bytes of JSON. 0 is no result.
//!   If the length's highest bit is set, the bytes are the words of an error.
//!
//! A panic is a trap, and the task's outcome is then that error.

/// What a form shows of the parameters.
const PARAMS: &str = r#"[{"name":"n","default":"1..=1000","help":"from 0"}]"#;

#[link_section = "tequio.params"]
pub static SECTION: [u8; PARAMS.len()] = *PARAMS.as_bytes().first_chunk().unwrap();

#[no_mangle]
pub extern "C" fn run(n: i64) -> i64 {
    let mut rest = n.unsigned_abs();
    let mut sum = 0;
    while rest > 0 {
        let digit = (rest % 10) as i64;
        sum += digit * digit;
        rest /= 10;
    }
    sum
}
