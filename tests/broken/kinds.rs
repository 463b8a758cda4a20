//! Errors of an input are data: a kind, and the message, the column and the buffer.

use floe::{ErrorKind, Place, error_kind, error_place};

use super::*;

/// A stream of one column called "s" in two batches.
fn stream(column: &Column) -> Vec<u8> {
    let df = DataFrame::new(column.len(), vec![column.clone()]).expect("a frame");
    let mut bytes = Vec::new();
    let size = column.len().div_ceil(2);
    let writer = IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(size));
    writer.with_compat_level(CompatLevel::oldest()).finish(&mut df.clone()).expect("it is written");
    bytes
}

fn strings() -> Vec<u8> {
    stream(&Column::new("s".into(), ["Nuuk", "Ushuaia", "Longyearbyen", "Alert"]))
}

/// Reads it as bytes and through a reader: the same kind of error.
fn error(bytes: &[u8], limits: IpcLimits) -> PolarsError {
    let lent = IpcStreamReader::new(bytes).with_limits(limits).finish().expect_err("it is broken");
    let owned = IpcStreamReader::from_bytes(bytes.to_vec()).with_limits(limits).finish();
    assert_eq!(error_kind(&owned.expect_err("it is broken")), error_kind(&lent));
    lent
}

/// The kind is in the chain of sources as well.
fn kind(error: &PolarsError) -> &ErrorKind {
    let kind = error_kind(error).expect("a kind");
    let mut source: &(dyn std::error::Error + 'static) = error;
    while let Some(next) = source.source() {
        source = next;
        if let Some(format) = source.downcast_ref::<floe_format::Error>() {
            assert_eq!(&format.kind, kind);
            return kind;
        }
    }
    panic!("no source of {error} is a format error");
}

#[test]
fn a_cut_is_truncated_and_says_where() {
    let bytes = strings();
    let second = messages(&bytes).0.into_iter().filter(|m| matches!(m.kind, Kind::Batch(_))).nth(1);
    let error = error(&bytes[..second.expect("two batches").end - 1], IpcLimits::default());
    assert!(matches!(kind(&error), ErrorKind::Truncated { .. }), "{error:?}");
}

#[test]
fn text_that_is_not_utf8_names_column_and_batch() {
    let mut bytes = strings();
    let at = bytes.windows(5).rposition(|five| five == b"Alert").expect("the text");
    bytes[at] = 0xFF;
    let error = error(&bytes, IpcLimits::default());
    assert_eq!(kind(&error), &ErrorKind::InvalidUtf8, "{error:?}");
    let place = error_place(&error).expect("a place");
    assert_eq!(place.column.as_deref(), Some("s"));
    assert!(place.steps.contains(&Place::Column("s".into())), "{place:?}");
}

#[test]
fn limits_name_what_they_limit() {
    let limits = IpcLimits { max_schema_nodes: 0, ..IpcLimits::default() };
    let error = error(&strings(), limits);
    assert!(
        matches!(
            kind(&error),
            ErrorKind::LimitExceeded { limit: "max_schema_nodes", claimed: 1, allowed: 0 }
        ),
        "{error:?}"
    );
}

#[test]
fn a_dictionary_that_was_not_sent_is_missing() {
    let words = Column::new("s".into(), ["a", "b", "a", "b"]);
    let words = words.cast(&DataType::from_categories(Categories::global())).expect("categories");
    let bytes = stream(&words);
    let dictionary = messages(&bytes).0.into_iter().find(|m| matches!(m.kind, Kind::Dictionary { .. }));
    let dictionary = dictionary.expect("a dictionary");
    let without = [&bytes[..dictionary.start], &bytes[dictionary.end..]].concat();
    let error = error(&without, IpcLimits::default());
    assert!(matches!(kind(&error), ErrorKind::DictionaryMissing(_)), "{error:?}");
}

#[test]
fn a_failing_source_is_io_and_an_option_has_no_kind() {
    struct Unplugged;
    impl Read for Unplugged {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(ErrorKind2::ConnectionReset, "unplugged"))
        }
    }
    use io::ErrorKind as ErrorKind2;
    let failed = IpcStreamReader::new(Unplugged).finish().expect_err("unplugged");
    assert!(matches!(error_kind(&failed), Some(ErrorKind::Io(_))), "{failed:?}");
    let PolarsError::IO { error, .. } = &failed else { panic!("{failed:?}") };
    assert_eq!(error.kind(), ErrorKind2::ConnectionReset);

    let bytes = strings();
    let reader = IpcStreamReader::new(bytes.as_slice()).with_columns(Some(vec!["none".into()]));
    let wrong = reader.finish().expect_err("no such column");
    assert_eq!(error_kind(&wrong), None, "{wrong:?}");
}

#[test]
fn kinds_survive_what_is_put_around_them() {
    let bytes = strings();
    let error = error(&bytes[..bytes.len() / 2], IpcLimits::default());
    let wrapped = error.wrap_msg(|msg| format!("while reading: {msg}")).context("in a query".into());
    assert!(matches!(kind(&wrapped), ErrorKind::Truncated { .. }), "{wrapped:?}");
}
