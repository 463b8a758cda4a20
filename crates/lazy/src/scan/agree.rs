//! One schema for all sources.
//!
//! Columns go together by name, and so do the fields of structs. Types must be equal, but for `Null`, which has no
//! values that another type could not hold. Writers that do not know the type of a column without values write `Null`.

use std::sync::Arc;

use floe_frame::{IpcIndex, TypeDifference};
use polars_core::prelude::*;

use super::layout::ScanSource;
use super::source::Sources;

/// A column of the scan.
struct Agreed {
    name: PlSmallStr,
    dtype: DataType,
    /// The source that the type is of.
    source: usize,
}

/// The columns to read, of these names or all, and where they are in each source. With a projection further
/// columns of the sources do not matter.
pub(super) fn agree(
    indexes: &[Arc<IpcIndex>],
    sources: &Sources,
    names: Option<&[&PlSmallStr]>,
    projected: bool,
) -> PolarsResult<(Schema, Vec<ScanSource>)> {
    let Some(first) = indexes.first() else { polars_bail!(ComputeError: "there is nothing to scan") };
    let positions: Arc<[usize]> = match names {
        Some(names) => first.column_indices(names).map_err(|e| sources.place(0, e))?.into(),
        None => (0..first.column_names().len()).collect(),
    };
    let stored = first.schema(Some(&positions)).map_err(|e| sources.place(0, e))?;
    if indexes.len() == 1 {
        let (name, place) = (sources.name(0).into(), sources.place_of(0));
        let source = ScanSource { index: Arc::clone(first), name, positions, place, differs: false };
        return Ok((stored, vec![source]));
    }
    let mut agreed: Vec<Agreed> = stored
        .iter()
        .map(|(name, dtype)| Agreed { name: name.clone(), dtype: dtype.clone(), source: 0 })
        .collect();
    let mut scan_sources = Vec::with_capacity(indexes.len());
    let mut schemas: Vec<Schema> = Vec::with_capacity(indexes.len());
    for (source, index) in indexes.iter().enumerate() {
        let place = |e: PolarsError| sources.place(source, e);
        if !projected {
            no_more_columns(indexes, sources, source)?;
        }
        let own = match source {
            0 => positions.to_vec(),
            _ => positions_of(index, &agreed, sources, source)?,
        };
        let schema = index.schema(Some(&own)).map_err(place)?;
        for (column, found) in agreed.iter_mut().zip(schema.iter_values()) {
            take_in(column, found, sources, source)?;
        }
        let positions = if own == positions[..] { Arc::clone(&positions) } else { own.into() };
        let (name, place) = (sources.name(source).into(), sources.place_of(source));
        scan_sources.push(ScanSource { index: Arc::clone(index), name, positions, place, differs: false });
        schemas.push(schema);
    }
    for (source, schema) in scan_sources.iter_mut().zip(&schemas) {
        let types = agreed.iter().zip(schema.iter_values());
        source.differs = types.into_iter().any(|(column, own)| column.dtype != *own);
    }
    Ok((agreed.into_iter().map(|column| Field::new(column.name, column.dtype)).collect(), scan_sources))
}

/// Where the columns are in a source.
fn positions_of(
    index: &IpcIndex,
    agreed: &[Agreed],
    sources: &Sources,
    source: usize,
) -> PolarsResult<Vec<usize>> {
    let names: PlHashSet<&PlSmallStr> = index.column_names().collect();
    if let Some(column) = agreed.iter().find(|column| !names.contains(&column.name)) {
        let missing = TypeDifference::missing_on_the_right(&column.dtype);
        return Err(differ(&missing, &column.name, sources, column.source, source));
    }
    let names: Vec<&PlSmallStr> = agreed.iter().map(|column| &column.name).collect();
    index.column_indices(&names).map_err(|e| sources.place(source, e))
}

/// Fails if a source has a column that the first one lacks.
fn no_more_columns(indexes: &[Arc<IpcIndex>], sources: &Sources, source: usize) -> PolarsResult<()> {
    let (Some(first), Some(index)) = (indexes.first(), indexes.get(source)) else { return Ok(()) };
    if index.column_names().len() <= first.column_names().len() {
        // Then it has all of them and no others, or one is missing, which is an error by itself.
        return Ok(());
    }
    let known: PlHashSet<&PlSmallStr> = first.column_names().collect();
    for (i, name) in index.column_names().enumerate() {
        if !known.contains(name) {
            // A type that Polars cannot hold is reported as such.
            let schema = index.schema(Some(&[i])).map_err(|e| sources.place(source, e))?;
            let dtype = schema.get_at_index(0).map_or(DataType::Null, |(_, dtype)| dtype.clone());
            return Err(differ(&TypeDifference::missing_on_the_left(&dtype), name, sources, 0, source));
        }
    }
    Ok(())
}

/// Makes the column's type one that a source's has its place in.
fn take_in(column: &mut Agreed, found: &DataType, sources: &Sources, source: usize) -> PolarsResult<()> {
    if column.dtype == *found {
        return Ok(());
    }
    match TypeDifference::common_type(&column.dtype, found) {
        Ok(dtype) if dtype == column.dtype => {},
        Ok(dtype) => (column.dtype, column.source) = (dtype, source),
        Err(difference) => return Err(differ(&difference, &column.name, sources, column.source, source)),
    }
    Ok(())
}

fn differ(
    difference: &TypeDifference,
    column: &str,
    sources: &Sources,
    left: usize,
    right: usize,
) -> PolarsError {
    let (left, right) = (sources.place_of(left), sources.place_of(right));
    let told = difference.told(&format!("column \"{column}\""), &left, &right);
    polars_err!(
        SchemaMismatch: "the sources have different columns: {told}; choose columns that all have with `with_columns`"
    )
}

/// A column of a source as one of the type that the scan has.
pub(super) fn adapt(series: &Series, dtype: &DataType) -> PolarsResult<Series> {
    if series.dtype() == dtype {
        return Ok(series.clone());
    }
    let name = series.name();
    match (series.dtype(), dtype) {
        (DataType::Null, dtype) => Ok(Series::full_null(name.clone(), series.len(), dtype)),
        (DataType::List(_), DataType::List(items)) => {
            Ok(series.list()?.apply_to_inner(&|inner| adapt(&inner, items))?.into_series())
        },
        #[cfg(feature = "dtype-array")]
        (DataType::Array(..), DataType::Array(items, _)) => {
            Ok(series.array()?.apply_to_inner(&|inner| adapt(&inner, items))?.into_series())
        },
        #[cfg(feature = "dtype-struct")]
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let own = series.struct_()?;
            let field = |field: &Field| adapt(&own.field_by_name(field.name())?, field.dtype());
            let columns = fields.iter().map(field).collect::<PolarsResult<Vec<Series>>>()?;
            let mut out = StructChunked::from_series(name.clone(), series.len(), columns.iter())?;
            out.zip_outer_validity(own);
            Ok(out.into_series())
        },
        (own, dtype) => polars_bail!(SchemaMismatch: "column \"{name}\" is {own} where the scan has {dtype}"),
    }
}
