//! Batches that cannot match are not read; statistics that are wrong or another's change nothing.

use super::*;

/// Rows in ascending order of `n`, and of most other columns.
fn frame() -> DataFrame {
    let rows = 100_000i64;
    let text: Vec<String> = (0..rows)
        .map(|i| format!("{i:08} and more that is longer than a prefix that is kept of it, by far"))
        .collect();
    let n: Vec<i64> = (0..rows).collect();
    let m: Vec<Option<i32>> = (0..100_000i32).map(|i| (i / 1_000 % 2 == 0).then_some(i)).collect();
    let x: Vec<f64> = (0..100_000u32).map(f64::from).collect();
    let when =
        Series::new("when".into(), &n).cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
    let price = Series::new("price".into(), &n).cast(&DataType::Decimal(18, 2)).unwrap();
    let flag: Vec<bool> = (0..rows).map(|i| i >= 50_000).collect();
    DataFrame::new(
        100_000,
        vec![
            Column::new("n".into(), n),
            Column::new("m".into(), m),
            Column::new("x".into(), x),
            Column::new("text".into(), text),
            when.into_column(),
            price.into_column(),
            Column::new("flag".into(), flag),
        ],
    )
    .unwrap()
}

fn with_statistics(df: &DataFrame, compression: Option<IpcCompression>) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes)
        .with_compression(compression)
        .with_record_batch_size(Some(if compression.is_none() { 1_000 } else { 5_000 }))
        .with_statistics(true)
        .finish(&mut df.clone())
        .unwrap();
    bytes
}

/// The rows that a predicate leaves, and the bytes read for them, opening included.
fn query(bytes: &[u8], predicate: &Expr) -> (DataFrame, u64) {
    let (options, counter) = counted();
    let lf = scan_ipc_stream(bytes.to_vec(), options.with_predicate(predicate.clone())).unwrap();
    let df = lf.clone().collect().unwrap();
    let read = counter.load(Ordering::Relaxed);
    assert_same(&both(&lf).unwrap(), &df);
    (df, read)
}

#[test]
fn batches_that_cannot_match_are_not_read() {
    let df = frame();
    for compression in [None, Some(IpcCompression::ZSTD(ZstdLevel::default()))] {
        let bytes = with_statistics(&df, compression);
        let (_, all) = query(&bytes, &lit(true));
        for (predicate, share) in [
            (col("n").eq(lit(4_321)), 20),
            (col("n").lt(lit(2_000)), 15),
            (col("n").gt_eq(lit(98_500)).and(col("m").is_not_null()), 15),
            (col("x").lt_eq(lit(1_500.0)), 15),
            (
                col("text")
                    .eq(lit("00004321 and more that is longer than a prefix that is kept of it, by far")),
                15,
            ),
            (col("text").gt(lit("00099")), 15),
            (col("when").lt(lit(1_000).cast(DataType::Datetime(TimeUnit::Microseconds, None))), 15),
            (col("price").lt(lit(1_000).cast(DataType::Decimal(18, 2))), 15),
            (col("n").is_in(lit(Series::new("".into(), [3i64, 77_777])).implode(false), false), 15),
            (col("m").is_not_null().not().and(col("n").lt(lit(2_000))), 15),
            (col("flag").not(), 1),
        ] {
            let expected = df.clone().lazy().filter(predicate.clone()).collect().unwrap();
            let (found, read) = query(&bytes, &predicate);
            assert_same(&found, &expected);
            assert!(expected.height() > 0, "{predicate} matches nothing");
            // Heads, opening and samples are about a tenth of such small batches.
            assert!(read < all / 4 || share == 1, "{read} of {all} bytes for {predicate}");
        }
        let (found, read) = query(&bytes, &col("n").gt(lit(1_000_000)));
        assert_eq!(found.height(), 0);
        assert!(read < all / 4, "{read} of {all}");
    }
}

