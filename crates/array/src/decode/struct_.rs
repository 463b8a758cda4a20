//! Structs: a validity bitmap and one array a field.

use arrow::array::{Array, StructArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use floe_format::{Error, Field, Result};

use super::ctx::total_len;
use super::{DecodeCtx, nested_field};

pub(super) fn decode(ctx: &mut DecodeCtx<'_>, children: &[Field]) -> Result<Box<dyn Array>> {
    let mut values = Vec::with_capacity(children.len());
    let (len, validity) = onto(ctx, children, &mut |_, ctx, child| {
        let array = super::decode(ctx, child)?;
        let len = array.len();
        values.push(array);
        Ok(len)
    })?;
    of_fields(children, len, values, validity)
}

/// Has `decode` decode each field, given its number, and returns how many rows that gave, and their
/// validity.
pub(super) fn onto(
    ctx: &mut DecodeCtx<'_>,
    children: &[Field],
    decode: &mut dyn FnMut(usize, &mut DecodeCtx<'_>, &Field) -> Result<usize>,
) -> Result<(usize, Option<Bitmap>)> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let len = total_len(&nodes)?;
    if children.is_empty() {
        ctx.unbacked_rows(len)?;
    }
    for (i, child) in children.iter().enumerate() {
        let at = |error: Error| error.at(format!("field \"{}\"", child.name));
        let rows = decode(i, ctx, child).map_err(at)?;
        if rows != len {
            return Err(at(Error::invalid(format!("{rows} values in a struct of {len} rows"))));
        }
    }
    Ok((len, validity.read(ctx, &nodes)?))
}

/// A struct array of its fields' arrays, each of `len` rows.
pub(super) fn of_fields(
    children: &[Field],
    len: usize,
    values: Vec<Box<dyn Array>>,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    let names = distinct(children.iter().map(|child| child.name.as_str()));
    let fields = names.iter().zip(children).zip(&values);
    let fields = fields.map(|((name, child), array)| nested_field(name, child, array.as_ref()));
    let array = StructArray::try_new(ArrowDataType::Struct(fields.collect()), len, values, validity);
    Ok(Box::new(array.map_err(|e| Error::invalid(e.to_string()))?))
}

/// The names with repeated ones told apart, as Polars does: `a`, `a_duplicated_0`, ...
#[must_use]
pub fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let all: std::collections::HashSet<&str> = names.iter().copied().collect();
    if all.len() == names.len() {
        return names.into_iter().map(str::to_owned).collect();
    }
    let mut taken: std::collections::HashSet<String> = std::collections::HashSet::with_capacity(names.len());
    let mut repeats: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    let mut out = Vec::with_capacity(names.len());
    for name in names {
        if taken.insert(name.to_owned()) {
            out.push(name.to_owned());
            continue;
        }
        let count = repeats.entry(name).or_default();
        loop {
            let candidate = format!("{name}_duplicated_{count}");
            *count += 1;
            if !all.contains(candidate.as_str()) && taken.insert(candidate.clone()) {
                out.push(candidate);
                break;
            }
        }
    }
    out
}
