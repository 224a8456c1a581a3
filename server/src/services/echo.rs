//! Echo: what is sent comes back, so that a connection can be tried and measured.

use super::Services;
use super::roster::Visit;
use crate::connection::{Connection, End, Event, Frame, Link, Peer};
use tequio_protocol::limits::FRAME_BYTES_MAX;
use tequio_protocol::message::close_code;
use tequio_protocol::text::quote;

/// What the answers to text begin with, where nobody asked for anything else.
pub const PREFIX: &str = "echo: ";

/// Answers one connection to its end: text with `prefix` before it, bytes as they are.
pub async fn run(
    mut connection: Connection<impl Link>,
    peer: &Peer,
    prefix: &str,
    services: &Services,
) {
    let mut visit = services.echo.enter(peer);
    let end = loop {
        if let Err(end) = answer(&mut connection, prefix, &mut visit).await {
            break end;
        }
    };
    visit.leave(&connection.finish(end).await);
}

async fn answer(
    connection: &mut Connection<impl Link>,
    prefix: &str,
    visit: &mut Visit,
) -> Result<(), End> {
    match connection.next().await? {
        Event::Text(text) => {
            visit.tell(|| format!("received \"{}\"", quote(&text)));
            check_size(prefix, &text)?;
            // One copy, and no more room than it takes: it may wait for long.
            let mut echo = text;
            echo.reserve_exact(prefix.len());
            echo.insert_str(0, prefix);
            connection.send(Frame::Text(echo)).await
        }
        Event::Binary(bytes) => {
            visit.tell(|| format!("received {} bytes", bytes.len()));
            connection.send(Frame::Binary(bytes)).await
        }
        Event::Ping | Event::Pong(_) => Ok(()),
    }
}

/// Python's clients take no message over [`FRAME_BYTES_MAX`], and say of one that theirs is at fault: so
/// what would come back longer is refused here, with its reason.
fn check_size(prefix: &str, text: &str) -> Result<(), End> {
    let bytes = prefix.len() + text.len();
    if bytes <= FRAME_BYTES_MAX {
        return Ok(());
    }
    let reason =
        format!("the echo has {bytes} bytes with its prefix, of {FRAME_BYTES_MAX} at the most");
    Err(End::ours(close_code::TOO_BIG, reason))
}
