//! Limits: time, rows, memory, queries at a time, bytes of requests.

use std::io::Read;
use std::time::{Duration, Instant};

use floe::lazy::IntoLazy;
use floe_serve::{Catalog, Limits};
use polars_core::df;
use serde_json::json;

use crate::support::*;

fn server(change: impl Fn(&mut Limits), gate: &Gate) -> Server {
    let mut limits = Limits::default();
    change(&mut limits);
    let catalog = Catalog::builder().limits(limits).build().unwrap();
    let catalog = catalog.with_table("t", gate.table(numbers(4_000_000), 6));
    Server::start(catalog.with_table("small", mixed(100).lazy()))
}

#[test]
fn queries_that_take_too_long_end() {
    let gate = Gate::new();
    let server = server(|limits| limits.query_time = Duration::from_millis(1500), &gate);
    // After the first byte the answer breaks off.
    let answer = server.sql("SELECT * FROM t");
    assert_eq!((answer.status, answer.is_whole), (200, false));
    let start = Instant::now();
    assert_eq!(server.sql("SELECT sum(a) AS s FROM t").error(408), "timeout");
    assert!(start.elapsed() < Duration::from_secs(20));
    gate.open();
    server.wait_for_running(0);
    assert_eq!(server.sql("SELECT * FROM small").frame().height(), 100);
}

/// A join has many more rows than its tables, and an aggregation of it makes one frame, at its end.
#[test]
fn joins_without_an_end_are_ended() {
    let gate = Gate::new();
    let server = server(|limits| limits.query_time = Duration::from_millis(500), &gate);
    gate.open();
    for sql in [
        "SELECT count(*) AS n FROM t, t AS u",
        "SELECT max(t.a + u.b) AS m FROM t CROSS JOIN t AS u",
        "SELECT sum(t.a) AS s FROM t JOIN t AS u ON t.a % 3 = u.a % 3",
    ] {
        assert_eq!(server.sql(sql).error(408), "timeout", "{sql}");
        server.wait_for_running(0);
    }
    assert_eq!(
        server.sql("SELECT count(*) AS n FROM small, small AS s").frame(),
        df!("n" => [10_000u32]).unwrap()
    );
}

#[test]
fn answers_have_as_many_rows_as_they_may() {
    let gate = Gate::new();
    gate.open();
    let server = server(|limits| limits.rows = Some(100), &gate);
    assert_eq!(server.sql("SELECT * FROM small").frame().height(), 100);
    assert_eq!(server.sql("SELECT * FROM t").error(400), "too_many_rows");
    assert_eq!(server.get(&sql_path("SELECT * FROM t", "&limit=100")).frame().height(), 100);
    server.wait_for_running(0);
}

#[test]
fn a_full_queue_says_when_to_come_again() {
    let gate = Gate::new();
    let server = server(
        |limits| {
            limits.concurrent_queries = 1;
            limits.queued_queries = 2;
        },
        &gate,
    );
    let ask = || server.open("GET", &sql_path("SELECT sum(a) AS s FROM t", ""), &[], b"");
    let open: Vec<_> = (1..=3)
        .map(|number| {
            let connection = ask();
            server.wait_for_running(number);
            connection
        })
        .collect();
    let refused = server.sql("SELECT 1 AS a");
    assert_eq!(refused.error(429), "too_many_queries");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(server.get("/api/tables/small/summary").error(429), "too_many_queries");
    // Requests without a query need no slot.
    assert_eq!(server.get("/healthz").text(), "ok");
    gate.open();
    for mut connection in open {
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).unwrap();
        assert_eq!(Answer::parse(&bytes, false, true).frame().height(), 1);
    }
    server.wait_for_running(0);
    assert_eq!(server.sql("SELECT 1 AS a").frame().height(), 1);
}

#[test]
fn a_summary_takes_no_longer_than_a_query_may() {
    let gate = Gate::new();
    let server = server(|limits| limits.query_time = Duration::from_millis(200), &gate);
    let mut open = server.open("GET", "/api/tables/t/summary", &[], b"");
    std::thread::sleep(Duration::from_millis(500));
    gate.open();
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes).unwrap();
    assert_eq!(Answer::parse(&bytes, false, true).error(408), "timeout");
}

#[test]
fn open_answers_are_counted_too() {
    let gate = Gate::new();
    let server = server(|limits| limits.open_queries = 1, &gate);
    let open = server.open("GET", &sql_path("SELECT sum(a) AS s FROM t", ""), &[], b"");
    server.wait_for_running(1);
    assert_eq!(server.sql("SELECT 1 AS a").error(429), "too_many_queries");
    drop(open);
    gate.open();
    server.wait_for_running(0);
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let gate = Gate::new();
    gate.open();
    let server = server(|limits| limits.stall_time = Duration::from_millis(300), &gate);
    let mut open = server.open("GET", &sql_path("SELECT * FROM t", ""), &[], b"");
    open.read_exact(&mut [0; 100]).unwrap();
    server.wait_for_running(0);
    let mut rest = Vec::new();
    let _ = open.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_holds_too_much_takes_no_query() {
    let gate = Gate::new();
    let server = server(|limits| limits.memory = Some(1 << 20), &gate);
    let refused = server.sql("SELECT 1 AS a");
    assert_eq!(refused.error(503), "memory");
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn requests_and_texts_are_bounded() {
    let gate = Gate::new();
    let server = server(
        |limits| {
            limits.request_bytes = 1000;
            limits.sql_operators = 50;
        },
        &gate,
    );
    let long = format!("SELECT '{}' AS a", "x".repeat(2000));
    assert_eq!(server.post(&json!({"sql": long})).error(413), "request_too_large");
    assert_eq!(server.sql(&long).error(413), "sql_too_large");
    assert_eq!(server.sql(&format!("SELECT 1{} AS a", "+1".repeat(100))).error(400), "sql_too_large");
    let filter = format!("id > 1{}", " AND id > 1".repeat(60));
    assert_eq!(server.post(&json!({"table": "small", "filter": filter})).error(400), "sql_too_large");
    assert_eq!(server.sql("SELECT 1 AS a").frame().height(), 1);
}

/// As deep as the limit lets a query be: the planner's stack is enough, and so is the engine's.
#[test]
fn deep_queries_are_answered_or_refused() {
    let server = Server::of_table("small", mixed(100).lazy());
    let deep = [
        format!("SELECT id{} AS a FROM small", "+1".repeat(490)),
        format!("SELECT * FROM small WHERE id > 1{}", " AND id > 1".repeat(160)),
        format!("SELECT {}id{} AS a FROM small", "(".repeat(100), ")".repeat(100)),
        format!("SELECT id FROM small {}", " UNION ALL SELECT id FROM small".repeat(80)),
        format!("SELECT {}1{} AS a FROM small", "abs(".repeat(100), ")".repeat(100)),
    ];
    for sql in deep {
        let status = server.sql(&sql).status;
        assert!(matches!(status, 200 | 400), "{status}: {}", &sql[..60]);
        // Deeper ones are refused before anything walks them.
        let deeper = sql.replacen("SELECT ", &format!("SELECT 1{} AS b, ", "+1".repeat(100_000)), 1);
        assert_eq!(server.post(&json!({"sql": deeper})).error(400), "sql_too_large");
    }
    assert_eq!(server.sql("SELECT 1 AS a").frame().height(), 1);
}
