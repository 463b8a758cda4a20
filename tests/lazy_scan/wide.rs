//! Files of many columns: what a scan costs beside what it reads, and that it is right.

use std::time::{Duration, Instant};

use polars_utils::pl_path::PlRefPath;

use super::*;

fn wide(columns: usize, rows: i64) -> DataFrame {
    let column = |i: usize| {
        let name = format!("column_{i}").into();
        match i % 3 {
            0 => {
                Column::new(name, (0..rows).map(|row| row + i64::try_from(i).unwrap()).collect::<Vec<i64>>())
            },
            1 => Column::new(name, (0..rows).map(|row| format!("{row} {i}")).collect::<Vec<String>>()),
            _ => Column::new(name, (0..rows).map(|row| (row % 2 == 0).then_some(0.5)).collect::<Vec<_>>()),
        }
    };
    DataFrame::new(usize::try_from(rows).unwrap(), (0..columns).map(column).collect()).unwrap()
}

/// The shortest time of a query.
fn best(runs: usize, mut query: impl FnMut() -> DataFrame) -> Duration {
    let run = |_| {
        let start = Instant::now();
        let df = query();
        let took = start.elapsed();
        assert_eq!(df.height(), 2);
        took
    };
    (0..runs).map(run).min().unwrap()
}

#[test]
fn many_columns_take_as_long_as_with_polars() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "wide.arrow", &file(&wide(30_000, 2), 2));
    let polars_path = PlRefPath::try_from_path(&path).unwrap();
    for engine in [Engine::InMemory, Engine::Streaming] {
        for columns in [Some("column_777"), None] {
            let query = |lf: PolarsResult<LazyFrame>| {
                let lf = lf.unwrap();
                let lf = match columns {
                    Some(name) => lf.select([col(name)]),
                    None => lf,
                };
                lf.collect_with_engine(engine).unwrap().unwrap_single()
            };
            let options = || IpcScanOptions::default().with_index_cache(false);
            let floe = best(3, || query(scan_ipc_file(&path, options())));
            let peer = best(3, || {
                query(LazyFrame::scan_ipc(polars_path.clone(), Default::default(), Default::default()))
            });
            eprintln!("{engine:?} {columns:?}: floe {floe:?}, Polars {peer:?}");
            assert!(floe < 4 * peer, "{engine:?} {columns:?}: floe {floe:?}, Polars {peer:?}");
        }
    }
}

/// The plan has no expression a column, as the optimizer looks at each several times.
#[test]
fn plans_of_many_columns_are_small() {
    let df = wide(5_000, 6);
    for rows in [6, 1] {
        let lf = scan_ipc_file(file(&df, rows), IpcScanOptions::default()).unwrap();
        for lf in [
            lf.clone(),
            lf.clone().select([col("column_7"), col("column_2")]),
            lf.filter(col("column_2").gt(0)),
        ] {
            let plan = lf.to_alp_optimized().unwrap();
            assert!(plan.expr_arena.len() < 100, "{} expressions", plan.expr_arena.len());
        }
    }
}

type Query = Box<dyn Fn(LazyFrame) -> LazyFrame>;

fn queries(name: &str) -> Vec<(&'static str, Query)> {
    let (a, b, c) = (name.to_owned(), name.to_owned(), name.to_owned());
    let numbers = move || col(a.as_str());
    let (n1, n2, n3) = (numbers.clone(), numbers.clone(), numbers.clone());
    vec![
        ("all", Box::new(|lf| lf)),
        ("one", Box::new(move |lf| lf.select([col(b.as_str())]))),
        ("other order", Box::new(|lf| lf.select([col("column_5"), col("column_0"), col("column_4")]))),
        ("count", Box::new(|lf| lf.select([len()]))),
        ("count of a slice", Box::new(|lf| lf.limit(5).select([len()]))),
        ("count of a filter", Box::new(move |lf| lf.filter(n1().gt(lit(7))).select([len()]))),
        ("head", Box::new(|lf| lf.limit(4))),
        ("tail", Box::new(|lf| lf.tail(4))),
        ("slice", Box::new(|lf| lf.slice(3, 5))),
        ("filter", Box::new(move |lf| lf.filter(n2().gt(lit(7))))),
        ("filter and slice", Box::new(move |lf| lf.filter(n3().gt(lit(3))).slice(1, 3))),
        (
            "sort",
            Box::new(move |lf| lf.sort([c.as_str()], SortMultipleOptions::new().with_order_descending(true))),
        ),
        ("row index", Box::new(|lf| lf.with_row_index("row", None).slice(2, 4))),
        (
            "unique",
            Box::new(|lf| lf.select([col("column_2")]).unique_stable(None, UniqueKeepStrategy::First)),
        ),
        (
            "self join",
            Box::new(|lf| {
                let other = lf.clone().select([col("column_0"), col("column_1").alias("joined")]);
                let on = [col("column_0")];
                lf.join(other, on.clone(), on, JoinArgs::new(JoinType::Inner))
                    .sort(["column_0"], SortMultipleOptions::default())
            }),
        ),
        ("both", Box::new(|lf| concat([lf.clone(), lf], UnionArgs::default()).unwrap())),
    ]
}

