//! Reading a source once, by tickets that an engine hands to its threads.
//!
//! A source makes its reader wait, and Polars' streaming engine must not wait with it. Of the frames that its threads hand
//! on side by side, it passes on the first only when it has seen the next of every other thread. So a thread of the
//! scan's own reads, one piece when one is asked for. Threads that come with a ticket wait for a moment, and
//! then give it back without rows.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use floe_frame::{IpcStreamReader, StreamBatches};
use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;

/// From this ticket on one is worth more than a batch, twice as many rows every [`GROW_EVERY`] tickets, as the plan has a
/// limited number of them.
const GROW_FROM: u64 = 800_000;
const GROW_EVERY: u64 = 20_000;
/// How long a thread waits with its ticket: so often for a millisecond, then longer, as long as nothing comes. The first
/// times let through what has come. A thread that waits may be one that another scan in the query needs.
const MOMENT: Duration = Duration::from_millis(1);
const PATIENCE: [(usize, Duration); 2] = [(2, MOMENT), (6, Duration::from_millis(10))];
const LONG: Duration = Duration::from_millis(100);

/// A source, whose bytes are counted.
pub(super) struct Counted {
    pub(super) source: Box<dyn Read + Send>,
    pub(super) counter: Option<Arc<AtomicU64>>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buf)?;
        if let Some(counter) = &self.counter {
            counter.fetch_add(read as u64, Ordering::Relaxed);
        }
        Ok(read)
    }
}

/// Where a column comes from.
#[derive(Clone)]
pub(super) enum Origin {
    Stored,
    RowIndex(IdxSize),
    Path,
    Hidden,
}

/// A source that is read once.
pub(super) struct Once {
    /// All columns, a hidden one last if there is one.
    pub(super) schema: SchemaRef,
    shared: Arc<Shared>,
    /// Asks the thread for rows; when this is gone, so is the thread.
    requests: Mutex<Option<Sender<usize>>>,
}

struct Shared {
    columns: Columns,
    /// Whether all has been read.
    ended: AtomicBool,
    state: Mutex<State>,
    /// Told when a ticket has been used, or a piece has come.
    changed: Condvar,
}

/// The columns that frames are made of.
struct Columns {
    schema: SchemaRef,
    origins: Vec<Origin>,
}

struct State {
    /// Until it is read.
    source: Option<Source>,
    /// The columns that were asked for.
    names: Vec<PlSmallStr>,
    /// Whether the thread reads; and what it has read.
    requested: bool,
    piece: Option<PolarsResult<DataFrame>>,
    /// The first ticket that has not been used, and those behind it that have.
    next: u64,
    used: BTreeSet<u64>,
    /// Tickets given back since there were rows.
    idle: usize,
    /// Whether somebody waits with the first ticket. If not, the ticket may wait for a thread.
    is_awaited: bool,
}

/// A source that has not been read, but for its schema.
pub(super) struct Source {
    pub(super) reader: IpcStreamReader<Counted>,
    pub(super) n_rows: Option<usize>,
}

struct Reading {
    reader: IpcStreamReader<Counted>,
    /// Nothing at the end.
    batches: Option<StreamBatches<Counted>>,
    schema: Schema,
    names: Vec<PlSmallStr>,
    rows: usize,
    n_rows: usize,
}

impl State {
    fn use_up(&mut self, ticket: u64) {
        self.used.insert(ticket);
        while self.used.remove(&self.next) {
            self.next += 1;
            self.is_awaited = false;
        }
    }

    fn patience(&self) -> Duration {
        if !self.is_awaited {
            return MOMENT;
        }
        let rounds = self.idle / THREAD_POOL.current_num_threads().max(1);
        PATIENCE.iter().find(|(until, _)| rounds < *until).map_or(LONG, |(_, patience)| *patience)
    }
}

fn used_twice() -> PolarsError {
    polars_err!(
        ComputeError: "the source of scan_ipc_reader was read already: a reader can be read once, so its LazyFrame \
        can be collected once, and be used once in a query; collect it first, or write it to a file and scan that"
    )
}

