//! An Arrow IPC file or stream in a store.

use std::sync::Arc;

use bytes::Bytes;
use floe_frame::{IpcIndex, IpcIndexBuilder, IpcIndexOptions, join_ranges};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use polars_core::prelude::*;

use crate::error::placed;
use crate::read::IpcObjectRead;
use crate::remote::Remote;

/// Requests for heads that are on their way at a time.
const REQUESTS_TO_OPEN: usize = 16;

/// An Arrow IPC file or stream in an object store, opened: any columns of any batches or rows can be read, from any task.
///
/// A clone is cheap and shares all that is known of the object. See the [crate](crate) for an example.
///
/// # Requests
///
/// A file that floe or Polars wrote is opened by one request, for its last 256 KiB
/// ([`with_tail_bytes`](IpcIndexOptions::with_tail_bytes)), and by a second one if its footer is longer. Files of other writers
/// take those, and one for each run of neighbouring heads. Streams, which have no footer, take one request for each message.
///
/// Reading takes one request for each batch and each run of neighbouring columns; ranges with a small gap between them are
/// read together ([`with_gap_bytes`](IpcIndexOptions::with_gap_bytes)).
///
/// # Objects that are replaced
///
/// Every request names the ETag of what was opened (`If-Match`). When the object has been replaced meanwhile, the read is an
/// error of the kind [`StaleNetworkFileHandle`](std::io::ErrorKind::StaleNetworkFileHandle). Stores without ETags are told by
/// length and time of modification.
#[derive(Debug, Clone)]
pub struct IpcObject {
    pub(crate) remote: Remote,
    pub(crate) index: IpcIndex,
    pub(crate) gap_bytes: u64,
}

/// Where in a store an object is: text, or the store's own [`Path`].
///
/// ```
/// use floe_object_store::ObjectPath;
/// use floe_object_store::object_store::path::Path;
///
/// let paths: [ObjectPath; 2] = ["flights/2013.arrow".into(), Path::from("flights/2014.arrow").into()];
/// # let _ = paths;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPath(pub(crate) Path);

macro_rules! from_paths {
    ($($path:ty),*) => {$(
        impl From<$path> for ObjectPath {
            fn from(path: $path) -> Self {
                Self(Path::from(path))
            }
        }
    )*};
}

from_paths!(&str, String);

impl From<&String> for ObjectPath {
    fn from(path: &String) -> Self {
        path.as_str().into()
    }
}

impl From<Path> for ObjectPath {
    fn from(path: Path) -> Self {
        Self(path)
    }
}

impl From<&Path> for ObjectPath {
    fn from(path: &Path) -> Self {
        Self(path.clone())
    }
}

impl IpcObject {
    /// Opens an object: a file or a stream, told by its bytes.
    ///
    /// ```
    /// # use floe_object_store::{AsyncIpcWriter, IpcObject, IpcIndexOptions, ObjectFile};
    /// # use object_store::{ObjectStore, memory::InMemory};
    /// # use polars_core::prelude::*;
    /// # use std::sync::Arc;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> PolarsResult<()> {
    /// # let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    /// # let df = DataFrame::new(3, vec![Column::new("day".into(), [1i64, 2, 3])])?;
    /// # let mut writer = AsyncIpcWriter::new(ObjectFile::create(Arc::clone(&store), "flights.arrow"));
    /// # writer.write_batch(&df).await?;
    /// # writer.finish().await?;
    /// # writer.into_inner().commit().await?;
    /// let object = IpcObject::open(store, "flights.arrow", IpcIndexOptions::default()).await?;
    /// assert_eq!((object.num_rows(), object.num_record_batches()), (3, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the object is not there or cannot be read, is neither format, is cut off or malformed, or exceeds the limits.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        path: impl Into<ObjectPath>,
        options: IpcIndexOptions,
    ) -> PolarsResult<Self> {
        let ObjectPath(path) = path.into();
        let gap_bytes = options.gap_bytes();
        let (remote, builder, _) = Self::build(store, &path, options).await?;
        let index = builder.finish().map_err(|e| placed(&path, e))?;
        Ok(Self { remote, index, gap_bytes })
    }

    /// Gives an index builder all that it needs, and says how many bytes that took.
    pub(crate) async fn build(
        store: Arc<dyn ObjectStore>,
        path: &Path,
        options: IpcIndexOptions,
    ) -> PolarsResult<(Remote, IpcIndexBuilder, u64)> {
        let tail_bytes = options.tail_bytes().max(16);
        let (remote, range, tail) = Remote::open(store, path.clone(), tail_bytes).await?;
        let fed = Self::feed(&remote, range.start, tail, options).await;
        let (builder, bytes) = fed.map_err(|e| placed(path, e))?;
        Ok((remote, builder, bytes))
    }

    async fn feed(
        remote: &Remote,
        start: u64,
        tail: Bytes,
        options: IpcIndexOptions,
    ) -> PolarsResult<(IpcIndexBuilder, u64)> {
        let gap = options.gap_bytes();
        let mut bytes = tail.len() as u64;
        let size = remote.meta.size;
        let mut builder = IpcIndexBuilder::new(size, options);
        if !builder.needed().is_empty() {
            builder.give(start..size, tail)?;
        }
        loop {
            let ranges = join_ranges(&builder.needed(), gap);
            if ranges.is_empty() {
                return Ok((builder, bytes));
            }
            bytes += ranges.iter().map(|range| range.end - range.start).sum::<u64>();
            let gets: Vec<BoxFuture<'_, PolarsResult<Bytes>>> =
                ranges.iter().map(|range| remote.get(range.clone()).boxed()).collect();
            let parts: Vec<Bytes> = stream::iter(gets).buffered(REQUESTS_TO_OPEN).try_collect().await?;
            for (range, part) in ranges.into_iter().zip(parts) {
                builder.give(range, part)?;
            }
        }
    }

    /// The index of its batches and columns. It has no source of its own: reads go through [`read`](Self::read).
    #[must_use]
    pub fn index(&self) -> &IpcIndex {
        &self.index
    }

    /// The schema of all columns.
    ///
    /// # Errors
    /// When a column is of a type that Polars cannot hold.
    pub fn schema(&self) -> PolarsResult<Schema> {
        self.index.schema(None)
    }

    /// Rows of all batches.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.index.num_rows()
    }

    /// Record batches.
    #[must_use]
    pub fn num_record_batches(&self) -> usize {
        self.index.num_record_batches()
    }

    /// The object as the store described it when it was opened: its length, its ETag, when it was written.
    #[must_use]
    pub fn meta(&self) -> &ObjectMeta {
        &self.remote.meta
    }

    /// A read, of all columns and rows until it is told otherwise.
    ///
    /// ```
    /// # use floe_object_store::{IpcObject};
    /// # use futures_util::StreamExt;
    /// # use polars_core::prelude::*;
    /// # async fn read(object: IpcObject) -> PolarsResult<()> {
    /// let mut frames = object.read().columns(["day"]).batches(0..16).concurrency(4).stream();
    /// while let Some(frame) = frames.next().await {
    ///     println!("{} rows", frame?.height());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn read(&self) -> IpcObjectRead {
        IpcObjectRead::new(self.clone())
    }
}
