//! S3, spoken with a server on the loopback by the client that users have: signatures, conditions, multipart uploads,
//! listings. `s3_server` says where the server differs from S3, and how
//! that is put right.

use std::time::Duration;

use floe::cloud::object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use floe::cloud::object_store::{Error, ObjectStore};
use floe::cloud::{AsyncIpcWriter, ObjectFile};
use floe::lazy::*;
use floe_tests::equal::assert_frames_equal;
use polars_lazy::prelude::len;
use tokio::io::AsyncWriteExt;

use super::s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};
use super::*;

/// S3 takes no smaller part but for the last.
const SMALLEST_PART: usize = 5 << 20;

fn run_io<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let minutes = Duration::from_secs(240);
    runtime.block_on(async { tokio::time::timeout(minutes, test).await.expect("a test that ends") })
}

fn store(server: &S3Server, bucket: &str) -> Arc<dyn ObjectStore> {
    let builder = AmazonS3Builder::new()
        .with_endpoint(server.endpoint())
        .with_allow_http(true)
        .with_region(REGION)
        .with_access_key_id(ACCESS_KEY)
        .with_secret_access_key(SECRET_KEY)
        .with_bucket_name(bucket);
    Arc::new(builder.build().unwrap())
}

fn cloud(server: &S3Server, secret_key: &str) -> CloudOptions {
    CloudOptions::default().with_aws([
        (AmazonS3ConfigKey::Endpoint, server.endpoint()),
        (AmazonS3ConfigKey::Region, REGION.to_owned()),
        (AmazonS3ConfigKey::AccessKeyId, ACCESS_KEY.to_owned()),
        (AmazonS3ConfigKey::SecretAccessKey, secret_key.to_owned()),
    ])
}

fn scans(server: &S3Server) -> IpcScanOptions {
    IpcScanOptions::default().with_cloud_options(cloud(server, SECRET_KEY))
}

fn sinks(server: &S3Server) -> IpcSinkOptions {
    IpcSinkOptions::default().with_cloud_options(cloud(server, SECRET_KEY))
}

fn put(server: &S3Server, bucket: &str, key: &str, bytes: Vec<u8>) {
    run_io(async { store(server, bucket).put(&Path::parse(key).unwrap(), bytes.into()).await.unwrap() });
    server.take_seen();
}

/// The keys in a bucket.
fn keys(server: &S3Server, bucket: &str) -> Vec<String> {
    let folder = format!("{bucket}/");
    let files = server.files().into_iter();
    files.filter_map(|file| Some(file.strip_prefix(&folder)?.to_owned())).collect()
}

/// The files that the server has of uploads that have neither been completed nor aborted.
fn uploads(server: &S3Server) -> Vec<String> {
    server.files().into_iter().filter(|file| file.contains("upload")).collect()
}

fn engines(lf: &LazyFrame) -> Vec<DataFrame> {
    let collect = |engine| lf.clone().collect_with_engine(engine).unwrap().unwrap_single();
    vec![collect(Engine::InMemory), collect(Engine::Streaming)]
}

#[test]
fn a_column_takes_a_request_a_batch() {
    let server = S3Server::start(&["flights"]);
    let df = numbers(16 * 8_192, 8);
    put(&server, "flights", "2013/a.arrow", file(&df, 8_192, None));
    run_io(async {
        let options = IpcIndexOptions::default().with_tail_bytes(64 << 10);
        let object = IpcObject::open(store(&server, "flights"), "2013/a.arrow", options).await.unwrap();
        let (opening, _) = server.take_seen();
        assert_eq!(opening, ["get_object"], "the footer is in the last 64 KiB");
        let found = object.read().columns(["c3"]).collect().await.unwrap();
        assert_frames_equal(&found, &df.select(["c3"]).unwrap());
        let (reading, bytes) = server.take_seen();
        assert_eq!(reading, ["get_object"; 16]);
        let column = 16 * 8_192 * 8;
        assert!(bytes >= column && bytes <= column + column / 10, "{bytes} bytes of {column}");
        assert_frames_equal(&object.read().collect().await.unwrap(), &df);
    });
}

