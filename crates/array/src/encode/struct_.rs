//! Structs: a validity buffer and each field's array, [null](super::under_nulls) where the struct is.

use arrow::array::StructArray;
use floe_format::{Error, Field, Place, Result};

use super::ctx::EncodeCtx;
use super::dispatch::check_nulls;
use super::under_nulls;

pub(super) fn encode(ctx: &mut EncodeCtx<'_>, fields: &[Field], array: &StructArray) -> Result<()> {
    ctx.node_and_validity(array);
    if fields.len() != array.values().len() {
        return Err(Error::invalid(format!(
            "a struct of {} fields does not match a schema of {}",
            array.values().len(),
            fields.len()
        )));
    }
    for (field, values) in fields.iter().zip(under_nulls::fields(array)) {
        let encoded = check_nulls(field, values.as_ref(), array.validity())
            .and_then(|()| ctx.encode(field, values.as_ref()));
        encoded.map_err(|error| error.at(Place::Field(field.name.to_string())))?;
    }
    Ok(())
}
