//! How well a sequence is found in others: the Smith-Waterman score of the record `n` of the data against the
//! query, which is the data's first record, number 0. Two letters that are the same count 2, others -1, and a
//! letter left out on either side -2; the score is the highest that any part of one has with any part of the other.
//!
//!     tequio run align n=1..1000 --data sequences.fasta --reduce top:10
//!
//! The data is FASTA if it begins with `>`, and else each line that is not empty is a record. Upper and lower case
//! are the same. A number for which there is no record is a trap, and so is a job without data.
//!
//! Source: Smith, Waterman: Identification of common molecular subsequences, 1981, with a gap's cost linear in its
//! length.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[macro_use]
#[path = "support/kernel.rs"]
mod kernel;
#[macro_use]
#[path = "support/memory.rs"]
mod memory;

kernel! {
    params: br#"[{"name":"n","help":"which record of the data; 0 is the query"}]"#
}

export_alloc!();

const MATCH: i32 = 2;
const MISMATCH: i32 = -1;
const GAP: i32 = -2;

/// Between records, once they are compact.
const SEPARATOR: u8 = b'\n';

#[cfg(target_arch = "wasm32")]
mod exports {
    use super::{Aligner, compact, kernel, memory};

    static mut ALIGNER: Option<Aligner<'static>> = None;

    /// Takes the job's data. 1, which is an error, if it has no record.
    #[unsafe(no_mangle)]
    extern "C" fn init(data: *mut u8, length: u32) -> i32 {
        // SAFETY: the host has written so many bytes where `alloc` told it to, and has no more use for them.
        let data = unsafe { core::slice::from_raw_parts_mut(data, length as usize) };
        let Some(length) = compact(data) else {
            return 1;
        };
        let aligner = Aligner::new(&data[..length], memory::words);
        // SAFETY: there is one thread.
        unsafe { ALIGNER = Some(aligner) };
        0
    }

    /// The score of a record.
    #[unsafe(no_mangle)]
    extern "C" fn run(n: i64) -> i64 {
        // SAFETY: there is one thread.
        let aligner = unsafe { (*&raw mut ALIGNER).as_mut() };
        let n = usize::try_from(n).ok();
        match aligner.zip(n).and_then(|(aligner, n)| aligner.score(n)) {
            Some(score) => i64::from(score),
            None => kernel::trap(),
        }
    }
}

/// Leaves of the data nothing but the letters of its records, in upper case, with a separator between two.
/// Gives how many bytes that is; `None` if there is no record.
fn compact(data: &mut [u8]) -> Option<usize> {
    let first = *data.iter().find(|byte| !byte.is_ascii_whitespace())?;
    let is_fasta = first == b'>';
    let (mut read, mut written, mut has_record) = (0, 0, false);
    while read < data.len() {
        let length = data[read..].iter().take_while(|byte| **byte != b'\n').count();
        let is_header = is_fasta && data[read] == b'>';
        let is_blank = data[read..read + length].iter().all(u8::is_ascii_whitespace);
        if is_header || (!is_fasta && !is_blank) {
            if has_record {
                data[written] = SEPARATOR;
                written += 1;
            }
            has_record = true;
        }
        // What is written is never ahead of what is read: a separator takes the place of a line's end.
        for at in read..read + length {
            if !is_header && !data[at].is_ascii_whitespace() {
                data[written] = data[at].to_ascii_uppercase();
                written += 1;
            }
        }
        read += length + 1;
    }
    Some(written)
}

/// Scores records against the first of them.
struct Aligner<'a> {
    /// As [`compact`] leaves them.
    records: &'a [u8],
    query: &'a [u8],
    /// For each letter of the query the best score of what ends there.
    row: &'a mut [i32],
    /// The record after the one that was asked for last, and where it begins: tasks of a block are neighbours.
    next: (usize, usize),
}

impl<'a> Aligner<'a> {
    /// `room` gives a row of so many zeros.
    fn new(records: &'a [u8], room: impl FnOnce(usize) -> &'a mut [i32]) -> Aligner<'a> {
        let query = record(records, 0);
        Aligner { records, query, row: room(query.len()), next: (0, 0) }
    }

    /// The score of record number `n`; `None` if there are not as many.
    fn score(&mut self, n: usize) -> Option<i32> {
        let (mut number, mut start) = if self.next.0 <= n { self.next } else { (0, 0) };
        loop {
            // A start that is the end is that of an empty record behind a separator.
            if start > self.records.len() {
                return None;
            }
            let found = record(self.records, start);
            start += found.len() + 1;
            number += 1;
            if number > n {
                self.next = (number, start);
                return Some(score(self.query, found, self.row));
            }
        }
    }
}