/// The tail that is asked for is longer than the object.
#[test]
fn a_small_object_takes_one_request() {
    let server = S3Server::start(&["flights"]);
    let df = frame(100);
    put(&server, "flights", "a.arrow", file(&df, 10, Some(IpcCompression::ZSTD(Default::default()))));
    put(&server, "flights", "a.arrows", stream(&df, 10));
    run_io(async {
        for key in ["a.arrow", "a.arrows"] {
            let object = IpcObject::open(store(&server, "flights"), key, IpcIndexOptions::default()).await;
            assert_frames_equal(&object.unwrap().read().collect().await.unwrap(), &df);
        }
        assert_eq!(server.take_seen().0[0], "get_object");
    });
}

#[test]
fn a_replaced_object_is_an_error() {
    let server = S3Server::start(&["flights"]);
    let df = frame(30_000);
    put(&server, "flights", "a.arrow", file(&df, 2_000, None));
    run_io(async {
        let store = store(&server, "flights");
        let open = || IpcObject::open(Arc::clone(&store), "a.arrow", IpcIndexOptions::default());
        let object = open().await.unwrap();
        assert_frames_equal(&object.read().batches(3..4).collect().await.unwrap(), &df.slice(6_000, 2_000));
        // Of the same size: only the ETag tells.
        let other = df.sort(["a"], SortMultipleOptions::default().with_order_descending(true)).unwrap();
        let bytes = file(&other, 2_000, None);
        store.put(&Path::from("a.arrow"), bytes.into()).await.unwrap();
        let error = object.read().collect().await.unwrap_err().to_string();
        assert!(error.contains("has been replaced since it was opened"), "{error}");
        assert_frames_equal(&open().await.unwrap().read().collect().await.unwrap(), &other);
    });
}

#[test]
fn a_multipart_upload_appears_whole_or_not_at_all() {
    let server = S3Server::start(&["out"]);
    let bytes: Vec<u8> = (0..2 * SMALLEST_PART + 1_000).map(|i| (i * 31 % 251) as u8).collect();
    run_io(async {
        let store = store(&server, "out");
        let create = || ObjectFile::create(Arc::clone(&store), "dir/a.bin").with_part_bytes(SMALLEST_PART);
        let at = Path::from("dir/a.bin");

        let mut file = create();
        file.write_all(&bytes).await.unwrap();
        file.shutdown().await.unwrap();
        assert!(matches!(store.head(&at).await, Err(Error::NotFound { .. })), "not before the commit");
        file.commit().await.unwrap();
        assert_eq!(store.get(&at).await.unwrap().bytes().await.unwrap(), bytes);
        let (operations, _) = server.take_seen();
        let count = |name| operations.iter().filter(|operation| **operation == name).count();
        assert_eq!(
            (count("upload_part"), count("complete_multipart_upload"), count("put_object")),
            (3, 1, 0)
        );

        // A new one that is not committed leaves the old one as it is.
        let mut file = create();
        file.write_all(&bytes[1..]).await.unwrap();
        while uploads(&server).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        file.abort().await.unwrap();
        assert!(server.take_seen().0.contains(&"abort_multipart_upload"));
        assert_eq!(uploads(&server), [""; 0]);
        let mut file = create();
        file.write_all(&bytes[1..]).await.unwrap();
        drop(file);
        while !server.take_seen().0.contains(&"abort_multipart_upload") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(store.get(&at).await.unwrap().bytes().await.unwrap(), bytes);
    });
    assert_eq!(keys(&server, "out"), ["dir/a.bin"]);
}

#[test]
fn frames_are_written_to_an_object_and_read_back() {
    let server = S3Server::start(&["out"]);
    let df = numbers(200_000, 8);
    run_io(async {
        let store = store(&server, "out");
        let object = ObjectFile::create(Arc::clone(&store), "a.arrow").with_part_bytes(SMALLEST_PART);
        let mut writer = AsyncIpcWriter::new(object);
        for start in (0..200_000).step_by(25_000) {
            writer.write_batch(&df.slice(start, 25_000)).await.unwrap();
        }
        writer.finish().await.unwrap();
        assert_eq!(keys(&server, "out"), [""; 0]);
        writer.into_inner().commit().await.unwrap();
        let object = IpcObject::open(store, "a.arrow", IpcIndexOptions::default()).await.unwrap();
        assert_frames_equal(
            &object.read().rows(24_000..26_000).collect().await.unwrap(),
            &df.slice(24_000, 2_000),
        );
    });
}

