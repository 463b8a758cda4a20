//! Files as they lie: tags, ranges, HEAD.

use crate::support::*;

const PATH: &str = "/api/tables/a/file";

fn served() -> (Folder, Vec<u8>, Server) {
    let folder = Folder::new();
    let bytes = file(&numbers(1000), 100);
    folder.put("a.arrow", &bytes);
    folder.put("parts/one.arrow", &bytes);
    folder.put("parts/two.arrow", &bytes);
    let server = folder.serve();
    (folder, bytes, server)
}

#[test]
fn whole_files_with_their_tags() {
    let (folder, bytes, server) = served();
    let answer = server.get(PATH);
    assert_eq!((answer.status, answer.is_whole, &answer.body), (200, true, &bytes));
    assert_eq!(answer.header("content-type"), Some("application/vnd.apache.arrow.file"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    let tag = answer.header("etag").unwrap().to_owned();
    let head = server.send("HEAD", PATH, &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(bytes.len().to_string().as_str()));
    assert_eq!(head.header("etag"), Some(tag.as_str()));
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()] {
        let same = server.get_with(PATH, &[("if-none-match", &known)]);
        assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some(tag.as_str())));
    }
    assert_eq!(server.get_with(PATH, &[("if-none-match", "\"other\"")]).status, 200);
    std::thread::sleep(std::time::Duration::from_millis(20));
    folder.put("a.arrow", &file(&numbers(1001), 100));
    let changed = server.get_with(PATH, &[("if-none-match", &tag)]);
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    assert_eq!(server.get("/api/tables/parts/file").error(400), "no_file");
    assert_eq!(server.get("/api/tables/none/file").error(404), "table_not_found");
}

#[test]
fn ranges_of_files() {
    let (_folder, bytes, server) = served();
    let len = bytes.len();
    let tag = server.get(PATH).header("etag").unwrap().to_owned();
    for (range, part) in [
        ("bytes=0-9", 0..10),
        ("bytes=100-", 100..len),
        ("bytes=-10", len - 10..len),
        ("bytes=5-1000000000", 5..len),
        ("bytes=7-7", 7..8),
    ] {
        let answer = server.get_with(PATH, &[("range", range)]);
        assert_eq!(
            (answer.status, answer.is_whole, answer.body.as_slice()),
            (206, true, &bytes[part.clone()]),
            "{range}"
        );
        let place = format!("bytes {}-{}/{len}", part.start, part.end - 1);
        assert_eq!(answer.header("content-range"), Some(place.as_str()));
        let head = server.send("HEAD", PATH, &[("range", range)], b"");
        assert_eq!((head.status, head.header("content-range")), (206, Some(place.as_str())));
        // The parts that a client has are of this file, or of another.
        assert_eq!(server.get_with(PATH, &[("range", range), ("if-range", &tag)]).status, 206);
        for other in ["\"other\"".to_owned(), format!("W/{tag}"), "Sat, 01 Jan 2000 00:00:00 GMT".into()] {
            let whole = server.get_with(PATH, &[("range", range), ("if-range", &other)]);
            assert_eq!((whole.status, whole.body.len()), (200, len));
        }
    }
    for range in [format!("bytes={len}-"), "bytes=-0".into(), "bytes=99999999999999999999999-".into()] {
        let answer = server.get_with(PATH, &[("range", &range)]);
        assert_eq!(
            (answer.status, answer.header("content-range")),
            (416, Some(format!("bytes */{len}").as_str()))
        );
    }
    for range in ["bytes=9-1", "bytes=0-1,3-4", "lines=1-2", "bytes=x", ""] {
        let answer = server.get_with(PATH, &[("range", range)]);
        assert_eq!((answer.status, answer.body.len()), (200, len), "{range}");
    }
}
