//! Which column of a scan comes from where.

use std::sync::Arc;

use floe_frame::IpcIndex;
use polars_core::prelude::*;
use polars_io::RowIndex;

use super::source::Sources;

/// What a scan is to have beside the sources' columns.
pub(super) struct Wanted {
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
    /// The n-th of what folders' names say.
    Hive(usize),
    Path,
    /// No values at all, for counting rows.
    Hidden,
}

/// One source.
pub(super) struct Member {
    pub(super) index: Arc<IpcIndex>,
    pub(super) name: PlSmallStr,
    /// The position of each stored column in this source.
    pub(super) positions: Arc<[usize]>,
}

/// The columns of a scan and its sources.
pub(super) struct Layout {
    pub(super) members: Vec<Member>,
    /// All columns, the hidden one last.
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
        wanted: Wanted,
    ) -> PolarsResult<Self> {
        let Wanted { columns, row_index, include_file_paths } = wanted;
        let Some(first) = indexes.first() else { polars_bail!(ComputeError: "there is nothing to scan") };
        let in_hive = |name: &PlSmallStr| hive.as_ref().and_then(|hive| hive.get_column_index(name));
        // The columns without row index and path, as they will stand.
        let names: Vec<PlSmallStr> = match &columns {
            Some(columns) => columns.clone(),
            None => {
                let mut names: PlIndexSet<PlSmallStr> = first.column_names().cloned().collect();
                names.extend(hive.iter().flat_map(DataFrame::columns).map(|column| column.name().clone()));
                names.into_iter().collect()
            },
        };
        let read: Vec<&PlSmallStr> = names.iter().filter(|name| in_hive(name).is_none()).collect();
        let positions: Arc<[usize]> = first.column_indices(&read)?.into();
        let stored = first.schema(Some(&positions))?;
        let members = members(&indexes, sources, &stored, &positions, columns.is_some())?;

        let mut columns = Columns::default();
        let row_offset = row_index.as_ref().map_or(0, |index| index.offset);
        if let Some(index) = row_index {
            columns.push(index.name, IDX_DTYPE, Origin::RowIndex)?;
        }
        for name in names {
            match in_hive(&name).and_then(|at| Some((at, hive.as_ref()?.columns().get(at)?.dtype().clone())))
            {
                Some((at, dtype)) => columns.push(name, dtype, Origin::Hive(at))?,
                None => {
                    let (at, _, dtype) = stored.try_get_full(&name)?;
                    columns.push(name, dtype.clone(), Origin::Stored(at))?;
                },
            }
        }
        if let Some(name) = include_file_paths {
            columns.push(name, DataType::String, Origin::Path)?;
        }
        let hidden = columns.unused("__floe_rows");
        columns.push(hidden, DataType::Null, Origin::Hidden)?;
        let Columns { schema, origins } = columns;
        Ok(Self { members, schema: Arc::new(schema), origins, hive, row_offset })
    }

    /// The name of the hidden column.
    pub(super) fn hidden(&self) -> &PlSmallStr {
        let last = self.schema.len().saturating_sub(1);
        self.schema.get_at_index(last).map_or(PlSmallStr::EMPTY_REF, |(name, _)| name)
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

/// Checks every source against the first: the same columns of the same types, in any order; with a
/// projection, further columns do not matter.
fn members(
    indexes: &[Arc<IpcIndex>],
    sources: &Sources,
    stored: &Schema,
    positions: &Arc<[usize]>,
    projected: bool,
) -> PolarsResult<Vec<Member>> {
    let mut members: Vec<Member> = Vec::with_capacity(indexes.len());
    let width = indexes.first().map_or(0, |first| first.column_names().len());
    for (i, index) in indexes.iter().enumerate() {
        let name: PlSmallStr = sources.name(i).into();
        let place = |e: PolarsError| match index.path() {
            // The index says its path itself.
            Some(_) => e,
            None => e.wrap_msg(|msg| format!("source {i}: {msg}")),
        };
        let names: Vec<&PlSmallStr> = stored.iter_names().collect();
        let own = index.column_indices(&names).map_err(place)?;
        for ((column, expected), found) in
            stored.iter().zip(index.schema(Some(&own)).map_err(place)?.iter_values())
        {
            polars_ensure!(
                expected == found,
                SchemaMismatch: "{name}: column \"{column}\" is {found}, and {expected} in {}", sources.name(0)
            );
        }
        if !projected && index.column_names().len() != width {
            let more =
                index.column_names().find(|column| !indexes[0].column_names().any(|known| known == *column));
            polars_bail!(
                SchemaMismatch: "{name}: column \"{}\" is not in {}; choose columns that all sources have with `with_columns`",
                more.map_or("", PlSmallStr::as_str), sources.name(0)
            );
        }
        let own = if own == positions[..] { Arc::clone(positions) } else { own.into() };
        members.push(Member { index: Arc::clone(index), name, positions: own });
    }
    Ok(members)
}
