//! Which column of a scan comes from where.

use std::sync::Arc;

use floe_frame::IpcIndex;
use polars_core::prelude::*;
use polars_io::RowIndex;

use super::agree::{Evolution, Wanted, adapt, agree};
use super::row_numbers::MAX_COLUMNS;
use super::source::{Sources, place};

/// The columns that a scan adds to the sources'.
pub(super) struct Request {
    pub(super) columns: Option<Vec<PlSmallStr>>,
    pub(super) row_index: Option<RowIndex>,
    pub(super) include_file_paths: Option<PlSmallStr>,
    pub(super) evolution: Evolution,
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
    /// The position of each stored column in this source, if it has it.
    pub(super) positions: Arc<[Option<usize>]>,
    /// Its name in messages.
    pub(super) place: String,
    /// Whether stored columns are of other types here than in the scan.
    pub(super) differs: bool,
}

impl ScanSource {
    pub(super) fn new(
        index: &Arc<IpcIndex>,
        sources: &Sources,
        source: usize,
        positions: Arc<[Option<usize>]>,
    ) -> Self {
        let (name, place) = (sources.name(source).into(), sources.place_of(source));
        Self { index: Arc::clone(index), name, positions, place, differs: false }
    }

    /// Where a stored column is in this source, if it has it.
    pub(super) fn position(&self, stored: usize) -> Option<usize> {
        self.positions.get(stored).copied().flatten()
    }

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
        let Request { columns, row_index, include_file_paths, evolution } = wanted;
        let keys = hive.as_ref().map(|hive| &**hive.schema());
        let is_key = |name: &PlSmallStr| keys.is_some_and(|keys| keys.contains(name));
        let projected = columns.is_some();
        // The columns without row index and path, as they will stand; nothing for those of the sources.
        let names: Option<Vec<PlSmallStr>> = match (columns, keys) {
            (Some(columns), _) => Some(columns),
            (None, None) => None,
            (None, Some(keys)) => {
                let mut names: PlIndexSet<PlSmallStr> = match (&evolution.schema, indexes.first()) {
                    (Some(schema), _) => schema.iter_names_cloned().collect(),
                    (None, first) => {
                        first.into_iter().flat_map(|first| first.column_names()).cloned().collect()
                    },
                };
                names.extend(keys.iter_names_cloned());
                Some(names.into_iter().collect())
            },
        };
        let read = names.as_ref().map(|names| names.iter().filter(|name| !is_key(name)).collect());
        let read: Option<Vec<&PlSmallStr>> = read;
        let wanted = Wanted { names: read.as_deref(), projected, keys, evolution: &evolution };
        let (stored, sources) = agree(&indexes, sources, &wanted)?;

        let row_offset = row_index.as_ref().map_or(0, |index| index.offset);
        let mut columns = match (names, row_index) {
            (None, None) => Columns::stored(stored),
            (names, row_index) => Columns::named(names, &stored, keys, row_index)?,
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

    /// Columns of these names, or all that are read, and a row index before them.
    fn named(
        names: Option<Vec<PlSmallStr>>,
        stored: &Schema,
        keys: Option<&Schema>,
        row_index: Option<RowIndex>,
    ) -> PolarsResult<Self> {
        let mut columns = Self::default();
        if let Some(index) = row_index {
            columns.push(index.name, IDX_DTYPE, Origin::RowIndex)?;
        }
        for name in names.unwrap_or_else(|| stored.iter_names_cloned().collect()) {
            if let Some((at, _, dtype)) = keys.and_then(|keys| keys.get_full(&name)) {
                columns.push(name, dtype.clone(), Origin::Hive(at))?;
            } else {
                let (at, _, dtype) = stored.try_get_full(&name)?;
                columns.push(name, dtype.clone(), Origin::Stored(at))?;
            }
        }
        Ok(columns)
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
