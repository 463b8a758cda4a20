//! Reads bytes that nobody vouches for, in every way floe reads.

use std::io::{Cursor, Read};
use std::ops::Range;

use floe::prelude::*;
use floe::{IpcIndexBuilder, IpcIndexOptions, StreamDecoder};
use polars_core::prelude::*;

use crate::equal::{frames_differ, touch};
use crate::frame::rows;

/// Small, so that an input takes milliseconds: what a header may claim is not what this looks for.
pub const LIMITS: IpcLimits = IpcLimits {
    max_schema_depth: 32,
    max_schema_nodes: 1 << 12,
    max_metadata_bytes: 1 << 20,
    max_buffers: 1 << 12,
    max_buffer_bytes: 4 << 20,
    max_total_bytes: 16 << 20,
    max_amplification: 1 << 8,
    amplification_floor: 4 << 20,
    max_unbacked_rows: 1 << 12,
};

/// Batches that are read one by one: a file can name the same one many times.
const BATCHES: usize = 8;

/// Reads a stream, in every way.
///
/// # Panics
/// When a frame is not sound, and when two ways give two frames.
pub fn stream(bytes: &[u8]) {
    let mut found = Found::default();
    let mut reader = IpcStreamReader::new(bytes).with_limits(LIMITS).with_parallel(false);
    let _ = (reader.schema(), reader.arrow_schema(), reader.custom_metadata());
    found.take(reader.finish());

    found.take(IpcStreamReader::new(Trickle { bytes, step: 0 }).with_limits(LIMITS).finish());
    // Bytes behind the stream are left, as by a reader that only reads.
    let shared =
        || IpcStreamReader::from_bytes(bytes.to_vec()).with_limits(LIMITS).with_trailing_data_allowed(true);
    found.take(shared().with_parallel(false).finish());
    found
        .take(IpcStreamReader::from_bytes(misaligned(bytes)).with_limits(LIMITS).set_rechunk(false).finish());
    let mut reader = shared();
    if let Ok(Some(first)) = reader.next_stream() {
        found.take(Ok(first));
        while let Ok(Some(df)) = reader.next_stream() {
            look_at(&df);
        }
    }
    found.take_batches(
        IpcStreamReader::new(bytes)
            .with_limits(LIMITS)
            .batches()
            .map(|batches| batches.map(|batch| batch.inspect(look_at))),
    );
    found.take_batches(shared().batches());
    found.take_batches(pushed(bytes).map(|frames| frames.into_iter().map(Ok)));

    if let Some(df) = &found.df {
        let names: Vec<_> = df.get_column_names_owned().iter().map(ToString::to_string).collect();
        let (columns, expected) = some_columns(df, &names);
        let part = shared().with_columns(Some(columns)).finish();
        assert_same(&expected, &part.expect("a column of what was read can be read alone"));
        let half = df.height() / 2;
        let part = IpcStreamReader::new(bytes).with_limits(LIMITS).with_n_rows(Some(half)).finish();
        assert_same(&rows(df, 0, half), &part.expect("the first rows of what was read"));
    }
    let _ = floe::inspect::describe(bytes, &LIMITS).map(|description| description.to_string());
}

/// The frames of a stream that is pushed in 1 to 16 pieces.
fn pushed(bytes: &[u8]) -> PolarsResult<Vec<DataFrame>> {
    let mut decoder = StreamDecoder::new().with_limits(LIMITS).with_trailing_data_allowed(true);
    let pieces = bytes.last().map_or(1, |last| usize::from(last % 16) + 1);
    let mut frames = Vec::new();
    for piece in bytes.chunks(bytes.len().div_ceil(pieces).max(1)) {
        frames.extend(decoder.push(piece.to_vec())?);
    }
    decoder.finish()?;
    Ok(frames)
}

/// All of a file, read by an index and a plan that are given what they ask for.
fn planned(bytes: &[u8]) -> PolarsResult<DataFrame> {
    let get = |range: &Range<u64>| bytes[range.start as usize..range.end as usize].to_vec();
    let options = IpcIndexOptions::default().with_limits(LIMITS).with_tail_bytes(64);
    let mut builder = IpcIndexBuilder::new(bytes.len() as u64, options);
    while let Some(range) = builder.needed().first() {
        builder.give(range.clone(), get(range))?;
    }
    let index = builder.finish()?;
    let columns: Vec<usize> = (0..index.column_names().len()).collect();
    let mut plan = index.plan(0..index.num_record_batches(), &columns)?;
    while let Some(range) = plan.needed().first() {
        plan.give(range.clone(), get(range))?;
    }
    plan.decode()
}

