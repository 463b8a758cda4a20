//! Reading a source once, by tickets that the streaming engine hands to its threads.
//!
//! A thread of the scan's own reads, a piece when one is asked for. The engine's threads come with tickets and wait for
//! it. They say so to the engine, whose other work goes on meanwhile on other threads. A piece goes to the first ticket
//! that has not been used, so rows keep their order.
//!
//! Of the frames that its threads hand on side by side, the engine passes on the first only when it has seen the next of
//! every other thread. Two rules follow, so that nobody waits for ever:
//!
//! * The first ticket may lie in the queue of a thread that the engine holds up until another thread, which waits here
//!   with a later ticket, has handed something on. So after a while the first of the tickets that *wait* has the piece.
//!   Those before it are void: when they come, they have no rows. Rows keep their order, since a later ticket's frame
//!   stands behind an earlier one's.
//! * Who has waited as long as the source has been silent gives the ticket back without rows. Then what has been read goes
//!   on its way, also when nothing follows it.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use polars_core::prelude::*;

use super::reader_source::{Columns, Source, Worth};

/// How long a thread waits with its ticket, at least and at most. Both double as tickets are used up, of which there is an
/// end: see [`Ticket::level`].
const MOMENT: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the first ticket that waits lets those before it come.
const PRECEDENCE: Duration = Duration::from_millis(5);
/// Bytes of a piece. From a level on, which is reached after hundreds of gigabytes, they double twice a level.
const PIECE_BYTES: usize = 16 << 20;
const LARGER_FROM: u32 = 12;
/// How often what a ticket is worth doubles.
const LEVELS: usize = 16;

/// One of all tickets.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    pub(super) number: usize,
    pub(super) of: usize,
}

impl Ticket {
    /// Tickets for which something is read. Those behind them are for the frames without rows that end a scan.
    fn reading(self) -> usize {
        (self.of - self.of / 4).max(1)
    }

    fn level(self) -> u32 {
        let level = (self.number * LEVELS / self.reading()).min(LEVELS - 1);
        u32::try_from(level).unwrap_or(u32::MAX)
    }

    fn is_last(self) -> bool {
        self.number + 1 >= self.reading()
    }

    /// A batch at first. When tickets get fewer, as many as make a piece.
    fn worth(self) -> Worth {
        let level = self.level();
        Worth { batches: 1 << level, bytes: PIECE_BYTES << (2 * level.saturating_sub(LARGER_FROM - 1)) }
    }
}

/// A source that is read once.
pub(super) struct Once {
    shared: Arc<Shared>,
}

struct Shared {
    columns: Columns,
    state: Mutex<State>,
    /// Told when a piece has come, and when one has been taken.
    changed: Condvar,
}

struct State {
    /// Until it is read.
    source: Option<Source>,
    /// Asks the thread for a piece, once it reads. When this is gone, so is the thread.
    requests: Option<Sender<Worth>>,
    /// The columns that were asked for.
    names: Vec<PlSmallStr>,
    /// Whether a query has begun to read it, and the rows that it wants.
    is_begun: bool,
    limit: usize,
    /// Whether the thread reads; and what it has read.
    is_asked: bool,
    piece: Option<PolarsResult<DataFrame>>,
    ended: bool,
    /// Whether two queries have taken pieces. Neither has all rows then, and neither is to wait for them.
    is_shared: bool,
    /// The first ticket that has not been used, and those behind it that have.
    next: usize,
    used: BTreeSet<usize>,
    /// Tickets before `next` that have not come, and are void.
    void: BTreeSet<usize>,
    /// Tickets whose holders wait.
    waiting: BTreeSet<usize>,
    /// Pieces that were taken, and tickets that came when there was none left.
    pieces: usize,
    late: usize,
    /// How many tickets there are. (The last one has fewer rows, and so does not know.)
    tickets: usize,
    /// When a piece was taken last, or asked for.
    since: Instant,
}

impl State {
    fn use_up(&mut self, ticket: usize) {
        self.used.insert(ticket);
        while self.used.remove(&self.next) {
            self.next += 1;
        }
    }

    fn is_used(&self, ticket: usize) -> bool {
        ticket < self.next || self.used.contains(&ticket)
    }

    /// How long it takes until a ticket has its turn, if those before it do not come. None: others that wait are first.
    fn turn(&self, ticket: usize, waits: Duration) -> Option<Duration> {
        if ticket == self.next {
            return Some(Duration::ZERO);
        }
        let is_first = self.waiting.first().is_none_or(|first| *first >= ticket);
        is_first.then(|| PRECEDENCE.saturating_sub(waits))
    }

    /// The piece, for a ticket that has its turn.
    fn take(&mut self, ticket: usize) -> Option<PolarsResult<DataFrame>> {
        let piece = self.piece.take()?;
        for before in self.next..ticket {
            if !self.used.remove(&before) {
                self.void.insert(before);
            }
        }
        self.next = ticket;
        self.use_up(ticket);
        self.is_asked = false;
        self.pieces += 1;
        self.since = Instant::now();
        Some(piece)
    }
}

