//! Uploads: what becomes a table, what is recovered, what is refused.

use floe_serve::{Catalog, Limits};
use serde_json::json;

use crate::support::*;

fn put(server: &Server, name: &str, bytes: &[u8]) -> Answer {
    server.send("PUT", &format!("/api/tables/{name}"), &[], bytes)
}

fn rows(server: &Server, name: &str) -> usize {
    server.sql(&format!("SELECT * FROM \"{name}\"")).frame().height()
}

#[test]
fn files_of_four_formats_become_tables() {
    let folder = Folder::new();
    let catalog = Catalog::builder().upload_folder(folder.path("uploads")).build().unwrap();
    let server = Server::start(catalog);
    let df = mixed(200);
    for (name, bytes, format) in [
        ("one", file(&df, 50), "arrow"),
        ("two", stream(&df, 50), "arrows"),
        ("three", parquet(&df), "parquet"),
    ] {
        let answer = put(&server, name, &bytes);
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(
            answer.json(),
            json!({"name": name, "rows": 200, "recovered": false, "leftover_bytes": 0})
        );
        let about = server.get(&format!("/api/tables/{name}/schema")).json();
        assert_eq!(about["rows"], 200);
        assert!(server.sql(&format!("SELECT * FROM {name}")).frame().equals_missing(&df), "{name}");
        assert!(folder.path(&format!("uploads/{name}.{format}")).is_file());
    }
    assert_eq!(put(&server, "four", b"a,b\n1,x\n2,y\n").json()["rows"], 2);
    assert_eq!(names(&server), ["four", "one", "three", "two"]);
    // A newer one takes the place of an older one, also of another format.
    assert_eq!(put(&server, "one", b"a,b\n1,x\n").status, 201);
    assert_eq!((names(&server).len(), rows(&server, "one")), (4, 1));
    assert_eq!(server.send("DELETE", "/api/tables/one", &[], b"").status, 204);
    assert_eq!(server.send("DELETE", "/api/tables/one", &[], b"").error(404), "table_not_found");
    assert_eq!(names(&server).len(), 3);
    // The folder is there when the next server comes.
    drop(server);
    let server = Server::start(Catalog::builder().upload_folder(folder.path("uploads")).build().unwrap());
    assert_eq!((names(&server).len(), rows(&server, "two")), (3, 200));
}

#[test]
fn broken_ones_are_recovered_or_refused() {
    let server = Server::start(Catalog::builder().build().unwrap());
    let whole = file(&numbers(1000), 100);
    // Without its end, six batches and a half.
    let cut = &whole[..whole.len() * 13 / 20];
    let answer = put(&server, "cut", cut);
    assert_eq!((answer.status, answer.json()["recovered"].clone()), (201, json!(true)), "{}", answer.text());
    let saved = answer.json()["rows"].as_u64().unwrap();
    assert!((400..=700).contains(&saved) && saved.is_multiple_of(100), "{saved}");
    assert!(answer.json()["leftover_bytes"].as_u64().unwrap() > 0);
    assert!(
        server
            .sql("SELECT * FROM cut")
            .frame()
            .equals(&numbers(1000).head(Some(usize::try_from(saved).unwrap())))
    );
    let streamed = stream(&numbers(1000), 100);
    let answer = put(&server, "stream", &streamed[..streamed.len() - 500]);
    assert_eq!(
        (answer.json()["rows"].clone(), answer.json()["recovered"].clone()),
        (json!(900), json!(true))
    );
    assert_eq!(rows(&server, "stream"), 900);
    // Nothing of these is a table.
    assert_eq!(put(&server, "bad", &whole[..20]).status, 400);
    assert_eq!(put(&server, "bad", b"PK\x03\x04 a zip").error(415), "unsupported_format");
    assert_eq!(put(&server, "bad", b"").error(415), "unsupported_format");
    assert_eq!(put(&server, "bad", b"PAR1 is no parquet PAR1").status, 400);
    let mut text = stream(&mixed(100), 100);
    let at = text.windows(6).position(|window| window == b"text 1").unwrap();
    text[at] = 0xFF;
    let broken = put(&server, "bad", &text);
    assert!(broken.status == 400 || broken.json()["rows"] == 0, "{}", broken.text());
    assert!(!names(&server).contains(&"bad".to_owned()) || rows(&server, "bad") == 0);
}