#[test]
fn urls_are_scanned_with_cloud_options() {
    let server = S3Server::start(&["flights"]);
    let df = frame(20_000);
    put(&server, "flights", "a.arrow", file(&df, 1_000, None));
    put(&server, "flights", "a.arrows", stream(&df, 1_000));
    for lf in [
        scan_ipc_file("s3://flights/a.arrow", scans(&server)).unwrap(),
        scan_ipc_stream("s3://flights/a.arrows", scans(&server)).unwrap(),
        scan_ipc("s3://flights/a.arrow", scans(&server)).unwrap(),
    ] {
        engines(&lf).iter().for_each(|found| assert_frames_equal(found, &df));
        let some = lf.filter(col("a").gt(lit(70_000i64))).select([col("b"), col("kind")]).slice(5, 1_000);
        let expected = df.slice(10_006, 1_000).select(["b", "kind"]).unwrap();
        engines(&some).iter().for_each(|found| assert_frames_equal(found, &expected));
    }
    let error = scan_ipc_file("s3://flights/nothing.arrow", scans(&server)).err().unwrap();
    assert!(
        matches!(&error, PolarsError::IO { error, .. } if error.kind() == std::io::ErrorKind::NotFound),
        "{error}"
    );
    assert!(error.to_string().contains("s3://flights/nothing.arrow"), "{error}");
    let wrong = IpcScanOptions::default().with_cloud_options(cloud(&server, "another secret"));
    let error = scan_ipc_file("s3://flights/a.arrow", wrong).err().unwrap().to_string();
    assert!(error.contains("s3://flights/a.arrow") && error.contains("403"), "{error}");
}

#[test]
fn globs_folders_and_hive_are_those_of_paths() {
    let server = S3Server::start(&["flights"]);
    let df = frame(30);
    for (year, rows) in [(2012, 10), (2013, 20)] {
        let key = format!("out/year={year}/part-0.arrow");
        put(&server, "flights", &key, file(&df.slice(0, rows), 10, None));
    }
    put(&server, "flights", "out/.hidden.arrow", b"not read".to_vec());
    put(&server, "flights", "other/year=2014/part-0.arrow", b"not read".to_vec());
    for source in ["s3://flights/out/", "s3://flights/out/*/*.arrow", "s3://flights/out/**/part-*.arrow"] {
        let lf = scan_ipc_file(source, scans(&server).with_hive(true)).unwrap();
        assert_eq!(lf.clone().collect().unwrap().shape(), (30, 5), "{source}");
        let late = lf.filter(col("year").eq(lit(2013))).collect().unwrap();
        assert_frames_equal(&late.drop("year").unwrap(), &df.slice(0, 20));
    }
    let error = scan_ipc_file("s3://flights/nothing/*.arrow", scans(&server)).err().unwrap().to_string();
    assert!(error.contains("found nothing to scan"), "{error}");
}

#[test]
fn sinks_appear_whole_or_not_at_all() {
    let server = S3Server::start(&["out"]);
    let df = numbers(300_000, 8);
    df.clone().lazy().sink_ipc_file("s3://out/a.arrow", sinks(&server)).unwrap();
    assert!(server.take_seen().0.contains(&"complete_multipart_upload"), "19 MB are several parts");
    df.clone().lazy().sink_ipc_stream("s3://out/a.arrows", sinks(&server)).unwrap();
    for key in ["a.arrow", "a.arrows"] {
        let lf = scan_ipc(format!("s3://out/{key}").as_str(), scans(&server)).unwrap();
        assert_frames_equal(&lf.collect().unwrap(), &df);
    }
    // The query fails when parts are on their way.
    let all = scan_ipc("s3://out/a.arrow", scans(&server)).unwrap();
    let last = df.slice(0, 1).lazy().map(
        |_| polars_bail!(ComputeError: "the query failed"),
        polars_lazy::prelude::AllowedOptimizations::default(),
        None,
        None,
    );
    let failing = polars_lazy::prelude::concat([all, last], Default::default()).unwrap();
    let error = failing.sink_ipc_file("s3://out/b.arrow", sinks(&server)).unwrap_err();
    assert!(error.to_string().contains("the query failed"), "{error}");
    assert_eq!(keys(&server, "out"), ["a.arrow", "a.arrows"]);
    assert_eq!(uploads(&server), [""; 0]);
}

