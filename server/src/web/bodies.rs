//! Bodies as they pass between a connection and what handles a request: answers in small pieces, each
//! made when the last was taken, and requests that have to come on. What either holds is counted.

use super::crowd::{Crowd, no_room};
use super::error::{ApiError, BODY_CUT_OFF};
use super::line::{Line, Still};
use crate::bounds::Held;
use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tequio_protocol::limits::{
    ANSWER_BYTES_MIN, ANSWER_PIECE_BYTES, APPEND_BYTES_MAX, BODY_BLOCK_BYTES, BODY_BYTES_MIN,
    ROOM_LOOK, SOCKETIO_BODY_BYTES_MAX,
};
use tokio::time::{Instant, Sleep, sleep};

/// What a handler says of its answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its bytes are there anyway, for all who ask for them.
    Shared,
    /// It is a stream of events, which somebody has to read at once.
    Events,
}

/// Why a body broke off that should have come on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("nothing of it came for {0} s")]
    Silent(u64),
    #[error("the server holds as much as it may")]
    NoRoom,
}

// ---- Answers ----------------------------------------------------------------------------------

/// The body of an answer.
pub(super) struct Answer {
    inner: Body,
    line: Arc<Line>,
    /// `None` where what it holds need not be counted.
    room: Option<Room>,
    /// What of it is there and was not handed over.
    chunk: Bytes,
}

/// Has an answer written in pieces. Where it needs room that there is not, it becomes a refusal.
pub(super) async fn answer(
    response: Response,
    line: &Arc<Line>,
    crowd: &Crowd,
) -> Response<Answer> {
    let limits = crowd.limits();
    let kind = response.extensions().get().copied();
    let patience =
        if kind == Some(Kind::Events) { limits.events_patience } else { limits.answer_patience };
    line.answers(patience, kind == Some(Kind::Events));
    let exact = response.body().size_hint().exact().map(|size| size as usize);
    let is_small = exact.is_some_and(|size| size <= ANSWER_BYTES_MIN);
    if is_small || kind.is_some() {
        return response.map(|inner| Answer::new(inner, line, None));
    }
    let amount = exact.unwrap_or(ANSWER_BYTES_MIN);
    match crowd.room_for_answer(amount).await {
        Ok(held) => {
            line.has_answer_room();
            let next = if exact.is_some() { 0 } else { ANSWER_PIECE_BYTES };
            let room = Room { crowd: crowd.clone(), held, least: amount, next, waiting: None };
            response.map(|inner| Answer::new(inner, line, Some(room)))
        }
        Err(refusal) => refusal.into_response().map(|inner| Answer::new(inner, line, None)),
    }
}

impl Answer {
    fn new(inner: Body, line: &Arc<Line>, room: Option<Room>) -> Answer {
        Answer { inner, line: line.clone(), room, chunk: Bytes::new() }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        // Not before the system has taken the last piece: so no more than one waits for its reader.
        ready!(this.line.poll_written(cx));
        if this.chunk.is_empty() {
            if let Some(room) = &mut this.room {
                ready!(room.poll_next(cx))?;
            }
            let next = Pin::new(&mut this.inner).poll_frame(cx);
            if let Some(room) = &mut this.room {
                match &next {
                    Poll::Ready(Some(Ok(frame))) => {
                        room.holds(frame.data_ref().map_or(0, Bytes::len));
                    }
                    Poll::Ready(_) => room.holds(0),
                    Poll::Pending => room.rests(),
                }
            }
            let frame = match ready!(next) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(chunk) => this.chunk = chunk,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
        }
        let piece = this.chunk.split_to(this.chunk.len().min(ANSWER_PIECE_BYTES));
        this.line.hand(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunk.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        let there = self.chunk.len() as u64;
        match hint.exact() {
            Some(exact) => hint.set_exact(exact + there),
            None => hint.set_lower(hint.lower() + there),
        }
        hint
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.line.answered(Instant::now());
    }
}

/// What an answer holds.
struct Room {
    crowd: Crowd,
    held: Held,
    /// What it holds in any case.
    least: usize,
    /// What its next chunk may need besides.
    next: usize,
    waiting: Option<Waiting>,
}

impl Room {
    /// Ready when the next chunk may come.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let amount = self.least + self.next;
        if self.held.amount() >= amount || self.held.resize(amount).is_ok() {
            self.waiting = None;
            return Poll::Ready(Ok(()));
        }
        self.crowd.end_still(Still::UnreadRoom);
        let waiting = self.waiting.get_or_insert_with(Waiting::begin);
        waiting.poll(cx, &self.crowd).map(|()| Err(Broken::NoRoom.into()))
    }

    /// A chunk came, or none yet.
    fn holds(&mut self, chunk: usize) {
        // More than was thought is there all the same.
        self.held.resize(self.least + if self.next == 0 { 0 } else { chunk }).ok();
    }

    /// Nothing is there to be written, perhaps for long: who follows a job holds nothing meanwhile.
    fn rests(&mut self) {
        if self.next > 0 {
            self.held.resize(0).ok();
        }
    }
}

/// Waiting for room: it is looked for now and then.
struct Waiting {
    began: Instant,
    look: Pin<Box<Sleep>>,
}

impl Waiting {
    fn begin() -> Waiting {
        Waiting { began: Instant::now(), look: Box::pin(sleep(ROOM_LOOK)) }
    }

