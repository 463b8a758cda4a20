//! Folders named after keys: `year=2013/month=1`.
//!
//! A key's name and value are percent-encoded where they have characters that mean something in a path.
//! The value is text ([`text`]); its type is in the metadata of the files that floe writes ([`types`]).
//! The sinks write such folders, the scans read them.

mod temporal;
pub(crate) mod text;
pub(crate) mod types;

use std::borrow::Cow;
use std::str::Utf8Error;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode, utf8_percent_encode};

/// The value of a null key.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// The value of a key that is the text of [`NULL`]. Those who decode a value before they compare it take
/// it for null, as they would any other way to write it.
const NULL_AS_TEXT: &str = "%5F_HIVE_DEFAULT_PARTITION__";

/// Characters encoded in a name: those that separate names, values and folders, and those of patterns. As little as
/// possible, because Polars does not decode names.
const IN_NAMES: &AsciiSet = &CONTROLS
    .add(b'/')
    .add(b'\\')
    .add(b'=')
    .add(b'%')
    .add(b'*')
    .add(b'?')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'|')
    .add(b'[')
    .add(b']')
    .add(b'{')
    .add(b'}');

/// Characters encoded in a value: those that Hive encodes, and those that Polars does (which adds the space). Readers
/// decode whatever is encoded, so more is safe.
const IN_VALUES: &AsciiSet = &IN_NAMES.add(b':').add(b' ').add(b'\'').add(b'#').add(b'^');

/// `name=value`, encoded; null without a value.
pub(crate) fn folder(name: &str, value: Option<&str>) -> String {
    // A folder whose name begins with a dot would be hidden.
    let (dot, rest) = name.strip_prefix('.').map_or(("", name), |rest| ("%2E", rest));
    let mut folder = dot.to_owned();
    for piece in rest.split_inclusive(|c: char| c.is_ascii()) {
        // Beyond ASCII a name stays as it is.
        let at = piece.len() - piece.chars().next_back().filter(char::is_ascii).map_or(0, char::len_utf8);
        let (beyond, ascii) = piece.split_at(at);
        folder.push_str(beyond);
        folder.extend(utf8_percent_encode(ascii, IN_NAMES));
    }
    folder.push('=');
    match value {
        None => folder.push_str(NULL),
        Some(NULL) => folder.push_str(NULL_AS_TEXT),
        Some(value) => folder.extend(percent_encode(value.as_bytes(), IN_VALUES)),
    }
    folder
}

/// A name, and a value unless it is null.
type NameAndValue<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

/// The name and the value of a folder, decoded; `None` if it is not called `name=value`.
pub(crate) fn name_and_value(folder: &str) -> Option<Result<NameAndValue<'_>, Utf8Error>> {
    let (name, value) = folder.split_once('=')?;
    if value.contains('=') {
        return None;
    }
    let decoded = |text| percent_decode_str(text).decode_utf8();
    let value = if value == NULL { Ok(None) } else { decoded(value).map(Some) };
    Some(decoded(name).and_then(|name| Ok((name, value?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(name: &str, value: Option<&str>) -> String {
        let folder = folder(name, value);
        let (found, decoded) = name_and_value(&folder).expect("a hive folder").expect("UTF-8");
        assert_eq!((found.as_ref(), decoded.as_deref()), (name, value), "{folder}");
        assert!(!folder.contains(['/', '*', '?', '[', '\\']) && !folder.starts_with('.'), "{folder}");
        folder
    }

    #[test]
    fn names_and_values_come_back() {
        assert_eq!(round_trip("a", Some("a/b=c %")), "a=a%2Fb%3Dc%20%25");
        assert_eq!(round_trip("a", Some("größe*")), "a=gr%C3%B6%C3%9Fe%2A");
        assert_eq!(round_trip("a", None), "a=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(round_trip("a", Some("")), "a=");
        assert_eq!(round_trip("größe in m:", Some("1")), "größe in m:=1");
        assert_eq!(round_trip("a/b=c%", Some("1")), "a%2Fb%3Dc%25=1");
        round_trip("a", Some(NULL));
        for name in ["", "*", "^x$", ".hidden", "..", "a=b", "\n", "\u{1F600}/\u{1F600}", "\"{[", "%41", NULL]
        {
            round_trip(name, Some(name));
            round_trip(name, None);
        }
    }

    #[test]
    fn the_text_of_null_is_no_null() {
        assert_ne!(folder("a", None), folder("a", Some(NULL)));
    }

    #[test]
    fn other_folders_are_none_of_ours() {
        assert!(name_and_value("a").is_none() && name_and_value("a=b=c").is_none());
        assert!(name_and_value("a=%FF").is_some_and(|found| found.is_err()));
    }
}
