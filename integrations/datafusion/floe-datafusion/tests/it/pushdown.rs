//! Reads of columns, of batches, and of as many rows as a limit wants. The store counts them, and the scan does.

use datafusion::prelude::SessionConfig;
use floe_datafusion::FloeOptions;
use polars_core::prelude::*;

use crate::support::{Session, file, frame, metric, ordered, stream};

/// Ten batches of a thousand rows, far larger than what is read of a file to open it.
async fn ten_batches() -> Session {
    let session = Session::new();
    session.put("t.arrow", file(&ordered(10_000), 1000)).await;
    let options = FloeOptions { tail_bytes: 16 << 10, gap_bytes: 0, ..FloeOptions::default() };
    session.table_with("t.arrow", options).await.unwrap();
    session
}

#[tokio::test]
async fn counts_and_bounds_are_in_the_footer() {
    let session = ten_batches().await;
    let (requests, bytes) = session.take_counts();
    assert!(requests <= 2 && bytes < 64 << 10, "to open it: {requests} requests, {bytes} bytes");
    for (sql, answer) in [
        ("SELECT count(*) FROM t", "10000"),
        ("SELECT min(n), max(n) FROM t", "0 9999"),
        ("SELECT count(text) FROM t", "10000"),
    ] {
        assert_eq!(session.text(sql).await, answer);
        assert_eq!(session.take_counts(), (0, 0), "{sql}");
    }
}

#[tokio::test]
async fn only_the_columns_that_are_wanted_are_read() {
    let session = ten_batches().await;
    session.take_counts();
    assert_eq!(session.text("SELECT sum(n) FROM t").await, "49995000");
    let (_, one) = session.take_counts();
    session.query("SELECT * FROM t").await.unwrap();
    let (_, all) = session.take_counts();
    assert!(one < 80 << 10 && all > 10 * one, "{one} bytes of one column, {all} of all");
}

#[tokio::test]
async fn batches_that_cannot_have_a_row_are_left_out() {
    let session = ten_batches().await;
    for (filter, rows, read) in [
        ("n = 4321", 1, 1),
        ("n >= 8500", 1500, 2),
        ("n < 10 OR n > 9990", 19, 2),
        ("n IN (5, 2005, 9005)", 3, 3),
        ("text = 'text 001500'", 1, 1),
        ("text > 'text 009'", 1000, 1),
        ("n IS NULL", 0, 0),
        ("n < 0", 0, 0),
        // Categories have no order, so nothing is known of them.
        ("category = 'category 3'", 1000, 10),
        ("n + 0 >= 0", 10_000, 10),
    ] {
        let (plan, answer) = session.run(&format!("SELECT count(noise) FROM t WHERE {filter}")).await;
        assert_eq!(answer, rows.to_string(), "{filter}");
        assert_eq!(metric(&plan, "batches_read"), read, "{filter}");
        assert_eq!(metric(&plan, "batches_pruned"), 10 - read, "{filter}");
    }
}

#[tokio::test]
async fn statistics_that_are_not_trusted_leave_nothing_out() {
    let session = Session::new();
    session.put("t.arrow", file(&ordered(10_000), 1000)).await;
    session.table_with("t.arrow", FloeOptions { statistics: false, ..FloeOptions::default() }).await.unwrap();
    let (plan, answer) = session.run("SELECT count(noise) FROM t WHERE n = 4321").await;
    assert_eq!((answer.as_str(), metric(&plan, "batches_read")), ("1", 10));
    assert_eq!(session.text("SELECT min(n), max(n) FROM t").await, "0 9999");
}

#[tokio::test]
async fn enough_rows_end_a_read() {
    for bytes in [file(&ordered(10_000), 1000), stream(&ordered(10_000), 1000)] {
        let session = Session::of(bytes).await;
        assert_eq!(session.text("SELECT n FROM t LIMIT 3").await, "0\n1\n2");
        assert_eq!(session.text("SELECT count(*) FROM (SELECT n FROM t LIMIT 2500)").await, "2500");
        assert_eq!(session.text("SELECT n FROM t LIMIT 2 OFFSET 4000").await, "4000\n4001");
        assert_eq!(session.text("SELECT n FROM t WHERE n % 1000 = 999 LIMIT 3").await, "999\n1999\n2999");
    }
    let session = ten_batches().await;
    let (plan, _) = session.run("SELECT noise FROM t LIMIT 1500").await;
    assert_eq!(metric(&plan, "batches_read"), 2);
}

/// Each batch is read by one of the partitions that share a file.
#[tokio::test]
async fn partitions_share_a_file() {
    let config = SessionConfig::new().with_target_partitions(4).with_repartition_file_min_size(1);
    let session = Session::with(config);
    session.put("t.arrow", file(&ordered(10_000), 1000)).await;
    session.table("t.arrow").await.unwrap();
    let (plan, answer) = session.run("SELECT sum(n), count(noise) FROM t").await;
    assert_eq!((answer.as_str(), metric(&plan, "batches_read")), ("49995000 10000", 10));
    session.put("t.arrow", stream(&ordered(10_000), 1000)).await;
    session.table("t.arrow").await.unwrap();
    assert_eq!(session.text("SELECT sum(n), count(noise) FROM t").await, "49995000 10000");
}

/// Filters that a join makes while it runs.
#[tokio::test]
async fn the_keys_of_a_join_leave_batches_out() {
    let session = ten_batches().await;
    session.query("CREATE TABLE few AS VALUES (4001), (4002)").await.unwrap();
    let sql = "SELECT count(t.noise) FROM few JOIN t ON few.column1 = t.n";
    let (plan, answer) = session.run(sql).await;
    assert_eq!(answer, "2");
    assert_eq!(metric(&plan, "batches_read") + metric(&plan, "batches_pruned"), 10);
}

#[tokio::test]
async fn expressions_and_order_of_columns() {
    let df = frame(vec![
        Column::new("a".into(), [1i64, 2, 3]),
        Column::new("b".into(), ["x", "y", "z"]),
        Column::new("c".into(), [0.5f64, 1.5, 2.5]),
    ]);
    for bytes in [file(&df, 2), stream(&df, 2)] {
        let session = Session::of(bytes).await;
        assert_eq!(session.text("SELECT c, a FROM t").await, "0.5 1\n1.5 2\n2.5 3");
        assert_eq!(session.text("SELECT a + 1, a * 2, b || '!' FROM t WHERE c > 1").await, "3 4 y!\n4 6 z!");
        assert_eq!(session.text("SELECT 7 FROM t").await, "7\n7\n7");
    }
}
