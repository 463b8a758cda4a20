//! Arrow's golden files, in every way floe reads: is each value what the JSON beside the file says?
//!
//! `ARROW_TEST_DATA` names the `data` folder of an apache/arrow-testing checkout; a relative path starts at
//! the workspace. Without the folder the test is skipped, loudly, except in CI, where that is a failure.

use std::fs::File;
use std::io::{Cursor, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use floe::prelude::*;
use floe_tests::config::{planned, pushed};
use floe_tests::golden;
use polars_core::prelude::*;
use serde_json::Value as Json;

/// One way to read a file, with the columns wanted. `None`: it gave no batch, and so no columns.
type Read = fn(&Path, Option<Vec<String>>) -> PolarsResult<Option<DataFrame>>;

/// File name ending, format, how to read it. The first of each ending also reads every column alone.
const READS: [(&str, &str, Read); 9] = [
    ("stream", "IpcStreamReader::new", |path, columns| {
        IpcStreamReader::new(File::open(path)?).with_columns(columns).finish().map(Some)
    }),
    ("stream", "IpcStreamReader::from_bytes", |path, columns| {
        IpcStreamReader::from_bytes(std::fs::read(path)?).with_columns(columns).finish().map(Some)
    }),
    ("stream", "IpcStreamReader::batches", |path, columns| {
        concat(IpcStreamReader::new(Cursor::new(std::fs::read(path)?)).with_columns(columns).batches()?)
    }),
    ("stream", "StreamDecoder::push", |path, columns| pushed(&std::fs::read(path)?, columns)),
    ("arrow_file", "IpcIndex::plan", |path, columns| planned(&std::fs::read(path)?, columns)),
    ("arrow_file", "IpcReader::new", |path, columns| {
        IpcReader::new(File::open(path)?).with_columns(columns).finish().map(Some)
    }),
    ("arrow_file", "IpcReader::from_bytes", |path, columns| {
        IpcReader::from_bytes(std::fs::read(path)?).with_columns(columns).finish().map(Some)
    }),
    ("arrow_file", "IpcReader::batches", |path, columns| {
        concat(IpcReader::new(Cursor::new(std::fs::read(path)?)).with_columns(columns).batches()?)
    }),
    ("arrow_file", "IpcStreamReader::new", |path, columns| {
        IpcStreamReader::new(Cursor::new(std::fs::read(path)?)).with_columns(columns).finish().map(Some)
    }),
];

fn concat(batches: impl Iterator<Item = PolarsResult<DataFrame>>) -> PolarsResult<Option<DataFrame>> {
    let mut whole: Option<DataFrame> = None;
    for batch in batches {
        let batch = batch?;
        match &mut whole {
            Some(whole) => drop(whole.vstack_mut(&batch)?),
            None => whole = Some(batch),
        }
    }
    Ok(whole)
}

#[test]
fn every_golden_file_reads_as_its_json_says() {
    let Some(folder) = integration_folder() else { return };
    let stems = stems(&folder);
    let mut report = Report::default();
    for stem in &stems {
        check_stem(stem, &mut report);
    }
    let Report { reads, refused, failures } = report;
    say(&format!(
        "golden files: {} stems in {}, {reads} reads, {refused} columns rightly refused, {} failures",
        stems.len(),
        folder.display(),
        failures.len()
    ));
    assert!(!stems.is_empty(), "no */*.json.gz in {}", folder.display());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// With an option, no file is refused: what Polars has no place for is null, or text.
#[test]
fn every_golden_file_is_read_if_asked_for() {
    let Some(folder) = integration_folder() else { return };
    for stem in stems(&folder) {
        let ending = |ending: &str| PathBuf::from(format!("{}.{ending}", stem.display()));
        let json = golden::load(ending("json.gz"));
        for odd in [Unrepresentable::Null, Unrepresentable::String] {
            let file = IpcReader::new(File::open(ending("arrow_file")).expect("a file"));
            let stream = IpcStreamReader::new(File::open(ending("stream")).expect("a stream"));
            for read in [file.with_unrepresentable(odd).finish(), stream.with_unrepresentable(odd).finish()] {
                let df = read.unwrap_or_else(|error| panic!("{} {odd:?}: {error}", stem.display()));
                assert_eq!(df.height(), golden::row_count(&json).expect("integration JSON"));
                for (index, column) in df.columns().iter().enumerate() {
                    let checked = check_odd(&json, index, column, odd);
                    checked.unwrap_or_else(|error| panic!("{} {odd:?}: {error}", stem.display()));
                }
            }
        }
    }
}

/// A column as the JSON says it, or its type without a place in Polars.
fn check_odd(json: &Json, index: usize, column: &Column, odd: Unrepresentable) -> Result<(), String> {
    let kind = &json["schema"]["fields"][index]["type"];
    if odd == Unrepresentable::String && kind["bitWidth"] == 256 {
        return check_decimal_text(json, index, column);
    }
    match (golden::is_unreadable(json, index)?, odd, column.dtype()) {
        (true, Unrepresentable::Null, _) if column.null_count() == 0 => Err("nothing is null".to_owned()),
        (true, ..) | (_, _, DataType::String) => Ok(()),
        // Seconds below others are text.
        (false, Unrepresentable::String, dtype) if dtype.is_nested() => Ok(()),
        (false, ..) => golden::compare_column(json, index, column),
    }
}

/// Every digit of the JSON's integers, with a point in the right place.
fn check_decimal_text(json: &Json, index: usize, column: &Column) -> Result<(), String> {
    let scale = json["schema"]["fields"][index]["type"]["scale"].as_u64().unwrap_or(0);
    let found = column.str().map_err(|error| error.to_string())?;
    let mut row = 0;
    for batch in json["batches"].as_array().into_iter().flatten() {
        let of = &batch["columns"][index];
        let values = of["DATA"].as_array().into_iter().flatten();
        for (value, valid) in values.zip(of["VALIDITY"].as_array().into_iter().flatten()) {
            let value = value.as_str().ok_or("no digits")?;
            let point = |text: &str| text.rfind('.').map_or(0, |at| text.len() - at - 1) as u64;
            let same = match found.get(row) {
                None => valid == 0,
                Some(text) => {
                    let digits = |text: &str| {
                        let digits = text.trim_start_matches('-').replace('.', "");
                        (text.starts_with('-'), digits.trim_start_matches('0').to_owned())
                    };
                    valid == 1 && digits(text) == digits(value) && point(text) == scale
                },
            };
            if !same {
                return Err(format!("row {row}: {value} is {:?}", found.get(row)));
            }
            row += 1;
        }
    }
    Ok(())
}

/// To the real stderr: the test harness shows what `eprintln!` says only of tests that fail.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").expect("stderr takes text");
}

/// `None`: there is none, and that is allowed here.
fn integration_folder() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = std::env::var("ARROW_TEST_DATA").unwrap_or_else(|_| "../shared/arrow-testing/data".to_owned());
    let folder = workspace.join(data).join("arrow-ipc-stream/integration");
    if folder.is_dir() {
        return Some(folder);
    }
    let message = format!("no golden files: {} is missing; set ARROW_TEST_DATA", folder.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
    say(&format!("\n!!!!!!!! SKIPPED: {message} !!!!!!!!\n"));
    None
}

/// All `<set>/<stem>`, sorted: a path each, without the ending.
fn stems(folder: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("a readable folder");
        entries.map(|entry| entry.expect("a readable folder").path()).collect()
    };
    let sets = list(folder).into_iter().filter(|path| path.is_dir());
    let files = sets.flat_map(|set| list(&set));
    let mut stems: Vec<_> =
        files.filter_map(|path| path.to_str()?.strip_suffix(".json.gz").map(PathBuf::from)).collect();
    stems.sort();
    stems
}

