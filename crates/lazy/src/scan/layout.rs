//! Which column of a scan comes from where.

use std::sync::Arc;

use floe_frame::IpcIndex;
use polars_core::prelude::*;
use polars_io::RowIndex;

use super::agree::{adapt, agree};
use super::row_numbers::MAX_COLUMNS;
use super::source::{Sources, place};

/// The columns that a scan adds to the sources'.
pub(super) struct Request {
    pub(super) columns: Option<Vec<PlSmallStr>>,
    pub(super) row_index: Option<RowIndex>,
    pub(super) include_file_paths: Option<PlSmallStr>,
}

/// Where a column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The sources: the n-th of those that are read.
    Stored(usize),
    RowIndex,
    /// The n-th key of folders' names.
    Hive(usize),
    Path,
    /// No values at all, for counting rows.
    Hidden,
}

/// One source.
pub(super) struct ScanSource {
    pub(super) index: Arc<IpcIndex>,
    pub(super) name: PlSmallStr,
    /// The position of each stored column in this source.
    pub(super) positions: Arc<[usize]>,
    /// Its name in messages.
    pub(super) place: String,
    /// Whether stored columns are of other types here than in the scan.
    pub(super) differs: bool,
}

impl ScanSource {
    /// An error with the source that it is about, unless it names the path itself.
    pub(super) fn place(&self, error: PolarsError) -> PolarsError {
        place(error, &self.place)
    }

    /// A column that was read, as the scan has it.
    pub(super) fn adapted(&self, column: Column, dtype: &DataType) -> PolarsResult<Column> {
        if !self.differs || column.dtype() == dtype {
            return Ok(column);
        }
        let series = adapt(column.as_materialized_series(), dtype);
        Ok(series.map_err(|e| self.place(e))?.into_column())
    }
}

/// The columns of a scan and its sources.
pub(super) struct Layout {
    pub(super) sources: Vec<ScanSource>,
    /// All columns, the hidden one last, unless there are too many.
    pub(super) schema: SchemaRef,
    pub(super) origins: Vec<Origin>,
    /// A row for each source.
    pub(super) hive: Option<DataFrame>,
    pub(super) row_offset: IdxSize,
}

impl Layout {
    pub(super) fn new(
        indexes: Vec<Arc<IpcIndex>>,
        sources: &Sources,
        hive: Option<DataFrame>,
        wanted: Request,
    ) -> PolarsResult<Self> {
        let Request { columns, row_index, include_file_paths } = wanted;
        let Some(first) = indexes.first() else { polars_bail!(ComputeError: "there is nothing to scan") };
        let projected = columns.is_some();
        let in_hive = |name: &PlSmallStr| hive.as_ref().and_then(|hive| hive.get_column_index(name));
        // The columns without row index and path, as they will stand; nothing for those of the sources.
        let names: Option<Vec<PlSmallStr>> = match (columns, &hive) {
            (Some(columns), _) => Some(columns),
            (None, None) => None,
            (None, Some(hive)) => {
                let mut names: PlIndexSet<PlSmallStr> = first.column_names().cloned().collect();
                names.extend(hive.columns().iter().map(|column| column.name().clone()));
                Some(names.into_iter().collect())
            },
        };
        let read = names.as_ref().map(|names| names.iter().filter(|name| in_hive(name).is_none()));
        let read: Option<Vec<&PlSmallStr>> = read.map(Iterator::collect);
        let (stored, sources) = agree(&indexes, sources, read.as_deref(), projected)?;

        let row_offset = row_index.as_ref().map_or(0, |index| index.offset);
        let mut columns = match (names, &row_index) {
            (None, None) => Columns::stored(stored),
            (names, _) => {
                let mut columns = Columns::default();
                if let Some(index) = row_index {
                    columns.push(index.name, IDX_DTYPE, Origin::RowIndex)?;
                }
                let names = names.unwrap_or_else(|| stored.iter_names_cloned().collect());
                for name in names {
                    let key = in_hive(&name).and_then(|at| Some((at, hive.as_ref()?.columns().get(at)?)));
                    if let Some((at, key)) = key {
                        columns.push(name, key.dtype().clone(), Origin::Hive(at))?;
                    } else {
                        let (at, _, dtype) = stored.try_get_full(&name)?;
                        columns.push(name, dtype.clone(), Origin::Stored(at))?;
                    }
                }
                columns
            },
        };
        if let Some(name) = include_file_paths {
            columns.push(name, DataType::String, Origin::Path)?;
        }
        if columns.origins.len() < MAX_COLUMNS {
            let hidden = columns.unused("__floe_rows");
            columns.push(hidden, DataType::Null, Origin::Hidden)?;
        }
        let Columns { schema, origins } = columns;
        Ok(Self { sources, schema: Arc::new(schema), origins, hive, row_offset })
    }

    /// The name of the hidden column, if there is one.
    pub(super) fn hidden(&self) -> Option<&PlSmallStr> {
        self.origins.last().filter(|origin| **origin == Origin::Hidden)?;
        Some(self.schema.get_at_index(self.schema.len().checked_sub(1)?)?.0)
    }

    /// The type of the n-th column that is read.
    pub(super) fn stored_type(&self, stored: usize) -> PolarsResult<&DataType> {
        let at = self.origins.iter().position(|origin| *origin == Origin::Stored(stored));
        let (_, dtype) = at
            .and_then(|at| self.schema.get_at_index(at))
            .ok_or_else(|| polars_err!(ComputeError: "the scan reads no column {stored}"))?;
        Ok(dtype)
    }

    /// Where a column comes from.
    pub(super) fn origin(&self, name: &str) -> PolarsResult<Origin> {
        let (at, _, _) = self.schema.try_get_full(name)?;
        Ok(self.origins[at])
    }
}

/// Columns as they are put together.
#[derive(Default)]
struct Columns {
    schema: Schema,
    origins: Vec<Origin>,
}

impl Columns {
    /// The columns that are read, as they are.
    fn stored(schema: Schema) -> Self {
        Self { origins: (0..schema.len()).map(Origin::Stored).collect(), schema }
    }

    fn push(&mut self, name: PlSmallStr, dtype: DataType, origin: Origin) -> PolarsResult<()> {
        polars_ensure!(
            !self.schema.contains(&name),
            Duplicate: "the scan would have two columns \"{name}\"; rename the row index or the path's, \
            or leave one out with `with_columns`"
        );
        self.schema.with_column(name, dtype);
        self.origins.push(origin);
        Ok(())
    }

    /// A name that no column has.
    fn unused(&self, name: &str) -> PlSmallStr {
        let mut name = name.to_owned();
        while self.schema.contains(&name) {
            name.push('_');
        }
        name.into()
    }
}