/// Reads a file, in every way.
///
/// # Panics
/// As [`stream`].
pub fn file(bytes: &[u8]) {
    let mut found = Found::default();
    let mut reader = IpcReader::new(Cursor::new(bytes)).with_limits(LIMITS).with_parallel(false);
    let _ = (reader.schema(), reader.arrow_schema(), reader.polars_schema(), reader.custom_metadata());
    let _ = (reader.footer_metadata(), reader.num_rows());
    found.take(reader.finish());

    let shared = || IpcReader::from_bytes(bytes.to_vec()).with_limits(LIMITS);
    let whole = shared().finish();
    let is_read = whole.is_ok();
    found.take(whole);
    found.take(IpcReader::from_bytes(misaligned(bytes)).with_limits(LIMITS).set_rechunk(false).finish());
    found.take(planned(bytes));
    found.take_batches(IpcReader::new(Cursor::new(bytes)).with_limits(LIMITS).batches());
    found.take_batches(shared().batches());

    let reader = shared();
    if let Ok(batches) = reader.num_record_batches() {
        for index in (0..batches.min(BATCHES)).chain([batches]) {
            let batch = reader.get_batch(index);
            assert!(index < batches || batch.is_err(), "batch {index} of {batches}");
            let _ = (batch.as_ref().map(look_at), reader.batch_metadata(index));
        }
    }
    // An index asks for what it needs. So a plan may succeed where a reader finds a fault: in the magic at the start, or in
    // a dictionary without batches.
    if is_read && let Some(df) = &found.df {
        let names: Vec<_> = df.get_column_names_owned().iter().map(ToString::to_string).collect();
        let (columns, expected) = some_columns(df, &names);
        let part = shared().with_columns(Some(columns)).finish();
        assert_same(&expected, &part.expect("a column of what was read can be read alone"));
        let half = df.height() / 2;
        let part = IpcReader::new(Cursor::new(bytes)).with_limits(LIMITS).with_n_rows(Some(half)).finish();
        assert_same(&rows(df, 0, half), &part.expect("the first rows of what was read"));
    }
    recover(bytes);
    let _ = floe::inspect::describe(bytes, &LIMITS).map(|description| description.to_string());
}

/// `recover` has no limits but the default ones, which allow a terabyte: it gets what a stream within
/// [`LIMITS`] has room for.
fn recover(bytes: &[u8]) {
    let stream = bytes.get(8..).unwrap_or_default().to_vec();
    let batches = IpcStreamReader::from_bytes(stream).with_limits(LIMITS).batches();
    let is_over = |error: &PolarsError| error.to_string().contains("max_");
    let fits = match batches {
        Ok(mut batches) => !batches.any(|batch| batch.is_err_and(|error| is_over(&error))),
        Err(error) => !is_over(&error),
    };
    if fits && let Ok(recovered) = IpcReader::recover(Cursor::new(bytes)) {
        look_at(&recovered.df);
        assert!(recovered.leftover_bytes <= bytes.len() as u64);
    }
}

/// Every second column, the last one first.
fn some_columns(df: &DataFrame, names: &[String]) -> (Vec<String>, DataFrame) {
    let columns: Vec<_> = names.iter().rev().step_by(2).cloned().collect();
    let expected = df.select(columns.iter().map(String::as_str)).expect("columns of the frame");
    (columns, expected)
}

/// Reads every value, and lets Polars work with them.
pub fn look_at(df: &DataFrame) {
    touch(df);
    if df.height() <= 1 << 10 {
        let mask: BooleanChunked = (0..df.height()).map(|row| row % 3 != 1).collect();
        touch(&df.filter(&mask).expect("a mask of the frame's height"));
    }
}

#[track_caller]
fn assert_same(left: &DataFrame, right: &DataFrame) {
    if let Err(difference) = frames_differ(left, right) {
        panic!("two ways to read give two frames: {difference}\n{:?}\n{:?}", left.schema(), right.schema());
    }
}

/// The frame that the ways to read agree on.
#[derive(Default)]
struct Found {
    df: Option<DataFrame>,
}

impl Found {
    #[track_caller]
    fn take(&mut self, result: PolarsResult<DataFrame>) {
        let Ok(df) = result else { return };
        look_at(&df);
        match &self.df {
            Some(known) => assert_same(known, &df),
            None => self.df = Some(df),
        }
    }

    /// All batches; none of them says nothing.
    #[track_caller]
    fn take_batches(&mut self, batches: PolarsResult<impl Iterator<Item = PolarsResult<DataFrame>>>) {
        let Ok(batches) = batches else { return };
        let mut whole: Option<DataFrame> = None;
        for batch in batches {
            let Ok(batch) = batch else { return };
            match &mut whole {
                Some(whole) => drop(whole.vstack_mut(&batch).expect("batches have one schema")),
                None => whole = Some(batch),
            }
        }
        if let Some(whole) = whole {
            self.take(Ok(whole));
        }
    }
}

/// Gives 1 to 7 bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.step = self.step % 7 + 1;
        let len = out.len().min(self.step);
        self.bytes.read(&mut out[..len])
    }
}

/// Bytes that start at an odd address.
struct Misaligned(Vec<u8>);

impl AsRef<[u8]> for Misaligned {
    fn as_ref(&self) -> &[u8] {
        &self.0[1..]
    }
}

fn misaligned(bytes: &[u8]) -> Misaligned {
    let mut buffer = Vec::with_capacity(bytes.len() + 1);
    buffer.push(0);
    buffer.extend_from_slice(bytes);
    Misaligned(buffer)
}
