use super::*;
use crate::constants::{END_OF_STREAM, FILE_PREFIX};
use crate::testing::stream;

/// Beginnings of every format, as its writers make them.
const SAMPLES: &[(&[u8], SourceFormat)] = &[
    (b"ARROW1\0\0\xff\xff\xff\xff\x08\x02\0\0", Is::IpcFile),
    (b"ARROW1", Is::IpcFile),
    (b"\xff\xff\xff\xff", Is::IpcStream),
    (b"\xff\xff\xff\xff\xb8\0\0\0\x10\0\0\0", Is::IpcStream),
    (b"\xff\xff\xff\xff\0\0\0\0", Is::IpcStream),
    (b"\0\0\0\0", Is::IpcStream),
    (b"PAR1\x15\x04\x15\x10", Is::Parquet),
    (b"PARE\x15\x04\x15\x10", Is::Parquet),
    (b"FEA1\0\0\0\0\x01\0\0\0", Is::FeatherV1),
    (b"ORC\x11\0\0\x0a\x06", Is::Orc),
    (b"Obj\x01\x04\x14avro.codec", Is::Avro),
    (b"\x89HDF\r\n\x1a\n\0\0", Is::Hdf5),
    (b"\x1f\x8b\x08\0\x32\x95\x0c\x6b\x02\xff", Is::Gzip),
    (b"\x28\xb5\x2f\xfd\x24\x05\x29\0\0", Is::Zstd),
    (b"\x04\x22\x4d\x18\x64\x40\xa7", Is::Lz4),
    (b"\x02\x21\x4c\x18\x05\0\0\0", Is::Lz4),
    (b"BZh91AY&SY\xd8\xf1", Is::Bzip2),
    (b"BZh9", Is::Bzip2),
    (b"\xfd7zXZ\0\0\x04", Is::Xz),
    (b"PK\x03\x04\x14\0\0\0\x08\0", Is::Zip),
    (b"<!DOCTYPE html><html>404</html>", Is::Html),
    (b"\xef\xbb\xbf \r\n<HTML lang=\"de\">", Is::Html),
    (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", Is::Xml),
    (b"{\"a\": [1, 2],\n \"b\": 3}\n", Is::Json),
    (b"  [\n{\"a\":1}\n]", Is::Json),
    (b"[1]\n", Is::Json),
    (b"{\"a\":1}\n{\"a\":2}\n", Is::NdJson),
    (b"a,b\n1,2\n", Is::Csv),
    (b"a,b\n", Is::Csv),
    (b"ORC,elf\n1,2\n", Is::Csv),
    ("größe;breite\n1;2\n".as_bytes(), Is::Csv),
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n", Is::Text),
    (b"", Is::Empty),
    (b"\0\0\0\0\0\0\0\0", Is::Unknown),
    (b"\xff\xff\xff\xff\xff\xff\xff\xff", Is::Unknown),
    (b"\x80\x04\x95\x10\0\0\0", Is::Unknown),
    (b"\x93NUMPY\x01\0v\0", Is::Unknown),
    (b"\x7fELF\x02\x01\x01\0", Is::Unknown),
];

#[test]
fn every_format_is_told_by_its_beginning() {
    for (bytes, expected) in SAMPLES {
        assert_eq!(sniff(bytes), *expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn each_other_format_is_named_with_what_to_call_instead() {
    for (bytes, found) in SAMPLES {
        let error = check_stream(bytes).err();
        assert_eq!(error.is_none(), *found == Is::IpcStream || bytes.starts_with(&CONTINUATION), "{found}");
        let Some(error) = error else { continue };
        let text = error.to_string();
        assert!(text.contains(&found.to_string()) && text.ends_with(found.advice()), "{text}");
        // "newline-delimited" has the word, so what invites people to raise a limit is looked for.
        assert!(!text.contains("with_limits") && !text.contains("exceeds"), "{text}");
    }
    let text = check_file(b"\xff\xff\xff\xff\x08\0\0\0").unwrap_err().to_string();
    assert!(text.contains("an Arrow IPC stream") && text.contains("`IpcStreamReader`"), "{text}");
    assert!(check_file(&FILE_PREFIX).is_ok());
}

/// Streams with the marker and without, cut anywhere behind the length.
#[test]
fn streams_are_streams_however_little_is_seen() {
    let (bytes, starts) = stream();
    for (skip, first) in [(0, 1), (4, 4)] {
        for len in first..starts[1] - skip {
            assert_eq!(
                sniff(&bytes[skip..skip + len]),
                Is::IpcStream,
                "{len} bytes without the first {skip}"
            );
        }
    }
    assert_eq!(sniff(&END_OF_STREAM), Is::IpcStream);
}

/// A cut within a character is still text, and so is one behind the sampled bytes.
#[test]
fn long_text_is_looked_at_in_part() {
    let text = "ä,ö\n".repeat(MAX_TEXT_BYTES);
    for len in [2, 3, MAX_TEXT_BYTES - 1, MAX_TEXT_BYTES, MAX_TEXT_BYTES + 1, text.len()] {
        let expected = if len < 3 { Is::Text } else { Is::Csv };
        assert_eq!(sniff(&text.as_bytes()[..len]), expected, "{len} bytes");
    }
    let binary_behind = [&text.as_bytes()[..MAX_TEXT_BYTES], &[0; 9]].concat();
    assert_eq!(sniff(&binary_behind), Is::Csv);
}

#[test]
fn any_beginning_is_looked_at_without_a_panic() {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    for round in 0..20_000usize {
        let bytes: Vec<u8> = (0..round % 40)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[0] & if round % 3 == 0 { 0x0f } else { 0xff }
            })
            .collect();
        let marked = [&CONTINUATION, bytes.as_slice()].concat();
        for bytes in [&bytes, &marked] {
            let _ = (sniff(bytes).to_string(), check_stream(bytes).map_err(|e| e.to_string()));
        }
    }
}
