//! The requests that reading columns, batches and rows takes.

use floe::cloud::ObjectColumns;
use floe_tests::equal::assert_frames_equal;
use futures_util::{StreamExt, TryStreamExt};

use super::*;

async fn heights(read: floe::cloud::IpcObjectRead) -> Vec<usize> {
    read.stream().map(|frame| frame.unwrap().height()).collect().await
}

#[test]
fn columns_batches_and_rows_are_what_was_asked_for() {
    for threaded in [false, true] {
        let test = async {
            let df = frame(10_000);
            for compression in
                [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(Default::default()))]
            {
                let store = store_of(file(&df, 1_000, compression)).await;
                for tail in [0, 256 << 10] {
                    let options = IpcIndexOptions::default().with_tail_bytes(tail).with_gap_bytes(100);
                    let object = open(&store, options).await.unwrap();
                    let read =
                        |read: floe::cloud::IpcObjectRead| async move { read.collect().await.unwrap() };
                    assert_frames_equal(&read(object.read()).await, &df);
                    let some = df.select(["b", "kind"]).unwrap();
                    assert_frames_equal(&read(object.read().columns(["b", "kind"])).await, &some);
                    assert_frames_equal(&read(object.read().columns([3, 2]).concurrency(1)).await, &some);
                    assert_frames_equal(
                        &read(object.read().columns([3, 2]).rows(999..=4_000)).await,
                        &some.slice(999, 3_002),
                    );
                    assert_frames_equal(&read(object.read().batches(2..)).await, &df.slice(2_000, 8_000));
                    assert_frames_equal(
                        &read(object.read().batches(2..=3).rows(..2_500)).await,
                        &df.slice(2_000, 500),
                    );
                    assert_eq!(read(object.read().rows(5..5)).await, df.slice(0, 0));
                    let none =
                        read(object.read().columns(ObjectColumns::from(Vec::<usize>::new())).rows(10..30))
                            .await;
                    assert_eq!((none.height(), none.width()), (20, 0));
                    assert_eq!(heights(object.read()).await, [1_000; 10]);
                    assert_eq!(heights(object.read().rows(1_500..3_001)).await, [500, 1_000, 1]);
                }
            }
        };
        if threaded { run_threaded(test) } else { run(test) }
    }
}

#[test]
fn what_is_not_there_is_an_error_before_anything_is_read() {
    run(async {
        let store = store_of(file(&frame(100), 10, None)).await;
        let object = open(&store, IpcIndexOptions::default()).await.unwrap();
        store.take_requests();
        let reads = [
            (object.read().columns(["nobody"]), "nobody"),
            (object.read().columns([4]), "4"),
            (object.read().columns(["a", "a"]), "a"),
            (object.read().batches(..11), "there are 10"),
            (object.read().batches(3..=10), "there are 10"),
            (object.read().rows(50..101), "there are 100"),
        ];
        for (read, text) in reads {
            let mut frames = read.stream();
            let error = frames.next().await.unwrap().unwrap_err().to_string();
            assert!(error.contains("a.arrow: ") && error.contains(text), "{error}");
            assert!(frames.next().await.is_none() && frames.next().await.is_none());
        }
        assert!(store.take_requests().is_empty());
    });
}

#[test]
fn small_batches_are_read_together_and_dictionaries_once() {
    run(async {
        let df = frame(20_000);
        let store = store_of(file(&df, 20, None)).await;
        let object = open(&store, IpcIndexOptions::default()).await.unwrap();
        store.take_requests();
        assert_frames_equal(&object.read().collect().await.unwrap(), &df);
        let (requests, _) = store.take_gets();
        assert!(requests < 10, "{requests} requests for 1,000 batches");
        let (requests, _) = {
            heights(object.read().columns(["kind"])).await;
            store.take_gets()
        };
        assert!(requests < 10, "{requests} requests for 1,000 batches");
    });
}

#[test]
fn no_more_requests_are_on_their_way_than_allowed() {
    run(async {
        let df = numbers(80_000, 8);
        let store = store_of(file(&df, 10_000, None)).await;
        let options = IpcIndexOptions::default().with_gap_bytes(0).with_tail_bytes(4 << 10);
        let object = open(&store, options).await.unwrap();
        for most in [1, 3] {
            let read = object.read().columns([0, 3, 6]).concurrency(most);
            assert_frames_equal(&read.collect().await.unwrap(), &df.select(["c0", "c3", "c6"]).unwrap());
            assert!(store.most_in_flight() <= most, "{} of {most}", store.most_in_flight());
        }
    });
}

#[test]
fn an_object_that_is_replaced_is_an_error() {
    run(async {
        for ignores in [false, true] {
            let df = frame(3_000);
            let store = store_of(file(&df, 1_000, None)).await;
            if ignores {
                store.ignore_conditions();
            }
            let object = open(&store, IpcIndexOptions::default().with_tail_bytes(0)).await.unwrap();
            // Of the same length.
            store.put(&Path::from("a.arrow"), file(&df, 1_000, None).into()).await.unwrap();
            let error = object.read().collect().await.unwrap_err();
            assert!(error.to_string().contains("has been replaced since it was opened"), "{error}");
            let kind = std::io::ErrorKind::StaleNetworkFileHandle;
            assert!(matches!(&error, PolarsError::IO { error, .. } if error.kind() == kind));
            let object = open(&store, IpcIndexOptions::default()).await.unwrap();
            assert_frames_equal(&object.read().collect().await.unwrap(), &df);
        }
    });
}

