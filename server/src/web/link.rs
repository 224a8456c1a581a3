//! A WebSocket as a connection's link. Its library keeps each buffer as large as it ever was; so one that
//! has read or written a large message begins with new ones, and one that has closed has none.

use super::reading::Over;
use super::upgrade::Carrier;
use crate::begun::{Begun, GivenUp, Share};
use crate::connection::{Close, Frame, Link, LinkError};
use axum::body::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use tequio_protocol::limits::SOCKET_KEPT_BYTES_MAX;
use tequio_protocol::message::close_code;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

/// A WebSocket.
pub(super) struct Socket {
    state: State,
    config: WebSocketConfig,
    /// What is waiting for the peer to take it.
    unread: Share,
    /// Frames that were handed on: where all that were read are, the buffer is empty.
    received: u64,
    /// Whether a closing frame was received or is being sent: the library has to remember it.
    is_closing: bool,
    /// Whether a buffer has become larger than what is kept.
    is_large: bool,
}

/// How far it has come.
#[expect(clippy::large_enum_variant, reason = "nearly all are open, for nearly all of the time")]
enum State {
    Open(WebSocketStream<Carrier>),
    /// The peer was told that this end closes, and may still answer.
    Closed(Carrier),
    /// Nothing can be sent or read any more.
    Lost,
}

impl Socket {
    /// Over a connection that was answered that it is one; what is sent and not taken counts among
    /// `unread`.
    pub(super) fn new(carrier: Carrier, config: WebSocketConfig, unread: &Begun) -> Socket {
        Socket {
            state: State::Open(over(carrier, config)),
            config,
            unread: unread.share(),
            received: 0,
            is_closing: false,
            is_large: false,
        }
    }

    /// Begins with new buffers, if the old ones are large and nothing is in them.
    async fn let_go(&mut self) {
        let State::Open(frames) = &mut self.state else { return };
        self.is_large |= frames.get_mut().take_large();
        if !self.is_large || self.is_closing || frames.get_ref().ended() != Some(self.received) {
            return;
        }
        let flushed = poll_fn(|cx| Poll::Ready(frames.poll_flush_unpin(cx))).await;
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.renew();
        }
    }

    fn renew(&mut self) {
        let config = self.config;
        self.leave_buffers(|carrier| State::Open(over(carrier, config)));
        self.is_large = false;
    }

    /// Goes on as `next` says, without the buffers that there were.
    fn leave_buffers(&mut self, next: impl FnOnce(Carrier) -> State) {
        self.state = match std::mem::replace(&mut self.state, State::Lost) {
            State::Open(frames) => next(frames.into_inner()),
            state => state,
        };
    }

    /// Lets go of all that was read of what has not ended, and says why.
    async fn give_up(&mut self, why: Over) -> LinkError {
        let State::Open(frames) = &mut self.state else { return LinkError::Lost(why.to_string()) };
        let flushed = poll_fn(|cx| Poll::Ready(frames.poll_flush_unpin(cx))).await;
        if !matches!(flushed, Poll::Ready(Ok(()))) {
            // A closing frame would come into the middle of another one.
            self.state = State::Lost;
            return LinkError::Lost(why.to_string());
        }
        self.renew();
        LinkError::GivenUp(why.close())
    }
}

/// It keeps no frames back: a handler has already taken all that waits.
fn over(carrier: Carrier, config: WebSocketConfig) -> WebSocketStream<Carrier> {
    let frames = WebSocketStream::from_raw_socket(carrier, Role::Server, Some(config));
    frames.now_or_never().expect("there is no handshake to wait for")
}

