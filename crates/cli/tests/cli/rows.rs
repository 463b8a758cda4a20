//! `head`, `tail`, `sample`, `diff`, `follow`, `stats`, and rows as text.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use floe::prelude::*;
use polars_core::prelude::*;

use crate::support::*;

#[test]
fn rows_in_every_format_of_text() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    for format in ["csv", "tsv", "json", "ndjson", "md", "table"] {
        snapshot(&format!("head_{format}"), &folder.good(&["head", "-n", "6", "-f", format, "a.arrow"]));
    }
    // Into a pipe it is CSV.
    assert_eq!(
        folder.good(&["head", "-n", "6", "a.arrow"]),
        folder.good(&["head", "-n", "6", "-f", "csv", "a.arrow"])
    );
    folder.good(&["convert", "a.arrow", "a.csv"]);
    assert_eq!(std::fs::read_to_string(folder.path("a.csv")).unwrap(), folder.good(&["head", "a.arrow"]));
    let json: serde_json::Value =
        serde_json::from_str(&folder.good(&["head", "-f", "json", "a.arrow"])).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 10);
}

#[test]
fn ends_and_batches() {
    let folder = Folder::new();
    for (name, bytes) in [("a.arrow", file(&frame(), 4, None)), ("a.arrows", stream(&frame(), 4))] {
        folder.put(name, &bytes);
        let ids = |args: &[&str]| {
            let args: Vec<&str> = args.iter().copied().chain(["--columns", "id", name]).collect();
            folder.good(&args).lines().skip(1).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ids(&["head", "-n", "3"]), "0 1 2");
        assert_eq!(ids(&["head", "-n", "0"]), "");
        assert_eq!(ids(&["head", "-n", "99"]), "0 1 2 3 4 5 6 7 8 9");
        assert_eq!(ids(&["tail", "-n", "3"]), "7 8 9");
        assert_eq!(ids(&["head", "--batch", "1"]), "4 5 6 7");
        assert_eq!(ids(&["tail", "--batch", "1", "-n", "1"]), "7");
        assert_eq!(ids(&["sample", "-n", "99"]), "0 1 2 3 4 5 6 7 8 9");
        assert_eq!(ids(&["sample", "-n", "4"]).split(' ').count(), 4);
        assert!(folder.failure(&["head", "--batch", "3", name]).contains("there is no batch 3: it has 3"));
    }
}

#[test]
fn differences() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    folder.put("same.arrow", &file(&frame(), 3, Some(IpcCompression::LZ4)));
    let same = folder.floe(&["diff", "a.arrow", "same.arrow"]);
    assert_eq!((same.status.code(), out(&same).as_str()), (Some(0), ""), "{}", err(&same));

    let mut other = frame();
    let mut delays: Vec<f64> = (0..10).map(|i| f64::from(i) * 1.5 - 3.0).collect();
    delays[5] += 0.25;
    other.replace("delay", Series::new("delay".into(), delays).into_column()).unwrap();
    folder.put("b.arrow", &file(&other, 10, None));
    let differs = folder.floe(&["diff", "a.arrow", "b.arrow"]);
    assert_eq!(differs.status.code(), Some(1));
    assert_eq!(
        out(&differs),
        "row 5, column \"delay\": 4.5 against 4.75\ncolumn \"delay\": 1 values differ\n"
    );
    assert_eq!(folder.floe(&["diff", "--tolerance", "0.3", "a.arrow", "b.arrow"]).status.code(), Some(0));

    folder.put("short.arrow", &file(&frame().head(Some(9)).drop("name").unwrap(), 10, None));
    let differs = folder.floe(&["diff", "a.arrow", "short.arrow"]);
    assert_eq!(differs.status.code(), Some(1));
    assert_eq!(out(&differs), "column \"name\": only in the first\nrows: 10 against 9\n");
}

