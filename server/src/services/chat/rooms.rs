//! Rooms and who is in them. No clock and no I/O: what is sent to a member is put into its outbox.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tequio_protocol::chat::ChatEvent;
use tequio_protocol::limits::{
    CHAT_HISTORY_MAX, CHAT_NAME_CHARS_MAX, CHAT_ROOM_CHARS_MAX, CHAT_ROOMS_MAX, CHAT_WAITING_MAX,
};
use tequio_protocol::text::printable;
use tokio::sync::mpsc;

use crate::wall_clock::rfc3339;

/// What a member is to be sent, in order. It ends when the room gives the member up, because the
/// outbox was full.
pub(super) type Outbox = mpsc::Receiver<Arc<str>>;

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

/// Who joins a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// What the others know it by.
    pub name: Option<MemberName>,
    /// What it is sent.
    pub format: Format,
}

/// All rooms. Rooms wait for each other only while somebody joins or leaves.
#[derive(Debug, Default)]
pub struct Rooms {
    all: Mutex<HashMap<RoomName, Arc<Mutex<Room>>>>,
}

/// Every room has somebody in it, and there are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {CHAT_ROOMS_MAX} rooms, and none is empty")]
pub(super) struct Full;

/// A member's place in a room.
#[derive(Debug)]
pub(super) struct Seat {
    room: Arc<Mutex<Room>>,
    number: u64,
}

#[derive(Debug, Default)]
struct Room {
    members: BTreeMap<u64, Present>,
    /// The last of what was said, as JSON.
    history: VecDeque<Arc<str>>,
    /// When the last member left, in milliseconds since 1970.
    empty_since_ms: u64,
}

#[derive(Debug)]
struct Present {
    member: Member,
    outbox: mpsc::Sender<Arc<str>>,
}

impl RoomName {
    /// The room that has no name.
    pub fn none() -> RoomName {
        RoomName(String::new())
    }

    /// The room of that name; says what is wrong with it if it cannot be one.
    pub fn parse(name: &str) -> Result<RoomName, String> {
        check_name("a room's name", name, CHAT_ROOM_CHARS_MAX)?;
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
    let is_printable = printable(name, chars_max) == name;
    if is_printable && !name.trim().is_empty() && !name.contains('/') {
        return Ok(());
    }
    Err(format!("{what} has 1 to {chars_max} characters, none of them a control character or /"))
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
    /// Seats a member, by whose `number` those without a name are known. Nobody else in any room has
    /// it.
    pub(super) fn join(
        &self,
        room: &RoomName,
        number: u64,
        member: Member,
        unix_ms: u64,
    ) -> Result<(Seat, Outbox), Full> {
        let mut all = lock(&self.all);
        let room = match all.get(room) {
            Some(room) => room.clone(),
            None => {
                make_room(&mut all)?;
                all.entry(room.clone()).or_default().clone()
            }
        };
        // While all rooms are held: nobody takes this one for empty.
        let outbox = lock(&room).enter(number, member, unix_ms);
        Ok((Seat { room, number }, outbox))
    }
}

/// Sees to it that there is place for one more.
fn make_room(all: &mut HashMap<RoomName, Arc<Mutex<Room>>>) -> Result<(), Full> {
    if all.len() < CHAT_ROOMS_MAX {
        return Ok(());
    }
    let empty = all.iter().filter_map(|(name, room)| {
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
        let news = News { json: json(&said), text: Some(text.into()) };
        if room.history.len() == CHAT_HISTORY_MAX {
            room.history.pop_front();
        }
        room.history.push_back(news.json.clone());
        room.tell(news, unix_ms)
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
    fn enter(&mut self, number: u64, member: Member, unix_ms: u64) -> Outbox {
        let (outbox, messages) = mpsc::channel(CHAT_WAITING_MAX);
        if member.format == Format::Json {
            for said in &self.history {
                // There is room for more than all of them.
                outbox.try_send(said.clone()).ok();
            }
        }
        let name = member.name.clone();
        self.members.insert(number, Present { member, outbox });
        if let Some(MemberName(joined)) = name {
            let members = self.members.len() as u32;
            let joined = ChatEvent::Joined { joined, members, at: rfc3339(unix_ms) };
            self.tell(News { json: json(&joined), text: None }, unix_ms);
        }
        messages
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
            match present.outbox.try_send(message.clone()) {
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
        Some(News { json: json(&left), text: None })
    }
}

/// An event as it is sent, written once for all.
struct News {
    json: Arc<str>,
    /// None where members who did not ask for JSON are not told.
    text: Option<Arc<str>>,
}

fn json(event: &ChatEvent) -> Arc<str> {
    serde_json::to_string(event).expect("events are plain data").into()
}

/// Whoever panicked while it held a room left at worst one message untold.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
