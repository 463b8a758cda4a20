//! One schema for all sources.
//!
//! Columns go together by name, and so do the fields of structs. Types must be equal, but for `Null`, which has no
//! values that another type could not hold. Writers that do not know the type of a column without values write `Null`.
//! Other differences are up to the scan's [`Evolution`].

use std::sync::Arc;

use floe_frame::{IpcIndex, TypeDifference};
use polars_core::chunked_array::cast::CastOptions;
use polars_core::prelude::*;
use polars_plan::dsl::{CastColumnsPolicy, ExtraColumnsPolicy, MissingColumnsPolicy};

use super::layout::ScanSource;
use super::source::Sources;

/// How sources may differ from the scan's schema.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Evolution {
    /// The schema of the sources' columns; that of the first source without.
    pub(super) schema: Option<SchemaRef>,
    pub(super) missing: MissingColumnsPolicy,
    pub(super) extra: ExtraColumnsPolicy,
    pub(super) casts: CastColumnsPolicy,
}

/// Which columns a scan is to have of its sources.
pub(super) struct Wanted<'a> {
    /// Their names, if they are not all.
    pub(super) names: Option<&'a [&'a PlSmallStr]>,
    /// Whether further columns of the sources do not matter.
    pub(super) projected: bool,
    /// Columns that folders' names have in place of the sources'.
    pub(super) keys: Option<&'a Schema>,
    pub(super) evolution: &'a Evolution,
}

/// A column of the scan.
struct Agreed {
    name: PlSmallStr,
    dtype: DataType,
    /// The source that the type is of; none for the schema that was given.
    source: Option<usize>,
}

/// The columns to read, and where they are in each source.
pub(super) fn agree(
    indexes: &[Arc<IpcIndex>],
    sources: &Sources,
    wanted: &Wanted<'_>,
) -> PolarsResult<(Schema, Vec<ScanSource>)> {
    let Some(first) = indexes.first() else { polars_bail!(ComputeError: "there is nothing to scan") };
    let mut agreed = match &wanted.evolution.schema {
        Some(schema) => given(schema, wanted.names)?,
        None => {
            let positions: Arc<[usize]> = match wanted.names {
                Some(names) => first.column_indices(names).map_err(|e| sources.place(0, e))?.into(),
                None => (0..first.column_names().len()).collect(),
            };
            let stored = first.schema(Some(&positions)).map_err(|e| sources.place(0, e))?;
            if indexes.len() == 1 {
                let positions = positions.iter().copied().map(Some).collect();
                return Ok((stored, vec![ScanSource::new(first, sources, 0, positions)]));
            }
            let column = |(name, dtype): (&PlSmallStr, &DataType)| Agreed {
                name: name.clone(),
                dtype: dtype.clone(),
                source: Some(0),
            };
            stored.iter().map(column).collect::<Vec<_>>()
        },
    };
    let known: PlHashSet<PlSmallStr> = match &wanted.evolution.schema {
        Some(schema) => schema.iter_names_cloned().collect(),
        None => first.column_names().cloned().collect(),
    };
    let mut scan_sources = Vec::with_capacity(indexes.len());
    let mut types: Vec<Vec<Option<DataType>>> = Vec::with_capacity(indexes.len());
    for (source, index) in indexes.iter().enumerate() {
        if !wanted.projected && wanted.evolution.extra == ExtraColumnsPolicy::Raise {
            no_more_columns(index, sources, source, &known, wanted)?;
        }
        let positions = positions_of(index, &agreed, sources, source, wanted.evolution)?;
        let read: Vec<usize> = positions.iter().copied().flatten().collect();
        let schema = index.schema(Some(&read)).map_err(|e| sources.place(source, e))?;
        let mut found = schema.iter_values();
        let mut own = Vec::with_capacity(positions.len());
        for (column, position) in agreed.iter_mut().zip(&positions) {
            let found = position.and_then(|_| found.next());
            if let Some(found) = found {
                take_in(column, found, sources, source, wanted.evolution)?;
            }
            own.push(found.cloned());
        }
        scan_sources.push(ScanSource::new(index, sources, source, positions.into()));
        types.push(own);
    }
    for (source, own) in scan_sources.iter_mut().zip(&types) {
        let differs = |(column, own): (&Agreed, &Option<DataType>)| {
            own.as_ref().is_some_and(|own| *own != column.dtype)
        };
        source.differs = agreed.iter().zip(own).any(differs);
    }
    Ok((agreed.into_iter().map(|column| Field::new(column.name, column.dtype)).collect(), scan_sources))
}

