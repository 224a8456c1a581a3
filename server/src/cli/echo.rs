//! `tequio echo`: text to a server that sends it back, once, line by line, or to see how long it takes.

use super::asked::whole;
use super::client::SecretParser;
use super::print;
use super::serve::stop_signal;
use super::service::{connect, ended, leave, parse_socket};
use super::terminal::{self, PROMPT, Screen};
use crate::connect::{Address, Socket, broken, closing, read};
use anyhow::{Context, bail};
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use std::time::Duration;
use tequio_protocol::limits::{
    CLOSE_TIMEOUT, ECHO_ANSWER_TIMEOUT, ECHO_COUNT_MAX, FRAME_BYTES_MAX,
};
use tequio_protocol::text::printable;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

/// What round trips are measured with where no text is given.
const DEFAULT_TEXT: &str = "tequio";

#[derive(Debug, Args)]
#[command(after_help = "\
Without TEXT, each line that is typed, or that stdin has, is sent; Ctrl-D ends it.
The server's next message is taken for the answer. Answers that are no text are shown as (5 bytes).")]
pub(super) struct Echo {
    /// A socket, ws(s)://, which is used as it is; or a server, http(s)://, whose /echo is used
    #[arg(value_name = "URL", env = "TEQUIO_URL", default_value = "http://127.0.0.1:8765")]
    #[arg(value_parser = SecretParser(parse_url), hide_env_values = true)]
    url: Address,

    /// What is sent
    #[arg(value_name = "TEXT")]
    text: Option<String>,

    /// Send it N times, one after the other, and print how long the round trips took
    #[arg(long, value_name = "N")]
    #[arg(value_parser = |text: &str| whole(text, 1, ECHO_COUNT_MAX))]
    count: Option<u32>,

    /// Print JSON, for programs
    #[arg(long, requires = "count")]
    json: bool,
}

fn parse_url(text: &str) -> anyhow::Result<Address> {
    parse_socket(text, "echo")
}

impl Echo {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut peer = Peer { name: self.url.to_string(), socket: connect(&self.url).await? };
        match (self.count, self.text) {
            (Some(count), text) => {
                let text = text.as_deref().unwrap_or(DEFAULT_TEXT);
                measure(&mut peer, text, count).await?.print(self.json)?;
            }
            (None, Some(text)) => {
                print::lines(&[sent(&text)])?;
                print::lines(&[received(&peer.answer(&text).await?)])?;
            }
            (None, None) => converse(&mut peer).await?,
        }
        leave(peer.socket).await;
        Ok(())
    }
}

fn sent(text: &str) -> String {
    format!("{PROMPT}{text}")
}

fn received(answer: &Message) -> String {
    match answer {
        Message::Text(text) => format!("< {}", printable(text, FRAME_BYTES_MAX)),
        other => format!("< ({} bytes)", other.len()),
    }
}

/// Sends each line and prints its answer, until there are no more.
async fn converse(peer: &mut Peer) -> anyhow::Result<()> {
    let (screen, mut lines, mut interrupt) = terminal::open(None)?;
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            message = peer.next() => {
                // Nobody asked for it, and it is no answer; but it was said.
                if !screen.show(&received(&message?)).await? {
                    return Ok(());
                }
                continue;
            }
            () = &mut interrupt => return Ok(()),
        };
        let Some(line) = line else { return Ok(()) };
        let line = line?;
        if !show_sent(&screen, &line).await? {
            return Ok(());
        }
        let answer = tokio::select! {
            answer = peer.answer(&line) => answer?,
            () = &mut interrupt => return Ok(()),
        };
        if !screen.show(&received(&answer)).await? {
            return Ok(());
        }
    }
}

/// Where a person types, the line is there already.
async fn show_sent(screen: &Screen, line: &str) -> anyhow::Result<bool> {
    if screen.is_typed_at() { Ok(true) } else { screen.show(&sent(line)).await }
}

