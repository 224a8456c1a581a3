//! Rooms and who is in them. No clock and no I/O: what is sent to a member is put into its outbox.

use crate::lock::lock;
use crate::outbox::{Bounds, Counted, Inlet, Outbox, Outboxes, Waits};
use crate::wall_clock::rfc3339;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tequio_protocol::chat::ChatEvent;
use tequio_protocol::limits::{
    CHAT_HISTORIES_BYTES_MAX, CHAT_HISTORY_BYTES_MAX, CHAT_HISTORY_MAX, CHAT_NAME_CHARS_MAX,
    CHAT_OUTBOXES_BYTES_MAX, CHAT_ROOM_CHARS_MAX, CHAT_ROOMS_MAX, CHAT_WAITING_BYTES_MAX,
};
use tequio_protocol::text::printable;

/// What a room is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomName(String);

/// What a member is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberName(String);

/// What a member is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// What was said, as it was said.
    #[default]
    Text,
    /// Every [`ChatEvent`], as JSON, and the last ones of the time before.
    Json,
}

/// What a member is sent of the time before it joined, where its format has that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Before {
    /// The last messages.
    #[default]
    Told,
    /// Nothing: it is not known whose page it is.
    Untold,
}

/// Who joins a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// What the others know it by.
    pub name: Option<MemberName>,
    /// What it is sent.
    pub format: Format,
    /// Whether it is sent what was said before.
    pub before: Before,
}

/// What rooms may hold.
#[derive(Clone, Copy, Debug)]
pub struct RoomLimits {
    /// See [`CHAT_WAITING_BYTES_MAX`].
    pub waiting_bytes_max: usize,
    /// See [`CHAT_OUTBOXES_BYTES_MAX`].
    pub outboxes_bytes_max: usize,
    /// See [`CHAT_HISTORIES_BYTES_MAX`].
    pub histories_bytes_max: usize,
}

impl Default for RoomLimits {
    fn default() -> RoomLimits {
        RoomLimits {
            waiting_bytes_max: CHAT_WAITING_BYTES_MAX,
            outboxes_bytes_max: CHAT_OUTBOXES_BYTES_MAX,
            histories_bytes_max: CHAT_HISTORIES_BYTES_MAX,
        }
    }
}

/// All rooms. Rooms wait for each other only while somebody joins, or histories are too long.
#[derive(Debug)]
pub struct Rooms {
    all: Mutex<HashMap<RoomName, Arc<Mutex<Room>>>>,
    outboxes: Outboxes<Arc<Message>>,
    /// What the histories of all rooms have.
    histories: Arc<AtomicUsize>,
    limits: RoomLimits,
}

impl Default for Rooms {
    fn default() -> Rooms {
        Rooms::new(RoomLimits::default())
    }
}

/// What is said or happens, as it is sent: written once for all who are sent it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) text: Box<str>,
    said_ms: u64,
    /// It is there once, however many it waits for.
    _counted: Counted,
}

/// What a message costs beside its text.
const MESSAGE_BYTES: usize = 64;

impl Waits for Arc<Message> {
    fn since_ms(&self) -> u64 {
        self.said_ms
    }

    fn bytes(&self) -> usize {
        MESSAGE_BYTES + self.text.len()
    }
}

/// Every room has somebody in it, and there are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {CHAT_ROOMS_MAX} rooms, and none is empty")]
pub(super) struct Full;

/// A member's place in a room.
#[derive(Debug)]
pub(super) struct Seat {
    rooms: Arc<Rooms>,
    room: Arc<Mutex<Room>>,
    number: u64,
}

#[derive(Debug)]
struct Room {
    outboxes: Outboxes<Arc<Message>>,
    members: BTreeMap<u64, Present>,
    /// The last of what was said, as JSON.
    history: History,
    /// When the last member left, in milliseconds since 1970.
    empty_since_ms: u64,
}

/// The last of what was said in a room.
#[derive(Debug)]
struct History {
    said: VecDeque<Arc<Message>>,
    bytes: usize,
    /// What those of all rooms have.
    all: Arc<AtomicUsize>,
}

