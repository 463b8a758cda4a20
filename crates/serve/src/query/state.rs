//! A query as its thread, its client and those who cancel it share it: pieces of the answer, and why it ends.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use bytes::Bytes;
use futures_core::Stream;
use polars_core::prelude::*;
use tokio::sync::Notify;

use crate::error::ApiError;

/// Bytes of pieces that wait for the client.
const ROOM: usize = 1 << 20;

/// Why a query ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    /// The client has gone.
    Gone,
    /// The client took nothing for too long.
    Stalled,
    /// It took too long.
    Timeout,
    /// Somebody asked for it.
    Asked,
    /// The process holds too much memory.
    Memory,
    /// The server ends.
    Shutdown,
}

impl Cancel {
    fn text(self) -> &'static str {
        match self {
            Self::Gone => "the client has gone",
            Self::Stalled => "the client took nothing for too long",
            Self::Timeout => "the query took longer than it may",
            Self::Asked => "the query was cancelled",
            Self::Memory => "the server is short of memory",
            Self::Shutdown => "the server is shutting down",
        }
    }

    /// The error for a client that has had no byte yet.
    pub(crate) fn error(self) -> ApiError {
        match self {
            Self::Gone | Self::Stalled | Self::Timeout => {
                ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", self.text())
            },
            Self::Asked => ApiError::new(StatusCode::CONFLICT, "cancelled", self.text()),
            Self::Memory => ApiError::unavailable("memory", self.text()),
            Self::Shutdown => ApiError::unavailable("shutdown", self.text()),
        }
    }
}

/// A query.
pub(crate) struct Query {
    pub(crate) id: u64,
    /// As it was asked.
    pub(crate) text: String,
    pub(crate) started: Instant,
    pub(crate) rows: AtomicU64,
    pub(crate) bytes: AtomicU64,
    is_cancelled: AtomicBool,
    state: Mutex<State>,
    /// There is room for pieces, or an end.
    room: Condvar,
    cancelled: Notify,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// The answer is complete.
    is_whole: bool,
    /// Its thread has ended.
    has_ended: bool,
    cancel: Option<Cancel>,
    waker: Option<Waker>,
    /// Since when it waits for its client, and how long it has done so before.
    paused_at: Option<Instant>,
    paused: Duration,
}

impl Query {
    pub(crate) fn new(id: u64, text: String) -> Self {
        Self {
            id,
            text,
            started: Instant::now(),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            is_cancelled: AtomicBool::new(false),
            state: Mutex::default(),
            room: Condvar::new(),
            cancelled: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it: the first reason counts.
    pub(crate) fn cancel(&self, why: Cancel) {
        let mut state = self.state();
        if state.cancel.is_some() || state.has_ended {
            return;
        }
        state.cancel = Some(why);
        self.is_cancelled.store(true, Ordering::SeqCst);
        if why == Cancel::Gone {
            state.pieces.clear();
        }
        let waker = state.waker.take();
        drop(state);
        self.room.notify_all();
        self.cancelled.notify_waiters();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }

    pub(crate) fn why(&self) -> Option<Cancel> {
        self.state().cancel
    }

    /// An error if it is cancelled: what a query's nodes ask.
    pub(crate) fn check(&self) -> PolarsResult<()> {
        match self.is_cancelled() {
            false => Ok(()),
            true => {
                let why = self.why().map_or("the query has failed", Cancel::text);
                polars_bail!(ComputeError: "{why}")
            },
        }
    }

    /// Waits until it is cancelled.
    pub(crate) async fn wait_cancelled(&self) -> Cancel {
        loop {
            let notified = self.cancelled.notified();
            if let Some(why) = self.why() {
                return why;
            }
            notified.await;
        }
    }

    /// How long it has taken, without the time in which it waited for its client.
    pub(crate) fn busy(&self) -> Duration {
        let state = self.state();
        let paused = state.paused + state.paused_at.map_or(Duration::ZERO, |at| at.elapsed());
        self.started.elapsed().saturating_sub(paused)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state().paused_at.is_some()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    /// Whether a piece can go at once. Without room the query begins to wait for its client.
    pub(super) fn has_room(&self) -> bool {
        let mut state = self.state();
        let has_room = state.bytes < ROOM || state.cancel.is_some();
        if !has_room {
            state.paused_at = Some(Instant::now());
        }
        has_room
    }

    /// Waits until the client has made room; cancels when it takes nothing for as long as `stall`.
    pub(super) fn wait_for_room(&self, stall: Duration) {
        let mut state = self.state();
        let mut since = (Instant::now(), state.bytes);
        while state.bytes >= ROOM && state.cancel.is_none() {
            if state.bytes != since.1 {
                since = (Instant::now(), state.bytes);
            }
            let Some(left) = stall.checked_sub(since.0.elapsed()).filter(|left| !left.is_zero()) else {
                drop(state);
                self.cancel(Cancel::Stalled);
                state = self.state();
                break;
            };
            state = match self.room.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        if let Some(at) = state.paused_at.take() {
            state.paused += at.elapsed();
        }
    }

    /// Hands a piece to the client.
    pub(super) fn push(&self, piece: Bytes) -> io::Result<()> {
        let mut state = self.state();
        if let Some(why) = state.cancel {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, why.text()));
        }
        state.bytes += piece.len();
        state.pieces.push_back(piece);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Its thread ends; the answer is whole, or breaks off.
    pub(super) fn end(&self, is_whole: bool) {
        let mut state = self.state();
        state.is_whole = is_whole;
        state.has_ended = true;
        // Its nodes stop.
        self.is_cancelled.store(!is_whole, Ordering::SeqCst);
        let waker = state.waker.take();
        drop(state);
        self.cancelled.notify_waiters();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The answer as the client takes it. When it goes, the query is cancelled.
pub(crate) struct Reader {
    query: Arc<Query>,
    sent: prometheus_client::metrics::counter::Counter,
}

impl Reader {
    pub(crate) fn new(query: Arc<Query>, sent: prometheus_client::metrics::counter::Counter) -> Self {
        Self { query, sent }
    }
}

impl Stream for Reader {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.query.state();
        // A part must not be taken for the whole: what waits is not sent when the end will be missing anyway.
        if let Some(why) = state.cancel {
            return Poll::Ready(Some(Err(io::Error::other(why.text()))));
        }
        if let Some(piece) = state.pieces.pop_front() {
            state.bytes -= piece.len();
            drop(state);
            self.query.room.notify_all();
            let len = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            self.query.bytes.fetch_add(len, Ordering::Relaxed);
            self.sent.inc_by(len);
            return Poll::Ready(Some(Ok(piece)));
        }
        if state.has_ended {
            return Poll::Ready(match state.is_whole {
                true => None,
                false => Some(Err(io::Error::other("the query failed"))),
            });
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.query.cancel(Cancel::Gone);
        let mut state = self.query.state();
        state.pieces.clear();
        state.bytes = 0;
    }
}
