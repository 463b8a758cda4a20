//! The examples: the server is started, and the client run against it.
//!
//! `cargo test --workspace` has built them already. If it has not, they are built here, with the features of the whole
//! workspace, so that nothing else is.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

/// `<target>/debug`, say: this test runs as `<target>/debug/deps/flight-<hash>`.
fn profile_folder() -> PathBuf {
    let this = std::env::current_exe().expect("the path of this test");
    this.ancestors().nth(2).expect("a target folder").to_path_buf()
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

const EXAMPLES: [&str; 3] = ["flight_server", "flight_client", "flight_copy"];

/// The binary of an example, which is at least as new as its source.
fn example(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(build);
    profile_folder().join("examples").join(name)
}

fn build() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = profile_folder().join("examples");
    let source = |name: &str| modified(&root.join("examples").join(format!("{name}.rs")));
    if EXAMPLES.iter().all(|name| modified(&folder.join(name)) >= source(name)) {
        return;
    }
    let profile = profile_folder();
    let target = profile.parent().expect("a target folder");
    let profile = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(env!("CARGO"));
    // Build scripts look at the variables that cargo sets for this test. With them much would be compiled anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "OUT_DIR"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            cargo.env_remove(&name);
        }
    }
    let status = cargo
        .current_dir(root)
        .args(["build", "--quiet", "--workspace"])
        .args(EXAMPLES.iter().flat_map(|name| ["--example", name]))
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .status();
    assert!(status.expect("cargo runs").success(), "the examples do not build");
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
