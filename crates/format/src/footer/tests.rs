use super::*;
use crate::MessageEncoder;
use crate::testing::{LIMITS, file, for_each_damage};

#[test]
fn footers_survive() {
    let (_, mut footer) = file();
    let mut encoder = MessageEncoder::new();
    for version in [Version::V4, Version::V5] {
        footer.version = version;
        assert_eq!(decode_footer(encoder.footer(&footer).unwrap(), &LIMITS).unwrap(), footer);
    }
    let empty = Footer::default();
    assert_eq!(decode_footer(encoder.footer(&empty).unwrap(), &LIMITS).unwrap(), empty);
}

#[test]
fn what_contradicts_the_specification_is_named() {
    let decode = |block, schema: Option<fb::Schema>| {
        let footer = fb::Footer {
            version: fb::MetadataVersion::V5,
            schema: schema.map(Box::new),
            dictionaries: None,
            record_batches: Some(vec![block]),
            custom_metadata: None,
        };
        decode_footer(planus::Builder::new().finish(footer, None), &LIMITS)
    };
    let block = fb::Block { offset: 8, meta_data_length: 8, body_length: 8 };
    let schema = || Some(fb::Schema::default());
    assert!(decode(block, schema()).is_ok());
    assert_eq!(decode(block, None).unwrap_err().to_string(), "footer: there is no schema");
    let error = decode(fb::Block { offset: -1, ..block }, schema()).unwrap_err();
    assert_eq!(error.to_string(), "footer, record batch blocks, block 0: the offset is negative: -1");
    assert!(decode(fb::Block { meta_data_length: -1, ..block }, schema()).is_err());
    assert!(decode(fb::Block { body_length: -1, ..block }, schema()).is_err());
}

#[test]
fn an_unset_version_is_that_of_its_time() {
    let decode = |version| {
        let footer = fb::Footer { version, schema: Some(Default::default()), ..Default::default() };
        decode_footer(planus::Builder::new().finish(footer, None), &LIMITS).map(|footer| footer.version)
    };
    assert_eq!(decode(fb::MetadataVersion::V1), Ok(Version::V4));
    assert!(matches!(decode(fb::MetadataVersion::V2).unwrap_err().kind, ErrorKind::UnsupportedType(_)));
}

#[test]
fn the_suffix() {
    let len = |suffix| footer_len(suffix, &LIMITS).map_err(|error| error.kind.clone());
    assert_eq!(len(b"\x01\x02\0\0ARROW1"), Ok(0x201));
    assert!(matches!(len(b"\x01\x02\0\0ARROW2"), Err(ErrorKind::BadMagic { .. })));
    assert!(matches!(len(b"\0\0\0\0ARROW1"), Err(ErrorKind::Invalid(_))));
    assert!(matches!(len(b"\xff\xff\xff\xffARROW1"), Err(ErrorKind::Invalid(_))));
    assert!(matches!(len(b"\0\0\0\x7fARROW1"), Err(ErrorKind::LimitExceeded { .. })));
}

#[test]
fn blocks_lie_between_magic_and_footer() {
    let block = Block { offset: 8, metadata_len: 64, body_len: 128 };
    assert_eq!((block.body_start(), block.end()), (Ok(72), Ok(200)));
    assert!(block.check(200).is_ok());
    assert!(block.check(199).is_err());
    assert!(Block { offset: 7, ..block }.check(200).is_err());
    assert!(Block { metadata_len: 0, ..block }.check(200).is_err());
    assert!(Block { offset: u64::MAX, ..block }.check(u64::MAX).is_err());
    assert!(Block { body_len: u64::MAX, ..block }.check(u64::MAX).is_err());
}

#[test]
fn numbers_that_do_not_fit_are_refused_when_writing() {
    let mut encoder = MessageEncoder::new();
    let block = Block { offset: 8, metadata_len: u32::MAX, body_len: 0 };
    assert!(encoder.footer(&Footer { batches: vec![block], ..Footer::default() }).is_err());
    let block = Block { offset: u64::MAX, metadata_len: 8, body_len: 0 };
    assert!(encoder.footer(&Footer { dictionaries: vec![block], ..Footer::default() }).is_err());
}

#[test]
fn damage_never_panics() {
    let (_, footer) = file();
    for_each_damage(MessageEncoder::new().footer(&footer).unwrap(), |bytes| {
        if let Ok(footer) = decode_footer(bytes, &LIMITS) {
            for block in footer.batches.iter().chain(&footer.dictionaries) {
                let _ = block.check(1 << 20);
            }
        }
    });
}
