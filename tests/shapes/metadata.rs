//! Metadata that is not what the format says: bytes where it wants UTF-8; and what is whose metadata.

use std::collections::HashMap as Map;

use arrow_schema::{DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema};

use super::*;

/// The text that stands for bytes that are not UTF-8 when data is written, and those bytes.
const MARK: &str = "@MARK@";
const BYTES: &[u8] = b"\xff\xfe\x80@\xc3\x28";

/// Puts the bytes where the mark is.
fn spoil(mut bytes: Vec<u8>) -> Vec<u8> {
    let places: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes[*at..].starts_with(MARK.as_bytes())).collect();
    assert!(!places.is_empty(), "no mark");
    for at in places {
        bytes[at..at + BYTES.len()].copy_from_slice(BYTES);
    }
    bytes
}

/// `before`, an entry that gets a bad value, one that gets a bad key, `later`.
fn marked() -> Metadata {
    let pairs = [("before", "1"), ("bad value", MARK), (MARK, "bad key"), ("later", "2")];
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// The same as bytes, in the order in which they are written: of their keys.
fn as_bytes() -> MetadataBytes {
    let mut all: MetadataBytes =
        marked().iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    for (key, value) in &mut all {
        for text in [key, value] {
            if text == MARK.as_bytes() {
                *text = BYTES.to_vec();
            }
        }
    }
    all
}

/// The entries that are text.
fn as_text() -> Metadata {
    [("before".into(), "1".into()), ("later".into(), "2".into())].into()
}

fn marked_frame() -> DataFrame {
    frame(vec![
        Column::new("a".into(), [1, 2, 3]),
        categorical("c", &categories("bytes"), &[Some("x"), None, Some("y")]),
    ])
}

#[test]
fn a_file_whose_metadata_is_not_utf8_is_read() {
    let df = marked_frame();
    let mut writer = IpcWriter::new(Vec::new());
    writer.set_custom_schema_metadata(Arc::new(marked()));
    writer.set_custom_field_metadata("a", marked());
    let mut writer = writer.batched(df.schema()).expect("a writer");
    writer.write_batch_with_metadata(&df, marked()).expect("bytes");
    let pairs = marked().into_iter().map(|(key, value)| (key.to_string(), value.to_string()));
    writer.set_custom_metadata(pairs.collect());
    writer.finish().expect("bytes");
    let bytes = spoil(writer.into_inner());

    let mut reader = IpcReader::from_bytes(bytes.clone());
    assert_eq!(*reader.custom_metadata().expect("metadata").expect("metadata"), as_text());
    assert_eq!(reader.custom_metadata_bytes().expect("metadata"), as_bytes());
    let schema = reader.arrow_schema().expect("a schema");
    let field = schema.get("a").expect("a field");
    assert_eq!(field.metadata.as_deref(), Some(&as_text()));
    assert_eq!(reader.field_metadata_bytes(&[0]).expect("metadata"), as_bytes());
    assert_eq!(reader.footer_metadata().expect("metadata"), as_text());
    assert_eq!(reader.footer_metadata_bytes().expect("metadata")[..4], as_bytes());
    let ours = &reader.footer_metadata_bytes().expect("metadata")[4];
    assert_eq!(ours.0, b"__POLARS_IPC_METADATA");
    assert_eq!(reader.batch_metadata(0).expect("metadata"), as_text());
    assert_eq!(reader.batch_metadata_bytes(0).expect("metadata"), as_bytes());
    for path in [&[][..], &[2], &[0, 0]] {
        let error = reader.field_metadata_bytes(path).expect_err("no such field").to_string();
        assert!(error.contains("there is no field"), "{error}");
    }
    assert_frames_equal(&reader.finish().expect("a frame"), &df);

    let index = IpcIndex::from_bytes(bytes.clone(), IpcLimits::default()).expect("an index");
    assert_eq!(index.custom_metadata_bytes(), as_bytes());
    assert_eq!(index.custom_metadata(), as_text());
    assert_frames_equal(&IpcIndex::read(&index, 0..1, &[0, 1], false).expect("a frame"), &df);
    let text = floe::inspect::describe(&bytes, &IpcLimits::default()).expect("a description").to_string();
    assert!(text.contains(r#"["bad value" = "\xff\xfe\x80@\xc3("] of field [0], not UTF-8"#), "{text}");
}

#[test]
fn a_stream_whose_metadata_is_not_utf8_is_read() {
    let df = marked_frame();
    let mut writer = IpcStreamWriter::new(Vec::new());
    writer.set_custom_schema_metadata(Arc::new(marked()));
    writer.set_custom_field_metadata("c", marked());
    let mut writer = writer.batched(df.schema()).expect("a writer");
    writer.write_batch_with_metadata(&df, marked()).expect("bytes");
    writer.finish().expect("bytes");
    let bytes = spoil(writer.into_inner());

    let mut reader = IpcStreamReader::new(bytes.as_slice());
    assert_eq!(*reader.custom_metadata().expect("metadata").expect("metadata"), as_text());
    assert_eq!(reader.custom_metadata_bytes().expect("metadata"), as_bytes());
    let of_field = reader.field_metadata_bytes(&[1]).expect("metadata");
    assert!(as_bytes().iter().all(|pair| of_field.contains(pair)), "{of_field:?}");
    // The metadata that floe itself needs of the field is text.
    assert!(of_field.iter().any(|(key, _)| key == b"_PL_CATEGORICAL2"));
    let mut batches = reader.batches().expect("batches");
    assert_frames_equal(&batches.next().expect("a batch").expect("a frame"), &df);
    assert_eq!(batches.metadata(), &as_text());
    assert_eq!(batches.metadata_bytes(), as_bytes());
    assert_frames_equal(&IpcStreamReader::from_bytes(bytes).finish().expect("a frame"), &df);
}

/// The key of a field that lies in others, as another writer has it.
#[test]
fn fields_below_others_are_found() {
    let metadata = |key: &str| Map::from([(key.to_owned(), MARK.to_owned())]);
    let child = ArrowField::new("x", ArrowType::Int32, true).with_metadata(metadata("x"));
    let other = ArrowField::new("y", ArrowType::Int32, true).with_metadata(metadata("y"));
    let inner = ArrowField::new("item", ArrowType::Struct(vec![child, other].into()), true);
    let plain = ArrowField::new("plain", ArrowType::Int32, true);
    let list = ArrowField::new("list", ArrowType::List(inner.into()), true);
    let schema = ArrowSchema::new(vec![plain, list]);
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &schema).expect("a writer");
    writer.finish().expect("bytes");
    let bytes = spoil(writer.into_inner().expect("bytes"));
    let mut reader = IpcStreamReader::new(bytes.as_slice());
    let of = |reader: &mut IpcStreamReader<&[u8]>, path: &[usize]| {
        reader.field_metadata_bytes(path).expect("metadata")
    };
    assert_eq!(of(&mut reader, &[1, 0, 0]), [(b"x".to_vec(), BYTES.to_vec())]);
    assert_eq!(of(&mut reader, &[1, 0, 1]), [(b"y".to_vec(), BYTES.to_vec())]);
    for path in [&[0][..], &[1], &[1, 0]] {
        assert_eq!(of(&mut reader, path), []);
    }
}

/// floe interprets text only: an enum's categories that are not text are none.
#[test]
fn keys_of_floe_that_are_not_utf8_say_nothing() {
    let categories = FrozenCategories::new([MARK, "b"]).expect("categories");
    let dtype = DataType::from_frozen_categories(categories);
    let column = Series::new("e".into(), ["b", "b"]).cast(&dtype).expect("an enum").into_column();
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes).finish(&mut frame(vec![column])).expect("bytes");
    let first = messages(&bytes).0[0];
    let schema = spoil(bytes[first.start..first.end].to_vec());
    bytes[first.start..first.end].copy_from_slice(&schema);
    let df = IpcStreamReader::new(bytes.as_slice()).finish().expect("a frame");
    let column = df.column("e").expect("a column");
    assert!(matches!(column.dtype(), DataType::Categorical(..)), "{:?}", column.dtype());
    assert_eq!(column.get(0).expect("a row").get_str(), Some("b"));
}

/// A place is said once.
#[test]
fn errors_of_a_footer_say_so_once() {
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).finish(&mut marked_frame()).expect("bytes");
    let end = bytes.len() - 10;
    let len = u32::from_le_bytes(bytes[end..end + 4].try_into().expect("4 bytes")) as usize;
    for at in end - len..end {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        let Err(error) = IpcReader::from_bytes(damaged).finish() else { continue };
        let error = error.to_string();
        assert!(!error.contains("footer, footer") && !error.contains("schema, schema"), "{error}");
    }
    // A name that is not UTF-8 has nothing to be replaced by.
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).finish(&mut frame(vec![Column::new(MARK.into(), [1])])).expect("bytes");
    let error = IpcReader::from_bytes(spoil(bytes)).finish().expect_err("no name").to_string();
    assert_eq!(error.matches("footer").count(), 1, "{error}");
}
