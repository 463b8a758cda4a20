//! Scans of and sinks to stores behind URLs. The scheme is one that Polars leaves to others to register: the code behind the
//! URL is the same for `s3://` and all others.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use floe::cloud::object_store::ObjectStore;
use floe::lazy::*;
use floe_tests::equal::assert_frames_equal;
use futures_util::TryStreamExt;
use polars_io::cloud::{ExtObjectStoreBuilder, register_object_store_builder};
use polars_utils::pl_path::PlRefPath;

use super::watched::{Fault, Request};
use super::*;

/// Stores by the host of their URLs.
static STORES: Mutex<BTreeMap<String, Arc<Watched>>> = Mutex::new(BTreeMap::new());

struct Builder;

impl ExtObjectStoreBuilder for Builder {
    fn build(
        &self,
        url: &PlRefPath,
        _: Option<&CloudOptions>,
    ) -> PolarsResult<Arc<dyn ObjectStore + Send + Sync>> {
        let host = url.as_str().split('/').nth(2).unwrap();
        Ok(Arc::<Watched>::clone(&STORES.lock().unwrap()[host]))
    }
}

/// An empty store, which the URL `hdfs://<host>/` leads to.
fn store_at(host: &str) -> Arc<Watched> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| register_object_store_builder("hdfs", Arc::new(Builder)).unwrap());
    let store = Watched::new(InMemory::new());
    STORES.lock().unwrap().insert(host.to_owned(), Arc::clone(&store));
    store
}

fn put(store: &Arc<Watched>, path: &str, bytes: Vec<u8>) {
    run(async { store.put(&Path::parse(path).unwrap(), bytes.into()).await.unwrap() });
    store.take_requests();
}

fn keys(store: &Arc<Watched>) -> Vec<String> {
    let metas: Vec<_> = run(async { store.list(None).try_collect().await.unwrap() });
    let mut keys: Vec<String> = metas.into_iter().map(|meta| meta.location.to_string()).collect();
    keys.sort();
    keys
}

fn engines(lf: &LazyFrame) -> Vec<DataFrame> {
    let collect = |engine| lf.clone().collect_with_engine(engine).unwrap().unwrap_single();
    vec![collect(Engine::InMemory), collect(Engine::Streaming)]
}

#[test]
fn a_url_is_scanned_as_a_path_is() {
    let store = store_at("scan");
    let df = frame(20_000);
    put(&store, "a.arrow", file(&df, 1_000, None));
    put(&store, "a.arrows", stream(&df, 1_000));
    let read = Arc::new(AtomicU64::new(0));
    let options = || IpcScanOptions::default().with_read_counter(Arc::clone(&read));
    for lf in [
        scan_ipc_file("hdfs://scan/a.arrow", options()).unwrap(),
        scan_ipc_stream("hdfs://scan/a.arrows", options()).unwrap(),
        scan_ipc("hdfs://scan/a.arrows", options()).unwrap(),
    ] {
        engines(&lf).iter().for_each(|found| assert_frames_equal(found, &df));
        let some = lf.filter(col("a").gt(lit(70_000i64))).select([col("b"), col("kind")]).slice(5, 1_000);
        let expected = df.slice(10_006, 1_000).select(["b", "kind"]).unwrap();
        engines(&some).iter().for_each(|found| assert_frames_equal(found, &expected));
    }
    assert!(read.load(Ordering::Relaxed) > 0);
    let both = ["hdfs://scan/a.arrow", "hdfs://scan/a.arrow"];
    let twice = scan_ipc_file(both, IpcScanOptions::default().with_include_file_paths("path")).unwrap();
    let twice = twice.collect().unwrap();
    assert_eq!(twice.height(), 40_000);
    assert_eq!(twice.column("path").unwrap().str().unwrap().get(0), Some("hdfs://scan/a.arrow"));

    let error = scan_ipc_file("hdfs://scan/nothing.arrow", IpcScanOptions::default()).err().unwrap();
    assert!(
        matches!(&error, PolarsError::IO { error, .. } if error.kind() == io::ErrorKind::NotFound),
        "{error}"
    );
    assert!(error.to_string().contains("hdfs://scan/nothing.arrow"), "{error}");
    let error = scan_ipc_file("hdfs://scan/a.arrows", IpcScanOptions::default()).err().unwrap().to_string();
    assert!(error.contains("scan_ipc_stream") && error.contains("hdfs://scan/a.arrows"), "{error}");
}

