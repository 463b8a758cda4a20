//! A server in this process, a client over a bare socket, and tables.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use floe::lazy::{IntoLazy, LazyFrame};
use floe::prelude::*;
use floe_serve::Catalog;
use polars_core::prelude::*;
use polars_lazy::frame::AllowedOptimizations;
use serde_json::Value;
use tokio::sync::oneshot;

/// A server that ends with the value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    catalog: Catalog,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// While there is one, no test runs that has to be alone.
    shared: Option<RwLockReadGuard<'static, ()>>,
}

impl Server {
    pub(crate) fn start(catalog: Catalog) -> Self {
        Self::of_router(catalog.clone(), floe_serve::router(catalog))
    }

    pub(crate) fn of_router(catalog: Catalog, router: axum::Router) -> Self {
        let shared = (!IS_LOCKED.replace(true)).then(|| ALONE.read().unwrap_or_else(PoisonError::into_inner));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let ended = async { drop(stopped.await) };
                floe_serve::serve(listener, router, ended).await.unwrap();
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
        Self { address: told.recv().unwrap(), catalog, stop: Some(stop), thread: Some(thread), shared }
    }

    pub(crate) fn of_table(name: &str, lf: LazyFrame) -> Self {
        Self::start(Catalog::builder().build().unwrap().with_table(name, lf))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, b"")
    }

    pub(crate) fn post(&self, body: &Value) -> Answer {
        self.send("POST", "/api/query", &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn sql(&self, sql: &str) -> Answer {
        self.get(&sql_path(sql, ""))
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut connection = self.open(method, path, headers, body);
        let mut bytes = Vec::new();
        // A server that cuts a connection off may do so by a reset.
        let read = connection.read_to_end(&mut bytes);
        Answer::parse(&bytes, method == "HEAD", read.is_ok())
    }

    /// Sends a request; its answer is to be read.
    pub(crate) fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        connection.write_all(head.as_bytes()).unwrap();
        // A server that refuses a body may close while it is sent.
        let _ = connection.write_all(body);
        connection
    }

    /// Queries that run, as the server lists them.
    pub(crate) fn running(&self) -> usize {
        self.get("/api/queries").json()["queries"].as_array().unwrap().len()
    }

    pub(crate) fn wait_for_running(&self, wanted: usize) {
        wait_until(&format!("{wanted} queries run"), || self.running() == wanted);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.catalog.close();
        self.stop.take();
        if self.shared.is_some() {
            IS_LOCKED.set(false);
        }
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))));
        }
    }
}

pub(crate) fn sql_path(sql: &str, more: &str) -> String {
    let escaped: String = sql
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("/api/query?sql={escaped}{more}")
}

/// Waits, at most a minute.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body has come to the end that HTTP announced.
    pub(crate) is_whole: bool,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8], is_head: bool, is_closed: bool) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pairs = lines.map(|line| line.split_once(": ").unwrap());
        let headers: Vec<(String, String)> =
            pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut answer = Self { status, headers, body: Vec::new(), is_whole: false };
        let rest = &bytes[end + 4..];
        if answer.header("transfer-encoding") == Some("chunked") {
            (answer.body, answer.is_whole) = dechunked(rest);
        } else {
            let len = answer.header("content-length").map(|len| len.parse::<usize>().unwrap());
            answer.is_whole = is_closed && (is_head || len.is_none_or(|len| len == rest.len()));
            answer.body = rest.to_vec();
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The rows of a stream.
    pub(crate) fn frame(&self) -> DataFrame {
        assert_eq!((self.status, self.is_whole), (200, true), "{}", self.text());
        IpcStreamReader::from_bytes(self.body.clone()).finish().unwrap()
    }

    /// The kind of an error.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        let json = self.json();
        assert!(!json["error"]["message"].as_str().unwrap().is_empty());
        json["error"]["kind"].as_str().unwrap().to_owned()
    }
}

/// A body out of its chunks, and whether the last one was there.
fn dechunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else { return (body, false) };
        let len = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if len == 0 {
            return (body, true);
        }
        if rest.len() < len + 2 {
            body.extend_from_slice(&rest[..rest.len().min(len)]);
            return (body, false);
        }
        body.extend_from_slice(&rest[..len]);
        rest = &rest[len + 2..];
    }
}

