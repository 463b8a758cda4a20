//! The header `Range`.

use std::ops::Range;

/// The part of a file that a request wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: there is no range, or one that is not understood, which the specification says to leave out.
    All,
    Part(Range<u64>),
    /// Nothing of it is there.
    Unsatisfiable,
}

/// Of several ranges all is sent, which is allowed and simple.
pub(super) fn wanted(header: Option<&str>, len: u64) -> Wanted {
    let Some(ranges) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Wanted::All };
    if ranges.contains(',') {
        return Wanted::All;
    }
    let Some((first, last)) = ranges.trim().split_once('-') else { return Wanted::All };
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // Larger than any file.
        true => Some(text.parse::<u64>().unwrap_or(u64::MAX)),
        false => None,
    };
    match (number(first), number(last), first.is_empty(), last.is_empty()) {
        (Some(first), Some(last), ..) if first > last => Wanted::All,
        (Some(first), ..) if first >= len && (last.is_empty() || number(last).is_some()) => {
            Wanted::Unsatisfiable
        },
        (Some(first), Some(last), ..) => Wanted::Part(first..last.saturating_add(1).min(len)),
        (Some(first), None, _, true) => Wanted::Part(first..len),
        (None, Some(0), true, _) => Wanted::Unsatisfiable,
        (None, Some(_), true, _) if len == 0 => Wanted::Unsatisfiable,
        (None, Some(suffix), true, _) => Wanted::Part(len.saturating_sub(suffix)..len),
        _ => Wanted::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_the_specification_has_them() {
        let of = |text: &str| wanted(Some(text), 100);
        assert_eq!(wanted(None, 100), Wanted::All);
        assert_eq!(of("bytes=0-9"), Wanted::Part(0..10));
        assert_eq!(of("bytes=90-"), Wanted::Part(90..100));
        assert_eq!(of("bytes=-10"), Wanted::Part(90..100));
        assert_eq!(of("bytes=-1000"), Wanted::Part(0..100));
        assert_eq!(of("bytes=99-200"), Wanted::Part(99..100));
        assert_eq!(of("bytes=0-18446744073709551615"), Wanted::Part(0..100));
        assert_eq!(of("bytes=99999999999999999999-"), Wanted::Unsatisfiable);
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(of(text), Wanted::Unsatisfiable, "{text}");
        }
        for text in
            ["bytes=9-1", "bytes=a-b", "bytes=", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=+1-2", "0-9"]
        {
            assert_eq!(of(text), Wanted::All, "{text}");
        }
        assert_eq!(wanted(Some("bytes=0-0"), 0), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-5"), 0), Wanted::Unsatisfiable);
    }
}
