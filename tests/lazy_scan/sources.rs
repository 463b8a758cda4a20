//! Paths, globs, folders, lists, bytes; names of folders; state kept between scans.

use std::time::{Duration, SystemTime};

use super::*;

/// A folder with the days of January as files of different batch sizes, and their frames.
fn days(write: fn(&DataFrame, usize) -> Vec<u8>, extension: &str) -> (tempfile::TempDir, Vec<DataFrame>) {
    let folder = tempfile::tempdir().unwrap();
    let mut frames = Vec::new();
    for day in 1..=9i64 {
        let df = FLIGHTS.clone().lazy().filter(col("day").eq(lit(day))).collect().unwrap();
        put(
            folder.path(),
            &format!("day={day}/flights.{extension}"),
            &write(&df, 100 * usize::try_from(day).unwrap()),
        );
        frames.push(df);
    }
    (folder, frames)
}

fn stacked(frames: &[DataFrame]) -> DataFrame {
    let mut all = frames[0].clone();
    for df in &frames[1..] {
        all.vstack_mut(df).unwrap();
    }
    all
}

#[test]
fn a_path_a_folder_a_glob_a_list() {
    let (folder, frames) = days(stream, "arrows");
    let all = stacked(&frames);
    let scan = |source: floe::lazy::IpcScanSource| {
        both(&scan_ipc_stream(source, IpcScanOptions::default()).unwrap()).unwrap()
    };
    let path = |day: usize| folder.path().join(format!("day={day}/flights.arrows"));
    let glob = folder.path().join("day=*/*.arrows");
    let text = glob.to_str().unwrap();
    assert_same(&scan(folder.path().into()), &all);
    assert_same(&scan(glob.as_path().into()), &all);
    assert_same(&scan(text.into()), &all);
    assert_same(&scan(text.to_owned().into()), &all);
    assert_same(&scan((&path(3)).into()), &frames[2]);
    let two = stacked(&[frames[4].clone(), frames[1].clone()]);
    assert_same(&scan(vec![path(5), path(2)].into()), &two);
    assert_same(&scan([path(5), path(2)].as_slice().into()), &two);
    let texts: Vec<String> = [5, 2].iter().map(|day| path(*day).display().to_string()).collect();
    assert_same(&scan(texts.as_slice().into()), &two);
    assert_same(&scan([texts[0].as_str(), texts[1].as_str()].into()), &two);
    // A temporary file of a writer is none of the folder's.
    put(folder.path(), "day=1/.flights.arrows.1-0.tmp", b"half of it");
    assert_same(&scan(folder.path().into()), &all);
}

#[test]
fn limits_and_slices_over_many_files() {
    let (folder, frames) = days(file, "arrow");
    let all = stacked(&frames);
    for n in [0, 1, frames[0].height(), frames[0].height() + 1, 5_000, all.height(), all.height() + 1] {
        let index = RowIndex { name: "row".into(), offset: 5 };
        let options = IpcScanOptions::default().with_n_rows(n).with_row_index(index);
        let lf = scan_ipc_file(folder.path().join("*/*.arrow"), options).unwrap();
        let expected = all.with_row_index("row".into(), Some(5)).unwrap().head(Some(n));
        assert_same(&both(&lf).unwrap(), &expected);
        assert_same(&both(&lf.tail(3)).unwrap(), &expected.tail(Some(3)));
    }
}

