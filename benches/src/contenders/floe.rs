//! floe itself.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use floe::prelude::*;
use polars_core::prelude::*;

use super::{Codec, Format};

/// Writes to a new file.
pub fn write(df: &mut DataFrame, format: Format, codec: Codec, path: &Path) {
    write_to(df, format, codec, None, File::create(path).expect("a file"));
}

/// Writes to anything, in batches of `batch_rows` rows.
pub fn write_to(df: &mut DataFrame, format: Format, codec: Codec, rows: Option<usize>, to: impl Write) {
    match format {
        Format::File => {
            let writer = IpcWriter::new(to).with_compression(codec.polars());
            writer.with_record_batch_size(rows).finish(df).expect("floe writes");
        },
        Format::Stream => {
            let writer = IpcStreamWriter::new(to).with_compression(codec.polars());
            writer.with_record_batch_size(rows).finish(df).expect("floe writes");
        },
    }
}

/// The bytes that floe writes.
#[must_use]
pub fn to_vec(df: &DataFrame, format: Format, codec: Codec, rows: Option<usize>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_to(&mut df.clone(), format, codec, rows, &mut bytes);
    bytes
}

/// Reads all of a file on disk.
#[must_use]
pub fn read(format: Format, path: &Path, rechunk: bool, columns: Option<Vec<usize>>) -> DataFrame {
    let file = File::open(path).expect("a file");
    match format {
        Format::File => IpcReader::new(file).set_rechunk(rechunk).with_projection(columns).finish(),
        Format::Stream => IpcStreamReader::new(file).set_rechunk(rechunk).with_projection(columns).finish(),
    }
    .expect("floe reads")
}

/// Reads bytes in memory, without copying those that are not compressed.
#[must_use]
#[expect(unsafe_code, reason = "what is measured is reading without validation, of bytes that floe wrote")]
pub fn from_bytes(bytes: Shared, format: Format, validate: bool) -> DataFrame {
    match (format, validate) {
        (Format::File, true) => IpcReader::from_bytes(bytes).set_rechunk(false).finish(),
        (Format::File, false) => {
            let reader = IpcReader::from_bytes(bytes).set_rechunk(false);
            // SAFETY: the bytes come from floe's own writer, in this process.
            unsafe { reader.skip_validation() }.finish()
        },
        (Format::Stream, true) => IpcStreamReader::from_bytes(bytes).set_rechunk(false).finish(),
        (Format::Stream, false) => {
            let reader = IpcStreamReader::from_bytes(bytes).set_rechunk(false);
            // SAFETY: as above.
            unsafe { reader.skip_validation() }.finish()
        },
    }
    .expect("floe reads")
}

/// Maps a file.
#[must_use]
#[expect(unsafe_code, reason = "what is measured is mapping a file, which nobody changes")]
pub fn map(path: &Path) -> DataFrame {
    let reader = IpcReader::new(File::open(path).expect("a file")).set_rechunk(false);
    // SAFETY: the file lies in this benchmark's own folder, and is not written to again.
    unsafe { reader.memory_mapped(Some(path.to_path_buf())) }.finish().expect("floe reads")
}

/// Bytes that several reads share.
#[derive(Clone)]
pub struct Shared(std::sync::Arc<Vec<u8>>);

impl Shared {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(std::sync::Arc::new(bytes))
    }
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
