//! Polars DataFrames to and from Arrow IPC: the *stream* and the *file*.
//!
//! The types have the names and the methods of Polars' own, so that one `use` line changes:
//!
//! ```
//! # use std::fs::File;
//! use floe::prelude::*; // instead of polars::prelude's IpcWriter, IpcReader, ...
//! use polars_core::prelude::*;
//!
//! let days = Column::new("days".into(), [0, 1, 2, 3, 4]);
//! let temp = Column::new("temp".into(), [22.1, 19.9, 7., 2., 3.]);
//! let mut df = DataFrame::new(5, vec![days, temp])?;
//!
//! # let path = std::env::temp_dir().join(format!("floe-doc-{}.arrow", std::process::id()));
//! IpcWriter::new(File::create(&path)?).finish(&mut df)?;
//! assert!(IpcReader::new(File::open(&path)?).finish()?.equals(&df));
//! # std::fs::remove_file(&path)?;
//! # PolarsResult::Ok(())
//! ```
//!
//! # Stream or file?
//!
//! | | stream | file |
//! |---|---|---|
//! | written with | [`IpcStreamWriter`] | [`IpcWriter`] |
//! | read with | [`IpcStreamReader`] | [`IpcReader`] |
//! | read from | anything that is `Read`: sockets, pipes, standard input | files, memory maps, bytes |
//! | order | from start to end | any batch at random |
//! | ends with | an end marker | a footer that says where everything is |
//!
//! # Writing
//!
//! A writer needs nothing but [`Write`](std::io::Write): not `Send`, not `Seek`, no buffering around it.
//! Columns are encoded and compressed on Polars' thread pool; the calling thread writes. The bytes are the
//! same for any number of threads.
//!
//! ```
//! use floe::prelude::*;
//! use polars_core::prelude::*;
//! use std::sync::Arc;
//!
//! # let numbers: Vec<i64> = (0..1000).collect();
//! # let mut df = DataFrame::new(1000, vec![Column::new("n".into(), numbers)])?;
//! let mut bytes = Vec::new();
//! let mut writer = IpcStreamWriter::new(&mut bytes)
//!     .with_record_batch_size(Some(300));
//! writer.set_custom_schema_metadata(Arc::new(Metadata::from([("made by".into(), "me".into())])));
//! writer.finish(&mut df)?;
//! assert_eq!((writer.summary().rows, writer.summary().batches), (1000, 4));
//! # PolarsResult::Ok(())
//! ```
//!
//! Frames that arrive one by one go into [`batched`](IpcStreamWriter::batched) writers:
//!
//! ```
//! use floe::prelude::*;
//! use polars_core::prelude::*;
//!
//! # let df = DataFrame::new(3, vec![Column::new("n".into(), [1, 2, 3])])?;
//! let mut writer = IpcStreamWriter::new(Vec::new()).batched(df.schema())?;
//! for _ in 0..5 {
//!     writer.write_batch(&df)?;
//! }
//! let summary = writer.finish()?; // without it, readers say that the end is missing
//! assert_eq!((summary.rows, summary.batches), (15, 5));
//! let bytes = writer.into_inner();
//! # assert_eq!(IpcStreamReader::from_bytes(bytes).finish()?.height(), 15);
//! # PolarsResult::Ok(())
//! ```
//!
//! [`AtomicFile`] is a `Write` for files that appear whole or not at all.
//!
//! # Reading
//!
//! ```
//! use floe::prelude::*;
//! use polars_core::prelude::*;
//! use std::io::Cursor;
//!
//! # let numbers: Vec<i64> = (0..1000).collect();
//! # let mut df = DataFrame::new(1000, vec![Column::new("n".into(), numbers)])?;
//! # let (mut stream, mut file) = (Vec::new(), Vec::new());
//! # IpcStreamWriter::new(&mut stream).with_record_batch_size(Some(300)).finish(&mut df)?;
//! # IpcWriter::new(&mut file).with_record_batch_size(Some(300)).finish(&mut df)?;
//! // A stream, one record batch in memory at a time.
//! let mut rows = 0;
//! for batch in IpcStreamReader::new(stream.as_slice()).batches()? {
//!     rows += batch?.height();
//! }
//! assert_eq!(rows, 1000);
//!
//! // A file, at random: the footer and one batch are read.
//! let reader = IpcReader::new(Cursor::new(&file));
//! assert_eq!(reader.num_record_batches()?, 4);
//! assert_eq!(reader.get_batch(3)?.height(), 100);
//!
//! // Bytes in memory: buffers that are not compressed become columns without a copy.
//! let df = IpcReader::from_bytes(file).with_columns(Some(vec!["n".into()])).finish()?;
//! assert_eq!(df.height(), 1000);
//! # PolarsResult::Ok(())
//! ```
//!
//! Input is checked, from any writer: bytes that contradict the format are an error that names the message and the
//! column. [`IpcLimits`] caps what they may claim. Types that Polars lacks become the nearest Polars type that loses
//! nothing; [docs/types.md](https://github.com/floe-rs/floe/blob/main/docs/types.md) has the table.
//!
//! # The bytes
//!
//! A stream is a row of messages. A message is a small flatbuffer, which says what follows, and a body:
//!
//! ```text
//! +--------+--------------+--------------+-----+--------------+-------------------------+
//! | schema | dictionaries | record batch | ... | record batch | FF FF FF FF 00 00 00 00 |
//! +--------+--------------+--------------+-----+--------------+-------------------------+
//!                         |              |
//!            .------------'              '----------------------------------------.
//!            |                                                                    |
//!            +-------------+------------+---------+-------+--------+--------+-----+
//!            | FF FF FF FF | i32 length | Message | zeros | buffer | buffer | ... |
//!            +-------------+------------+---------+-------+--------+--------+-----+
//!                                       |<--- length ---->|<---- body length ---->|
//! ```
//!
//! A column is one or more buffers of the body: a bitmap of what is not null, values, offsets. Each begins at a
//! multiple of 64 bytes. A compressed one is the i64 length of what it holds, and one LZ4 or ZSTD frame.
//!
//! A file is a stream between magics, and an index of it. So `bytes[8..]` of a file is a stream:
//!
//! ```text
//! 0        6    8
//! +--------+----+--------+--------------+---------+------------+--------+------------+--------+
//! | ARROW1 | 00 | schema | dictionaries | batches | end marker | footer | i32 length | ARROW1 |
//! +--------+----+--------+--------------+---------+------------+--------+------------+--------+
//!               |<---------------- a stream ------------------>|        |<---- 10 bytes ----->|
//! ```
//!
//! The footer holds the schema again, and the place of every dictionary and every batch. Specification: Arrow's
//! [Columnar Format](https://arrow.apache.org/docs/format/Columnar.html), "Serialization and Interprocess
//! Communication".
//!
//! # Features
//!
//! The default is every dtype of Polars' `dtype-full`, `dtype-extension`, time zones, and both codecs (`lz4`, `zstd`).
//! `object` is off, as in Polars; all `dtype-*` features forward to Polars' own.
//! `cloud` adds [`cloud`](https://docs.rs/floe/latest/floe/cloud/): object stores, and asynchronous readers and writers.
//! `lazy` adds [`lazy`](https://docs.rs/floe/latest/floe/lazy/): LazyFrames into streams and files, and out of them.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

