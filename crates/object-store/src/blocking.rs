//! Objects for threads that wait: an index that reads by itself, and a `Write`. Requests run on Polars' own
//! runtime for I/O. So a thread of Polars' pool or of its streaming engine may wait, as may any that belongs to nobody else.
//! A worker of that runtime must not, since the requests need it. A worker of another runtime would keep the other tasks of
//! its runtime waiting.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use floe_frame::{Buffer, IpcIndex, IpcIndexOptions, RangedSource};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectStore, ObjectStoreExt as _};
use polars_core::prelude::*;
use polars_core::runtime::ASYNC;

use crate::error::{placed, store_error};
use crate::file::ObjectFile;
use crate::object::{IpcObject, ObjectPath};
use crate::remote::Remote;

/// Requests at a time for the ranges of one call.
const REQUESTS: usize = 16;
/// Objects that are opened at a time.
const OPENED: usize = 32;

/// Runs something on Polars' runtime for I/O, and waits for it: not on a worker of that runtime, which may be the last one.
///
/// # Errors
/// When it panics.
#[doc(hidden)]
pub fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = sync_channel(1);
    // Nobody listens if this thread has panicked.
    ASYNC.spawn(async move { drop(sender.send(work.await)) });
    receiver.recv().map_err(|_| io::Error::other("a request to an object store has panicked"))
}

/// Indexes an Arrow IPC object for reads by threads that wait: all that an [`IpcIndex`] does, in a store. The calling thread
/// waits for requests, which Polars' runtime makes: as [`IpcObject`], with as few of them.
///
/// It blocks, and so do reads through the index. Workers of an asynchronous runtime use [`IpcObject`]; those of Polars' own
/// runtime for I/O may wait for ever here.
///
/// ```
/// use floe_object_store::{BlockingObjectFile, IpcIndexOptions, ObjectFile, open_index};
/// use floe_frame::IpcWriter;
/// use object_store::{ObjectStore, memory::InMemory};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
/// use std::sync::Arc;
///
/// let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
/// let mut df = DataFrame::new(3, vec![Column::new("day".into(), [1i64, 2, 3])])?;
/// let mut object = BlockingObjectFile::new(ObjectFile::create(Arc::clone(&store), "flights.arrow"));
/// IpcWriter::new(&mut object).finish(&mut df)?;
/// object.commit()?;
/// let index = open_index(store, "flights.arrow", IpcIndexOptions::default())?;
/// assert_eq!(index.read_rows(1..3, &[0], true)?, df.slice(1, 2));
/// # PolarsResult::Ok(())
/// ```
///
/// # Errors
/// As [`IpcObject::open`].
pub fn open_index(
    store: Arc<dyn ObjectStore>,
    path: impl Into<ObjectPath>,
    options: IpcIndexOptions,
) -> PolarsResult<IpcIndex> {
    let path = path.into();
    wait(open(store, path, options))?
}

/// Indexes objects, several at a time; in their order, up to the first that cannot be.
#[doc(hidden)]
pub fn open_indexes(
    objects: Vec<(Arc<dyn ObjectStore>, ObjectPath)>,
    options: IpcIndexOptions,
) -> PolarsResult<Vec<PolarsResult<IpcIndex>>> {
    // Boxed, since the compiler takes closures that make futures for less than they are.
    let mut opened: Vec<BoxFuture<'static, PolarsResult<IpcIndex>>> = Vec::with_capacity(objects.len());
    for (store, path) in objects {
        opened.push(Box::pin(open(store, path, options.clone())));
    }
    let opening = stream::iter(opened).buffered(OPENED).collect::<Vec<_>>();
    Ok(wait(opening)?)
}

async fn open(
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    options: IpcIndexOptions,
) -> PolarsResult<IpcIndex> {
    let ObjectPath(path) = path;
    let (remote, builder, bytes) = IpcObject::build(store, &path, options).await?;
    let source = Arc::new(Waiting(remote));
    builder.finish_with_source(source, bytes).map_err(|e| placed(&path, e))
}

