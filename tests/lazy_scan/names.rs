//! Names of columns are data: none is a pattern, none is the scan's own.

use floe::lazy::{IpcSinkOptions, LazyIpcExt, PartitionBy, scan_ipc};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::*;

/// Names of every kind, most of which mean something to somebody.
fn names() -> Vec<String> {
    let few = [
        "",
        " ",
        "a",
        "A",
        "*",
        "**",
        "^x$",
        "^a.*$",
        "^($",
        "^.*$",
        "^$",
        "^",
        "$",
        "x$",
        "^x",
        ".*",
        "a.b",
        "a b",
        "a\nb",
        "\n",
        "\r\n",
        "\t",
        "\0",
        "a\0b",
        "\"",
        "'",
        "\"a\"",
        "'a'",
        "`",
        "\\",
        "\\d+",
        "{}",
        "{0}",
        "{a",
        "}",
        "[a]",
        "a[1]",
        "(",
        ")",
        "a/b",
        "..",
        "~",
        "%",
        "%2A",
        "a=b",
        "=",
        "#",
        "?",
        "|",
        "len",
        "count",
        "literal",
        "skip",
        "a_min",
        "a_max",
        "a_nc",
        "__floe_rows",
        "__floe_rows_",
        "größe",
        "名前",
        "🦀",
        "\u{feff}",
        "\u{202e}x",
        "cs.all()",
        "col(\"a\")",
        "null",
        "NaN",
        "element",
    ];
    few.iter()
        .map(|name| (*name).to_owned())
        .chain(["x".repeat(64 << 10), "^".repeat(64 << 10) + "$"])
        .collect()
}

/// Columns of these names, each of values of its own, some of them null.
fn frame(names: &[String], rows: usize) -> DataFrame {
    let columns = names.iter().enumerate().map(|(i, name)| {
        let i = i64::try_from(i).unwrap();
        let values = (0i64..).take(rows).map(|row| (row % 5 != i % 5).then_some(row * 100 + i));
        Column::new(name.into(), values.collect::<Vec<_>>())
    });
    DataFrame::new(rows, columns.collect()).unwrap()
}

fn column(name: &str) -> Expr {
    Expr::Column(name.into())
}

/// The results of a scan of a frame in every way it can be asked for.
fn check(df: &DataFrame, lf: &LazyFrame) {
    let rows = df.height();
    let mut lf = lf.clone();
    assert_eq!(lf.collect_schema().unwrap(), *df.schema());
    assert_same(&both(&lf).unwrap(), df);
    let count = both(&lf.clone().select([len()])).unwrap();
    assert_eq!(count.column("len").unwrap().get(0).unwrap().extract::<usize>(), Some(rows));
    // Of many columns some: each has its turn by itself.
    for name in df.get_column_names().into_iter().step_by(df.width() / 10 + 1) {
        let one = df.select([name]).unwrap();
        assert_same(&both(&lf.clone().select([column(name)])).unwrap(), &one);
        let is_text = df.schema().get(name) == Some(&DataType::String);
        let predicate = if is_text { column(name).is_not_null() } else { column(name).gt_eq(lit(300)) };
        let filter = |lf: LazyFrame| lf.filter(predicate.clone());
        let expected = filter(df.clone().lazy()).collect().unwrap();
        assert_same(&both(&filter(lf.clone())).unwrap(), &expected);
        assert_same(&both(&filter(lf.clone()).prune_ipc()).unwrap(), &expected);
    }
    assert_same(&both(&lf.clone().tail(3)).unwrap(), &df.tail(Some(3)));
    let indexed = both(&lf.with_row_index("another row index", None)).unwrap();
    assert_same(&indexed, &df.with_row_index("another row index".into(), None).unwrap());
}

#[test]
fn each_name_alone() {
    for (i, name) in names().iter().enumerate() {
        let df = frame(std::slice::from_ref(name), 9);
        let [stream, file] = scans(&df, 4);
        check(&df, if i % 2 == 0 { &stream } else { &file });
    }
}

#[test]
fn all_names_at_once() {
    let df = frame(&names(), 7);
    for lf in scans(&df, 3) {
        check(&df, &lf);
    }
}

