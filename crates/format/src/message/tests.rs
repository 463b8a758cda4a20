use super::*;
use crate::testing::{LIMITS, batch, everything, field, for_each_damage, int, pairs};
use crate::{DataType, DictionaryEncoding, Endianness, Field, IntType, MessageEncoder, UnionMode};

fn round_trip(schema: &Schema, limits: &IpcLimits) -> Result<Schema> {
    let message = decode_message(MessageEncoder::new().schema(schema), limits)?;
    assert_eq!((message.body_len, message.version), (0, Version::V5));
    match message.header {
        Header::Schema(schema) => Ok(schema),
        other => panic!("{other:?}"),
    }
}

fn schema_of(field: Field) -> Schema {
    Schema { fields: vec![field], ..Schema::default() }
}

fn error_of(field: Field) -> Error {
    round_trip(&schema_of(field), &LIMITS).unwrap_err()
}

/// A message built by hand, for what the encoder does not write.
fn message(version: fb::MetadataVersion, header: Option<fb::MessageHeader>, body_length: i64) -> Vec<u8> {
    let message = fb::Message { version, header, body_length, custom_metadata: None };
    planus::Builder::new().finish(message, None).to_vec()
}

fn batch_message(batch: fb::RecordBatch, body_length: i64) -> Vec<u8> {
    let header = fb::MessageHeader::RecordBatch(Box::new(batch));
    message(fb::MetadataVersion::V5, Some(header), body_length)
}

fn field_message(field: fb::Field) -> Vec<u8> {
    let schema = fb::Schema { fields: Some(vec![field]), ..Default::default() };
    message(fb::MetadataVersion::V5, Some(fb::MessageHeader::Schema(Box::new(schema))), 0)
}

#[test]
fn every_type_survives() {
    let mut schema = everything();
    assert_eq!(round_trip(&schema, &LIMITS).unwrap(), schema);
    schema.endianness = Endianness::Big;
    assert_eq!(round_trip(&schema, &LIMITS).unwrap(), schema);
    schema.check_encodable().unwrap();
}

#[test]
fn slots_count_depth_first() {
    let schema = round_trip(&everything(), &LIMITS).unwrap();
    let outer = schema.fields.iter().find(|field| field.name == "outer").unwrap();
    assert_eq!(outer.dictionary.as_ref().unwrap().slot, 0);
    assert_eq!(outer.children[0].dictionary.as_ref().unwrap().slot, 1);
}

#[test]
fn batches_and_dictionaries_survive() {
    let (mut header, body_len) = batch();
    let mut encoder = MessageEncoder::new();
    let metadata = pairs(&[("a", "b")]);
    for compression in [None, Some(Codec::Lz4), Some(Codec::Zstd)] {
        header.compression = compression;
        let message = decode_message(encoder.batch(&header, body_len, &metadata).unwrap(), &LIMITS).unwrap();
        let expected = Message {
            header: Header::Batch(header.clone()),
            body_len,
            metadata: metadata.clone(),
            not_utf8: Vec::new(),
            version: Version::V5,
        };
        assert_eq!(message, expected);
        let dictionary = DictionaryHeader { id: i64::MIN, is_delta: true, batch: header.clone() };
        let bytes = encoder.dictionary(&dictionary, body_len, &[]).unwrap();
        assert_eq!(decode_message(bytes, &LIMITS).unwrap().header, Header::Dictionary(dictionary));
    }
    let empty = BatchHeader::default();
    let message = decode_message(encoder.batch(&empty, 0, &[]).unwrap(), &LIMITS).unwrap();
    assert_eq!(message.header, Header::Batch(empty));
}

#[test]
fn a_reused_encoder_writes_the_same_bytes() {
    let (header, body_len) = batch();
    let mut used = MessageEncoder::new();
    used.schema(&everything());
    let first = used.batch(&header, body_len, &[]).unwrap().to_vec();
    assert_eq!(used.batch(&header, body_len, &[]).unwrap(), first);
    assert_eq!(MessageEncoder::new().batch(&header, body_len, &[]).unwrap(), first);
}