impl History {
    fn push(&mut self, said: Arc<Message>) {
        self.bytes += said.bytes();
        self.all.fetch_add(said.bytes(), Ordering::Relaxed);
        self.said.push_back(said);
        while self.said.len() > CHAT_HISTORY_MAX || self.bytes > CHAT_HISTORY_BYTES_MAX {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(said) = self.said.pop_front() {
            self.bytes -= said.bytes();
            self.all.fetch_sub(said.bytes(), Ordering::Relaxed);
        }
    }

    fn clear(&mut self) {
        while !self.said.is_empty() {
            self.pop();
        }
        self.said = VecDeque::new();
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.clear();
    }
}

#[derive(Debug)]
struct Present {
    member: Member,
    outbox: Inlet<Arc<Message>>,
}

impl RoomName {
    /// The room that has no name.
    pub fn none() -> RoomName {
        RoomName(String::new())
    }

    fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The room of that name; says what is wrong with it if it cannot be one.
    pub fn parse(name: &str) -> Result<RoomName, String> {
        check_name("a room's name", name, CHAT_ROOM_CHARS_MAX)?;
        if name.contains('/') {
            return Err("a room's name has no / in it".to_owned());
        }
        Ok(RoomName(name.to_owned()))
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => f.write_str("/chat"),
            name => write!(f, "/chat/{name}"),
        }
    }
}

impl MemberName {
    /// A name; says what is wrong with it if it cannot be one.
    pub fn parse(name: &str) -> Result<MemberName, String> {
        let name = name.trim();
        check_name("a member's name", name, CHAT_NAME_CHARS_MAX)?;
        if name.starts_with('#') {
            return Err("a member's name does not begin with #, as those without one do".to_owned());
        }
        Ok(MemberName(name.to_owned()))
    }
}

fn check_name(what: &str, name: &str, chars_max: usize) -> Result<(), String> {
    // Neither can a name break a line of the console, nor look like another by what is not seen.
    let is_printable = printable(name, chars_max) == name && !name.contains(is_invisible);
    if is_printable && !name.trim().is_empty() {
        return Ok(());
    }
    Err(format!("{what} has 1 to {chars_max} characters, none of them a control character"))
}

/// What has no width and joins nothing; the joiners of scripts and emoji do (U+200C, U+200D).
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
    )
}

impl Format {
    /// The format of that name.
    pub fn parse(name: &str) -> Result<Format, String> {
        match name {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err("format is text or json".to_owned()),
        }
    }
}

impl Rooms {
    /// Rooms that nobody is in yet.
    pub fn new(limits: RoomLimits) -> Rooms {
        let bounds = Bounds {
            each_max: usize::MAX,
            each_bytes_max: limits.waiting_bytes_max,
            all_bytes_max: limits.outboxes_bytes_max,
        };
        let outboxes = Outboxes::new(bounds);
        Rooms { all: Mutex::default(), outboxes, histories: Arc::default(), limits }
    }

    fn room(&self) -> Arc<Mutex<Room>> {
        let history = History { said: VecDeque::new(), bytes: 0, all: self.histories.clone() };
        Arc::new(Mutex::new(Room {
            outboxes: self.outboxes.clone(),
            members: BTreeMap::new(),
            history,
            empty_since_ms: 0,
        }))
    }

    /// Seats a member, by whose `number` those without a name are known. Nobody else in any room has
    /// it.
    pub(super) fn join(
        self: &Arc<Self>,
        room: &RoomName,
        number: u64,
        member: Member,
        unix_ms: u64,
    ) -> Result<(Seat, Outbox<Arc<Message>>), Full> {
        let mut all = lock(&self.all);
        let room = match all.get(room) {
            Some(room) => room.clone(),
            None => {
                // Whatever is done with the others, the one that everybody finds is there.
                if !room.is_none() {
                    make_place(&mut all)?;
                }
                all.entry(room.clone()).or_insert_with(|| self.room()).clone()
            }
        };
        // While all rooms are held: nobody takes this one for empty.
        let outbox = lock(&room).enter(number, member, unix_ms);
        Ok((Seat { rooms: self.clone(), room, number }, outbox))
    }

