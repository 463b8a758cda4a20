use super::*;
use crate::testing::{LIMITS, for_each_damage, stream};
use crate::{Header, MessageEncoder, Schema};

/// Messages of a stream by feeding a decoder, and whether the end marker was there.
fn feed_all(mut bytes: &[u8]) -> Result<(Vec<Message>, bool)> {
    let mut decoder = Decoder::new(*LIMITS);
    let mut messages = Vec::new();
    loop {
        if bytes.is_empty() && decoder.is_at_boundary() {
            return Ok((messages, false));
        }
        let (fed, rest) = bytes.split_at(decoder.needed().min(bytes.len()));
        bytes = rest;
        match decoder.feed(fed)? {
            Step::Need(len) => assert_eq!(len, decoder.needed()),
            Step::End => return Ok((messages, true)),
            Step::Message(message) => {
                assert_eq!(decoder.needed(), 4);
                let body = usize::try_from(message.body_len).unwrap_or(usize::MAX);
                bytes = bytes.get(body..).ok_or_else(|| truncated(body, bytes.len()))?;
                messages.push(message);
            },
        }
    }
}

/// The same by `next_message`.
fn walk_all(bytes: &[u8]) -> Result<(Vec<Message>, bool)> {
    let mut messages = Vec::new();
    let mut offset = 0;
    loop {
        match next_message(bytes, offset, &LIMITS)? {
            Next::Message { message, head, body } => {
                assert_eq!((head.start, head.end), (offset, body.start));
                offset = body.end;
                messages.push(message);
            },
            Next::EndMarker { .. } => return Ok((messages, true)),
            Next::EndOfInput => return Ok((messages, false)),
        }
    }
}

/// The stream as it was before Arrow 0.15: no markers.
fn legacy() -> Vec<u8> {
    let (stream, starts) = stream();
    let mut out = Vec::new();
    for window in starts.windows(2) {
        out.extend_from_slice(&stream[window[0] + 4..window[1]]);
    }
    out.extend_from_slice(&[0; 4]);
    out
}

#[test]
fn fed_and_sliced_agree() {
    let (stream, starts) = stream();
    let (messages, end) = feed_all(&stream).unwrap();
    assert_eq!((messages.len(), end), (starts.len() - 1, true));
    assert_eq!(walk_all(&stream).unwrap(), (messages.clone(), true));
    let without_end = &stream[..stream.len() - 8];
    assert_eq!(walk_all(without_end).unwrap(), (messages.clone(), false));
    assert_eq!(feed_all(without_end).unwrap(), (messages, false));
}

#[test]
fn legacy_framing_reads_alike() {
    let (stream, _) = stream();
    let legacy = legacy();
    let (messages, end) = walk_all(&stream).unwrap();
    assert!(end);
    assert_eq!(feed_all(&legacy).unwrap(), (messages.clone(), true));
    assert_eq!(walk_all(&legacy).unwrap(), (messages, true));
}

#[test]
fn every_truncation_is_told_from_an_end() {
    let (stream, starts) = stream();
    for len in 0..stream.len() {
        let boundary = starts.contains(&len);
        for result in [walk_all(&stream[..len]), feed_all(&stream[..len])] {
            match result {
                Ok((_, end)) => assert!(boundary && !end, "cut at {len}"),
                Err(error) => {
                    assert!(!boundary, "cut at {len}: {error}");
                    assert!(matches!(error.kind, ErrorKind::Truncated { .. }), "cut at {len}: {error}");
                },
            }
        }
    }
}

#[test]
fn stray_bytes_are_an_error() {
    let (mut stream, _) = stream();
    stream.truncate(stream.len() - 8);
    let end = stream.len();
    for stray in 1..4usize {
        stream.push(0);
        let error = next_message(&stream, end, &LIMITS).unwrap_err();
        let have = u64::try_from(stray).unwrap();
        assert_eq!(error.kind, ErrorKind::Truncated { need: 4, have });
        assert_eq!(error.place, [format!("message at byte {end}").as_str()]);
    }
    assert!(next_message(&stream, stream.len() + 1, &LIMITS).is_err());
}

#[test]
fn ends_are_ends() {
    for marker in [&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..], &[0, 0, 0, 0]] {
        assert!(
            matches!(next_message(marker, 0, &LIMITS), Ok(Next::EndMarker { next }) if next == marker.len())
        );
        let mut decoder = Decoder::new(*LIMITS);
        assert!(decoder.is_at_boundary());
        for bytes in marker.chunks(4) {
            decoder.feed(bytes).unwrap();
        }
        assert_eq!(decoder.needed(), 0);
        for further in [&[][..], &[0; 4]] {
            assert!(matches!(decoder.feed(further).unwrap_err().kind, ErrorKind::Invalid(_)));
        }
    }
}

#[test]
fn lengths_are_checked_before_anything_is_asked_for() {
    let feed = |bytes: [u8; 4]| {
        let mut decoder = Decoder::new(*LIMITS);
        decoder.feed(&CONTINUATION).unwrap();
        assert!(!decoder.is_at_boundary());
        decoder.feed(&bytes)
    };
    assert!(matches!(feed([0xff; 4]).unwrap_err().kind, ErrorKind::Invalid(_)));
    assert!(matches!(feed([0, 0, 0, 0x80]).unwrap_err().kind, ErrorKind::Invalid(_)));
    let claimed = 0x7fff_ffff;
    let allowed = 1 << 20;
    let limit = "max_metadata_bytes";
    assert_eq!(
        feed([0xff, 0xff, 0xff, 0x7f]).unwrap_err().kind,
        ErrorKind::LimitExceeded { limit, claimed, allowed }
    );
    assert!(matches!(feed([8, 0, 0, 0]), Ok(Step::Need(8))));
}

#[test]
fn a_wrong_number_of_bytes_changes_nothing() {
    let mut decoder = Decoder::new(*LIMITS);
    for wrong in [0usize, 3, 5] {
        let have = u64::try_from(wrong).unwrap();
        let error = decoder.feed(&[0xff; 5][..wrong]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Truncated { need: 4, have });
    }
    assert!(matches!(decoder.feed(&CONTINUATION), Ok(Step::Need(4))));
}

#[test]
fn the_head_of_an_empty_schema_is_golden() {
    let mut out = Vec::new();
    let head = crate::write_head(&mut out, MessageEncoder::new().schema(&Schema::default()), 0).unwrap();
    assert_eq!(head % 64, 0);
    assert_eq!(out[..4], CONTINUATION);
    assert_eq!(out[4..8], i32::try_from(head - 8).unwrap().to_le_bytes());
    let Next::Message { message, .. } = next_message(&out, 0, &LIMITS).unwrap() else { panic!("no message") };
    assert_eq!(message.header, Header::Schema(Schema::default()));
}

#[test]
fn damage_never_panics() {
    let (stream, starts) = stream();
    // The schema's flatbuffer has its own test; here the frames and what follows.
    for_each_damage(&stream[starts[1]..], |bytes| {
        let sliced = walk_all(bytes);
        assert_eq!(sliced.is_ok(), feed_all(bytes).is_ok());
    });
}
