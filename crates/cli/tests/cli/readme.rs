//! The README shows what the binary prints.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use floe::prelude::*;
use polars_io::csv::read::{CsvReadOptions, NullValues};

use crate::support::*;

/// The input of the README's commands.
const INPUT: &str = "examples/data/flights-2013-01.csv.gz";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A month of flights, in batches of 4,000 rows with statistics.
fn flights() -> Vec<u8> {
    let mut rows = CsvReadOptions::default()
        .with_infer_schema_length(None)
        .map_parse_options(|options| {
            options
                .with_null_values(Some(NullValues::AllColumnsSingle("NA".into())))
                .with_try_parse_dates(true)
        })
        .into_reader_with_file_handle(std::fs::File::open(workspace().join(INPUT)).unwrap())
        .finish()
        .unwrap();
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes)
        .with_compression(Some(IpcCompression::ZSTD(ZstdLevel::try_new(3).unwrap())))
        .with_record_batch_size(Some(4_000))
        .with_statistics(true)
        .finish(&mut rows)
        .unwrap();
    bytes
}

/// Runs a line as a terminal would show it.
fn shown(folder: &Folder, line: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_floe")).parent().unwrap().to_path_buf();
    let path = std::env::join_paths(
        std::iter::once(binary).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let output = Command::new("script")
        .args(["-qec", line, "/dev/null"])
        .current_dir(folder.path(""))
        .stdin(Stdio::null())
        .env("PATH", path.unwrap())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "120")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")
}

/// The first block of commands with `$ floe` in it: its text, and where it stands.
fn block(readme: &str) -> (usize, usize) {
    let start =
        readme.find("```console\n$ floe").expect("the README has a block of commands") + "```console\n".len();
    (start, start + readme[start..].find("```").unwrap())
}

/// `FLOE_BLESS=1` writes the outputs into the README.
#[test]
fn the_readme_shows_what_is_printed() {
    let Ok(readme) = std::fs::read_to_string(workspace().join("README.md")) else {
        eprintln!("SKIPPED: the README is in the repository only");
        return;
    };
    if Command::new("script").arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI has no `script`");
        eprintln!("SKIPPED: there is no `script` to make a terminal with");
        return;
    }
    let folder = Folder::new();
    folder.put("flights.arrow", &flights());
    let (start, end) = block(&readme);
    let expected = &readme[start..end];
    let mut printed = String::new();
    for line in expected.lines().filter_map(|line| line.strip_prefix("$ ")) {
        printed.push_str(&format!("$ {line}\n{}", shown(&folder, line)));
    }
    assert!(
        ["info", "head", "verify", "sql"]
            .iter()
            .all(|command| printed.contains(&format!("$ floe {command} ")))
    );
    if std::env::var_os("FLOE_BLESS").is_some() {
        let text = format!("{}{printed}{}", &readme[..start], &readme[end..]);
        std::fs::write(workspace().join("README.md"), text).unwrap();
        return;
    }
    assert_eq!(printed, expected, "with FLOE_BLESS=1 the README is written anew");
}
