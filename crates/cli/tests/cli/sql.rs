//! `floe sql`.

use polars_core::prelude::*;

use crate::support::*;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    folder.put("names.csv", b"id,place\n0,north\n1,south\n7,east\n");
    folder.put("lines.ndjson", b"{\"id\":0,\"w\":1.5}\n{\"id\":7,\"w\":2.5}\n");
    folder.good(&["convert", "a.arrow", "b.parquet"]);
    folder
}

#[test]
fn files_of_all_formats_are_joined() {
    let folder = folder();
    let query = "SELECT a.id, b.delay, place, w FROM 'a.arrow' AS a JOIN 'b.parquet' AS b ON a.id = b.id \
        JOIN \"names.csv\" AS n ON n.id = a.id LEFT JOIN 'lines.ndjson' AS l ON l.id = a.id ORDER BY a.id";
    assert_eq!(
        folder.good(&["sql", query]),
        "id,delay,place,w\n0,-3.0,north,1.5\n1,-1.5,south,\n7,7.5,east,2.5\n"
    );
    let piped = folder.piped(&["sql", "SELECT sum(id) AS s FROM stdin WHERE id > 7"], &stream(&frame(), 4));
    assert_eq!(out(&piped), "s\n17\n", "{}", err(&piped));
    let both = "SELECT count(*) AS n FROM stdin s JOIN 'a.arrow' a ON a.id = s.id";
    assert_eq!(out(&folder.piped(&["sql", both], &file(&frame(), 4, None))), "n\n10\n");
    // A name is not its file: common table expressions and nested queries.
    let query = "WITH big AS (SELECT id FROM 'a.arrow' WHERE id > 6) SELECT max(id) AS m FROM (SELECT * FROM big) AS x";
    assert_eq!(folder.good(&["sql", query]), "m\n9\n");
}

/// Polars finds such a row while the query runs, and does not say in which file.
#[test]
fn a_row_with_too_many_fields_is_told_with_its_file() {
    let folder = Folder::new();
    let wide = "a,b\n1,2\n3,4,5,6\n";
    folder.put("wide.csv", wide.as_bytes());
    folder.put("good.csv", b"a,b\n1,2\n");
    folder.put("a.arrow", &file(&frame(), 4, None));
    for command in [
        &["sql", "SELECT * FROM 'wide.csv'"][..],
        &["sql", "SELECT w.a, w.b, a.id FROM 'wide.csv' AS w JOIN 'a.arrow' AS a ON a.id = w.a"],
        &["convert", "wide.csv", "out.arrow"],
        &["convert", "wide.csv", "out.parquet"],
        &["head", "wide.csv"],
        &["tail", "wide.csv"],
        &["sample", "wide.csv"],
        &["stats", "wide.csv"],
    ] {
        let message = folder.failure(command);
        assert!(
            message.starts_with("floe: wide.csv: a row has more fields than the header"),
            "{command:?}: {message}"
        );
    }
    let message = folder.failure(&["convert", "wide.csv", "out", "--partition-by", "a"]);
    assert!(message.starts_with("floe: out: wide.csv: a row has more fields"), "{message}");
    let message = folder.failure(&["sql", "SELECT * FROM 'good.csv' JOIN 'wide.csv' USING (a)"]);
    assert!(message.starts_with("floe: good.csv or wide.csv: a row has more fields"), "{message}");
    assert_eq!(folder.names(), ["a.arrow", "good.csv", "wide.csv"]);
}