/// Null, NaN and the infinities are keys of their own, also within lists; both zeros are one.
#[test]
fn keys_that_are_no_numbers() {
    let folder = Folder::new();
    let rows = |ids: &[Option<f64>], values: &[i64]| {
        let ids = Column::new("id".into(), ids);
        let lists =
            ids.as_materialized_series().reshape_list(&[ReshapeDimension::Infer, ReshapeDimension::new(1)]);
        let lists = lists.unwrap().with_name("list".into()).into_column();
        DataFrame::new(ids.len(), vec![ids, lists, Column::new("v".into(), values)]).unwrap()
    };
    let (nan, inf) = (Some(f64::NAN), Some(f64::INFINITY));
    let first = rows(&[nan, None, Some(2.0), inf, Some(0.0), inf.map(|x| -x)], &[1, 2, 3, 4, 5, 6]);
    let second = rows(&[Some(2.0), inf, nan, Some(-0.0), inf.map(|x| -x), None], &[3, 4, 1, 5, 6, 2]);
    folder.put("a.arrow", &file(&first, 4, None));
    folder.put("b.arrow", &file(&second, 4, None));
    // Null under the key of NaN, and the other way round.
    folder.put("c.arrow", &file(&rows(&[None, nan], &[1, 2]), 4, None));
    folder.put("d.arrow", &file(&rows(&[Some(2.0), nan, nan], &[3, 1, 1]), 4, None));
    for key in ["id", "list"] {
        let same = folder.floe(&["diff", "-n", "0", "--key", key, "a.arrow", "b.arrow"]);
        assert!(!out(&same).contains("only in"), "{key}: {}{}", out(&same), err(&same));
        assert!(!out(&same).contains("column \"v\""), "{key}: {}", out(&same));
        let swapped = out(&folder.floe(&["diff", "-n", "0", "--key", key, "a.arrow", "c.arrow"]));
        assert!(swapped.contains("rows: 4 only in the first\n"), "{key}: {swapped}");
        assert!(swapped.contains("column \"v\": 2 values differ\n"), "{key}: {swapped}");
        let twice = err(&folder.floe(&["diff", "--key", key, "a.arrow", "d.arrow"]));
        assert!(twice.contains("d.arrow: key ") && twice.contains("more than once"), "{key}: {twice}");
    }
}

/// Rows of the same key belong together, wherever they stand.
#[test]
fn differences_by_key() {
    let folder = Folder::new();
    let rows = |ids: &[i64], delays: &[f64]| {
        let columns = vec![Column::new("id".into(), ids), Column::new("delay".into(), delays)];
        DataFrame::new(ids.len(), columns).unwrap()
    };
    folder.put("a.arrow", &file(&rows(&[1, 3, 4, 6, 7], &[0.1, 0.3, 0.4, 0.6, 0.7]), 2, None));
    folder.put("b.arrow", &file(&rows(&[1, 2, 4, 6, 9], &[0.1, 0.2, 0.5, 0.6, 0.9]), 3, None));
    folder.put("shuffled.arrow", &file(&rows(&[6, 9, 1, 4, 2], &[0.6, 0.9, 0.1, 0.5, 0.2]), 3, None));
    let summary =
        "rows: 2 only in the first\nrows: 2 only in the second\ncolumn \"delay\": 1 values differ\n";
    for (other, how) in [("b.arrow", "sorted"), ("shuffled.arrow", "not sorted")] {
        let output = folder.floe(&["diff", "--key", "id", "a.arrow", other]);
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        assert!(err(&output).contains(&format!("keys are {how}")), "{}", err(&output));
        let text = out(&output);
        assert!(text.ends_with(summary), "{text}");
        for line in [
            "key 3: only in the first",
            "key 7: only in the first",
            "key 2: only in the second",
            "key 9: only in the second",
            "key 4, column \"delay\": 0.4 against 0.5",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{text}");
        }
        assert_eq!(text.lines().count(), 8, "{text}");
    }
    let same = folder.floe(&["diff", "--key", "id", "b.arrow", "shuffled.arrow"]);
    assert_eq!((same.status.code(), out(&same).as_str()), (Some(0), ""));
    assert_eq!(folder.floe(&["diff", "b.arrow", "shuffled.arrow"]).status.code(), Some(1));
    let few = out(&folder.floe(&["diff", "-n", "0", "--key", "id", "a.arrow", "b.arrow"]));
    assert_eq!(few, summary);
    folder.put("twice.arrow", &file(&rows(&[1, 1], &[0.1, 0.2]), 3, None));
    for args in [["a.arrow", "twice.arrow"], ["twice.arrow", "a.arrow"]] {
        let output = folder.floe(&["diff", "--key", "id", args[0], args[1]]);
        assert_eq!(output.status.code(), Some(2));
        assert!(err(&output).contains("twice.arrow: key 1 is there more than once"), "{}", err(&output));
    }
    let by_two = folder.floe(&["diff", "--key", "id,delay", "twice.arrow", "twice.arrow"]);
    assert_eq!(by_two.status.code(), Some(0), "{}", err(&by_two));
    assert!(folder.failure(&["diff", "--key", "nothing", "a.arrow", "b.arrow"]).contains("not in both"));
    // An empty side, and two.
    folder.put("empty.arrow", &file(&rows(&[], &[]), 3, None));
    let output = folder.floe(&["diff", "-n", "0", "--key", "id", "empty.arrow", "a.arrow"]);
    assert_eq!(out(&output), "rows: 5 only in the second\n");
    let output = folder.floe(&["diff", "-n", "0", "--key", "id", "shuffled.arrow", "empty.arrow"]);
    assert_eq!(out(&output), "rows: 5 only in the first\n");
    assert_eq!(folder.floe(&["diff", "--key", "id", "empty.arrow", "empty.arrow"]).status.code(), Some(0));
}