#[test]
fn padding_behind_the_flatbuffer_is_ignored() {
    let mut bytes = MessageEncoder::new().schema(&everything()).to_vec();
    bytes.resize(bytes.len() + 63, 0);
    assert_eq!(decode_message(&bytes, &LIMITS).unwrap().header, Header::Schema(everything()));
}

#[test]
fn numbers_that_do_not_fit_are_refused_when_writing() {
    let mut encoder = MessageEncoder::new();
    let buffers = vec![BufferSpec { offset: u64::MAX, len: 0 }];
    assert!(encoder.batch(&BatchHeader { buffers, ..BatchHeader::default() }, 0, &[]).is_err());
    assert!(encoder.batch(&BatchHeader::default(), u64::MAX, &[]).is_err());
    let wide =
        schema_of(field("wide", DataType::FixedSizeList(1 << 31), vec![field("", DataType::Null, vec![])]));
    let error = wide.check_encodable().unwrap_err();
    assert_eq!(error.place, ["field \"wide\""]);
}

#[test]
fn buffers_outside_the_body_are_named() {
    let decode = |offset: i64, length: i64| {
        let buffers = Some(vec![fb::Buffer { offset: 0, length: 8 }, fb::Buffer { offset, length }]);
        decode_message(&batch_message(fb::RecordBatch { buffers, ..Default::default() }, 64), &LIMITS)
    };
    assert!(decode(56, 8).is_ok());
    let error = decode(57, 8).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BufferOutOfBounds { buffer: 1, end: 65, body: 64 });
    assert_eq!(error.to_string(), "record batch: buffer 1 ends at byte 65 of a body of 64 bytes");
    assert!(matches!(decode(i64::MAX, i64::MAX).unwrap_err().kind, ErrorKind::BufferOutOfBounds { .. }));
    assert!(matches!(decode(-1, 8).unwrap_err().kind, ErrorKind::Invalid(_)));
    assert!(matches!(decode(0, -1).unwrap_err().kind, ErrorKind::Invalid(_)));
    // An empty buffer may be anywhere, and comes out inside.
    let Header::Batch(header) = decode(1000, 0).unwrap().header else { panic!("no batch") };
    assert_eq!(header.buffers[1], BufferSpec { offset: 64, len: 0 });
}

#[test]
fn contradictions_of_a_batch_are_named() {
    let decode = |batch| decode_message(&batch_message(batch, 0), &LIMITS).map_err(|error| error.to_string());
    let node = |length, null_count| fb::RecordBatch {
        nodes: Some(vec![fb::FieldNode { length, null_count }]),
        ..Default::default()
    };
    assert!(decode(node(3, 3)).is_ok());
    assert_eq!(decode(node(3, 4)).unwrap_err(), "record batch, field node 0: 4 nulls in 3 rows");
    assert!(decode(node(-1, 0)).is_err() && decode(node(0, -1)).is_err());
    assert!(decode(fb::RecordBatch { length: -1, ..Default::default() }).is_err());
    for counts in [vec![-1], vec![1], vec![i64::MAX, i64::MAX, i64::MAX]] {
        let variadic_buffer_counts = Some(counts);
        assert!(decode(fb::RecordBatch { variadic_buffer_counts, ..Default::default() }).is_err());
    }
    let buffers = Some(vec![fb::Buffer::default(); 3]);
    let bytes = batch_message(fb::RecordBatch { buffers, ..Default::default() }, 0);
    let error = decode_message(&bytes, &IpcLimits { max_buffers: 2, ..*LIMITS }).unwrap_err();
    assert_eq!(error.kind, ErrorKind::LimitExceeded { limit: "max_buffers", claimed: 3, allowed: 2 });
}

