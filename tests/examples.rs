//! Every example of the root package runs and holds what it asserts.
//!
//! `cargo test --workspace` has built them already, and then they are just run. `floe_tests::examples` builds them where it
//! has not.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// An example that takes longer hangs: the debug build of the slowest takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(120);

#[path = "object_store/s3_server.rs"]
mod s3_server;

#[test]
fn every_example_runs() {
    let (names, folder) = built();
    let failures: Vec<String> = names.iter().filter_map(|name| run(&folder.join(name), &[]).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Without a bucket it says that it does nothing.
#[test]
fn the_example_of_s3_runs_against_a_server() {
    let server = s3_server::S3Server::start(&["my-bucket"]);
    let variables = [
        ("AWS_ENDPOINT_URL", server.endpoint()),
        ("AWS_REGION", s3_server::REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", s3_server::ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", s3_server::SECRET_KEY.to_owned()),
        ("AWS_BUCKET", "my-bucket".to_owned()),
    ];
    let printed = run(&built().1.join("s3"), &variables).unwrap();
    assert!(printed.contains("s3://my-bucket/floe-example.arrow: 100000 rows in 10 batches"), "{printed}");
    assert!(server.files().contains(&"my-bucket/floe-example.arrow".to_owned()), "{:?}", server.files());
}

/// The names of the examples, and the folder of their binaries.
fn built() -> &'static (Vec<String>, PathBuf) {
    static BUILT: OnceLock<(Vec<String>, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let names = example_names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples"));
        assert!(names.iter().any(|name| name == "quickstart"), "no quickstart among {names:?}");
        let folder = floe_tests::examples::built(&names);
        (names, folder)
    })
}

fn example_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the examples folder");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let sources = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<String> =
        sources.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

/// Runs an example; the text that it prints.
fn run(binary: &Path, variables: &[(&str, String)]) -> Result<String, String> {
    let failed = |what: String| format!("{}: {what}", binary.display());
    // Files, not pipes: nobody has to empty them while the example runs.
    let [mut out, mut err] = [(); 2].map(|()| tempfile::tempfile().expect("a temporary file"));
    let redirect = |file: &std::fs::File| Stdio::from(file.try_clone().expect("a file handle"));
    let mut child = Command::new(binary)
        .env_remove("AWS_BUCKET")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(redirect(&out))
        .stderr(redirect(&err))
        .spawn()
        .map_err(|error| failed(error.to_string()))?;

    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("a child to wait for") {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                child.kill().expect("a child to kill");
                child.wait().expect("a child to wait for");
                return Err(failed(format!("still running after {PATIENCE:?}")));
            },
            None => sleep(Duration::from_millis(20)),
        }
    };
    let [out, err] = [&mut out, &mut err].map(|file| {
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("text");
        text
    });
    if !status.success() {
        return Err(failed(format!("{status}\n{out}\n{err}")));
    }
    if out.is_empty() { Err(failed("printed nothing".to_owned())) } else { Ok(out) }
}
