//! Frames that are made for a purpose.

use polars_core::prelude::*;

/// `batches` batches of `rows` rows. Some columns hold the same kind of values in all batches. Others turn from one
/// kind into another, so a plan that compresses the first well is no good for the rest.
#[must_use]
pub fn drifting(batches: u32, rows: u32) -> DataFrame {
    let kind = |batch: u32, every: u32| batch / every % 4;
    let mix = |row: u32| u64::from(row).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = |kind: u32, row: u32| match kind {
        0 => 7,
        1 => (mix(row) >> 44).cast_signed(),
        2 => mix(row).wrapping_mul(mix(row) >> 7).cast_signed(),
        _ => i64::from(row),
    };
    let text = |kind: u32, row: u32| match kind {
        0 => String::new(),
        1 => format!("text {} of a few", mix(row) >> 60),
        2 => format!("{:016x}", mix(row).wrapping_mul(mix(row) >> 9)),
        _ => format!("row number {row} of a column"),
    };
    let all = || (0..batches).flat_map(|batch| (0..rows).map(move |row| (batch, batch * rows + row)));
    let numbers = |every: u32, first: u32| -> Vec<i64> {
        all().map(|(batch, row)| number(kind(batch + first, every), row)).collect()
    };
    let texts = |every: u32, first: u32| -> Vec<String> {
        all().map(|(batch, row)| text(kind(batch + first, every), row)).collect()
    };
    let floats: Vec<f64> = all().map(|(_, row)| f64::from(row % 10_007) / 100.0).collect();
    let columns = vec![
        Column::new("prices".into(), floats),
        Column::new("same numbers".into(), numbers(u32::MAX, 1)),
        Column::new("zeros, then others".into(), numbers(1, 0)),
        Column::new("noise, then others".into(), numbers(2, 4)),
        Column::new("same texts".into(), texts(u32::MAX, 3)),
        Column::new("nothing, then others".into(), texts(1, 0)),
    ];
    DataFrame::new((batches * rows) as usize, columns).expect("columns of one length")
}