#[test]
fn predicates_that_look_at_more_than_a_row_prune_nothing() {
    let df = frame();
    let bytes = with_statistics(&df, None);
    for predicate in [
        col("n").eq(col("n").max()),
        col("n").lt(col("n").mean()),
        col("n").gt(len().cast(DataType::Int64) - lit(5)),
        col("n").eq(col("n").first()),
    ] {
        let expected = df.clone().lazy().filter(predicate.clone()).collect().unwrap();
        let (options, _) = counted();
        let lf = scan_ipc_stream(bytes.clone(), options.with_predicate(predicate)).unwrap();
        assert_same(&lf.collect().unwrap(), &expected);
    }
}

#[test]
fn a_column_that_is_not_there_is_an_error_of_the_query() {
    let (options, _) = counted();
    let lf = scan_ipc_stream(
        with_statistics(&frame().head(Some(10)), None),
        options.with_predicate(col("q").gt(lit(1))),
    );
    assert!(error(lf).contains('q'));
}

#[test]
fn folders_and_row_numbers_prune_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let df = frame();
    for part in 0..10 {
        put(folder.path(), &format!("part={part}/x.arrow"), &file(&df.slice(part * 10_000, 10_000), 1_000));
    }
    let scan = |predicate: Expr| {
        let (options, counter) = counted();
        let index = RowIndex { name: "row".into(), offset: 0 };
        let options = options
            .with_hive(true)
            .with_row_index(index)
            .with_include_file_paths("path")
            .with_predicate(predicate);
        let lf = scan_ipc_file(folder.path(), options).unwrap();
        let (df, read) = read_by(&counter, || lf.clone().collect().unwrap());
        assert_same(&both(&lf).unwrap(), &df);
        (df, read)
    };
    let (all, bytes) = scan(lit(true));
    for predicate in [
        col("part").eq(lit(3)),
        col("part").gt(lit(7)).and(col("n").lt(lit(85_000))),
        col("row").lt(lit(1_500)),
        col("path").eq(lit(folder.path().join("part=2/x.arrow").to_str().unwrap())),
    ] {
        let expected = all.clone().lazy().filter(predicate.clone()).collect().unwrap();
        let (found, read) = scan(predicate.clone());
        assert_same(&found, &expected);
        assert!(expected.height() > 0 && read < bytes / 4, "{read} of {bytes} bytes for {predicate}");
    }
}

/// The metadata texts of the batches, and where they are in the bytes.
fn texts(bytes: &[u8]) -> Vec<(usize, String)> {
    let reader = IpcStreamReader::new(bytes);
    let mut batches = reader.batches().unwrap();
    let mut texts = Vec::new();
    while let Some(batch) = batches.next() {
        batch.unwrap();
        let text = batches.metadata()["floe:statistics"].to_string();
        let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
        texts.push((at, text));
    }
    texts
}

#[test]
fn statistics_of_another_batch_change_nothing() {
    // Batches of the same shape: nothing but the values tells them apart.
    let df = frame().select(["n"]).unwrap().slice(10_000, 40_000);
    let bytes = with_statistics(&df, None);
    let predicate = col("n").lt(lit(12_000));
    let expected = df.clone().lazy().filter(predicate.clone()).collect().unwrap();
    assert_same(&query(&bytes, &predicate).0, &expected);

    // Exchanged between batches.
    let places = texts(&bytes);
    let mut exchanged = bytes.clone();
    for (i, (at, text)) in places.iter().enumerate() {
        let other = &places[(i + 7) % places.len()].1;
        if other.len() != text.len() {
            continue;
        }
        exchanged[*at..*at + text.len()].copy_from_slice(other.as_bytes());
    }
    assert_ne!(exchanged, bytes);
    assert_same(&query(&exchanged, &predicate).0, &expected);

    // All right where they are, but of another stream of the same shape.
    let other = DataFrame::new(
        40_000,
        vec![Column::new("n".into(), (0..40_000i64).map(|i| 9_000_000 - i).collect::<Vec<_>>())],
    )
    .unwrap();
    let other_bytes = with_statistics(&other, None);
    let mut foreign = bytes.clone();
    for ((at, text), (_, theirs)) in places.iter().zip(texts(&other_bytes)) {
        if theirs.len() == text.len() {
            foreign[*at..*at + text.len()].copy_from_slice(theirs.as_bytes());
        }
    }
    assert_same(&query(&foreign, &predicate).0, &expected);

    // Edited.
    let mut edited = bytes.clone();
    for (at, text) in &places {
        let forged = text.replacen("\"1", "\"9", 2);
        edited[*at..*at + text.len()].copy_from_slice(forged.as_bytes());
    }
    assert_ne!(edited, bytes);
    assert_same(&query(&edited, &predicate).0, &expected);
}

