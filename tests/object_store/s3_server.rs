//! An S3 server on the loopback, in the process of the test: `s3s-fs` over a temporary folder, in which each bucket is a
//! folder. It checks signatures.
//!
//! `s3s-fs` 0.14.1 differs from S3 in two answers. It passes over `If-Match` of a read, and it fails when the last N
//! bytes are asked for of an object that has fewer. Both are put right here, behind the check of signatures.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) const ACCESS_KEY: &str = "floe-tests";
pub(crate) const SECRET_KEY: &str = "not a secret";
pub(crate) const REGION: &str = "us-east-1";

pub(crate) struct S3Server {
    address: SocketAddr,
    folder: tempfile::TempDir,
    seen: Arc<Seen>,
    /// The server stops when this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The requests.
#[derive(Default)]
struct Seen {
    operations: Mutex<Vec<&'static str>>,
    /// Bytes of objects that were answered with.
    bytes: AtomicU64,
}

impl Seen {
    fn note(&self, operation: &'static str) {
        self.operations.lock().unwrap().push(operation);
    }
}

impl S3Server {
    /// A server with these buckets, all empty.
    pub(crate) fn start(buckets: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for bucket in buckets {
            std::fs::create_dir(folder.path().join(bucket)).unwrap();
        }
        let seen = Arc::<Seen>::default();
        let files = FileSystem::new(folder.path()).unwrap();
        let mut service = S3ServiceBuilder::new(Store { files, seen: Arc::clone(&seen) });
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || runtime.block_on(serve(listener, service, stopped)));
        Self { address, folder, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it is reached.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The operations since the last call, and the bytes of objects that they were answered with.
    #[allow(dead_code, reason = "each target that has this module uses some of it")]
    pub(crate) fn take_seen(&self) -> (Vec<&'static str>, u64) {
        let operations = std::mem::take(&mut *self.seen.operations.lock().unwrap());
        (operations, self.seen.bytes.swap(0, Ordering::SeqCst))
    }

    /// The files of the server: objects, and what it keeps of uploads that have not ended.
    #[allow(dead_code, reason = "each target that has this module uses some of it")]
    pub(crate) fn files(&self) -> Vec<String> {
        let mut folders: Vec<PathBuf> = vec![self.folder.path().to_path_buf()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.folder.path()).unwrap();
                    files.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, service: S3Service, mut stopped: oneshot::Receiver<()>) {
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        // A client that goes away is no concern of the server's.
        let Ok((socket, _)) = socket else { continue };
        let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
        tokio::spawn(async move { drop(connection.await) });
    }
}

struct Store {
    files: FileSystem,
    seen: Arc<Seen>,
}

/// The operations of a client of object_store: all but one are those of `s3s-fs`.
macro_rules! store {
    ($($operation:ident($input:ident) -> $output:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Store {
            $(
                async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    self.seen.note(stringify!($operation));
                    self.files.$operation(request).await
                }
            )*

            async fn get_object(
                &self,
                request: S3Request<GetObjectInput>,
            ) -> S3Result<S3Response<GetObjectOutput>> {
                self.seen.note("get_object");
                let found = self.files.get_object(self.put_right(request).await?).await?;
                let len = found.output.content_length.and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
                self.seen.bytes.fetch_add(len, Ordering::SeqCst);
                Ok(found)
            }
        }
    };
}

store! {
    head_object(HeadObjectInput) -> HeadObjectOutput;
    put_object(PutObjectInput) -> PutObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
}

impl Store {
    /// The request for an object as `s3s-fs` answers it rightly.
    async fn put_right(&self, mut request: S3Request<GetObjectInput>) -> S3Result<S3Request<GetObjectInput>> {
        let asked = HeadObjectInput {
            bucket: request.input.bucket.clone(),
            key: request.input.key.clone(),
            ..Default::default()
        };
        let asked = S3Request {
            input: asked,
            method: request.method.clone(),
            uri: request.uri.clone(),
            headers: request.headers.clone(),
            extensions: Default::default(),
            credentials: request.credentials.clone(),
            region: request.region.clone(),
            service: request.service.clone(),
            trailing_headers: None,
        };
        let found = self.files.head_object(asked).await?.output;
        if let Some(wanted) = request.input.if_match.take() {
            let is = |tag: &ETag| found.e_tag.as_ref().is_some_and(|found| found.strong_cmp(tag));
            if !wanted.is_any() && !wanted.as_etag().is_some_and(is) {
                return Err(s3_error!(PreconditionFailed));
            }
        }
        let len = found.content_length.and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
        if let Some(Range::Suffix { length }) = request.input.range
            && length > len
            && len > 0
        {
            request.input.range = Some(Range::Int { first: 0, last: Some(len - 1) });
        }
        Ok(request)
    }
}
