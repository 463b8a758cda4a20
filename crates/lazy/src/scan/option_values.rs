//! Values of the options of scans.

use std::sync::Arc;

use polars_core::prelude::*;

/// The name of the column with paths, or none: what
/// [`with_include_file_paths`](crate::IpcScanOptions::with_include_file_paths) takes.
///
/// ```
/// use floe_lazy::PathColumn;
///
/// let columns = [PathColumn::from("path"), PathColumn::default()];
/// # let _ = columns;
/// ```
#[derive(Debug, Clone, Default)]
pub struct PathColumn(pub(super) Option<PlSmallStr>);

impl From<&str> for PathColumn {
    fn from(name: &str) -> Self {
        Self(Some(name.into()))
    }
}

impl From<String> for PathColumn {
    fn from(name: String) -> Self {
        Self(Some(name.into()))
    }
}

impl From<PlSmallStr> for PathColumn {
    fn from(name: PlSmallStr) -> Self {
        Self(Some(name))
    }
}

impl From<Option<PlSmallStr>> for PathColumn {
    fn from(name: Option<PlSmallStr>) -> Self {
        Self(name)
    }
}

/// A schema, or none: what [`with_schema`](crate::IpcScanOptions::with_schema) and
/// [`with_hive_schema`](crate::IpcScanOptions::with_hive_schema) take.
///
/// ```
/// use floe_lazy::ScanSchema;
/// use polars_core::prelude::*;
///
/// let schema = ScanSchema::from(Schema::from_iter([Field::new("month".into(), DataType::UInt8)]));
/// # let _ = schema;
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScanSchema(pub(super) Option<SchemaRef>);

/// The types of keys, or none.
///
/// ```
/// use floe_lazy::HiveSchema;
/// use polars_core::prelude::*;
///
/// let keys = HiveSchema::from(Schema::from_iter([Field::new("day".into(), DataType::UInt8)]));
/// # let _ = keys;
/// ```
pub type HiveSchema = ScanSchema;

impl From<SchemaRef> for ScanSchema {
    fn from(schema: SchemaRef) -> Self {
        Self(Some(schema))
    }
}

impl From<&SchemaRef> for ScanSchema {
    fn from(schema: &SchemaRef) -> Self {
        Self(Some(Arc::clone(schema)))
    }
}

impl From<Schema> for ScanSchema {
    fn from(schema: Schema) -> Self {
        Self(Some(Arc::new(schema)))
    }
}

impl From<&Schema> for ScanSchema {
    fn from(schema: &Schema) -> Self {
        Self(Some(Arc::new(schema.clone())))
    }
}

impl From<Option<SchemaRef>> for ScanSchema {
    fn from(schema: Option<SchemaRef>) -> Self {
        Self(schema)
    }
}

/// Names of columns, or none for all: what
/// [`with_columns`](crate::IpcScanOptions::with_columns) takes.
///
/// ```
/// use floe_lazy::ScanColumns;
///
/// let columns = [ScanColumns::from(["month", "delay"]), ScanColumns::default()];
/// # let _ = columns;
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScanColumns(pub(super) Option<Vec<PlSmallStr>>);

impl<T: Into<PlSmallStr>> From<Vec<T>> for ScanColumns {
    fn from(names: Vec<T>) -> Self {
        Self(Some(names.into_iter().map(Into::into).collect()))
    }
}

impl<T: Into<PlSmallStr>, const N: usize> From<[T; N]> for ScanColumns {
    fn from(names: [T; N]) -> Self {
        Self(Some(names.into_iter().map(Into::into).collect()))
    }
}

impl<T: Into<PlSmallStr> + Clone> From<&[T]> for ScanColumns {
    fn from(names: &[T]) -> Self {
        Self(Some(names.iter().cloned().map(Into::into).collect()))
    }
}

impl<T: Into<Self>> From<Option<T>> for ScanColumns {
    fn from(names: Option<T>) -> Self {
        names.map(Into::into).unwrap_or_default()
    }
}