#[test]
fn values_that_were_rewritten_under_their_statistics_are_found() {
    // The result of a tool that copies metadata: the same shape, other values.
    let rows = 40_000i64;
    let up = DataFrame::new(40_000, vec![Column::new("n".into(), (0..rows).collect::<Vec<_>>())]).unwrap();
    let down =
        DataFrame::new(40_000, vec![Column::new("n".into(), (0..rows).rev().collect::<Vec<_>>())]).unwrap();
    let (said, held) = (with_statistics(&up, None), with_statistics(&down, None));
    let mut mixed = held;
    for ((at, text), (_, theirs)) in texts(&mixed).iter().zip(texts(&said)) {
        if theirs.len() == text.len() {
            mixed[*at..*at + text.len()].copy_from_slice(theirs.as_bytes());
        }
    }
    let predicate = col("n").lt(lit(1_500));
    let expected = down.lazy().filter(predicate.clone()).collect().unwrap();
    assert_same(&query(&mixed, &predicate).0, &expected);
}

#[test]
fn any_byte_of_the_statistics_may_change() {
    let df = frame().select(["n", "m"]).unwrap().head(Some(3_000));
    let bytes = with_statistics(&df, None);
    let predicate = col("n").gt_eq(lit(2_500)).or(col("m").eq(lit(1)));
    let expected = df.lazy().filter(predicate.clone()).collect().unwrap();
    let places = texts(&bytes);
    for (at, text) in &places {
        for i in (0..text.len()).step_by(5) {
            let mut edited = bytes.clone();
            edited[at + i] ^= 4;
            let (options, _) = counted();
            // The metadata may be no text any more, which is an error, but never another result.
            if let Ok(lf) = scan_ipc_stream(edited, options.with_predicate(predicate.clone())) {
                assert_same(&lf.collect().unwrap(), &expected);
            }
        }
    }
}

/// The bytes that a query reads when it runs, as it is and pruned, and its result, which must be the same.
fn pruned(bytes: &[u8], query: impl Fn(LazyFrame) -> LazyFrame) -> (DataFrame, u64, u64) {
    let (options, counter) = counted();
    let lf = query(scan_ipc_stream(bytes.to_vec(), options).unwrap());
    let (expected, all) = read_by(&counter, || lf.clone().collect().unwrap());
    let (found, read) = read_by(&counter, || lf.clone().prune_ipc().collect().unwrap());
    assert_same(&found, &expected);
    assert_same(&both(&lf.prune_ipc()).unwrap(), &expected);
    (found, all, read)
}

#[test]
fn filters_of_queries_prune_as_well() {
    let df = frame();
    let bytes = with_statistics(&df, None);
    let few = || col("n").gt_eq(lit(7_500)).and(col("n").lt(lit(8_900)));
    let queries: [&dyn Fn(LazyFrame) -> LazyFrame; 6] = [
        &|lf| lf.filter(few()),
        &|lf| lf.select([col("n"), col("x"), col("text")]).filter(few()).select([col("text")]),
        &|lf| {
            lf.with_columns([(col("x") * lit(2.0)).alias("y")])
                .filter(few())
                .sort(["y"], SortMultipleOptions::default())
        },
        &|lf| lf.filter(few()).group_by_stable([col("flag")]).agg([col("x").sum()]),
        &|lf| lf.filter(few()).limit(3),
        &|lf| {
            let right = df!("n" => [7_777i64, 8_888], "z" => [1, 2]).unwrap().lazy();
            lf.join(right, [col("n")], [col("n")], JoinArgs::new(JoinType::Inner))
                .filter(few())
                .select([col("text"), col("z")])
                .sort(["z"], SortMultipleOptions::default())
        },
    ];
    for (i, query) in queries.iter().enumerate() {
        let (found, all, read) = pruned(&bytes, query);
        assert!(found.height() > 0, "query {i} finds nothing");
        assert!(read < all / 3 || i == 4, "query {i} reads {read} of {all} bytes");
    }
}

