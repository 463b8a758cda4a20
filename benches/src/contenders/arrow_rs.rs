//! arrow-rs 60: record batches made once, outside of what is timed; written and read one after another.

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::CompressionType;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, FileReader, StreamReader, read_footer_length};
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use polars_core::prelude::*;

use super::{Codec, Format};

/// The frame as arrow-rs record batches, in the batches and with the types that floe writes to that format:
/// views in a file, offsets in a stream.
#[must_use]
pub fn batches(df: &DataFrame, format: Format) -> Vec<RecordBatch> {
    let bytes = super::floe::to_vec(df, format, Codec::Raw, None);
    match format {
        Format::File => read_file(Cursor::new(bytes), None),
        Format::Stream => read_stream(Cursor::new(bytes), None),
    }
}

/// Options of its writers.
#[must_use]
pub fn options(codec: Codec) -> IpcWriteOptions {
    let compression = match codec {
        Codec::Raw => None,
        Codec::Lz4 => Some(CompressionType::LZ4_FRAME),
        Codec::Zstd => Some(CompressionType::ZSTD),
    };
    IpcWriteOptions::default().try_with_compression(compression).expect("a codec of arrow-rs")
}

/// Writes to a new file, buffered.
pub fn write(batches: &[RecordBatch], format: Format, codec: Codec, path: &Path) {
    let to = BufWriter::with_capacity(1 << 20, File::create(path).expect("a file"));
    write_to(batches, format, codec, to);
}

/// Writes to anything.
pub fn write_to(batches: &[RecordBatch], format: Format, codec: Codec, to: impl Write) {
    let schema = batches[0].schema();
    match format {
        Format::File => {
            let mut writer = FileWriter::try_new_with_options(to, &schema, options(codec)).expect("a writer");
            batches.iter().for_each(|batch| writer.write(batch).expect("arrow-rs writes"));
            writer.finish().expect("arrow-rs writes");
        },
        Format::Stream => {
            let mut writer =
                StreamWriter::try_new_with_options(to, &schema, options(codec)).expect("a writer");
            batches.iter().for_each(|batch| writer.write(batch).expect("arrow-rs writes"));
            writer.finish().expect("arrow-rs writes");
        },
    }
}

/// Reads all of a file on disk.
#[must_use]
pub fn read(format: Format, path: &Path, projection: Option<Vec<usize>>) -> Vec<RecordBatch> {
    let from = BufReader::with_capacity(1 << 20, File::open(path).expect("a file"));
    match format {
        Format::File => read_file(from, projection),
        Format::Stream => read_stream(from, projection),
    }
}

/// Reads a file, batch by batch.
#[must_use]
pub fn read_file(from: impl Read + Seek, projection: Option<Vec<usize>>) -> Vec<RecordBatch> {
    let reader = FileReader::try_new(from, projection).expect("arrow-rs reads");
    reader.map(|batch| batch.expect("arrow-rs reads")).collect()
}

/// Reads a stream, batch by batch.
#[must_use]
pub fn read_stream(from: impl Read, projection: Option<Vec<usize>>) -> Vec<RecordBatch> {
    let reader = StreamReader::try_new(from, projection).expect("arrow-rs reads");
    reader.map(|batch| batch.expect("arrow-rs reads")).collect()
}

/// Reads one batch of a file.
#[must_use]
pub fn batch_at(path: &Path, index: usize) -> RecordBatch {
    let from = BufReader::new(File::open(path).expect("a file"));
    let mut reader = FileReader::try_new(from, None).expect("arrow-rs reads");
    reader.set_index(index).expect("a batch");
    reader.next().expect("a batch").expect("arrow-rs reads")
}

/// Reads a file in memory without copying it.
#[must_use]
pub fn from_buffer(buffer: &Buffer) -> Vec<RecordBatch> {
    let trailer = buffer.len() - 10;
    let len = read_footer_length(buffer[trailer..].try_into().expect("ten bytes")).expect("a footer");
    let footer = arrow_ipc::root_as_footer(&buffer[trailer - len..trailer]).expect("a footer");
    let schema = try_fb_to_schema(footer.schema().expect("a schema")).expect("a schema");
    let mut decoder = FileDecoder::new(Arc::new(schema), footer.version());
    let slice = |block: &arrow_ipc::Block| {
        let len = usize::try_from(block.metaDataLength()).expect("a length")
            + usize::try_from(block.bodyLength()).expect("a length");
        buffer.slice_with_length(usize::try_from(block.offset()).expect("an offset"), len)
    };
    for block in footer.dictionaries().iter().flatten() {
        decoder.read_dictionary(block, &slice(block)).expect("arrow-rs reads");
    }
    let blocks = footer.recordBatches().into_iter().flatten();
    blocks
        .filter_map(|block| decoder.read_record_batch(block, &slice(block)).expect("arrow-rs reads"))
        .collect()
}