#[test]
fn one_column_takes_few_requests() {
    let store = store_at("few");
    let df = numbers(16 * 16_384, 8);
    put(&store, "a.arrow", file(&df, 16_384, None));
    let lf = scan_ipc_file("hdfs://few/a.arrow", IpcScanOptions::default()).unwrap();
    let found = lf.select([col("c5")]).collect().unwrap();
    let (requests, read) = store.take_gets();
    assert_frames_equal(&found, &df.select(["c5"]).unwrap());
    let column = 16 * 16_384 * 8;
    assert!(requests <= 17, "{requests} requests");
    assert!(read - (256 << 10) <= column + column / 10, "{read} bytes of {column}");
    let lf = scan_ipc_file("hdfs://few/a.arrow", IpcScanOptions::default()).unwrap();
    assert_eq!(
        lf.select([polars_lazy::prelude::len()]).collect().unwrap().columns()[0]
            .get(0)
            .unwrap()
            .try_extract::<u32>()
            .unwrap(),
        16 * 16_384
    );
    assert_eq!(store.take_gets().0, 1, "rows are in the footer");
}

#[test]
fn globs_folders_and_hive_are_those_of_paths() {
    let store = store_at("hive");
    let df = frame(30);
    for (year, rows) in [(2012, 10), (2013, 20)] {
        put(&store, &format!("flights/year={year}/part-0.arrow"), file(&df.slice(0, rows), 10, None));
    }
    put(&store, "flights/.hidden.arrow", b"not read".to_vec());
    let options = || IpcScanOptions::default().with_hive(true);
    for source in
        ["hdfs://hive/flights/", "hdfs://hive/flights/*/*.arrow", "hdfs://hive/flights/**/part-*.arrow"]
    {
        let lf = scan_ipc_file(source, options()).unwrap();
        let all = lf.clone().collect().unwrap();
        assert_eq!((all.height(), all.width()), (30, 5), "{source}");
        let late = lf.filter(col("year").eq(lit(2013))).collect().unwrap();
        assert_frames_equal(&late.drop("year").unwrap(), &df.slice(0, 20));
    }
    let error = scan_ipc_file("hdfs://hive/nothing/*.arrow", options()).err().unwrap().to_string();
    assert!(error.contains("found nothing to scan"), "{error}");
}

