//! A hash puzzle: 1 if the SHA-256 of the text `tequio:` and then `n`, such as `tequio:42`, begins with 16 zero
//! bits; else 0. One number in 65,536 does. Nobody knows a faster way to find them than to try.
//!
//!     tequio run search n=0..10000000 --hits --stop-after 20
//!
//! Source: FIPS 180-4, <https://csrc.nist.gov/pubs/fips/180-4/upd1/final>.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[macro_use]
#[path = "support/kernel.rs"]
mod kernel;

kernel! {
    params: br#"[{"name":"n","default":"0..10000000","help":"the number after tequio:"}]"#
}

/// What stands before the number.
const PREFIX: &[u8] = b"tequio:";

/// How many bits must be 0.
const ZERO_BITS: u32 = 16;

/// Whether the digest for `n` begins with zero bits.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn run(n: i64) -> i32 {
    i32::from(digest(text(n, &mut [0; 27]))[0].leading_zeros() >= ZERO_BITS)
}

/// Writes the text for `n` to the end of `room`, which the longest fits into.
fn text(n: i64, room: &mut [u8; 27]) -> &[u8] {
    let mut start = room.len();
    let mut put = |byte| {
        start -= 1;
        room[start] = byte;
    };
    let mut rest = n.unsigned_abs();
    loop {
        put(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        put(b'-');
    }
    PREFIX.iter().rev().copied().for_each(put);
    &room[start..]
}

/// SHA-256 of at most 55 bytes, which are one block of it with their padding.
fn digest(message: &[u8]) -> [u32; 8] {
    let mut block = [0; 64];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x80;
    block[56..].copy_from_slice(&(8 * message.len() as u64).to_be_bytes());
    compress(&block)
}

/// The hash of one block, from the initial value.
fn compress(block: &[u8; 64]) -> [u32; 8] {
    let mut words = [0; 64];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for t in 16..64 {
        let (w15, w2) = (words[t - 15], words[t - 2]);
        let sigma0 = w15.rotate_right(7) ^ w15.rotate_right(18) ^ (w15 >> 3);
        let sigma1 = w2.rotate_right(17) ^ w2.rotate_right(19) ^ (w2 >> 10);
        words[t] =
            sigma1.wrapping_add(words[t - 7]).wrapping_add(sigma0).wrapping_add(words[t - 16]);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = INITIAL;
    for (word, constant) in words.into_iter().zip(CONSTANTS) {
        let sum1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let t1 =
            h.wrapping_add(sum1).wrapping_add(choice).wrapping_add(constant).wrapping_add(word);
        let sum0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let t2 = sum0.wrapping_add(majority);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    let mut hash = INITIAL;
    for (word, value) in hash.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(value);
    }
    hash
}

const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

const CONSTANTS: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(message: &[u8]) -> String {
        digest(message).iter().map(|word| format!("{word:08x}")).collect()
    }

    #[test]
    fn digests_are_those_that_are_published() {
        for (message, expected) in [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            // The longest that is one block.
            (
                "0123456789012345678901234567890123456789012345678901234",
                "f34d5a0f80c0cbf84c8c0b90218c22637abd199965249da736a20143c8c9c9d9",
            ),
            ("tequio:42", "bc539398854e7c3136ab695b730df459fc3b654ba8f59da0039ade29b93164dc"),
        ] {
            assert_eq!(hex(message.as_bytes()), expected, "{message}");
        }
    }

    #[test]
    fn a_number_is_written_as_people_write_it() {
        for (n, expected) in [
            (0, "tequio:0"),
            (10_203, "tequio:10203"),
            (-7, "tequio:-7"),
            (i64::MIN, "tequio:-9223372036854775808"),
        ] {
            assert_eq!(text(n, &mut [0; 27]), expected.as_bytes());
        }
    }

    #[test]
    fn hits_are_those_that_another_program_finds() {
        // hashlib of Python.
        assert!((0..200_000).filter(|n| run(*n) == 1).eq([87962, 158619]));
    }
}