    /// Forgets what was said in the rooms where nothing was said for the longest, while all histories
    /// together are too long.
    fn forget(&self) {
        let rooms: Vec<Arc<Mutex<Room>>> = lock(&self.all).values().cloned().collect();
        let last = |room: &Arc<Mutex<Room>>| lock(room).history.said.back().map(|it| it.said_ms);
        let mut told: Vec<_> = rooms.iter().filter_map(|it| last(it).map(|ms| (ms, it))).collect();
        told.sort_by_key(|(ms, _)| *ms);
        for (_, room) in told {
            if self.histories.load(Ordering::Relaxed) <= self.limits.histories_bytes_max {
                return;
            }
            lock(room).history.clear();
        }
    }
}

/// Sees to it that there is place for one more.
fn make_place(all: &mut HashMap<RoomName, Arc<Mutex<Room>>>) -> Result<(), Full> {
    if all.len() < CHAT_ROOMS_MAX {
        return Ok(());
    }
    let empty = all.iter().filter(|(name, _)| !name.is_none()).filter_map(|(name, room)| {
        let room = lock(room);
        room.members.is_empty().then_some((room.empty_since_ms, name))
    });
    let (_, oldest) = empty.min_by_key(|(since_ms, _)| *since_ms).ok_or(Full)?;
    let oldest = oldest.clone();
    all.remove(&oldest);
    Ok(())
}

impl Seat {
    /// Tells the whole room; gives how many that are.
    pub(super) fn say(&self, text: &str, unix_ms: u64) -> usize {
        let mut room = lock(&self.room);
        let Some(present) = room.members.get(&self.number) else { return 0 };
        let from = match &present.member.name {
            Some(name) => name.0.clone(),
            None => format!("#{}", self.number),
        };
        let said = ChatEvent::Said { from, text: text.to_owned(), at: rfc3339(unix_ms) };
        let news = room.news(&said, Some(text), unix_ms);
        room.history.push(news.json.clone());
        let count = room.tell(news, unix_ms);
        drop(room);
        if self.rooms.histories.load(Ordering::Relaxed) > self.rooms.limits.histories_bytes_max {
            self.rooms.forget();
        }
        count
    }

    /// Gives the seat up.
    pub(super) fn leave(&self, unix_ms: u64) {
        let mut room = lock(&self.room);
        // It may have been given up for it.
        if let Some(present) = room.members.remove(&self.number)
            && let Some(news) = room.left(present, unix_ms)
        {
            room.tell(news, unix_ms);
        }
    }
}

impl Room {
    fn enter(&mut self, number: u64, member: Member, unix_ms: u64) -> Outbox<Arc<Message>> {
        let (inlet, outbox) = self.outboxes.open();
        if (member.format, member.before) == (Format::Json, Before::Told) {
            for said in &self.history.said {
                // There is place for more than all of them.
                inlet.put(said.clone()).ok();
            }
        }
        let name = member.name.clone();
        self.members.insert(number, Present { member, outbox: inlet });
        if let Some(MemberName(joined)) = name {
            let members = self.members.len() as u32;
            let joined = ChatEvent::Joined { joined, members, at: rfc3339(unix_ms) };
            let news = self.news(&joined, None, unix_ms);
            self.tell(news, unix_ms);
        }
        outbox
    }

    fn news(&self, event: &ChatEvent, text: Option<&str>, unix_ms: u64) -> News {
        let message = |text: &str| {
            let counted = self.outboxes.count(MESSAGE_BYTES + text.len());
            Arc::new(Message { text: text.into(), said_ms: unix_ms, _counted: counted })
        };
        let json = serde_json::to_string(event).expect("events are plain data");
        News { json: message(&json), text: text.map(message) }
    }