fn used_twice() -> PolarsError {
    polars_err!(
        ComputeError: "the source of scan_ipc_reader was read already: a reader can be read once, so its LazyFrame \
        can be collected once, and be used once in a query; collect it first, or write it to a file and scan that"
    )
}

impl Once {
    pub(super) fn new(source: Source, columns: Columns) -> Self {
        let state = State {
            source: Some(source),
            requests: None,
            names: Vec::new(),
            is_begun: false,
            limit: usize::MAX,
            is_asked: false,
            piece: None,
            ended: false,
            is_shared: false,
            next: 0,
            used: BTreeSet::new(),
            void: BTreeSet::new(),
            waiting: BTreeSet::new(),
            pieces: 0,
            late: 0,
            tickets: usize::MAX,
            since: Instant::now(),
        };
        let shared = Arc::new(Shared { columns, state: Mutex::new(state), changed: Condvar::new() });
        Self { shared }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        self.shared.columns.schema()
    }

    /// No rows of some columns.
    pub(super) fn empty(&self, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        self.shared.columns.empty(names)
    }

    /// Begins a query by tickets, which wants no more rows than these.
    pub(super) fn begin(&self, limit: usize) -> PolarsResult<()> {
        let mut state = self.shared.lock();
        if std::mem::replace(&mut state.is_begun, true) {
            return Err(used_twice());
        }
        state.limit = limit;
        Ok(())
    }

    /// Whether no further ticket is worth anything. Frames without rows are handed out behind the others, one for each of
    /// them. A slice from the end, in the streaming engine of Polars 0.55.2, drops one of the frames that it keeps for each
    /// that arrives. If there are too many of them at the end, it has too many rows.
    pub(super) fn wants_no_tickets(&self) -> bool {
        let state = self.shared.lock();
        state.ended && state.piece.is_none() && state.late >= state.pieces
    }

    /// All rows, or the first: for an engine that asks once.
    pub(super) fn read_all(&self, limit: usize, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        let source = {
            let mut state = self.shared.lock();
            (state.is_begun, state.ended) = (true, true);
            state.source.take().ok_or_else(used_twice)?
        };
        let columns = &self.shared.columns;
        let mut reading = columns.begin(source, names, limit)?;
        columns.gather(&mut reading, Worth { batches: usize::MAX, bytes: usize::MAX })
    }

    /// The rows that a ticket is worth, if any.
    pub(super) fn redeem(&self, ticket: Ticket, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        let mut state = self.shared.lock();
        if state.void.remove(&ticket.number) {
            return self.empty(names);
        }
        // By no ticket.
        let is_read = state.source.is_none() && state.requests.is_none();
        if is_read || state.is_shared || state.is_used(ticket.number) {
            state.is_shared = !state.ended;
            drop(state);
            self.shared.changed.notify_all();
            return Err(used_twice());
        }
        state.tickets = state.tickets.min(ticket.of);
        let mut piece = if state.next == ticket.number { state.take(ticket.number) } else { None };
        if piece.is_none() && !state.ended {
            // Polars' executor puts another thread in the place of this one.
            state.waiting.insert(ticket.number);
            drop(state);
            let waited = polars_async::executor::block_in_place(|| self.wait(ticket, names));
            state = self.shared.lock();
            state.waiting.remove(&ticket.number);
            piece = waited?;
        }
        if piece.is_none() {
            state.use_up(ticket.number);
            state.late += usize::from(state.ended);
        }
        let are_too_few = ticket.number + 1 >= state.tickets && !state.ended;
        drop(state);
        self.shared.changed.notify_all();
        polars_ensure!(
            !are_too_few,
            ComputeError: "the reader has been silent for too long, or has more batches than one scan can take; read it \
            with `IpcStreamReader`"
        );
        piece.unwrap_or_else(|| self.empty(names))
    }