#[test]
fn paths_and_folders_become_columns() {
    let (folder, _) = days(file, "arrow");
    for day in 1..=9 {
        // The same column in files and folders: what the folder says counts.
        let path = folder.path().join(format!("day={day}"));
        std::fs::rename(&path, folder.path().join(format!("when=2013-01-0{day}"))).unwrap();
    }
    let options = IpcScanOptions::default().with_hive(true).with_include_file_paths("from");
    let lf = scan_ipc_file(folder.path(), options).unwrap();
    let df = both(&lf).unwrap();
    assert_eq!(df.column("when").unwrap().dtype(), &DataType::Date);
    assert_eq!(df.get_column_names().last().map(|name| name.as_str()), Some("from"));
    let agree =
        lf.clone().filter(col("when").dt().day().cast(DataType::Int64).neq(col("day"))).select([len()]);
    assert_eq!(both(&agree).unwrap().column("len").unwrap().get(0).unwrap(), AnyValue::UInt32(0));
    let paths = lf.select([col("from").unique().sort(SortOptions::default())]);
    let paths = both(&paths).unwrap();
    let first = paths.column("from").unwrap().str().unwrap().get(0).unwrap();
    assert_eq!(Path::new(first), folder.path().join("when=2013-01-01/flights.arrow"));
    assert_eq!(paths.height(), 9);

    let bytes = scan_ipc_file(
        file(&FLIGHTS, 9_000),
        IpcScanOptions::default().with_include_file_paths(Some("p".into())),
    )
    .unwrap();
    let bytes = both(&bytes.select([col("p").n_unique()])).unwrap();
    assert_eq!(bytes.column("p").unwrap().get(0).unwrap(), AnyValue::UInt32(1));
}

#[test]
fn hive_columns_replace_those_of_files_and_infer_their_types() {
    let folder = tempfile::tempdir().unwrap();
    let df = DataFrame::new(2, vec![Column::new("a".into(), [1i64, 2]), Column::new("b".into(), [7i32, 7])])
        .unwrap();
    put(folder.path(), "b=3/name=x%20y/part.arrow", &file(&df, 1));
    put(folder.path(), "b=4/name=__HIVE_DEFAULT_PARTITION__/part.arrow", &file(&df, 1));
    let lf = scan_ipc_file(folder.path(), IpcScanOptions::default().with_hive(true)).unwrap();
    let found = both(&lf).unwrap();
    let expected = DataFrame::new(
        4,
        vec![
            Column::new("a".into(), [1i64, 2, 1, 2]),
            Column::new("b".into(), [3i32, 3, 4, 4]),
            Column::new("name".into(), [Some("x y"), Some("x y"), None, None]),
        ],
    )
    .unwrap();
    assert_same(&found, &expected);
    let plain = scan_ipc_file(folder.path(), IpcScanOptions::default()).unwrap();
    assert_eq!(both(&plain).unwrap().width(), 2);
    let only = IpcScanOptions::default().with_hive(true).with_columns(["name", "a"]);
    let only = both(&scan_ipc_file(folder.path(), only).unwrap()).unwrap();
    assert_same(&only, &expected.select(["name", "a"]).unwrap());

    // Another reader of such folders agrees.
    let schema = expected.select(["b", "name"]).unwrap().schema().clone();
    let hive_options =
        polars_io::HiveOptions { schema: Some(schema), ..polars_io::HiveOptions::new_enabled() };
    let args = UnifiedScanArgs { hive_options, ..UnifiedScanArgs::default() };
    let path = polars_utils::pl_path::PlRefPath::try_from_path(folder.path()).unwrap();
    let polars = LazyFrame::scan_ipc(path, Default::default(), args).unwrap().collect().unwrap();
    assert_same(&polars, &expected);
}