/// The columns of a schema that was given.
fn given(schema: &Schema, names: Option<&[&PlSmallStr]>) -> PolarsResult<Vec<Agreed>> {
    let column = |name: &PlSmallStr| {
        let dtype = schema.get(name).ok_or_else(
            || polars_err!(ColumnNotFound: "the schema given with `with_schema` has no column \"{name}\""),
        )?;
        Ok(Agreed { name: name.clone(), dtype: dtype.clone(), source: None })
    };
    match names {
        Some(names) => names.iter().map(|name| column(name)).collect(),
        None => schema.iter_names().map(column).collect(),
    }
}

/// Where the columns are in a source; nowhere, if it lacks one and may.
fn positions_of(
    index: &IpcIndex,
    agreed: &[Agreed],
    sources: &Sources,
    source: usize,
    evolution: &Evolution,
) -> PolarsResult<Vec<Option<usize>>> {
    let at: PlHashMap<&PlSmallStr, usize> =
        index.column_names().enumerate().map(|(at, name)| (name, at)).collect();
    let position = |column: &Agreed| match (at.get(&column.name), evolution.missing) {
        (Some(at), _) => Ok(Some(*at)),
        (None, MissingColumnsPolicy::Insert) => Ok(None),
        (None, MissingColumnsPolicy::Raise) => {
            let missing = TypeDifference::missing_on_the_right(&column.dtype);
            let hint = "choose columns that all have with `with_columns`, or let \
                `with_missing_columns(MissingColumnsPolicy::Insert)` make them null";
            Err(differ(&missing, &column.name, sources, (column.source, source), hint))
        },
    };
    agreed.iter().map(position).collect()
}

/// Fails if a source has a column that the scan lacks.
fn no_more_columns(
    index: &IpcIndex,
    sources: &Sources,
    source: usize,
    known: &PlHashSet<PlSmallStr>,
    wanted: &Wanted<'_>,
) -> PolarsResult<()> {
    let is_key = |name: &PlSmallStr| wanted.keys.is_some_and(|keys| keys.contains(name));
    for (i, name) in index.column_names().enumerate() {
        if !known.contains(name) && !is_key(name) {
            // A type that Polars cannot hold is reported as such.
            let schema = index.schema(Some(&[i])).map_err(|e| sources.place(source, e))?;
            let dtype = schema.get_at_index(0).map_or(DataType::Null, |(_, dtype)| dtype.clone());
            let left = wanted.evolution.schema.is_none().then_some(0);
            let hint = "choose columns that all have with `with_columns`, or let \
                `with_extra_columns(ExtraColumnsPolicy::Ignore)` leave it out";
            let extra = TypeDifference::missing_on_the_left(&dtype);
            return Err(differ(&extra, name, sources, (left, source), hint));
        }
    }
    Ok(())
}

