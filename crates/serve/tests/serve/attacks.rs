//! Lists of what attackers try: SQL that is more than a query, and names that are paths.

use floe_serve::Catalog;
use serde_json::json;

use crate::support::*;

/// A folder with a table, and beside it what nobody may see.
fn served() -> (Folder, Server) {
    let folder = Folder::new();
    folder.put("data/t.arrow", &file(&numbers(10), 10));
    folder.put("secret.csv", b"password\nhunter2\n");
    folder.put("outside/deep.arrow", &file(&numbers(3), 10));
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(folder.path(target), folder.path(name)).unwrap();
    };
    link("secret.csv", "data/stolen.csv");
    link("outside", "data/linked");
    link("data/t.arrow", "data/inner.arrow");
    folder.put("data/sub/one.arrow", &file(&numbers(4), 10));
    link("outside/deep.arrow", "data/sub/two.arrow");
    let server = Server::start(Catalog::new([folder.path("data")]).unwrap());
    (folder, server)
}

#[test]
fn links_out_of_a_folder_are_no_tables() {
    let (folder, server) = served();
    assert_eq!(names(&server), ["inner", "sub", "t"]);
    let sub = server.sql("SELECT count(*) AS n FROM sub").frame();
    assert_eq!(sub.column("n").unwrap().get(0).unwrap().extract::<u64>(), Some(4));
    // A file that becomes a link is a table no more.
    std::fs::remove_file(folder.path("data/inner.arrow")).unwrap();
    std::os::unix::fs::symlink(folder.path("outside/deep.arrow"), folder.path("data/inner.arrow")).unwrap();
    assert_eq!(server.sql("SELECT * FROM inner").status, 404);
    assert_eq!(server.get("/api/tables/inner/file").status, 404);
}

#[test]
fn sql_that_is_more_than_a_query_of_the_tables() {
    let (folder, server) = served();
    let secret = folder.path("secret.csv").to_string_lossy().into_owned();
    let mut attacks: Vec<String> = [
        "DROP TABLE t",
        "DELETE FROM t",
        "TRUNCATE TABLE t",
        "INSERT INTO t VALUES (1, 2, 3, 4)",
        "UPDATE t SET a = 1",
        "CREATE TABLE x AS SELECT * FROM t",
        "SELECT * INTO x FROM t",
        "SELECT * FROM t; DROP TABLE t",
        "EXPLAIN SELECT * FROM t",
        "SHOW TABLES",
        "COPY t TO 'x'",
        "SET x = 1",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x",
        "TABLE t",
        "SELECT * FROM (TABLE t)",
        "PREPARE x AS SELECT 1",
        "EXECUTE x",
        "ATTACH 'x' AS y",
        "LOAD DATA INPATH 'x' INTO TABLE t",
        "MERGE INTO t USING t AS s ON t.a = s.a WHEN MATCHED THEN DELETE",
        "-- SELECT 1",
        "/* SELECT 1 */",
    ]
    .map(str::to_owned)
    .into();
    for function in
        ["read_csv", "read_parquet", "read_ipc", "read_json", "READ_CSV", "scan_csv", "glob", "read_text"]
    {
        let call = format!("{function}('{secret}')");
        attacks.extend([
            format!("SELECT * FROM {call}"),
            format!("SELECT * FROM {call} AS x"),
            format!("SELECT * FROM t JOIN {call} AS x ON true"),
            format!("SELECT * FROM t, {call}"),
            format!("SELECT * FROM t, LATERAL {call} AS x"),
            format!("SELECT * FROM TABLE({call})"),
            format!("SELECT * FROM (SELECT * FROM {call}) AS x"),
            format!("WITH x AS (SELECT * FROM {call}) SELECT * FROM x"),
            format!("SELECT (SELECT max(password) FROM {call}) AS p"),
            format!("SELECT * FROM t WHERE a IN (SELECT 1 FROM {call})"),
            format!("SELECT * FROM t WHERE EXISTS (SELECT 1 FROM {call})"),
            format!("SELECT a FROM t UNION ALL SELECT a FROM {call}"),
            format!("SELECT a FROM t ORDER BY (SELECT 1 FROM {call})"),
            format!("SELECT CASE WHEN a IN (SELECT 1 FROM {call}) THEN 1 END AS c FROM t"),
            format!("SELECT * FROM (t JOIN {call} ON true)"),
            format!("SELECT count(*) FROM t GROUP BY (SELECT 1 FROM {call})"),
            format!("SELECT * FROM t LIMIT (SELECT 1 FROM {call})"),
            // Inside of a literal, whose end is elsewhere if somebody forgets to escape it.
            format!("SELECT N'x'' AS a, password FROM {} --'", call.replace('\'', "''")),
            format!("SELECT R'x'' AS a, password FROM {} --'", call.replace('\'', "''")),
            format!("SELECT X'41'' AS a, password FROM {} --'", call.replace('\'', "''")),
        ]);
    }
    for path in [
        secret.as_str(),
        "../secret.csv",
        "secret.csv",
        "stolen",
        "stolen.csv",
        "linked",
        "deep",
        "/etc/passwd",
        "file:///etc/passwd",
        "t.arrow",
        "s3://bucket/key",
        "http://127.0.0.1/x",
        "*",
        "data/*",
        ".",
    ] {
        attacks.extend([
            format!("SELECT * FROM '{path}'"),
            format!("SELECT * FROM \"{path}\""),
            format!("SELECT * FROM `{path}`"),
        ]);
    }
    for sql in attacks {
        for answer in [server.sql(&sql), server.post(&json!({"sql": sql}))] {
            assert!(matches!(answer.status, 400 | 404), "{sql}: {} {}", answer.status, answer.text());
            assert!(!answer.text().contains("hunter2"), "{sql}");
            answer.error(answer.status);
        }
    }
    // Nothing has changed.
    assert_eq!(server.sql("SELECT * FROM t").frame().height(), 10);
    assert_eq!(std::fs::read(folder.path("secret.csv")).unwrap(), b"password\nhunter2\n");
}

