//! Custom metadata of schemas and columns, through queries.

use super::*;

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Metadata {
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// A file with metadata of its schema and of two columns, of which one has metadata of Polars' own as well.
fn file() -> Vec<u8> {
    let kind = Column::new("kind".into(), ["a", "b", "a"]);
    let kind = kind.cast(&DataType::from_categories(Categories::global())).expect("categories");
    let columns = vec![
        Column::new("speed".into(), [1i64, 2, 3]),
        kind,
        Column::new("plain".into(), [true, false, true]),
    ];
    let mut df = DataFrame::new(3, columns).expect("a frame");
    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::new(pairs([("made by", "me")])));
    writer.set_custom_field_metadata("speed", pairs([("unit", "m/s")]));
    writer.set_custom_field_metadata("kind", pairs([("source", "survey")]));
    writer.finish(&mut df).expect("a file");
    bytes
}

fn scan(bytes: Vec<u8>) -> LazyFrame {
    scan_ipc(bytes, IpcScanOptions::default()).expect("a scan")
}

fn metadata(bytes: Vec<u8>) -> IpcMetadata {
    scan_ipc_metadata(bytes, IpcScanOptions::default()).expect("metadata")
}

#[test]
fn metadata_goes_through_a_query() {
    let expected = IpcMetadata {
        schema: pairs([("made by", "me")]),
        fields: vec![
            ("speed".into(), pairs([("unit", "m/s")])),
            ("kind".into(), pairs([("source", "survey")])),
        ],
    };
    assert_eq!(metadata(file()), expected);
    let options = || IpcSinkOptions::default().with_metadata(expected.clone());
    for is_file in [true, false] {
        let (bytes, _) =
            sink(scan(file()).filter(col("speed").gt(lit(1))), is_file, options()).expect("bytes");
        assert_eq!(metadata(bytes), expected);
    }
    // Columns that the result has no more have none, and new ones neither.
    let lf = scan(file()).select([col("plain"), col("speed").alias("fast")]);
    let (bytes, _) = sink(lf, true, options()).expect("bytes");
    assert_eq!(metadata(bytes), IpcMetadata { fields: Vec::new(), ..expected.clone() });
    // Of several sources, the first counts.
    let mut other = DataFrame::new(1, vec![Column::new("speed".into(), [1i64])]).expect("a frame");
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).finish(&mut other).expect("a file");
    let both = |first: Vec<u8>, second: Vec<u8>| {
        let sources = vec![floe::Buffer::from(first), floe::Buffer::from(second)];
        scan_ipc_metadata(sources, IpcScanOptions::default()).expect("metadata")
    };
    assert_eq!(both(file(), bytes.clone()), expected);
    assert_eq!(both(bytes, file()), IpcMetadata::default());
}

#[test]
fn metadata_of_a_column_is_in_every_file_of_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = metadata(file());
    let by = PartitionBy::Keys(vec!["kind"]);
    let options = IpcSinkOptions::default().with_metadata(all.clone());
    let parts = scan(file()).sink_ipc_partitioned(folder.path(), by, options).expect("files");
    assert_eq!(parts.len(), 2);
    let expected = IpcMetadata { fields: all.fields[..1].to_vec(), ..all };
    for part in parts {
        assert_eq!(scan_ipc_metadata(&*part.path, IpcScanOptions::default()).expect("metadata"), expected);
    }
    assert_eq!(scan_ipc_metadata(folder.path(), IpcScanOptions::default()).expect("metadata"), expected);
}

#[test]
fn metadata_of_a_column_that_is_not_there_is_an_error() {
    let options = IpcSinkOptions::default().with_custom_field_metadata("nobody", pairs([("unit", "m")]));
    let error = sink(scan(file()), true, options).map(drop).expect_err("no column").to_string();
    assert!(error.contains("nobody"), "{error}");
    // The last word counts.
    let options = IpcSinkOptions::default()
        .with_metadata(metadata(file()))
        .with_custom_field_metadata("speed", pairs([("unit", "km/h")]));
    let (bytes, _) = sink(scan(file()), true, options).expect("bytes");
    let found = metadata(bytes).fields;
    assert!(found.contains(&("speed".into(), pairs([("unit", "km/h")]))), "{found:?}");
}
