//! The checksum of a row: a CRC-32 over all that the row says. SQLite has none of its own, so that one bit that
//! a disk has turned would be another result.
//!
//! Every value is preceded by its length or its kind, so that no two rows are the same bytes.

use flate2::Crc;

/// A checksum that is being computed.
pub(super) struct Checksum(Crc);

impl Checksum {
    pub(super) fn new() -> Checksum {
        Checksum(Crc::new())
    }

    pub(super) fn integer(mut self, value: i64) -> Checksum {
        self.0.update(&value.to_le_bytes());
        self
    }

    /// SQLite does not keep the sign of a zero.
    pub(super) fn real(mut self, value: Option<f64>) -> Checksum {
        match value {
            Some(value) => {
                self.0.update(&[1]);
                self.0.update(&(value + 0.0).to_bits().to_le_bytes());
            }
            None => self.0.update(&[0]),
        }
        self
    }

    pub(super) fn text(mut self, value: &str) -> Checksum {
        self.0.update(&(value.len() as u64).to_le_bytes());
        self.0.update(value.as_bytes());
        self
    }

    pub(super) fn optional_text(mut self, value: Option<&str>) -> Checksum {
        self.0.update(&[u8::from(value.is_some())]);
        match value {
            Some(value) => self.text(value),
            None => self,
        }
    }

    /// As the file keeps it.
    pub(super) fn sum(self) -> i64 {
        i64::from(self.0.sum())
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
    fn values_that_lie_side_by_side_are_told_apart() {
        let two = |one, other| Checksum::new().text(one).text(other).sum();
        assert_ne!(two("12", "3"), two("1", "23"));
        let maybe = |text| Checksum::new().optional_text(text).sum();
        assert_ne!(maybe(None), maybe(Some("")));
        let real = |value| Checksum::new().real(Some(value)).sum();
        assert_eq!(real(0.0), real(-0.0));
    }
}
