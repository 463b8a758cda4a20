//! A query into folders by keys, which `pyarrow_dataset.py` reads as one dataset.

use std::path::Path;

use floe::lazy::*;
use polars_core::prelude::*;
use serde_json::json;

use super::report::{Report, text};

/// Writes `<level>/key=<value>/year=<value>/part-0.arrow` and, as what is in them, `rows.json`.
pub(super) fn write(folder: &Path, report: &mut Report) {
    report.check("the folder", || std::fs::create_dir_all(folder).map_err(text));
    let keys = [
        Some("a/b=c %"),
        None,
        Some("größe*[1]"),
        Some("a/b=c %"),
        Some("x:y\\z?#'\"{}^|<>\n"),
        Some("plain"),
    ];
    let years = [2013, 2013, 2014, 2014, 2013, 2014];
    let texts = ["one", "two", "three", "a text that is not inlined", "", "six"];
    let rows: Vec<_> =
        (0..6).map(|i| json!({"key": keys[i], "year": years[i], "n": i, "text": texts[i]})).collect();
    let file = folder.join("rows.json");
    report.check("the rows", || std::fs::write(file, json!(rows).to_string()).map_err(text));
    for (name, level) in [("oldest", CompatLevel::oldest()), ("newest", CompatLevel::newest())] {
        report.check(name, || {
            let n: Vec<i64> = (0..6).collect();
            let columns = vec![
                Column::new("key".into(), keys),
                Column::new("year".into(), years),
                Column::new("n".into(), n),
                Column::new("text".into(), texts),
            ];
            let query = DataFrame::new(6, columns).map_err(text)?.lazy();
            let by = PartitionBy::Keys(vec!["key", "year"]);
            let options = IpcSinkOptions::default().with_compat_level(level);
            query.sink_ipc_partitioned(folder.join(name), by, options).map(|_| ()).map_err(text)
        });
    }
}