pub use floe_frame::prelude;
#[cfg(feature = "trace")]
pub use floe_frame::trace;
pub use floe_frame::{
    AppendFile, AtomicFile, BatchWriter, BatchedStreamWriter, BatchedWriter, Batches, Buffer, ErrorKind,
    ErrorPlace, FileFormat, FileSource, Follow, FollowReader, FollowedBytes, FrameWriter, IpcIndex,
    IpcIndexBuilder, IpcIndexOptions, IpcKind, IpcLimits, IpcMessage, IpcMessageEncoder, IpcMessageKind,
    IpcReader, IpcStreamReader, IpcStreamWriter, IpcStreamWriterOption, IpcWriter, IpcWriterOptions,
    Metadata, MetadataBytes, OwnedBytes, Place, RangedSource, ReadCost, ReadPlan, Recovered, SeekSource,
    SourceFormat, StreamBatches, StreamDecoder, StreamFormat, TextAsBinary, TypeOptions, Unrepresentable,
    WriteFormat, WriteSummary, error_kind, error_place, inspect, join_ranges, memory, read_ipc, sniff,
};
#[cfg(feature = "lazy")]
pub use floe_lazy as lazy;
#[cfg(feature = "cloud")]
pub use floe_object_store as cloud;
#[cfg(feature = "cloud")]
pub use floe_object_store::{
    AsyncFrameWriter, AsyncIpcStreamReader, AsyncIpcStreamWriter, AsyncIpcWriter, IpcObject, ObjectFile,
};

// The examples of the README and of pages run with the tests, which turn `lazy` on.
#[cfg(all(doctest, feature = "lazy"))]
#[doc = include_str!("../../README.md")]
struct Readme;
#[cfg(all(doctest, feature = "lazy"))]
#[doc = include_str!("../../docs/lazy.md")]
struct LazyPage;
#[cfg(doctest)]
#[doc = include_str!("../../docs/limits.md")]
struct LimitsPage;
