//! Frames there and back.

use floe::prelude::{CompatLevel, IpcCompression};
use floe_flight::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::equal::assert_frames_equal;
use futures_util::{StreamExt, TryStreamExt, stream};
use polars_core::prelude::*;

use crate::store::*;

async fn put(client: &FlightClient, name: &str, df: &DataFrame) -> Vec<bytes::Bytes> {
    let results = client.put(path(name), df.clone()).await.expect("a put");
    results.try_collect().await.expect("results")
}

/// A frame for each dtype, with rows and without.
fn every_dtype() -> Vec<(String, DataFrame)> {
    let mut arbitrary = Arbitrary::new(23);
    let mut frames = Vec::new();
    for (name, dtype) in dtypes() {
        for rows in [0, 1, 67] {
            let df = arbitrary.frame_of(&[("column".into(), dtype.clone())], rows);
            frames.push((format!("{name}-{rows}"), df));
        }
    }
    frames
}

fn options(level: CompatLevel, compression: Option<IpcCompression>) -> FlightOptions {
    FlightOptions::new().with_compat_level(level).with_compression(compression)
}

#[test]
fn every_dtype_comes_back() {
    run(async {
        let frames = every_dtype();
        assert!(frames.len() > 150, "{}", frames.len());
        let codecs = [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(Default::default()))];
        for (level, compression) in [CompatLevel::oldest(), CompatLevel::newest()].into_iter().zip(codecs) {
            let options = options(level, compression);
            let uri = serve(FlightServer::new(Store::default()).with_options(options.clone())).await;
            let client =
                FlightConnector::new(uri).with_options(options).connect().await.expect("a connection");
            for (name, df) in &frames {
                put(&client, name, df).await;
                let back = client.read(path(name)).await.expect(name);
                assert_frames_equal(&back, df);
                let schema = client.schema(path(name)).await.expect(name);
                assert_eq!(&schema, df.schema().as_ref(), "{name}");
            }
        }
    });
}

#[test]
fn whole_frames_of_any_schema_come_back_by_exchange() {
    run(async {
        let mut arbitrary = Arbitrary::new(5);
        let options = options(CompatLevel::newest(), Some(IpcCompression::ZSTD(Default::default())));
        let uri = serve(FlightServer::new(Store::default()).with_options(options)).await;
        let client = FlightClient::connect(uri).await.expect("a connection");
        for _ in 0..60 {
            let df = arbitrary.frame();
            let mut back = client.exchange(path("any"), df.clone()).await.expect("an exchange");
            if df.height() == 0 {
                // Frames alone are echoed, and there is none.
                assert!(back.next_frame().await.is_none());
                continue;
            }
            assert_frames_equal(&back.collect().await.expect("frames"), &df);
        }
    });
}

#[test]
fn what_is_put_is_listed_and_named() {
    run(async {
        let client = client_of(Store::default()).await;
        let df = numbers(10);
        assert_eq!(put(&client, "first", &df).await, ["1 frames"]);
        put(&client, "second", &df).await;

        let infos = client.list("").await.expect("a list");
        assert_eq!(infos.len(), 2);
        assert_eq!(infos[0].flight_descriptor, Some(path("first")));
        assert_eq!((infos[0].total_records, infos[0].total_bytes), (10, -1));
        assert_eq!(infos[0].app_metadata, "kept");
        assert_eq!(&infos[0].polars_schema().expect("a schema"), df.schema().as_ref());
        assert_eq!(client.list("sec").await.expect("a list").len(), 1);

        let missing = client.read(path("third")).await.expect_err("no such table");
        assert_eq!(missing.code(), tonic::Code::NotFound);
        assert!(missing.to_string().contains("no table third"), "{missing}");
    });
}