#[derive(Default)]
struct Report {
    reads: usize,
    /// Columns that gave an error because Polars cannot hold a value of theirs.
    refused: usize,
    failures: Vec<String>,
}

fn check_stem(stem: &Path, report: &mut Report) {
    let ending = |ending: &str| PathBuf::from(format!("{}.{ending}", stem.display()));
    let json = golden::load(ending("json.gz"));
    let names = golden::column_names(&json).expect("integration JSON");
    let unreadable: Vec<_> = (0..names.len())
        .map(|index| golden::is_unreadable(&json, index).expect("integration JSON"))
        .collect();
    let case = Case { json: &json, names: &names, unreadable: &unreadable };

    let mut last = "";
    for (format, what, read) in READS {
        let path = ending(format);
        let mut check = |name: String, result: Result<Outcome, String>| {
            report.reads += 1;
            match result {
                Ok(Outcome::Read) => {},
                Ok(Outcome::Refused) => report.refused += 1,
                Err(error) => report.failures.push(format!("{} {name}: {error}", path.display())),
            }
        };
        check(what.to_owned(), case.check_whole(&path, read));
        if last != format {
            for (index, column) in names.iter().enumerate() {
                check(format!("{what}, only {column:?}"), case.check_column(&path, read, index));
            }
        }
        last = format;
    }
}

enum Outcome {
    Read,
    Refused,
}

/// The values that a golden file has to read as.
struct Case<'a> {
    json: &'a Json,
    names: &'a [String],
    /// Per column: Polars cannot hold all its values.
    unreadable: &'a [bool],
}

impl Case<'_> {
    fn check_whole(&self, path: &Path, read: Read) -> Result<Outcome, String> {
        match guarded(read, path, None)? {
            Ok(Some(df)) => golden::compare(self.json, &df).map(|()| Outcome::Read),
            Ok(None) if golden::row_count(self.json)? == 0 => Ok(Outcome::Read),
            Ok(None) => Err("no batches".to_owned()),
            Err(error) => self.check_error(&error, self.unreadable.iter().enumerate()),
        }
    }

    fn check_column(&self, path: &Path, read: Read, index: usize) -> Result<Outcome, String> {
        let name = &self.names[index];
        match guarded(read, path, Some(vec![name.clone()]))? {
            Ok(Some(df)) => match df.columns() {
                [column] if column.name() == name => {
                    golden::compare_column(self.json, index, column).map(|()| Outcome::Read)
                },
                _ => Err(format!("found the columns {:?}", df.get_column_names())),
            },
            Ok(None) => Err("no columns".to_owned()),
            Err(error) => self.check_error(&error, [(index, &self.unreadable[index])]),
        }
    }

    /// An error is right if it names a column, among those asked for, that Polars cannot hold.
    fn check_error<'b>(
        &self,
        error: &PolarsError,
        wanted: impl IntoIterator<Item = (usize, &'b bool)>,
    ) -> Result<Outcome, String> {
        let error = error.to_string();
        let mut refusable = wanted.into_iter().filter(|(_, unreadable)| **unreadable).peekable();
        if refusable.peek().is_none() {
            return Err(error);
        }
        if refusable.any(|(index, _)| error.contains(&self.names[index])) {
            Ok(Outcome::Refused)
        } else {
            Err(format!("names no column that Polars cannot hold: {error}"))
        }
    }
}

/// Reads; a panic is a failure like any other, so that the report is complete.
fn guarded(
    read: Read,
    path: &Path,
    columns: Option<Vec<String>>,
) -> Result<PolarsResult<Option<DataFrame>>, String> {
    catch_unwind(AssertUnwindSafe(|| read(path, columns))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("PANIC: {}", text.unwrap_or("not a text"))
    })
}
