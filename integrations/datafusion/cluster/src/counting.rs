//! A store that counts requests and the bytes of their answers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The sums.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Requests for bytes.
    pub(crate) requests: AtomicU64,
    /// Bytes that came.
    pub(crate) bytes: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct Counting {
    inner: Arc<dyn ObjectStore>,
    counts: Arc<Counts>,
}

impl Counting {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> (Arc<Self>, Arc<Counts>) {
        let counts = Arc::<Counts>::default();
        (Arc::new(Self { inner, counts: Arc::clone(&counts) }), counts)
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counting({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        // DataFusion asks for an object's length whatever the format is.
        if !options.head {
            self.counts.requests.fetch_add(1, Ordering::Relaxed);
        }
        let mut found = self.inner.get_opts(location, options).await?;
        // A caller that stops in the middle has not read the rest.
        let counts = Arc::clone(&self.counts);
        let stream =
            std::mem::replace(&mut found.payload, GetResultPayload::Stream(futures::stream::empty().boxed()));
        let whole = GetResult { payload: stream, ..found_without_payload(&found) };
        let counted = whole.into_stream().inspect(move |piece| {
            if let Ok(piece) = piece {
                counts.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
        });
        found.payload = GetResultPayload::Stream(counted.boxed());
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// The same answer, without its bytes.
fn found_without_payload(found: &GetResult) -> GetResult {
    GetResult {
        payload: GetResultPayload::Stream(futures::stream::empty().boxed()),
        meta: found.meta.clone(),
        range: found.range.clone(),
        attributes: found.attributes.clone(),
    }
}
