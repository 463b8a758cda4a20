//! Tables: the list, schemas, summaries, layouts.

use floe::lazy::IntoLazy;
use floe_serve::Catalog;
use polars_core::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

fn table(server: &Server, name: &str) -> Value {
    let tables = server.get("/api/tables").json();
    let found = tables["tables"].as_array().unwrap().iter().find(|table| table["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no table {name}: {tables}"))
}

fn folder() -> Folder {
    let folder = Folder::new();
    let df = mixed(100);
    folder.put("data/a.arrow", &file(&df, 30));
    folder.put("data/b.arrows", &stream(&df, 30));
    folder.put("data/c.parquet", &parquet(&df));
    folder.put("data/d.csv", b"x,y\n1,p\n2,q\n");
    folder.put("data/e.ndjson", b"{\"x\":1}\n{\"x\":2}\n");
    folder.put("data/README.md", b"about these\n");
    folder.put("data/.hidden.arrow", &file(&df, 30));
    folder.put("data/broken.arrow", &file(&df, 30)[..900]);
    folder.put("data/years/year=2012/part.arrow", &file(&numbers(10), 30));
    folder.put("data/years/year=2013/part.arrow", &file(&numbers(20), 30));
    folder.put("data/parts/one.parquet", &parquet(&numbers(3)));
    folder.put("data/parts/two.parquet", &parquet(&numbers(4)));
    folder
}

#[test]
fn files_folders_and_patterns_are_tables() {
    let folder = folder();
    let server =
        Server::start(Catalog::new([folder.path("data")]).unwrap().with_table("own", numbers(2).lazy()));
    assert_eq!(names(&server), ["a", "b", "broken", "c", "d", "e", "own", "parts", "years"]);
    let bytes = |name: &str| std::fs::metadata(folder.path(name)).unwrap().len();
    assert_eq!(
        table(&server, "a"),
        json!({"name": "a", "format": "arrow", "files": 1, "bytes": bytes("data/a.arrow"), "rows": 100, "columns": 7,
            "error": null, "upload": false})
    );
    let about = |name: &str| {
        let table = table(&server, name);
        (
            table["format"].as_str().unwrap().to_owned(),
            table["files"].clone(),
            table["rows"].clone(),
            table["columns"].clone(),
        )
    };
    assert_eq!(about("b"), ("arrows".into(), json!(1), json!(100), json!(7)));
    assert_eq!(about("c"), ("parquet".into(), json!(1), json!(100), json!(7)));
    assert_eq!(about("d"), ("csv".into(), json!(1), json!(null), json!(2)));
    assert_eq!(about("e"), ("ndjson".into(), json!(1), json!(null), json!(1)));
    assert_eq!(about("own"), ("frame".into(), json!(0), json!(null), json!(4)));
    assert_eq!(about("parts"), ("parquet".into(), json!(2), json!(7), json!(4)));
    assert_eq!(about("years"), ("hive".into(), json!(2), json!(30), json!(5)));
    assert!(table(&server, "broken")["error"].as_str().unwrap().len() > 10);
    let broken = server.sql("SELECT * FROM broken");
    assert_eq!(broken.status, 409, "{}", broken.text());
    assert!(!broken.text().contains(&*folder.path("").to_string_lossy()), "{}", broken.text());
    let years = server.sql("SELECT year, count(*) AS n FROM years GROUP BY year ORDER BY year").frame();
    assert_eq!(years, df!("year" => [2012i64, 2013], "n" => [10u32, 20]).unwrap());
    let parts = server.sql("SELECT sum(a) AS s FROM parts").frame();
    assert_eq!(parts.column("s").unwrap().get(0).unwrap().extract::<i64>(), Some(9));
    // A folder with keys in it is one table, and each path of a pattern is as if it were named.
    let pattern = folder.path("data/*.arrow*").to_string_lossy().into_owned();
    let server = Server::start(Catalog::new([folder.path("data/years"), pattern.into()]).unwrap());
    assert_eq!(names(&server), ["a", "b", "broken", "years"]);
    assert!(Catalog::new([folder.path("missing.arrow")]).is_err());
}

