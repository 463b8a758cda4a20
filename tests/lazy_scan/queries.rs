//! Queries over scans give what they give over the frames in memory, under every engine.

use super::*;

/// Runs a query over both formats in batches of several sizes, and over the frame itself.
fn check(query: impl Fn(LazyFrame) -> LazyFrame) {
    let df = &*FLIGHTS;
    let expected = query(df.clone().lazy()).collect().unwrap();
    for rows in [1_000, 7_777, 50_000] {
        for lf in scans(df, rows) {
            assert_same(&both(&query(lf)).unwrap(), &expected);
        }
    }
}

#[test]
fn everything() {
    check(|lf| lf);
    check(|lf| lf.select([all().as_expr()]));
}

#[test]
fn projections_and_expressions() {
    check(|lf| lf.select([col("dest"), col("day")]));
    check(|lf| lf.select([(col("arr_delay") - col("dep_delay")).alias("gained"), col("carrier")]));
    check(|lf| lf.select([col("distance").sum(), col("air_time").max(), len().alias("n")]));
    check(|lf| lf.with_columns([(col("distance") * lit(2)).alias("far")]).select([col("far")]));
    check(|lf| lf.drop(by_name(["year", "month"], true, false)));
}

#[test]
fn filters() {
    check(|lf| lf.filter(col("dep_delay").gt(lit(60))));
    check(|lf| lf.filter(col("carrier").eq(lit("UA")).and(col("day").lt_eq(lit(3)))).select([col("flight")]));
    check(|lf| lf.filter(col("dep_time").is_null()).select([len()]));
    check(|lf| lf.filter(lit(false)));
    check(|lf| lf.filter(col("day").eq(lit(31))).limit(3));
    check(|lf| lf.limit(5_000).filter(col("day").eq(lit(2))));
}

#[test]
fn groups_and_joins() {
    let sums = [col("distance").sum().alias("miles"), len().alias("n")];
    check(|lf| {
        lf.group_by([col("carrier")]).agg(sums.clone()).sort(["carrier"], SortMultipleOptions::default())
    });
    check(|lf| lf.group_by_stable([col("dest")]).agg([col("day").first()]));
    check(|lf| {
        let late = lf.clone().filter(col("dep_delay").gt(lit(300)));
        late.join(
            lf.group_by([col("tailnum")]).agg([len().alias("flights")]),
            [col("tailnum")],
            [col("tailnum")],
            JoinArgs::new(JoinType::Inner),
        )
        .sort(["time_hour", "flight"], SortMultipleOptions::default())
    });
    // The same scan twice, whole: common subplans are found, and must be the right ones.
    check(|lf| {
        let counts = lf.clone().group_by([col("day")]).agg([len()]);
        let delays = lf.group_by([col("day")]).agg([col("dep_delay").mean()]);
        counts
            .join(delays, [col("day")], [col("day")], JoinArgs::new(JoinType::Inner))
            .sort(["day"], SortMultipleOptions::default())
    });
    check(|lf| concat([lf.clone(), lf], UnionArgs::default()).unwrap().select([col("flight").sum()]));
}

#[test]
fn two_scans_are_not_taken_for_one() {
    let df = &*FLIGHTS;
    for rows in [1_000, 50_000] {
        let (first, second) = (df.slice(0, 10_000), df.slice(10_000, 10_000));
        let [a, _] = scans(&first, rows);
        let [b, _] = scans(&second, rows);
        let lf = concat([a, b], UnionArgs::default()).unwrap();
        assert_same(&both(&lf).unwrap(), &df.slice(0, 20_000));
    }
}