#[test]
fn columns_without_a_name_get_their_text() {
    let folder = folder();
    let head = |query: &str| folder.good(&["sql", query]).lines().next().unwrap().to_owned();
    assert_eq!(head("SELECT min(id), max(id), count(*) FROM 'a.arrow'"), "min(id),max(id),count(*)");
    assert_eq!(head("SELECT id + 1, id, id AS x FROM 'a.arrow'"), "id + 1,id,x");
    assert_eq!(head("SELECT * FROM 'names.csv'"), "id,place");
    assert_eq!(
        folder.good(&[
            "sql",
            "SELECT id % 2, count(*), sum(id) FROM 'a.arrow' GROUP BY id % 2 ORDER BY sum(id) DESC"
        ]),
        "id % 2,count(*),sum(id)\n1,5,25\n0,5,20\n"
    );
    assert_eq!(
        folder.good(&[
            "sql",
            "SELECT id % 3, count(*) FROM 'a.arrow' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
        ]),
        "id % 3,count(*)\n0,4\n"
    );
    assert_eq!(
        folder.good(&["sql", "SELECT m FROM (SELECT min(id), max(id) AS m FROM 'a.arrow') AS t"]),
        "m\n9\n"
    );
    assert_eq!(
        folder
            .good(&["sql", "SELECT min(id) FROM 'a.arrow' UNION ALL SELECT max(id) FROM 'a.arrow'"])
            .lines()
            .count(),
        3
    );
}

#[test]
fn only_queries_are_answered() {
    let folder = folder();
    for (query, word) in [
        ("DELETE FROM 'a.arrow' WHERE id = 1", "DELETE"),
        ("CREATE TABLE x AS SELECT * FROM 'a.arrow'", "CREATE"),
        ("DROP TABLE 'a.arrow'", "DROP"),
        ("TRUNCATE TABLE 'a.arrow'", "TRUNCATE"),
        ("INSERT INTO 'a.arrow' VALUES (1)", "INSERT"),
        ("UPDATE 'a.arrow' SET id = 1", "UPDATE"),
        ("SHOW TABLES", "SHOW"),
    ] {
        let text = folder.failure(&["sql", query]);
        assert!(text.contains(word) && text.contains("only queries"), "{text}");
    }
    assert!(folder.failure(&["sql", "EXPLAIN SELECT 1"]).contains("--explain"));
    assert!(folder.failure(&["sql", "SELECT * INTO x FROM 'a.arrow'"]).contains("-o OUT"));
    assert!(folder.failure(&["sql", "SELECT 1; SELECT 2"]).contains("one query"));
    assert!(folder.failure(&["sql", ""]).contains("no query"));
    assert!(folder.failure(&["sql", "SELEC 1"]).contains("SQL: "));
    assert!(folder.failure(&["sql", "SELECT nothing FROM 'a.arrow'"]).contains("nothing"));
    assert!(folder.failure(&["sql", "SELECT * FROM read_csv('names.csv')"]).contains("quoted names"));
}

#[test]
fn tables_that_are_not_there_are_told_apart() {
    let folder = folder();
    let unquoted = folder.failure(&["sql", "SELECT * FROM a.arrow"]);
    assert!(unquoted.contains("are quoted: write FROM 'a.arrow'"), "{unquoted}");
    let missing = folder.failure(&["sql", "SELECT * FROM 'missing.arrow'"]);
    assert!(missing.contains("missing.arrow: no such file") && !missing.contains("quoted"), "{missing}");
    let neither = folder.failure(&["sql", "SELECT * FROM flights"]);
    assert!(neither.contains("no table flights") && neither.contains("`stdin`"), "{neither}");
    assert!(folder.failure(&["sql", "SELECT * FROM 'no*.arrow'"]).contains("matches no file"));
    folder.put("zip", b"PK\x03\x04zip");
    assert!(folder.failure(&["sql", "SELECT * FROM 'zip'"]).contains("a ZIP archive"));
}