#[test]
fn one_of_eight_columns_takes_its_bytes_and_few_requests() {
    run(async {
        let df = numbers(16 * 16_384, 8);
        let bytes = file(&df, 16_384, None);
        assert!(bytes.len() > 16 << 20);
        let store = store_of(bytes).await;
        let object = open(&store, IpcIndexOptions::default()).await.unwrap();
        let frames: Vec<DataFrame> =
            object.read().columns(["c5"]).concurrency(8).stream().try_collect().await.unwrap();
        assert_eq!(frames.len(), 16);
        let all = frames.into_iter().reduce(|all, frame| all.vstack(&frame).unwrap()).unwrap();
        assert_frames_equal(&all, &df.select(["c5"]).unwrap());
        let (requests, read) = store.take_gets();
        let column = 16 * 16_384 * 8;
        assert_eq!(requests, 17, "one for the end, one for each batch");
        assert!(read - (256 << 10) <= column + column / 10, "{read} bytes of {column}");

        // Without a layout heads are read first, and then are known.
        let mut bytes = Vec::new();
        let writer = IpcWriter::new(&mut bytes).with_layout(false).with_record_batch_size(16_384);
        { writer }.finish(&mut df.clone()).unwrap();
        let store = store_of(bytes).await;
        let object = open(&store, IpcIndexOptions::default()).await.unwrap();
        object.read().columns(["c5"]).collect().await.unwrap();
        assert_eq!(store.take_gets().0, 1 + 16 + 16);
        let again = object.read().columns(["c2"]).collect().await.unwrap();
        assert_frames_equal(&again, &df.select(["c2"]).unwrap());
        let (requests, read) = store.take_gets();
        assert!(requests == 16 && read <= column + column / 10, "{requests} requests, {read} bytes");
    });
}

#[test]
fn what_the_footer_says_of_heads_is_what_they_say() {
    run(async {
        // Every kind of column, compressed and not, in batches of several heights.
        let mut arbitrary = floe_tests::arbitrary::Arbitrary::new(21);
        let dtypes = floe_tests::arbitrary::dtypes();
        let fields: Vec<_> =
            dtypes.into_iter().map(|(name, dtype)| (PlSmallStr::from_str(name), dtype)).collect();
        let df = arbitrary.frame_of(&fields, 3_000);
        for compression in [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(Default::default()))] {
            let bytes = file(&df, 700, compression);
            let layout = IpcReader::from_bytes(bytes.clone()).footer_metadata_bytes().unwrap();
            let has_layout = layout.iter().any(|(key, _)| key == b"floe:layout");
            assert!(has_layout, "{} bytes", bytes.len());
            let store = store_of(bytes.clone()).await;
            let options = IpcIndexOptions::default().with_tail_bytes(64 << 10).with_gap_bytes(0);
            let object = open(&store, options).await.unwrap();
            assert_frames_equal(&object.read().collect().await.unwrap(), &df);
            // No byte of a head is read.
            let index = IpcIndex::from_bytes(bytes, IpcLimits::default()).unwrap();
            let heads = index.num_record_batches();
            store.take_requests();
            object.read().columns([0]).collect().await.unwrap();
            assert!(store.take_gets().0 <= heads * 3);
        }
    });
}

#[test]
fn small_files_have_no_layout_and_users_do_not_see_it() {
    let df = numbers(100, 3);
    let keys = |bytes: &[u8]| {
        let reader = IpcReader::from_bytes(bytes.to_vec());
        let all = reader.footer_metadata_bytes().unwrap();
        let shown = reader.footer_metadata().unwrap();
        (all.iter().any(|(key, _)| key == b"floe:layout"), shown.is_empty())
    };
    assert_eq!(keys(&file(&df, 10, None)), (false, true));
    let large = numbers(20_000, 3);
    assert_eq!(keys(&file(&large, 1_000, None)), (true, true));
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).with_layout(false).finish(&mut large.clone()).unwrap();
    assert_eq!(keys(&bytes), (false, true));
}

#[test]
fn statistics_of_the_footer_take_no_request_if_they_are_trusted() {
    run(async {
        let df = numbers(4_000, 2);
        let mut bytes = Vec::new();
        let mut writer = IpcWriter::new(&mut bytes).with_statistics(true).with_record_batch_size(500);
        writer.finish(&mut df.clone()).unwrap();
        let store = store_of(bytes.clone()).await;
        let expected = IpcIndex::from_bytes(bytes, IpcLimits::default()).unwrap();
        let expected = expected.statistics(1..8, &[1, 0]).unwrap();
        assert_eq!(expected.column("c0_min").unwrap().null_count(), 0);
        let options = IpcIndexOptions::default().with_trusted_statistics(true);
        let object = open(&store, options).await.unwrap();
        store.take_requests();
        assert_eq!(object.index().statistics(1..8, &[1, 0]).unwrap(), expected);
        assert!(store.take_requests().is_empty());
        let object = open(&store, IpcIndexOptions::default()).await.unwrap();
        assert!(object.index().statistics(1..8, &[1, 0]).is_err(), "there is nothing to hold them against");
    });
}
