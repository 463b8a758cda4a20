//! The line items of TPC-H.

use polars_core::prelude::*;
use tpchgen::generators::LineItemGenerator;

use super::columns;

/// The columns of `lineitem` while they grow.
#[derive(Default)]
struct LineItems {
    keys: [Vec<i64>; 3],
    number: Vec<i32>,
    /// Quantity, price, discount and tax, in hundredths.
    money: [Vec<i128>; 4],
    dates: [Vec<i32>; 3],
    /// Flag, status, instructions, mode and comment.
    text: [Vec<String>; 5],
}

/// The table `lineitem` of TPC-H, with decimals and dates; scale 1 is six million rows.
#[must_use]
pub fn lineitem(scale: f64) -> DataFrame {
    let mut all = LineItems::default();
    for item in LineItemGenerator::new(scale, 1, 1).iter() {
        let push = |to: &mut [Vec<String>; 5], texts: [&str; 5]| {
            to.iter_mut().zip(texts).for_each(|(column, text)| column.push(text.into()));
        };
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
        let texts =
            [item.l_returnflag, item.l_linestatus, item.l_shipinstruct, item.l_shipmode, item.l_comment];
        push(&mut all.text, texts);
    }
    frame(all)
}

fn frame(all: LineItems) -> DataFrame {
    let LineItems { keys, number, money, dates, text } = all;
    let rows = number.len();
    let mut out = Vec::with_capacity(16);
    for (name, values) in ["l_orderkey", "l_partkey", "l_suppkey"].into_iter().zip(keys) {
        out.push(Column::new(name.into(), values));
    }
    out.push(Column::new("l_linenumber".into(), number));
    for (name, values) in ["l_quantity", "l_extendedprice", "l_discount", "l_tax"].into_iter().zip(money) {
        let values = Int128Chunked::from_vec(name.into(), values);
        out.push(values.into_decimal_unchecked(15, 2).into_column());
    }
    for (name, values) in ["l_shipdate", "l_commitdate", "l_receiptdate"].into_iter().zip(dates) {
        out.push(Int32Chunked::from_vec(name.into(), values).into_date().into_column());
    }
    let names = ["l_returnflag", "l_linestatus", "l_shipinstruct", "l_shipmode", "l_comment"];
    for (name, values) in names.into_iter().zip(text) {
        out.push(Column::new(name.into(), values));
    }
    columns(rows, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lineitem_has_its_types() {
        let df = lineitem(0.0001);
        assert_eq!(df.width(), 16);
        assert!(df.height() > 100);
        assert_eq!(df.column("l_tax").expect("there").dtype(), &DataType::Decimal(15, 2));
        assert_eq!(df.column("l_shipdate").expect("there").dtype(), &DataType::Date);
    }
}