impl Once {
    pub(super) fn new(source: Source, schema: SchemaRef, origins: Vec<Origin>) -> Self {
        let state = State {
            source: Some(source),
            names: Vec::new(),
            requested: false,
            piece: None,
            next: 0,
            used: BTreeSet::new(),
            idle: 0,
            is_awaited: false,
        };
        let columns = Columns { schema: Arc::clone(&schema), origins };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let shared = Arc::new(Shared { columns, ended: AtomicBool::new(false), state, changed });
        Self { schema, shared, requests: Mutex::new(None) }
    }

    /// Whether all has been read: tickets that were not handed out yet are worth nothing.
    pub(super) fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }

    /// No rows of some columns.
    pub(super) fn empty(&self, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        self.shared.columns.empty(names)
    }

    /// The rows that a ticket is worth, if any.
    pub(super) fn rows(&self, ticket: u64, names: &[PlSmallStr], is_last: bool) -> PolarsResult<DataFrame> {
        let shared = &*self.shared;
        let mut state = shared.lock();
        if ticket < state.next || state.used.contains(&ticket) {
            return Err(used_twice());
        }
        loop {
            if state.next == ticket {
                if let Some(piece) = state.piece.take() {
                    state.use_up(ticket);
                    (state.requested, state.idle) = (false, 0);
                    shared.changed.notify_all();
                    polars_ensure!(
                        !is_last || self.has_ended(),
                        ComputeError: "the reader has more batches than one scan can take; read it with \
                        `IpcStreamReader`"
                    );
                    return piece;
                }
                state.is_awaited = true;
                if !state.requested {
                    let shift = (ticket.saturating_sub(GROW_FROM) / GROW_EVERY).min(40);
                    self.request(&mut state, names, if ticket < GROW_FROM { 1 } else { 1 << shift })?;
                }
            }
            let patience = state.patience();
            let waited = shared.changed.wait_timeout(state, patience);
            let (guard, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            let has_come = state.next == ticket && state.piece.is_some();
            if waited.timed_out() && !has_come && !is_last {
                state.use_up(ticket);
                state.idle += 1;
                shared.changed.notify_all();
                return self.empty(names);
            }
        }
    }

    /// Asks the thread for the next rows, which begins with the first ones.
    fn request(&self, state: &mut State, names: &[PlSmallStr], rows: usize) -> PolarsResult<()> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = state.source.take() {
            let (sender, receiver) = channel();
            state.names = names.to_vec();
            let reading = self.shared.columns.begin(source, names)?;
            let shared = Arc::clone(&self.shared);
            thread::Builder::new()
                .name("floe-reader".into())
                .spawn(move || shared.serve(reading, &receiver))?;
            *requests = Some(sender);
        }
        let sender = requests.as_ref().filter(|_| state.names == names);
        let sent = sender.is_some_and(|sender| sender.send(rows).is_ok());
        if !sent {
            return Err(used_twice());
        }
        state.requested = true;
        Ok(())
    }

    /// The first rows, or all: of an engine that asks once.
    pub(super) fn first(&self, limit: usize, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        let source = {
            let mut state = self.shared.lock();
            state.use_up(0);
            state.source.take().ok_or_else(used_twice)?
        };
        let columns = &self.shared.columns;
        let mut reading = columns.begin(source, names)?;
        Ok(columns.gather(&mut reading, limit)?.head(Some(limit)))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread that reads.
    fn serve(&self, mut reading: Reading, requests: &Receiver<usize>) {
        /// Tells those who wait when the thread ends, also by a panic.
        struct Gone<'a>(&'a Shared);

        impl Drop for Gone<'_> {
            fn drop(&mut self) {
                let mut state = self.0.lock();
                if state.requested && state.piece.is_none() {
                    state.piece = Some(Err(polars_err!(ComputeError: "reading the source has panicked")));
                }
                self.0.changed.notify_all();
            }
        }

        let _gone = Gone(self);
        while let Ok(rows) = requests.recv() {
            let piece = self.columns.gather(&mut reading, rows);
            if reading.batches.is_none() || reading.rows >= reading.n_rows {
                self.ended.store(true, Ordering::Release);
            }
            self.lock().piece = Some(piece);
            self.changed.notify_all();
        }
    }
}

