//! Messages that are broken, or come in the wrong order: errors, and no panic.

use bytes::Bytes;
use floe::prelude::IpcCompression;
use floe_flight::protocol::flight_service_client::FlightServiceClient;
use floe_flight::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::equal::touch;
use futures_util::stream;
use polars_core::prelude::*;
use tonic::Code;

use crate::store::*;

fn messages(df: &DataFrame, options: &FlightOptions) -> Vec<FlightData> {
    let mut encoder = FlightEncoder::new(df.schema(), options).expect("an encoder");
    let mut messages = vec![encoder.schema(Some(path("broken"))).expect("the schema")];
    messages.extend(encoder.encode(df).expect("messages"));
    messages
}

fn frame() -> DataFrame {
    let columns: Vec<_> = dtypes().into_iter().map(|(name, dtype)| (name.into(), dtype)).collect();
    Arbitrary::new(99).frame_of(&columns, 20)
}

/// Pushes all, and touches every value of what comes out.
fn decode(messages: impl IntoIterator<Item = FlightData>) -> PolarsResult<usize> {
    let mut decoder = FlightDecoder::new();
    let mut frames = 0;
    for data in messages {
        if let Some(df) = decoder.push(data)?.and_then(|frame| frame.df) {
            touch(&df);
            frames += 1;
        }
    }
    Ok(frames)
}

#[track_caller]
fn assert_error(messages: impl IntoIterator<Item = FlightData>, parts: &[&str]) {
    let error = decode(messages).expect_err("an error").to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn wrong_orders_are_told() {
    let all = messages(&numbers(10), &FlightOptions::new());
    let (schema, batch) = (all[0].clone(), all[1].clone());
    assert_eq!(decode(all).expect("valid"), 1);
    assert_error([batch.clone()], &["message 1", "schema"]);
    assert_error([schema.clone(), batch.clone(), schema.clone()], &["message 3"]);

    let words = Column::new("c".into(), ["a", "b"]).cast(&DataType::from_categories(Categories::global()));
    let df = DataFrame::new(2, vec![words.expect("categories")]).expect("a frame");
    let with_dictionary = messages(&df, &FlightOptions::new());
    assert_eq!(with_dictionary.len(), 3);
    assert_error([with_dictionary[0].clone(), with_dictionary[2].clone()], &["message 2", "dictionary"]);
    // Nothing goes on behind an error.
    let mut decoder = FlightDecoder::new();
    decoder.push(batch.clone()).expect_err("no schema");
    let error = decoder.push(schema).expect_err("poisoned").to_string();
    assert!(error.contains("earlier"), "{error}");
}

#[test]
fn bodies_have_the_length_that_headers_say() {
    let all = messages(&numbers(100), &FlightOptions::new());
    let (schema, batch) = (all[0].clone(), all[1].clone());
    let body = batch.data_body.clone().into_bytes();
    for len in [0, 1, 4, 8, 64, body.len() - 1] {
        let short = FlightData { data_body: body.slice(..len).into(), ..batch.clone() };
        assert_error([schema.clone(), short], &["message 2", &format!("it has {len}")]);
    }
    let long = Bytes::from([body.as_ref(), &[0; 8]].concat());
    assert_error([schema.clone(), FlightData { data_body: long.into(), ..batch.clone() }], &["message 2"]);
    assert_error([FlightData { data_body: body.into(), ..schema.clone() }], &["message 1"]);
    let headless = FlightData { data_header: Bytes::new(), ..batch };
    assert_error([schema, headless], &["message 2", "no header"]);
}

#[test]
fn cut_headers_are_errors() {
    let good = messages(&frame(), &FlightOptions::new());
    for (index, data) in good.iter().enumerate() {
        let step = (data.data_header.len() / 15).max(1);
        for len in (1..data.data_header.len()).step_by(step) {
            let mut all = good.clone();
            all[index].data_header = data.data_header.slice(..len);
            // Padding may be missing.
            let _ = decode(all);
        }
        let mut all = good.clone();
        all[index].data_header = data.data_header.slice(..data.data_header.len() / 2);
        assert_error(all, &[&format!("message {}", index + 1)]);
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let df = frame();
    let codecs = [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(Default::default()))];
    let mut seed = 1u64;
    let mut next = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("31 bits") % below.max(1)
    };
    let mut errors = 0;
    for compression in codecs {
        let good = messages(&df, &FlightOptions::new().with_compression(compression));
        for _ in 0..150 {
            let mut all = good.clone();
            let index = next(all.len());
            let data = &mut all[index];
            if next(2) == 0 || data.data_body.is_empty() {
                let mut header = data.data_header.to_vec();
                let at = next(header.len());
                header[at] ^= 1 << next(8);
                data.data_header = header.into();
            } else {
                let mut body = data.data_body.clone().into_bytes().to_vec();
                let at = next(body.len());
                body[at] ^= 1 << next(8);
                data.data_body = body.into();
            }
            errors += usize::from(decode(all).is_err());
        }
    }
    assert!(errors > 50, "only {errors} of 450 were noticed");
}

#[test]
fn limits_hold() {
    let df = numbers(100_000);
    let limits = floe::IpcLimits { max_total_bytes: 1000, ..floe::IpcLimits::default() };
    let mut decoder = FlightDecoder::new().with_limits(limits);
    let results: Vec<_> = messages(&df, &FlightOptions::new().with_compression(Some(IpcCompression::LZ4)))
        .into_iter()
        .map(|data| decoder.push(data))
        .collect();
    assert!(results.iter().any(Result::is_err), "{results:?}");
}

#[test]
fn a_server_answers_broken_puts_and_goes_on() {
    run(async {
        let store = Store::default();
        let uri = serve(FlightServer::new(store.clone())).await;
        let mut raw = FlightServiceClient::connect(uri.clone()).await.expect("a connection");
        let good = messages(&numbers(10), &FlightOptions::new());
        let mut cut = good.clone();
        cut[1].data_body = cut[1].data_body.clone().into_bytes().slice(..8).into();
        let mut garbage = good.clone();
        garbage[0].data_header = vec![0xFF; 100].into();
        let mut nameless = good.clone();
        nameless[0].flight_descriptor = None;
        for broken in [Vec::new(), nameless, cut, garbage, vec![good[0].clone(), good[0].clone()]] {
            let code = match raw.do_put(stream::iter(broken.clone())).await {
                Ok(response) => {
                    let mut results = response.into_inner();
                    loop {
                        match results.message().await {
                            Ok(Some(_)) => {},
                            Ok(None) => panic!("{broken:?} was taken"),
                            Err(status) => break status.code(),
                        }
                    }
                },
                Err(status) => status.code(),
            };
            assert!(matches!(code, Code::InvalidArgument | Code::Internal), "{code}");
        }
        assert!(store.tables.lock().expect("no panic").is_empty());
        raw.do_put(stream::iter(good)).await.expect("a put that is whole");
    });
}

#[test]
fn a_client_tells_what_a_broken_server_sends() {
    struct Broken;
    impl FrameService for Broken {
        async fn get(&self, _: Ticket) -> FlightResult<FrameStream> {
            // No schema, no frame: nothing at all.
            Ok(FrameStream::without_schema(stream::empty::<FlightResult<FlightFrame>>()))
        }
    }
    run(async {
        let client = client_of(Broken).await;
        let error =
            client.get(Ticket::new("")).await.expect("a stream").collect().await.expect_err("no schema");
        assert!(error.to_string().contains("without a schema"), "{error}");
    });
}
