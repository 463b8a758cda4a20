//! Running the binary, files to run it on, and snapshots.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use floe::prelude::*;
use polars_core::prelude::*;

/// A folder with files of every kind, gone with the value.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Runs `floe` in the folder, with nothing on standard input.
    pub(crate) fn floe<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        self.command(args).output().unwrap()
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
        command
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100");
        command
    }

    /// Runs `floe` with bytes coming through a pipe.
    pub(crate) fn piped<S: AsRef<OsStr>>(&self, args: &[S], input: &[u8]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A reader that has enough closes the pipe.
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        output
    }

    /// Standard output of a run that must be good.
    pub(crate) fn good<S: AsRef<OsStr>>(&self, args: &[S]) -> String {
        let output = self.floe(args);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        out(&output)
    }

    /// The one line that a run which fails with 2 says.
    pub(crate) fn failure<S: AsRef<OsStr>>(&self, args: &[S]) -> String {
        let output = self.floe(args);
        assert_eq!(output.status.code(), Some(2), "{}{}", out(&output), err(&output));
        let text = err(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("floe: "), "{text}");
        for method in ["with_", "IpcReader", "IpcStreamReader", "read_ipc", "::"] {
            assert!(!text.contains(method), "an error names a method of the library: {text}");
        }
        text
    }
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// 10 rows: numbers, text, nulls, a list, a timestamp.
pub(crate) fn frame() -> DataFrame {
    let id: Vec<i64> = (0..10).collect();
    let name: Vec<Option<&str>> = vec![
        Some("Nuuk"),
        None,
        Some("a,b"),
        Some(""),
        Some("say \"hi\""),
        Some("x"),
        None,
        Some("é"),
        Some("y"),
        Some("z"),
    ];
    let delay: Vec<f64> = (0..10).map(|i| f64::from(i) * 1.5 - 3.0).collect();
    let lists: Vec<Series> =
        (0..10i32).map(|i| Series::new("".into(), (0..i % 3).collect::<Vec<_>>())).collect();
    let at = Series::new("at".into(), (0..10i64).map(|i| i * 86_400_000_000 + 1_000).collect::<Vec<_>>())
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        .unwrap();
    DataFrame::new(
        10,
        vec![
            Column::new("id".into(), id),
            Column::new("name".into(), name),
            Column::new("delay".into(), delay),
            Series::new("lists".into(), lists).into_column(),
            at.into_column(),
        ],
    )
    .unwrap()
}

/// Many rows of numbers and text.
pub(crate) fn large(rows: i64) -> DataFrame {
    let text: Vec<String> = (0..rows).map(|i| format!("row number {i}")).collect();
    let numbers: Vec<i64> = (0..rows).map(|i| i * 7 % 1000).collect();
    let height = usize::try_from(rows).unwrap();
    DataFrame::new(height, vec![Column::new("n".into(), numbers), Column::new("text".into(), text)]).unwrap()
}

pub(crate) fn file(frame: &DataFrame, rows: usize, compression: Option<IpcCompression>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = IpcWriter::new(&mut bytes).with_record_batch_size(Some(rows)).with_compression(compression);
    let mut writer = writer;
    writer.set_custom_schema_metadata(std::sync::Arc::new(Metadata::from([(
        "source".into(),
        "an atlas".into(),
    )])));
    writer.finish(&mut frame.clone()).unwrap();
    bytes
}

pub(crate) fn stream(frame: &DataFrame, rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(rows)).finish(&mut frame.clone()).unwrap();
    bytes
}

pub(crate) fn read(path: &Path) -> DataFrame {
    read_ipc(path).unwrap()
}

/// Compares with a file beside the tests; `FLOE_BLESS=1` writes it instead.
pub(crate) fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots").join(format!("{name}.txt"));
    if std::env::var_os("FLOE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{} differs; with FLOE_BLESS=1 it is written anew", path.display());
}