    /// Ready once it has lasted for too long; until then the task is woken to look again.
    fn poll(&mut self, cx: &mut Context<'_>, crowd: &Crowd) -> Poll<()> {
        if self.began.elapsed() >= crowd.limits().room_wait {
            return Poll::Ready(());
        }
        while self.look.as_mut().poll(cx).is_ready() {
            self.look.as_mut().reset(Instant::now() + ROOM_LOOK);
        }
        Poll::Pending
    }
}

// ---- Requests ---------------------------------------------------------------------------------

/// The body of a request.
struct Asked {
    inner: Incoming,
    line: Arc<Line>,
    crowd: Crowd,
    held: Option<Held>,
    /// What it holds at the most: of others each part is kept until the end.
    held_max: usize,
    /// As long as it says that it is, or as is thought.
    expected: usize,
    /// What came of it.
    came: usize,
    /// A part of it for which there is no room yet.
    kept: Option<Bytes>,
    waiting: Option<Waiting>,
    /// Runs while nothing comes, and how much had come when it began.
    silence: Option<(Pin<Box<Sleep>>, usize)>,
}

/// Has a request's body come on, and counts what of it is held.
pub(super) fn asked(request: Request<Incoming>, line: &Arc<Line>, crowd: &Crowd) -> Request {
    let held_max = held_max(request.uri().path());
    request.map(|inner| {
        if inner.is_end_stream() {
            return Body::empty();
        }
        let expected = inner.size_hint().exact().map_or(BODY_BLOCK_BYTES, |size| size as usize);
        Body::new(Asked {
            expected,
            inner,
            line: line.clone(),
            crowd: crowd.clone(),
            held: None,
            held_max,
            came: 0,
            kept: None,
            waiting: None,
            silence: None,
        })
    })
}

/// What a body may hold: of a longer one no more is read.
fn held_max(path: &str) -> usize {
    match path {
        // A job's lines are stored block by block.
        "/api/jobs" => BODY_BLOCK_BYTES,
        path if path.ends_with("/inputs") => APPEND_BYTES_MAX,
        _ => SOCKETIO_BODY_BYTES_MAX,
    }
}

impl Asked {
    /// Whether there is room for what came, which may take a while.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        // All at once: whoever waits for room holds none that others wait for.
        let whole = self.came.max(self.expected);
        let amount = whole.min(self.held_max);
        let taken = match &mut self.held {
            Some(held) if held.amount() >= amount => Ok(()),
            Some(held) => held.resize(amount),
            None if self.came <= ANSWER_BYTES_MIN => Ok(()),
            None => self.crowd.bodies().take(amount).map(|held| {
                self.held = Some(held);
                self.line.has_body_room();
            }),
        };
        if taken.is_ok() {
            self.waiting = None;
            return Poll::Ready(Ok(()));
        }
        if amount > self.crowd.limits().bodies_bytes_max {
            return Poll::Ready(Err(Broken::NoRoom));
        }
        self.crowd.end_still(Still::UnsentRoom);
        let waiting = self.waiting.get_or_insert_with(Waiting::begin);
        waiting.poll(cx, &self.crowd).map(|()| Err(Broken::NoRoom))
    }

    /// Ready when nothing has come for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        let patience = self.crowd.limits().body_patience;
        let came = self.came;
        let (silence, _) = self.silence.get_or_insert_with(|| (Box::pin(sleep(patience)), came));
        silence.as_mut().poll(cx).map(|()| Broken::Silent(patience.as_secs()))
    }
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.kept.is_none() {
            let frame = match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    this.line.is_unsent(Instant::now());
                    return this.poll_silence(cx).map(|broken| Some(Err(broken.into())));
                }
            };
            match frame.into_data() {
                Ok(part) => {
                    this.came += part.len();
                    this.kept = Some(part);
                }
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
            // A few bytes are no sign of somebody who wants to come to an end.
            let came = this.came;
            if this.silence.take_if(|(_, before)| came - *before >= BODY_BYTES_MIN).is_some() {
                this.line.was_sent();
            }
        }
        if let Err(broken) = ready!(this.poll_room(cx)) {
            return Poll::Ready(Some(Err(broken.into())));
        }
        Poll::Ready(this.kept.take().map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.kept.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        let there = self.kept.as_ref().map_or(0, Bytes::len) as u64;
        match hint.exact() {
            Some(exact) => hint.set_exact(exact + there),
            None => hint.set_lower(hint.lower() + there),
        }
        hint
    }
}

/// All of a body that has at most so many bytes.
pub(super) async fn whole(body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    let read = Limited::new(body, bytes_max).collect().await;
    read.map(Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            return ApiError::body_too_big(bytes_max);
        }
        match error.downcast::<axum::Error>() {
            Ok(error) => broken(&error.into_inner()),
            Err(error) => broken(&error),
        }
    })
}

/// What is said of a body that breaks off.
pub(super) fn broken(error: &BoxError) -> ApiError {
    let cut_off = || ApiError::bad(BODY_CUT_OFF, format!("The body was cut off: {error}."));
    refusal(error).unwrap_or_else(cut_off)
}

/// 503, where a body was given up since there was no room for it; `None` where it broke off by itself.
pub(super) fn refusal(error: &BoxError) -> Option<ApiError> {
    matches!(error.downcast_ref(), Some(Broken::NoRoom)).then(no_room)
}