    /// Waits for the piece of a ticket, as long as that makes sense.
    fn wait(&self, ticket: Ticket, names: &[PlSmallStr]) -> PolarsResult<Option<PolarsResult<DataFrame>>> {
        let (least, most) = (MOMENT * (1 << ticket.level()), PATIENCE * (1 << ticket.level()));
        let mut state = self.shared.lock();
        let mut begun = Instant::now();
        let mut since = state.since;
        loop {
            if state.since != since {
                (since, begun) = (state.since, Instant::now());
            }
            let turn = state.turn(ticket.number, begun.elapsed());
            let has_turn = turn.is_some_and(|left| left.is_zero());
            if has_turn && let Some(piece) = state.take(ticket.number) {
                return Ok(Some(piece));
            }
            if state.is_shared {
                return Err(used_twice());
            }
            if state.ended {
                return Ok(None);
            }
            if has_turn && !state.is_asked {
                self.ask(&mut state, ticket, names)?;
                continue;
            }
            // When a piece is there, or has yet to be asked for, the first that waits goes on: nothing is given back.
            let is_silent = state.is_asked && state.piece.is_none();
            let patience = begun.saturating_duration_since(since).clamp(least, most);
            let left = patience.saturating_sub(begun.elapsed());
            if is_silent && left.is_zero() && !ticket.is_last() {
                return Ok(None);
            }
            let left = if is_silent && !ticket.is_last() { left } else { PATIENCE };
            let left = turn.filter(|left| !left.is_zero()).map_or(left, |turn| left.min(turn));
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks the thread for the next piece. It begins with the first.
    fn ask(&self, state: &mut State, ticket: Ticket, names: &[PlSmallStr]) -> PolarsResult<()> {
        if let Some(source) = state.source.take() {
            let (sender, receiver) = channel();
            state.names = names.to_vec();
            let shared = Arc::clone(&self.shared);
            let (names, limit) = (names.to_vec(), state.limit);
            thread::Builder::new()
                .name("floe-reader".into())
                .spawn(move || shared.serve(source, &names, limit, &receiver))?;
            state.requests = Some(sender);
        }
        let sender = state.requests.as_ref().filter(|_| state.names == names);
        state.is_asked = sender.is_some_and(|sender| sender.send(ticket.worth()).is_ok());
        if !state.is_asked {
            return Err(used_twice());
        }
        state.since = Instant::now();
        self.shared.changed.notify_all();
        Ok(())
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        self.shared.lock().requests = None;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread that reads. It ends with the source, and drops it.
    fn serve(&self, source: Source, names: &[PlSmallStr], limit: usize, requests: &Receiver<Worth>) {
        // Until then: what those who wait are told if this thread panics.
        let mut told = Told {
            shared: self,
            piece: Some(Err(polars_err!(ComputeError: "reading the source has panicked"))),
        };
        let mut reading = match self.columns.begin(source, names, limit) {
            Ok(reading) => reading,
            Err(error) => return told.piece = Some(Err(error)),
        };
        while let Ok(worth) = requests.recv() {
            let piece = self.columns.gather(&mut reading, worth);
            if piece.is_err() || reading.has_ended() {
                drop(reading);
                told.piece = Some(piece);
                return;
            }
            self.lock().piece = Some(piece);
            self.changed.notify_all();
        }
        told.piece = None;
    }
}

/// The last piece, told when the thread ends.
struct Told<'a> {
    shared: &'a Shared,
    piece: Option<PolarsResult<DataFrame>>,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.piece = self.piece.take();
        state.ended = true;
        drop(state);
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use floe_frame::{IpcStreamReader, IpcStreamWriter};
    use polars_io::{SerReader, SerWriter};

    use super::super::reader_source::{Counted, Origin};
    use super::*;

    /// Batches of one row: their numbers.
    fn numbers(batches: i64) -> PolarsResult<Once> {
        let mut df =
            DataFrame::new_infer_height(vec![Column::new("n".into(), (0..batches).collect::<Vec<_>>())])?;
        let mut bytes = Vec::new();
        IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(1)).finish(&mut df)?;
        let source = Counted { reader: Box::new(Cursor::new(bytes)), counter: None };
        let mut columns = Columns::default();
        columns.push("n".into(), DataType::Int64, Origin::Stored)?;
        Ok(Once::new(Source { reader: IpcStreamReader::new(source), n_rows: usize::MAX }, columns))
    }

    fn redeem(once: &Once, number: usize) -> Vec<i64> {
        let df = once.redeem(Ticket { number, of: 40_000 }, &["n".into()]).expect("a ticket");
        df.column("n").unwrap().i64().unwrap().iter().flatten().collect()
    }

    #[test]
    fn tickets_that_do_not_come_hold_up_nobody() -> PolarsResult<()> {
        let once = numbers(5)?;
        let (mut rows, mut ticket) = (Vec::new(), 1);
        // Every third ticket. (On a busy machine one of them may be given back before its row is there.)
        while rows.len() < 5 {
            rows.extend(redeem(&once, ticket));
            ticket += 3;
        }
        assert_eq!(rows, [0, 1, 2, 3, 4]);
        // Those between them have no rows, and no ticket counts twice.
        for late in (0..ticket).filter(|late| late % 3 != 1) {
            assert_eq!(redeem(&once, late), Vec::<i64>::new());
        }
        for used in 0..ticket {
            assert!(once.redeem(Ticket { number: used, of: 40_000 }, &["n".into()]).is_err(), "{used}");
        }
        Ok(())
    }

    #[test]
    fn rows_keep_their_order_whoever_comes_first() -> PolarsResult<()> {
        let once = numbers(40)?;
        let mut rows = thread::scope(|scope| {
            let once = &once;
            let holders: Vec<_> =
                (0..60).rev().map(|ticket| scope.spawn(move || redeem(once, ticket))).collect();
            holders.into_iter().map(|rows| rows.join().unwrap()).collect::<Vec<_>>()
        });
        rows.reverse();
        let mut ticket = rows.len();
        let mut all: Vec<i64> = rows.into_iter().flatten().collect();
        while all.len() < 40 {
            all.extend(redeem(&once, ticket));
            ticket += 1;
        }
        assert_eq!(all, (0..40).collect::<Vec<_>>());
        Ok(())
    }
}
