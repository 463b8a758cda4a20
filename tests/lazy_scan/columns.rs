//! Columns: those read, those added, and what of the sources is touched for them.

use super::*;

#[test]
fn one_column_of_many_reads_little_more_than_it() {
    let df = &*FLIGHTS;
    let bytes = stream(df, 5_000);
    let one = stream(&df.select(["distance"]).unwrap(), 5_000).len() as u64;
    let (options, counter) = counted();
    let lf = scan_ipc_stream(bytes.clone(), options).unwrap();
    for engine in [Engine::InMemory, Engine::Streaming] {
        let query = lf.clone().select([col("distance").sum()]);
        let (_, read) = read_by(&counter, || query.collect_with_engine(engine).unwrap());
        // The heads of all columns are read again.
        let heads = 6 * 4096;
        assert!(read <= one + heads, "{read} bytes for a column of {one}");
        assert!(read >= df.height() as u64 * 8, "{read} bytes are not the column");
    }
    let (_, all) = read_by(&counter, || lf.collect().unwrap());
    assert!(all > bytes.len() as u64 * 9 / 10, "{all} of {} bytes", bytes.len());
}

#[test]
fn counting_rows_reads_no_values() {
    for with_index in [false, true] {
        let (options, counter) = counted();
        let options = if with_index {
            options.with_row_index(RowIndex { name: "i".into(), offset: 0 })
        } else {
            options
        };
        let lf = scan_ipc_file(file(&FLIGHTS, 1_000), options).unwrap();
        for query in
            [lf.clone().select([len()]), lf.clone().select([col("dest"), col("day")]).select([len()])]
        {
            let (df, read) = read_by(&counter, || both(&query).unwrap());
            assert_eq!(df.column("len").unwrap().get(0).unwrap().extract::<usize>(), Some(FLIGHTS.height()));
            assert_eq!(read, 0);
        }
    }
}

#[test]
fn the_first_rows_read_the_first_batches() {
    let (options, counter) = counted();
    let bytes = file(&FLIGHTS, 100);
    let lf = scan_ipc_file(bytes.clone(), options).unwrap();
    for engine in [Engine::InMemory, Engine::Streaming] {
        let (df, read) = read_by(&counter, || lf.clone().limit(5).collect_with_engine(engine).unwrap());
        assert_same(&df.unwrap_single(), &FLIGHTS.head(Some(5)));
        assert!(read * 10 < bytes.len() as u64, "{read} of {} bytes under {engine:?}", bytes.len());
    }
}

#[test]
fn columns_can_be_chosen_when_scanning() {
    let df = &*FLIGHTS;
    let scan = |options| scan_ipc_stream(stream(df, 3_000), options);
    let expected = df.select(["dest", "day"]).unwrap();
    for options in [
        IpcScanOptions::default().with_columns(["dest", "day"]),
        IpcScanOptions::default().with_columns(vec!["dest", "day"]),
        IpcScanOptions::default().with_columns(vec!["dest".to_owned(), "day".to_owned()]),
        IpcScanOptions::default().with_columns(Some(vec!["dest", "day"])),
    ] {
        let mut lf = scan(options).unwrap();
        assert_eq!(lf.collect_schema().unwrap(), *expected.schema());
        assert_same(&both(&lf).unwrap(), &expected);
    }
    assert_same(
        &both(&scan(IpcScanOptions::default().with_columns(None::<Vec<&str>>)).unwrap()).unwrap(),
        df,
    );
    let message = error(scan(IpcScanOptions::default().with_columns(["nothing"])));
    assert!(message.contains("nothing") && message.contains("dep_time"), "{message}");
}

#[test]
fn row_indexes() {
    let df = &*FLIGHTS;
    for offset in [0, 1_000_000] {
        let index = RowIndex { name: "i".into(), offset };
        let options = || IpcScanOptions::default().with_row_index(index.clone());
        let lf = scan_ipc_file(file(df, 999), options()).unwrap();
        let expected = df.with_row_index("i".into(), Some(offset)).unwrap();
        assert_same(&both(&lf).unwrap(), &expected);
        assert_same(&both(&lf.clone().tail(7)).unwrap(), &expected.tail(Some(7)));
        assert_same(
            &both(&lf.clone().select([col("i").max()])).unwrap(),
            &expected.clone().lazy().select([col("i").max()]).collect().unwrap(),
        );
        let late = |lf: LazyFrame| lf.filter(col("dep_delay").gt(lit(200))).select([col("i"), col("flight")]);
        assert_same(&both(&late(lf)).unwrap(), &late(expected.lazy()).collect().unwrap());
        let only = scan_ipc_file(file(df, 999), options().with_columns(["day"]).with_n_rows(5_000)).unwrap();
        assert_eq!(both(&only).unwrap().get_column_names(), ["i", "day"]);
    }
    let same = IpcScanOptions::default().with_row_index(RowIndex { name: "day".into(), offset: 0 });
    assert!(error(scan_ipc_file(file(df, 999), same)).contains("\"day\""));
    let over =
        IpcScanOptions::default().with_row_index(RowIndex { name: "i".into(), offset: IdxSize::MAX - 5 });
    assert!(error(scan_ipc_file(file(df, 999), over)).contains("overflows"));
}