/// An object as a source of ranges.
struct Waiting(Remote);

impl RangedSource for Waiting {
    fn len(&self) -> u64 {
        self.0.meta.size
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
        let mut parts: Vec<BoxFuture<'static, PolarsResult<Bytes>>> = Vec::with_capacity(ranges.len());
        for range in ranges.iter().cloned() {
            let remote = self.0.clone();
            parts.push(Box::pin(async move { remote.get(range).await }));
        }
        let parts = stream::iter(parts).buffered(REQUESTS).map_ok(Buffer::from_owner);
        let parts = wait(parts.try_collect::<Vec<Buffer<u8>>>())?;
        parts.map_err(|error| match &error {
            PolarsError::IO { error: source, .. } => io::Error::new(source.kind(), error),
            _ => io::Error::other(error),
        })
    }
}

/// An [`ObjectFile`] as a [`Write`], for threads that wait: for [`IpcWriter`](floe_frame::IpcWriter), say. See [`open_index`]
/// for an example.
///
/// Dropped before it is committed, it leaves no object, and waits until its upload has been aborted.
#[derive(Debug)]
pub struct BlockingObjectFile {
    /// None while it is on its way, and after a panic there.
    file: Option<ObjectFile>,
}

impl BlockingObjectFile {
    /// Of an object that nothing has been written to, or that was written to on Polars' runtime.
    #[must_use]
    pub fn new(file: ObjectFile) -> Self {
        Self { file: Some(file) }
    }

    fn take(&mut self) -> io::Result<ObjectFile> {
        self.file.take().ok_or_else(|| io::Error::other("an earlier write to this object failed"))
    }

    /// Makes the object visible: see [`ObjectFile::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(mut self) -> io::Result<()> {
        let file = self.take()?;
        wait(file.commit())?
    }
}

impl Write for BlockingObjectFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.take()?;
        if file.is_full() {
            let (back, sent) = wait(async move {
                let sent = file.send().await;
                (file, sent)
            })?;
            file = back;
            if let Err(error) = sent {
                self.file = Some(file);
                return Err(error);
            }
        }
        let written = file.fill(bytes);
        self.file = Some(file);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BlockingObjectFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // There is nobody to tell.
            let _ = wait(file.abort());
        }
    }
}

/// The objects in a folder of a store: all keys below a prefix, in their order. Hidden ones are among them, those with a dot
/// at the start of a name: who scans leaves them out.
#[doc(hidden)]
pub fn list(
    store: Arc<dyn ObjectStore>,
    prefix: object_store::path::Path,
) -> io::Result<Vec<object_store::path::Path>> {
    let listing = async move {
        let prefix = (!prefix.as_ref().is_empty()).then_some(&prefix);
        store.list(prefix).map_ok(|meta| meta.location).try_collect::<Vec<_>>().await
    };
    let mut found = wait(listing)?.map_err(store_error)?;
    found.sort_unstable();
    Ok(found)
}

/// All bytes of small objects, of which some are asked for at a time.
///
/// # Errors
/// When one is not there, or the store fails.
#[doc(hidden)]
pub fn read(store: &Arc<dyn ObjectStore>, paths: Vec<object_store::path::Path>) -> io::Result<Vec<Bytes>> {
    let mut gets: Vec<BoxFuture<'static, object_store::Result<Bytes>>> = Vec::with_capacity(paths.len());
    for path in paths {
        let store = Arc::clone(store);
        gets.push(Box::pin(async move { store.get(&path).await?.bytes().await }));
    }
    wait(stream::iter(gets).buffered(REQUESTS).try_collect::<Vec<Bytes>>())?.map_err(store_error)
}

/// Removes objects. One that is not there any more is none to remove.
#[doc(hidden)]
pub fn delete(store: Arc<dyn ObjectStore>, paths: Vec<object_store::path::Path>) -> io::Result<()> {
    let deleting = async move {
        let mut deleted = store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        while let Some(deleted) = deleted.next().await {
            match deleted {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {},
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    wait(deleting)?.map_err(store_error)
}
