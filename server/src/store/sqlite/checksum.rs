//! The checksum of a row: a CRC-32 over all that the row says. SQLite has none of its own, so that one bit that
//! a disk has turned would be another result.
//!
//! Every value is preceded by its length or its kind, so that no two rows are the same bytes.

use flate2::Crc;

/// A checksum that is being computed.
pub(super) struct Checksum {
    crc: Crc,
    /// What is not computed yet: a dozen short values one by one take five times as long.
    gathered: Vec<u8>,
}

/// What is longer is not copied for that.
const GATHERED_BYTES_MAX: usize = 256;

impl Checksum {
    pub(super) fn new() -> Checksum {
        Checksum { crc: Crc::new(), gathered: Vec::with_capacity(2 * GATHERED_BYTES_MAX) }
    }

    fn bytes(mut self, bytes: &[u8]) -> Checksum {
        if bytes.len() > GATHERED_BYTES_MAX {
            self.crc.update(&self.gathered);
            self.gathered.clear();
            self.crc.update(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
        self
    }

    pub(super) fn integer(self, value: i64) -> Checksum {
        self.bytes(&value.to_le_bytes())
    }

    /// SQLite does not keep the sign of a zero.
    pub(super) fn real(self, value: Option<f64>) -> Checksum {
        match value {
            Some(value) => self.bytes(&[1]).bytes(&(value + 0.0).to_bits().to_le_bytes()),
            None => self.bytes(&[0]),
        }
    }

    pub(super) fn text(self, value: &str) -> Checksum {
        self.bytes(&(value.len() as u64).to_le_bytes()).bytes(value.as_bytes())
    }

    pub(super) fn optional_text(self, value: Option<&str>) -> Checksum {
        let checksum = self.bytes(&[u8::from(value.is_some())]);
        match value {
            Some(value) => checksum.text(value),
            None => checksum,
        }
    }

    /// As the file keeps it.
    pub(super) fn sum(mut self) -> i64 {
        self.crc.update(&self.gathered);
        i64::from(self.crc.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32 (ISO-HDLC): a file is read by any build of this program.
    #[test]
    fn it_is_the_crc_that_everybody_has() {
        let mut crc = Crc::new();
        crc.update(b"123456789");
        assert_eq!(crc.sum(), 0xcbf4_3926);
        let row = || Checksum::new().integer(1).real(Some(1.5)).optional_text(None);
        assert_eq!(row().text("[1.5]").sum(), 0x0b79_5b43);
    }

    #[test]
    fn long_texts_are_summed_as_short_ones_are() {
        for bytes in [0, 1, GATHERED_BYTES_MAX, GATHERED_BYTES_MAX + 1, 10 * GATHERED_BYTES_MAX] {
            let text = "x".repeat(bytes);
            let mut crc = Crc::new();
            let length = (bytes as u64).to_le_bytes();
            for part in [7_i64.to_le_bytes().as_slice(), &length, text.as_bytes()] {
                crc.update(part);
            }
            crc.update(&8_i64.to_le_bytes());
            let sum = Checksum::new().integer(7).text(&text).integer(8).sum();
            assert_eq!(sum, i64::from(crc.sum()), "{bytes}");
        }
    }

    #[test]
    fn values_that_lie_side_by_side_are_told_apart() {
        let two = |one, other| Checksum::new().text(one).text(other).sum();
        assert_ne!(two("12", "3"), two("1", "23"));
        let maybe = |text| Checksum::new().optional_text(text).sum();
        assert_ne!(maybe(None), maybe(Some("")));
        let real = |value| Checksum::new().real(Some(value)).sum();
        assert_eq!(real(0.0), real(-0.0));
    }
}
