//! The header `Accept`.

use axum::http::{HeaderMap, header};

use super::encode::{Codec, Format};

/// A media range with its parameters.
struct Range {
    range: String,
    codecs: Vec<String>,
    /// In thousandths.
    quality: u16,
}

/// The format that a client likes best, and the codec that its readers know. Without the header it is a stream; nothing
/// if no format is accepted.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<(Format, Option<Codec>)> {
    let values: Vec<&str> =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if values.iter().all(|value| value.trim().is_empty()) {
        return Some((Format::Arrows, None));
    }
    let mut ranges: Vec<Range> =
        values.iter().flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
    // Stable: of equals the first.
    ranges.sort_by_key(|range| std::cmp::Reverse(range.quality));
    let accepted = |format: Format| {
        // A range that names the format says more than one with a star.
        let named = ranges.iter().find(|range| range.names(format));
        named
            .or_else(|| ranges.iter().find(|range| range.covers(format)))
            .is_some_and(|range| range.quality > 0)
    };
    ranges.iter().filter(|range| range.quality > 0).find_map(|range| {
        let format = Format::ALL.into_iter().find(|format| range.covers(*format) && accepted(*format))?;
        Some((format, range.codec()))
    })
}

/// Whether a client takes a media type at all.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut values =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    let family = media_type.split('/').next().unwrap_or_default();
    values.peek().is_none()
        || values.flat_map(|value| value.split(',')).filter_map(Range::parse).any(|range| {
            let covers = range.range == media_type
                || range.range == "*/*"
                || range.range.strip_suffix("/*").is_some_and(|own| own == family);
            covers && range.quality > 0
        })
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let range = parts.next()?.trim().to_ascii_lowercase();
        let mut parsed = Self { range, codecs: Vec::new(), quality: 1000 };
        for parameter in parts {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim().trim_matches('"').to_ascii_lowercase();
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => parsed.quality = thousandths(&value)?,
                // A comma would end the range: a header with several has them as `lz4 zstd` or `lz4+zstd`.
                "codecs" | "codec" => {
                    parsed.codecs = value.split([' ', '+', '/']).map(str::to_owned).collect();
                },
                _ => {},
            }
        }
        (!parsed.range.is_empty()).then_some(parsed)
    }

    fn names(&self, format: Format) -> bool {
        self.range == format.media_type()
            || match format {
                Format::Arrows => self.range == "application/vnd.apache.arrow",
                Format::NdJson => {
                    matches!(
                        self.range.as_str(),
                        "application/ndjson" | "application/jsonl" | "application/x-jsonlines"
                    )
                },
                _ => false,
            }
    }

    fn covers(&self, format: Format) -> bool {
        let family = format.media_type().split('/').next();
        self.names(format)
            || self.range == "*/*"
            || self.range.strip_suffix("/*").is_some_and(|range| Some(range) == family)
    }

    fn codec(&self) -> Option<Codec> {
        self.codecs.iter().find_map(|codec| match codec.as_str() {
            "lz4" | "lz4_frame" => Some(Codec::Lz4),
            "zstd" => Some(Codec::Zstd),
            "none" | "identity" => Some(Codec::None),
            _ => None,
        })
    }
}

/// `0.5` is 500.
fn thousandths(text: &str) -> Option<u16> {
    let quality: f32 = text.parse().ok()?;
    // Above 1, or no number: the range is left out.
    (0..=1000).find(|thousandth| f32::from(*thousandth) >= quality * 1000.0 - 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str) -> Option<(Format, Option<Codec>)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().expect("a header"));
        negotiate(&headers)
    }

    #[test]
    fn the_best_of_what_is_accepted() {
        assert_eq!(negotiate(&HeaderMap::new()), Some((Format::Arrows, None)));
        assert_eq!(of("*/*"), Some((Format::Arrows, None)));
        assert_eq!(of("text/*"), Some((Format::Csv, None)));
        assert_eq!(of("text/csv;q=0.5, application/x-ndjson"), Some((Format::NdJson, None)));
        assert_eq!(of("text/html, application/xhtml+xml, */*;q=0.8"), Some((Format::Arrows, None)));
        assert_eq!(
            of("application/vnd.apache.arrow.stream; codecs=lz4"),
            Some((Format::Arrows, Some(Codec::Lz4)))
        );
        assert_eq!(
            of("application/vnd.apache.arrow.file;codecs=\"zstd\""),
            Some((Format::Arrow, Some(Codec::Zstd)))
        );
        assert_eq!(of("application/vnd.apache.arrow.stream;q=0, application/*"), Some((Format::Arrow, None)));
        assert_eq!(of("image/png"), None);
        assert_eq!(of("text/csv;q=0"), None);
        assert_eq!(of("text/csv;q=x"), None);
    }

    #[test]
    fn quality_is_a_number_from_0_to_1() {
        assert_eq!(["0", "0.5", "1", "1.0"].map(thousandths), [Some(0), Some(500), Some(1000), Some(1000)]);
        assert_eq!([thousandths("7"), thousandths("NaN"), thousandths("-1")], [None, None, Some(0)]);
    }
}