#[test]
fn schemas_must_agree_but_for_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let ab =
        DataFrame::new(1, vec![Column::new("a".into(), [1i64]), Column::new("b".into(), ["x"])]).unwrap();
    put(folder.path(), "1.arrows", &stream(&ab, 1));
    let second = put(folder.path(), "2.arrows", &stream(&ab.select(["b", "a"]).unwrap(), 1));
    let scan = |options| scan_ipc_stream(folder.path(), options);
    let found = both(&scan(IpcScanOptions::default()).unwrap()).unwrap();
    assert_same(&found, &ab.vstack(&ab).unwrap());

    let other =
        DataFrame::new(1, vec![Column::new("a".into(), [1i32]), Column::new("b".into(), ["x"])]).unwrap();
    std::fs::write(&second, stream(&other, 1)).unwrap();
    let message = error(scan(IpcScanOptions::default()));
    assert!(
        message.contains("2.arrows") && message.contains("i32") && message.contains("\"a\""),
        "{message}"
    );
    assert_eq!(both(&scan(IpcScanOptions::default().with_columns(["b"])).unwrap()).unwrap().height(), 2);

    std::fs::write(&second, stream(&ab.select(["a"]).unwrap(), 1)).unwrap();
    let message = error(scan(IpcScanOptions::default()));
    assert!(message.contains("2.arrows") && message.contains("\"b\""), "{message}");
    let mut abc = ab.clone();
    abc.with_column(Column::new("c".into(), [true])).unwrap();
    std::fs::write(&second, stream(&abc, 1)).unwrap();
    let message = error(scan(IpcScanOptions::default()));
    assert!(message.contains("2.arrows") && message.contains("\"c\""), "{message}");
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.arrow");
    let message = error(scan_ipc_file(missing.as_path(), IpcScanOptions::default()));
    assert!(message.contains("missing.arrow"), "{message}");
    for empty in [folder.path().to_path_buf(), folder.path().join("*.arrow")] {
        let message = error(scan_ipc_file(empty.as_path(), IpcScanOptions::default()));
        assert!(message.contains(folder.path().to_str().unwrap()), "{message}");
    }
    assert!(error(scan_ipc_file(Vec::<PathBuf>::new(), IpcScanOptions::default())).contains("no path"));
    assert!(error(scan_ipc_file("s3://bucket/x.arrow", IpcScanOptions::default())).contains("s3://bucket"));

    let path = put(folder.path(), "a.arrow", &file(&FLIGHTS, 9_000));
    let message = error(scan_ipc_stream(path.as_path(), IpcScanOptions::default()));
    assert!(message.contains("scan_ipc_file") && message.contains("a.arrow"), "{message}");
    let message = error(scan_ipc_file(stream(&FLIGHTS, 9_000), IpcScanOptions::default()));
    assert!(message.contains("scan_ipc_stream"), "{message}");

    // Gone, or another, when the query runs.
    let options = || IpcScanOptions::default().with_index_cache(false);
    let lf = scan_ipc_file(path.as_path(), options()).unwrap();
    std::fs::write(&path, file(&FLIGHTS.head(Some(10)), 5)).unwrap();
    let message = error(Ok(lf));
    assert!(message.contains("a.arrow") && message.contains("changed"), "{message}");
    let lf = scan_ipc_file(path.as_path(), options()).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(error(Ok(lf)).contains("a.arrow"));
}

#[test]
fn indexes_are_kept_until_the_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "kept.arrow", &file(&FLIGHTS, 500));
    let age = |path: &Path| {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    };
    age(&path);
    let opened = |cache: bool| {
        let counter = Arc::new(AtomicU64::new(0));
        let options =
            IpcScanOptions::default().with_index_cache(cache).with_read_counter(Arc::clone(&counter));
        let (lf, read) = read_by(&counter, || scan_ipc_file(path.as_path(), options).unwrap());
        (
            both(&lf.select([len()]))
                .unwrap()
                .column("len")
                .unwrap()
                .get(0)
                .unwrap()
                .extract::<usize>()
                .unwrap(),
            read,
        )
    };
    let (rows, read) = opened(true);
    assert_eq!(rows, FLIGHTS.height());
    assert!(read > 0);
    assert_eq!(opened(true), (rows, 0), "the index was not kept");
    assert!(opened(false).1 > 0, "the index was used against the option");
    std::fs::write(&path, file(&FLIGHTS.head(Some(77)), 10)).unwrap();
    age(&path);
    assert_eq!(opened(true).0, 77);
}

#[test]
fn many_small_files_are_few_nodes() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..300i32 {
        let df = DataFrame::new(1, vec![Column::new("i".into(), [i])]).unwrap();
        put(folder.path(), &format!("{i:04}.arrow"), &file(&df, 1));
    }
    let lf = scan_ipc_file(folder.path(), IpcScanOptions::default().with_include_file_paths("p")).unwrap();
    let nodes = lf.describe_plan().unwrap().matches("IPC SCAN").count();
    assert!(nodes < 20, "{nodes} nodes");
    let df = both(&lf).unwrap();
    assert_eq!(
        df.column("i").unwrap().i32().unwrap().iter().flatten().collect::<Vec<_>>(),
        (0..300).collect::<Vec<_>>()
    );
    let last = df.column("p").unwrap().str().unwrap().get(299).unwrap().to_owned();
    assert!(last.ends_with("0299.arrow"));
}

