//! The lengths of a client's messages, read from the heads of its WebSocket frames (RFC 6455, section
//! 5.2): the library ends a connection whose message is too long, and does not say that it was.

/// Where in a stream of frames a reader is.
#[derive(Debug, Default)]
pub(in crate::web) struct Frames {
    /// What there is of a frame's head.
    head: Vec<u8>,
    /// Bytes of its content that are still to come.
    left: u64,
    /// Bytes of the message so far, which may be in several frames.
    message: u64,
}

impl Frames {
    /// Reads on, and says whether a message has more than `bytes_max`.
    pub(in crate::web) fn exceed(&mut self, mut bytes: &[u8], bytes_max: usize) -> bool {
        while let Some((&next, rest)) = bytes.split_first() {
            if self.left > 0 {
                let content = self.left.min(bytes.len() as u64);
                self.left -= content;
                bytes = &bytes[content as usize..];
                continue;
            }
            bytes = rest;
            self.head.push(next);
            let Some(length) = length_of(&self.head) else { continue };
            let (is_last, is_control) = (self.head[0] & 0x80 != 0, self.head[0] & 0x08 != 0);
            self.head.clear();
            self.left = length;
            if !is_control {
                self.message = self.message.saturating_add(length);
                if self.message > bytes_max as u64 {
                    return true;
                }
                self.message = if is_last { 0 } else { self.message };
            }
        }
        false
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
}
