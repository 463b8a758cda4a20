//! Answers in every format, compared by value with the query collected here.

use floe::lazy::{IntoLazy, LazyFrame};
use floe::prelude::*;
use floe_serve::Catalog;
use polars_core::prelude::*;
use polars_io::prelude::{CsvReadOptions, JsonFormat, JsonReader, ParquetReader};
use polars_sql::SQLContext;
use serde_json::json;

use crate::support::*;

const SQL: &str = "SELECT * FROM t WHERE id % 2 = 1 ORDER BY id DESC";

fn expected(lf: LazyFrame, sql: &str) -> DataFrame {
    let mut context = SQLContext::new();
    context.register("t", lf);
    context.execute(sql).unwrap().collect().unwrap()
}

fn server() -> (Server, DataFrame) {
    let df = mixed(1000);
    let expected = expected(df.clone().lazy(), SQL);
    (Server::of_table("t", df.lazy()), expected)
}

#[test]
fn arrow_streams_by_default_with_dictionaries() {
    let (server, expected) = server();
    let answer = server.sql(SQL);
    assert_eq!(answer.header("content-type"), Some("application/vnd.apache.arrow.stream"));
    assert!(answer.header("x-floe-query-id").unwrap().starts_with('q'));
    assert!(answer.frame().equals_missing(&expected));
    assert_eq!(
        answer.frame().column("carrier").unwrap().dtype(),
        expected.column("carrier").unwrap().dtype()
    );
    // Readers without views understand it, unless the newest types are asked for.
    let has_views = |answer: &Answer| schema_of(&answer.body).contains("View");
    assert!(!has_views(&answer));
    let newest = server.get(&sql_path(SQL, "&compat=newest"));
    assert!(has_views(&newest) && newest.frame().equals_missing(&expected));
    for format in ["arrows", "arrow"] {
        let oldest = server.get(&sql_path(SQL, &format!("&compat=oldest&format={format}")));
        assert!(!has_views(&oldest), "{format}");
    }
}

/// The schema message of a stream or file, in words.
fn schema_of(bytes: &[u8]) -> String {
    let source = bytes.to_vec();
    let found = floe_tools::scan(&source, &floe::IpcLimits::default(), &mut |_, _| Ok(())).unwrap();
    format!("{:?}", found.streams[0].schema)
}

#[test]
fn formats_by_accept_and_by_option() {
    let (server, expected) = server();
    for (accept, option) in [
        ("application/vnd.apache.arrow.file", "arrow"),
        ("application/vnd.apache.arrow.stream", "arrows"),
        ("application/vnd.apache.parquet", "parquet"),
    ] {
        let by_accept = server.get_with(&sql_path(SQL, ""), &[("accept", accept)]);
        // An option comes before the header.
        let by_option =
            server.get_with(&sql_path(SQL, &format!("&format={option}")), &[("accept", "text/csv")]);
        for answer in [by_accept, by_option] {
            assert_eq!((answer.status, answer.is_whole), (200, true), "{}", answer.text());
            assert_eq!(answer.header("content-type"), Some(accept));
            let df = match option {
                "arrow" => IpcReader::from_bytes(answer.body).finish().unwrap(),
                "arrows" => answer.frame(),
                _ => ParquetReader::new(std::io::Cursor::new(answer.body)).finish().unwrap(),
            };
            assert!(df.equals_missing(&expected), "{option}: {df}");
        }
    }
}

#[test]
fn text_has_the_values() {
    let df = mixed(500);
    let server = Server::of_table("t", df.clone().lazy());
    let sql = "SELECT id, delay, text, flag FROM t";
    let expected = expected(df.lazy(), sql);
    let csv = server.get_with(&sql_path(sql, ""), &[("accept", "text/csv")]);
    assert_eq!(csv.header("content-type"), Some("text/csv"));
    let options = CsvReadOptions::default().with_infer_schema_length(None);
    let read = options.into_reader_with_file_handle(std::io::Cursor::new(csv.body)).finish().unwrap();
    assert!(read.equals_missing(&expected), "{read}");
    let lines = server.get_with(&sql_path(sql, ""), &[("accept", "application/x-ndjson")]);
    let read = JsonReader::new(std::io::Cursor::new(lines.body.clone()))
        .with_json_format(JsonFormat::JsonLines)
        .finish()
        .unwrap();
    assert!(read.equals_missing(&expected), "{read}");
    let first: serde_json::Value = serde_json::from_str(lines.text().lines().nth(1).unwrap()).unwrap();
    assert_eq!(first, json!({"id": 1, "delay": 0.25, "text": "text 1, \"quoted\"", "flag": false}));
    // CSV cannot hold lists: an error, before anything is sent.
    let nested = server.get_with(&sql_path("SELECT lists FROM t", ""), &[("accept", "text/csv")]);
    nested.error(400);
}