/// Sends `text` so many times; Ctrl-C ends it with what there is.
async fn measure(peer: &mut Peer, text: &str, count: u32) -> anyhow::Result<RoundTrips> {
    let stop = stop_signal().context("signals cannot be listened for")?;
    tokio::pin!(stop);
    let mut took = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        tokio::select! {
            answer = peer.answer(text) => drop(answer?),
            () = &mut stop => break,
        }
        took.push(began.elapsed());
    }
    RoundTrips::new(text.len(), took).context("stopped before there was an answer")
}

/// Who answers.
struct Peer {
    name: String,
    socket: Socket,
}

impl Peer {
    /// Sends `text` and waits for the next message.
    async fn answer(&mut self, text: &str) -> anyhow::Result<Message> {
        let answer = async {
            if let Err(error) = self.socket.send(Message::text(text)).await {
                // Why it takes no more may have been said before.
                let closed = timeout(CLOSE_TIMEOUT, closing(&mut self.socket)).await;
                return Err(ended(&closed.unwrap_or_else(|_| broken(&error))));
            }
            self.next().await
        };
        match timeout(ECHO_ANSWER_TIMEOUT, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                bail!("no answer from {} within {} s", self.name, ECHO_ANSWER_TIMEOUT.as_secs())
            }
        }
    }

    /// The next message. May be cancelled.
    async fn next(&mut self) -> anyhow::Result<Message> {
        loop {
            match read(self.socket.next().await) {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => return Ok(message),
                Ok(_) => {}
                Err(closed) => return Err(ended(&closed)),
            }
        }
    }
}

/// How long round trips took.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct RoundTrips {
    count: usize,
    /// Of the text that was sent.
    bytes: usize,
    min_ms: f64,
    median_ms: f64,
    p99_ms: f64,
}

impl RoundTrips {
    /// `None` of none.
    fn new(bytes: usize, mut took: Vec<Duration>) -> Option<RoundTrips> {
        took.sort_unstable();
        let count = took.len();
        let ms = |rank: usize| Some(took.get(rank)?.as_secs_f64() * 1000.0);
        Some(RoundTrips {
            count,
            bytes,
            min_ms: ms(0)?,
            // The middle one, or between the two that are.
            median_ms: (ms((count - 1) / 2)? + ms(count / 2)?) / 2.0,
            // The least that 99 of 100 do not exceed (nearest rank).
            p99_ms: ms((count * 99).div_ceil(100) - 1)?,
        })
    }

    fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return print::json(self);
        }
        let RoundTrips { count, bytes, min_ms, median_ms, p99_ms } = self;
        print::lines(&[
            format!("{count} round trips of {bytes} bytes"),
            format!("min {min_ms:.3} ms · median {median_ms:.3} ms · p99 {p99_ms:.3} ms"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(took_ms: impl IntoIterator<Item = u64>) -> Option<RoundTrips> {
        RoundTrips::new(6, took_ms.into_iter().map(Duration::from_millis).collect())
    }

    fn expected(count: usize, min_ms: f64, median_ms: f64, p99_ms: f64) -> Option<RoundTrips> {
        Some(RoundTrips { count, bytes: 6, min_ms, median_ms, p99_ms })
    }

    #[test]
    fn round_trips_have_a_least_a_middle_and_what_hardly_any_exceeds() {
        assert_eq!(of([]), None);
        assert_eq!(of([7]), expected(1, 7.0, 7.0, 7.0));
        assert_eq!(of([8, 2]), expected(2, 2.0, 5.0, 8.0));
        assert_eq!(of((1..=100).rev()), expected(100, 1.0, 50.5, 99.0));
        assert_eq!(of(1..=101), expected(101, 1.0, 51.0, 100.0));
    }

    #[test]
    fn answers_cannot_command_a_terminal() {
        assert_eq!(received(&Message::text("echo: \u{1b}[2J")), "< echo: \u{fffd}[2J");
        assert_eq!(received(&Message::binary(vec![0; 5])), "< (5 bytes)");
    }
}