#[test]
fn slices_of_every_sign() {
    let df = FLIGHTS.select(["day", "dest", "arr_delay"]).unwrap();
    let height = i64::try_from(df.height()).unwrap();
    let offsets =
        [0, 1, 999, 1_000, 26_000, height - 1, height, height + 5, -1, -999, -26_000, -height, -height - 5];
    for lf in scans(&df, 1_000) {
        for offset in offsets {
            for len in [0, 1, 5, 1_000, 12_345, IdxSize::MAX] {
                let rows = usize::try_from(len).unwrap();
                let expected = df.clone().lazy().slice(offset, len).collect().unwrap();
                let found = both(&lf.clone().slice(offset, len)).unwrap();
                assert_same(&found, &expected);
                assert!(found.height() <= rows);
            }
        }
        for n in [0, 1, 5, 5_000, 100_000] {
            assert_same(&both(&lf.clone().limit(n)).unwrap(), &df.head(Some(n as usize)));
            assert_same(&both(&lf.clone().tail(n)).unwrap(), &df.tail(Some(n as usize)));
        }
        let twice = lf.clone().slice(500, 3_000).slice(-10, 5);
        assert_same(&both(&twice).unwrap(), &df.slice(3_490, 5));
        let counted = both(&lf.clone().slice(5, 20_000).select([len()])).unwrap();
        assert_eq!(counted.column("len").unwrap().get(0).unwrap().extract::<u32>(), Some(20_000));
    }
}

#[test]
fn into_the_sinks_of_polars() {
    let folder = tempfile::tempdir().unwrap();
    for (i, lf) in scans(&FLIGHTS, 2_000).into_iter().enumerate() {
        let lf = lf.filter(col("carrier").neq(lit("UA")));
        let expected = lf.clone().collect().unwrap();
        let path = folder.path().join(format!("{i}.parquet"));
        let target = SinkDestination::File {
            target: SinkTarget::Path(polars_utils::pl_path::PlRefPath::try_from_path(&path).unwrap()),
        };
        let format = FileWriteFormat::Parquet(Arc::new(ParquetWriteOptions::default()));
        lf.sink(target, format, UnifiedSinkArgs::default())
            .unwrap()
            .collect_with_engine(Engine::Streaming)
            .unwrap();
        let path = polars_utils::pl_path::PlRefPath::try_from_path(&path).unwrap();
        let back = LazyFrame::scan_parquet(path, ScanArgsParquet::default()).unwrap().collect().unwrap();
        assert_same(&back, &expected);
    }
}

#[test]
fn batches_of_different_sizes_and_no_rows() {
    let df = FLIGHTS.select(["flight", "dest", "time_hour"]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = IpcStreamWriter::new(&mut bytes).batched(df.schema()).unwrap();
    let mut at = 0;
    for rows in [0usize, 1, 100, 0, 20_000, 3, 5_000, 0] {
        writer.write_batch(&df.slice(i64::try_from(at).unwrap(), rows)).unwrap();
        at += rows;
    }
    writer.finish().unwrap();
    let lf = scan_ipc_stream(bytes, IpcScanOptions::default()).unwrap();
    assert_same(&both(&lf).unwrap(), &df.head(Some(at)));

    // No rows at all, or no batches.
    for lf in scans(&df.clear(), 10) {
        assert_same(&both(&lf).unwrap(), &df.clear());
        assert_eq!(
            both(&lf.clone().select([len()])).unwrap().column("len").unwrap().get(0).unwrap(),
            AnyValue::UInt32(0)
        );
        assert_eq!(both(&lf.filter(col("flight").gt(lit(1))).tail(3)).unwrap().height(), 0);
    }
}

#[test]
fn frames_without_columns_keep_their_height() {
    let df = DataFrame::new(7, Vec::new()).unwrap();
    for lf in scans(&df, 3) {
        assert_eq!(lf.clone().collect().unwrap().shape(), (7, 0));
    }
}

#[test]
fn one_query_many_times_at_once() {
    let [lf, _] = scans(&FLIGHTS, 1_000);
    let query = lf
        .group_by([col("dest")])
        .agg([col("distance").max()])
        .sort(["dest"], SortMultipleOptions::default());
    let expected = query.clone().collect().unwrap();
    std::thread::scope(|scope| {
        for engine in [Engine::Streaming, Engine::InMemory, Engine::Streaming] {
            let (query, expected) = (query.clone(), &expected);
            scope.spawn(move || {
                let found = query.collect_with_engine(engine).unwrap().unwrap_single();
                assert_same(&found, expected);
            });
        }
    });
}
