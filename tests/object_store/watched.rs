//! A store that counts what is asked of it, and fails when it is told to.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use floe::cloud::object_store::memory::InMemory;
use floe::cloud::object_store::path::Path;
use floe::cloud::object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};

/// The requests to a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Head,
    /// The bytes that were answered with.
    Get(Range<u64>),
    Put(usize),
    Begin,
    Part(usize),
    Complete,
    Abort,
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// As a server says that is overloaded.
    Unavailable,
    /// The body ends after this many bytes, without an error.
    Cut(usize),
    /// The body breaks off after this many bytes.
    Broken(usize),
    /// The answer is about fewer bytes than were asked for.
    Short,
    /// The answer comes late.
    Late,
}

type Faults = dyn Fn(usize, &str) -> Option<Fault> + Send + Sync;

pub(crate) struct Watched {
    inner: InMemory,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    /// Requests so far.
    count: AtomicUsize,
    faults: Mutex<Option<Box<Faults>>>,
    /// Whether suffixes are not known, as in Azure.
    has_no_suffixes: Mutex<bool>,
    /// Whether conditions are passed over.
    ignores_conditions: Mutex<bool>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Watched {
    pub(crate) fn new(inner: InMemory) -> Arc<Self> {
        Arc::new(Self { inner, shared: Arc::default() })
    }

    /// The requests since the last call.
    pub(crate) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }

    /// The requests for bytes among them, and the bytes.
    pub(crate) fn take_gets(&self) -> (usize, u64) {
        let requests = self.take_requests();
        let bytes = |request: &Request| match request {
            Request::Get(range) => range.end - range.start,
            _ => 0,
        };
        (requests.len(), requests.iter().map(bytes).sum())
    }

    /// Fails as that says by the number and the kind of a request, from now on.
    pub(crate) fn fail(&self, faults: impl Fn(usize, &str) -> Option<Fault> + Send + Sync + 'static) {
        self.shared.count.store(0, Ordering::SeqCst);
        *self.shared.faults.lock().unwrap() = Some(Box::new(faults));
    }

    pub(crate) fn fail_no_more(&self) {
        *self.shared.faults.lock().unwrap() = None;
    }

    pub(crate) fn forget_suffixes(&self) {
        *self.shared.has_no_suffixes.lock().unwrap() = true;
    }

    pub(crate) fn ignore_conditions(&self) {
        *self.shared.ignores_conditions.lock().unwrap() = true;
    }

    /// The most requests that were on their way at a time.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn note(&self, request: Request) {
        self.requests.lock().unwrap().push(request);
    }

    async fn fault(&self, what: &str) -> Result<Option<Fault>> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let fault = self.faults.lock().unwrap().as_ref().and_then(|faults| faults(number, what));
        match fault {
            Some(Fault::Unavailable) => Err(unavailable()),
            Some(Fault::Late) => {
                tokio::time::sleep(Duration::from_millis(5 + 7 * (number as u64 % 5))).await;
                Ok(None)
            },
            other => Ok(other),
        }
    }
}

fn unavailable() -> Error {
    Error::Generic { store: "watched", source: "503 Service Unavailable".into() }
}

/// A request on its way.
struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    fn new(shared: &'a Shared) -> Self {
        let now = shared.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_in_flight.fetch_max(now, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        use floe::cloud::object_store::GetRange;
        if options.head {
            self.shared.note(Request::Head);
            self.shared.fault("head").await?;
            return self.inner.get_opts(location, options).await;
        }
        let _in_flight = InFlight::new(&self.shared);
        // So that others come in between, as they do where requests take time.
        tokio::task::yield_now().await;
        if *self.shared.has_no_suffixes.lock().unwrap() && matches!(options.range, Some(GetRange::Suffix(_)))
        {
            return Err(Error::NotSupported { source: "no suffixes".into() });
        }
        if *self.shared.ignores_conditions.lock().unwrap() {
            options.if_match = None;
        }
        let fault = self.shared.fault("get").await?;
        let found = self.inner.get_opts(location, options).await?;
        self.shared.note(Request::Get(found.range.clone()));
        let (meta, mut range, attributes) =
            (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let bytes = found.bytes().await?;
        let pieces: Vec<Result<Bytes>> = match fault {
            Some(Fault::Cut(at)) => vec![Ok(bytes.slice(..at.min(bytes.len())))],
            Some(Fault::Broken(at)) => vec![Ok(bytes.slice(..at.min(bytes.len()))), Err(unavailable())],
            Some(Fault::Short) => {
                range.end -= 1;
                vec![Ok(bytes.slice(..bytes.len().saturating_sub(1)))]
            },
            _ => bytes.chunks(1000).map(|chunk| Ok(bytes.slice_ref(chunk))).collect(),
        };
        let payload = GetResultPayload::Stream(stream::iter(pieces).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.shared.note(Request::Put(payload.content_length()));
        self.shared.fault("put").await?;
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.shared.note(Request::Begin);
        self.shared.fault("begin").await?;
        tokio::task::yield_now().await;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(WatchedUpload { inner, shared: Arc::clone(&self.shared) }))
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

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

struct WatchedUpload {
    inner: Box<dyn MultipartUpload>,
    shared: Arc<Shared>,
}

#[async_trait]
impl MultipartUpload for WatchedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.shared.note(Request::Part(data.content_length()));
        let (part, shared) = (self.inner.put_part(data), Arc::clone(&self.shared));
        async move {
            let _in_flight = InFlight::new(&shared);
            tokio::task::yield_now().await;
            shared.fault("part").await?;
            part.await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.shared.note(Request::Complete);
        self.shared.fault("complete").await?;
        tokio::task::yield_now().await;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.shared.note(Request::Abort);
        self.inner.abort().await
    }
}

impl fmt::Debug for WatchedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedUpload")
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}