#[test]
fn codecs_by_option_and_by_accept() {
    let df = numbers(50_000);
    let server = Server::of_table("t", df.clone().lazy());
    let plain = server.sql("SELECT * FROM t").body.len();
    for (codec, accept) in
        [("lz4", "application/vnd.apache.arrow.stream; codecs=lz4"), ("zstd", "*/*; codecs=\"zstd\"")]
    {
        for answer in [
            server.get(&sql_path("SELECT * FROM t", &format!("&codec={codec}"))),
            server.get_with(&sql_path("SELECT * FROM t", ""), &[("accept", accept)]),
        ] {
            assert!(answer.body.len() < plain * 3 / 4, "{codec}: {} of {plain}", answer.body.len());
            assert!(answer.frame().equals(&df));
        }
    }
    let parquet = |codec: &str| {
        let answer = server.get(&sql_path("SELECT a FROM t", &format!("&format=parquet&codec={codec}")));
        let len = answer.body.len();
        assert!(ParquetReader::new(std::io::Cursor::new(answer.body)).finish().unwrap().height() == 50_000);
        len
    };
    assert!(parquet("zstd") < parquet("none"));
}

#[test]
fn results_without_rows_have_their_schema() {
    let server = Server::of_table("t", mixed(10).lazy());
    for format in ["arrows", "arrow", "parquet", "csv", "ndjson"] {
        let answer =
            server.get(&sql_path("SELECT id, text FROM t WHERE id > 99", &format!("&format={format}")));
        assert_eq!((answer.status, answer.is_whole), (200, true), "{format}");
        let shape = match format {
            "arrows" => answer.frame().shape(),
            "arrow" => IpcReader::from_bytes(answer.body).finish().unwrap().shape(),
            "parquet" => ParquetReader::new(std::io::Cursor::new(answer.body)).finish().unwrap().shape(),
            "csv" => {
                assert_eq!(answer.text(), "id,text\n");
                (0, 2)
            },
            _ => {
                assert_eq!(answer.text(), "");
                (0, 2)
            },
        };
        assert_eq!(shape, (0, 2), "{format}");
    }
}

#[test]
fn unknown_formats_and_options_are_errors() {
    let server = Server::of_table("t", mixed(10).lazy());
    let get = |more: &str| server.get(&sql_path("SELECT 1 AS a", more));
    assert_eq!(
        server.get_with(&sql_path("SELECT 1 AS a", ""), &[("accept", "image/png")]).error(406),
        "not_acceptable"
    );
    for more in ["&format=xml", "&codec=gzip", "&compat=old", "&limit=-1", "&limit=x", "&frmat=csv"] {
        assert_eq!(get(more).error(400), "option", "{more}");
    }
    assert_eq!(get("&format=csv&codec=lz4").error(400), "option");
    assert_eq!(get("&format=csv&compat=oldest").error(400), "option");
    assert_eq!(server.get("/api/query").error(400), "option");
    assert_eq!(get("&format=csv&codec=none").text(), "a\n1\n");
}

/// A client of another make.
#[test]
fn ureq_reads_what_this_client_reads() {
    let folder = Folder::new();
    folder.put("t.arrow", &file(&numbers(1000), 300));
    let server = Server::start(Catalog::new([folder.path("t.arrow")]).unwrap());
    let mut answer = ureq::get(server.url(&sql_path("SELECT * FROM t", ""))).call().unwrap();
    let body = answer.body_mut().read_to_vec().unwrap();
    assert!(IpcStreamReader::from_bytes(body).finish().unwrap().equals(&numbers(1000)));
    let error = ureq::get(server.url("/api/tables/none/schema")).call().unwrap_err();
    assert!(matches!(error, ureq::Error::StatusCode(404)));
}