    /// Puts news into every outbox, and gives up the members whose outbox is full, which is news too;
    /// gives how many were told of the first.
    fn tell(&mut self, news: News, unix_ms: u64) -> usize {
        let (count, mut gone) = self.tell_once(&news);
        while let Some(number) = gone.pop() {
            let Some(present) = self.members.remove(&number) else { continue };
            if let Some(news) = self.left(present, unix_ms) {
                gone.extend(self.tell_once(&news).1);
            }
        }
        count
    }

    /// Gives how many were told, and who could not be.
    fn tell_once(&self, news: &News) -> (usize, Vec<u64>) {
        let mut count = 0;
        let mut gone = Vec::new();
        for (number, present) in &self.members {
            let message = match present.member.format {
                Format::Json => Some(&news.json),
                Format::Text => news.text.as_ref(),
            };
            let Some(message) = message else { continue };
            match present.outbox.put(message.clone()) {
                Ok(()) => count += 1,
                Err(_) => gone.push(*number),
            }
        }
        (count, gone)
    }

    /// What is told of a member that is not there any more.
    fn left(&mut self, gone: Present, unix_ms: u64) -> Option<News> {
        self.empty_since_ms = unix_ms;
        let MemberName(left) = gone.member.name?;
        let members = self.members.len() as u32;
        let left = ChatEvent::Left { left, members, at: rfc3339(unix_ms) };
        Some(self.news(&left, None, unix_ms))
    }
}

