//! List views: offsets and sizes in any order. The values are gathered into list order.

use arrow::array::Array;
use arrow::bitmap::Bitmap;
use arrow::offset::{Offset, OffsetsBuffer};
use arrow::types::NativeType;
use floe_format::{Error, Field, Place, Result};

use super::ctx::{DecodeCtx, total_len};
use super::list::new_list;
use super::offsets::one_more;
use crate::gather::gather;
use crate::selection::{RowRun, Selection};
use crate::share;

pub(super) fn decode<O: Offset + NativeType>(
    ctx: &mut DecodeCtx<'_>,
    child: &Field,
) -> Result<Box<dyn Array>> {
    let arrays = ctx.each_part(|ctx| {
        let nodes = ctx.nodes()?;
        let validity = ctx.validity()?;
        let rows = total_len(&nodes)?;
        let starts = ctx.fixed::<O>(&[rows])?;
        let sizes = ctx.fixed::<O>(&[rows])?;
        let validity = validity.read(ctx, &nodes)?;
        let values = ctx.decode(child)?;
        let views = list_views(ctx, (&starts, &sizes), validity.as_ref(), values.len())?;
        let values = if views.in_order {
            values
        } else {
            // Views may overlap, so this can be more than the values there are.
            gather(values.as_ref(), Selection::runs(&views.runs)?, ctx)?
        };
        // SAFETY: the offsets are running sums of non-negative sizes.
        let offsets = unsafe { OffsetsBuffer::new_unchecked(share(views.offsets)) };
        new_list(child, offsets, values, validity)
    })?;
    ctx.join(&arrays)
}

/// The lists that list views describe.
struct ListViews {
    /// The offsets of these lists when their values follow one another.
    offsets: Vec<i64>,
    /// Where the values are now.
    runs: Vec<RowRun>,
    /// Whether the values follow one another already.
    in_order: bool,
}

/// Reads list views of an array of `len` values. Null ones are empty, whatever they say.
fn list_views<O: Offset>(
    ctx: &DecodeCtx<'_>,
    (starts, sizes): (&[O], &[O]),
    validity: Option<&Bitmap>,
    len: usize,
) -> Result<ListViews> {
    let overflow = || Error::invalid("list views overflow");
    let mut offsets = ctx.vec::<i64>(one_more(starts.len())?)?;
    let mut runs = ctx.vec::<RowRun>(starts.len())?;
    offsets.push(0i64);
    let mut total = 0usize;
    let mut in_order = true;
    for (i, (start, size)) in starts.iter().zip(sizes).enumerate() {
        let is_null = validity.is_some_and(|v| v.get(i) == Some(false));
        if !is_null {
            let outside = || Error::invalid("a list view lies outside of its values").at(Place::Row(i));
            if *start < O::zero() || *size < O::zero() {
                return Err(outside());
            }
            let (start, size) = (start.to_usize(), size.to_usize());
            if start.checked_add(size).is_none_or(|end| end > len) {
                return Err(outside());
            }
            in_order &= size == 0 || start == total;
            RowRun::new(start, size).push(&mut runs);
            total = total.checked_add(size).ok_or_else(overflow)?;
        }
        offsets.push(i64::try_from(total).map_err(|_| overflow())?);
    }
    Ok(ListViews { offsets, runs, in_order })
}
