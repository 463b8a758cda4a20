//! Slices of every sign and size through the sinks, over frames that grow: against the slices of the frame
//! itself. The streaming engine of Polars 0.55.2 has rows too many in some of them.

use super::*;
use floe::lazy::{IpcScanOptions, scan_ipc_file};

/// Rows of the frames, each smaller than some behind it.
const HEIGHTS: [usize; 9] = [1, 3, 2, 40, 5, 700, 64, 9_000, 1];

fn frames() -> Vec<DataFrame> {
    let mut at = 0i64;
    let mut frame = |rows: usize| {
        let n: Vec<i64> = (at..).take(rows).collect();
        at += i64::try_from(rows).expect("a small number");
        let k: Vec<i32> = n.iter().map(|n| i32::try_from(n % 7).expect("a small number")).collect();
        DataFrame::new(rows, vec![Column::new("n".into(), n), Column::new("k".into(), k)]).expect("a frame")
    };
    HEIGHTS.iter().map(|rows| frame(*rows)).collect()
}

/// One frame of all rows.
fn whole() -> DataFrame {
    let mut frames = frames().into_iter();
    let first = frames.next().expect("a frame");
    frames.fold(first, |all, df| all.vstack(&df).expect("one schema"))
}

fn file(frames: &[DataFrame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes)
        .with_compression(Some(IpcCompression::LZ4))
        .batched(frames[0].schema())
        .expect("a writer");
    for df in frames {
        writer.write_batch(df).expect("a batch");
    }
    writer.finish().expect("a file");
    bytes
}

/// The query's result through a sink; all run their queries in the same way.
fn through(lf: &LazyFrame, what: &str) -> DataFrame {
    let (bytes, _) = sink(lf.clone(), true, IpcSinkOptions::default()).expect(what);
    read(bytes, true).expect(what)
}

type Query = Box<dyn Fn(LazyFrame, i64, IdxSize) -> LazyFrame>;

/// Ways to slice: they keep the rows' order, and say the same in memory.
fn queries() -> Vec<(&'static str, Query)> {
    fn query(f: impl Fn(LazyFrame, i64, IdxSize) -> LazyFrame + 'static) -> Query {
        Box::new(f)
    }
    let odd = || (col("n") % lit(2)).eq(lit(1));
    let other = || df!("k" => [0i32, 2, 3], "v" => ["a", "b", "c"]).expect("a frame").lazy();
    let join = move |lf: LazyFrame| {
        let joined = lf.join(other(), [col("k")], [col("k")], JoinArgs::new(JoinType::Inner));
        joined.sort(["n"], SortMultipleOptions::default())
    };
    let offset = |offset: i64| (len().cast(DataType::Int64) * lit(0)) + lit(offset);
    vec![
        ("slice", query(|lf, offset, len| lf.slice(offset, len))),
        ("filter, slice", query(move |lf, offset, len| lf.filter(odd()).slice(offset, len))),
        ("slice, filter", query(move |lf, offset, len| lf.slice(offset, len).filter(odd()))),
        (
            "filter, slice, count",
            query(move |lf, o, l| lf.filter(odd()).slice(o, l).select([polars_lazy::prelude::len()])),
        ),
        ("filter, slice, one column", query(move |lf, o, l| lf.filter(odd()).slice(o, l).select([col("k")]))),
        (
            "with columns, slice",
            query(|lf, offset, len| lf.with_columns([(col("n") * lit(3)).alias("m")]).slice(offset, len)),
        ),
        (
            "select, filter, slice, slice",
            query(move |lf, offset, len| {
                lf.select([col("n")]).filter(odd()).slice(offset, len).slice(offset / 2, len).slice(-3, 2)
            }),
        ),
        ("expression", query(|lf, offset, len| lf.select([col("n").slice(lit(offset), lit(len))]))),
        (
            "expressions",
            query(|lf, offset, len| {
                let twice = (col("k") * lit(2)).slice(lit(offset), lit(len));
                lf.select([col("n").slice(lit(offset), lit(len)), twice])
            }),
        ),
        (
            "filter, expression, sum",
            query(move |lf, offset, len| {
                lf.filter(odd()).select([col("n").slice(lit(offset), lit(len)).sum(), col("k").max()])
            }),
        ),
        (
            "expression, not literal",
            query(move |lf, o, len| lf.filter(odd()).select([col("n").slice(offset(o), lit(len))])),
        ),
        (
            "union, slice",
            query(move |lf, offset, len| {
                let few = lf.clone().filter(col("k").eq(lit(3)));
                concat([few, lf], UnionArgs::default()).expect("one schema").slice(offset, len)
            }),
        ),
        (
            "slices, union",
            query(move |lf, offset, len| {
                let some = lf.clone().filter(odd()).slice(offset, len);
                concat([some, lf.slice(offset, len)], UnionArgs::default()).expect("one schema")
            }),
        ),
        ("join, slice", query(move |lf, offset, len| join(lf).filter(odd()).slice(offset, len))),
        ("slice, join", query(move |lf, offset, len| join(lf.filter(odd()).slice(offset, len)))),
        (
            "slice, group",
            query(move |lf, offset, len| {
                let sliced = lf.filter(odd()).slice(offset, len);
                sliced.group_by([col("k")]).agg([col("n").sum()]).sort(["k"], SortMultipleOptions::default())
            }),
        ),
        (
            "slice in a group",
            query(|lf, offset, len| {
                let sliced = col("n").slice(lit(offset), lit(len)).sum();
                lf.group_by([col("k")]).agg([sliced]).sort(["k"], SortMultipleOptions::default())
            }),
        ),
        (
            "sort, slice",
            query(|lf, offset, len| lf.sort(["n"], SortMultipleOptions::default()).slice(offset, len)),
        ),
        (
            "row index, slice",
            query(move |lf, offset, len| lf.filter(odd()).with_row_index("i", None).slice(offset, len)),
        ),
    ]
}

/// All queries over frames in memory and over a scan, for offsets and lengths about the frames' edges.
pub(super) fn matrix() {
    let (df, frames) = (whole(), frames());
    let height = i64::try_from(df.height()).expect("a small number");
    let scan = scan_ipc_file(file(&frames), IpcScanOptions::default()).expect("a file");
    let sources = [("frames", pieces(&frames)), ("a scan", scan)];
    let offsets = [6, -1, -2, -750, -9_002, -9_066, -height - 5];
    for (name, query) in queries().into_iter().rev() {
        for offset in offsets {
            for len in [0, 1, 65, 749, IdxSize::MAX] {
                let expected = query(df.clone().lazy(), offset, len).collect().expect(name);
                for (source, lf) in &sources {
                    let what = format!("{name} of {source}, offset {offset}, length {len}");
                    let found = through(&query(lf.clone(), offset, len), &what);
                    assert!(found.equals_missing(&expected), "{what}: {found} is not {expected}");
                }
            }
        }
    }
}

#[test]
fn slices_are_those_of_the_frame_with_any_number_of_threads() {
    for threads in ["1", "2", "16"] {
        processes::child("slices", Some(threads));
    }
}
