//! The requests that opening an object takes.

use floe_tests::equal::assert_frames_equal;

use super::watched::Request;
use super::*;

#[test]
fn a_file_of_floe_takes_one_request_or_two_whatever_its_size() {
    run(async {
        for (rows, rows_per_batch, most) in [(10, 10, 1), (200_000, 10_000, 1), (200_000, 20, 2)] {
            let df = numbers(rows, 2);
            let bytes = file(&df, rows_per_batch, None);
            let store = store_of(bytes.clone()).await;
            let object = open(&store, IpcIndexOptions::default()).await.unwrap();
            let (requests, read) = store.take_gets();
            assert!(requests <= most, "{rows} rows, {rows_per_batch} each: {requests} requests");
            assert!(read <= (256 << 10) + bytes.len() as u64 / 2, "{read} bytes");
            assert_eq!((object.num_rows(), object.num_record_batches()), (rows, rows / rows_per_batch));
            assert_eq!(object.meta().size, bytes.len() as u64);
            assert_eq!(&object.schema().unwrap(), &**df.schema());
        }
    });
}

#[test]
fn a_file_of_others_takes_its_end_and_runs_of_heads() {
    run(async {
        let (df, bytes) = foreign_file(300, 1_000);
        let store = store_of(bytes).await;
        // Heads are 8,000 bytes apart: one run of all.
        let object = open(&store, IpcIndexOptions::default()).await.unwrap();
        assert!(store.take_requests().len() <= 3);
        assert_eq!(object.num_record_batches(), 300);
        // Heads are known, so that reading takes one request for each group of batches.
        assert_frames_equal(&object.read().collect().await.unwrap(), &df);
        let (requests, read) = store.take_gets();
        assert!(requests <= 2 && read < 300 * 8_400, "{requests} requests, {read} bytes");
        // Without gaps each head by itself, and nothing else.
        let options = IpcIndexOptions::default().with_gap_bytes(0).with_tail_bytes(16 << 10);
        open(&store, options).await.unwrap();
        let (requests, read) = store.take_gets();
        assert!(requests >= 300 && read < 200_000, "{requests} requests, {read} bytes");
        // Some at a time: one after another takes as many round trips, all at once is too much for a server.
        let most = store.most_in_flight();
        assert!((8..=16).contains(&most), "{most} requests at a time");
    });
}

#[test]
fn streams_are_opened_too() {
    run(async {
        let df = frame(5_000);
        let store = store_of(stream(&df, 1_000)).await;
        for tail in [0, 1 << 10, 256 << 10] {
            let object = open(&store, IpcIndexOptions::default().with_tail_bytes(tail)).await.unwrap();
            assert_eq!((object.num_rows(), object.num_record_batches()), (5_000, 5));
            assert_frames_equal(&object.read().collect().await.unwrap(), &df);
        }
    });
}

#[test]
fn a_store_without_suffixes_is_asked_for_the_length_first() {
    run(async {
        let df = frame(3_000);
        let store = store_of(file(&df, 1_000, None)).await;
        store.forget_suffixes();
        let object = open(&store, IpcIndexOptions::default()).await.unwrap();
        let requests = store.take_requests();
        assert!(matches!(&*requests, [Request::Head, Request::Get(_)]), "{requests:?}");
        assert_frames_equal(&object.read().collect().await.unwrap(), &df);
    });
}

#[test]
fn what_is_no_file_is_an_error_that_names_the_object() {
    run(async {
        let good = file(&frame(2_000), 500, None);
        let cases: [(Vec<u8>, &str); 5] = [
            (Vec::new(), "empty"),
            (b"PAR1 this is none".to_vec(), "Parquet"),
            (good[..good.len() - 1].to_vec(), ""),
            (good[..good.len() / 2].to_vec(), ""),
            (vec![0; 300 << 10], ""),
        ];
        for (bytes, text) in cases {
            for tail in [16, 256 << 10] {
                let store = store_of(bytes.clone()).await;
                let error = open(&store, IpcIndexOptions::default().with_tail_bytes(tail)).await;
                let error = error.unwrap_err().to_string();
                assert!(error.starts_with("a.arrow: ") && error.contains(text), "{error}");
            }
        }
        let store = Watched::new(InMemory::new());
        let error = open(&store, IpcIndexOptions::default()).await.unwrap_err();
        assert!(
            matches!(&error, PolarsError::IO { error, .. } if error.kind() == std::io::ErrorKind::NotFound)
        );
        assert!(error.to_string().contains("a.arrow"), "{error}");
        assert_eq!(store.take_requests().len(), 0);
    });
}

#[test]
fn limits_and_types_are_those_of_the_options() {
    run(async {
        let store = store_of(file(&frame(10), 10, None)).await;
        let limits = IpcLimits { max_buffers: 1, ..IpcLimits::default() };
        let object = open(&store, IpcIndexOptions::default().with_limits(limits)).await.unwrap();
        assert!(object.read().collect().await.is_err());
        let types = TypeOptions::default().with_text_as_binary(["text"]);
        let object = open(&store, IpcIndexOptions::default().with_types(types)).await.unwrap();
        assert_eq!(object.schema().unwrap().get("text"), Some(&DataType::Binary));
        let df = object.read().columns(["text"]).collect().await.unwrap();
        assert_eq!(df.dtypes(), [DataType::Binary]);
    });
}