#[test]
fn actions_and_handshakes_are_the_services_own() {
    run(async {
        let client = client_of(Store::default()).await;
        assert_eq!(client.actions().await.expect("actions")[0].r#type, "echo");
        assert_eq!(client.action("echo", "hey").await.expect("results"), ["hey", "hey"]);
        assert_eq!(client.action("other", "").await.expect_err("unknown").code(), tonic::Code::Unimplemented);
        assert_eq!(client.handshake("me").await.expect("an answer"), "hello, me");
    });
}

#[test]
fn a_service_answers_by_default_that_it_does_not() {
    struct Nothing;
    impl FrameService for Nothing {}
    run(async {
        let client = client_of(Nothing).await;
        let df = numbers(3);
        let errors = [
            client.list("").await.err(),
            client.info(path("a")).await.err(),
            client.schema(path("a")).await.err(),
            client.get(Ticket::new("a")).await.err(),
            client.put(path("a"), df.clone()).await.err(),
            client.exchange(path("a"), df).await.err(),
            client.action("a", "").await.err(),
            client.handshake("").await.err(),
        ];
        for error in errors {
            assert_eq!(error.expect("an error").code(), tonic::Code::Unimplemented);
        }
        assert!(client.actions().await.expect("none").is_empty());
    });
}

#[test]
fn metadata_of_the_application_travels_with_and_without_frames() {
    run(async {
        let client = client_of(Store::default()).await;
        let df = numbers(4);
        let sent = vec![
            FlightFrame::metadata("begin"),
            FlightFrame::from(df.clone()).with_app_metadata("one"),
            FlightFrame::from(df.clone()),
            FlightFrame::from(df.clear()).with_app_metadata("no rows"),
            FlightFrame::metadata("end"),
        ];
        let frames = FrameStream::without_schema(stream::iter(sent.into_iter().map(FlightResult::Ok)));
        let back = client.exchange(path("a"), frames).await.expect("an exchange");
        let back: Vec<_> = back.map(|frame| frame.expect("a frame")).collect().await;
        let seen: Vec<_> =
            back.iter().map(|f| (f.df.as_ref().map(DataFrame::height), f.app_metadata.as_ref())).collect();
        let expected: [(Option<usize>, &[u8]); 5] =
            [(None, b"begin"), (Some(4), b"one"), (Some(4), b""), (None, b"no rows"), (None, b"end")];
        assert_eq!(seen, expected);
    });
}

#[test]
fn metadata_of_a_put_reaches_the_service() {
    run(async {
        let store = Store::default();
        let client = client_of(store.clone()).await;
        let parts = ["first", "second"]
            .map(|name| FlightResult::Ok(FlightFrame::from(numbers(3)).with_app_metadata(name)));
        let frames = FrameStream::new(numbers(3).schema().clone(), stream::iter(parts));
        let results = client.put(path("a"), frames).await.expect("a put");
        assert_eq!(results.try_collect::<Vec<_>>().await.expect("results"), ["2 frames"]);
        assert_eq!(store.notes(), ["first", "second"]);
    });
}

#[test]
fn growing_categories_come_back() {
    let categories = |words: &[&str]| {
        let column = Column::new("c".into(), words.to_vec());
        let dtype = DataType::from_categories(Categories::global());
        DataFrame::new(words.len(), vec![column.cast(&dtype).expect("categories")]).expect("a frame")
    };
    let frames =
        [categories(&["a", "b"]), categories(&["b", "c", "a"]), categories(&["d"]), categories(&["a"])];
    run(async {
        for deltas in [false, true] {
            let options = FlightOptions::new().with_dictionary_deltas(deltas);
            let uri = serve(FlightServer::new(Store::default()).with_options(options.clone())).await;
            let client =
                FlightConnector::new(uri).with_options(options).connect().await.expect("a connection");
            let stream = stream::iter(frames.clone().map(FlightResult::Ok));
            let stream = FrameStream::new(frames[0].schema().clone(), stream);
            let results = client.put(path("c"), stream).await.expect("a put");
            assert_eq!(results.try_collect::<Vec<_>>().await.expect("results"), ["4 frames"]);
            let mut back = client.get(Ticket::new("c")).await.expect("frames");
            for df in &frames {
                let frame = back.next_frame().await.expect("a frame").expect("valid");
                assert_frames_equal(&frame.df.expect("rows"), df);
            }
            assert!(back.next_frame().await.is_none());
        }
    });
}

#[test]
fn no_frames_are_a_schema() {
    run(async {
        let client = client_of(Store::default()).await;
        let schema = numbers(1).schema().clone();
        let results = client.put(path("none"), FrameStream::empty(schema.clone())).await.expect("a put");
        assert_eq!(results.try_collect::<Vec<_>>().await.expect("results"), ["0 frames"]);
        let df = client.read(path("none")).await.expect("a frame");
        assert_eq!((df.shape(), df.schema()), ((0, 1), &schema));
    });
}