/// Whether an error says that something is not there, of which it names the path.
fn is_not_found(error: &PolarsError, path: &Path) -> bool {
    let io = |error: &PolarsError| matches!(error, PolarsError::IO { error, .. } if error.kind() == std::io::ErrorKind::NotFound);
    let inner = match error {
        PolarsError::Context { error, .. } => io(error),
        error => io(error),
    };
    inner && error.to_string().contains(path.to_str().unwrap())
}

#[test]
fn what_is_missing_is_not_found_in_every_entry() {
    use floe::lazy::{IpcSinkOptions, LazyIpcExt, PartitionBy, scan_ipc};
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.arrow");
    let there = put(folder.path(), "there.arrow", &file(&FLIGHTS.head(Some(10)), 5));
    let options = || IpcScanOptions::default().with_index_cache(false);
    for lf in [
        scan_ipc_file(&missing, options()),
        scan_ipc_stream(&missing, options()),
        scan_ipc(&missing, options()),
        scan_ipc([&there, &missing], options()),
        scan_ipc_file([&there, &missing], options().with_hive(true)),
        scan_ipc_file(&missing, options().with_glob(false)),
    ] {
        let error = lf.err().expect("an error");
        assert!(is_not_found(&error, &missing), "{error:?}");
    }
    // Gone when the query runs.
    let gone = put(folder.path(), "gone.arrow", &file(&FLIGHTS.head(Some(10)), 5));
    let lf = scan_ipc([&there, &gone], options()).unwrap();
    std::fs::remove_file(&gone).unwrap();
    for engine in [Engine::InMemory, Engine::Streaming] {
        let error = lf.clone().collect_with_engine(engine).err().expect("an error");
        assert!(is_not_found(&error, &gone), "{error:?} under {engine:?}");
    }
    let nowhere = folder.path().join("no folder/x.arrow");
    let sink = FLIGHTS.clone().lazy().sink_ipc_file(&nowhere, IpcSinkOptions::default());
    let error = sink.expect_err("an error");
    assert!(is_not_found(&error, &nowhere), "{error:?}");
    let out = folder.path().join("out.arrows");
    let error = lf.clone().sink_ipc_stream(&out, IpcSinkOptions::default()).expect_err("an error");
    assert!(is_not_found(&error, &gone), "{error:?}");
    let keys = PartitionBy::Keys(vec!["day"]);
    let parts = lf.clone().sink_ipc_partitioned(folder.path().join("parts"), keys, IpcSinkOptions::default());
    let error = parts.expect_err("an error");
    assert!(is_not_found(&error, &gone), "{error:?}");
    let error = lf.collect_ipc_batches(5).unwrap().find_map(Result::err).expect("an error");
    assert!(is_not_found(&error, &gone), "{error:?}");
}

#[test]
fn patterns_are_names_without_glob() {
    let folder = tempfile::tempdir().unwrap();
    let df = FLIGHTS.head(Some(10));
    let (literal, meant) = (df.head(Some(3)), df.tail(Some(4)));
    let path = put(folder.path(), "a[1].arrow", &file(&literal, 5));
    put(folder.path(), "a1.arrow", &file(&meant, 5));
    let glob = |glob| IpcScanOptions::default().with_glob(glob);
    assert_same(&both(&scan_ipc_file(&path, glob(false)).unwrap()).unwrap(), &literal);
    assert_same(&both(&scan_ipc_file(&path, glob(true)).unwrap()).unwrap(), &meant);
    let [star, question] = ["*.arrow", "a?.arrow"].map(|name| folder.path().join(name));
    assert!(is_not_found(&scan_ipc_file(&star, glob(false)).err().unwrap(), &star));
    std::fs::write(&star, file(&df, 5)).unwrap();
    assert_same(&both(&scan_ipc_file(&star, glob(false)).unwrap()).unwrap(), &df);
    assert_same(
        &both(&scan_ipc_file([&star, &path], glob(false)).unwrap()).unwrap(),
        &df.vstack(&literal).unwrap(),
    );
    std::fs::remove_file(folder.path().join("a1.arrow")).unwrap();
    std::fs::write(&question, file(&df, 5)).unwrap();
    // A pattern that does not match the file of its own name.
    let message = error(scan_ipc_file(&path, glob(true)));
    assert!(message.contains("with_glob(false)"), "{message}");
    // A folder is a folder under any name.
    let below = put(folder.path(), "b[2]/k=%2A/x.arrow", &file(&literal, 5));
    let hive = glob(false).with_hive(true);
    let found = both(&scan_ipc_file(below.parent().unwrap().parent().unwrap(), hive).unwrap()).unwrap();
    assert_eq!(found.column("k").unwrap().str().unwrap().get(0), Some("*"));
    assert_eq!(found.height(), 3);
}

