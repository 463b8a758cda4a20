//! Metadata of schemas, and schemas that do not fit.

use super::*;

fn pairs<'a>(metadata: Option<impl IntoIterator<Item = arrow_ipc::KeyValue<'a>>>) -> Vec<(String, String)> {
    let pairs = metadata.into_iter().flatten();
    pairs.map(|pair| (pair.key().unwrap_or("").to_owned(), pair.value().unwrap_or("").to_owned())).collect()
}

#[test]
fn metadata_is_in_the_schema_message_and_in_the_footer() {
    let df = frame(vec![
        Column::new("a".into(), [1, 2, 3]),
        categorical("c", &categories("metadata"), &[Some("x"), None, Some("y")]),
    ]);
    let metadata =
        |key: &'static str| Metadata::from([(key.into(), "größe".into()), ("other".into(), "".into())]);

    let mut writer = IpcWriter::new(Vec::new());
    writer.set_custom_schema_metadata(Arc::new(metadata("schema")));
    writer.set_custom_field_metadata("a", metadata("field a"));
    writer.set_custom_field_metadata("c", metadata("field c"));
    let mut writer = writer.batched(df.schema()).expect("a writer");
    writer.write_batch_with_metadata(&df, metadata("first batch")).expect("bytes");
    writer.write_batch(&df).expect("bytes");
    writer.finish().expect("bytes");
    let bytes = writer.into_inner();

    let messages = messages(&bytes[8..]).0;
    let message = |index: usize| {
        let Message { start, body, .. } = messages[index];
        root_as_message(&bytes[8 + start + 8..8 + body]).expect("a message")
    };
    let first = message(0).header_as_schema().expect("a schema");
    let footer = root_as_footer(&bytes[footer(&bytes)]).expect("a footer");
    let last = footer.schema().expect("a schema");
    assert_eq!(format!("{first:?}"), format!("{last:?}"), "the schema message and the footer");

    let found = pairs(first.custom_metadata());
    assert!(found.contains(&("schema".to_owned(), "größe".to_owned())), "{found:?}");
    let fields = first.fields().expect("fields");
    assert!(pairs(fields.get(0).custom_metadata()).contains(&("field a".to_owned(), "größe".to_owned())));
    let of_categorical = pairs(fields.get(1).custom_metadata());
    assert!(of_categorical.contains(&("field c".to_owned(), "größe".to_owned())));
    assert!(of_categorical.iter().any(|(key, _)| key == "_PL_CATEGORICAL2"), "{of_categorical:?}");

    let batches: Vec<_> =
        (0..messages.len()).filter(|&index| matches!(messages[index].kind, Kind::Batch(_))).collect();
    assert!(
        pairs(message(batches[0]).custom_metadata())
            .contains(&("first batch".to_owned(), "größe".to_owned()))
    );
    assert!(!pairs(message(batches[1]).custom_metadata()).iter().any(|(key, _)| key == "first batch"));

    let of_footer = pairs(footer.custom_metadata());
    let polars = of_footer.iter().find(|(key, _)| key == "__POLARS_IPC_METADATA").expect("Polars' metadata");
    let polars: serde_json::Value = serde_json::from_str(&polars.1).expect("JSON");
    assert_eq!(polars["record_batch_cum_len"], serde_json::json!([3, 6]));

    let mut reader = IpcReader::from_bytes(bytes);
    let found = reader.custom_metadata().expect("metadata").expect("metadata");
    assert_eq!(found.get("schema").map(PlSmallStr::as_str), Some("größe"));
    let schema = reader.schema().expect("a schema");
    let field = schema.get("a").expect("a field");
    assert_eq!(
        field.metadata.as_deref().and_then(|md| md.get("field a")).map(PlSmallStr::as_str),
        Some("größe")
    );
}

#[test]
fn metadata_travels_in_streams() {
    let df = frame(vec![Column::new("a".into(), [1, 2, 3])]);
    let mut writer = IpcStreamWriter::new(Vec::new());
    writer.set_custom_schema_metadata(Arc::new([("k".into(), "v".into())].into()));
    writer.set_custom_field_metadata("a", [("f".into(), "w".into())].into());
    let mut writer = writer.batched(df.schema()).expect("a writer");
    writer.write_batch_with_metadata(&df, [("b".into(), "x".into())].into()).expect("bytes");
    writer.finish().expect("bytes");
    let bytes = writer.into_inner();
    let mut reader = IpcStreamReader::new(bytes.as_slice());
    let found = reader.custom_metadata().expect("metadata").expect("metadata");
    assert_eq!(found.get("k").map(PlSmallStr::as_str), Some("v"));
    let schema = reader.arrow_schema().expect("a schema");
    let field = schema.get("a").expect("a field");
    assert_eq!(field.metadata.as_deref().and_then(|md| md.get("f")).map(PlSmallStr::as_str), Some("w"));
    let batch = messages(&bytes).0[1];
    let message = root_as_message(&bytes[batch.start + 8..batch.body]).expect("a message");
    assert!(pairs(message.custom_metadata()).contains(&("b".to_owned(), "x".to_owned())));
}

