//! Run-end encoding: no buffers of its own, a child of run ends and a child of values.

use arrow::array::Array;
use arrow::types::NativeType;
use floe_format::{DataType, Error, Field, Result, Version};
use polars_utils::IdxSize;

use super::ctx::{DecodeCtx, index, total_len};

pub(super) fn decode(ctx: &mut DecodeCtx<'_>, run_ends: &Field, values: &Field) -> Result<Box<dyn Array>> {
    let arrays = ctx.each_part(|ctx| {
        let rows = total_len(&ctx.nodes()?)?;
        if ctx.options().version == Version::V4 {
            // Before 1.0 every array but null had a validity buffer. Here it has no meaning: nulls are among the
            // values.
            ctx.next_buffers()?;
        }
        ctx.unbacked_rows(rows)?;
        let (runs, indices) = read_runs(ctx, run_ends, rows)?;
        let values = ctx.decode(values)?;
        if values.len() < runs {
            return Err(Error::invalid(format!("{runs} runs have {} values", values.len())));
        }
        ctx.gather(values.as_ref(), &indices, None)
    })?;
    ctx.join(&arrays)
}

/// How many runs there are, and which of them each row is in.
fn read_runs(ctx: &mut DecodeCtx<'_>, field: &Field, rows: usize) -> Result<(usize, Vec<IdxSize>)> {
    let DataType::Int(int) = &field.data_type else {
        return Err(Error::invalid("run ends are not integers"));
    };
    match int.bits {
        16 => runs_of::<i16>(ctx, rows),
        32 => runs_of::<i32>(ctx, rows),
        64 => runs_of::<i64>(ctx, rows),
        bits => Err(Error::invalid(format!("run ends of {bits} bits do not exist"))),
    }
}

fn runs_of<T: NativeType + Into<i64>>(ctx: &mut DecodeCtx<'_>, rows: usize) -> Result<(usize, Vec<IdxSize>)> {
    let (ends, validity) = ctx.fixed_and_validity::<T>()?;
    if validity.is_some() {
        return Err(Error::invalid("a run end is null"));
    }
    let mut indices = ctx.vec::<IdxSize>(rows)?;
    let mut before = 0i64;
    for (run, end) in ends.iter().enumerate() {
        let end: i64 = (*end).into();
        if end <= before {
            return Err(Error::invalid("run ends are not in ascending order"));
        }
        before = end;
        // The last run may end behind the last row.
        let until = usize::try_from(end).unwrap_or(usize::MAX).min(rows);
        indices.resize(until, index(run)?);
    }
    if indices.len() != rows {
        return Err(Error::invalid(format!("the runs end at row {} of {rows}", indices.len())));
    }
    Ok((ends.len(), indices))
}
