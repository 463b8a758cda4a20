//! Reading a source once, by tickets that an engine hands to its threads.
//!
//! A source makes its reader wait, and Polars' streaming engine has as many threads as it has: were all of them
//! waiting, what has been read already would get no further. So one thread reads, for the first ticket that has not been
//! used; the others wait for a moment, and then give back their tickets without rows.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use floe_frame::{IpcStreamReader, StreamBatches};
use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;

/// From this ticket on one is worth more than a batch, twice as many rows every [`GROW_EVERY`] tickets, as the plan has a
/// limited number of them.
const GROW_FROM: u64 = 100_000;
const GROW_EVERY: u64 = 20_000;
/// How long a thread waits with its ticket, a few times and then as long as nothing comes.
const MOMENT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(1);
const MOMENTS: usize = 4;

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
    pub(super) origins: Vec<Origin>,
    /// Whether all has been read.
    ended: AtomicBool,
    state: Mutex<State>,
    /// Told when a ticket has been used.
    changed: Condvar,
}

struct State {
    /// Until the first ticket is used.
    source: Option<Source>,
    /// Nothing before, and while a thread reads.
    reading: Option<Reading>,
    busy: bool,
    /// The first ticket that has not been used, and those behind it that have.
    next: u64,
    used: BTreeSet<u64>,
    /// Tickets given back since there were rows.
    idle: usize,
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
    /// The columns that were asked for.
    names: Vec<PlSmallStr>,
    rows: usize,
    n_rows: usize,
}

impl State {
    fn use_up(&mut self, ticket: u64) {
        self.used.insert(ticket);
        while self.used.remove(&self.next) {
            self.next += 1;
        }
    }

    fn patience(&self) -> Duration {
        if self.idle < MOMENTS * THREAD_POOL.current_num_threads() { MOMENT } else { LONG }
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
            reading: None,
            busy: false,
            next: 0,
            used: BTreeSet::new(),
            idle: 0,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Self { schema, origins, ended: AtomicBool::new(false), state, changed }
    }

    /// Whether all has been read: tickets that were not handed out yet are worth nothing.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The rows that a ticket is worth, if any.
    pub(super) fn rows(&self, ticket: u64, names: &[PlSmallStr], is_last: bool) -> PolarsResult<DataFrame> {
        let mut state = self.lock();
        if ticket < state.next || state.used.contains(&ticket) {
            return Err(used_twice());
        }
        while state.busy || state.next != ticket {
            let patience = state.patience();
            let waited = self.changed.wait_timeout(state, patience);
            let (guard, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if waited.timed_out() && (state.busy || state.next != ticket) && !is_last {
                state.use_up(ticket);
                state.idle += 1;
                self.changed.notify_all();
                return self.empty(names);
            }
        }
        let shift = (ticket.saturating_sub(GROW_FROM) / GROW_EVERY).min(40);
        let df = self.read(state, ticket, names, if ticket < GROW_FROM { 1 } else { 1 << shift })?;
        polars_ensure!(
            !is_last || self.has_ended(),
            ComputeError: "the reader has more batches than one scan can take; read it with `IpcStreamReader`"
        );
        Ok(df)
    }

    /// The first rows, or all: of an engine that asks once.
    pub(super) fn first(&self, limit: usize, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        let state = self.lock();
        if state.busy || state.next > 0 {
            return Err(used_twice());
        }
        Ok(self.read(state, 0, names, limit)?.head(Some(limit)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads so many rows, if there are, while others may look at the state.
    fn read(
        &self,
        mut state: MutexGuard<'_, State>,
        ticket: u64,
        names: &[PlSmallStr],
        rows: usize,
    ) -> PolarsResult<DataFrame> {
        let (source, reading) = (state.source.take(), state.reading.take());
        state.busy = true;
        drop(state);
        let _busy = Busy { once: self, ticket };
        let mut reading = match (source, reading) {
            (Some(source), _) => self.begin(source, names)?,
            (None, Some(reading)) if reading.names == names => reading,
            (None, _) => return Err(used_twice()),
        };
        let df = self.gather(&mut reading, rows);
        if reading.batches.is_none() || reading.rows >= reading.n_rows {
            self.ended.store(true, Ordering::Release);
        }
        self.lock().reading = Some(reading);
        df
    }

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

    /// Batches that have so many rows together, if there are.
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
    pub(super) fn empty(&self, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
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

/// A ticket while its rows are read. It is used then, also if that panics.
struct Busy<'a> {
    once: &'a Once,
    ticket: u64,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.once.lock();
        (state.busy, state.idle) = (false, 0);
        state.use_up(self.ticket);
        self.once.changed.notify_all();
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