#[test]
fn sortedness_comes_back() {
    let mut up = Column::new("up".into(), [1, 2, 3]);
    let mut down = Column::new("down".into(), [3, 2, 1]);
    let plain = Column::new("plain".into(), [2, 3, 1]);
    up.set_sorted_flag(IsSorted::Ascending);
    down.set_sorted_flag(IsSorted::Descending);
    let df = frame(vec![up, down, plain]);
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).with_record_batch_statistics(true).finish(&mut df.clone()).expect("bytes");
    let found = IpcReader::from_bytes(bytes).finish().expect("a file");
    let flags: Vec<_> = found.columns().iter().map(Column::is_sorted_flag).collect();
    assert_eq!(flags, [IsSorted::Ascending, IsSorted::Descending, IsSorted::Not]);
}

#[test]
fn options_of_polars_are_all_kept() {
    let options = IpcWriterOptions {
        compression: Some(IpcCompression::LZ4),
        compat_level: CompatLevel::oldest(),
        record_batch_size: Some(7),
        record_batch_statistics: true,
    };
    let df = frame(vec![Column::new("a".into(), vec!["some text, again and again"; 100])]);
    let mut through_options = Vec::new();
    options.to_writer(&mut through_options).finish(&mut df.clone()).expect("bytes");
    let mut by_hand = Vec::new();
    IpcWriter::new(&mut by_hand)
        .with_compression(options.compression)
        .with_compat_level(options.compat_level)
        .with_record_batch_size(options.record_batch_size)
        .with_record_batch_statistics(options.record_batch_statistics)
        .finish(&mut df.clone())
        .expect("bytes");
    assert_eq!(through_options, by_hand);
}

// --- Schemas that do not fit ---

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Thing(u64);

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thing {}", self.0)
    }
}

impl TotalEq for Thing {
    fn tot_eq(&self, other: &Self) -> bool {
        self == other
    }
}

impl TotalHash for Thing {
    fn tot_hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::hash::Hash::hash(self, state);
    }
}

impl PolarsObject for Thing {
    fn type_name() -> &'static str {
        "thing"
    }
}

#[test]
fn objects_are_an_error_and_nothing_is_written() {
    let mut builder = ObjectChunkedBuilder::<Thing>::new("the things".into(), 2);
    builder.append_value(Thing(1));
    builder.append_null();
    let things = builder.finish().into_series().into_column();
    let df = frame(vec![Column::new("a".into(), [1, 2]), things]);

    let mut bytes = Vec::new();
    let error = IpcStreamWriter::new(&mut bytes).finish(&mut df.clone()).expect_err("an object").to_string();
    assert!(error.contains("the things"), "{error}");
    assert!(bytes.is_empty());
    let error = IpcWriter::new(&mut bytes).finish(&mut df.clone()).expect_err("an object").to_string();
    assert!(error.contains("the things"), "{error}");
    assert!(bytes.is_empty());
    assert!(IpcStreamWriter::new(&mut bytes).batched(df.schema()).is_err());
    assert!(bytes.is_empty());
    assert!(IpcWriter::new(&mut bytes).batched(df.schema()).is_err());
    assert!(bytes.is_empty());
}

#[test]
fn batches_that_do_not_fit_the_schema_are_not_written() {
    let column = |name: &str| Column::new(name.into(), [1i32, 2]);
    let good = frame(vec![column("a"), column("b")]);
    let bad = [
        ("a name", frame(vec![column("a"), column("c")])),
        ("the order", frame(vec![column("b"), column("a")])),
        ("a dtype", frame(vec![column("a"), Column::new("b".into(), [1i64, 2])])),
        ("too few", frame(vec![column("a")])),
        ("too many", frame(vec![column("a"), column("b"), column("c")])),
    ];
    let mut stream = IpcStreamWriter::new(Vec::new()).batched(good.schema()).expect("a writer");
    let mut file = IpcWriter::new(Vec::new()).batched(good.schema()).expect("a writer");
    stream.write_batch(&good).expect("it fits");
    file.write_batch(&good).expect("it fits");
    for (what, batch) in &bad {
        assert!(stream.write_batch(batch).is_err(), "{what}");
        assert!(file.write_batch(batch).is_err(), "{what}");
    }
    stream.write_batch(&good).expect("it fits");
    file.write_batch(&good).expect("it fits");
    assert_eq!(stream.finish().expect("an end").batches, 2);
    assert_eq!(file.finish().expect("an end").batches, 2);
    assert_eq!(IpcStreamReader::from_bytes(stream.into_inner()).finish().expect("a stream").height(), 4);
    assert_eq!(IpcReader::from_bytes(file.into_inner()).finish().expect("a file").height(), 4);
}
