//! Queries that may be asked, and the errors of those that may not.

use floe::lazy::IntoLazy;
use polars_core::prelude::*;
use serde_json::json;

use crate::support::*;

#[test]
fn tables_by_columns_filter_sort_and_limit() {
    let server = Server::of_table("t", mixed(100).lazy());
    let ids = |answer: Answer| {
        let frame = answer.frame();
        let ids = frame.column("id").unwrap().as_materialized_series().i64().unwrap().iter().flatten();
        ids.collect::<Vec<_>>()
    };
    let body = json!({"table": "t", "columns": ["id", "text"], "filter": "id >= 90 AND flag", "sort": "-id", "limit": 3});
    let answer = server.post(&body);
    assert_eq!(answer.frame().get_column_names(), ["id", "text"]);
    assert_eq!(ids(answer), [99, 96, 93]);
    let sorted = json!({"table": "t", "filter": "id < 6", "sort": ["carrier", "-id"]});
    assert_eq!(ids(server.post(&sorted)).len(), 6);
    assert_eq!(ids(server.post(&json!({"table": "t", "sort": "id", "limit": 2}))), [0, 1]);
    assert_eq!(ids(server.post(&json!({"sql": "SELECT id FROM t ORDER BY id DESC", "limit": 2}))), [99, 98]);
    assert_eq!(ids(server.get(&sql_path("SELECT id FROM t ORDER BY id", "&limit=2"))), [0, 1]);
    assert_eq!(
        server.post(&json!({"table": "t", "format": "csv", "columns": ["id"], "limit": 1})).text(),
        "id\n0\n"
    );
    // Options of the URL count, where the body has none.
    let headers = [("content-type", "application/json")];
    let body = json!({"table": "t", "columns": ["id"], "limit": 1}).to_string();
    assert_eq!(server.send("POST", "/api/query?format=csv", &headers, body.as_bytes()).text(), "id\n0\n");
}

#[test]
fn names_of_columns_are_names() {
    let odd = df!("*" => [1], "^a.*$" => [2], "a" => [3], "ab" => [4]).unwrap();
    let server = Server::of_table("odd name.x", odd.lazy());
    let columns = |names: serde_json::Value| {
        let frame = server.post(&json!({"table": "odd name.x", "columns": names})).frame();
        frame.get_column_names().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(columns(json!(["*"])), ["*"]);
    assert_eq!(columns(json!(["^a.*$", "a"])), ["^a.*$", "a"]);
    assert_eq!(server.sql("SELECT ab FROM 'odd name.x'").frame().shape(), (1, 1));
}

#[test]
fn errors_before_the_first_byte_are_json_with_their_place() {
    let server = Server::of_table("t", mixed(100).lazy());
    let syntax = server.sql("SELECT id\nFROM t ORDER id");
    assert_eq!(syntax.error(400), "sql");
    assert_eq!(
        (syntax.json()["error"]["line"].clone(), syntax.json()["error"]["column"].clone()),
        (json!(2), json!(8))
    );
    let column = server.sql("SELECT id,\n  nothing FROM t");
    assert_eq!(column.error(400), "column_not_found", "{}", column.text());
    assert_eq!(
        (column.json()["error"]["line"].clone(), column.json()["error"]["column"].clone()),
        (json!(2), json!(3))
    );
    let table = server.sql("SELECT *\n FROM nowhere");
    assert_eq!(table.error(404), "table_not_found");
    assert_eq!(
        (table.json()["error"]["line"].clone(), table.json()["error"]["column"].clone()),
        (json!(2), json!(7))
    );
    assert_eq!(server.sql("SELECT * FROM t.u").error(404), "table_not_found");
    assert_eq!(server.sql("").error(400), "sql");
    assert_eq!(server.sql("SELECT 1; SELECT 2").error(400), "sql");
    // An error of the rows, in the first batch.
    let cast = server.sql("SELECT CAST(text AS BIGINT) AS n FROM t");
    assert_eq!(cast.status, 400, "{}", cast.text());
    cast.error(400);
    let post = |body: serde_json::Value| server.post(&body).error(400);
    assert_eq!(post(json!({"table": "t", "columns": ["none"]})), "column_not_found");
    assert_eq!(post(json!({"table": "t", "columns": []})), "columns");
    assert_eq!(post(json!({"table": "t", "filter": "id >"})), "sql");
    assert_eq!(post(json!({"table": "t", "filter": "id > 1) OR (true"})), "sql");
    assert_eq!(post(json!({"table": "t", "sql": "SELECT 1"})), "option");
    assert_eq!(post(json!({"sql": "SELECT 1 AS a", "filter": "a > 1"})), "option");
    assert_eq!(post(json!({})), "option");
    assert_eq!(post(json!({"sql": "SELECT 1", "unknown": 1})), "json");
    assert_eq!(server.post(&json!({"table": "none"})).error(404), "table_not_found");
    let headers = [("content-type", "application/json")];
    assert_eq!(server.send("POST", "/api/query", &headers, b"{").error(400), "json");
    assert_eq!(
        server.send("POST", "/api/query", &[("content-type", "text/plain")], b"{}").error(415),
        "content_type"
    );
    server.wait_for_running(0);
}

#[test]
fn a_query_that_panics_is_an_error_of_its_own() {
    use polars_lazy::frame::AllowedOptimizations;
    let fail = |_: DataFrame| -> PolarsResult<DataFrame> { panic!("a fault of the table") };
    let lf = numbers(10).lazy().map(fail, AllowedOptimizations::STREAMING, None, Some("PANICS"));
    let server = Server::of_table("t", lf);
    assert_eq!(server.sql("SELECT * FROM t").error(500), "internal");
    server.wait_for_running(0);
    assert_eq!(server.sql("SELECT 1 AS a").frame().height(), 1);
}

#[test]
fn joins_windows_and_common_tables() {
    let catalog = floe_serve::Catalog::builder().build().unwrap();
    let catalog = catalog
        .with_table("t", mixed(30).lazy())
        .with_table("names", df!("carrier" => ["UA", "B6"], "name" => ["United", "JetBlue"]).unwrap().lazy());
    let server = Server::start(catalog);
    let sql = "WITH c AS (SELECT CAST(carrier AS VARCHAR) AS carrier, count(*) AS n FROM t GROUP BY carrier)
        SELECT names.name, c.n FROM c JOIN names ON names.carrier = c.carrier ORDER BY names.name";
    assert_eq!(server.sql(sql).frame(), df!("name" => ["JetBlue", "United"], "n" => [10u32, 10]).unwrap());
    // Polars would take the table, if it knew of it.
    let sql = "WITH names AS (SELECT id FROM t WHERE id < 3) SELECT count(*) AS n FROM names";
    assert_eq!(server.sql(sql).frame(), df!("n" => [3u32]).unwrap());
    let sql = "WITH names AS (SELECT * FROM names WHERE name = 'United') SELECT * FROM names";
    assert_eq!(server.sql(sql).error(400), "sql");
    let nested =
        "SELECT max(id) AS m FROM (SELECT id FROM t WHERE id IN (SELECT id FROM t WHERE id < 7)) AS x";
    assert_eq!(server.sql(nested).frame(), df!("m" => [6i64]).unwrap());
    let names = server.sql("SELECT count(*), min(id), max(id) FROM t").frame();
    assert_eq!(names.get_column_names(), ["count(*)", "min(id)", "max(id)"]);
}