/// Rows of most types, with nulls.
pub(crate) fn mixed(rows: usize) -> DataFrame {
    let n = i64::try_from(rows).unwrap();
    let id: Vec<i64> = (0..n).collect();
    let delay: Vec<Option<f64>> = (0..n).map(|i| (i % 7 != 0).then_some(i as f64 * 0.25)).collect();
    let text: Vec<Option<String>> =
        (0..n).map(|i| (i % 5 != 0).then(|| format!("text {i}, \"quoted\""))).collect();
    let flag: Vec<bool> = (0..n).map(|i| i % 3 == 0).collect();
    let lists: Vec<Series> =
        (0..n).map(|i| Series::new(PlSmallStr::EMPTY, (0..i % 3).collect::<Vec<_>>())).collect();
    let carrier: Vec<&str> = (0..rows).map(|i| ["UA", "B6", "DL"][i % 3]).collect();
    let carrier = Series::new("carrier".into(), carrier)
        .cast(&DataType::from_categories(Categories::global()))
        .unwrap();
    let at = Series::new("at".into(), id.iter().map(|i| i * 3_600_000_000).collect::<Vec<_>>())
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        .unwrap();
    DataFrame::new(
        rows,
        vec![
            Column::new("id".into(), id),
            Column::new("delay".into(), delay),
            Column::new("text".into(), text),
            Column::new("flag".into(), flag),
            Series::new("lists".into(), lists).into_column(),
            carrier.into_column(),
            at.into_column(),
        ],
    )
    .unwrap()
}

/// Rows of four columns of numbers.
pub(crate) fn numbers(rows: i64) -> DataFrame {
    let column = |name: &str, factor: i64| {
        Column::new(name.into(), (0..rows).map(|i| i.wrapping_mul(factor)).collect::<Vec<i64>>())
    };
    let columns = vec![column("a", 1), column("b", 7), column("c", 1_000_003), column("d", -3)];
    DataFrame::new(usize::try_from(rows).unwrap(), columns).unwrap()
}

/// Tests whose tables are slow keep Polars' threads busy, and count frames: they run alone.
static ALONE: RwLock<()> = RwLock::new(());

thread_local! {
    /// Whether this thread's test has the lock already, alone or with others.
    static IS_LOCKED: Cell<bool> = const { Cell::new(false) };
}

/// A table whose frames are counted as they are computed, and slow once a number of them has passed.
#[derive(Clone)]
pub(crate) struct Gate {
    is_open: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    _alone: Rc<RwLockWriteGuard<'static, ()>>,
}

/// How long a frame takes while the gate is shut.
const SLOW: Duration = Duration::from_millis(200);

impl Gate {
    pub(crate) fn new() -> Self {
        let alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
        IS_LOCKED.set(true);
        Self { is_open: Arc::default(), count: Arc::default(), _alone: Rc::new(alone) }
    }

    pub(crate) fn table(&self, frame: DataFrame, passes: usize) -> LazyFrame {
        let (is_open, count) = (Arc::clone(&self.is_open), Arc::clone(&self.count));
        let wait = move |frame: DataFrame| {
            if count.fetch_add(1, Ordering::SeqCst) >= passes && !is_open.load(Ordering::SeqCst) {
                std::thread::sleep(SLOW);
            }
            Ok(frame)
        };
        frame.lazy().map(wait, AllowedOptimizations::STREAMING, None, Some("GATE"))
    }

    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }

    /// Frames that have come by.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

/// A folder with files in it, gone with the value.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn serve(&self) -> Server {
        Server::start(Catalog::new([self.0.path()]).unwrap())
    }
}

pub(crate) fn file(frame: &DataFrame, rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = IpcWriter::new(&mut bytes).with_record_batch_size(Some(rows));
    let mut writer = writer;
    writer.finish(&mut frame.clone()).unwrap();
    bytes
}

pub(crate) fn stream(frame: &DataFrame, rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(rows)).finish(&mut frame.clone()).unwrap();
    bytes
}

pub(crate) fn parquet(frame: &DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    polars_io::prelude::ParquetWriter::new(&mut bytes).finish(&mut frame.clone()).unwrap();
    bytes
}

/// The names of the tables that a server lists.
pub(crate) fn names(server: &Server) -> Vec<String> {
    let tables = server.get("/api/tables").json();
    let tables = tables["tables"].as_array().unwrap().clone();
    tables.iter().map(|table| table["name"].as_str().unwrap().to_owned()).collect()
}