#[test]
fn limits_of_rows_come_before_predicates() {
    let df = &*FLIGHTS;
    for n in [0, 1, 5_000, 12_345, 1_000_000] {
        let options = IpcScanOptions::default().with_n_rows(n);
        let lf = scan_ipc_stream(stream(df, 1_000), options.clone()).unwrap();
        assert_same(&both(&lf).unwrap(), &df.head(Some(n)));
        let late = |lf: LazyFrame| lf.filter(col("dep_delay").gt(lit(60)));
        let expected = late(df.head(Some(n)).lazy()).collect().unwrap();
        assert_same(&both(&late(lf)).unwrap(), &expected);
        let options = options.with_predicate(col("dep_delay").gt(lit(60)));
        let lf = scan_ipc_file(file(df, 1_000), options).unwrap();
        assert_same(&both(&lf).unwrap(), &expected);
    }
    let none = IpcScanOptions::default().with_n_rows(None);
    assert_same(&both(&scan_ipc_stream(stream(df, 9_000), none).unwrap()).unwrap(), df);
}

#[test]
fn categories_grow_and_are_replaced() {
    let values: Vec<String> = (0..3_000).map(|i| format!("category {}", i / 10)).collect();
    let dtype =
        DataType::from_categories(Categories::new("scanned".into(), "".into(), CategoricalPhysical::U32));
    let values = Series::new("c".into(), values);
    let n = Series::new("n".into(), (0..3_000i32).collect::<Vec<_>>());
    let df =
        DataFrame::new(3_000, vec![values.cast(&dtype).unwrap().into_column(), n.into_column()]).unwrap();
    for deltas in [false, true] {
        let mut bytes = Vec::new();
        let mut writer =
            IpcStreamWriter::new(&mut bytes).with_dictionary_deltas(deltas).batched(df.schema()).unwrap();
        for at in 0..100 {
            writer.write_batch(&df.slice(at * 30, 30)).unwrap();
        }
        assert!(writer.finish().unwrap().dictionaries > 50);
        let lf = scan_ipc_stream(bytes, IpcScanOptions::default()).unwrap();
        assert_same(&both(&lf).unwrap(), &df);
        assert_same(&both(&lf.clone().tail(40)).unwrap(), &df.tail(Some(40)));
        assert_same(&both(&lf.select([col("n")])).unwrap(), &df.select(["n"]).unwrap());
    }
    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes).batched(df.schema()).unwrap();
    for at in 0..10 {
        writer.write_batch(&df.slice(at * 300, 300)).unwrap();
    }
    writer.finish().unwrap();
    assert_same(&both(&scan_ipc_file(bytes, IpcScanOptions::default()).unwrap()).unwrap(), &df);
}

#[test]
fn enums_of_several_files_are_one() {
    let dtype = DataType::from_frozen_categories(FrozenCategories::new(["UA", "AA", "B6"]).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut all: Option<DataFrame> = None;
    for (i, carrier) in ["AA", "B6", "UA"].iter().enumerate() {
        let values = Series::new("carrier".into(), vec![*carrier; 10]).cast(&dtype).unwrap();
        let df = DataFrame::new(10, vec![values.into_column()]).unwrap();
        put(folder.path(), &format!("{i}.arrow"), &file(&df, 3));
        match &mut all {
            None => all = Some(df),
            Some(all) => {
                all.vstack_mut(&df).unwrap();
            },
        }
    }
    let lf = scan_ipc_file(folder.path(), IpcScanOptions::default()).unwrap();
    assert_same(&both(&lf).unwrap(), &all.unwrap());
    let grouped =
        lf.group_by([col("carrier")]).agg([len()]).sort(["carrier"], SortMultipleOptions::default());
    let order = both(&grouped).unwrap().column("carrier").unwrap().cast(&DataType::String).unwrap();
    assert_eq!(order.str().unwrap().iter().flatten().collect::<Vec<_>>(), ["UA", "AA", "B6"]);
}

#[test]
fn every_dtype_can_be_scanned() {
    use floe_tests::arbitrary::{Arbitrary, dtypes};
    let mut arbitrary = Arbitrary::new(11);
    for (_, dtype) in dtypes() {
        let series = arbitrary.series("x".into(), &dtype, 40);
        let df = DataFrame::new(40, vec![series.into_column()]).unwrap();
        for lf in scans(&df, 7) {
            let found = lf.collect().unwrap();
            floe_tests::equal::assert_frames_equal(&found, &df);
        }
    }
}
