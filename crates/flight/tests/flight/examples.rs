//! The examples: the server is started, and the client run against it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

const EXAMPLES: [&str; 3] = ["flight_server", "flight_client", "flight_copy"];

/// The binary of an example.
fn example(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| floe_tests::examples::built(&EXAMPLES)).join(name)
}

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(args: &[&str]) -> (Server, String) {
    let mut child = Command::new(example("flight_server"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let out = child.stdout.take().expect("its output");
    let server = Server(child);
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on ").expect("an address");
    (server, format!("grpc://{address}"))
}

fn client(uri: &str, token: Option<&str>) -> (bool, String) {
    let output =
        Command::new(example("flight_client")).arg(uri).args(token).output().expect("the client runs");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

#[test]
fn the_client_runs_against_the_server() {
    let (server, uri) = start(&[]);
    let (well, text) = client(&uri, None);
    assert!(well, "{text}");
    for part in [
        "put: [b\"3 rows\"]",
        "there is: 3 rows of city, latitude",
        "read: 3 rows",
        "exchanged: 3 rows",
        "Longyearbyen",
    ] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    drop(server);
}

#[test]
fn data_sets_are_copied_from_server_to_server() {
    let (_source, from) = start(&[]);
    let (_target, to) = start(&[]);
    assert!(client(&from, None).0);
    let output = Command::new(example("flight_copy")).args([&from, &to]).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("cities: [b\"3 rows\"]"), "{output:?}");
}

#[test]
fn the_server_wants_its_token_and_ends_with_its_input() {
    let (mut server, uri) = start(&["--token", "sesame", "--login", "ada:word"]);
    let (well, text) = client(&uri, None);
    assert!(!well && text.contains("token"), "{text}");
    assert!(client(&uri, Some("sesame")).0);
    drop(server.0.stdin.take());
    assert!(server.0.wait().expect("an end").success());
}
