//! Slices of scans: their rows, under every engine and any number of threads, and what is read for them.

use super::*;

/// Tells this program that it is the child.
const CHILD: &str = "FLOE_LAZY_SCAN_SLICES";

fn numbers(rows: usize) -> DataFrame {
    let n: Vec<i64> = (0..).take(rows).collect();
    let t: Vec<String> = n.iter().map(|n| format!("text that is not inlined {n}")).collect();
    DataFrame::new(rows, vec![Column::new("n".into(), n), Column::new("t".into(), t)]).unwrap()
}

/// A file of batches of these heights.
fn file_of(df: &DataFrame, heights: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        IpcWriter::new(&mut bytes).with_compression(Some(IpcCompression::LZ4)).batched(df.schema()).unwrap();
    let mut at = 0;
    for rows in heights {
        writer.write_batch(&df.slice(i64::try_from(at).unwrap(), rows)).unwrap();
        at += rows;
    }
    assert_eq!(at, df.height());
    writer.finish().unwrap();
    bytes
}

/// All offsets and lengths about the edges of batches that grow, over what passes slices on and what
/// does not.
fn matrix() {
    let heights = [1, 3, 2, 0, 40, 5, 700, 64, 9_000, 1];
    let df = numbers(heights.iter().sum());
    let height = i64::try_from(df.height()).unwrap();
    let bytes = file_of(&df, heights);
    let offsets = [0, 6, 9_814, height + 1, -1, -66, -9_002, -height, -height - 5];
    let queries: [fn(LazyFrame) -> LazyFrame; 5] = [
        |lf| lf,
        |lf| lf.select([col("t")]),
        |lf| lf.with_columns([(col("n") + lit(1)).alias("m")]),
        |lf| lf.select([(col("n") * lit(2)).alias("t"), col("n")]),
        |lf| lf.slice(-9_700, 9_500),
    ];
    let options = || IpcScanOptions::default().with_include_file_paths("path");
    let scan = scan_ipc_file(bytes.clone(), options()).unwrap();
    let halves = vec![file_of(&df.slice(0, 751), [751]), file_of(&df.slice(751, 9_065), [60, 9_005])];
    let halves: Vec<_> = halves.into_iter().map(polars_buffer::Buffer::from).collect();
    let halves = scan_ipc_file(halves, options()).unwrap();
    let expected = df.clone().lazy().with_column(lit("in-memory").alias("path"));
    for query in queries {
        for offset in offsets {
            for len in [0, 1, 65, 9_001, IdxSize::MAX] {
                let expected = query(expected.clone()).slice(offset, len).collect().unwrap();
                for lf in [&scan, &halves] {
                    let found = both(&query(lf.clone()).slice(offset, len)).unwrap();
                    assert!(found.equals_missing(&expected), "{offset}, {len}: {found} is not {expected}");
                }
            }
        }
    }
    // An expression's slices, where all columns have the same.
    for offset in offsets {
        let slice = |name: &str| col(name).slice(lit(offset), lit(60u32));
        let expected = df.clone().lazy().select([slice("n"), slice("t")]).collect().unwrap();
        assert_same(&both(&scan.clone().select([slice("n"), slice("t")])).unwrap(), &expected);
    }
    many_rows();
}

/// Sixteen million rows in 160 batches that are not equal.
fn many_rows() {
    let rows = 16_000_000usize;
    let n: Vec<i8> = (0..rows).map(|row| i8::try_from(row / 1_000 % 100).unwrap()).collect();
    let df = DataFrame::new(rows, vec![Column::new("n".into(), n)]).unwrap();
    let heights = (0..160).map(|batch| if batch % 2 == 0 { 50_000 } else { 150_000 });
    let lf = scan_ipc_file(file_of(&df, heights), IpcScanOptions::default()).unwrap();
    for (offset, len) in [(-6_000_000, 1), (-6_000_000, 2_000_000), (-1, 1), (-16_000_001, 5), (9_999_999, 3)]
    {
        let found = lf.clone().slice(offset, len).collect_with_engine(Engine::Streaming);
        assert_same(&found.unwrap().unwrap_single(), &df.slice(offset, len as usize));
    }
}

#[test]
fn the_child() {
    if std::env::var_os(CHILD).is_some() {
        matrix();
    }
}

#[test]
fn slices_are_those_of_the_frame_with_any_number_of_threads() {
    for threads in ["1", "2", "16"] {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "slices::the_child", "--nocapture"]).env(CHILD, "1");
        let status = command.env("POLARS_MAX_THREADS", threads).status().unwrap();
        assert!(status.success(), "{threads} threads: {status}");
    }
}

