//! The checks of Polars' own tests of `scan_ipc`, on floe's scans.

use super::*;

fn codecs() -> [Option<IpcCompression>; 3] {
    [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(ZstdLevel::default()))]
}

/// Batches of this many rows, as a file (true) or a stream.
fn bytes(df: &DataFrame, as_file: bool, codec: Option<IpcCompression>, rows: Option<usize>) -> Vec<u8> {
    let (mut df, mut out) = (df.clone(), Vec::new());
    if as_file {
        IpcWriter::new(&mut out)
            .with_compression(codec)
            .with_record_batch_size(rows)
            .finish(&mut df)
            .unwrap();
    } else {
        let writer = IpcStreamWriter::new(&mut out).with_compression(codec);
        writer.with_record_batch_size(rows).finish(&mut df).unwrap();
    }
    out
}

fn scan(bytes: Vec<u8>, as_file: bool) -> LazyFrame {
    let options = IpcScanOptions::default();
    if as_file { scan_ipc_file(bytes, options) } else { scan_ipc_stream(bytes, options) }.unwrap()
}

fn frame(columns: Vec<Column>) -> DataFrame {
    DataFrame::new(columns[0].len(), columns).unwrap()
}

#[test]
fn headers_of_every_length() {
    for (a, b) in [(1, 1), (1, 12), (1, 13), (999, 1), (999, 13), (999, 999)] {
        let df = frame(vec![Column::new("a".into(), ["A".repeat(a), "B".repeat(b)])]);
        for codec in codecs() {
            for as_file in [true, false] {
                let lf = scan(bytes(&df, as_file, codec, Some(1)), as_file);
                assert_same(&both(&lf).unwrap(), &df);
                assert_same(&both(&lf.tail(1)).unwrap(), &df.tail(Some(1)));
            }
        }
    }
}

#[test]
fn slices_of_what_is_compressed() {
    let texts: Vec<String> = (0u64..15).map(|i| i.pow(3).to_string()).collect();
    let df =
        frame(vec![Column::new("a".into(), (0i64..15).collect::<Vec<_>>()), Column::new("b".into(), texts)]);
    for codec in codecs() {
        for rows in [None, Some(3)] {
            for as_file in [true, false] {
                let lf = scan(bytes(&df, as_file, codec, rows), as_file);
                for (offset, len) in [(0, 0), (0, 1), (0, 5), (4, 7), (-1, 1), (-5, 4), (-99, 3), (99, 3)] {
                    let found = both(&lf.clone().slice(offset, IdxSize::try_from(len).unwrap())).unwrap();
                    assert_same(&found, &df.slice(offset, len));
                }
            }
        }
    }
}

/// The footer's row counts, which Polars writes and reads, are somebody's word: headers are counted.
#[test]
fn row_counts_of_the_footer_that_are_wrong_change_nothing() {
    let df = frame(vec![Column::new("a".into(), (0i64..37).collect::<Vec<_>>())]);
    let mut bytes = bytes(&df, true, None, Some(10));
    for (right, wrong) in [("[10,20,30,37]", "[12,24,36,99]"), ("[12,24,36,99]", "not json at a")] {
        let at = bytes.windows(right.len()).position(|window| window == right.as_bytes());
        let at = at.expect("Polars' counts are in the footer");
        bytes[at..at + wrong.len()].copy_from_slice(wrong.as_bytes());
        let lf = scan(bytes.clone(), true);
        assert_same(&both(&lf.clone().tail(1)).unwrap(), &df.tail(Some(1)));
        assert_same(&both(&lf.clone().slice(9, 12)).unwrap(), &df.slice(9, 12));
        let count = both(&lf.select([len()])).unwrap();
        assert_eq!(count.columns()[0].get(0).unwrap(), AnyValue::UInt32(37));
    }
}

#[test]
fn sources_without_rows_among_others() {
    let part = |from: i64, to: i64| frame(vec![Column::new("a".into(), (from..to).collect::<Vec<_>>())]);
    let folder = tempfile::tempdir().unwrap();
    for as_file in [true, false] {
        let parts = [part(0, 0), part(0, 100), part(0, 0), part(100, 200)];
        let paths: Vec<PathBuf> = parts
            .iter()
            .enumerate()
            .map(|(i, part)| {
                put(folder.path(), &format!("{i}-{as_file}"), &bytes(part, as_file, None, Some(7)))
            })
            .collect();
        let twice = [&paths[..], &paths[..]].concat();
        let index = IpcScanOptions::default().with_row_index(RowIndex { name: "ri".into(), offset: 3 });
        let scan = |paths: &Vec<PathBuf>, options| {
            if as_file { scan_ipc_file(paths, options) } else { scan_ipc_stream(paths, options) }
        };
        let lf = scan(&paths, IpcScanOptions::default()).unwrap();
        assert_same(&both(&lf.slice(50, 100)).unwrap(), &part(50, 150));
        let lf = scan(&twice, index).unwrap();
        let found = both(&lf.clone().tail(15).select([col("ri")])).unwrap();
        let expected: Vec<IdxSize> = (388..403).collect();
        assert_same(&found, &frame(vec![Column::new("ri".into(), expected)]));
        let found = both(&lf.slice(185, 30).select([col("a")])).unwrap();
        let expected: Vec<i64> = (185..200).chain(0..15).collect();
        assert_same(&found, &frame(vec![Column::new("a".into(), expected)]));
    }
}

#[test]
fn row_indexes_of_the_scan_and_of_the_query() {
    let options = IpcScanOptions::default().with_row_index(RowIndex { name: "row".into(), offset: 0 });
    let df = &*FLIGHTS;
    for lf in [
        scan_ipc_file(file(df, 1_000), options.clone()).unwrap(),
        scan_ipc_stream(stream(df, 1_000), options).unwrap(),
    ] {
        let query = |lf: LazyFrame| {
            let named = lf.with_row_index("again", Some(10)).filter(col("day").eq(lit(2)));
            named.select([col("again") - col("row"), col("row"), col("carrier").alias("line")])
        };
        let expected = query(df.clone().lazy().with_row_index("row", None)).collect().unwrap();
        assert_same(&both(&query(lf)).unwrap(), &expected);
    }
}

/// Batches that take very different times to decode, in a query that relies on their order.
#[test]
fn skewed_batches_stay_in_order() {
    let (groups, size, batches) = (500i64, 20i64, 8usize);
    let rows = groups * size;
    let keys: Vec<i64> = (0..rows).map(|i| i / size).collect();
    let each = usize::try_from(rows).unwrap() / batches;
    let texts: Vec<String> = (0..usize::try_from(rows).unwrap())
        .map(|i| if i < each { format!("{i:0>300}") } else { String::new() })
        .collect();
    let df = frame(vec![Column::new("a".into(), keys), Column::new("s".into(), texts)]);
    let query = |lf: LazyFrame| lf.group_by_stable([col("a")]).agg([len(), col("s").first()]);
    let expected = query(df.clone().lazy()).collect().unwrap();
    for as_file in [true, false] {
        let lf =
            scan(bytes(&df, as_file, Some(IpcCompression::ZSTD(ZstdLevel::default())), Some(each)), as_file);
        assert_same(&both(&query(lf)).unwrap(), &expected);
    }
}
