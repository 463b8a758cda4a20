//! Frames whose shape is the point: no rows, no columns, slices, chunks, batches.

use polars_core::prelude::*;

use super::{Frame, How, cast, categorical, enumeration, flat, int, lists, metadata, nested, plain, structs};

pub(super) fn frames() -> Vec<Frame> {
    let wide = wide(40);
    let mut with_metadata = Frame::of("metadata", wide.head(Some(3)));
    with_metadata.schema_metadata = metadata(&[("origin", "floe"), ("ключ", "значение"), ("empty", "")]);
    with_metadata.field_metadata =
        vec![("i64", metadata(&[("unit", "m/s")])), ("cat", metadata(&[("k", "v")]))];
    // No categories that could grow: these files are streams too.
    let without = wide.drop("cat").expect("the column").head(Some(9));
    let mut batch_metadata = Frame::of("batch_metadata", without).batches(3, How::Batched);
    batch_metadata.batch_metadata = metadata(&[("batch", "yes")]);
    vec![
        Frame::of("empty", empty()),
        Frame::of("no_columns", DataFrame::new(0, Vec::new()).expect("an empty frame")),
        Frame::of("height_only", DataFrame::new(5, Vec::new()).expect("a height without columns")),
        Frame::of("one_row", wide.slice(7, 1)),
        Frame::of("sliced", wide.slice(13, 19)),
        Frame::of("sliced_batches", wide.slice(3, 29)).batches(11, How::Whole),
        Frame::of("chunks", chunks(&wide)),
        Frame::of("batches", self::wide(1000)).batches(300, How::Whole),
        Frame::of("compressible", compressible()).batches(2000, How::Whole),
        Frame::of("compressible_large", compressible()),
        Frame::of("megabytes", megabytes()),
        with_metadata,
        batch_metadata,
    ]
}

/// No rows, every dtype that all readers know.
fn empty() -> DataFrame {
    let mut columns = Vec::new();
    for frame in flat::frames().into_iter().chain(nested::frames()) {
        if [
            "ints",
            "floats",
            "strings",
            "temporal",
            "decimal",
            "lists",
            "arrays",
            "structs",
            "categorical",
            "enum",
        ]
        .contains(&frame.name)
        {
            let name = |column: &Column| PlSmallStr::from(format!("{}_{}", frame.name, column.name()));
            columns.extend(frame.df.columns().iter().map(|column| column.clear().with_name(name(column))));
        }
    }
    DataFrame::new(0, columns).expect("distinct names")
}

/// Few values that take much, so that the buffer of their bytes is several ZSTD frames.
fn megabytes() -> DataFrame {
    let all: String = (0..300_000).map(|i| (i % 4_099).to_string()).collect();
    let texts: Vec<&str> = (0..9).filter_map(|row| all.get(row..)).collect();
    DataFrame::new(9, vec![Column::new("texts".into(), texts)]).expect("one column")
}

/// One column of each physical layout; every third value or so null, so that bitmaps have an offset in a slice.
fn wide(height: usize) -> DataFrame {
    let rows = || 0..height;
    let texts: Vec<_> = rows().map(|row| (row % 3 != 1).then(|| "text ".repeat(row % 5))).collect();
    let few: Vec<_> = rows().map(|row| (row % 4 != 2).then(|| ["red", "green", "blue"][row % 3])).collect();
    let i64s = plain("i64", rows().map(|row| (row % 3 != 0).then_some(int(row))).collect());
    let bools = plain("bool", rows().map(|row| (row % 5 != 0).then_some(row % 2 == 0)).collect());
    let texts = plain("str", texts.iter().map(Option::as_deref).collect());
    let few = plain("few", few);
    let items = plain("", (0..20_i64).map(|item| (item % 6 != 5).then_some(item)).collect());
    let lists = |name: &str, items: &Series| {
        let row = |row: usize| (row % 7 != 6).then(|| items.slice(int(row % 11), row % 4));
        lists(name, items.dtype(), &rows().map(row).collect::<Vec<_>>())
    };
    let list = lists("list", &items);
    let valid = rows().map(|row| row % 6 != 1).collect();
    let columns = vec![
        structs("struct", &[i64s.clone(), texts.clone(), bools.clone(), list.clone()], Some(valid)),
        cast(&few, &categorical()).with_name("cat".into()),
        cast(&few, &enumeration(&["green", "blue", "unused", "red"])).with_name("enum".into()),
        lists("list_str", &texts.head(Some(20)).with_name("".into())),
        lists("list_bool", &bools.head(Some(20)).with_name("".into())),
        Series::full_null("null".into(), height, &DataType::Null),
    ];
    let columns = [i64s, bools, texts, list].into_iter().chain(columns).map(Column::from).collect();
    DataFrame::new(height, columns).expect("columns of one height")
}

/// Chunks of different lengths in each column, some sliced; and a column that is one scalar.
fn chunks(whole: &DataFrame) -> DataFrame {
    let height = whole.height();
    let cut = |(index, column): (usize, &Column)| {
        let cuts = [0, 3 + index, 4 + index, 20, height];
        let mut chunks = cuts.windows(2).map(|cut| column.slice(int(cut[0]), cut[1] - cut[0]));
        let mut column = chunks.next().expect("four of them").take_materialized_series();
        for chunk in chunks {
            column.append(chunk.as_materialized_series()).expect("the same dtype");
        }
        Column::from(column)
    };
    let mut columns: Vec<_> = whole.columns().iter().enumerate().map(cut).collect();
    let scalar = Scalar::new(DataType::Int64, AnyValue::Int64(42));
    columns.push(Column::new_scalar("scalar".into(), scalar, height));
    DataFrame::new(height, columns).expect("columns of one height")
}

/// Columns that shrink, and one of noise that does not.
fn compressible() -> DataFrame {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 33)
    };
    let columns = vec![
        plain("count", (0..33_000_i64).map(|row| row / 100).collect()),
        plain("steps", (0..33_000_i64).collect()),
        plain("noise", (0..33_000).map(|_| noise()).collect::<Vec<u64>>()),
        plain("text", (0..33_000).map(|row| ["the same long text again", "short"][row % 2]).collect()),
        plain("flag", (0..33_000).map(|row| (row % 10 != 0).then_some(row < 2500)).collect()),
    ];
    DataFrame::new(33_000, columns.into_iter().map(Column::from).collect()).expect("columns of one height")
}
