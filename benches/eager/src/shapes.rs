//! Frames of other shapes: in many chunks, filtered, of categories, nested, of one column.

use polars_core::prelude::*;

use super::{Rng, columns, numbers, strings};

/// Eight columns of numbers in `chunks` chunks of `rows` rows each.
#[must_use]
pub fn chunked(chunks: usize, rows: usize) -> DataFrame {
    let whole = numbers(chunks * rows);
    let mut out = whole.slice(0, rows);
    for i in 1..chunks {
        let start = i64::try_from(i * rows).unwrap_or(i64::MAX);
        out.vstack_mut_owned(whole.slice(start, rows)).expect("the same schema");
    }
    out
}

/// A quarter of the rows of a frame of strings: views into buffers of which most is not wanted.
#[must_use]
pub fn filtered(rows: usize) -> DataFrame {
    let mut rng = Rng::new(11);
    let mask: Vec<bool> = (0..rows * 4).map(|_| rng.below(4) == 0).collect();
    let mask = BooleanChunked::from_slice("mask".into(), &mask);
    strings(rows * 4).filter(&mask).expect("a mask of the frame's height")
}

/// Three columns of categories: few, many, and very many.
#[must_use]
pub fn categoricals(rows: usize) -> DataFrame {
    let mut rng = Rng::new(13);
    let mut column = |name: &'static str, n: u64| {
        let values: Vec<String> = (0..rows).map(|_| format!("{name} {}", rng.below(n))).collect();
        let dtype = DataType::from_categories(Categories::new(
            format!("floe-bench-{name}").into(),
            "".into(),
            CategoricalPhysical::U32,
        ));
        Column::new(name.into(), values).cast(&dtype).expect("strings become categories")
    };
    let all = vec![column("few", 12), column("many", 2_000), column("most", 100_000)];
    columns(rows, all)
}

/// Lists of structs of an integer, a float and a string, none to eight of them in a row.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "made-up numbers")]
pub fn nested(rows: usize) -> DataFrame {
    use arrow::array::{Array, ListArray, StructArray};
    use arrow::offset::OffsetsBuffer;
    let mut rng = Rng::new(17);
    let mut offsets = vec![0i64];
    for _ in 0..rows {
        let last = offsets.last().copied().unwrap_or(0);
        offsets.push(last + i64::try_from(rng.below(9)).unwrap_or(0));
    }
    let n = usize::try_from(offsets.last().copied().unwrap_or(0)).unwrap_or(0);
    let ids: Vec<i64> = (0..n).map(|_| i64::try_from(rng.below(1 << 20)).unwrap_or(0)).collect();
    let prices: Vec<f64> = (0..n).map(|_| rng.below(10_000) as f64 / 100.0).collect();
    let names: Vec<String> = (0..n).map(|_| format!("item number {}", rng.below(50_000))).collect();
    let fields = [
        Series::new("id".into(), ids),
        Series::new("price".into(), prices),
        Series::new("name".into(), names),
    ];
    let items = StructChunked::from_series("items".into(), n, fields.iter()).expect("fields of one length");
    let items = items.into_series().rechunk();
    let structs = items.chunks()[0].as_any().downcast_ref::<StructArray>().expect("a struct").clone();
    let list = ListArray::<i64>::new(
        ListArray::<i64>::default_datatype(structs.dtype().clone()),
        OffsetsBuffer::try_from(offsets).expect("rising offsets"),
        structs.boxed(),
        None,
    );
    let dtype = DataType::List(Box::new(items.dtype().clone()));
    let list = Series::from_chunk_and_dtype("items".into(), list.boxed(), &dtype).expect("a list");
    let keys: Vec<u64> = (0..rows as u64).collect();
    columns(rows, vec![Column::new("key".into(), keys), list.into_column()])
}

/// One column of this many numbers.
#[must_use]
pub fn one_column(rows: usize) -> DataFrame {
    let mut rng = Rng::new(19);
    let values: Vec<i64> = (0..rows).map(|_| i64::try_from(rng.below(1 << 30)).unwrap_or(0)).collect();
    columns(rows, vec![Column::new("values".into(), values)])
}

/// Sixteen columns of numbers of four kinds.
#[must_use]
pub fn sixteen(rows: usize) -> DataFrame {
    let some = numbers(rows);
    let columns_of = |prefix: &str| {
        let rename = |column: &Column| column.clone().with_name(format!("{prefix}_{}", column.name()).into());
        some.columns().iter().map(rename).collect::<Vec<_>>()
    };
    // Two columns alike take twice the space and twice the work: nothing knows that they are.
    let all = columns_of("a").into_iter().chain(columns_of("b")).collect();
    columns(rows, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_what_they_say() {
        let df = chunked(7, 10);
        assert_eq!((df.height(), df.first_col_n_chunks()), (70, 7));
        let df = filtered(1000);
        assert!((800..1200).contains(&df.height()), "a quarter of 4,000 rows, not {}", df.height());
        assert_eq!(categoricals(100).height(), 100);
        assert_eq!(nested(100).shape(), (100, 2));
        assert_eq!(sixteen(3).width(), 16);
    }
}
