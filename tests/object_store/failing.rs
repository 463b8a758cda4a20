//! Stores that fail: the result is right, or there is the right error.

use std::io::ErrorKind;

use floe::cloud::{AsyncIpcWriter, ObjectFile};
use floe_tests::equal::assert_frames_equal;

use super::watched::Fault;
use super::*;

/// Opens and reads, while the request of some number fails.
async fn read_with(store: &Arc<Watched>, number: usize, fault: Fault) -> PolarsResult<DataFrame> {
    store.fail(move |n, _| (n == number).then_some(fault));
    let result = async {
        let options = IpcIndexOptions::default().with_tail_bytes(2 << 10).with_gap_bytes(0);
        open(store, options).await?.read().concurrency(4).collect().await
    };
    result.await
}

#[test]
fn whichever_request_fails_the_error_says_so() {
    run(async {
        let df = frame(4_000);
        let store = store_of(file(&df, 1_000, None)).await;
        store.fail(|_, _| None);
        assert_frames_equal(&read_with(&store, usize::MAX, Fault::Late).await.unwrap(), &df);
        let requests = store.take_requests().len();
        assert!(requests > 8, "{requests}");
        for number in 0..requests {
            for (fault, kind, text) in [
                (Fault::Unavailable, ErrorKind::Other, "503"),
                (Fault::Broken(100), ErrorKind::Other, "503"),
                (Fault::Cut(7), ErrorKind::UnexpectedEof, "cut off: 7 of"),
                (Fault::Cut(0), ErrorKind::UnexpectedEof, "cut off: 0 of"),
                (Fault::Short, ErrorKind::UnexpectedEof, "asked for bytes"),
            ] {
                let error = match read_with(&store, number, fault).await {
                    Err(error) => error,
                    Ok(read) => {
                        // All that was asked for had come before the body broke off.
                        assert_eq!(fault, Fault::Broken(100), "request {number}");
                        assert_frames_equal(&read, &df);
                        continue;
                    },
                };
                let found = match &error {
                    PolarsError::IO { error, .. } => error.kind(),
                    _ => panic!("{error}"),
                };
                assert_eq!(found, kind, "request {number}, {fault:?}: {error}");
                assert!(error.to_string().starts_with("a.arrow: "), "{error}");
                assert!(error.to_string().contains(text), "request {number}, {fault:?}: {error}");
            }
        }
        store.fail(|_, _| Some(Fault::Late));
        let object = open(&store, IpcIndexOptions::default().with_tail_bytes(0)).await.unwrap();
        assert_frames_equal(&object.read().collect().await.unwrap(), &df);
        store.fail_no_more();
        assert_frames_equal(&object.read().collect().await.unwrap(), &df);
    });
}

/// Writes an object of several parts.
async fn write(store: &Arc<Watched>, df: &DataFrame) -> PolarsResult<()> {
    let file = ObjectFile::create(Arc::<Watched>::clone(store), "a.arrow");
    let file = file.with_part_bytes(10_000).with_parts_in_flight(2);
    let mut writer = AsyncIpcWriter::new(file).with_record_batch_size(500);
    writer.write_batch(df).await?;
    writer.finish().await?;
    writer.into_inner().commit().await?;
    Ok(())
}

#[test]
fn whichever_part_fails_the_old_object_stays() {
    run(async {
        let (old, new) = (frame(10), frame(2_000));
        let store = store_of(file(&old, 10, None)).await;
        let current = || async {
            store.fail_no_more();
            let object = open(&store, IpcIndexOptions::default()).await.unwrap();
            let df = object.read().collect().await.unwrap();
            (df, store.take_requests())
        };
        store.fail(|_, what| (what == "complete").then_some(Fault::Unavailable));
        write(&store, &new).await.unwrap_err();
        let (df, requests) = current().await;
        assert_frames_equal(&df, &old);
        let parts = requests.iter().filter(|request| matches!(request, watched::Request::Part(_))).count();
        assert!(parts > 3, "{requests:?}");
        for number in 0..parts + 2 {
            store.fail(move |n, _| (n == number).then_some(Fault::Unavailable));
            let error = write(&store, &new).await.unwrap_err();
            assert!(error.to_string().contains("503") || error.to_string().contains("earlier"), "{error}");
            tokio::task::yield_now().await;
            let (df, requests) = current().await;
            assert_frames_equal(&df, &old);
            let aborted = requests.contains(&watched::Request::Abort);
            assert_eq!(aborted, number > 0, "request {number}: {requests:?}");
        }
        store.fail(|_, _| Some(Fault::Late));
        write(&store, &new).await.unwrap();
        assert!(store.most_in_flight() <= 2);
        assert_frames_equal(&current().await.0, &new);
    });
}
