//! Polars' eager readers and writers.

use std::fs::File;
use std::path::Path;

use polars_core::prelude::*;
use polars_io::ipc::{IpcReader, IpcStreamReader, IpcStreamWriter, IpcWriter};
use polars_io::{SerReader, SerWriter};

use super::{Codec, Format};

/// Writes to a new file.
pub fn write(df: &mut DataFrame, format: Format, codec: Codec, path: &Path) {
    write_to(df, format, codec, File::create(path).expect("a file"));
}

/// Writes to anything.
pub fn write_to(df: &mut DataFrame, format: Format, codec: Codec, to: impl std::io::Write) {
    match format {
        Format::File => IpcWriter::new(to).with_compression(codec.polars()).finish(df),
        Format::Stream => IpcStreamWriter::new(to).with_compression(codec.polars()).finish(df),
    }
    .expect("Polars writes");
}

/// Reads all of a file on disk.
#[must_use]
pub fn read(format: Format, path: &Path, rechunk: bool, columns: Option<Vec<usize>>) -> DataFrame {
    let file = File::open(path).expect("a file");
    match format {
        Format::File => IpcReader::new(file).set_rechunk(rechunk).with_projection(columns).finish(),
        Format::Stream => IpcStreamReader::new(file).set_rechunk(rechunk).with_projection(columns).finish(),
    }
    .expect("Polars reads")
}

/// Reads the first rows.
#[must_use]
pub fn first_rows(path: &Path, rows: usize) -> DataFrame {
    let reader = IpcReader::new(File::open(path).expect("a file"));
    reader.with_n_rows(Some(rows)).finish().expect("Polars reads")
}

/// Maps a file.
#[must_use]
#[expect(unsafe_code, reason = "what is measured is mapping a file, which nobody changes")]
pub fn map(path: &Path) -> DataFrame {
    let reader = IpcReader::new(File::open(path).expect("a file")).set_rechunk(false);
    // SAFETY: the file lies in this benchmark's own folder, and is not written to again.
    unsafe { reader.memory_mapped(Some(path.to_path_buf())) }.finish().expect("Polars reads")
}
