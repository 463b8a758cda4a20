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
        let GetResult { payload, meta, range, attributes } = self.inner.get_opts(location, options).await?;
        let whole =
            GetResult { payload, meta: meta.clone(), range: range.clone(), attributes: attributes.clone() };
        // A caller that stops in the middle has not read the rest.
        let counts = Arc::clone(&self.counts);
        let counted = whole.into_stream().inspect(move |piece| {
            if let Ok(piece) = piece {
                counts.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
        });
        Ok(GetResult { payload: GetResultPayload::Stream(counted.boxed()), meta, range, attributes })
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
