//! Answers that are sent while they are computed: first bytes, back-pressure, cancelling, errors in the middle.

use std::io::Read;
use std::time::Duration;

use floe::lazy::IntoLazy;
use floe::prelude::*;
use polars_core::prelude::*;
use polars_lazy::frame::AllowedOptimizations;

use crate::support::*;

/// Rows of tables whose answers are larger than what sockets hold: 128 MB.
const MANY: i64 = 4_000_000;

#[test]
fn first_rows_arrive_before_the_query_ends() {
    let gate = Gate::new();
    let df = numbers(2_000_000);
    let server = Server::of_table("t", gate.table(df.clone(), 8));
    let mut connection = server.open("GET", &sql_path("SELECT * FROM t", ""), &[], b"");
    let mut start = vec![0; 300_000];
    connection.read_exact(&mut start).unwrap();
    // The gate is shut: most of the table has not been computed.
    assert_eq!(server.running(), 1);
    gate.open();
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).unwrap();
    start.extend(rest);
    assert!(Answer::parse(&start, false, true).frame().equals(&df));
    server.wait_for_running(0);
}

#[test]
fn a_client_that_does_not_read_holds_the_query_up_and_nobody_else() {
    let gate = Gate::new();
    gate.open();
    let mut limits = floe_serve::Limits::default();
    limits.concurrent_queries = 1;
    let catalog = floe_serve::Catalog::builder().limits(limits).build().unwrap();
    let server = Server::start(catalog.with_table("t", gate.table(numbers(MANY), usize::MAX)));
    let whole = {
        let answer = server.sql("SELECT count(*) AS n FROM t").frame();
        assert_eq!(answer.column("n").unwrap().get(0).unwrap().extract::<i64>(), Some(MANY));
        gate.count()
    };
    let mut slow = server.open("GET", &sql_path("SELECT * FROM t", ""), &[], b"");
    let mut byte = [0];
    slow.read_exact(&mut byte).unwrap();
    wait_until("the query waits for its client", || {
        server.get("/api/queries").json()["queries"][0]["state"] == "waiting_for_client"
    });
    std::thread::sleep(Duration::from_millis(300));
    let at = gate.count() - whole;
    // One byte at a time: the query stands still, and its slot is another's.
    for _ in 0..20 {
        slow.read_exact(&mut byte).unwrap();
        assert_eq!(server.sql("SELECT 1 AS a").frame().height(), 1);
    }
    // Sockets may take a little more meanwhile.
    assert!(gate.count() - whole <= at + 4);
    assert!(at < whole * 3 / 4, "{at} of {whole} frames were computed for a client that takes none");
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > usize::try_from(MANY * 32).unwrap());
    assert!(rest.ends_with(b"0\r\n\r\n"), "the last chunk");
    server.wait_for_running(0);
}

#[test]
fn a_client_that_leaves_cancels_its_query() {
    let gate = Gate::new();
    let server = Server::of_table("t", gate.table(numbers(MANY), 8));
    // In the middle of an answer.
    let mut reading = server.open("GET", &sql_path("SELECT * FROM t", ""), &[], b"");
    reading.read_exact(&mut [0; 1000]).unwrap();
    // And before the answer begins, in an aggregation that the gate holds up.
    let waiting = server.open("GET", &sql_path("SELECT sum(a) AS s FROM t", ""), &[], b"");
    server.wait_for_running(2);
    drop((waiting, reading));
    std::thread::sleep(Duration::from_millis(200));
    gate.open();
    server.wait_for_running(0);
    // The table has 40 frames or more, which each query would have computed.
    assert!(gate.count() < 70, "{} frames", gate.count());
}

#[test]
fn queries_are_cancelled_by_their_ids() {
    let gate = Gate::new();
    let server = Server::of_table("t", gate.table(numbers(MANY), 8));
    let mut reading = server.open("GET", &sql_path("SELECT * FROM t", ""), &[], b"");
    let mut start = vec![0; 1000];
    reading.read_exact(&mut start).unwrap();
    let waiting = server.open("GET", &sql_path("SELECT sum(b) AS s FROM t", ""), &[], b"");
    server.wait_for_running(2);
    let queries = server.get("/api/queries").json();
    let ids =
        queries["queries"].as_array().unwrap().iter().map(|query| query["id"].as_str().unwrap().to_owned());
    for id in ids.collect::<Vec<_>>() {
        assert_eq!(server.send("DELETE", &format!("/api/queries/{id}"), &[], b"").status, 204);
    }
    // The one that had not begun is an error, the other breaks off without an end.
    let mut rest = Vec::new();
    { waiting }.read_to_end(&mut rest).unwrap();
    assert_eq!(Answer::parse(&rest, false, true).error(409), "cancelled");
    let _ = reading.read_to_end(&mut start);
    assert!(!Answer::parse(&start, false, true).is_whole);
    gate.open();
    server.wait_for_running(0);
    for id in ["q0", "0", "q", "x", "q99999999999999999999999"] {
        assert_eq!(
            server.send("DELETE", &format!("/api/queries/{id}"), &[], b"").error(404),
            "query_not_found"
        );
    }
}

/// A part is never taken for the whole: neither HTTP nor the format ends.
#[test]
fn errors_after_the_first_byte_end_without_an_end() {
    let df = numbers(1_000_000);
    let fail = |frame: DataFrame| {
        let last = frame.column("a")?.get(frame.height() - 1)?.extract::<i64>();
        polars_ensure!(last < Some(900_000), ComputeError: "row 900,000 cannot be computed");
        Ok(frame)
    };
    let lf = df.lazy().map(fail, AllowedOptimizations::STREAMING, None, Some("FAILS"));
    let server = Server::of_table("t", lf);
    for format in ["arrows", "arrow", "csv", "ndjson", "parquet"] {
        let answer = server.get(&sql_path("SELECT * FROM t", &format!("&format={format}")));
        assert_eq!((answer.status, answer.is_whole), (200, false), "{format}");
        assert!(answer.body.len() > 1000, "{format}");
    }
    // It may break off between two messages, where a reader that is given bytes alone finds no fault. But it has no end.
    let answer = server.sql("SELECT * FROM t");
    assert!(!answer.is_whole && !answer.body.ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
    match IpcStreamReader::from_bytes(answer.body).finish() {
        Ok(part) => assert!(part.height() <= 900_000, "{}", part.height()),
        Err(error) => {
            assert!(matches!(floe::error_kind(&error), Some(floe::ErrorKind::Truncated { .. })), "{error}");
        },
    }
    server.wait_for_running(0);
}
