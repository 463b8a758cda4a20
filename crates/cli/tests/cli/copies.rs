//! `cat` and `convert`.

use floe::prelude::*;
use polars_core::prelude::*;

use crate::support::*;

#[test]
fn codecs_change_and_values_stay() {
    let folder = Folder::new();
    let frame = large(3_000);
    folder.put("raw.arrow", &file(&frame, 1_000, None));
    let size = |name: &str| std::fs::metadata(folder.path(name)).unwrap().len();
    for codec in ["lz4", "zstd", "zstd:9", "none"] {
        folder.good(&["convert", "raw.arrow", "new.arrow", "--force", "--compression", codec]);
        assert!(read(&folder.path("new.arrow")).equals(&frame), "{codec}");
        folder.good(&["verify", "new.arrow"]);
        let info = folder.good(&["info", "--json", "new.arrow"]);
        let info: serde_json::Value = serde_json::from_str(&info).unwrap();
        assert_eq!(info["codecs"][0].as_str().unwrap().to_lowercase(), codec.split(':').next().unwrap());
        assert_eq!(info["metadata"]["schema"][0]["value"], "an atlas");
        assert_eq!(codec == "none", size("new.arrow") >= size("raw.arrow"), "{codec}");
    }
    let text = folder.floe(&["convert", "raw.arrow", "x.arrow", "--compression", "zstd:23"]);
    assert_eq!(text.status.code(), Some(2));
}

/// The footer says where buffers are. Where they are written anew, that would be wrong.
#[test]
fn what_the_footer_says_of_old_buffers_is_left_out_where_they_are_new() {
    let folder = Folder::new();
    let bytes = file(&large(60_000), 20_000, None);
    folder.put("a.arrow", &bytes);
    let has_layout = |name: &str| {
        let reader = IpcReader::from_bytes(std::fs::read(folder.path(name)).unwrap());
        reader.footer_metadata_bytes().unwrap().iter().any(|(key, _)| key == b"floe:layout")
    };
    assert!(has_layout("a.arrow"), "{} bytes", bytes.len());
    folder.good(&["convert", "a.arrow", "same.arrow"]);
    assert!(has_layout("same.arrow"));
    folder.good(&["convert", "a.arrow", "new.arrow", "--compression", "zstd"]);
    assert!(!has_layout("new.arrow"));
    assert!(read(&folder.path("new.arrow")).equals(&large(60_000)));
}

#[test]
fn a_file_through_a_stream_is_the_same_file() {
    let folder = Folder::new();
    let bytes = file(&frame(), 4, None);
    folder.put("a.arrow", &bytes);
    folder.good(&["convert", "a.arrow", "b.arrows"]);
    folder.good(&["convert", "b.arrows", "c.arrow"]);
    folder.good(&["convert", "a.arrow", "d.arrow"]);
    assert_eq!(std::fs::read(folder.path("d.arrow")).unwrap(), bytes, "with the footer's metadata");
    assert!(read(&folder.path("c.arrow")).equals_missing(&frame()));
    // The stream inside of the file is the stream.
    let stream = std::fs::read(folder.path("b.arrows")).unwrap();
    assert_eq!(bytes[8..8 + stream.len()], stream);
}

#[test]
fn cat_copies_and_says_when_it_decodes() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&large(100), 50, None));
    folder.put("b.arrows", &stream(&large(10), 5));
    folder.put("c.arrow", &file(&large(20), 50, None));
    let output = folder.floe(&["cat", "a.arrow", "c.arrow", "-o", "ac.arrow"]);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
    assert_eq!(folder.good(&["count", "ac.arrow"]), "120\n");
    // Strings of files are views, those of streams are not.
    let output = folder.floe(&["cat", "a.arrow", "b.arrows", "-o", "ab.arrow"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(err(&output).contains("decoded"), "{}", err(&output));
    let mut expected = large(100);
    expected.vstack_mut(&large(10)).unwrap();
    assert!(read(&folder.path("ab.arrow")).equals(&expected));
    folder.put("other.arrow", &file(&frame(), 50, None));
    assert!(folder.failure(&["cat", "a.arrow", "other.arrow", "-o", "no.arrow"]).contains("column"));
    assert!(!folder.path("no.arrow").exists());
}

#[test]
fn dictionaries_behind_batches_come_first_in_a_stream() {
    let folder = Folder::new();
    let categories = Categories::global();
    let dtype = DataType::from_categories(categories);
    let batch = |texts: [&str; 3]| {
        let column = Series::new("c".into(), texts).cast(&dtype).unwrap();
        DataFrame::new(3, vec![column.into_column()]).unwrap()
    };
    let (first, second) = (batch(["a", "b", "a"]), batch(["c", "b", "d"]));
    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes).batched(first.schema()).unwrap();
    writer.write_batch(&first).unwrap();
    writer.write_batch(&second).unwrap();
    writer.finish().unwrap();
    drop(writer);
    folder.put("late.arrow", &bytes);
    folder.good(&["convert", "late.arrow", "early.arrows"]);
    let mut expected = first;
    expected.vstack_mut(&second).unwrap();
    let text = |frame: &DataFrame| frame.column("c").unwrap().cast(&DataType::String).unwrap();
    assert!(text(&read(&folder.path("early.arrows"))).equals_missing(&text(&expected)));
    // Two files with different dictionaries of one id become one stream as they are, and one file through rows.
    let mut other = Vec::new();
    IpcWriter::new(&mut other).finish(&mut batch(["x", "y", "z"])).unwrap();
    folder.put("other.arrow", &other);
    let output = folder.floe(&["cat", "late.arrow", "other.arrow", "-o", "both.arrows"]);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
    assert_eq!(read(&folder.path("both.arrows")).height(), 9);
    let output = folder.floe(&["cat", "late.arrow", "other.arrow", "-o", "both.arrow"]);
    assert!(err(&output).contains("dictionary"), "{}", err(&output));
    assert!(
        text(&read(&folder.path("both.arrow"))).equals_missing(&text(&read(&folder.path("both.arrows"))))
    );
}