/// What is between a place and the next separator.
fn record(records: &[u8], start: usize) -> &[u8] {
    let rest = &records[start..];
    &rest[..rest.iter().take_while(|byte| **byte != SEPARATOR).count()]
}

/// The Smith-Waterman score of two sequences, in a row as long as the first.
fn score(query: &[u8], sequence: &[u8], row: &mut [i32]) -> i32 {
    row.fill(0);
    let mut best = 0;
    for letter in sequence {
        let (mut diagonal, mut left) = (0, 0);
        for (wanted, cell) in query.iter().zip(&mut *row) {
            let paired = diagonal + if wanted == letter { MATCH } else { MISMATCH };
            diagonal = *cell;
            left = paired.max(*cell + GAP).max(left + GAP).max(0);
            *cell = left;
            best = best.max(left);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(data: &str) -> Option<String> {
        let mut data = data.as_bytes().to_vec();
        let length = compact(&mut data)?;
        Some(String::from_utf8(data[..length].to_vec()).unwrap())
    }

    fn scored(query: &str, sequence: &str) -> i32 {
        score(query.as_bytes(), sequence.as_bytes(), &mut vec![7; query.len()])
    }

    #[test]
    fn scores_are_those_that_are_worked_out_by_hand() {
        for (query, sequence, expected) in [
            ("", "ACGT", 0),
            ("ACGT", "", 0),
            ("A", "C", 0),
            ("ACGT", "ACGT", 8),
            // In the middle of both.
            ("TTTACGT", "CACGTCC", 8),
            // One mismatch: 4 + 4 - 1.
            ("ACGTA", "ACCTA", 7),
            // One gap, on either side: 4 + 4 - 2.
            ("AATTGG", "AATTCGG", 10),
            ("AATTCGG", "AATTGG", 10),
            // A gap of two costs as much as it brings.
            ("AAGG", "AACCGG", 4),
        ] {
            assert_eq!(scored(query, sequence), expected, "{query} {sequence}");
        }
    }

    #[test]
    fn scores_are_those_of_the_whole_matrix() {
        let mut state = 1_u64;
        let mut letters = |count: usize| -> Vec<u8> {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b"ACGT"[(state >> 62) as usize]
            };
            (0..count).map(|_| next()).collect()
        };
        for count in 1..60 {
            let (query, sequence) = (letters(count), letters(60 - count));
            let mut matrix = vec![vec![0; query.len() + 1]; sequence.len() + 1];
            for (i, letter) in sequence.iter().enumerate() {
                for (j, wanted) in query.iter().enumerate() {
                    let paired = matrix[i][j] + if wanted == letter { MATCH } else { MISMATCH };
                    let one_left_out = matrix[i][j + 1].max(matrix[i + 1][j]) + GAP;
                    matrix[i + 1][j + 1] = 0.max(paired).max(one_left_out);
                }
            }
            let expected = matrix.concat().into_iter().max().unwrap();
            assert_eq!(score(&query, &sequence, &mut vec![0; count]), expected);
        }
    }

    #[test]
    fn records_are_lines_or_fasta() {
        for (data, expected) in [
            ("acgt\nAC GT\n", "ACGT\nACGT"),
            ("\r\n acgt\r\n\r\nTT", "ACGT\nTT"),
            ("> one\nAC\nGT\n>two >x\ntt\r\n\n", "ACGT\nTT"),
            (">\n>empty\nA", "\nA"),
            ("A\n>B", "A\n>B"),
        ] {
            assert_eq!(compacted(data).as_deref(), Some(expected), "{data:?}");
        }
        assert_eq!(compacted(""), None);
        assert_eq!(compacted(" \r\n\t"), None);
    }

    #[test]
    fn any_record_is_found_and_none_beyond_the_last() {
        let mut row = [0; 4];
        let mut aligner = Aligner::new(b"ACGT\nAC\n\nCGT\nTT", |_| &mut row);
        let expected = [Some(8), Some(4), Some(0), Some(6), Some(2), None];
        for n in [0, 1, 2, 3, 4, 5, 3, 1, 5, 4, 0, 0] {
            assert_eq!(aligner.score(n), expected[n], "{n}");
        }
        assert_eq!(aligner.score(usize::MAX), None);
        let mut row = [];
        let mut aligner = Aligner::new(b"\n", |_| &mut row);
        assert_eq!(
            [aligner.score(0), aligner.score(1), aligner.score(2)],
            [Some(0), Some(0), None]
        );
    }
}