/// On either side of where scans are made in another way, of one batch and of several.
#[test]
fn scans_of_many_columns_are_right() {
    for columns in [1_023, 1_024] {
        let df = wide(columns, 12);
        for rows in [12, 2] {
            let scanned = scan_ipc_file(file(&df, rows), IpcScanOptions::default()).unwrap();
            for (name, query) in queries("column_0") {
                let expected = query(df.clone().lazy()).collect().unwrap();
                let found = both(&query(scanned.clone())).unwrap();
                assert!(
                    expected.equals_missing(&found),
                    "{columns} columns, {name}: {expected} is not {found}"
                );
                if name.contains("filter") {
                    let pruned = both(&query(scanned.clone()).prune_ipc()).unwrap();
                    assert!(expected.equals_missing(&pruned), "{columns} columns, {name}, pruned");
                }
            }
        }
    }
}

#[test]
fn columns_of_the_scans_own_join_many() {
    let folder = tempfile::tempdir().unwrap();
    let df = wide(1_500, 8);
    for part in [1, 2] {
        put(folder.path(), &format!("part={part}/a.arrow"), &file(&df, 3));
    }
    let options = IpcScanOptions::default()
        .with_hive(true)
        .with_row_index(RowIndex { name: "row".into(), offset: 10 })
        .with_include_file_paths("path");
    let lf = scan_ipc_file(folder.path(), options).unwrap();
    let all = both(&lf).unwrap();
    assert_eq!(all.shape(), (16, 1_503));
    let names: Vec<&str> = all.get_column_names().into_iter().map(PlSmallStr::as_str).collect();
    assert_eq!((names[0], &names[1_501..]), ("row", ["part", "path"].as_slice()));
    let found = both(&lf.filter(col("part").eq(lit(2))).select([col("row"), col("column_3")])).unwrap();
    let rows: Vec<_> = found.column("row").unwrap().idx().unwrap().into_no_null_iter().collect();
    assert_eq!(rows, (18..26).collect::<Vec<_>>());
    assert!(found.column("column_3").unwrap().equals(df.column("column_3").unwrap()));
}

#[test]
fn filters_leave_batches_of_many_columns_out() {
    let df = wide(1_500, 24);
    let (options, counter) = counted();
    let row_index = RowIndex { name: "row".into(), offset: 0 };
    let lf = scan_ipc_file(file(&df, 2), options.with_row_index(row_index.clone())).unwrap();
    let query = lf.clone().filter(col("row").gt(lit(21))).select([col("column_1")]);
    let (all, whole) = read_by(&counter, || query.clone().collect().unwrap());
    let (pruned, part) = read_by(&counter, || query.clone().prune_ipc().collect().unwrap());
    assert_same(&all, &pruned);
    assert!(part < whole / 4, "{part} of {whole}");
    // Another scan behind it stays whole.
    let options = IpcScanOptions::default().with_row_index(row_index);
    let other = scan_ipc_file(file(&df, 24), options).unwrap();
    for scans in [[lf.clone(), other.clone()], [other, lf]] {
        let query = concat(scans, UnionArgs::default()).unwrap().filter(col("row").gt(lit(21)));
        assert_same(&both(&query.clone().prune_ipc()).unwrap(), &both(&query).unwrap());
        assert_eq!(both(&query).unwrap().height(), 4);
    }
}
