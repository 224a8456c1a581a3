//! Frames, grids, inputs and jobs as they should be, broken in a hundred thousand ways that follow from a seed.

mod decoding;

use decoding::CHECKS;

/// What is broken: one of each kind, and what is hard to read.
const WHOLE: [&str; 46] = [
    r#"{"type":"task","op":"repeat_multiply","task_id":1,"initial":1.0000054,"factor":1.00000043,"times":1000000}"#,
    r#"{"type":"result","task_id":1,"result":1.5372656826974733,"duration_ms":3,"agent":"Mozilla/5.0 (X11; Linux x86_64)"}"#,
    r#"{"type":"task","op":"collatz","task_id":1,"n":27}"#,
    r#"{"type":"result","task_id":1,"result":{"x":[1,"a b"],"y":{}},"duration_ms":0.123,"agent":null}"#,
    r#"{"type":"result","task_id":1,"result":null,"duration_ms":0.123,"agent":null}"#,
    r#"{"type":"error","code":"bad_task","message":"no","task_id":7}"#,
    r#"{"type":"error","code":"bad_lease","message":"n\"o\u00f1\\","lease":9}"#,
    r#"{"type":"hello","protocol":1,"agent":"Test/1.0","slots":8,"worker":"5f0c","ops":["repeat_multiply"]}"#,
    r#"{"type":"results","lease":9,"first":3,"results":[1.5,-0.0,3.0,5e-324],"duration_ms":2.5,"agent":"Test/1.0"}"#,
    r#"{"type":"results","lease":9,"first":0,"results":["Infinity","-Infinity","NaN"],"duration_ms":null,"agent":null}"#,
    r#"{"type":"results","lease":9,"first":3,"results":[null,{"x":[1.5,"\"]"]},null],"errors":{"3":"no","5":""},"duration_ms":2.5,"agent":"Test/1.0"}"#,
    r#"{"type":"results","lease":9,"first":3,"results":[ 1, [ true ] ],"duration_ms":2.5,"agent":"Test/1.0"}"#,
    r#"{"type":"failed","lease":9,"index":2,"error":"trap\n"}"#,
    r#"{"type":"progress","lease":9007199254740991}"#,
    r#"{"type":"release","lease":9}"#,
    r#"{"type":"slots","n":1024}"#,
    r#"{"type":"heartbeat"}"#,
    r#"{"type":"welcome","protocol":1,"worker_id":7,"heartbeat_s":15}"#,
    r#"{"type":"revoke","lease":9}"#,
    r#"{"type":"lease","lease":9,"job":1,"op":"repeat_multiply","first":17,"count":3,"grid":{"initial":[1.0,2.5],"factor":3.0,"times":{"from":0.0,"step":1.0,"count":10}},"deadline_ms":10000}"#,
    r#"{"type":"lease","lease":9,"job":1,"op":"repeat_multiply","first":4,"count":2,"inputs":[{"initial":-0.0,"factor":1.5,"times":0},{"initial":5e-324,"factor":1.5,"times":9007199254740991}],"deadline_ms":10000}"#,
    r#"{"type":"lease","lease":9,"job":1,"op":"collatz","first":64,"count":36,"block":64,"grid":{"n":{"from":1.0,"step":1.0,"count":100}},"deadline_ms":10000}"#,
    r#"{"type":"lease","lease":9,"job":1,"op":"collatz","first":4,"count":3,"block":2,"inputs":[{"n":27},{"n":0},"x"],"deadline_ms":10000}"#,
    r#"{"a":1,"b":"0..2","c":[1,2],"d":3,"e":4,"f":5,"g":6,"h":"1..=2:0.5"}"#,
    r#"{"n":"1..=9007199254740991"}"#,
    r#"{"initial":"0..=1:0.25","factor":[1,2,-0.5],"times":"0..1000000"}"#,
    r#"{"initial":1e300,"factor":{"from":-1,"step":0.001,"count":2001},"times":[0,1,9007199254740991]}"#,
    r#"{"from":-1.5,"step":0.5,"count":1000000}"#,
    r#""0..=1:0.25""#,
    "[1,2.5,-0.0,1e308]",
    "-1e3..=1.5e3:0.125",
    "0..=9007199254740990",
    "1, 2,5e-324",
    "3",
    r#"{"type":"lease","lease":9,"job":1,"op":"collatz","first":17,"count":3,"grid":{"n":{"from":1.0,"step":1.0,"count":20}},"deadline_ms":10000}"#,
    r#"{"type":"results","lease":9,"first":3,"results":[111,null,{"a":[true,"b"]}],"errors":{"1":"no"},"duration_ms":2.5,"agent":"Test/1.0"}"#,
    r#"{"op":"repeat_multiply","grid":{"initial":1,"factor":[1.5,2],"times":"0..100"},"name":"a","priority":-1}"#,
    r#"{"op":"collatz","axes":{"n":"1..=100"},"priority":null}"#,
    r#"{"op":"collatz","grid":{"n":[27,97,871,6171,77031,837799]},"name":"the records of their powers of ten"}"#,
    r#"{"axes":{"times":{"from":0,"step":1,"count":10},"initial":[1.5,-0.0],"factor":1.00000043},"op":"repeat_multiply"}"#,
    "{\"initial\":1,\"factor\":1.5,\"times\":10}\n\n{\"times\": 1e1, \"initial\": 0.5, \"factor\": -2, \"id\": [7]}\r\n",
    "[{\"n\":27},\n {\"n\":97.0}]",
    "{\"n\":27}\n{\"n\":9007199254740991}\n",
    "initial,factor,times\n1,1.5,10\n2,1.5,11\n",
    "sep=;\r\ntimes;id;initial;factor\r\n10;\"a;\"\"b\"\"\";1,5;-2\r\n",
    "n\n27\n97\n",
];

