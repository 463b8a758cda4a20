//! Parts of frames: columns, rows, a row index, from every reader, as Polars reads them.

use super::*;

/// Which part of a frame to read.
#[derive(Clone, Debug, Default)]
struct Part {
    columns: Option<Vec<String>>,
    projection: Option<Vec<usize>>,
    n_rows: Option<usize>,
    row_index: Option<RowIndex>,
}

macro_rules! read_part {
    ($reader:expr, $part:expr) => {
        $reader
            .with_columns($part.columns.clone())
            .with_projection($part.projection.clone())
            .with_n_rows($part.n_rows)
            .with_row_index($part.row_index.clone())
            .finish()
    };
}

fn parts() -> Vec<Part> {
    let columns = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let row_index = |offset| Some(RowIndex { name: "row".into(), offset });
    let mut parts = Vec::new();
    for n_rows in [None, Some(0), Some(1), Some(15), Some(16), Some(17), Some(99), Some(100), Some(1000)] {
        for row_index in [None, row_index(0), row_index(7)] {
            let part = Part { n_rows, row_index, ..Part::default() };
            parts.push(part.clone());
            parts.push(Part { columns: columns(&["f64"]), ..part.clone() });
            parts.push(Part { columns: columns(&["string", "bool", "categorical"]), ..part.clone() });
            parts.push(Part { projection: Some(vec![1]), ..part.clone() });
            parts.push(Part { projection: Some(vec![0, 3, 6]), ..part.clone() });
            parts.push(Part { projection: Some(vec![6, 3, 5, 0]), ..part.clone() });
            parts.push(Part { projection: Some(vec![2]), columns: columns(&["list", "i64"]), ..part });
        }
    }
    parts.push(Part { columns: columns(&["no such column"]), ..Part::default() });
    parts
}

#[test]
fn parts_of_a_file_are_the_parts_that_polars_reads() {
    let mut bytes = Vec::new();
    let mut df = plain_frame();
    IpcWriter::new(&mut bytes).with_record_batch_size(Some(16)).finish(&mut df).expect("bytes");
    let mut cases = Cases::new();
    for part in parts() {
        cases.run(format!("{part:?}"), || {
            let expected =
                std::panic::catch_unwind(|| read_part!(PolarsReader::new(Cursor::new(&bytes)), part));
            let expected = expected.expect("Polars reads this without a panic");
            same("new", &expected, &read_part!(IpcReader::new(Cursor::new(&bytes)), part));
            same("from_bytes", &expected, &read_part!(IpcReader::from_bytes(bytes.clone()), part));
        });
    }
    cases.finish();
}

#[test]
fn parts_of_a_stream_are_the_parts_that_polars_reads() {
    let mut bytes = Vec::new();
    let mut df = plain_frame();
    IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(16)).finish(&mut df).expect("bytes");
    let mut cases = Cases::new();
    for part in parts() {
        cases.run(format!("{part:?}"), || {
            let polars = || read_part!(PolarsStreamReader::new(Cursor::new(&bytes)), part);
            let expected = std::panic::catch_unwind(polars).expect("Polars reads this without a panic");
            same("new", &expected, &read_part!(IpcStreamReader::new(bytes.as_slice()), part));
            same("from_bytes", &expected, &read_part!(IpcStreamReader::from_bytes(bytes.clone()), part));
        });
    }
    cases.finish();
}

#[track_caller]
fn same(way: &str, expected: &PolarsResult<DataFrame>, found: &PolarsResult<DataFrame>) {
    match (expected, found) {
        (Ok(expected), Ok(found)) => equal_by(way, expected, found),
        (Err(_), Err(_)) => {},
        (Ok(_), Err(error)) => panic!("{way}: {error}"),
        (Err(error), Ok(_)) => panic!("{way} reads what Polars refuses: {error}"),
    }
}

#[test]
fn parts_apply_to_batches_too() {
    let df = plain_frame();
    let part = Part {
        columns: Some(vec!["string".to_owned(), "i64".to_owned()]),
        n_rows: Some(40),
        row_index: Some(RowIndex { name: "row".into(), offset: 3 }),
        projection: None,
    };
    let expected = df.select(["string", "i64"]).expect("columns").head(Some(40));
    let expected = expected.with_row_index("row".into(), Some(3)).expect("a row index");

    let bytes = Config::file().with_batch_rows(16).write(&df);
    let batches = IpcReader::from_bytes(bytes)
        .with_columns(part.columns.clone())
        .with_n_rows(part.n_rows)
        .with_row_index(part.row_index.clone())
        .batches()
        .expect("batches");
    let batches = batches.collect::<PolarsResult<Vec<_>>>().expect("batches");
    assert_eq!(batches.iter().map(DataFrame::height).collect::<Vec<_>>(), [16, 16, 8]);
    let found =
        floe_tests::config::concat(batches.into_iter().map(Ok)).expect("one schema").expect("batches");
    assert_frames_equal(&expected, &found);

    let bytes = Config::stream().with_batch_rows(16).write(&df);
    let reader = IpcStreamReader::new(bytes.as_slice())
        .with_columns(part.columns)
        .with_n_rows(part.n_rows)
        .with_row_index(part.row_index);
    let found = floe_tests::config::concat(reader.batches().expect("batches"));
    assert_frames_equal(&expected, &found.expect("batches").expect("batches"));
}

/// Where Polars panics, floe has an error or the obvious result.
#[test]
fn parts_that_polars_panics_on() {
    let df = plain_frame();
    let none = Some(Vec::<String>::new());
    let (file, stream) = (Config::file().write(&df), Config::stream().write(&df));

    let found = IpcReader::from_bytes(file.clone()).with_columns(none.clone()).finish().expect("no columns");
    assert_eq!(found.shape(), (100, 0));
    let found =
        IpcReader::from_bytes(file.clone()).with_projection(Some(vec![])).finish().expect("no columns");
    assert_eq!(found.shape(), (100, 0));
    let found = IpcStreamReader::from_bytes(stream.clone()).with_columns(none).finish().expect("no columns");
    assert_eq!(found.shape(), (100, 0));
    let found =
        IpcReader::from_bytes(file.clone()).with_projection(Some(vec![])).with_n_rows(Some(7)).finish();
    assert_eq!(found.expect("no columns").shape(), (7, 0));

    let error =
        IpcReader::from_bytes(file).with_projection(Some(vec![1, 8])).finish().expect_err("8 columns");
    assert!(error.to_string().contains('8'), "{error}");
    let error = IpcStreamReader::from_bytes(stream).with_projection(Some(vec![1, 8])).finish();
    assert!(error.expect_err("8 columns").to_string().contains('8'));
}

#[test]
fn a_row_index_with_the_name_of_a_column() {
    let df = plain_frame();
    let row_index = || Some(RowIndex { name: "f64".into(), offset: 0 });
    let (file, stream) = (Config::file().write(&df), Config::stream().write(&df));
    let error =
        IpcReader::from_bytes(file.clone()).with_row_index(row_index()).finish().expect_err("a clash");
    assert!(error.to_string().contains("f64"), "{error}");
    let error =
        IpcStreamReader::from_bytes(stream).with_row_index(row_index()).finish().expect_err("a clash");
    assert!(error.to_string().contains("f64"), "{error}");
    let columns = Some(vec!["i64".to_owned()]);
    let found = IpcReader::from_bytes(file).with_columns(columns).with_row_index(row_index()).finish();
    assert_eq!(found.expect("no clash").get_column_names(), ["f64", "i64"]);
}