/// The file grows while it is followed.
#[test]
fn rows_of_a_growing_file_come_as_they_are_written() {
    let folder = Folder::new();
    let bytes = file(&large(30), 10, None);
    let cut = bytes.len() / 2;
    let path = folder.put("growing.arrow", &bytes[..cut]);
    let mut child = folder
        .command(&["follow", "--columns", "n", "growing.arrow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut first: Vec<String> = lines.by_ref().take(11).map(Result::unwrap).collect();
    std::fs::File::options().append(true).open(&path).unwrap().write_all(&bytes[cut..]).unwrap();
    first.extend(lines.map(Result::unwrap));
    assert_eq!(first.len(), 31);
    assert_eq!(first[30], (29 * 7).to_string());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn columns_in_numbers() {
    let folder = Folder::new();
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes)
        .with_statistics(true)
        .with_record_batch_size(Some(4))
        .finish(&mut frame())
        .unwrap();
    folder.put("stated.arrow", &bytes);
    snapshot("stats", &folder.good(&["stats", "--columns", "id,name,delay,at", "stated.arrow"]));
    snapshot("stats_full", &folder.good(&["stats", "--full", "stated.arrow"]));
    folder.put("large.arrow", &file(&large(100_000), 50_000, None));
    let text = folder.good(&["stats", "large.arrow"]);
    let estimate =
        text.lines().last().unwrap().split('~').nth(1).unwrap().split(' ').next().unwrap().replace(',', "");
    let estimate: f64 = estimate.parse().unwrap();
    assert!((95_000.0..105_000.0).contains(&estimate), "{estimate} distinct of 100,000");
    assert!(text.contains(" 1,000 "), "numbers repeat: {text}");
}

#[test]
fn wide_frames_of_every_dtype_are_written_without_loss() {
    let folder = Folder::new();
    let days = Series::new("date".into(), [0i32, i32::MAX]).cast(&DataType::Date).unwrap();
    let binary = Series::new("binary".into(), [&b"\x00\xff"[..], b""]);
    let whole = Series::new("u64".into(), [u64::MAX, 0]);
    let columns = vec![days.into_column(), binary.into_column(), whole.into_column()];
    folder.put("a.arrows", &stream(&DataFrame::new(2, columns).unwrap(), 10));
    assert_eq!(
        folder.good(&["head", "a.arrows"]),
        "date,binary,u64\n1970-01-01,00ff,18446744073709551615\n5881580-07-11,\"\",0\n"
    );
}

#[test]
fn differences_below_lists_and_structs() {
    let folder = Folder::new();
    let nested = |value: f64| {
        let list = Series::new("".into(), vec![1.0, value]);
        let lists = Column::new("lists".into(), vec![list]);
        let field = Series::new("x".into(), vec![value]);
        let structs = StructChunked::from_series("structs".into(), 1, [field].iter()).unwrap();
        DataFrame::new(1, vec![lists, structs.into_series().into_column()]).unwrap()
    };
    for (name, value) in [("a", 2.0), ("near", 2.001), ("nan", f64::NAN), ("inf", f64::INFINITY)] {
        folder.put(&format!("{name}.arrow"), &file(&nested(value), 1, None));
    }
    let code = |args: &[&str]| folder.floe(&[&["diff"], args].concat()).status.code();
    assert_eq!(code(&["a.arrow", "a.arrow"]), Some(0));
    assert_eq!(code(&["nan.arrow", "nan.arrow"]), Some(0));
    assert_eq!(code(&["a.arrow", "near.arrow"]), Some(1));
    assert_eq!(code(&["a.arrow", "near.arrow", "--tolerance", "0.01"]), Some(0));
    assert_eq!(code(&["nan.arrow", "inf.arrow"]), Some(1));
    assert_eq!(code(&["nan.arrow", "a.arrow", "--tolerance", "9"]), Some(1));
}
