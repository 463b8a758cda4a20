//! Files that are cut off, damaged, or something else.

use floe::prelude::*;

use crate::support::*;

#[test]
fn a_cut_file_says_what_is_whole_and_recovers() {
    let folder = Folder::new();
    let bytes = file(&large(1_000), 100, None);
    folder.put("cut.arrow", &bytes[..bytes.len() * 2 / 3]);
    let info = folder.good(&["info", "cut.arrow"]);
    assert!(info.contains("without a footer") && info.contains("floe recover cut.arrow OUT"), "{info}");
    let verify = folder.floe(&["verify", "cut.arrow"]);
    assert_eq!(verify.status.code(), Some(1));
    let text = out(&verify);
    assert!(text.contains("no footer") && text.contains("6 of the 6 batches looked at are whole"), "{text}");

    let recovered = folder.floe(&["recover", "cut.arrow", "whole.arrow"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", err(&recovered));
    let frame = read(&folder.path("whole.arrow"));
    assert!(frame.height() >= 500 && frame.height().is_multiple_of(100), "{}", frame.height());
    assert!(frame.equals(&large(1_000).head(Some(frame.height()))));
    folder.good(&["verify", "whole.arrow"]);
    assert!(folder.failure(&["count", "cut.arrow"]).contains("floe recover cut.arrow OUT"));
}

#[test]
fn a_cut_stream_recovers_as_file_and_stream() {
    let folder = Folder::new();
    let bytes = stream(&large(1_000), 100);
    folder.put("cut.arrows", &bytes[..bytes.len() / 2]);
    folder.good(&["recover", "cut.arrows", "whole.arrow"]);
    folder.good(&["recover", "cut.arrows", "whole.arrows"]);
    let frame = read(&folder.path("whole.arrow"));
    assert!(frame.height() > 0 && frame.equals(&read(&folder.path("whole.arrows"))));
    // The rows that are whole are shown, too.
    assert_eq!(
        folder.good(&["tail", "-n", "1", "cut.arrows", "--columns", "text"]).lines().last().unwrap(),
        {
            let text = frame.column("text").unwrap().get(frame.height() - 1).unwrap();
            text.get_str().unwrap().to_owned()
        }
    );
}

/// A byte is changed at a time: nothing panics, and either `verify` reports it or the values are still valid.
#[test]
fn damage_is_told_with_its_place() {
    let folder = Folder::new();
    let bytes = file(&large(200), 100, Some(IpcCompression::LZ4));
    let mut told = 0;
    for at in (0..bytes.len()).step_by(bytes.len() / 60) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        folder.put("damaged.arrow", &damaged);
        for command in ["verify", "info", "head", "count", "schema"] {
            let output = folder.floe(&[command, "damaged.arrow"]);
            let code = output.status.code().unwrap();
            assert!(code <= 2, "{command}, byte {at}: {code}: {}", err(&output));
            told += usize::from(command == "verify" && code == 1);
        }
    }
    assert!(told > 20, "{told} of 60 damages are noticed");
}

#[test]
fn text_that_is_not_utf8_is_told_with_batch_column_and_buffer() {
    let folder = Folder::new();
    let mut bytes = stream(&large(200), 100);
    let at = bytes.windows(14).rposition(|window| window == b"row number 150").unwrap();
    bytes[at] = 0xff;
    folder.put("bad.arrows", &bytes);
    let output = folder.floe(&["verify", "bad.arrows"]);
    assert_eq!(output.status.code(), Some(1));
    let text = out(&output);
    let place = "batch 1, column \"text\", buffer ";
    assert!(text.contains(place) && text.contains("not UTF-8") && text.contains("byte "), "{text}");
    assert!(text.contains("1 of the 2 batches looked at are whole"), "{text}");
}

#[test]
fn all_faults_are_told_on_request() {
    let folder = Folder::new();
    let mut bytes = stream(&large(200), 100);
    for text in [b"row number 50", b"row number 15"] {
        let at = bytes.windows(13).position(|window| window == text).unwrap();
        bytes[at] = 0xff;
    }
    folder.put("bad.arrows", &bytes);
    let lines =
        |args: &[&str]| out(&folder.floe(args)).lines().filter(|line| line.contains("not UTF-8")).count();
    assert_eq!(lines(&["verify", "bad.arrows"]), 1);
    let twice = out(&folder.floe(&["verify", "--all", "bad.arrows"]));
    assert!(twice.contains("FAULTY"), "{twice}");
}

#[test]
fn other_formats_are_named() {
    let folder = Folder::new();
    let inputs: [(&[u8], &str); 8] = [
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"FEA1\0\0", "Feather V1"),
        (b"Obj\x01avro", "an Avro file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"PK\x03\x04zip", "a ZIP archive"),
        (b"\x1f\x8b\x08gz", "gzip"),
        (b"a,b\n1,2\n", "CSV"),
        (b"", "empty"),
    ];
    for (bytes, name) in inputs {
        folder.put("input", bytes);
        for command in ["info", "count", "head", "schema", "verify"] {
            if (command, name) == ("head", "CSV") {
                continue; // Its rows are shown: `formats.rs`.
            }
            let text = folder.failure(&[command, "input"]);
            assert!(text.contains(name), "{command}: {text}");
        }
    }
    assert!(folder.failure(&["info", "missing.arrow"]).contains("No such file"));
    assert!(folder.failure(&["count", "*.nothing"]).contains("matches no file"));
}

#[test]
fn one_damaged_head_does_not_take_the_other_batches_along() {
    let folder = Folder::new();
    let bytes = file(&large(300), 100, None);
    let layout: serde_json::Value = {
        folder.put("good.arrow", &bytes);
        serde_json::from_str(&folder.good(&["info", "--json", "good.arrow"])).unwrap()
    };
    let at = usize::try_from(layout["batches"][1]["offset"].as_u64().unwrap()).unwrap();
    let mut damaged = bytes;
    damaged[at + 8] ^= 0xff;
    folder.put("bad.arrow", &damaged);
    assert_eq!(folder.floe(&["verify", "bad.arrow"]).status.code(), Some(1));
    assert!(folder.failure(&["cat", "bad.arrow", "-o", "copy.arrow"]).contains("batch 1"));
    folder.good(&["recover", "bad.arrow", "saved.arrow"]);
    let whole = large(300);
    assert!(
        read(&folder.path("saved.arrow"))
            .equals(&whole.head(Some(100)).vstack(&whole.tail(Some(100))).unwrap())
    );
    folder.good(&["verify", "saved.arrow"]);
}
