//! Run-end encoding: no buffers of its own, a child of run ends and a child of values.

use arrow::array::Array;
use floe_format::{DataType, Error, Field, Result, Version};

use super::DecodeCtx;
use super::ctx::total_len;
use super::fixed::{gather, index};
use crate::aligned::{byte_len, try_with_capacity};
use crate::join;

pub(super) fn decode(ctx: &mut DecodeCtx<'_>, run_ends: &Field, values: &Field) -> Result<Box<dyn Array>> {
    let arrays = ctx.each_part(|ctx| {
        let rows = total_len(&ctx.nodes()?)?;
        if ctx.options().version == Version::V4 {
            // Before 1.0 every array but null had a validity buffer. Here it says nothing: what is
            // null is among the values.
            ctx.slots()?;
        }
        let ends = read_ends(ctx, run_ends)?;
        let values = super::decode(ctx, values)?;
        if values.len() < ends.len() {
            return Err(Error::invalid(format!("{} runs have {} values", ends.len(), values.len())));
        }
        ctx.unbacked_rows(rows)?;
        ctx.charge(byte_len::<u32>(rows)?)?;
        let mut indices = try_with_capacity(rows)?;
        let mut before = 0i64;
        for (run, end) in ends.iter().enumerate() {
            if *end <= before {
                return Err(Error::invalid("run ends are not in ascending order"));
            }
            before = *end;
            let until = usize::try_from(*end).unwrap_or(usize::MAX).min(rows);
            let run = index(run)?;
            indices.resize(until, run);
        }
        if indices.len() != rows {
            return Err(Error::invalid(format!("the runs end at row {} of {rows}", indices.len())));
        }
        gather(ctx, values.as_ref(), indices, None)
    })?;
    join(&arrays)
}

fn read_ends(ctx: &mut DecodeCtx<'_>, field: &Field) -> Result<Vec<i64>> {
    let DataType::Int(int) = &field.data_type else {
        return Err(Error::invalid("run ends are not integers"));
    };
    let (ends, validity) = match int.bits {
        16 => widen(ctx.fixed_and_validity::<i16>()?),
        32 => widen(ctx.fixed_and_validity::<i32>()?),
        64 => widen(ctx.fixed_and_validity::<i64>()?),
        bits => return Err(Error::invalid(format!("run ends of {bits} bits do not exist"))),
    };
    if validity.is_some() {
        return Err(Error::invalid("a run end is null"));
    }
    Ok(ends)
}

type Values<T> = (polars_buffer::Buffer<T>, Option<arrow::bitmap::Bitmap>);

fn widen<T: Copy + Into<i64>>((values, validity): Values<T>) -> (Vec<i64>, Option<arrow::bitmap::Bitmap>) {
    (values.iter().map(|v| (*v).into()).collect(), validity)
}