#[test]
fn files_and_streams_in_one_scan() {
    use floe::lazy::scan_ipc;
    let folder = tempfile::tempdir().unwrap();
    let all = FLIGHTS.head(Some(1000));
    put(folder.path(), "part=1/a.arrow", &file(&all.slice(0, 400), 100));
    put(folder.path(), "part=1/b.arrows", &stream(&all.slice(400, 300), 70));
    put(folder.path(), "part=1/c", &stream(&all.slice(700, 300), 70));
    put(folder.path(), "part=1/.d.arrow.tmp", b"half of it");
    let lf = scan_ipc(folder.path(), IpcScanOptions::default()).unwrap();
    assert_same(&both(&lf).unwrap(), &all);
    let paths = ["a.arrow", "b.arrows", "c"].map(|name| folder.path().join("part=1").join(name));
    let lf = scan_ipc(&paths, IpcScanOptions::default().with_hive(true)).unwrap();
    let with_part = all.hstack(&[Column::new("part".into(), vec![1i64; 1000])]).unwrap();
    assert_same(&both(&lf).unwrap(), &with_part);
    for (scan, other) in [
        (scan_ipc_file(&paths, IpcScanOptions::default()), 1),
        (scan_ipc_stream(&paths, IpcScanOptions::default()), 0),
    ] {
        let message = error(scan);
        assert!(
            message.contains(paths[other].to_str().unwrap()) && message.contains("scan_ipc"),
            "{message}"
        );
    }
    // In a folder of different extensions only `scan_ipc` looks at each file.
    let message = error(scan_ipc_file(folder.path(), IpcScanOptions::default()));
    assert!(message.contains("extensions"), "{message}");
    put(folder.path(), "part=1/readme.txt", b"this is a text, and no Arrow IPC at all");
    let message = error(scan_ipc(folder.path(), IpcScanOptions::default()));
    assert!(message.contains("readme.txt"), "{message}");
}

#[test]
fn bytes_are_numbered_in_messages() {
    use floe::lazy::scan_ipc;
    use polars_buffer::Buffer;
    let good = || Buffer::from(file(&FLIGHTS.head(Some(100)), 10));
    let cut = Buffer::from(file(&FLIGHTS, 10)[..500].to_vec());
    let message = error(scan_ipc(vec![good(), good(), cut], IpcScanOptions::default()));
    assert!(message.contains("source 2 (bytes)"), "{message}");
    let other = Buffer::from(stream(&FLIGHTS, 1000));
    let message = error(scan_ipc_file(vec![good(), other], IpcScanOptions::default()));
    assert!(message.contains("source 1 (bytes)") && message.contains("scan_ipc_stream"), "{message}");
    // Found when the query runs: a body's bytes that make no sense.
    let tags = Column::new("t".into(), ["a text of more than twelve bytes", "and another one, too"]);
    let tags = stream(&DataFrame::new(2, vec![tags]).unwrap(), 2);
    let at = tags.windows(6).position(|window| window == b"a text").unwrap();
    let mut bad = tags.clone();
    bad[at] = 0xff;
    let lf = scan_ipc_stream(
        vec![Buffer::from(tags.clone()), Buffer::from(bad), Buffer::from(tags)],
        IpcScanOptions::default(),
    );
    let message = error(lf);
    assert!(message.contains("source 1 (bytes)") && message.contains("UTF-8"), "{message}");
}