impl Link for Socket {
    async fn receive(&mut self) -> Option<Result<Frame, LinkError>> {
        loop {
            let frames = match &mut self.state {
                State::Open(frames) => frames,
                State::Closed(carrier) => {
                    carrier.drain().await.ok();
                    return None;
                }
                State::Lost => return None,
            };
            let message = match frames.next().await? {
                Ok(message) => message,
                Err(error) => {
                    return Some(Err(match frames.get_ref().over().cloned() {
                        Some(why) if !self.is_closing => self.give_up(why).await,
                        _ => link_error(error),
                    }));
                }
            };
            self.received += 1;
            self.is_closing |= matches!(message, Message::Close(_));
            let frame = frame(message);
            self.let_go().await;
            if let Some(frame) = frame {
                return Some(Ok(frame));
            }
        }
    }

    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        let State::Open(frames) = &mut self.state else {
            return Err(LinkError::Lost("nothing is read".to_owned()));
        };
        let closes = matches!(frame, Frame::Close(_));
        self.is_closing |= closes;
        // What was read last is in this frame, if it is anywhere: one of the two bounds has it.
        let mut handled = frames.get_mut().take_handled();
        let message = message(frame);
        let bytes = message.len();
        self.is_large |= bytes > SOCKET_KEPT_BYTES_MAX;
        let unread = &mut self.unread;
        let mut sending = pin!(SinkExt::send(frames, message));
        let mut waits_since = None;
        let sent = poll_fn(|cx| {
            if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                return Poll::Ready(Some(sent));
            }
            let now = Instant::now();
            let waits_since = *waits_since.get_or_insert(now);
            match unread.hold(bytes, bytes, waits_since, now, cx) {
                Poll::Ready(Err(GivenUp)) => Poll::Ready(None),
                Poll::Ready(Ok(())) => {
                    handled = None;
                    Poll::Pending
                }
                Poll::Pending => Poll::Pending,
            }
        });
        let sent = sent.await;
        unread.end();
        match sent {
            Some(Ok(())) if closes => {
                // What the peer still says before its own closing frame is not read any more.
                self.leave_buffers(State::Closed);
                Ok(())
            }
            Some(sent) => {
                self.let_go().await;
                sent.map_err(link_error)
            }
            None => {
                // Whoever has not taken this frame does not read why either.
                self.state = State::Lost;
                Err(LinkError::Lost(format!("{} nothing is read", close_code::SLOW)))
            }
        }
    }

    fn vouch(&mut self) {
        if let State::Open(frames) = &mut self.state {
            frames.get_mut().vouch();
        }
    }
}

/// `None` for a raw frame, which is never read.
fn frame(message: Message) -> Option<Frame> {
    Some(match message {
        Message::Text(text) => Frame::Text(text.as_str().to_owned()),
        // A copy: a part of the buffer would keep all of it.
        Message::Binary(bytes) => Frame::Binary(Bytes::copy_from_slice(&bytes)),
        Message::Ping(_) => Frame::Ping,
        Message::Pong(_) => Frame::Pong,
        Message::Close(Some(CloseFrame { code, reason })) => {
            Frame::Close(Close { code: code.into(), reason: reason.as_str().to_owned() })
        }
        Message::Close(None) => {
            Frame::Close(Close { code: close_code::NO_STATUS, reason: String::new() })
        }
        Message::Frame(_) => return None,
    })
}

fn message(frame: Frame) -> Message {
    match frame {
        Frame::Text(text) => Message::Text(text.into()),
        Frame::Binary(bytes) => Message::Binary(bytes),
        Frame::Ping => Message::Ping(Bytes::new()),
        Frame::Pong => Message::Pong(Bytes::new()),
        Frame::Close(Close { code, reason }) => {
            Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
        }
    }
}

fn link_error(error: tungstenite::Error) -> LinkError {
    use tungstenite::Error as Ws;
    use tungstenite::error::ProtocolError;
    match error {
        Ws::Capacity(error) => LinkError::TooBig(error.to_string()),
        Ws::Utf8(_) => LinkError::NotUtf8,
        Ws::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            LinkError::Lost("no closing frame".to_owned())
        }
        Ws::Protocol(error) => LinkError::Malformed(error.to_string()),
        error => LinkError::Lost(error.to_string()),
    }
}
