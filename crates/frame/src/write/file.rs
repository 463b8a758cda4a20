//! The file writer.

use std::io::Write;
use std::sync::Arc;

use polars_core::prelude::*;
use polars_io::SerWriter;
use polars_io::ipc::IpcCompression;

use super::batched::BatchedWriter;
use super::emit::Container;
use super::engine::{Engine, write_frame};
use super::methods::writer_methods;
use super::options::Options;
use crate::options::Metadata;
use crate::summary::WriteSummary;

/// Writes a DataFrame to an Arrow IPC file.
///
/// The file is also a stream: from byte 8 on, any stream reader can read it.
///
/// ```
/// use floe_frame::{IpcReader, IpcWriter};
/// use polars_core::prelude::*;
/// use polars_io::{SerReader, SerWriter};
/// use std::io::Cursor;
///
/// let days = Column::new("days".into(), [0, 1, 2]);
/// let mut df = DataFrame::new(3, vec![days])?;
/// let mut bytes = Vec::new();
/// IpcWriter::new(&mut bytes).finish(&mut df)?;
/// assert!(IpcReader::new(Cursor::new(bytes)).finish()?.equals(&df));
/// # PolarsResult::Ok(())
/// ```
#[must_use]
pub struct IpcWriter<W> {
    writer: W,
    options: Options,
    summary: WriteSummary,
    /// Part of a frame has been written, and the rest could not be.
    broken: bool,
}

writer_methods!(IpcWriter, BatchedWriter, Container::File);
