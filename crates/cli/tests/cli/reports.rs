//! The output of `info`, `schema`, `layout`, `count` and their like.

use floe::prelude::*;

use crate::support::*;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.put("flights.arrow", &file(&frame(), 4, None));
    folder.put("flights.arrows", &stream(&frame(), 4));
    folder.put(
        "zipped.arrow",
        &file(&large(5_000), 1_000, Some(IpcCompression::ZSTD(ZstdLevel::try_new(3).unwrap()))),
    );
    folder
}

#[test]
fn info_of_a_file_and_a_stream() {
    let folder = folder();
    snapshot("info", &folder.good(&["info", "flights.arrow", "flights.arrows"]));
    assert_eq!(folder.good(&["info", "flights.arrow", "--metadata", "source"]), "an atlas\n");
    assert!(
        folder
            .failure(&["info", "flights.arrow", "--metadata", "nothing"])
            .contains("no metadata of the key")
    );
}

#[test]
fn info_as_json_sums_to_the_file() {
    let folder = folder();
    for name in ["flights.arrow", "flights.arrows", "zipped.arrow"] {
        let info: serde_json::Value = serde_json::from_str(&folder.good(&["info", "--json", name])).unwrap();
        let size = std::fs::metadata(folder.path(name)).unwrap().len();
        let kinds = info["bytes_by_kind"].as_object().unwrap();
        let sum: u64 = kinds.values().map(|bytes| bytes.as_u64().unwrap()).sum();
        assert_eq!((sum, info["bytes"].as_u64()), (size, Some(size)), "{name}");
    }
    let info: serde_json::Value =
        serde_json::from_str(&folder.good(&["info", "--json", "zipped.arrow"])).unwrap();
    assert_eq!(info["codecs"][0], "ZSTD");
    assert_eq!((info["rows"].as_u64(), info["batches"].as_array().unwrap().len()), (Some(5_000), 5));
    assert!(info["raw_bytes"].as_u64() > info["bytes"].as_u64(), "it is compressed");
    assert_eq!(info["alignment"], 64);
}

#[test]
fn schema_as_text_and_as_json() {
    let folder = folder();
    snapshot("schema", &folder.good(&["schema", "flights.arrow"]));
    snapshot("schema_json", &folder.good(&["schema", "--json", "flights.arrow"]));
}

#[test]
fn counts() {
    let folder = folder();
    assert_eq!(folder.good(&["count", "flights.arrow"]), "10\n");
    assert_eq!(folder.good(&["count", "*.arrow"]), "10\tflights.arrow\n5000\tzipped.arrow\n5010\ttotal\n");
    assert_eq!(folder.good(&["count", "."]).lines().last(), Some("5020\ttotal"));
}

#[test]
fn layout_of_columns_batches_and_buffers() {
    let folder = folder();
    snapshot("layout", &folder.good(&["layout", "flights.arrow"]));
    snapshot("layout_buffers", &folder.good(&["layout", "flights.arrow", "--batch", "1", "--buffers"]));
    assert!(
        folder
            .failure(&["layout", "flights.arrow", "--batch", "3"])
            .contains("there is no batch 3: it has 3")
    );
}

/// Every byte of the file is in the picture, once.
#[test]
fn the_picture_sums_to_the_file() {
    let folder = folder();
    for (name, picture) in
        [("flights.arrow", "a.html"), ("zipped.arrow", "b.svg"), ("flights.arrows", "c.svg")]
    {
        folder.good(&["layout", name, "-o", picture]);
        let text = std::fs::read_to_string(folder.path(picture)).unwrap();
        let sum: u64 = text
            .split("data-bytes=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse::<u64>().unwrap())
            .sum();
        assert_eq!(sum, std::fs::metadata(folder.path(name)).unwrap().len(), "{name}");
        assert!(
            !text.contains("http://") || text.matches("http://").count() == 1,
            "only the namespace is a link"
        );
    }
}

#[test]
fn a_file_alone_is_one_line_and_the_first_rows() {
    let folder = folder();
    snapshot("glance", &folder.good(&["flights.arrow"]));
}

#[test]
fn verify_reads_every_byte() {
    let folder = folder();
    snapshot("verify", &folder.good(&["verify", "flights.arrow", "flights.arrows", "zipped.arrow"]));
    assert!(folder.good(&["verify", "--quick", "zipped.arrow"]).contains("no body read"));
}

#[test]
fn completions_and_the_manual_know_all_commands() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = folder.good(&["completions", shell]);
        assert!(text.contains("recover") && text.contains("layout"), "{shell}");
    }
    let manual = folder.good(&["man"]);
    assert!(manual.starts_with(".ie") || manual.contains(".TH floe"), "{manual:.100}");
    assert!(manual.contains("\\-\\-compression"));
}