#[test]
fn statistics_skip_batches_and_take_no_request_if_they_are_trusted() {
    let store = store_at("statistics");
    let rows: Vec<i64> = (0..40_000).collect();
    let df = DataFrame::new(rows.len(), vec![Column::new("n".into(), rows)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes).with_statistics(true).with_record_batch_size(1_000);
    writer.finish(&mut df.clone()).unwrap();
    assert!(bytes.len() > 256 << 10);
    put(&store, "a.arrow", bytes);
    let find = |trusted| {
        let predicate = col("n").gt_eq(lit(12_500i64)).and(col("n").lt(lit(12_600i64)));
        let options = IpcScanOptions::default().with_trusted_statistics(trusted).with_predicate(predicate);
        let found = scan_ipc_file("hdfs://statistics/a.arrow", options).unwrap().collect().unwrap();
        assert_frames_equal(&found, &df.slice(12_500, 100));
        store.take_gets()
    };
    let (requests, read) = find(true);
    assert_eq!(requests, 2, "the end and one batch");
    assert!(read < (256 << 10) + 10_000, "{read} bytes");
    let (more, _) = find(false);
    assert!(more > 2, "{more} requests");
}

#[test]
fn a_sink_to_a_url_appears_whole_or_not_at_all() {
    let store = store_at("sink");
    let df = frame(20_000);
    let summary =
        df.clone().lazy().sink_ipc_file("hdfs://sink/out/a.arrow", IpcSinkOptions::default()).unwrap();
    assert_eq!(summary.rows, 20_000);
    let back = scan_ipc_file("hdfs://sink/out/a.arrow", IpcScanOptions::default()).unwrap();
    assert_frames_equal(&back.collect().unwrap(), &df);
    df.clone().lazy().sink_ipc_stream("hdfs://sink/out/a.arrows", IpcSinkOptions::default()).unwrap();
    let back = scan_ipc_stream("hdfs://sink/out/a.arrows", IpcScanOptions::default()).unwrap();
    assert_frames_equal(&back.collect().unwrap(), &df);

    // A query that fails, and a store that does.
    let before = keys(&store);
    let failing = df.clone().lazy().map(
        |_| polars_bail!(ComputeError: "the query failed"),
        polars_lazy::prelude::AllowedOptimizations::default(),
        None,
        None,
    );
    let error = failing.sink_ipc_file("hdfs://sink/out/b.arrow", IpcSinkOptions::default()).unwrap_err();
    assert!(error.to_string().contains("the query failed"), "{error}");
    store.fail(|_, what| (what == "put").then_some(Fault::Unavailable));
    let error = df.lazy().sink_ipc_file("hdfs://sink/out/b.arrow", IpcSinkOptions::default()).unwrap_err();
    assert!(
        error.to_string().contains("503") && error.to_string().contains("hdfs://sink/out/b.arrow"),
        "{error}"
    );
    store.fail_no_more();
    assert_eq!(keys(&store), before);
}

#[test]
fn large_sinks_go_in_parts_and_leave_none_behind() {
    let store = store_at("parts");
    let df = numbers(300_000, 8);
    df.clone().lazy().sink_ipc_file("hdfs://parts/a.arrow", IpcSinkOptions::default()).unwrap();
    let requests = store.take_requests();
    assert!(
        requests.iter().filter(|request| matches!(request, Request::Part(_))).count() >= 2,
        "{requests:?}"
    );
    let back = scan_ipc_file("hdfs://parts/a.arrow", IpcScanOptions::default()).unwrap().collect().unwrap();
    assert_frames_equal(&back, &df);
    store.take_requests();
    store.fail(|_, what| (what == "part").then_some(Fault::Unavailable));
    df.lazy().sink_ipc_file("hdfs://parts/b.arrow", IpcSinkOptions::default()).unwrap_err();
    assert!(store.take_requests().contains(&Request::Abort));
    assert_eq!(keys(&store), ["a.arrow"]);
}

#[test]
fn partitioned_sinks_go_to_stores() {
    let store = store_at("partitions");
    let df = frame(300);
    let by = || PartitionBy::Keys(vec!["kind"]);
    let sink = |existing| {
        let options = IpcSinkOptions::default().with_existing(existing);
        df.clone().lazy().sink_ipc_partitioned("hdfs://partitions/out", by(), options)
    };
    let parts = sink(ExistingFiles::Error).unwrap();
    assert_eq!(parts.len(), 3);
    assert!(
        parts.iter().any(|part| part.path.to_str() == Some("hdfs://partitions/out/kind=one/part-0.arrow"))
    );
    let first = keys(&store);
    assert_eq!(
        first,
        ["out/kind=one/part-0.arrow", "out/kind=three/part-0.arrow", "out/kind=two/part-0.arrow"]
    );
    let rows = || {
        let lf = scan_ipc_file("hdfs://partitions/out/", IpcScanOptions::default().with_hive(true)).unwrap();
        let all = lf.sort(["a"], Default::default()).collect().unwrap();
        assert_eq!(all.column("kind").unwrap().dtype(), df.column("kind").unwrap().dtype());
        all
    };
    assert_frames_equal(&rows().select(["a", "text", "kind", "b"]).unwrap(), &df);
    let error = sink(ExistingFiles::Error).unwrap_err();
    assert!(
        matches!(&error, PolarsError::IO { error, .. } if error.kind() == io::ErrorKind::DirectoryNotEmpty)
    );
    sink(ExistingFiles::Add).unwrap();
    assert_eq!(rows().height(), 600);
    put(&store, "out/notes.txt", b"stays".to_vec());
    sink(ExistingFiles::Replace).unwrap();
    let mut expected = first.clone();
    expected.push("out/notes.txt".to_owned());
    assert_eq!(keys(&store), expected);

    store.fail(|number, what| (what == "put" && number >= 1).then_some(Fault::Unavailable));
    let lf = df.clone().lazy();
    let error =
        lf.sink_ipc_partitioned("hdfs://partitions/new", by(), IpcSinkOptions::default()).unwrap_err();
    assert!(error.to_string().contains("all objects are as they were before"), "{error}");
    store.fail_no_more();
    assert_eq!(keys(&store), expected);
}

#[test]
fn a_target_is_committed_when_all_has_been_written_and_not_before() {
    #[derive(Clone, Default)]
    struct Letter(Arc<Mutex<(Vec<u8>, bool)>>);
    impl Write for Letter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl CommitWrite for Letter {
        fn commit(self: Box<Self>) -> io::Result<()> {
            self.0.lock().unwrap().1 = true;
            Ok(())
        }
    }
    let df = frame(100);
    let letter = Letter::default();
    let target = SinkTarget::from(Box::new(letter.clone()) as Box<dyn CommitWrite>);
    df.clone().lazy().sink_ipc_file(target, IpcSinkOptions::default()).unwrap();
    let (bytes, committed) = letter.0.lock().unwrap().clone();
    assert!(committed);
    assert_frames_equal(&IpcReader::from_bytes(bytes).finish().unwrap(), &df);

    let letter = Letter::default();
    let target = SinkTarget::from(Box::new(letter.clone()) as Box<dyn CommitWrite>);
    let failing = df.lazy().select([col("nobody")]);
    failing.sink_ipc_file(target, IpcSinkOptions::default()).unwrap_err();
    assert!(!letter.0.lock().unwrap().1);
}

/// A box of the type itself is committed as well: nobody would look for a sink that ends well and leaves nothing.
#[test]
fn an_object_in_a_box_of_its_own_type_is_committed() {
    use floe::cloud::{BlockingObjectFile, ObjectFile};
    let store = Watched::new(InMemory::new());
    let object = BlockingObjectFile::new(ObjectFile::create(Arc::clone(&store) as _, "a.arrow"));
    let df = frame(100);
    df.clone().lazy().sink_ipc_file(Box::new(object), IpcSinkOptions::default()).unwrap();
    let object = run(open(&store, IpcIndexOptions::default())).unwrap();
    assert_frames_equal(&run(object.read().collect()).unwrap(), &df);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    let file = floe::AtomicFile::create(&path).unwrap();
    df.clone().lazy().sink_ipc_file(Box::new(file), IpcSinkOptions::default()).unwrap();
    assert_frames_equal(&IpcReader::new(std::fs::File::open(&path).unwrap()).finish().unwrap(), &df);
}

#[test]
fn objects_of_a_call_are_visible_together_to_who_asks_for_it() {
    let store = store_at("committed");
    let df = frame(4_000);
    let adding = IpcSinkOptions::default().with_existing(ExistingFiles::Add);
    let sink = |options: IpcSinkOptions| {
        let by = PartitionBy::MaxRows(1_000);
        df.clone().lazy().sink_ipc_partitioned("hdfs://committed/set", by, options)
    };
    sink(adding.clone()).unwrap();
    let committed = || IpcScanOptions::default().with_committed_only(true).with_index_cache(false);
    let rows = |options: IpcScanOptions| {
        scan_ipc_file("hdfs://committed/set/", options).unwrap().collect().unwrap().height()
    };
    let error = scan_ipc_file("hdfs://committed/set/", committed()).map(drop).unwrap_err().to_string();
    assert!(error.contains("found nothing to scan"), "{error}");
    sink(adding.clone().with_commit_marker(true)).unwrap();
    assert_eq!(rows(committed()), 4_000);
    // The marker is the last to be written, and what fails before has none.
    let before = keys(&store).len();
    store.fail(|number, what| (what == "put" && number >= 2).then_some(Fault::Unavailable));
    sink(adding.clone().with_commit_marker(true)).unwrap_err();
    store.fail_no_more();
    assert_eq!((keys(&store).len(), rows(committed())), (before, 4_000));
    sink(adding.with_existing(ExistingFiles::Replace).with_commit_marker(true)).unwrap();
    assert_eq!((keys(&store).len(), rows(committed())), (5, 4_000));
}
