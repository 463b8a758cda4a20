//! arrow-rs' view of a frame: record batches made once, outside of what is timed.

use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use floe::prelude::*;
use polars_core::prelude::*;

/// The frame as arrow-rs record batches, by way of an uncompressed stream.
#[must_use]
pub fn to_arrow(df: &DataFrame) -> Vec<RecordBatch> {
    let mut bytes = Vec::new();
    let mut df = df.clone();
    IpcStreamWriter::new(&mut bytes).finish(&mut df).expect("floe writes");
    let reader = StreamReader::try_new(Cursor::new(bytes), None).expect("arrow-rs reads");
    reader.map(|batch| batch.expect("arrow-rs reads")).collect()
}

fn options(compression: Option<IpcCompression>) -> IpcWriteOptions {
    let compression = match compression {
        None => None,
        Some(IpcCompression::LZ4) => Some(CompressionType::LZ4_FRAME),
        Some(IpcCompression::ZSTD(_)) => Some(CompressionType::ZSTD),
    };
    IpcWriteOptions::default().try_with_compression(compression).expect("a codec of arrow-rs")
}

/// arrow-rs writes a file.
pub fn write_file(batches: &[RecordBatch], compression: Option<IpcCompression>, to: impl std::io::Write) {
    let schema = batches[0].schema();
    let mut writer = FileWriter::try_new_with_options(to, &schema, options(compression)).expect("a writer");
    for batch in batches {
        writer.write(batch).expect("arrow-rs writes");
    }
    writer.finish().expect("arrow-rs writes");
}

/// arrow-rs writes a stream.
pub fn write_stream(batches: &[RecordBatch], compression: Option<IpcCompression>, to: impl std::io::Write) {
    let schema = batches[0].schema();
    let mut writer = StreamWriter::try_new_with_options(to, &schema, options(compression)).expect("a writer");
    for batch in batches {
        writer.write(batch).expect("arrow-rs writes");
    }
    writer.finish().expect("arrow-rs writes");
}

/// arrow-rs reads a file, batch by batch.
#[must_use]
pub fn read_file(from: impl std::io::Read + std::io::Seek) -> Vec<RecordBatch> {
    let reader = FileReader::try_new(from, None).expect("arrow-rs reads");
    reader.map(|batch| batch.expect("arrow-rs reads")).collect()
}

/// arrow-rs reads a stream, batch by batch.
#[must_use]
pub fn read_stream(from: impl std::io::Read) -> Vec<RecordBatch> {
    let reader = StreamReader::try_new(from, None).expect("arrow-rs reads");
    reader.map(|batch| batch.expect("arrow-rs reads")).collect()
}
