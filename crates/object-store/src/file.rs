//! An object that appears whole or not at all.
//!
//! ```text
//!   write .. buffer .. full -> part 1 -\
//!            buffer .. full -> part 2 --> in flight, a few at a time --> commit: all parts -> the object
//!            buffer ------------------ the last part, or all of a small object by one put
//! ```

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::io::AsyncWrite;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};

use crate::error::store_error;
use crate::object::ObjectPath;

/// Bytes of a part, unless told otherwise. Stores want 5 MiB at least, and take 10,000 parts at most.
const PART_BYTES: usize = 8 << 20;
/// Parts that are sent at a time, unless told otherwise.
const PARTS_IN_FLIGHT: usize = 4;

/// Writes an object that [`commit`](Self::commit) makes visible: the twin of [`AtomicFile`](floe_frame::AtomicFile) for object
/// stores.
///
/// Written bytes go to the store in parts, a few at a time, as a multipart upload; bytes that fit in one part are put
/// at once by the commit. Until then the store shows nothing, or the old object. Memory is bounded by the parts in
/// flight and one that is being filled.
///
/// It is [`AsyncWrite`], and is written inside of a tokio runtime, on which the parts are sent. Flushing it or shutting it
/// down does not make it visible.
///
/// ```
/// use floe_object_store::ObjectFile;
/// use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory};
/// use std::sync::Arc;
/// use tokio::io::AsyncWriteExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
/// let mut file = ObjectFile::create(Arc::clone(&store), "notes.txt");
/// file.write_all(b"all of it").await?;
/// assert!(store.head(&"notes.txt".into()).await.is_err(), "not before it is whole");
/// file.commit().await?;
/// assert_eq!(store.head(&"notes.txt".into()).await?.size, 9);
/// # Ok(())
/// # }
/// ```
///
/// # When it is not committed
///
/// After an error, and when it is dropped, there is no object, and its upload is aborted, which frees the parts that
/// the store has. [`abort`](Self::abort) waits for that. Dropped, it leaves that to the runtime. A runtime that shuts
/// down at that moment, and a process that is killed, leave parts in the store. It keeps them unseen (and bills them)
/// until a lifecycle rule of the bucket removes them.
pub struct ObjectFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    part_bytes: usize,
    parts_in_flight: usize,
    /// The part that is being filled.
    buffer: Vec<u8>,
    upload: Upload,
    parts: JoinSet<object_store::Result<()>>,
    /// The runtime that parts are sent on, once one has been.
    runtime: Option<Handle>,
    failed: bool,
}

enum Upload {
    /// Nothing has been sent.
    None,
    Starting(BoxFuture<'static, object_store::Result<Box<dyn MultipartUpload>>>),
    Open(Box<dyn MultipartUpload>),
}

impl ObjectFile {
    /// An object that is not there yet. Nothing is asked of the store before a part is full.
    pub fn create(store: Arc<dyn ObjectStore>, path: impl Into<ObjectPath>) -> Self {
        Self {
            store,
            path: path.into().0,
            part_bytes: PART_BYTES,
            parts_in_flight: PARTS_IN_FLIGHT,
            buffer: Vec::new(),
            upload: Upload::None,
            parts: JoinSet::new(),
            runtime: None,
            failed: false,
        }
    }

    /// Bytes of each part but the last. Defaults to 8 MiB. Stores take 10,000 parts at most, and S3 none of less than 5 MiB.
    ///
    /// ```
    /// # use floe_object_store::ObjectFile;
    /// # use object_store::memory::InMemory;
    /// # use std::sync::Arc;
    /// let file = ObjectFile::create(Arc::new(InMemory::new()), "large.arrow").with_part_bytes(64 << 20);
    /// # let _ = file;
    /// ```
    #[must_use]
    pub fn with_part_bytes(mut self, part_bytes: usize) -> Self {
        self.part_bytes = part_bytes.max(1);
        self
    }

    /// Parts that are sent at a time. Defaults to 4; 0 counts as 1.
    ///
    /// ```
    /// # use floe_object_store::ObjectFile;
    /// # use object_store::memory::InMemory;
    /// # use std::sync::Arc;
    /// let file = ObjectFile::create(Arc::new(InMemory::new()), "large.arrow").with_parts_in_flight(16);
    /// # let _ = file;
    /// ```
    #[must_use]
    pub fn with_parts_in_flight(mut self, parts: usize) -> Self {
        self.parts_in_flight = parts.max(1);
        self
    }

    /// Makes the object visible, in place of one that was there.
    ///
    /// A call that is dropped before it returns leaves the whole object or, mostly, none.
    ///
    /// # Errors
    /// When a part cannot be sent or the upload not be completed, or a write has failed before. The upload has been aborted
    /// then, and the store shows what it showed before.
    pub async fn commit(mut self) -> io::Result<()> {
        let committed = self.try_commit().await;
        if committed.is_err() {
            // The first error is the one reported.
            let _ = self.abort_upload().await;
        }
        committed
    }