#[test]
fn versions_and_headers() {
    let batch = || Some(fb::MessageHeader::RecordBatch(Default::default()));
    let decode = |version, header, body| decode_message(&message(version, header, body), &LIMITS);
    let old = decode(fb::MetadataVersion::V3, batch(), 0).unwrap_err();
    assert!(matches!(old.kind, ErrorKind::UnsupportedType(_)));
    assert_eq!(decode(fb::MetadataVersion::V4, batch(), 0).unwrap().version, Version::V4);
    assert!(matches!(decode(fb::MetadataVersion::V5, batch(), -1).unwrap_err().kind, ErrorKind::Invalid(_)));
    assert!(matches!(decode(fb::MetadataVersion::V5, None, 0).unwrap_err().kind, ErrorKind::Invalid(_)));
    let dictionary = Some(fb::MessageHeader::DictionaryBatch(Default::default()));
    assert!(matches!(
        decode(fb::MetadataVersion::V5, dictionary, 0).unwrap_err().kind,
        ErrorKind::Invalid(_)
    ));
    let tensor = fb::Tensor {
        type_: fb::Type::Null(Default::default()),
        shape: vec![],
        strides: None,
        data: fb::Buffer::default(),
    };
    let tensor = Some(fb::MessageHeader::Tensor(Box::new(tensor)));
    assert!(matches!(
        decode(fb::MetadataVersion::V5, tensor, 0).unwrap_err().kind,
        ErrorKind::UnsupportedType(_)
    ));
}

#[test]
fn arrow_0_17_named_its_codec_in_the_metadata() {
    let decode = |version, name: &str| -> Result<Option<Codec>> {
        let pair = fb::KeyValue { key: Some(EXPERIMENTAL_COMPRESSION.into()), value: Some(name.into()) };
        let message = fb::Message {
            version,
            header: Some(fb::MessageHeader::RecordBatch(Default::default())),
            body_length: 0,
            custom_metadata: Some(vec![pair]),
        };
        match decode_message(planus::Builder::new().finish(message, None), &LIMITS)?.header {
            Header::Batch(batch) => Ok(batch.compression),
            _ => panic!("no batch"),
        }
    };
    let old = fb::MetadataVersion::V4;
    assert_eq!(decode(old, "LZ4"), Ok(Some(Codec::Lz4)));
    assert_eq!(decode(old, "zstd"), Ok(Some(Codec::Zstd)));
    assert!(decode(old, "snappy").is_err());
    assert_eq!(decode(fb::MetadataVersion::V5, "LZ4"), Ok(None));
}

#[test]
fn defaults_of_the_specification() {
    let decode = |field| match decode_message(&field_message(field), &LIMITS).unwrap().header {
        Header::Schema(schema) => schema.fields[0].clone(),
        _ => panic!("no schema"),
    };
    let utf8 = || Some(fb::Type::Utf8(Default::default()));
    let dictionary = Some(Box::new(fb::DictionaryEncoding { id: 5, ..Default::default() }));
    let keys = decode(fb::Field { type_: utf8(), dictionary, ..Default::default() });
    let index = IntType { bits: 32, signed: true };
    assert_eq!(keys.dictionary, Some(DictionaryEncoding { id: 5, index, ordered: false, slot: 0 }));
    assert_eq!((keys.name.as_str(), keys.nullable), ("", false));
    let decimal =
        decode(fb::Field { type_: Some(fb::Type::Decimal(Default::default())), ..Default::default() });
    assert_eq!(decimal.data_type, DataType::Decimal { precision: 0, scale: 0, bits: 128 });
    let child = || fb::Field { type_: utf8(), ..Default::default() };
    let type_ = Some(fb::Type::Union(Default::default()));
    let union = decode(fb::Field { type_, children: Some(vec![child(), child()]), ..Default::default() });
    assert_eq!(union.data_type, DataType::Union { mode: UnionMode::Sparse, type_ids: vec![0, 1] });
    let leaf = decode(fb::Field { type_: utf8(), children: Some(vec![child()]), ..Default::default() });
    assert!(leaf.children.is_empty());
}

