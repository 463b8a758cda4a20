//! `floe serve`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use floe::prelude::*;

use crate::support::*;

/// A server in a process of its own, killed with the value.
struct Served {
    child: Child,
    address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Folder, args: &[&str]) -> Served {
    let mut command = folder.command(&[&["serve"], args].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
    let address = address.unwrap_or_else(|| panic!("no URL: {line:?}")).to_owned();
    Served { child, address }
}

impl Served {
    /// Status and body of an answer that is read to its end.
    fn get(&self, path: &str, headers: &str) -> (u16, Vec<u8>) {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let host =
            if headers.starts_with("Host") { String::new() } else { format!("Host: {}\r\n", self.address) };
        // HTTP/1.0 has no chunks.
        write!(connection, "GET {path} HTTP/1.0\r\n{host}{headers}\r\n").unwrap();
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), bytes[end + 4..].to_vec())
    }

    fn signal(&self, name: &str) {
        let status =
            std::process::Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    fn wait(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < Duration::from_secs(30), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn its_first_line_is_its_url_and_queries_are_answered() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    let served = serve(&folder, &["a.arrow"]);
    assert!(served.address.starts_with("127.0.0.1:"));
    assert_eq!(served.get("/healthz", ""), (200, b"ok".to_vec()));
    let (status, body) = served.get("/api/query?sql=SELECT%20*%20FROM%20a", "");
    assert_eq!(status, 200);
    assert!(IpcStreamReader::from_bytes(body).finish().unwrap().equals_missing(&frame()));
    let (status, body) = served.get("/api/query?sql=SELECT%20id%20FROM%20a%20WHERE%20id%3E8&format=csv", "");
    assert_eq!((status, body), (200, b"id\n9\n".to_vec()));
    assert_eq!(served.get("/api/tables", "Host: evil.example\r\n").0, 403);
    let (status, page) = served.get("/", "");
    assert_eq!(status, 200);
    assert!(page.starts_with(b"<!DOCTYPE html>"));
}

#[test]
fn signals_end_it_well() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    for signal in ["TERM", "INT"] {
        let temporary = Folder::new();
        let mut command = folder.command(&["serve", "a.arrow"]);
        let mut child = command
            .env("TMPDIR", temporary.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let mut served = Served { child, address };
        // An upload, which is in a temporary folder.
        let mut connection = TcpStream::connect(&served.address).unwrap();
        let head =
            format!("PUT /api/tables/up HTTP/1.0\r\nHost: {}\r\nContent-Length: 8\r\n\r\n", served.address);
        connection.write_all(head.as_bytes()).unwrap();
        connection.write_all(b"a,b\n1,2\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 201 "), "{answer}");
        assert_eq!(temporary.names().len(), 1);
        served.signal(signal);
        assert_eq!(served.wait(), Some(0), "{signal}");
        assert_eq!(temporary.names().len(), 0, "{signal}: temporary files are left");
    }
}

#[test]
fn other_addresses_need_a_token() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    for address in ["0.0.0.0:0", "0.0.0.0:8080"] {
        let text = folder.failure(&["serve", "a.arrow", "--bind", address]);
        assert!(text.contains("needs a token") && text.contains("--token"), "{text}");
    }
    let mut served = serve(&folder, &["a.arrow", "--bind", "0.0.0.0:0", "--token", "s3cret"]);
    served.address = served.address.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(served.get("/api/tables", "").0, 401);
    assert_eq!(served.get("/api/tables", "Authorization: Bearer s3cret\r\n").0, 200);
    assert_eq!(served.get("/api/tables?token=s3cret", "").0, 200);
}

#[test]
fn arguments_that_are_wrong_say_so() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    assert!(folder.failure(&["serve", "missing.arrow"]).contains("missing.arrow: no such file or folder"));
    assert!(folder.failure(&["serve", "a.arrow", "--bind", "nonsense"]).contains("--bind nonsense"));
    assert!(folder.failure(&["serve", "a.arrow", "--token", ""]).contains("token is empty"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(folder.failure(&["serve", "a.arrow", "--bind", &address]).contains(&address));
    let help = folder.good(&["serve", "--help"]);
    assert!(help.contains("--max-upload") && !help.contains("--web-dir"), "{help}");
}