    async fn try_commit(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other(
                "an earlier write to this object failed: it is not complete, and does not appear",
            ));
        }
        if matches!(self.upload, Upload::None) {
            let payload = PutPayload::from(std::mem::take(&mut self.buffer));
            return self.store.put(&self.path, payload).await.map(drop).map_err(store_error);
        }
        if !self.buffer.is_empty() {
            poll_fn(|cx| self.poll_send(cx)).await?;
        }
        while let Some(sent) = self.parts.join_next().await {
            outcome(sent)?;
        }
        // It stays in place until the store has answered: a call that is dropped meanwhile aborts it.
        let Upload::Open(upload) = &mut self.upload else {
            return Err(io::Error::other("the upload has not begun"));
        };
        upload.complete().await.map_err(store_error)?;
        self.upload = Upload::None;
        Ok(())
    }

    /// Whether the part that is being filled is full.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= self.part_bytes
    }

    /// Sends the part that is being filled.
    pub(crate) async fn send(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx)).await
    }

    /// Takes as many bytes as fit into the part that is being filled.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other("an earlier write to this object failed"));
        }
        let fits = bytes.len().min(self.part_bytes.saturating_sub(self.buffer.len()));
        self.buffer.extend_from_slice(bytes.get(..fits).unwrap_or_default());
        Ok(fits)
    }

    /// Gives up: the store shows what it showed before, and keeps no parts.
    ///
    /// # Errors
    /// When the store cannot abort the upload.
    pub async fn abort(mut self) -> io::Result<()> {
        self.abort_upload().await
    }

    async fn abort_upload(&mut self) -> io::Result<()> {
        // First those on their way: a part that came after the abort would stay.
        self.parts.shutdown().await;
        abort(&mut self.upload).await.map_err(store_error)
    }

    /// Sends the buffer as a part, once there is room for it among those in flight.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = ready!(self.poll_try_send(cx));
        self.failed |= sent.is_err();
        Poll::Ready(sent)
    }

    fn poll_try_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.runtime.is_none() {
            match Handle::try_current() {
                Ok(runtime) => self.runtime = Some(runtime),
                Err(error) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        // Parts that have arrived make room, and those that have failed are told soon.
        loop {
            match self.parts.poll_join_next(cx) {
                Poll::Ready(Some(sent)) => outcome(sent)?,
                Poll::Pending if self.parts.len() >= self.parts_in_flight => return Poll::Pending,
                Poll::Pending | Poll::Ready(None) => break,
            }
        }
        loop {
            match &mut self.upload {
                Upload::None => {
                    let (store, path) = (Arc::clone(&self.store), self.path.clone());
                    self.upload = Upload::Starting(Box::pin(async move { store.put_multipart(&path).await }));
                },
                Upload::Starting(starting) => match ready!(starting.as_mut().poll(cx)) {
                    Ok(upload) => self.upload = Upload::Open(upload),
                    Err(error) => {
                        self.upload = Upload::None;
                        return Poll::Ready(Err(store_error(error)));
                    },
                },
                Upload::Open(upload) => {
                    let part = upload.put_part(PutPayload::from(std::mem::take(&mut self.buffer)));
                    if let Some(runtime) = &self.runtime {
                        self.parts.spawn_on(part, runtime);
                    }
                    return Poll::Ready(Ok(()));
                },
            }
        }
    }
}

/// The result of a part.
fn outcome(sent: Result<object_store::Result<()>, JoinError>) -> io::Result<()> {
    match sent {
        Ok(sent) => sent.map_err(store_error),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Aborts an upload, which stays where it is until the store has answered.
async fn abort(upload: &mut Upload) -> object_store::Result<()> {
    // Whether the store has begun it is only known when it has answered.
    if let Upload::Starting(starting) = upload {
        *upload = starting.await.map_or(Upload::None, Upload::Open);
    }
    if let Upload::Open(open) = upload {
        open.abort().await?;
    }
    *upload = Upload::None;
    Ok(())
}

impl AsyncWrite for ObjectFile {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_full() && !this.failed {
            ready!(this.poll_send(cx))?;
        }
        Poll::Ready(this.fill(bytes))
    }

    /// Nothing: a part is sent when it is full.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Nothing: [`commit`](ObjectFile::commit) makes the object visible.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for ObjectFile {
    fn drop(&mut self) {
        let mut upload = std::mem::replace(&mut self.upload, Upload::None);
        if let (Some(runtime), false) = (&self.runtime, matches!(upload, Upload::None)) {
            let mut parts = std::mem::take(&mut self.parts);
            runtime.spawn(async move {
                parts.shutdown().await;
                // There is nobody left to tell.
                let _ = abort(&mut upload).await;
            });
        }
    }
}

impl fmt::Debug for ObjectFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectFile")
            .field("path", &self.path)
            .field("part_bytes", &self.part_bytes)
            .field("parts_in_flight", &self.parts.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