#[test]
fn scans_of_more_columns_than_are_worth_a_plan_of_rows() {
    let heights = [1usize, 3, 2, 40, 5, 700, 64, 9_000, 1];
    let n = numbers(heights.iter().sum()).select(["n"]).unwrap();
    let column = |i: u32| n.columns()[0].clone().with_name(PlSmallStr::from_string(format!("c{i}")));
    let df = DataFrame::new(n.height(), (0..1_100).map(column).collect()).unwrap();
    let lf = scan_ipc_file(file_of(&df, heights), IpcScanOptions::default()).unwrap();
    for (offset, len) in
        [(-9_100, 1), (-750, 3), (-9_816, 2), (-20, 20), (-20_000, 10_200), (5, 3), (50, 800)]
    {
        let query = lf.clone().select([col("c7"), col("c1000")]).slice(offset, len);
        let expected = df.select(["c7", "c1000"]).unwrap().slice(offset, len as usize);
        assert_same(&both(&query).unwrap(), &expected);
    }
    let few = lf.filter(col("c3").gt(lit(9_800))).select([col("c5"), len().alias("n")]).tail(1);
    assert_eq!(both(&few).unwrap().shape(), (1, 2));
}

#[test]
fn slices_over_many_small_files() {
    let df = numbers(3_000);
    let pieces = (0..1_000).map(|i| polars_buffer::Buffer::from(file_of(&df.slice(i * 3, 3), [3])));
    let (options, counter) = counted();
    let lf = scan_ipc_file(pieces.collect::<Vec<_>>(), options).unwrap();
    let (found, all) = read_by(&counter, || both(&lf).unwrap());
    assert_same(&found, &df);
    for (offset, len) in [(0, 5), (-5, 5), (-1_501, 4), (-3_001, 2), (2_999, 5), (0, 2_990)] {
        let query = lf.clone().slice(offset, len);
        let expected = df.slice(offset, len as usize);
        assert_same(&both(&query).unwrap(), &expected);
        let read = most_read(&counter, &query, &expected);
        assert!(len > 5 || read < all / 100, "{read} of {all} bytes");
    }
}

/// The most bytes that a query reads when it runs, under each engine and through a sink.
fn most_read(counter: &AtomicU64, lf: &LazyFrame, expected: &DataFrame) -> u64 {
    let (memory, in_memory) = read_by(counter, || lf.clone().collect().unwrap());
    let (streamed, streaming) =
        read_by(counter, || lf.clone().collect_with_engine(Engine::Streaming).unwrap().unwrap_single());
    let mut written = Vec::new();
    let ((), sunk) = read_by(counter, || {
        let batches = floe::lazy::LazyIpcExt::collect_ipc_batches(lf.clone(), None).unwrap();
        written.extend(batches.map(|batch| batch.unwrap()));
    });
    let written = written.into_iter().fold(expected.clear(), |all, df| all.vstack(&df).unwrap());
    for found in [&memory, &streamed, &written] {
        assert_same(found, expected);
    }
    in_memory.max(streaming).max(sunk)
}

#[test]
fn slices_read_what_they_need() {
    let df = numbers(100_000);
    let (options, counter) = counted();
    let lf = scan_ipc_file(file(&df, 1_000), options).unwrap();
    let (_, all) = read_by(&counter, || lf.clone().collect().unwrap());
    for (slice, expected) in [
        (lf.clone().tail(5), df.tail(Some(5))),
        (lf.clone().limit(5), df.head(Some(5))),
        (lf.clone().slice(70_400, 5), df.slice(70_400, 5)),
        (lf.clone().slice(-70_400, 5), df.slice(-70_400, 5)),
        (lf.clone().select([col("t")]).tail(5), df.select(["t"]).unwrap().tail(Some(5))),
        (lf.clone().tail(5).filter(col("n").gt(lit(99_997))), df.tail(Some(2))),
    ] {
        let read = most_read(&counter, &slice, &expected);
        assert!(read > 0 && read < all / 80, "{read} of {all} bytes");
    }
    for nothing in [lf.clone().slice(200_000, 5), lf.clone().slice(-200_000, 5), lf.clone().limit(0)] {
        assert_eq!(most_read(&counter, &nothing, &df.clear()), 0);
    }
    // No more than the rows are counted, however many they are.
    assert_eq!(read_by(&counter, || both(&lf.clone().slice(-500, 20).select([len()])).unwrap()).1, 0);
}

#[test]
fn a_few_rows_of_many_batches_are_a_few_batches() {
    let df = numbers(5_000);
    let (options, counter) = counted();
    let lf = scan_ipc_file(file_of(&df, std::iter::repeat_n(1, 5_000)), options).unwrap();
    let (found, all) = read_by(&counter, || lf.clone().collect().unwrap());
    assert_same(&found, &df);
    for (query, expected) in [
        (lf.clone().limit(5), df.head(Some(5))),
        (lf.clone().tail(5), df.tail(Some(5))),
        (lf.clone().slice(2_500, 5), df.slice(2_500, 5)),
    ] {
        let read = most_read(&counter, &query, &expected);
        assert!(read <= all / 900, "{read} of {all} bytes");
    }
}