#[test]
fn answers_in_every_format() {
    let folder = folder();
    let query = "SELECT id, name FROM 'a.arrow' WHERE id < 2";
    let run = |format: &str| folder.good(&["sql", query, "-f", format]);
    assert_eq!(run("csv"), "id,name\n0,Nuuk\n1,\n");
    assert_eq!(run("tsv"), "id\tname\n0\tNuuk\n1\t\n");
    assert_eq!(run("ndjson"), "{\"id\":0,\"name\":\"Nuuk\"}\n{\"id\":1,\"name\":null}\n");
    assert_eq!(run("json"), "[{\"id\":0,\"name\":\"Nuuk\"},\n{\"id\":1,\"name\":null}]\n");
    assert!(run("md").starts_with("| id | name |\n"));
    assert!(run("table").contains("i64  str"));
    for name in ["out.arrow", "out.arrows", "out.parquet", "out.csv"] {
        folder.good(&["sql", query, "-o", name]);
        assert_eq!(folder.good(&["head", name]), "id,name\n0,Nuuk\n1,\n", "{name}");
        assert!(folder.failure(&["sql", query, "-o", name]).contains("--force"));
    }
    let stream = folder.floe(&["sql", query, "-f", "arrows"]).stdout;
    assert_eq!(out(&folder.piped(&["count", "-"], &stream)), "2\n");
    assert_eq!(folder.good(&["sql", "SELECT id FROM 'a.arrow' WHERE id > 99"]), "id\n");
    assert_eq!(folder.good(&["sql", "SELECT id FROM 'a.arrow' WHERE id > 99", "-f", "json"]), "[]\n");
}

#[test]
fn date_literals_are_quiet() {
    let folder = folder();
    let query =
        "SELECT id FROM 'a.arrow' WHERE at >= DATE '1970-01-09' AND at < TIMESTAMP '1970-01-10 12:00:00'";
    let output = folder.floe(&["sql", query]);
    assert_eq!((out(&output).as_str(), err(&output).as_str()), ("id\n8\n9\n", ""));
}

/// A query reads the columns that it needs, and no batch that statistics rule out.
#[test]
fn scans_read_what_a_query_needs() {
    let folder = Folder::new();
    let mut rows = large(4000);
    rows.with_column(Column::new("i".into(), (0..4000i64).collect::<Vec<_>>())).unwrap();
    folder.put("plain.arrow", &file(&rows, 1000, None));
    folder.good(&["convert", "plain.arrow", "a.arrow", "--statistics", "--batch-rows", "1000"]);
    // The text of the first three batches is broken: a query that reads it fails. The heads keep their statistics.
    let info: serde_json::Value = serde_json::from_str(&folder.good(&["info", "--json", "a.arrow"])).unwrap();
    let mut bytes = std::fs::read(folder.path("a.arrow")).unwrap();
    let mut broken = 0;
    for batch in 0..3 {
        let number = |key: &str| usize::try_from(info["batches"][batch][key].as_u64().unwrap()).unwrap();
        let start = number("offset") + number("head_bytes");
        for at in start..start + number("body_bytes") {
            if bytes[at..].starts_with(b"row number") {
                bytes[at..at + 3].fill(0xff);
                broken += 1;
            }
        }
    }
    assert_eq!(broken, 3000);
    folder.put("a.arrow", &bytes);
    let query = "SELECT count(*) AS n, max(text) AS t FROM 'a.arrow' WHERE i >= 3500";
    assert_eq!(folder.good(&["sql", query]), "n,t\n500,row number 3999\n");
    assert_eq!(folder.good(&["sql", "SELECT max(i) AS m FROM 'a.arrow'"]), "m\n3999\n");
    assert_eq!(ids(&folder), "3998 3999");
    assert_eq!(folder.floe(&["sql", "SELECT max(text) AS t FROM 'a.arrow'"]).status.code(), Some(2));
    let plan = folder.good(&["sql", "--explain", "SELECT i FROM 'a.arrow' WHERE i >= 3500"]);
    assert!(plan.contains("FILTER") && plan.contains("3500"), "{plan}");
}

fn ids(folder: &Folder) -> String {
    let text = folder.good(&["head", "--where", "i >= 3998", "--columns", "i", "a.arrow"]);
    text.lines().skip(1).collect::<Vec<_>>().join(" ")
}