#[test]
fn a_scan_used_twice_keeps_what_either_use_needs() {
    let df = frame();
    let bytes = with_statistics(&df, None);
    let (found, all, read) = pruned(&bytes, |lf| {
        let low = lf.clone().filter(col("n").lt(lit(1_500)));
        let high = lf.filter(col("n").gt_eq(lit(98_500)));
        concat([low, high], UnionArgs::default()).unwrap()
    });
    assert_eq!(found.height(), 3_000);
    assert!(read < all / 3, "{read} of {all} bytes");
    // One use without a filter needs everything.
    let (found, _, _) = pruned(&bytes, |lf| {
        let low = lf.clone().filter(col("n").lt(lit(1_500))).select([len()]);
        concat([low, lf.select([len()])], UnionArgs::default()).unwrap()
    });
    assert_eq!(found.column("len").unwrap().as_materialized_series().sum::<u64>().unwrap(), 101_500);
}

#[test]
fn what_must_not_be_pruned_is_not() {
    let df = frame();
    let bytes = with_statistics(&df, None);
    let queries: [&dyn Fn(LazyFrame) -> LazyFrame; 4] = [
        &|lf| lf.limit(5_000).filter(col("n").gt_eq(lit(4_000))),
        &|lf| lf.slice(-5_000, 10).filter(col("n").gt_eq(lit(0))),
        &|lf| lf.with_row_index("i", None).filter(col("n").gt_eq(lit(99_000))),
        &|lf| lf.filter(col("n").eq(col("n").max())),
    ];
    for query in queries {
        pruned(&bytes, query);
    }
    // Nothing to do, or nothing that could be done.
    let plain = df.clone().lazy().filter(col("n").lt(lit(3)));
    assert_same(&plain.clone().prune_ipc().collect().unwrap(), &plain.collect().unwrap());
    let (options, _) = counted();
    let invalid = scan_ipc_stream(bytes, options).unwrap().filter(col("nothing").gt(lit(1)));
    assert!(error(Ok(invalid.prune_ipc())).contains("nothing"));
}

#[test]
fn sinks_prune_by_themselves() {
    let bytes = with_statistics(&frame(), None);
    let (options, counter) = counted();
    let lf = scan_ipc_stream(bytes.clone(), options).unwrap().filter(col("n").lt(lit(2_500)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.arrow");
    let (summary, read) = read_by(&counter, || {
        floe::lazy::LazyIpcExt::sink_ipc_file(lf, path.as_path(), floe::lazy::IpcSinkOptions::default())
            .unwrap()
    });
    assert_eq!(summary.rows, 2_500);
    assert!(read < bytes.len() as u64 / 3, "{read} of {} bytes", bytes.len());
}

/// The figures of `docs/polars.md`.
#[test]
fn a_filter_of_a_day_reads_all_days_unless_it_prunes() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = stream(&DataFrame::new(3, vec![Column::new("n".into(), [1i64, 2, 3])]).unwrap(), 3);
    for (day, part) in (1..=100).flat_map(|day| (0..10).map(move |part| (day, part))) {
        put(folder.path(), &format!("day={day}/{part}.arrow"), &bytes);
    }
    let (options, counter) = counted();
    let query =
        scan_ipc_stream(folder.path(), options.with_hive(true)).unwrap().filter(col("day").eq(lit(7)));
    for engine in [Engine::InMemory, Engine::Streaming] {
        let collect = |lf: LazyFrame| lf.collect_with_engine(engine).unwrap().unwrap_single();
        let (all, read) = read_by(&counter, || collect(query.clone()));
        let (pruned, read_pruned) = read_by(&counter, || collect(query.clone().prune_ipc()));
        assert_same(&all, &pruned);
        assert_eq!(all.height(), 30);
        assert!(read > 90 * read_pruned, "{read} and {read_pruned} bytes");
    }
}
