//! The lengths of a client's messages, read from the heads of its WebSocket frames (RFC 6455, section
//! 5.2): how far a message has come that is begun, and whether it is too long. The libraries tell
//! neither.

/// The longest head of a frame: two bytes, a length of eight and a mask of four.
const HEAD_BYTES_MAX: usize = 14;

/// Where in a stream of frames a reader is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What there is of a frame's head.
    head: [u8; HEAD_BYTES_MAX],
    head_bytes: usize,
    /// Bytes of its content that are still to come.
    left: u64,
    /// Bytes of the message so far, which may be in several frames, as they are announced.
    message: u64,
    /// Whether a message has begun and not ended, beside a frame that has.
    is_open: bool,
    /// What the frame is whose content is being read.
    kind: Kind,
    /// Messages and control frames that have ended.
    ended: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    #[default]
    Control,
    Part,
    Last,
}

impl Frames {
    /// Reads on, and says whether a message has more than `bytes_max`.
    pub(super) fn exceed(&mut self, mut bytes: &[u8], bytes_max: usize) -> bool {
        while let Some((&next, rest)) = bytes.split_first() {
            if self.left > 0 {
                let content = self.left.min(bytes.len() as u64);
                self.left -= content;
                bytes = &bytes[content as usize..];
                self.end_frame();
                continue;
            }
            bytes = rest;
            self.head[self.head_bytes] = next;
            self.head_bytes += 1;
            let Some(length) = length_of(&self.head[..self.head_bytes]) else { continue };
            self.head_bytes = 0;
            self.left = length;
            let is_last = self.head[0] & 0x80 != 0;
            self.kind = match (self.head[0] & 0x08 != 0, is_last) {
                (true, _) => Kind::Control,
                (false, true) => Kind::Last,
                (false, false) => Kind::Part,
            };
            if !matches!(self.kind, Kind::Control) {
                self.is_open = true;
                self.message = self.message.saturating_add(length);
                if self.message > bytes_max as u64 {
                    return true;
                }
            }
            self.end_frame();
        }
        false
    }

    fn end_frame(&mut self) {
        if self.left > 0 || matches!(self.kind, Kind::Part) {
            return;
        }
        self.ended += 1;
        if matches!(self.kind, Kind::Last) {
            (self.is_open, self.message) = (false, 0);
        }
    }

    /// Bytes that have come of a message or a frame that has begun and not ended; `None` where none has.
    pub(super) fn begun(&self) -> Option<usize> {
        let is_begun = self.is_open || self.left > 0 || self.head_bytes > 0;
        is_begun
            .then(|| usize::try_from(self.message.saturating_sub(self.left)).unwrap_or(usize::MAX))
    }

    /// Bytes of the message that has begun, as they are announced.
    pub(super) fn announced(&self) -> u64 {
        self.message
    }

    /// Bytes that end the frame whose content is being read.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Messages and control frames that have ended.
    pub(super) fn ended(&self) -> u64 {
        self.ended
    }
}

/// The length of a frame's content, once its head is whole.
fn length_of(head: &[u8]) -> Option<u64> {
    let second = head.get(1)?;
    let mask_bytes = if second & 0x80 != 0 { 4 } else { 0 };
    let (length_bytes, short) = match second & 0x7f {
        126 => (2, None),
        127 => (8, None),
        length => (0, Some(u64::from(length))),
    };
    if head.len() < 2 + length_bytes + mask_bytes {
        return None;
    }
    let long = || head[2..2 + length_bytes].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some(short.unwrap_or_else(long))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(0x80 | length as u8),
            126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.resize(frame.len() + length, 7);
        frame
    }

    #[test]
    fn a_message_that_is_too_long_is_seen_however_it_comes() {
        const TEXT: u8 = 0x81;
        const PING: u8 = 0x89;
        let max = 70_000;
        let table: [(&[(u8, usize)], bool); 6] = [
            (&[(TEXT, 0), (TEXT, 125), (TEXT, 126), (TEXT, 65_536), (TEXT, max)], false),
            (&[(TEXT, max + 1)], true),
            (&[(TEXT, 3), (PING, 5), (TEXT, max + 1)], true),
            // In parts, with a ping between them.
            (&[(0x01, 40_000), (PING, 5), (0x80, 30_000), (TEXT, max)], false),
            (&[(0x01, 40_000), (PING, 5), (0x00, 30_000), (0x80, 1)], true),
            (&[(0x02, max), (0x80, 0)], false),
        ];
        for (frames, is_over) in table {
            let stream: Vec<u8> =
                frames.iter().flat_map(|(first, length)| frame(*first, *length)).collect();
            for at_once in [1, 7, 4096, stream.len()] {
                let mut reader = Frames::default();
                let seen = stream.chunks(at_once).any(|bytes| reader.exceed(bytes, max));
                assert_eq!(seen, is_over, "{frames:?}, {at_once} at once");
            }
        }
    }

    #[test]
    fn what_is_begun_is_known() {
        let max = 1_000_000;
        let mut frames = Frames::default();
        let mut after = |bytes: &[u8]| {
            assert!(!frames.exceed(bytes, max));
            (frames.begun(), frames.announced(), frames.left(), frames.ended())
        };
        assert_eq!(after(&[]), (None, 0, 0, 0));
        let text = frame(0x81, 1000);
        assert_eq!(after(&text[..3]), (Some(0), 0, 0, 0), "a part of a head");
        assert_eq!(after(&text[3..408]), (Some(400), 1000, 600, 0));
        assert_eq!(after(&text[408..]), (None, 0, 0, 1));
        assert_eq!(after(&frame(0x02, 300)), (Some(300), 300, 0, 1), "a fragment");
        assert_eq!(after(&frame(0x89, 5)), (Some(300), 300, 0, 2), "a ping between fragments");
        assert_eq!(after(&frame(0x00, 0)), (Some(300), 300, 0, 2));
        assert_eq!(after(&frame(0x80, 20)), (None, 0, 0, 3));
        assert_eq!(after(&frame(0x81, 0)), (None, 0, 0, 4));
        assert_eq!(after(&frame(0x01, 0)), (Some(0), 0, 0, 4), "a message without a byte");
    }
}
