//! Markers that make a set of files visible together.
//!
//! ```text
//!   k=1/part-<id>-0.arrow   k=2/part-<id>-0.arrow      appear one after another
//!   .committed-<id>.json                               appears last, and names them
//! ```
//!
//! A filesystem gives one file a name at a time, and a store one object. A reader that lists the folder in between finds a
//! part of the files, and after a process that was killed it always will. So a sink may write a marker when all files of
//! its call are in place, and a scan may take only files that a marker names. Others see ordinary files; the marker's name
//! is hidden from them.

use std::fs;
use std::io;
use std::path::Path;

use polars_core::prelude::*;
use polars_utils::pl_path::PlRefPath;
use serde_json::{Value, json};

use crate::error::io_error;

const PREFIX: &str = ".committed-";
const SUFFIX: &str = ".json";

/// The name of a marker.
pub(crate) fn name(id: &str) -> String {
    format!("{PREFIX}{id}{SUFFIX}")
}

pub(crate) fn is_marker(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// The marker of files, by their paths below the folder.
pub(crate) fn text(files: &[String]) -> String {
    json!({ "files": files }).to_string()
}

/// The files that a marker names.
pub(crate) fn parse(marker: &[u8]) -> io::Result<Vec<String>> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("it is no marker: {why}"));
    let parsed: Value = serde_json::from_slice(marker).map_err(|e| invalid(&e.to_string()))?;
    let files = parsed.get("files").and_then(Value::as_array).ok_or_else(|| invalid("it names no files"))?;
    let file = |file: &Value| match file.as_str() {
        // Below the folder: a marker is as trustworthy as who may write there, and leads nowhere else.
        Some(path) if path.split('/').all(|part| !matches!(part, "" | "." | "..")) => Ok(path.to_owned()),
        _ => Err(invalid("a file has no path below the folder")),
    };
    files.iter().map(file).collect()
}

/// The markers in a folder.
pub(crate) fn markers(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        },
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_marker) {
            found.push(entry.path());
        }
    }
    // The same order on every machine.
    found.sort_unstable();
    Ok(found)
}

/// The files below a folder that markers name.
pub(crate) fn files(folder: &Path) -> PolarsResult<Vec<PlRefPath>> {
    let mut found = Vec::new();
    for marker in markers(folder).map_err(|e| io_error(e, folder))? {
        let read = fs::read(&marker).and_then(|bytes| parse(&bytes));
        for file in read.map_err(|e| io_error(e, &marker))? {
            found.push(PlRefPath::try_from_path(&folder.join(file))?);
        }
    }
    Ok(found)
}

/// The objects below a URL that markers name.
#[cfg(feature = "cloud")]
pub(crate) fn objects(url: &PlRefPath, cloud: &crate::cloud::Cloud) -> PolarsResult<Vec<PlRefPath>> {
    use floe_object_store::{list, read_objects};

    use crate::cloud::{below, object};

    let at = object(url, cloud)?;
    let failed = |error: io::Error| io_error(error, Path::new(url.as_str()));
    let mut keys = list(at.store.clone(), at.path.clone()).map_err(failed)?;
    keys.retain(|key| {
        let below_it: Vec<_> = key.prefix_match(&at.path).into_iter().flatten().collect();
        matches!(below_it.as_slice(), [name] if is_marker(name.as_ref()))
    });
    let texts = read_objects(&at.store, keys.clone()).map_err(failed)?;
    let mut found = Vec::new();
    for (key, text) in keys.iter().zip(texts) {
        let marker = below(url, key.filename().unwrap_or_default());
        for file in parse(&text).map_err(|error| io_error(error, &marker))? {
            found.push(PlRefPath::try_from_path(&below(url, &file))?);
        }
    }
    Ok(found)
}

/// Without the feature there are no stores.
#[cfg(not(feature = "cloud"))]
pub(crate) fn objects(url: &PlRefPath, _: &crate::cloud::Cloud) -> PolarsResult<Vec<PlRefPath>> {
    Err(crate::cloud::missing(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_name_files_below_the_folder_and_no_others() {
        let files = ["k=1/part-0.arrow".to_owned(), "a \"b\"\n.arrow".to_owned()];
        assert_eq!(parse(text(&files).as_bytes()).expect("a marker"), files);
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"files":"a"}"#,
            r#"{"files":[1]}"#,
            r#"{"files":["../a"]}"#,
            r#"{"files":["/a"]}"#,
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(is_marker(&name("0")) && !is_marker("committed-0.json"));
    }
}
