//! The lengths of a client's messages, read from the heads of its WebSocket frames (RFC 6455, section
//! 5.2): how far a message has come that is begun, and whether it is too long. The libraries tell
//! neither.

use tequio_protocol::limits::SOCKETIO_ATTACHMENTS_MAX;

/// The longest head of a frame: two bytes, a length of eight and a mask of four.
const HEAD_BYTES_MAX: usize = 14;

/// What is looked at of a message: `45`, a number of attachments and a dash.
const START_BYTES: usize = 8;

/// Where in a stream of frames a reader is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What there is of a frame's head.
    head: [u8; HEAD_BYTES_MAX],
    head_bytes: usize,
    /// The length of the last head that was whole.
    last_head_bytes: usize,
    /// Bytes of its content that are still to come.
    left: u64,
    /// Bytes of the message so far, which may be in several frames, as they are announced.
    message: u64,
    /// Whether a message has begun and not ended, beside a frame that has.
    is_open: bool,
    /// Whether a frame of it was not its last.
    is_in_parts: bool,
    /// What the frame is whose content is being read.
    kind: Kind,
    /// Messages and control frames that have ended.
    ended: u64,
    /// Messages that have ended, with all that belongs to them.
    messages: u64,
    /// Whether a closing frame has ended: nothing follows it.
    is_closed: bool,
    /// `None` where no message has attachments.
    attachments: Option<Attachments>,
}

/// Of Socket.IO, where an event's attachments follow it as messages of their own.
#[derive(Debug, Default)]
struct Attachments {
    /// How many are still to come.
    left: usize,
    /// Bytes of the event and the attachments that have come.
    bytes: u64,
    /// The first bytes of the message that is being read.
    start: [u8; START_BYTES],
    start_bytes: usize,
    /// Bytes of the frame so far, as far as they are looked at.
    frame_bytes: usize,
    is_text: bool,
}

impl Attachments {
    /// A frame's head was read, which begins a message or goes on with it.
    fn begin(&mut self, head: &[u8], is_new: bool) {
        self.frame_bytes = 0;
        if is_new {
            self.start_bytes = 0;
            self.is_text = head[0] & 0x0f == 1;
        }
    }

    fn read(&mut self, head: &[u8], content: &[u8]) {
        // A client's frames have masks, at the end of their heads.
        let mask = head.get(head.len().saturating_sub(4)..).unwrap_or_default();
        for byte in content {
            if self.start_bytes == START_BYTES {
                return;
            }
            let mask = mask.get(self.frame_bytes % 4).copied().unwrap_or(0);
            self.start[self.start_bytes] = byte ^ mask;
            self.start_bytes += 1;
            self.frame_bytes += 1;
        }
    }

    /// A message has ended. Returns whether that is all of it.
    fn end(&mut self, bytes: u64) -> bool {
        let start = &self.start[..self.start_bytes];
        if !self.is_text {
            self.left = self.left.saturating_sub(1);
        } else if start.starts_with(b"4") {
            self.left = attachments(start);
        } else {
            // Of the layer below: a pong, which comes at any time.
            return self.left == 0;
        }
        self.bytes = if self.left == 0 { 0 } else { self.bytes + bytes };
        self.left == 0
    }
}

/// How many attachments follow an event, or an acknowledgement.
pub(super) fn attachments(packet: &[u8]) -> usize {
    let Some(rest) = packet.strip_prefix(b"45").or(packet.strip_prefix(b"46")) else { return 0 };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if rest.get(digits) != Some(&b'-') {
        return 0;
    }
    let count = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
    // An event with more is refused.
    count.filter(|count| *count <= SOCKETIO_ATTACHMENTS_MAX).unwrap_or(0)
}

#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    #[default]
    Control,
    Close,
    Part,
    Last,
}

impl Kind {
    /// Of the frame whose head begins with `first`.
    fn of(first: u8) -> Kind {
        let (opcode, is_last) = (first & 0x0f, first & 0x80 != 0);
        match opcode {
            0x8 => Kind::Close,
            0x9.. => Kind::Control,
            _ if is_last => Kind::Last,
            _ => Kind::Part,
        }
    }

    /// Whether it is a frame of a message, not one between messages.
    fn is_of_message(self) -> bool {
        matches!(self, Kind::Part | Kind::Last)
    }
}

impl Frames {
    /// Of Socket.IO: an event has not ended before its attachments have come.
    pub(super) fn with_attachments() -> Frames {
        Frames { attachments: Some(Attachments::default()), ..Frames::default() }
    }

