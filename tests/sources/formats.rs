//! Other formats: each reader names the one that it was given, and says what reads it.

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// Beginnings of other formats, their names, and the words of the error.
fn others() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&Config::stream().write(&rows(0, 9))).expect("written");
    let gzip = gzip.finish().expect("finished");
    let parquet = b"PAR1\x15\x04\x15\x10\x15\x14\x4c\x15\x02\x15\0\x12\0\0PAR1".to_vec();
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (parquet, "a Parquet file", "scan_parquet"),
        (b"FEA1\0\0\0\0\x01\0\0\0\0\0\0\0".to_vec(), "a Feather V1 file", "feather"),
        (gzip, "gzip", "decompress it first"),
        (b"\x28\xb5\x2f\xfd\x24\x05\x29\0\0hello".to_vec(), "zstd", "decompress it first"),
        (b"\x04\x22\x4d\x18\x64\x40\xa7\0\0\0\0".to_vec(), "LZ4", "decompress it first"),
        (b"BZh91AY&SY\xd8\xf1".to_vec(), "bzip2", "decompress it first"),
        (b"\xfd7zXZ\0\0\x04\xe6\xd6".to_vec(), "xz", "decompress it first"),
        (b"PK\x03\x04\x14\0\0\0\x08\0".to_vec(), "a ZIP archive", "archive"),
        (b"ORC\x11\0\0\x0a\x06".to_vec(), "an ORC file", "orc"),
        (b"Obj\x01\x04\x14avro.codec".to_vec(), "an Avro file", "AvroReader"),
        (b"\x89HDF\r\n\x1a\n\0\0".to_vec(), "an HDF5 file", "h5py"),
        (text("<!DOCTYPE html><html>404</html>"), "an HTML page", "server"),
        (text("<?xml version=\"1.0\"?><Error/>"), "an XML document", "server"),
        (text("{\"a\": 1}"), "JSON", "JsonReader"),
        (text("[1]\n"), "JSON", "JsonReader"),
        (text("{\"a\":1}\n{\"a\":2}\n"), "NDJSON", "JsonLineReader"),
        (text("a,b\n"), "CSV", "CsvReader"),
        (text("HTTP/1.1 404 Not Found\r\n"), "text", "\"HTTP/1.1"),
        (b"\x93NUMPY\x01\0v\0".to_vec(), "unknown format", "93 4e 55 4d 50 59"),
        (vec![], "empty", "no schema message"),
    ]
}

#[track_caller]
fn assert_named(door: &str, error: &PolarsError, name: &str, says: &str) {
    let text = error.to_string();
    assert!(text.contains(name) && text.contains(says), "{door}, {name}: {text}");
    assert!(!text.contains("exceeds the limit"), "{door}, {name}: {text}");
}

#[test]
fn every_reader_names_the_format_it_was_given() {
    for (bytes, name, says) in others() {
        let named = |door: &str, error: PolarsError| assert_named(door, &error, name, says);
        every_source!(&bytes, |reader, source| named(source, reader.finish().expect_err(name)));
        every_source!(&bytes, |reader, source| {
            let mut reader = reader;
            named(source, reader.schema().expect_err(name));
        });
        every_source!(&bytes, |reader, source| named(source, reader.batches().map(drop).expect_err(name)));
        if !bytes.is_empty() {
            every_source!(&bytes, |reader, source| {
                let mut reader = reader;
                named(source, reader.next_stream().expect_err(name));
            });
        }
        named("IpcReader::from_bytes", IpcReader::from_bytes(bytes.clone()).finish().expect_err(name));
        named("IpcReader::new", IpcReader::new(on_disk(&bytes)).num_rows().expect_err(name));
        named("recover", IpcReader::recover(Cursor::new(bytes.clone())).expect_err(name));
        let limits = IpcLimits::default();
        named("IpcIndex::from_bytes", IpcIndex::from_bytes(bytes.clone(), limits).expect_err(name));
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &bytes).expect("written");
        named("IpcIndex::open", IpcIndex::open(file.path(), limits).expect_err(name));
        named("read_ipc", read_ipc(file.path()).expect_err(name));
        let described = floe::inspect::describe(&bytes, &limits).expect_err(name).to_string();
        assert!(described.contains(name) && described.contains(says), "describe: {described}");
    }
}

#[test]
fn the_other_of_the_two_formats_is_named() {
    let stream = Config::stream().write(&rows(0, 3));
    for error in [
        IpcReader::from_bytes(stream.clone()).finish().map(drop),
        IpcReader::new(on_disk(&stream)).num_rows().map(drop),
        IpcReader::recover(Cursor::new(stream.clone())).map(drop),
    ] {
        assert_named("IpcReader", &error.expect_err("a stream"), "an Arrow IPC stream", "`IpcStreamReader`");
    }
}

/// Streams from before Arrow 0.15 have no marker, and are told by their first message.
#[test]
fn streams_without_markers_are_streams() {
    let bytes = Config::stream().with_batch_rows(4).write(&rows(0, 9));
    let (messages, end) = floe_tests::messages::messages(&bytes);
    let mut legacy = Vec::new();
    for message in messages {
        legacy.extend_from_slice(&bytes[message.start + 4..message.end]);
    }
    legacy.extend_from_slice(&bytes[end - 4..end]);
    assert_eq!(floe::sniff(&legacy), floe::SourceFormat::IpcStream);
    let twice = [legacy.as_slice(), &legacy].concat();
    every_source!(&twice, |reader, name| {
        let found = all(reader).expect(name);
        assert_eq!(found.len(), 2);
        found.iter().for_each(|df| assert_frames_equal(&rows(0, 9), df));
    });
}

/// Bytes in place of a message are not taken for a length that a limit could allow.
#[test]
fn limits_are_not_blamed_for_garbage() {
    let bytes = Config::stream().with_batch_rows(4).write(&rows(0, 9));
    let second = floe_tests::messages::messages(&bytes).0[2];
    let garbage: [&[u8]; 4] = [b"ARROW1\0\0", b"PAR1\x15\x04\x15\x10", b"<!DOCTYPE html>", &[0x7f; 64]];
    for garbage in garbage {
        let bytes = [&bytes[..second.start], garbage].concat();
        every_source!(&bytes, |reader, name| {
            let error = reader.finish().expect_err(name).to_string();
            assert!(error.contains("no message begins here") && !error.contains("limit"), "{name}: {error}");
        });
        let error = IpcIndex::from_bytes(bytes, IpcLimits::default()).expect_err("garbage").to_string();
        assert!(error.contains("no message begins here") && !error.contains("limit"), "index: {error}");
    }
    // A message that is too large is.
    let limits = IpcLimits { max_metadata_bytes: 100, ..IpcLimits::default() };
    let error = IpcStreamReader::new(bytes.as_slice()).with_limits(limits).finish().expect_err("too large");
    assert!(error.to_string().contains("`max_metadata_bytes`"), "{error}");
}