#[test]
fn filters_that_are_more_than_expressions() {
    let (folder, server) = served();
    let secret = folder.path("secret.csv").display().to_string();
    for filter in [
        format!("a IN (SELECT 1 FROM read_csv('{secret}'))"),
        format!("EXISTS (SELECT * FROM read_csv('{secret}'))"),
        format!("(SELECT count(*) FROM read_csv('{secret}')) > 0"),
        "a IN (SELECT a FROM t)".into(),
        "a > 1; DROP TABLE t".into(),
        "a > 1 UNION SELECT 1".into(),
        "a > 1 AS b".into(),
        "*".into(),
        String::new(),
    ] {
        let answer = server.post(&json!({"table": "t", "filter": filter}));
        assert_eq!(answer.status, 400, "{filter}: {}", answer.text());
    }
}

#[test]
fn names_of_tables_are_no_paths() {
    let (folder, server) = served();
    let absolute = folder.path("secret.csv").to_string_lossy().replace('/', "%2f");
    let names = [
        "..%2fsecret",
        "..%2fsecret.csv",
        "%2e%2e%2fsecret.csv",
        "../secret.csv",
        "..",
        ".",
        "%2e%2e",
        "stolen",
        "stolen.csv",
        "linked",
        "linked%2fdeep",
        "t.arrow",
        "sub%2fone",
        "..%5csecret.csv",
        "t%00",
        "%00",
        "t%00.csv",
        "%2fetc%2fpasswd",
        "%252e%252e%252fsecret",
        "*",
        "t*",
        "T",
        "t ",
        " t",
        "%c0%ae%c0%ae%2fsecret",
        "....%2f%2fsecret.csv",
        "file:%2f%2f%2fetc%2fpasswd",
        &absolute,
    ];
    for name in names {
        for part in ["/file", "/schema", "/summary", "/layout"] {
            let answer = server.get(&format!("/api/tables/{name}{part}"));
            assert!(
                matches!(answer.status, 400 | 404 | 405),
                "{name}{part}: {} {}",
                answer.status,
                answer.text()
            );
            assert!(!answer.text().contains("hunter2"));
        }
        let answer = server.send("DELETE", &format!("/api/tables/{name}"), &[], b"");
        assert!(matches!(answer.status, 400 | 404 | 405), "{name}: {}", answer.status);
    }
    for table in ["../secret.csv", "stolen", "/etc/passwd", "t\0", "linked/deep"] {
        assert_eq!(server.post(&json!({"table": table})).error(404), "table_not_found");
    }
    assert!(folder.path("secret.csv").is_file());
    assert_eq!(server.get("/api/tables/t/file").status, 200);
}
