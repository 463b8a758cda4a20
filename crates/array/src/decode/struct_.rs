//! Structs: a validity bitmap and one array per field.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use arrow::array::{Array, StructArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use floe_format::{Error, Field, FieldNode, Place, Result};

use super::ctx::{DecodeCtx, total_len};
use super::fields::nested_field;
use super::values::Validity;
use crate::made::boxed;

/// Structs of at least this many rows have their fields decoded in parallel, so that a column does not keep one core busy
/// while the others wait.
const MIN_PARALLEL_ROWS: usize = 32 << 10;

pub(super) fn decode(ctx: &mut DecodeCtx<'_>, children: &[Field]) -> Result<Box<dyn Array>> {
    let head = Head::read(ctx, children)?;
    let field = |ctx: &mut DecodeCtx<'_>, child: &Field| {
        let array = ctx.decode(child).map_err(|error| error.at(place(child)))?;
        head.check(child, array.len())?;
        Ok(array)
    };
    let values = if children.len() < 2 || head.len < MIN_PARALLEL_ROWS {
        children.iter().map(|child| field(ctx, child)).collect::<Result<Vec<_>>>()?
    } else {
        let forks = ctx.split(children)?;
        let jobs = forks.into_iter().zip(children).collect();
        ctx.map_jobs(jobs, |(mut fork, child)| field(&mut fork, child))?
    };
    let len = head.len;
    of_fields(children, len, values, head.validity(ctx)?)
}

/// Has `decode` decode each field, given its number, and returns how many rows that gave, and their
/// validity.
pub(super) fn append_fields(
    ctx: &mut DecodeCtx<'_>,
    children: &[Field],
    decode: &mut dyn FnMut(usize, &mut DecodeCtx<'_>, &Field) -> Result<usize>,
) -> Result<(usize, Option<Bitmap>)> {
    let head = Head::read(ctx, children)?;
    for (i, child) in children.iter().enumerate() {
        let rows = decode(i, ctx, child).map_err(|error| error.at(place(child)))?;
        head.check(child, rows)?;
    }
    Ok((head.len, head.validity(ctx)?))
}

/// The nodes and validities in front of the fields.
struct Head {
    nodes: Vec<FieldNode>,
    validity: Validity,
    len: usize,
}

impl Head {
    fn read(ctx: &mut DecodeCtx<'_>, children: &[Field]) -> Result<Self> {
        let nodes = ctx.nodes()?;
        let validity = ctx.validity()?;
        let len = total_len(&nodes)?;
        if children.is_empty() {
            ctx.free_rows(&nodes)?;
        }
        Ok(Self { nodes, validity, len })
    }

    fn check(&self, child: &Field, rows: usize) -> Result<()> {
        if rows == self.len {
            return Ok(());
        }
        Err(Error::invalid(format!("{rows} values in a struct of {} rows", self.len)).at(place(child)))
    }

    fn validity(self, ctx: &DecodeCtx<'_>) -> Result<Option<Bitmap>> {
        self.validity.read(ctx, &self.nodes)
    }
}

fn place(child: &Field) -> Place {
    Place::Field(child.name.to_string())
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
    boxed(array)
}

/// Up to this many names are compared with each other, which is faster than hashing them.
const MAX_COMPARED_NAMES: usize = 16;

/// The names with repeated ones told apart, as Polars does: `a`, `a_duplicated_0`, ...
#[must_use]
pub fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Cow<'a, str>> {
    let names: Vec<Cow<'a, str>> = names.map(Cow::Borrowed).collect();
    let is_first = |(i, name)| !names.iter().take(i).any(|other| other == name);
    if names.len() <= MAX_COMPARED_NAMES && names.iter().enumerate().all(is_first) {
        return names;
    }
    let all: HashSet<Cow<'a, str>> = names.iter().cloned().collect();
    if all.len() == names.len() {
        return names;
    }
    let mut taken = HashSet::with_capacity(names.len());
    let mut repeats: HashMap<Cow<'a, str>, usize> = HashMap::new();
    let mut out = Vec::with_capacity(names.len());
    for name in names {
        if taken.insert(name.clone()) {
            out.push(name);
            continue;
        }
        let count = repeats.entry(name.clone()).or_default();
        loop {
            let candidate = Cow::Owned(format!("{name}_duplicated_{count}"));
            *count += 1;
            if !all.contains(&candidate) && taken.insert(candidate.clone()) {
                out.push(candidate);
                break;
            }
        }
    }
    out
}
