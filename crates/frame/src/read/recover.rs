//! Saves the rows of a file whose writer died before the footer.

use floe_format::IpcLimits;
use floe_format::constants::FILE_PREFIX;
use floe_format::sniff::check_file;
use polars_buffer::Buffer;
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;

use super::footer::SNIFFED_BYTES;
use super::in_memory::InMemory;
use super::options::ReadOptions;
use super::ranged::{RangedSource, ReaderSource, read_one};
use super::stream_source::Stream;
use crate::error::format_error;

/// The complete batches of a file, and the bytes behind them. See [`IpcReader::recover`](crate::IpcReader::recover).
///
/// ```
/// # use floe_frame::{IpcReader, IpcWriter, Recovered};
/// # use polars_core::prelude::*;
/// # use polars_io::{SerReader, SerWriter};
/// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
/// # let mut bytes = Vec::new();
/// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
/// use std::io::Cursor;
///
/// bytes.truncate(bytes.len() / 2);
/// let recovered: Recovered = IpcReader::recover(Cursor::new(bytes))?;
/// println!("{} batches, {} bytes left over: {:?}", recovered.batches, recovered.leftover_bytes, recovered.reason);
/// # PolarsResult::Ok(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recovered {
    /// The rows of all complete batches.
    pub df: DataFrame,
    /// How many batches those are.
    pub batches: usize,
    /// Bytes behind the last complete batch (or the schema) that could not be used. Zero for a
    /// whole file.
    pub leftover_bytes: u64,
    /// Why reading stopped there, if it was not at the end.
    pub reason: Option<String>,
}

pub(crate) fn recover<R: MmapBytesReader>(reader: R, limits: IpcLimits) -> PolarsResult<Recovered> {
    let options = ReadOptions { limits, ..ReadOptions::default() };
    let source = ReaderSource::open(reader, None, false)?;
    let bytes = read_one(&source, 0..source.len())?;
    // Never past the end, so the default is not taken.
    check_file(bytes.get(..bytes.len().min(SNIFFED_BYTES)).unwrap_or_default()).map_err(format_error)?;
    let len = bytes.len();
    let Salvage { df, batches, end, marked, error } = salvage(bytes, FILE_PREFIX.len().min(len), &options)?;
    // Behind an end marker comes the footer, which says nothing new.
    let leftover_bytes = if marked { 0 } else { (len as u64).saturating_sub(end) };
    Ok(Recovered { df, batches, leftover_bytes, reason: error.map(|e| e.to_string()) })
}

/// All complete batches of a stream in memory, up to the first thing that is wrong.
struct Salvage {
    df: DataFrame,
    batches: usize,
    /// Where the last complete message ends.
    end: u64,
    marked: bool,
    error: Option<PolarsError>,
}

/// Reads the complete batches.
fn salvage(bytes: Buffer<u8>, start: usize, options: &ReadOptions) -> PolarsResult<Salvage> {
    let mut stream = Stream::new(InMemory::new(bytes, start));
    let mut batches = Vec::new();
    let mut error = None;
    stream.plan(options)?;
    let mut end = stream.position();
    loop {
        match stream.next_batch(options) {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => break,
            Err(e) => {
                error = Some(e);
                break;
            },
        }
        end = stream.position();
    }
    if stream.saw_end_marker() {
        end = stream.position();
    }
    let count = batches.len();
    let df = stream.decode(batches, options, 0)?;
    Ok(Salvage { df, batches: count, end, marked: stream.saw_end_marker(), error })
}
