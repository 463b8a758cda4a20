//! The writer behind the encoders: bytes into pieces of the answer.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::slots::Ticket;
use super::state::Query;
use crate::error::ApiError;

/// Bytes of a piece.
const PIECE: usize = 128 << 10;

/// Tells the request whether an answer begins.
pub(crate) type Start = oneshot::Sender<Result<(), ApiError>>;

/// Where an encoder writes to. Its clones are the same output.
#[derive(Clone)]
pub(crate) struct Output(Arc<Mutex<Inner>>);

struct Inner {
    query: Arc<Query>,
    ticket: Ticket,
    stall: Duration,
    buffer: Vec<u8>,
    /// There until the first piece goes.
    start: Option<Start>,
}

impl Output {
    pub(crate) fn new(query: Arc<Query>, ticket: Ticket, stall: Duration, start: Start) -> Self {
        Self(Arc::new(Mutex::new(Inner { query, ticket, stall, buffer: Vec::new(), start: Some(start) })))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot; false if the query is cancelled before it gets one.
    pub(crate) fn acquire(&self) -> bool {
        let mut inner = self.inner();
        let query = Arc::clone(&inner.query);
        inner.ticket.acquire(|| !query.is_cancelled())
    }

    /// The error of a query. It is for the client, if that has had nothing yet.
    pub(crate) fn fail(&self, error: ApiError) {
        let mut inner = self.inner();
        match inner.start.take() {
            Some(start) => {
                // Nobody waits for it: the client has gone.
                let _ = start.send(Err(error));
            },
            None => {
                tracing::info!(id = inner.query.id, kind = error.kind, "query broke off: {}", error.message)
            },
        }
        inner.query.end(false);
    }

    /// All has been written.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let mut inner = self.inner();
        inner.send_rest()?;
        inner.begin();
        inner.query.end(true);
        Ok(())
    }
}

impl Inner {
    /// The answer begins.
    fn begin(&mut self) {
        if let Some(start) = self.start.take() {
            let _ = start.send(Ok(()));
        }
    }

    fn send(&mut self, piece: Bytes) -> io::Result<()> {
        if !self.query.has_room() {
            // Others compute while this one waits for its client.
            self.ticket.pause();
            self.query.wait_for_room(self.stall);
            let query = Arc::clone(&self.query);
            self.ticket.acquire(|| !query.is_cancelled());
        }
        self.query.push(piece)?;
        self.begin();
        Ok(())
    }

    fn send_rest(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let piece = Bytes::from(std::mem::take(&mut self.buffer));
            self.send(piece)?;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.inner();
        let taken = bytes.len().min(PIECE - inner.buffer.len().min(PIECE - 1));
        inner.buffer.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if inner.buffer.len() >= PIECE {
            inner.send_rest()?;
        }
        Ok(taken)
    }

    /// Lets go what has been written: the client sees it now.
    fn flush(&mut self) -> io::Result<()> {
        self.inner().send_rest()
    }
}
