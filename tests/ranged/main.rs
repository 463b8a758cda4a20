//! Indexes and reads through ranged sources: how many requests they take, for how many bytes, and that bytes that are
//! handed over do as well as bytes that are read.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "positions in small files"
)]

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use floe::prelude::*;
use floe::{Buffer, IpcIndexBuilder, IpcIndexOptions, RangedSource, ReadCost, ReadPlan};
use polars_core::prelude::*;

mod opening;
mod plans;

/// Bytes in memory that are asked for as those of a store, and what was asked for: ranges, call by call.
struct Store {
    bytes: Buffer<u8>,
    cost: ReadCost,
    calls: Mutex<Vec<Vec<Range<u64>>>>,
}

impl Store {
    fn new(bytes: &[u8]) -> Arc<Self> {
        Self::with_cost(bytes, ReadCost::Request)
    }

    fn with_cost(bytes: &[u8], cost: ReadCost) -> Arc<Self> {
        Arc::new(Self { bytes: bytes.to_vec().into(), cost, calls: Mutex::default() })
    }

    /// The requests since the last call.
    fn take_calls(&self) -> Vec<Vec<Range<u64>>> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

impl RangedSource for Store {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
        assert!(!ranges.is_empty() && ranges.iter().all(|range| range.start < range.end));
        assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{ranges:?}");
        self.calls.lock().unwrap().push(ranges.to_vec());
        let part = |range: &Range<u64>| self.bytes.get(range.start as usize..range.end as usize);
        let part = |range| part(range).map(|bytes| bytes.to_vec().into());
        ranges.iter().map(|range| part(range).ok_or(io::ErrorKind::UnexpectedEof.into())).collect()
    }

    fn read_cost(&self) -> ReadCost {
        self.cost
    }
}

fn bytes_of(calls: &[Vec<Range<u64>>]) -> u64 {
    calls.iter().flatten().map(|range| range.end - range.start).sum()
}

/// Numbers, text and categories.
fn frame(rows: usize) -> DataFrame {
    let number = |i: usize| i as i64 * 7;
    let texts: Vec<String> = (0..rows).map(|i| format!("text number {i}")).collect();
    let kinds: Vec<&str> = (0..rows).map(|i| ["one", "two", "three"][i % 3]).collect();
    let categories = DataType::from_categories(Categories::global());
    let kinds = Column::new("kind".into(), kinds).cast(&categories).unwrap();
    let columns = vec![
        Column::new("a".into(), (0..rows).map(number).collect::<Vec<i64>>()),
        Column::new("text".into(), texts),
        kinds,
        Column::new("b".into(), (0..rows).map(|i| (i % 5 != 0).then_some(i as f64)).collect::<Vec<_>>()),
    ];
    DataFrame::new(rows, columns).unwrap()
}

fn file(df: &DataFrame, rows_per_batch: usize, compression: Option<IpcCompression>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Heads are what these tests are about.
    let writer = IpcWriter::new(&mut bytes).with_compression(compression).with_layout(false);
    writer.with_record_batch_size(Some(rows_per_batch)).finish(&mut df.clone()).unwrap();
    bytes
}

fn stream(df: &DataFrame, rows_per_batch: usize, compression: Option<IpcCompression>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = IpcStreamWriter::new(&mut bytes).with_compression(compression);
    writer.with_record_batch_size(Some(rows_per_batch)).finish(&mut df.clone()).unwrap();
    bytes
}

/// A file as a writer leaves it that notes no rows in the footer.
fn foreign_file(batches: usize, rows_per_batch: usize) -> (DataFrame, Vec<u8>) {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    let mut bytes = Vec::new();
    let batch = |start: i64| {
        let values = Int64Array::from_iter_values(start..start + rows_per_batch as i64);
        RecordBatch::try_from_iter([("a", Arc::new(values) as ArrayRef)]).unwrap()
    };
    let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &batch(0).schema()).unwrap();
    for i in 0..batches {
        writer.write(&batch((i * rows_per_batch) as i64)).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    let all: Vec<i64> = (0..(batches * rows_per_batch) as i64).collect();
    (DataFrame::new(all.len(), vec![Column::new("a".into(), all)]).unwrap(), bytes)
}

/// Gives an index builder what it needs, and says how often and how much.
fn build(bytes: &[u8], options: IpcIndexOptions) -> PolarsResult<(floe::IpcIndex, Vec<Vec<Range<u64>>>)> {
    let mut builder = IpcIndexBuilder::new(bytes.len() as u64, options);
    let mut calls = Vec::new();
    loop {
        let needed = builder.needed();
        if needed.is_empty() {
            return Ok((builder.finish()?, calls));
        }
        for range in &needed {
            builder.give(range.clone(), bytes[range.start as usize..range.end as usize].to_vec())?;
        }
        calls.push(needed);
    }
}

/// Gives a plan what it needs, and says how often and how much.
fn run(mut plan: ReadPlan, bytes: &[u8]) -> PolarsResult<(DataFrame, Vec<Vec<Range<u64>>>)> {
    let mut calls = Vec::new();
    loop {
        let needed = plan.needed();
        if needed.is_empty() {
            return Ok((plan.decode()?, calls));
        }
        for range in &needed {
            plan.give(range.clone(), bytes[range.start as usize..range.end as usize].to_vec())?;
        }
        calls.push(needed);
    }
}