    /// Reads on, and says whether a message has more than `bytes_max`.
    pub(super) fn exceed(&mut self, mut bytes: &[u8], bytes_max: usize) -> bool {
        while let Some((&next, rest)) = bytes.split_first() {
            if self.left > 0 {
                let content = self.left.min(bytes.len() as u64);
                self.left -= content;
                if let Some(attachments) = &mut self.attachments
                    && self.kind.is_of_message()
                {
                    let head = &self.head[..self.last_head_bytes];
                    attachments.read(head, &bytes[..content as usize]);
                }
                bytes = &bytes[content as usize..];
                self.end_frame();
                continue;
            }
            bytes = rest;
            self.head[self.head_bytes] = next;
            self.head_bytes += 1;
            let Some(length) = length_of(&self.head[..self.head_bytes]) else { continue };
            self.last_head_bytes = std::mem::take(&mut self.head_bytes);
            self.left = length;
            self.kind = Kind::of(self.head[0]);
            if self.kind.is_of_message() {
                if let Some(attachments) = &mut self.attachments {
                    attachments.begin(&self.head, !self.is_open);
                }
                self.is_open = true;
                self.is_in_parts |= matches!(self.kind, Kind::Part);
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
        self.is_closed |= matches!(self.kind, Kind::Close);
        if matches!(self.kind, Kind::Last) {
            let is_all = self.attachments.as_mut().is_none_or(|all| all.end(self.message));
            self.messages += u64::from(is_all);
            (self.is_open, self.is_in_parts, self.message) = (false, false, 0);
        }
    }

    /// Bytes that have come of a message or a frame that has begun and not ended; `None` where none has.
    pub(super) fn begun(&self) -> Option<usize> {
        let (attached, is_waiting) =
            self.attachments.as_ref().map_or((0, false), |all| (all.bytes, all.left > 0));
        if !self.is_within_frames() && !is_waiting {
            return None;
        }
        let bytes = attached.saturating_add(self.message).saturating_sub(self.left);
        Some(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Bytes that what has begun will come to, as they are announced; `unknown` for a message in several
    /// frames, which does not say it before the last of them.
    pub(super) fn room(&self, unknown: u64) -> u64 {
        let attached = self.attachments.as_ref().map_or(0, |all| all.bytes);
        let message =
            if matches!(self.kind, Kind::Part) { self.message.max(unknown) } else { self.message };
        attached.saturating_add(message)
    }

    /// Whether a message or a frame has begun and not ended, whatever belongs to it.
    pub(super) fn is_within_frames(&self) -> bool {
        self.is_open || self.left > 0 || self.head_bytes > 0
    }

    /// Whether the message that has begun is in several frames.
    pub(super) fn is_in_parts(&self) -> bool {
        self.is_in_parts
    }

    /// Messages that have ended, with all that belongs to them.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// Bytes of the message that has begun, as they are announced.
    pub(super) fn announced(&self) -> u64 {
        self.message
    }

    /// Bytes that end the frame whose content is being read.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Whether a closing frame has come.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
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
        assert!(frames.is_in_parts());
        let mut after = |bytes: &[u8]| {
            assert!(!frames.exceed(bytes, max));
            (frames.begun(), frames.announced(), frames.left(), frames.ended())
        };
        let close = frame(0x88, 2);
        assert_eq!(after(&close[..7]), (Some(0), 0, 1, 4), "a part of a closing frame");
        assert!(!frames.is_closed());
        frames.exceed(&close[7..], max);
        assert!(frames.is_closed());
    }

    #[test]
    fn an_event_has_not_ended_before_its_attachments_have_come() {
        let mut frames = Frames::with_attachments();
        let mut after = |first: u8, content: &[u8]| {
            let mask = [1, 2, 3, 4];
            let mut bytes = vec![first, 0x80 | content.len() as u8];
            bytes.extend(mask);
            bytes.extend(content.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
            for byte in bytes {
                assert!(!frames.exceed(&[byte], 1000));
            }
            (frames.begun(), frames.messages())
        };
        assert_eq!(after(0x81, b"42[\"message\"]"), (None, 1));
        assert_eq!(after(0x81, b"452-7[\"message\"]"), (Some(16), 1));
        assert_eq!(after(0x82, &[7; 100]), (Some(116), 1));
        assert_eq!(after(0x81, b"3"), (Some(116), 1), "a pong");
        assert_eq!(after(0x02, &[7; 10]), (Some(126), 1), "a part of an attachment");
        assert_eq!(after(0x80, &[7; 10]), (None, 2));
        assert_eq!(after(0x01, b"4"), (Some(1), 2));
        assert_eq!(after(0x80, b"510-[]"), (Some(7), 2));
        for (packet, count) in [
            (&b"451-"[..], 1),
            (b"4664-x", 64),
            (b"4665-x", 0),
            (b"45-", 0),
            (b"451", 0),
            (b"42[1-2]", 0),
        ] {
            assert_eq!(attachments(packet), count);
        }
    }
}