impl Columns {
    /// Begins to read these columns.
    fn begin(&self, source: Source, names: &[PlSmallStr]) -> PolarsResult<Reading> {
        let Source { mut reader, n_rows } = source;
        let schema = reader.schema()?;
        let mut stored = Vec::new();
        for name in names {
            if let Origin::Stored = self.origin(name)? {
                stored.push(name.to_string());
            }
        }
        let reader = reader.with_columns(Some(stored));
        let batches = Some(reader.batches()?);
        let n_rows = n_rows.unwrap_or(usize::MAX);
        let names = names.to_vec();
        Ok(Reading { reader, batches, schema, names, rows: 0, n_rows })
    }

    /// Batches that have this number of rows together, if there are.
    fn gather(&self, reading: &mut Reading, rows: usize) -> PolarsResult<DataFrame> {
        let mut all: Option<DataFrame> = None;
        while all.as_ref().map_or(0, DataFrame::height) < rows {
            let before = reading.rows;
            let Some(batch) = reading.next_batch()? else { break };
            let df = self.frame(batch, before, &reading.names)?;
            match &mut all {
                None => all = Some(df),
                Some(all) => {
                    all.vstack_mut_owned(df)?;
                },
            }
        }
        all.map_or_else(|| self.empty(&reading.names), Ok)
    }

    /// No rows of some columns.
    fn empty(&self, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        let column = |name: &PlSmallStr| {
            let dtype = self.schema.try_get(name)?;
            Ok(Column::new_scalar(name.clone(), Scalar::null(dtype.clone()), 0))
        };
        DataFrame::new(0, names.iter().map(column).collect::<PolarsResult<_>>()?)
    }

    fn origin(&self, name: &str) -> PolarsResult<&Origin> {
        let (at, _, _) = self.schema.try_get_full(name)?;
        self.origins.get(at).ok_or_else(|| polars_err!(ComputeError: "the scan has no column \"{name}\""))
    }

    /// A batch with the columns that are not stored.
    fn frame(&self, batch: DataFrame, before: usize, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        let height = batch.height();
        let mut stored = batch.into_columns().into_iter();
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            columns.push(match self.origin(name)? {
                Origin::Stored => {
                    let column = stored.next();
                    column.ok_or_else(|| polars_err!(ComputeError: "the column \"{name}\" was not read"))?
                },
                Origin::RowIndex(offset) => super::read::row_numbers(name, *offset, before, height)?,
                Origin::Path => {
                    let path = AnyValue::StringOwned("reader".into());
                    Column::new_scalar(name.clone(), Scalar::new(DataType::String, path), height)
                },
                Origin::Hidden => Column::new_scalar(name.clone(), Scalar::null(DataType::Null), height),
            });
        }
        DataFrame::new(height, columns)
    }
}

impl Reading {
    /// The next batch that has rows, of this stream or of one behind it.
    fn next_batch(&mut self) -> PolarsResult<Option<DataFrame>> {
        loop {
            let left = self.n_rows.saturating_sub(self.rows);
            let Some(batches) = self.batches.as_mut().filter(|_| left > 0) else { return Ok(None) };
            match batches.next().transpose()? {
                Some(df) if df.height() == 0 => {},
                Some(df) => {
                    let df = if df.height() > left { df.head(Some(left)) } else { df };
                    self.rows += df.height();
                    return Ok(Some(df));
                },
                None if self.reader.advance()? => self.go_on()?,
                None => self.batches = None,
            }
        }
    }

    /// Goes on to the stream behind the one that has ended.
    fn go_on(&mut self) -> PolarsResult<()> {
        let schema = self.reader.schema()?;
        polars_ensure!(
            schema == self.schema,
            SchemaMismatch: "the streams in the reader have different columns: {:?}, then {:?}", self.schema, schema
        );
        self.batches = Some(self.reader.batches()?);
        Ok(())
    }
}