#[test]
fn large_ones_are_refused_without_being_kept() {
    let folder = Folder::new();
    let mut limits = Limits::default();
    limits.upload_bytes = 10_000;
    let catalog = Catalog::builder().limits(limits).upload_folder(folder.path("uploads")).build().unwrap();
    let server = Server::start(catalog);
    let large = file(&numbers(10_000), 100);
    assert_eq!(put(&server, "large", &large).error(413), "upload_too_large");
    // The length is not told beforehand.
    let mut chunked = format!("{:x}\r\n", large.len()).into_bytes();
    chunked.extend_from_slice(&large);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let headers = [("transfer-encoding", "chunked"), ("content-length-unknown", "1")];
    let mut connection = {
        use std::io::Write;
        let mut connection = std::net::TcpStream::connect(server.address).unwrap();
        let head = format!(
            "PUT /api/tables/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}: {}\r\n\r\n",
            headers[0].0, headers[0].1
        );
        connection.write_all(head.as_bytes()).unwrap();
        let _ = connection.write_all(&chunked);
        connection
    };
    let mut bytes = Vec::new();
    let _ = std::io::Read::read_to_end(&mut connection, &mut bytes);
    assert_eq!(Answer::parse(&bytes, false, true).error(413), "upload_too_large");
    wait_until("nothing is left", || std::fs::read_dir(folder.path("uploads")).unwrap().count() == 0);
    // A client that goes in the middle leaves nothing either.
    let connection = server.open("PUT", "/api/tables/half", &[("content-length", "9000")], &large[..4000]);
    wait_until("it is being taken", || std::fs::read_dir(folder.path("uploads")).unwrap().count() == 1);
    drop(connection);
    wait_until("nothing is left", || std::fs::read_dir(folder.path("uploads")).unwrap().count() == 0);
    assert_eq!(put(&server, "small", b"a,b\n1,2\n").status, 201);
}

#[test]
fn tables_that_are_no_uploads_stay() {
    let folder = Folder::new();
    folder.put("data/mine.arrow", &file(&numbers(10), 10));
    let catalog = Catalog::builder().path(folder.path("data")).upload_folder(folder.path("uploads"));
    let server = Server::start(catalog.build().unwrap());
    assert_eq!(put(&server, "mine", b"a\n1\n").error(409), "not_an_upload");
    assert_eq!(server.send("DELETE", "/api/tables/mine", &[], b"").error(409), "not_an_upload");
    assert_eq!(rows(&server, "mine"), 10);
    assert!(folder.path("data/mine.arrow").is_file());
}

#[test]
fn names_never_lead_out_of_the_folder() {
    let folder = Folder::new();
    let server = Server::start(Catalog::builder().upload_folder(folder.path("a/uploads")).build().unwrap());
    let bytes = b"a,b\n1,2\n";
    for name in [
        "../x",
        "..%2fx",
        "%2e%2e%2fx",
        "..%2Fx",
        "%2e%2e/x",
        "..",
        "%2e%2e",
        ".",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "a%2fb",
        "a%5cb",
        "..%5cx",
        "x%00",
        "%00",
        ".hidden",
        "a%0a",
        "C%3ax",
        "~",
        "%252e%252e%252fx",
        "..;/x",
        "%c0%ae%c0%ae/x",
        "x%ff",
    ] {
        let answer = put(&server, name, bytes);
        assert!(matches!(answer.status, 400 | 404 | 405), "{name}: {}", answer.status);
    }
    let long = "x".repeat(300);
    assert_eq!(put(&server, &long, bytes).error(400), "name");
    assert_eq!(std::fs::read_dir(folder.path("a")).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(folder.path("a/uploads")).unwrap().count(), 0);
    assert_eq!(put(&server, "Fl%C3%BCge%202013", bytes).status, 201);
    assert_eq!(names(&server), ["Flüge 2013"]);
}
