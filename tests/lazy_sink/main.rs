//! LazyFrames into streams, files and iterators: what comes out, what goes wrong, how much is held.

mod failing;
mod held;
mod metadata;
mod output;
mod processes;
mod slices;

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use floe::lazy::*;
use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::equal::{assert_frames_equal, frames_differ};
use floe_tests::run::{Cases, within};
use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use polars_lazy::prelude::*;

/// `rows` rows of what is different in each.
fn numbers(rows: usize) -> DataFrame {
    let n: Vec<i64> = (0..rows).map(|row| i64::try_from(row).expect("a small number")).collect();
    let x: Vec<f64> = n.iter().map(|n| (*n as f64).sqrt()).collect();
    let t: Vec<String> = n.iter().map(|n| format!("text that is not inlined {n}")).collect();
    DataFrame::new(
        rows,
        vec![Column::new("n".into(), n), Column::new("x".into(), x), Column::new("t".into(), t)],
    )
    .expect("a frame")
}

/// A query whose rows pass `look`, some of them at a time, as they are made.
fn watched(df: DataFrame, look: impl Fn(&Column) -> PolarsResult<()> + Send + Sync + 'static) -> LazyFrame {
    let name = df.columns()[0].name().clone();
    let look = move |column: Column| look(&column).map(|()| column);
    df.lazy().with_column(col(name).map(look, |_, field| Ok(field.clone())))
}

/// Many small frames, one after another.
fn pieces(frames: &[DataFrame]) -> LazyFrame {
    let frames: Vec<_> = frames.iter().map(|df| df.clone().lazy()).collect();
    concat(frames, UnionArgs { maintain_order: true, ..UnionArgs::default() }).expect("one schema")
}

/// A target that keeps what it gets.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn boxed(&self) -> Box<dyn Write + Send> {
        Box::new(self.clone())
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A target that fails after this many bytes.
struct Failing(usize, io::ErrorKind);

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::new(self.1, "as the test wants it"));
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.0 == 0 { Err(io::Error::new(self.1, "as the test wants it")) } else { Ok(()) }
    }
}

fn nowhere() -> Box<dyn Write + Send> {
    Box::new(io::sink())
}

fn io_kind(error: &PolarsError) -> Option<io::ErrorKind> {
    match error {
        PolarsError::IO { error, .. } => Some(error.kind()),
        _ => None,
    }
}

/// Both formats by one name.
fn sink(lf: LazyFrame, file: bool, options: IpcSinkOptions) -> PolarsResult<(Vec<u8>, WriteSummary)> {
    let memory = Memory::default();
    let summary = match file {
        true => lf.sink_ipc_file(memory.boxed(), options)?,
        false => lf.sink_ipc_stream(memory.boxed(), options)?,
    };
    let bytes = memory.take();
    assert_eq!(summary.written_bytes, bytes.len() as u64);
    Ok((bytes, summary))
}

fn read(bytes: Vec<u8>, file: bool) -> PolarsResult<DataFrame> {
    if file { IpcReader::from_bytes(bytes).finish() } else { IpcStreamReader::from_bytes(bytes).finish() }
}

/// The rows of each batch of a stream.
fn heights(bytes: &[u8]) -> Vec<usize> {
    let batches = IpcStreamReader::new(bytes).batches().expect("a stream");
    batches.map(|batch| batch.expect("a batch").height()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}