#[test]
fn chosen_columns_row_indexes_and_paths_of_any_name() {
    let mut random = StdRng::seed_from_u64(25);
    let names = names();
    for _ in 0..30 {
        let mut some = names.clone();
        some.shuffle(&mut random);
        some.truncate(random.random_range(3..9));
        let (index, rest) = some.split_first().unwrap();
        let (path, columns) = rest.split_first().unwrap();
        let df = frame(columns, 11);
        let mut chosen = columns.to_vec();
        chosen.shuffle(&mut random);
        chosen.truncate(random.random_range(1..=columns.len()));
        let options = IpcScanOptions::default()
            .with_columns(chosen.clone())
            .with_row_index(RowIndex { name: index.into(), offset: 2 })
            .with_include_file_paths(path.as_str())
            .with_predicate(column(&chosen[0]).is_not_null());
        let lf = scan_ipc(file(&df, 4), options).unwrap();
        let mut expected = df.select(&chosen).unwrap().with_row_index(index.into(), Some(2)).unwrap();
        expected.with_column(Column::new(path.into(), ["in-memory"; 11])).unwrap();
        let expected = expected.lazy().filter(column(&chosen[0]).is_not_null()).collect().unwrap();
        check(&expected, &lf);
    }
}

#[test]
fn the_hidden_name_is_the_users_too() {
    let df = frame(&["__floe_rows".to_owned(), "__floe_rows_".to_owned()], 5);
    for lf in scans(&df, 2) {
        let more = |lf: LazyFrame| {
            lf.with_column(lit(1).alias("__floe_rows__"))
                .select([column("__floe_rows__"), column("__floe_rows")])
        };
        assert_same(&both(&more(lf.clone())).unwrap(), &more(df.clone().lazy()).collect().unwrap());
    }
    let plain = frame(&["a".to_owned()], 5);
    for lf in scans(&plain, 2) {
        let named = |lf: LazyFrame| lf.with_row_index("__floe_rows", None);
        assert_same(&both(&named(lf.clone())).unwrap(), &named(plain.clone().lazy()).collect().unwrap());
        let named = |lf: LazyFrame| lf.with_column((column("a") + lit(1)).alias("__floe_rows"));
        let counted = both(&named(lf.clone()).select([len()])).unwrap();
        assert_eq!(counted.column("len").unwrap().get(0).unwrap().extract::<usize>(), Some(5));
        assert_same(&both(&named(lf)).unwrap(), &named(plain.clone().lazy()).collect().unwrap());
    }
}

#[test]
fn sinks_write_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let df = frame(&names(), 20);
    let path = folder.path().join("all.arrow");
    df.clone().lazy().sink_ipc_file(&path, IpcSinkOptions::default()).unwrap();
    assert_same(&both(&scan_ipc(&path, IpcScanOptions::default()).unwrap()).unwrap(), &df);
    let again = folder.path().join("again.arrows");
    let scanned = scan_ipc(&path, IpcScanOptions::default()).unwrap();
    scanned.sink_ipc_stream(&again, IpcSinkOptions::default()).unwrap();
    assert_same(&both(&scan_ipc(&again, IpcScanOptions::default()).unwrap()).unwrap(), &df);
    let parts = folder.path().join("parts");
    df.clone()
        .lazy()
        .sink_ipc_partitioned(&parts, PartitionBy::MaxRows(6), IpcSinkOptions::default())
        .unwrap();
    assert_same(&both(&scan_ipc(&parts, IpcScanOptions::default()).unwrap()).unwrap(), &df);
}

#[test]
fn keys_of_any_name_come_back_or_are_refused() {
    let mut written = 0;
    for name in names() {
        if name.len() > 200 {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let values = Column::new("value of the row".into(), [1i64, 2, 3]);
        let df = DataFrame::new(3, vec![Column::new((&name).into(), [7i64, 8, 8]), values]).unwrap();
        let keys = PartitionBy::Keys(vec![name.as_str()]);
        let sink = df.clone().lazy().sink_ipc_partitioned(folder.path(), keys, IpcSinkOptions::default());
        match sink {
            Ok(parts) => {
                assert_eq!(parts.len(), 2, "{name:?}");
                let lf = scan_ipc_file(folder.path(), IpcScanOptions::default().with_hive(true)).unwrap();
                let expected = df.select(["value of the row", name.as_str()]).unwrap();
                check(&expected, &lf);
                written += 1;
            },
            // Names that folders cannot bear, or that readers of folders take for something else.
            Err(error) => assert!(error.to_string().contains("rename it"), "{name:?}: {error}"),
        }
    }
    assert!(written > 20, "{written} names");
}