/// Pieces of text that matter to a reader.
const TOKENS: [&str; 34] = [
    "0",
    "1",
    "-",
    "-0",
    "-1",
    ".5",
    "1e308",
    "1e-320",
    "1e999",
    "9007199254740991",
    "..",
    "..=",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "null",
    "true",
    "\"\"",
    "\"NaN\"",
    "\"-Infinity\"",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "\"type\":\"lease\",",
    "\"count\":1,",
    "\"lease\":9,",
    "\"0..=0.3:0.1\"",
    "é",
];

/// SplitMix64 (Steele, Lea and Flood 2014): enough chance for breaking things.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// A part of `length` bytes, mostly a short one.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let count = self.below(12).min(length - start);
        start..start + count
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let part = random.part(bytes.len());
    match random.below(6) {
        0 => drop(bytes.drain(part)),
        1 => drop(bytes.splice(part, random.pick(&TOKENS).bytes())),
        2 => drop(bytes.splice(part.start..part.start, random.pick(&TOKENS).bytes())),
        3 => {
            let twice = bytes[part.clone()].to_vec();
            drop(bytes.splice(part.start..part.start, twice));
        }
        4 => {
            let other = random.pick(&WHOLE);
            let of_other = random.part(other.len());
            drop(bytes.splice(part, other.as_bytes()[of_other].iter().copied()));
        }
        _ => {
            if let Some(byte) = bytes.get_mut(part.start) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

#[test]
fn each_of_them_is_read_as_it_is() {
    for text in WHOLE {
        assert!(CHECKS.iter().any(|check| check(text.as_bytes())), "{text}");
    }
}

#[test]
fn a_hundred_thousand_broken_frames_do_no_harm() {
    let mut random = Random(1);
    let mut read = [0; CHECKS.len()];
    for _ in 0..100_000 {
        let mut bytes = random.pick(&WHOLE).as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            mutate(&mut bytes, &mut random);
        }
        for (count, check) in read.iter_mut().zip(CHECKS) {
            *count += usize::from(check(&bytes));
        }
    }
    assert!(read.iter().all(|count| *count > 100), "too few can still be read: {read:?}");
}