#[test]
fn types_out_of_the_specification() {
    let decode = |type_| {
        let name = Some("x".to_string());
        let error = decode_message(&field_message(fb::Field { name, type_, ..Default::default() }), &LIMITS);
        let error = error.unwrap_err();
        assert_eq!(error.place, ["schema", "field \"x\""]);
        assert!(matches!(error.kind, ErrorKind::Invalid(_)), "{error}");
    };
    decode(None);
    decode(Some(fb::Type::Int(Box::new(fb::Int { bit_width: 24, is_signed: true }))));
    decode(Some(fb::Type::Decimal(Box::new(fb::Decimal { precision: 1, scale: 0, bit_width: 96 }))));
    decode(Some(fb::Type::Time(Box::new(fb::Time { unit: fb::TimeUnit::Nanosecond, bit_width: 32 }))));
    decode(Some(fb::Type::FixedSizeBinary(Box::new(fb::FixedSizeBinary { byte_width: -1 }))));
    decode(Some(fb::Type::FixedSizeList(Box::new(fb::FixedSizeList { list_size: -1 }))));
    decode(Some(fb::Type::Union(Box::new(fb::Union {
        mode: fb::UnionMode::Dense,
        type_ids: Some(vec![1]),
    }))));
    let child = fb::Field { type_: Some(fb::Type::Null(Default::default())), ..Default::default() };
    for id in [-1, 128] {
        let union = fb::Union { mode: fb::UnionMode::Dense, type_ids: Some(vec![id]) };
        let type_ = Some(fb::Type::Union(Box::new(union)));
        let field = fb::Field { type_, children: Some(vec![child.clone()]), ..Default::default() };
        assert!(decode_message(&field_message(field), &LIMITS).is_err());
    }
}

#[test]
fn children_fit_their_parent() {
    let leaf = || field("leaf", int(32, true), vec![]);
    for data_type in
        [DataType::List, DataType::LargeListView, DataType::FixedSizeList(2), DataType::RunEndEncoded]
    {
        for children in [vec![], vec![leaf(), leaf(), leaf()]] {
            let error = error_of(field("x", data_type.clone(), children));
            assert!(matches!(error.kind, ErrorKind::Invalid(_)), "{error}");
        }
    }
    let map = |entries| error_of(field("x", DataType::Map { keys_sorted: false }, vec![entries]));
    map(leaf());
    map(field("entries", DataType::Struct, vec![leaf()]));
    error_of(field("x", DataType::RunEndEncoded, vec![field("", int(32, false), vec![]), leaf()]));
    error_of(field("x", DataType::RunEndEncoded, vec![field("", int(8, true), vec![]), leaf()]));
    error_of(field("x", DataType::Struct, vec![field("y", DataType::List, vec![])]));
    let mut keys = leaf();
    let index = IntType { bits: 128, signed: true };
    keys.dictionary = Some(DictionaryEncoding { id: 0, index, ordered: false, slot: 0 });
    error_of(keys);
}

#[test]
fn depth_and_nodes_are_limited() {
    let mut nested = field("", DataType::Null, vec![]);
    for _ in 0..9 {
        nested = field("", DataType::List, vec![nested]);
    }
    let schema = schema_of(nested);
    let kind = |limits| round_trip(&schema, &limits).unwrap_err().kind.clone();
    let fits = IpcLimits { max_schema_depth: 10, max_schema_nodes: 10, ..*LIMITS };
    assert_eq!(round_trip(&schema, &fits).unwrap(), schema);
    let expected = ErrorKind::LimitExceeded { limit: "max_schema_depth", claimed: 10, allowed: 9 };
    assert_eq!(kind(IpcLimits { max_schema_depth: 9, ..fits }), expected);
    let expected = ErrorKind::LimitExceeded { limit: "max_schema_nodes", claimed: 10, allowed: 9 };
    assert_eq!(kind(IpcLimits { max_schema_nodes: 9, ..fits }), expected);
}

#[test]
fn a_dag_does_not_explode() {
    // Each level refers twice to the one below: 2^40 fields when walked.
    let mut builder = planus::Builder::new();
    let kind = fb::Type::create_struct(&mut builder, fb::Struct {});
    let mut level = fb::Field::create(&mut builder, "x", true, kind, (), (), ());
    for _ in 0..40 {
        let children = builder.create_vector([level, level].as_slice());
        level = fb::Field::create(&mut builder, "x", true, kind, (), children, ());
    }
    let schema = fb::Schema::create(&mut builder, fb::Endianness::Little, [level].as_slice(), (), ());
    let header = fb::MessageHeader::create_schema(&mut builder, schema);
    let root = fb::Message::create(&mut builder, fb::MetadataVersion::V5, header, 0, ());
    let bytes = builder.finish(root, None);
    assert!(bytes.len() < 4096);
    let error = decode_message(bytes, &LIMITS).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::LimitExceeded { limit: "max_schema_nodes", .. }), "{error}");
}

