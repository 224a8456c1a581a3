//! Results of neighbouring tasks, kept as they travel: a server that reads each number and writes it
//! again spends most of its time on that.

use crate::limits::FRAME_RESULTS_MAX;
use crate::number::Number;
use crate::scan::{Scan, Token};
use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// A list of [`Number`]s as a JSON array without white space. Each is known to be one; what it is
/// worth is read when somebody asks.
#[derive(Clone)]
pub struct Numbers {
    json: String,
    /// Where each begins in `json`. It ends one byte before the next, or before the closing bracket.
    starts: Vec<u32>,
    /// Whether one of them may be infinite or NaN.
    has_others: bool,
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.json.len() + self.starts.len() * size_of::<u32>()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The one at a place below [`Numbers::len`].
    pub fn get(&self, place: usize) -> Number {
        Number(match &self.json[self.starts[place] as usize..self.end(place)] {
            "\"NaN\"" => f64::NAN,
            "\"Infinity\"" => f64::INFINITY,
            "\"-Infinity\"" => f64::NEG_INFINITY,
            digits => {
                let token = Scan::new(digits).number();
                token.and_then(Token::value).expect("it was seen to be a number")
            }
        })
    }

    /// All, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Number> + '_ {
        (0..self.len()).map(|place| self.get(place))
    }

    /// The places of those that are not finite.
    pub fn not_finite(&self) -> impl Iterator<Item = usize> + '_ {
        let starts = if self.has_others { self.starts.as_slice() } else { &[] };
        let is_name = |start: &u32| self.json.as_bytes()[*start as usize] == b'"';
        starts.iter().enumerate().filter(move |(_, start)| is_name(start)).map(|(place, _)| place)
    }

    /// Those at some places.
    pub fn slice(&self, places: Range<usize>) -> Numbers {
        if places.is_empty() {
            return Numbers::from_iter([]);
        }
        let from = self.starts[places.start] as usize;
        let json = format!("[{}]", &self.json[from..self.end(places.end - 1)]);
        // Behind the bracket.
        let starts = self.starts[places].iter().map(|start| start - from as u32 + 1).collect();
        Numbers { json, starts, has_others: self.has_others }
    }

    /// Those at some places. All of them are handed over as they are, which costs no copy and leaves
    /// none.
    pub fn take(&mut self, places: Range<usize>) -> Numbers {
        if places == (0..self.len()) {
            return std::mem::replace(self, Numbers::from_iter([]));
        }
        self.slice(places)
    }

    /// Where the one at a place ends.
    fn end(&self, place: usize) -> usize {
        match self.starts.get(place + 1) {
            Some(next) => *next as usize - 1,
            None => self.json.len() - 1,
        }
    }

    /// The JSON array.
    pub fn into_json(self) -> String {
        self.json
    }

    /// Reads an array as we write it, which `scan` is at; none of any other.
    pub(crate) fn scan(scan: &mut Scan<'_>) -> Option<Numbers> {
        let whole = scan.rest();
        scan.take("[")?;
        // As long as most are: 17 digits, a point and a comma.
        let mut starts = Vec::with_capacity(whole.len() / 19 + 1);
        let mut has_others = false;
        loop {
            starts.push((whole.len() - scan.rest().len()) as u32);
            if scan.rest().starts_with('"') {
                let names = ["\"NaN\"", "\"Infinity\"", "\"-Infinity\""];
                names.iter().find_map(|name| scan.take(name))?;
                has_others = true;
            } else {
                let token = scan.number()?;
                // Without one it is finite: it is too short for anything else.
                if token.has_exponent {
                    token.value()?;
                }
            }
            if scan.take(",").is_none() {
                break;
            }
            if starts.len() > FRAME_RESULTS_MAX {
                return None;
            }
        }
        scan.take("]")?;
        let json = whole[..whole.len() - scan.rest().len()].to_owned();
        Some(Numbers { json, starts, has_others })
    }
}

impl FromIterator<Number> for Numbers {
    fn from_iter<I: IntoIterator<Item = Number>>(numbers: I) -> Numbers {
        let mut json = b"[".to_vec();
        let mut starts = Vec::new();
        let mut has_others = false;
        for number in numbers {
            if !starts.is_empty() {
                json.push(b',');
            }
            starts.push(json.len() as u32);
            has_others |= !number.0.is_finite();
            serde_json::to_writer(&mut json, &number).expect("a number is written into memory");
        }
        json.push(b']');
        let json = String::from_utf8(json).expect("JSON is UTF-8");
        Numbers { json, starts, has_others }
    }
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Numbers) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)
    }
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Numbers, D::Error> {
        Ok(Vec::<Number>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f64; 9] = [
        1.5372656826974733,
        -0.0,
        5e-324,
        f64::MAX,
        3.0,
        f64::INFINITY,
        f64::NAN,
        f64::NEG_INFINITY,
        1e21,
    ];

    fn scanned(json: &str) -> Option<Numbers> {
        let mut scan = Scan::new(json);
        Numbers::scan(&mut scan).filter(|_| scan.rest().is_empty())
    }

    #[test]
    fn they_are_written_and_read_to_the_bit() {
        let numbers: Numbers = VALUES.map(Number).into_iter().collect();
        assert!(numbers.iter().eq(VALUES.map(Number)));
        assert_eq!(numbers.not_finite().collect::<Vec<_>>(), [5, 6, 7]);
        let json = serde_json::to_string(&VALUES.map(Number)).unwrap();
        assert_eq!(serde_json::to_string(&numbers).unwrap(), json);
        let read = scanned(&json).unwrap();
        assert!(read.iter().eq(VALUES.map(Number)));
        assert_eq!(read.not_finite().collect::<Vec<_>>(), [5, 6, 7]);
        assert_eq!(serde_json::from_str::<Numbers>(&json).unwrap(), read);
        assert!(read.slice(3..6).iter().eq(VALUES[3..6].iter().copied().map(Number)));
        assert!(read.slice(4..4).is_empty());
        let mut left = read.clone();
        assert_eq!(left.take(1..3), read.slice(1..3));
        assert_eq!(left, read);
        assert_eq!(left.take(0..VALUES.len()), read);
        assert!(left.is_empty());
        assert_eq!(read.into_json(), json);
    }

    #[test]
    fn a_number_is_kept_no_longer_than_we_would_write_it() {
        let json = format!("[1.5{},2]", "0".repeat(1000));
        assert!(scanned(&json).is_none());
        assert_eq!(serde_json::from_str::<Numbers>(&json).unwrap().into_json(), "[1.5,2.0]");
    }

    #[test]
    fn what_is_no_such_array_is_left_to_others() {
        for json in [
            "",
            "[",
            "[]",
            "[1",
            "[1,]",
            "[,1]",
            "[1 ,2]",
            "[1e999]",
            "[01]",
            "[\"inf\"]",
            "[null]",
            "[[1]]",
            "[1]]",
        ] {
            assert!(scanned(json).is_none(), "{json}");
        }
    }
}
