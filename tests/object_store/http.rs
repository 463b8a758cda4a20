//! Objects behind HTTP: a server on the loopback, which has its moods. Requests, conditions, retries and bodies that are cut
//! are those of the real client.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use floe::cloud::object_store::http::HttpBuilder;
use floe::cloud::object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use floe::lazy::{IpcScanOptions, col, lit, scan_ipc_file};
use floe_tests::equal::assert_frames_equal;

use super::*;

/// How a server changes its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    /// Two of three requests are turned away with a 503.
    Busy,
    /// Of every second body only the first half comes.
    Cutting,
    Slow,
    /// Ranges are passed over: all of it comes.
    Whole,
    /// An answer is a byte short of what was asked for, and says so.
    Short,
}

struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    objects: Mutex<BTreeMap<String, (Vec<u8>, usize)>>,
    mood: Mutex<Mood>,
    requests: AtomicUsize,
    bytes: AtomicUsize,
    ends: AtomicBool,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            objects: Mutex::default(),
            mood: Mutex::new(Mood::Good),
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            ends: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for socket in listener.incoming() {
                if of_thread.ends.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                // A client that goes away is no concern of the server's.
                thread::spawn(move || drop(socket.and_then(|socket| shared.answer(socket))));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut objects = self.shared.objects.lock().unwrap();
        let version = objects.get(name).map_or(0, |(_, version)| version + 1);
        objects.insert(name.to_owned(), (bytes, version));
    }

    fn become_(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    fn take_requests(&self) -> (usize, usize) {
        (self.shared.requests.swap(0, Ordering::SeqCst), self.shared.bytes.swap(0, Ordering::SeqCst))
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        let wait = Duration::from_millis(2);
        let backoff = BackoffConfig { init_backoff: wait, max_backoff: wait, base: 1.5 };
        let retry = RetryConfig { backoff, max_retries: 20, retry_timeout: Duration::from_secs(20) };
        let options = ClientOptions::new().with_allow_http(true);
        let store = HttpBuilder::new().with_url(self.url("")).with_client_options(options).with_retry(retry);
        Arc::new(store.build().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        // It waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Answers one request, and closes the connection.
    fn answer(&self, mut socket: TcpStream) -> std::io::Result<()> {
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut lines = BufReader::new(socket.try_clone()?).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let mut headers = BTreeMap::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        let name = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        let found = self.objects.lock().unwrap().get(&name).cloned();
        let Some((bytes, version)) = found else {
            return write!(
                socket,
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        };
        let tag = format!("\"{name}-{version}\"");
        if headers.get("if-match").is_some_and(|wanted| *wanted != tag) {
            return write!(
                socket,
                "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        if mood == Mood::Busy && number % 3 != 2 {
            return write!(
                socket,
                "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        if mood == Mood::Slow {
            thread::sleep(Duration::from_millis(20));
        }
        let asked = headers
            .get("range")
            .and_then(|range| range.strip_prefix("bytes="))
            .and_then(|r| r.split_once('-'));
        let range = match asked {
            Some(("", suffix)) => bytes.len().saturating_sub(suffix.parse().unwrap())..bytes.len(),
            Some((start, "")) => start.parse().unwrap()..bytes.len(),
            Some((start, last)) => {
                start.parse().unwrap()..(last.parse::<usize>().unwrap() + 1).min(bytes.len())
            },
            None => 0..bytes.len(),
        };
        let mut range = if mood == Mood::Whole { 0..bytes.len() } else { range };
        if mood == Mood::Short {
            range.end -= 1;
        }
        let body = if first.starts_with("HEAD") { &[] } else { &bytes[range.clone()] };
        let status = if asked.is_some() && mood != Mood::Whole { "206 Partial Content" } else { "200 OK" };
        write!(
            socket,
            "HTTP/1.1 {status}\r\nETag: {tag}\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\nConnection: close\r\n\r\n",
            range.len(),
            range.start,
            range.end.max(1) - 1,
            bytes.len()
        )?;
        let sent =
            if mood == Mood::Cutting && number.is_multiple_of(2) { body.len() / 2 } else { body.len() };
        self.bytes.fetch_add(sent, Ordering::SeqCst);
        socket.write_all(&body[..sent])
    }
}

/// On a runtime that has I/O.
fn run_io<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let minutes = Duration::from_secs(240);
    runtime.block_on(async { tokio::time::timeout(minutes, test).await.expect("a test that ends") })
}

async fn open_at(server: &Server) -> PolarsResult<IpcObject> {
    let options = IpcIndexOptions::default().with_tail_bytes(64 << 10);
    IpcObject::open(server.store(), "a.arrow", options).await
}

#[test]
fn an_object_behind_http_takes_few_requests() {
    let server = Server::start();
    let df = numbers(16 * 8_192, 8);
    server.put("a.arrow", file(&df, 8_192, None));
    run_io(async {
        let object = open_at(&server).await.unwrap();
        let found = object.read().columns(["c3"]).collect().await.unwrap();
        assert_frames_equal(&found, &df.select(["c3"]).unwrap());
        let (requests, bytes) = server.take_requests();
        let column = 16 * 8_192 * 8;
        assert!(requests <= 17 && bytes <= (64 << 10) + column + column / 10, "{requests}: {bytes} bytes");
    });
}

#[test]
fn servers_in_bad_moods_are_read_right_or_named() {
    let server = Server::start();
    let df = frame(30_000);
    server.put("a.arrow", file(&df, 2_000, Some(IpcCompression::LZ4)));
    run_io(async {
        for mood in [Mood::Busy, Mood::Cutting, Mood::Slow] {
            server.become_(mood);
            let object = open_at(&server).await.unwrap();
            assert_frames_equal(&object.read().collect().await.unwrap(), &df);
        }
        for mood in [Mood::Whole, Mood::Short] {
            server.become_(mood);
            let error = open_at(&server).await.unwrap_err();
            assert!(error.to_string().starts_with("a.arrow: "), "{mood:?}: {error}");
        }
        server.become_(Mood::Good);
        let object = open_at(&server).await.unwrap();
        server.become_(Mood::Short);
        let error = object.read().collect().await.unwrap_err();
        assert!(error.to_string().contains("a.arrow"), "{error}");
    });
}

#[test]
fn an_object_behind_http_that_is_replaced_is_an_error() {
    let server = Server::start();
    let df = frame(30_000);
    server.put("a.arrow", file(&df, 2_000, None));
    run_io(async {
        let object = open_at(&server).await.unwrap();
        server.put("a.arrow", file(&df, 2_000, None));
        let error = object.read().collect().await.unwrap_err().to_string();
        assert!(error.contains("has been replaced since it was opened"), "{error}");
    });
}

#[test]
fn http_urls_are_scanned() {
    let server = Server::start();
    let df = frame(30_000);
    server.put("a.arrow", file(&df, 2_000, None));
    let lf = scan_ipc_file(server.url("a.arrow").as_str(), IpcScanOptions::default()).unwrap();
    let found = lf.filter(col("a").lt(lit(7_000i64))).select([col("text"), col("b")]).collect().unwrap();
    assert_frames_equal(&found, &df.slice(0, 1_000).select(["text", "b"]).unwrap());
    let error = scan_ipc_file(server.url("b.arrow").as_str(), IpcScanOptions::default()).err().unwrap();
    assert!(error.to_string().contains("/b.arrow"), "{error}");
}
