//! Folders named after keys: `year=2013/month=1`.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use polars_core::prelude::*;

/// The value of a null key.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// What is encoded in a value: what Hive encodes, and what Polars does (which has the space as well).
/// Readers decode whatever is encoded, so more is safe: a reverse solidus parts folders on Windows, and
/// asterisks and brackets are taken for patterns.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b'/')
    .add(b'=')
    .add(b'%')
    .add(b':')
    .add(b' ')
    .add(b'\\')
    .add(b'*')
    .add(b'?')
    .add(b'"')
    .add(b'\'')
    .add(b'#')
    .add(b'^')
    .add(b'<')
    .add(b'>')
    .add(b'|')
    .add(b'[')
    .add(b']')
    .add(b'{')
    .add(b'}');

/// The keys, if a sink can be partitioned by them.
pub(super) fn check(keys: &[&str], schema: &Schema, include_keys: bool) -> PolarsResult<Vec<PlSmallStr>> {
    polars_ensure!(!keys.is_empty(), InvalidOperation: "a sink partitioned by keys needs a key");
    for (i, key) in keys.iter().enumerate() {
        let Some(dtype) = schema.get(key) else {
            polars_bail!(ColumnNotFound: "\"{key}\", by which the sink is to be partitioned");
        };
        polars_ensure!(
            !keys.iter().take(i).any(|other| other == key),
            Duplicate: "\"{key}\" is twice among the keys of a partitioned sink"
        );
        polars_ensure!(
            is_plain(dtype),
            InvalidOperation: "column \"{key}\" of type {dtype} cannot name folders; cast it to a string"
        );
        let meant = |c: char| c.is_control() || "/\\=%*?\"<>|[]{}".contains(c);
        polars_ensure!(
            !key.is_empty() && !key.contains(meant),
            InvalidOperation: "column \"{key}\" cannot name folders, since readers do not decode names; rename it"
        );
    }
    polars_ensure!(
        include_keys || keys.len() < schema.len(),
        InvalidOperation: "every column is a key, so the files would have none; set with_include_keys(true)"
    );
    Ok(keys.iter().map(|key| PlSmallStr::from_str(key)).collect())
}

/// Whether values of that type have a text.
fn is_plain(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric()
        || dtype.is_decimal()
        || dtype.is_bool()
        || dtype.is_string()
        || dtype.is_temporal()
        || dtype.is_categorical()
        || dtype.is_enum()
        || dtype.is_null()
}

/// The keys of some rows, as text: a name and a value for each key, and the folder.
pub(super) struct Keys {
    columns: Vec<(PlSmallStr, StringChunked)>,
}

impl Keys {
    /// Of columns that [`check`] found good.
    pub(super) fn new(columns: &[Column]) -> PolarsResult<Self> {
        let text = |column: &Column| {
            let text = column.cast(&DataType::String)?;
            Ok((column.name().clone(), text.str()?.clone()))
        };
        Ok(Self { columns: columns.iter().map(text).collect::<PolarsResult<_>>()? })
    }

    /// `year=2013/month=1` of a row.
    pub(super) fn folder(&self, row: usize) -> String {
        let part = |(name, values): &(PlSmallStr, StringChunked)| {
            let value = values.get(row).unwrap_or(NULL);
            format!("{name}={}", percent_encode(value.as_bytes(), ENCODED))
        };
        self.columns.iter().map(part).collect::<Vec<_>>().join("/")
    }

    /// The names and values of a row.
    pub(super) fn values(&self, row: usize) -> Vec<(String, Option<String>)> {
        let value = |(name, values): &(PlSmallStr, StringChunked)| {
            (name.to_string(), values.get(row).map(str::to_owned))
        };
        self.columns.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_null_has_a_name() {
        let a = Column::new("a".into(), [Some("a/b=c %"), Some("größe*"), None, Some("")]);
        let b = Column::new("b".into(), [1, 2, 3, 4]);
        let keys = Keys::new(&[a, b]).expect("text");
        assert_eq!(keys.folder(0), "a=a%2Fb%3Dc%20%25/b=1");
        assert_eq!(keys.folder(1), "a=gr%C3%B6%C3%9Fe%2A/b=2");
        assert_eq!(keys.folder(2), "a=__HIVE_DEFAULT_PARTITION__/b=3");
        assert_eq!(keys.folder(3), "a=/b=4");
        assert_eq!(keys.values(2), [("a".into(), None), ("b".into(), Some("3".into()))]);
    }
}