/// Makes the column's type one that a source's has its place in.
fn take_in(
    column: &mut Agreed,
    found: &DataType,
    sources: &Sources,
    source: usize,
    evolution: &Evolution,
) -> PolarsResult<()> {
    if column.dtype == *found {
        return Ok(());
    }
    let difference = match TypeDifference::common_type(&column.dtype, found) {
        Ok(dtype) if dtype == column.dtype && evolution.casts.null_upcast => return Ok(()),
        // A type that was given stays.
        Ok(dtype) if dtype != column.dtype && column.source.is_some() => {
            (column.dtype, column.source) = (dtype, Some(source));
            return Ok(());
        },
        Ok(_) => TypeDifference::between(&column.dtype, found),
        Err(difference) => Some(difference),
    };
    let casts = &evolution.casts;
    let found = if casts.categorical_to_string { &as_text(found, &column.dtype) } else { found };
    let Err(why) = casts.should_cast_column(&column.name, &column.dtype, found) else {
        return Ok(());
    };
    let Some(difference) = difference else { return Err(sources.place(source, why)) };
    let hint = "choose columns that agree with `with_columns`, or let `with_cast_options` make them one type";
    Err(differ(&difference, &column.name, sources, (column.source, source), hint))
}

/// A type in which categoricals are text where the other one is. (`should_cast_column` of Polars 0.55.2 leaves out to
/// ask for that permission.)
fn as_text(found: &DataType, dtype: &DataType) -> DataType {
    match (found, dtype) {
        (found, DataType::String) if found.is_categorical() => DataType::String,
        (DataType::List(found), DataType::List(items)) => DataType::List(Box::new(as_text(found, items))),
        #[cfg(feature = "dtype-array")]
        (DataType::Array(found, n), DataType::Array(items, _)) => {
            DataType::Array(Box::new(as_text(found, items)), *n)
        },
        #[cfg(feature = "dtype-struct")]
        (DataType::Struct(found), DataType::Struct(fields)) => {
            let field = |field: &Field| {
                let other = fields.iter().find(|other| other.name() == field.name());
                let dtype = other
                    .map_or_else(|| field.dtype().clone(), |other| as_text(field.dtype(), other.dtype()));
                Field::new(field.name().clone(), dtype)
            };
            DataType::Struct(found.iter().map(field).collect())
        },
        (found, _) => found.clone(),
    }
}

fn differ(
    difference: &TypeDifference,
    column: &str,
    sources: &Sources,
    (left, right): (Option<usize>, usize),
    hint: &str,
) -> PolarsError {
    let left = left.map_or_else(|| "the given schema".to_owned(), |left| sources.place_of(left));
    let told = difference.told(&format!("column \"{column}\""), &left, &sources.place_of(right));
    polars_err!(SchemaMismatch: "the sources have different columns: {told}; {hint}")
}

/// A column of a source as one of the type that the scan has, as [`take_in`] has found that it may become.
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
        (DataType::Struct(has), DataType::Struct(fields)) => {
            let own = series.struct_()?;
            let field = |field: &Field| match has.iter().any(|has| has.name() == field.name()) {
                true => adapt(&own.field_by_name(field.name())?, field.dtype()),
                false => Ok(Series::full_null(field.name().clone(), series.len(), field.dtype())),
            };
            let columns = fields.iter().map(field).collect::<PolarsResult<Vec<Series>>>()?;
            let mut out = StructChunked::from_series(name.clone(), series.len(), columns.iter())?;
            out.zip_outer_validity(own);
            Ok(out.into_series())
        },
        (DataType::Datetime(own, _), DataType::Datetime(unit, _)) if unit < own => {
            let times = series.cast_with_options(dtype, CastOptions::NonStrict)?;
            // A strict cast of Polars 0.55.2 may panic as it shows what overflows.
            polars_ensure!(
                times.null_count() == series.null_count(),
                InvalidOperation: "column \"{name}\" has times that {dtype} cannot hold"
            );
            Ok(times)
        },
        // As Polars' scans cast: integers that fit by their type need no check.
        (own, dtype) if own.is_integer() => series.cast_with_options(dtype, CastOptions::Overflowing),
        (_, dtype) => series.cast_with_options(dtype, CastOptions::NonStrict),
    }
}