#[test]
fn tables_come_change_and_go_with_their_files() {
    let folder = Folder::new();
    folder.put("data/a.arrow", &file(&numbers(10), 30));
    let server = Server::start(Catalog::new([folder.path("data")]).unwrap());
    let count = |name: &str| {
        let frame = server.sql(&format!("SELECT count(*) AS n FROM \"{name}\"")).frame();
        frame.column("n").unwrap().get(0).unwrap().extract::<u64>().unwrap()
    };
    assert_eq!((names(&server), count("a")), (vec!["a".to_owned()], 10));
    folder.put("data/b.arrow", &file(&numbers(5), 30));
    assert_eq!((names(&server).len(), count("b")), (2, 5));
    folder.put("data/a.arrow", &file(&numbers(20), 30));
    assert_eq!((table(&server, "a")["rows"].clone(), count("a")), (json!(20), 20));
    std::fs::remove_file(folder.path("data/a.arrow")).unwrap();
    assert_eq!(names(&server), ["b"]);
    assert_eq!(server.sql("SELECT * FROM a").error(404), "table_not_found");
    // Of two files of one name the first has it, the other is called by its whole name.
    folder.put("data/b.csv", b"x,y\n1,2\n");
    assert_eq!(names(&server), ["b", "b.csv"]);
    assert_eq!((count("b"), count("b.csv")), (5, 1));
}

#[test]
fn schemas_have_polars_types() {
    let folder = folder();
    let server = Server::start(Catalog::new([folder.path("data")]).unwrap());
    let schema = server.get("/api/tables/a/schema").json();
    assert_eq!((schema["name"].clone(), schema["rows"].clone()), (json!("a"), json!(100)));
    let fields = schema["fields"].as_array().unwrap().iter();
    let fields: Vec<_> =
        fields.map(|field| (field["name"].as_str().unwrap(), field["type"].as_str().unwrap())).collect();
    assert_eq!(
        fields[..5],
        [("id", "i64"), ("delay", "f64"), ("text", "str"), ("flag", "bool"), ("lists", "list[i64]")]
    );
    assert_eq!(fields[6], ("at", "datetime[μs]"));
    assert_eq!(server.get("/api/tables/none/schema").error(404), "table_not_found");
}

