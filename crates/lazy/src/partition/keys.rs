//! The keys of a partitioned sink: columns whose values name folders.

use polars_core::prelude::*;

use crate::hive::{self, text};

/// The keys, if a sink can be partitioned by them.
pub(super) fn check(keys: &[&str], schema: &Schema) -> PolarsResult<Vec<PlSmallStr>> {
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
            text::has_text(dtype),
            InvalidOperation: "column \"{key}\" of type {dtype} cannot name folders; cast it to a string"
        );
    }
    Ok(keys.iter().map(|key| PlSmallStr::from_str(key)).collect())
}

/// The keys' part of a schema, in the order of the folders.
pub(super) fn schema(keys: &[PlSmallStr], schema: &Schema) -> PolarsResult<Schema> {
    keys.iter().map(|key| Ok(Field::new(key.clone(), schema.try_get(key)?.clone()))).collect()
}

/// A frame to group by keys. Floats are texts in it: grouping takes `-0.0` for `0.0`, folders do not.
pub(super) fn distinguished(df: &DataFrame, keys: &[PlSmallStr]) -> PolarsResult<DataFrame> {
    let column = |key: &PlSmallStr| {
        let column = df.column(key)?;
        if column.dtype().is_float() {
            return Ok(text::texts(column)?.into_column());
        }
        Ok(column.clone())
    };
    DataFrame::new(df.height(), keys.iter().map(column).collect::<PolarsResult<Vec<_>>>()?)
}

/// The keys of some rows, as text: a name and a value for each key, and the folder.
pub(super) struct Keys {
    columns: Vec<(PlSmallStr, StringChunked)>,
}

impl Keys {
    /// Of columns that [`check`] found good.
    pub(super) fn new(columns: &[Column]) -> PolarsResult<Self> {
        let text = |column: &Column| Ok((column.name().clone(), text::texts(column)?));
        Ok(Self { columns: columns.iter().map(text).collect::<PolarsResult<_>>()? })
    }

    /// `year=2013/month=1` of a row.
    pub(super) fn folder(&self, row: usize) -> String {
        let part = |(name, values): &(PlSmallStr, StringChunked)| hive::folder(name, values.get(row));
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
    fn every_key_is_a_folder() {
        let a = Column::new("a".into(), [Some("a/b=c %"), None]);
        let b = Column::new("b".into(), [1, 2]);
        let keys = Keys::new(&[a, b]).expect("text");
        assert_eq!(keys.folder(0), "a=a%2Fb%3Dc%20%25/b=1");
        assert_eq!(keys.folder(1), "a=__HIVE_DEFAULT_PARTITION__/b=2");
        assert_eq!(keys.values(1), [("a".into(), None), ("b".into(), Some("2".into()))]);
    }
}
