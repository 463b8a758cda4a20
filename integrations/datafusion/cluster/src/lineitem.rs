//! The line items of TPC-H, with decimals, dates and categoricals, in the order of their ship dates.

use std::fs::File;
use std::path::PathBuf;

use clap::Parser;
use floe::prelude::*;
use polars_core::prelude::*;
use tpchgen::generators::LineItemGenerator;

use crate::Result;

/// The options of `floe-cluster lineitem`.
#[derive(Debug, Parser)]
struct Options {
    /// Line items in six millions.
    #[arg(long, default_value_t = 0.03)]
    scale: f64,
    /// The file.
    #[arg(long)]
    out: PathBuf,
}

/// The columns while they grow.
#[derive(Default)]
struct LineItems {
    keys: [Vec<i64>; 3],
    number: Vec<i32>,
    /// Quantity, price, discount and tax, in hundredths.
    money: [Vec<i128>; 4],
    dates: [Vec<i32>; 3],
    year: Vec<i32>,
    /// Flag, status, instructions and mode, of a few values each.
    categories: [Vec<String>; 4],
    comment: Vec<String>,
}

/// Writes the file.
pub(crate) fn write(args: impl Iterator<Item = String>) -> Result<()> {
    let Options { scale, out } = Options::parse_from(args);
    let mut df = frame(read(scale))?;
    df = df.sort(["l_shipdate", "l_orderkey", "l_linenumber"], SortMultipleOptions::default())?;
    IpcWriter::new(File::create(out)?).with_statistics(true).finish(&mut df)?;
    println!("lineitem: {} rows", df.height());
    Ok(())
}

fn read(scale: f64) -> LineItems {
    let mut all = LineItems::default();
    for item in LineItemGenerator::new(scale, 1, 1).iter() {
        for (column, key) in all.keys.iter_mut().zip([item.l_orderkey, item.l_partkey, item.l_suppkey]) {
            column.push(key);
        }
        all.number.push(item.l_linenumber);
        let money =
            [item.l_quantity * 100, item.l_extendedprice.0, item.l_discount.0, item.l_tax.0].map(i128::from);
        for (column, value) in all.money.iter_mut().zip(money) {
            column.push(value);
        }
        let dates = [item.l_shipdate, item.l_commitdate, item.l_receiptdate];
        for (column, date) in all.dates.iter_mut().zip(dates) {
            column.push(date.to_unix_epoch());
        }
        // The generator counts years from 1900 on.
        all.year.push(1900 + item.l_shipdate.to_ymd().0);
        let texts = [item.l_returnflag, item.l_linestatus, item.l_shipinstruct, item.l_shipmode];
        for (column, text) in all.categories.iter_mut().zip(texts) {
            column.push(text.into());
        }
        all.comment.push(item.l_comment.into());
    }
    all
}

fn frame(all: LineItems) -> PolarsResult<DataFrame> {
    let LineItems { keys, number, money, dates, year, categories, comment } = all;
    let rows = number.len();
    let mut out = Vec::with_capacity(17);
    for (name, values) in ["l_orderkey", "l_partkey", "l_suppkey"].into_iter().zip(keys) {
        out.push(Column::new(name.into(), values));
    }
    out.push(Column::new("l_linenumber".into(), number));
    for (name, values) in ["l_quantity", "l_extendedprice", "l_discount", "l_tax"].into_iter().zip(money) {
        out.push(Int128Chunked::from_vec(name.into(), values).into_decimal_unchecked(15, 2).into_column());
    }
    for (name, values) in ["l_shipdate", "l_commitdate", "l_receiptdate"].into_iter().zip(dates) {
        out.push(Int32Chunked::from_vec(name.into(), values).into_date().into_column());
    }
    let categorical = DataType::from_categories(Categories::new(
        "shipping".into(),
        "floe".into(),
        CategoricalPhysical::U32,
    ));
    for (name, values) in
        ["l_returnflag", "l_linestatus", "l_shipinstruct", "l_shipmode"].into_iter().zip(categories)
    {
        out.push(Column::new(name.into(), values).cast(&categorical)?);
    }
    out.push(Column::new("l_comment".into(), comment));
    out.push(Column::new("l_shipyear".into(), year));
    DataFrame::new(rows, out)
}