#[test]
fn shared_text_does_not_explode() {
    let mut builder = planus::Builder::new();
    let value = "x".repeat(1 << 16);
    let pair = fb::KeyValue::create(&mut builder, "", value.as_str());
    let pairs = vec![pair; 1 << 12];
    let schema = fb::Schema::create(&mut builder, fb::Endianness::Little, (), pairs.as_slice(), ());
    let header = fb::MessageHeader::create_schema(&mut builder, schema);
    let root = fb::Message::create(&mut builder, fb::MetadataVersion::V5, header, 0, ());
    let error = decode_message(builder.finish(root, None), &LIMITS).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::LimitExceeded { limit: "max_metadata_bytes", .. }), "{error}");
}

#[test]
fn shared_tables_count_each_time() {
    // 2,048 times one field with 1,024 times one pair: 2^21 pairs out of 12 KB.
    let mut builder = planus::Builder::new();
    let pair = fb::KeyValue::create(&mut builder, "", "");
    let pairs = builder.create_vector(vec![pair; 1 << 10].as_slice());
    let null = fb::Type::create_null(&mut builder, fb::Null {});
    let field = fb::Field::create(&mut builder, "x", true, null, (), (), pairs);
    let fields = vec![field; 1 << 11];
    let schema = fb::Schema::create(&mut builder, fb::Endianness::Little, fields.as_slice(), (), ());
    let header = fb::MessageHeader::create_schema(&mut builder, schema);
    let root = fb::Message::create(&mut builder, fb::MetadataVersion::V5, header, 0, ());
    let bytes = builder.finish(root, None).to_vec();
    let error = decode_message(&bytes, &IpcLimits::default()).unwrap_err();
    let ErrorKind::Amplified { input, claimed, allowed } = error.kind else { panic!("{error}") };
    assert_eq!((input, allowed), (u64::try_from(bytes.len()).unwrap(), 16 << 20));
    assert!(claimed > allowed && claimed < 2 * allowed, "{error}");
    let limits =
        IpcLimits { max_amplification: u64::MAX, max_metadata_bytes: 1 << 30, ..IpcLimits::default() };
    assert!(decode_message(&bytes[..], &limits).is_ok(), "the limit can be raised");
}

#[test]
fn damage_never_panics() {
    let mut encoder = MessageEncoder::new();
    let check = |bytes: &[u8]| {
        let _ = decode_message(bytes, &LIMITS);
    };
    for_each_damage(encoder.schema(&everything()), check);
    let (header, body_len) = batch();
    for_each_damage(encoder.batch(&header, body_len, &pairs(&[("a", "b")])).unwrap(), check);
    let dictionary = DictionaryHeader { id: 1, is_delta: false, batch: header };
    for_each_damage(encoder.dictionary(&dictionary, body_len, &[]).unwrap(), check);
}

/// Dictionary batches have metadata as well.
#[test]
fn metadata_that_is_not_utf8_is_kept_as_bytes() {
    let header = DictionaryHeader { id: 1, is_delta: false, batch: BatchHeader::default() };
    let pairs: KeyValues = vec![("a".into(), "MARK".into()), ("b".into(), "text".into())];
    let mut encoder = MessageEncoder::new();
    let mut bytes = encoder.dictionary(&header, 0, &pairs).unwrap().to_vec();
    let at = bytes.windows(4).position(|bytes| bytes == b"MARK").unwrap();
    bytes[at..at + 4].copy_from_slice(b"\xff\xfe\x00\x80");
    let message = decode_message(&bytes, &IpcLimits::default()).unwrap();
    assert_eq!(message.header, Header::Dictionary(header));
    assert_eq!(message.metadata, pairs[1..]);
    let odd = NotUtf8 { field: vec![], entry: 0, key: b"a".to_vec(), value: b"\xff\xfe\x00\x80".to_vec() };
    assert_eq!(message.not_utf8, [odd]);
    // The bytes count as text does.
    let limits = IpcLimits { max_metadata_bytes: bytes.len(), ..IpcLimits::default() };
    assert!(decode_message(&bytes, &limits).is_ok());
}
