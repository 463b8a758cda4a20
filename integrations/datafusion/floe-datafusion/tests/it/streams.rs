//! Streams: in pieces, one behind another, with growing dictionaries, beside files.

use floe::prelude::*;
use polars_core::prelude::*;

use crate::support::{Session, categorical, file, frame, ordered, stream};

#[tokio::test]
async fn streams_count_group_and_sort() {
    let session = Session::of(stream(&ordered(5000), 700)).await;
    assert_eq!(session.text("SELECT count(*) FROM t").await, "5000");
    assert_eq!(
        session.text("SELECT sum(n), min(text), max(text) FROM t").await,
        "12497500 text 000000 text 004999"
    );
    let grouped =
        session.text("SELECT category, count(*) FROM t GROUP BY category ORDER BY category LIMIT 2").await;
    assert_eq!(grouped, "category 0 500\ncategory 1 500");
}

/// More than one piece, and messages that lie across pieces.
#[tokio::test]
async fn a_stream_of_many_pieces() {
    let df = ordered(20_000);
    let bytes = stream(&df, 3000);
    assert!(bytes.len() > 2 << 20, "{} bytes", bytes.len());
    let session = Session::of(bytes).await;
    assert_eq!(session.text("SELECT count(noise), sum(n) FROM t").await, "20000 199990000");
}

#[tokio::test]
async fn dictionaries_that_grow() {
    for deltas in [false, true] {
        let mut bytes = Vec::new();
        let of = |values: &[&str]| frame(vec![Column::new("c".into(), values).cast(&categorical()).unwrap()]);
        let frames = [of(&["a", "b"]), of(&["b", "a category of many bytes"]), of(&["d", "a"])];
        let writer = IpcStreamWriter::new(&mut bytes).with_dictionary_deltas(deltas);
        let mut writer = writer.batched(frames[0].schema()).unwrap();
        for frame in &frames {
            writer.write_batch(frame).unwrap();
        }
        writer.finish().unwrap();
        drop(writer);
        let session = Session::of(bytes).await;
        let counted = session.text("SELECT c, count(*) FROM t GROUP BY c ORDER BY c").await;
        assert_eq!(counted, "a 2\na category of many bytes 1\nb 2\nd 1");
    }
}

#[tokio::test]
async fn streams_one_behind_another() {
    let mut bytes = stream(&ordered(1000), 300);
    bytes.extend(stream(&ordered(500), 300));
    let session = Session::of(bytes).await;
    assert_eq!(session.text("SELECT count(*), sum(n) FROM t").await, "1500 624250");
}

#[tokio::test]
async fn files_and_streams_in_one_folder() {
    let session = Session::new();
    session.put("t/a.arrow", file(&ordered(1000), 300)).await;
    session.put("t/b.arrow", stream(&ordered(500), 300)).await;
    session.put("t/readme.txt", b"not Arrow".to_vec()).await;
    session.table("t/").await.unwrap();
    assert_eq!(session.text("SELECT count(*), sum(n) FROM t").await, "1500 624250");
    let grouped =
        session.text("SELECT category, count(*) FROM t GROUP BY category ORDER BY category LIMIT 1").await;
    assert_eq!(grouped, "category 0 150");
}
