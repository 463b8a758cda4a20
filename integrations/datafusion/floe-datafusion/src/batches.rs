//! Frames as record batches of the table's schema.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::Result;
use polars_core::prelude::DataFrame;

use crate::arrays;
use crate::error::{failed, in_column};

/// The columns that a scan wants of a file: by position in the file, in the order of the wanted schema.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The table's columns that are wanted.
    schema: SchemaRef,
    /// Where each of them is in the file; none if the file has no such column.
    places: Vec<Option<usize>>,
}

impl Wanted {
    /// Columns of the table, looked up by their names in a file.
    pub(crate) fn new<'a>(schema: SchemaRef, in_file: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = in_file.collect();
        let place = |field: &Arc<Field>| names.iter().position(|name| name == field.name());
        let places = schema.fields().iter().map(place).collect();
        Self { schema, places }
    }

    /// The positions of columns to read of the file.
    pub(crate) fn positions(&self) -> Vec<usize> {
        self.places.iter().flatten().copied().collect()
    }

    /// A record batch out of a frame that has the columns at [`positions`](Self::positions).
    pub(crate) fn batch(&self, frame: &DataFrame) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.places.len());
        for (field, place) in self.schema.fields().iter().zip(&self.places) {
            columns.push(match place {
                None => absent(field, frame.height())?,
                Some(_) => {
                    let column = frame.column(field.name());
                    let column = column.map_err(|e| failed(format!("a column was not read: {e}")))?;
                    adapted(field, arrays::column(column)?)?
                },
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(frame.height()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// A column that the file does not have.
fn absent(field: &Field, rows: usize) -> Result<ArrayRef> {
    if field.is_nullable() {
        return Ok(new_null_array(field.data_type(), rows));
    }
    Err(failed(format!("the file has no column `{}`, which the table says is not nullable", field.name())))
}

/// A column in the table's type: files of one table may have narrower types than the table.
fn adapted(field: &Field, array: ArrayRef) -> Result<ArrayRef> {
    if array.data_type() == field.data_type() {
        return Ok(array);
    }
    // A value that does not fit is an error, not a null.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let cast = cast_with_options(&array, field.data_type(), &options);
    cast.map_err(|error| in_column(field.name(), error.into()))
}

/// Whether a column's order is the same in the table's type as in the file's.
pub(crate) fn keeps_order(file: &DataType, table: &DataType) -> bool {
    file == table || (file.is_integer() && table.is_integer())
}
