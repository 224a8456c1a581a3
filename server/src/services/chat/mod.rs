//! Chat: what a member of a room sends, every member gets, the sender too, all in one order.

mod rooms;

pub use rooms::{Before, Format, Member, MemberName, RoomLimits, RoomName, Rooms};

use super::Services;
use super::roster::Visit;
use crate::connection::{Connection, End, Event, Frame, Link, Peer};
use crate::outbox::Outbox;
use crate::pace::Pace;
use crate::wall_clock;
use rooms::{Message, Seat};
use std::sync::Arc;
use tequio_protocol::limits::{CHAT_BURST_MAX, CHAT_PACE};
use tequio_protocol::message::close_code;
use tequio_protocol::text::quote;
use tokio::time::{Instant, sleep_until};

/// Serves one member to its end.
pub async fn run(
    mut connection: Connection<impl Link>,
    peer: &Peer,
    room: &RoomName,
    member: Member,
    services: &Services,
) {
    let mut visit = services.chat.enter(peer);
    let joined = services.rooms.join(room, visit.number, member, wall_clock::unix_ms());
    let end = match joined {
        Ok((seat, outbox)) => {
            let mut chat = Chat { seat, room, visit: &mut visit, takes_frames: true };
            let end = chat.serve(&mut connection, outbox).await;
            // Before the closing handshake: whoever has left is not waited for.
            chat.seat.leave(wall_clock::unix_ms());
            end
        }
        Err(full) => End::ours(close_code::TRY_AGAIN_LATER, full.to_string()),
    };
    visit.leave(&connection.finish(end).await);
}

struct Chat<'a> {
    seat: Seat,
    room: &'a RoomName,
    visit: &'a mut Visit,
    /// Whether the link carries what is sent to the member.
    takes_frames: bool,
}

impl Chat<'_> {
    async fn serve(
        &mut self,
        connection: &mut Connection<impl Link>,
        mut outbox: Outbox<Arc<Message>>,
    ) -> End {
        let mut pace = Pace::new(CHAT_BURST_MAX, CHAT_PACE, Instant::now());
        loop {
            let now = Instant::now();
            // Who talks too fast is not read for a moment: the pressure reaches its own socket.
            let heard_at = pace.next_at(now);
            let step = tokio::select! {
                // What it said counts although it has hung up since: its own pace keeps it from
                // being all that is done.
                biased;
                event = connection.next(), if heard_at <= now => match event {
                    Ok(event) => self.received(event, &mut pace),
                    Err(end) => Err(end),
                },
                () = sleep_until(heard_at), if heard_at > now => Ok(()),
                message = outbox.next() => match message {
                    Some(message) => self.deliver(&message.text, connection).await,
                    None => Err(too_slow()),
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn deliver(
        &mut self,
        message: &str,
        connection: &mut Connection<impl Link>,
    ) -> Result<(), End> {
        if !self.takes_frames {
            return Ok(());
        }
        match connection.send(Frame::Text(message.to_owned())).await {
            // It has hung up; what it had said before may still be on the way.
            Err(End::Lost(_)) => self.takes_frames = false,
            sent => return sent,
        }
        Ok(())
    }

    fn received(&mut self, event: Event, pace: &mut Pace) -> Result<(), End> {
        match event {
            Event::Text(text) => {
                pace.take(Instant::now());
                let count = self.seat.say(&text, wall_clock::unix_ms());
                if count == 0 {
                    // Not even itself: it has lost its seat.
                    return Err(too_slow());
                }
                let room = self.room;
                self.visit
                    .tell(|| format!("received \"{}\" in {room}: sent to {count}", quote(&text)));
                Ok(())
            }
            Event::Binary(_) => {
                Err(End::ours(close_code::UNSUPPORTED, "this chat takes text, not binary messages"))
            }
            Event::Ping | Event::Pong(_) => Ok(()),
        }
    }
}

fn too_slow() -> End {
    End::ours(close_code::SLOW, "too much waits, and nothing is read")
}