#[test]
fn batches_columns_and_statistics_go_through_rows() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&large(1_000), 10, None));
    assert!(folder.good(&["info", "a.arrow"]).contains("--batch-rows"), "a hint at small batches");
    folder.good(&["convert", "a.arrow", "b.arrow", "--batch-rows", "300", "--statistics"]);
    let info: serde_json::Value = serde_json::from_str(&folder.good(&["info", "--json", "b.arrow"])).unwrap();
    let rows: Vec<u64> =
        info["batches"].as_array().unwrap().iter().map(|batch| batch["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [300, 300, 300, 100]);
    assert_eq!(info["statistics"], true);
    assert_eq!(info["metadata"]["schema"][0]["value"], "an atlas");
    assert!(read(&folder.path("b.arrow")).equals(&large(1_000)));
    folder.good(&["convert", "a.arrow", "c.arrow", "--columns", "text"]);
    assert_eq!(read(&folder.path("c.arrow")).get_column_names(), ["text"]);
    assert!(folder.failure(&["convert", "a.arrow", "d.arrow", "--columns", "nope"]).contains("nope"));
    folder.good(&["convert", "a.arrow", "e.arrow", "--compat", "oldest"]);
    assert!(folder.good(&["schema", "e.arrow"]).contains("large_utf8"));
    assert!(!folder.path("d.arrow").exists());
}

#[test]
fn several_streams_behind_one_another() {
    let folder = Folder::new();
    let bytes = [stream(&large(10), 5), stream(&large(20), 5)].concat();
    folder.put("two.arrows", &bytes);
    assert_eq!(folder.good(&["count", "two.arrows"]), "30\n");
    assert!(folder.good(&["info", "two.arrows"]).contains("2 Arrow IPC streams"));
    folder.good(&["convert", "two.arrows", "one.arrow"]);
    assert_eq!(read(&folder.path("one.arrow")).height(), 30);
    folder.good(&["verify", "two.arrows", "one.arrow"]);
}

/// Two streams whose dictionaries begin alike and go on differently: one file has no place for both.
#[test]
fn dictionaries_that_part_by_their_deltas_are_not_mixed_up() {
    let folder = Folder::new();
    let categorical = |texts: &[&str]| {
        let dtype = DataType::from_categories(Categories::global());
        Series::new("x".into(), texts).cast(&dtype).unwrap()
    };
    let put = |name: &str, texts: &[&str]| {
        let mut bytes = Vec::new();
        let column = categorical(texts);
        let frame = DataFrame::new(texts.len(), vec![column.into_column()]).unwrap();
        let mut writer =
            IpcStreamWriter::new(&mut bytes).with_dictionary_deltas(true).batched(frame.schema()).unwrap();
        for row in 0..frame.height() {
            writer.write_batch(&frame.slice(i64::try_from(row).unwrap(), 1)).unwrap();
        }
        writer.finish().unwrap();
        folder.put(name, &bytes);
        texts.iter().map(|text| format!("{text}\n")).collect::<String>()
    };
    let mut all = "x\n".to_owned();
    all += &put("a.arrows", &["same", "one"]);
    all += &put("b.arrows", &["same", "two"]);
    let joined = folder.floe(&["cat", "a.arrows", "b.arrows", "-o", "out.arrow"]);
    assert_eq!(joined.status.code(), Some(0), "{}", err(&joined));
    assert_eq!(folder.good(&["head", "-n", "9", "out.arrow"]), all);
    // The same deltas are written once.
    put("c.arrows", &["same", "one"]);
    folder.good(&["cat", "a.arrows", "c.arrows", "-o", "twice.arrow"]);
    assert_eq!(folder.good(&["head", "-n", "9", "twice.arrow"]), "x\nsame\none\nsame\none\n");
    folder.good(&["verify", "out.arrow", "twice.arrow"]);
}