/// An event as it is sent, written once for all.
struct News {
    json: Arc<Message>,
    /// None where members who did not ask for JSON are not told.
    text: Option<Arc<Message>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, format: Format) -> Member {
        Member { name: MemberName::parse(name).ok(), format, ..Member::default() }
    }

    fn texts(outbox: &mut Outbox<Arc<Message>>) -> Vec<String> {
        outbox.take_all().iter().map(|message| message.text.to_string()).collect()
    }

    fn nameless(format: Format) -> Member {
        Member { format, ..Member::default() }
    }

    #[test]
    fn all_get_what_one_says_in_the_form_that_they_asked_for() {
        let rooms = Arc::new(Rooms::default());
        let main = RoomName::none();
        let (plain, mut to_plain) = rooms.join(&main, 1, nameless(Format::Text), 0).unwrap();
        let (ana, mut to_ana) = rooms.join(&main, 2, named("Ana", Format::Json), 1000).unwrap();
        let other = RoomName::parse("other").unwrap();
        let (_, mut elsewhere) = rooms.join(&other, 3, nameless(Format::Text), 0).unwrap();
        assert_eq!(plain.say("hi", 2000), 2);
        assert_eq!(ana.say("\"hola\"", 3000), 2);
        assert_eq!(texts(&mut to_plain), ["hi", "\"hola\""]);
        let expected = [
            r##"{"joined":"Ana","members":2,"at":"1970-01-01T00:00:01.000Z"}"##,
            r##"{"from":"#1","text":"hi","at":"1970-01-01T00:00:02.000Z"}"##,
            r##"{"from":"Ana","text":"\"hola\"","at":"1970-01-01T00:00:03.000Z"}"##,
        ];
        assert_eq!(texts(&mut to_ana), expected);
        assert!(texts(&mut elsewhere).is_empty());
    }

    #[test]
    fn who_comes_later_is_told_the_last_of_what_was_said() {
        let rooms = Arc::new(Rooms::default());
        let main = RoomName::none();
        let (first, outbox) = rooms.join(&main, 1, nameless(Format::Text), 0).unwrap();
        for number in 0..CHAT_HISTORY_MAX + 3 {
            first.say(&number.to_string(), 0);
        }
        let (_, mut plain) = rooms.join(&main, 2, nameless(Format::Text), 0).unwrap();
        assert!(texts(&mut plain).is_empty());
        // Even when nobody was there in between.
        first.leave(1);
        drop((outbox, plain));
        let (ana, mut json) = rooms.join(&main, 3, named("Ana", Format::Json), 0).unwrap();
        let told = texts(&mut json);
        assert_eq!(told.len(), CHAT_HISTORY_MAX + 1);
        assert!(told[0].contains(r#""text":"3""#), "{}", told[0]);
        assert!(told[CHAT_HISTORY_MAX].contains("joined"), "its own coming is the last");
        // Characters that take six bytes each in JSON.
        for _ in 0..CHAT_HISTORY_MAX {
            ana.say(&"\u{1}".repeat(4096), 0);
        }
        let (_, mut json) = rooms.join(&main, 4, nameless(Format::Json), 0).unwrap();
        let told: usize = texts(&mut json).iter().map(String::len).sum();
        assert!((100_000..=CHAT_HISTORY_BYTES_MAX).contains(&told), "{told}");
    }

    #[test]
    fn the_named_ones_who_leave_are_told_of_to_those_who_asked_for_json() {
        let rooms = Arc::new(Rooms::default());
        let main = RoomName::none();
        let (_, mut json) = rooms.join(&main, 1, nameless(Format::Json), 0).unwrap();
        let (_, mut plain) = rooms.join(&main, 2, nameless(Format::Text), 0).unwrap();
        let (ana, _outbox) = rooms.join(&main, 3, named("Ana", Format::Text), 0).unwrap();
        let (ghost, _outbox) = rooms.join(&main, 4, nameless(Format::Text), 0).unwrap();
        ghost.leave(0);
        ana.leave(0);
        ana.leave(0);
        let told = texts(&mut json);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with(r#"{"joined":"Ana","members":3"#), "{told:?}");
        assert!(told[1].starts_with(r#"{"left":"Ana","members":2"#), "{told:?}");
        assert!(texts(&mut plain).is_empty());
        assert_eq!(ana.say("I am not here", 0), 0);
    }

    #[test]
    fn who_reads_nothing_is_given_up_and_nobody_else_misses_anything() {
        let rooms = Arc::new(Rooms::default());
        let main = RoomName::none();
        let (slow, mut to_slow) = rooms.join(&main, 1, named("Slow", Format::Text), 0).unwrap();
        let (ana, mut to_ana) = rooms.join(&main, 2, named("Ana", Format::Json), 0).unwrap();
        assert_eq!(texts(&mut to_ana).len(), 1);
        let mut fitted = 0;
        while ana.say(&format!("{fitted:01000}"), 0) == 2 {
            fitted += 1;
            assert_eq!(texts(&mut to_ana).len(), 1);
        }
        assert!((3500..CHAT_WAITING_BYTES_MAX / 1000).contains(&fitted), "{fitted}");
        let told = texts(&mut to_ana);
        assert!(told[0].contains(&format!("{fitted:01000}")), "who reads has the one too many");
        assert!(told[1].starts_with(r#"{"left":"Slow","members":1"#), "{told:?}");
        assert_eq!(slow.say("too late", 0), 0);
        slow.leave(0);
        assert!(texts(&mut to_ana).is_empty(), "it has left already");
        assert_eq!(texts(&mut to_slow).len(), fitted, "what waited still comes");
        assert!(to_slow.has_ended());
    }

    #[test]
    fn the_room_that_was_left_first_makes_place_for_a_new_one() {
        let rooms = Arc::new(Rooms::default());
        let name = |number: usize| RoomName::parse(&number.to_string()).unwrap();
        let join = |number| rooms.join(&name(number), number as u64, Member::default(), 0);
        let mut seats: Vec<_> = (0..CHAT_ROOMS_MAX).map(|number| join(number).unwrap()).collect();
        assert_eq!(join(CHAT_ROOMS_MAX).unwrap_err(), Full);
        seats[7].0.say("old", 0);
        seats[5].0.leave(2000);
        seats[7].0.leave(1000);
        seats.push(join(CHAT_ROOMS_MAX).unwrap());
        assert_eq!(lock(&rooms.all).len(), CHAT_ROOMS_MAX);
        assert!(!lock(&rooms.all).contains_key(&name(7)), "room 7 was left first");
        assert!(lock(&rooms.all).contains_key(&name(5)));
        seats.push(join(CHAT_ROOMS_MAX + 1).unwrap());
        assert_eq!(join(CHAT_ROOMS_MAX + 2).unwrap_err(), Full);
        // But for the one that everybody finds.
        let main = rooms.join(&RoomName::none(), 9999, Member::default(), 0).unwrap();
        main.0.leave(0);
        assert_eq!(join(CHAT_ROOMS_MAX + 2).unwrap_err(), Full);
    }

    #[test]
    fn names_are_short_and_can_be_printed() {
        for good in ["sala 1", "ñandú", "日本", "a.b-c_d", "<b>"] {
            assert!(RoomName::parse(good).is_ok() && MemberName::parse(good).is_ok(), "{good}");
        }
        let long = "x".repeat(10_000);
        assert!(RoomName::parse("a/b").is_err() && MemberName::parse("a/b").is_ok());
        for bad in ["", "  ", "a\nb", "\u{1b}[31m", "\u{202e}evil", "An\u{200b}a", long.as_str()] {
            assert!(RoomName::parse(bad).is_err() && MemberName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(MemberName::parse("#7").is_err());
        assert_eq!(MemberName::parse(" Ana "), Ok(MemberName("Ana".to_owned())));
        assert_eq!(RoomName::parse(&"ñ".repeat(CHAT_ROOM_CHARS_MAX)).map(drop), Ok(()));
    }

    #[test]
    fn of_all_who_read_nothing_the_furthest_behind_is_given_up_first() {
        let limits = RoomLimits {
            outboxes_bytes_max: 128 * 1024,
            histories_bytes_max: 16 * 1024,
            ..RoomLimits::default()
        };
        let rooms = Arc::new(Rooms::new(limits));
        let room = |name: &str| RoomName::parse(name).unwrap();
        // Thirty who read nothing share what is said.
        let mut deaf = Vec::new();
        for number in 0..30 {
            deaf.push(rooms.join(&room("a"), number, nameless(Format::Text), 0).unwrap());
        }
        for at_ms in 0..5 {
            assert_eq!(deaf[0].0.say(&"x".repeat(4000), at_ms), 30);
        }
        let (ana, mut to_ana) = rooms.join(&room("b"), 100, nameless(Format::Text), 5).unwrap();
        let (_later, later) = rooms.join(&room("b"), 101, nameless(Format::Text), 5).unwrap();
        let mut at_ms = 5;
        while deaf.iter().all(|(_, outbox)| !outbox.is_given_up()) {
            ana.say(&"x".repeat(4000), at_ms);
            // Who reads misses nothing.
            assert_eq!(texts(&mut to_ana).len(), 1);
            at_ms += 1;
        }
        assert!((20..40).contains(&at_ms), "{at_ms}");
        assert!(deaf.iter().all(|(_, outbox)| outbox.is_given_up()));
        assert!(!later.is_given_up(), "it is not as far behind");
        assert_eq!(deaf[0].0.say("too late", at_ms), 0);
    }

    #[test]
    fn histories_are_forgotten_where_all_together_are_too_long() {
        let limits = RoomLimits { histories_bytes_max: 10_000, ..RoomLimits::default() };
        let rooms = Arc::new(Rooms::new(limits));
        let room = |name: &str| RoomName::parse(name).unwrap();
        for (at_ms, name) in ["a", "b", "c"].into_iter().enumerate() {
            let at_ms = at_ms as u64;
            let (seat, _outbox) =
                rooms.join(&room(name), at_ms, nameless(Format::Text), at_ms).unwrap();
            seat.say(&name.repeat(4000), at_ms);
            seat.leave(at_ms);
        }
        let told = |name, number| {
            let (_, mut outbox) =
                rooms.join(&room(name), number, nameless(Format::Json), 9).unwrap();
            texts(&mut outbox).len()
        };
        assert_eq!((told("a", 10), told("b", 11), told("c", 12)), (0, 1, 1));
        assert!(rooms.histories.load(Ordering::Relaxed) <= 10_000);
    }
}