#[test]
fn summaries_count_what_is_there() {
    let server = Server::of_table("t", mixed(1000).lazy());
    let summary = server.get("/api/tables/t/summary").json();
    assert_eq!(summary["sampled_rows"], 1000);
    let column = |name: &str| {
        let columns = summary["columns"].as_array().unwrap();
        columns.iter().find(|column| column["name"] == name).unwrap().clone()
    };
    let id = column("id");
    assert_eq!((&id["min"], &id["max"], &id["nulls"]), (&json!("0"), &json!("999"), &json!(0)));
    let counts = |column: &Value| {
        column["histogram"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(counts(&id), [50; 20]);
    assert_eq!(id["edges"].as_array().unwrap().len(), 21);
    let delay = column("delay");
    assert_eq!(delay["nulls"], 143);
    assert_eq!(counts(&delay).iter().sum::<u64>(), 857);
    let at = column("at");
    assert_eq!((&at["edges"][0], &at["min"]), (&json!("1970-01-01 00:00:00"), &json!("1970-01-01 00:00:00")));
    assert_eq!(counts(&at).iter().sum::<u64>(), 1000);
    assert_eq!(column("carrier")["top"][0], json!({"value": "UA", "count": 334}));
    assert_eq!(
        column("flag")["top"],
        json!([{"value": "false", "count": 666}, {"value": "true", "count": 334}])
    );
    assert_eq!(column("text")["top"].as_array().unwrap().len(), 10);
    assert_eq!(column("lists")["histogram"], json!(null));
    assert_eq!(server.get("/api/tables/none/summary").error(404), "table_not_found");
    // Numbers that leave no room for bins.
    let odd = df!("one" => [5i64, 5], "none" => [None::<f64>, None], "wide" => [f64::MIN, f64::MAX], "inf" => [f64::INFINITY, 1.0]);
    let server = Server::of_table("odd", odd.unwrap().lazy());
    let summary = server.get("/api/tables/odd/summary").json();
    assert_eq!(summary["columns"][0]["histogram"], json!([2]));
    assert_eq!(summary["columns"][1]["histogram"], json!(null));
    let sum = |at: usize| counts(&summary["columns"][at]).iter().sum::<u64>();
    assert_eq!((sum(2), sum(3)), (2, 1));
}

#[test]
fn layouts_are_pictures_or_numbers() {
    let folder = folder();
    let server = Server::start(Catalog::new([folder.path("data")]).unwrap());
    let picture = server.get("/api/tables/a/layout");
    assert_eq!(picture.header("content-type"), Some("image/svg+xml"));
    let svg = picture.text();
    let sizes = svg
        .split("data-bytes=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().parse::<u64>().unwrap());
    assert_eq!(sizes.sum::<u64>(), std::fs::metadata(folder.path("data/a.arrow")).unwrap().len());
    let numbers = server.get_with("/api/tables/a/layout", &[("accept", "application/json")]).json();
    assert_eq!(numbers["columns"].as_array().unwrap().len(), 7);
    let batches = numbers["messages"].as_array().unwrap().iter().filter(|message| message["kind"] == "batch");
    assert_eq!(batches.map(|batch| batch["rows"].as_u64().unwrap()).sum::<u64>(), 100);
    assert_eq!(
        server.get_with("/api/tables/a/layout", &[("accept", "text/html")]).error(406),
        "not_acceptable"
    );
    assert_eq!(server.get("/api/tables/c/layout").error(400), "no_layout");
    assert_eq!(server.get("/api/tables/years/layout").error(400), "no_layout");
}

#[test]
fn the_server_says_how_it_is() {
    let server = Server::of_table("t", numbers(1000).lazy());
    assert_eq!(server.get("/healthz").text(), "ok");
    assert_eq!(server.sql("SELECT a FROM t").frame().height(), 1000);
    server.wait_for_running(0);
    server.get("/nowhere").error(404);
    server.get("/api/nowhere").error(404);
    let text = server.get("/metrics").text();
    let value = |line: &str| {
        let found = text.lines().find_map(|known| known.strip_prefix(line));
        found.unwrap_or_else(|| panic!("no {line}: {text}")).trim().parse::<f64>().unwrap()
    };
    assert_eq!(value("floe_requests_total{method=\"GET\",route=\"/api/query\",status=\"200\"}"), 1.0);
    assert_eq!(value("floe_requests_total{method=\"GET\",route=\"other\",status=\"404\"}"), 2.0);
    assert_eq!(
        (value("floe_queries_running "), value("floe_queries_queued "), value("floe_queries_open ")),
        (0.0, 0.0, 0.0)
    );
    assert_eq!(value("floe_query_seconds_count "), 1.0);
    assert!(value("floe_sent_bytes_total ") > 8000.0);
    let described = server.get("/api/openapi.json").json();
    assert!(described["paths"]["/api/query"]["post"].is_object());
    let page = server.get("/");
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
}

/// Every path of the description answers its methods, and only those.
#[test]
fn methods_are_those_of_the_description() {
    let server = Server::of_table("t", numbers(10).lazy());
    let described = server.get("/api/openapi.json").json();
    for (path, item) in described["paths"].as_object().unwrap() {
        let path = path.replace("{name}", "t").replace("{id}", "q0");
        for method in ["get", "post", "put", "delete"] {
            let status = server.send(&method.to_uppercase(), &path, &[], b"").status;
            assert_eq!(status != 405, item.get(method).is_some(), "{method} {path}: {status}");
        }
    }
}