#[test]
fn partitioned_sinks_write_objects_and_replace_them() {
    let server = S3Server::start(&["out"]);
    let df = frame(300);
    let sink = |existing| {
        let options = sinks(&server).with_existing(existing);
        df.clone().lazy().sink_ipc_partitioned("s3://out/by", PartitionBy::Keys(vec!["kind"]), options)
    };
    let parts = sink(ExistingFiles::Error).unwrap();
    assert_eq!(parts.len(), 3);
    let expected = ["by/kind=one/part-0.arrow", "by/kind=three/part-0.arrow", "by/kind=two/part-0.arrow"];
    assert_eq!(keys(&server, "out"), expected);
    let lf = scan_ipc_file("s3://out/by/", scans(&server).with_hive(true)).unwrap();
    let all = lf.sort(["a"], SortMultipleOptions::default()).collect().unwrap();
    assert_frames_equal(&all.select(["a", "text", "kind", "b"]).unwrap(), &df);
    let error = sink(ExistingFiles::Error).unwrap_err().to_string();
    assert!(error.contains("s3://out/by"), "{error}");
    sink(ExistingFiles::Replace).unwrap();
    assert_eq!(keys(&server, "out"), expected);
}

/// Objects cannot be appended to: a dataset grows by parts, which each call calls by names of its own.
#[test]
fn a_dataset_grows_by_new_parts() {
    let server = S3Server::start(&["out"]);
    let df = frame(1_000);
    let append = |start: i64| {
        let options = sinks(&server).with_existing(ExistingFiles::Add);
        let lf = df.slice(start, 250).lazy();
        lf.sink_ipc_partitioned("s3://out/all", PartitionBy::MaxRows(100), options).unwrap()
    };
    for start in [0, 250, 500, 750] {
        let parts = append(start);
        assert_eq!(parts.iter().map(|part| part.summary.rows).collect::<Vec<_>>(), [100, 100, 50]);
        let lf = scan_ipc_file("s3://out/all/", scans(&server)).unwrap();
        // The parts of a later call come later in the order of names, and so do their rows.
        let found = lf.clone().collect().unwrap();
        assert_frames_equal(&found, &df.slice(0, start as usize + 250));
        let count = lf.select([len()]).collect().unwrap();
        assert_eq!(count.columns()[0].get(0).unwrap().try_extract::<i64>().unwrap(), start + 250);
    }
    assert_eq!(keys(&server, "out").len(), 12);
}

/// A marker, which is the last object to appear, makes those of a call visible together.
#[test]
fn new_parts_are_seen_together_or_not_at_all() {
    let server = S3Server::start(&["out"]);
    let df = frame(400);
    for (start, committed) in [(0, true), (200, false)] {
        let options = sinks(&server).with_existing(ExistingFiles::Add).with_commit_marker(committed);
        let lf = df.slice(start, 200).lazy();
        lf.sink_ipc_partitioned("s3://out/all", PartitionBy::MaxRows(100), options).unwrap();
    }
    let rows = |options| {
        let lf = scan_ipc_file("s3://out/all/", options).unwrap();
        lf.sort(["a"], SortMultipleOptions::default()).collect().unwrap()
    };
    assert_frames_equal(&rows(scans(&server)), &df);
    assert_frames_equal(&rows(scans(&server).with_committed_only(true)), &df.slice(0, 200));
}
