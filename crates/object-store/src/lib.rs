//! Arrow IPC out of and into object stores, and through asynchronous readers and writers.
//!
//! ```text
//!   open    tail of 256 KiB -> IpcIndexBuilder -> what it still needs, at once -> IpcIndex
//!   read    IpcIndex -> ReadPlan per batch -> ranges, near ones joined -> requests -> decode on Polars' pool
//!   stream  AsyncRead -> as many bytes as the next message has -> StreamDecoder -> DataFrame
//!   write   DataFrame -> encode on Polars' pool -> AsyncWrite: ObjectFile -> parts -> the object, whole
//! ```
//!
//! Nothing here knows the format: `floe_frame` says which bytes it needs, and is given them. Requests are futures that the
//! caller polls; no runtime is started. Whatever runs them will do, a current-thread runtime included. Batches are
//! decoded and encoded on Polars' thread pool meanwhile, so that the runtime's threads stay free. Footers and heads are parsed
//! by the thread that polls: of a file with thousands of columns and batches, that takes milliseconds.
//!
//! ```
//! use floe_object_store::{AsyncIpcWriter, IpcObject, IpcIndexOptions, ObjectFile};
//! use futures_util::TryStreamExt;
//! use object_store::{ObjectStore, memory::InMemory};
//! use polars_core::prelude::*;
//! use std::sync::Arc;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> PolarsResult<()> {
//! let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
//! let df = DataFrame::new(3, vec![Column::new("day".into(), [1i64, 2, 3]), Column::new("delay".into(), [0.5, 1.5, 2.5])])?;
//!
//! let mut writer = AsyncIpcWriter::new(ObjectFile::create(Arc::clone(&store), "flights.arrow"));
//! writer.write_batch(&df).await?;
//! writer.finish().await?;
//! writer.into_inner().commit().await?; // now it is there, and all of it
//!
//! let object = IpcObject::open(store, "flights.arrow", IpcIndexOptions::default()).await?;
//! let frames: Vec<DataFrame> = object.read().columns(["delay"]).rows(1..3).stream().try_collect().await?;
//! assert_eq!(frames, [df.select(["delay"])?.slice(1, 2)]);
//! # Ok(())
//! # }
//! ```
//!
//! Threads that wait have [`open_index`] and [`BlockingObjectFile`].
//!
//! # What cancelling does
//!
//! Any future and any stream of this crate may be dropped at any time. A read that is dropped ends its requests; the object
//! and the index are as they were. Readers and writers of streams keep what they have in themselves: a call that was
//! dropped loses and repeats nothing, and the next call goes on where it stood. An [`ObjectFile`] that is dropped before it
//! is committed leaves no object.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod blocking;
mod columns;
mod error;
mod file;
mod groups;
mod object;
mod offload;
mod read;
mod reader;
mod remote;
mod writer;

pub use blocking::{BlockingObjectFile, delete, list, open_index, open_indexes, read as read_objects, wait};
pub use columns::ObjectColumns;
pub use file::ObjectFile;
pub use floe_frame::IpcIndexOptions;
pub use object::{IpcObject, ObjectPath};
pub use object_store;
pub use read::{IpcObjectRead, IpcObjectStream};
pub use reader::AsyncIpcStreamReader;
pub use writer::{AsyncFrameWriter, AsyncIpcStreamWriter, AsyncIpcWriter};
