//! The rows and columns to read, the same for files and streams, and their resolution against a schema.

use floe_array::DecodeOptions;
use floe_array::decode::{ColumnOffsets, LayoutCounts, Validation, column_offsets};
use floe_format::{BatchHeader, IpcLimits, Version};
use polars_core::prelude::*;
use polars_io::RowIndex;

use super::types::{TextAsBinary, TypeOptions};
use crate::schema::ReadSchema;

#[derive(Clone)]
pub(crate) struct ReadOptions {
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) projection: Option<Vec<usize>>,
    pub(crate) n_rows: Option<usize>,
    pub(crate) row_index: Option<RowIndex>,
    pub(crate) rechunk: bool,
    pub(crate) limits: IpcLimits,
    pub(crate) validation: Validation,
    pub(crate) end_marker_required: bool,
    pub(crate) trailing_data_allowed: bool,
    pub(crate) parallel: bool,
    pub(crate) types: TypeOptions,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            columns: None,
            projection: None,
            n_rows: None,
            row_index: None,
            rechunk: true,
            limits: IpcLimits::default(),
            validation: Validation::default(),
            end_marker_required: false,
            trailing_data_allowed: false,
            parallel: true,
            types: TypeOptions::default(),
        }
    }
}

impl ReadOptions {
    pub(crate) fn decode_options(&self, schema: &ReadSchema, version: Version) -> DecodeOptions {
        let big_endian = schema.wire.endianness == floe_format::Endianness::Big;
        DecodeOptions::new(version, big_endian)
            .with_validation(self.validation)
            .with_unrepresentable(schema.types.unrepresentable)
    }
}

/// The columns to read, in the order asked for.
#[derive(Clone)]
pub(crate) struct Projection {
    /// Indices into the schema.
    pub(crate) indices: Vec<usize>,
    pub(crate) dtypes: Vec<DataType>,
    pub(crate) names: Vec<PlSmallStr>,
    /// Slots of the dictionaries that those columns need.
    pub(crate) slots: Vec<usize>,
}

impl Projection {
    pub(crate) fn new(schema: &ReadSchema, options: &ReadOptions) -> PolarsResult<Self> {
        if let TextAsBinary::Columns(names) = &schema.types.text_as_binary
            && let Some(name) =
                names.iter().find(|name| schema.columns.iter().all(|c| c.name != name.as_str()))
        {
            polars_bail!(ColumnNotFound: "\"{name}\" is to be read as Binary, and is not a column");
        }
        let indices = resolve(schema, options)?;
        let mut dtypes = Vec::with_capacity(indices.len());
        let mut names = Vec::with_capacity(indices.len());
        let mut slots = Vec::new();
        for index in &indices {
            let column = &schema.columns[*index];
            dtypes.push(column.dtype.clone().map_err(crate::error::format_error)?);
            names.push(column.name.clone());
            collect_slots(&schema.wire.fields[*index], &mut slots);
        }
        Ok(Self { indices, dtypes, names, slots })
    }
}

fn collect_slots(field: &floe_format::Field, slots: &mut Vec<usize>) {
    if let Some(dictionary) = &field.dictionary {
        slots.push(dictionary.slot);
    }
    for child in &field.children {
        collect_slots(child, slots);
    }
}

fn resolve(schema: &ReadSchema, options: &ReadOptions) -> PolarsResult<Vec<usize>> {
    let width = schema.columns.len();
    let indices = match (&options.columns, &options.projection) {
        (Some(names), _) => {
            let by_name: PlHashMap<&str, usize> =
                schema.columns.iter().enumerate().map(|(i, column)| (column.name.as_str(), i)).collect();
            let find = |name: &String| {
                by_name.get(name.as_str()).copied().ok_or_else(|| {
                    let known: Vec<&str> = schema.columns.iter().take(20).map(|c| c.name.as_str()).collect();
                    polars_err!(ColumnNotFound: "\"{name}\" is not a column; the columns are: {}", known.join(", "))
                })
            };
            names.iter().map(find).collect::<PolarsResult<Vec<usize>>>()?
        },
        (None, Some(indices)) => indices.clone(),
        (None, None) => return Ok((0..width).collect()),
    };
    let mut seen = vec![false; width];
    for index in &indices {
        match seen.get_mut(*index) {
            Some(false) => seen[*index] = true,
            Some(true) => {
                polars_bail!(Duplicate: "column \"{}\" is projected twice", schema.columns[*index].name)
            },
            None => {
                polars_bail!(OutOfBounds: "projected column {index} is out of range: there are {width} columns")
            },
        }
    }
    Ok(indices)
}

/// The nodes and buffers of each column in a batch: found by walking the schema once per version, not once per batch.
#[derive(Default)]
pub(crate) struct ColumnCounts(Option<(Version, Vec<LayoutCounts>)>);

impl ColumnCounts {
    /// Where the columns of a batch start, and where the last one ends.
    pub(crate) fn starts(
        &mut self,
        schema: &ReadSchema,
        header: &BatchHeader,
        version: Version,
    ) -> floe_format::Result<Vec<ColumnOffsets>> {
        if self.0.as_ref().is_none_or(|(of, _)| *of != version) {
            let counts = schema.wire.fields.iter().map(|field| LayoutCounts::of(field, version)).collect();
            self.0 = Some((version, counts));
        }
        column_offsets(header, self.0.as_ref().map_or(&[][..], |(_, counts)| counts))
    }
}
