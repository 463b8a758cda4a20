//! Columns with children, and dictionaries.

use arrow::array::{FixedSizeListArray, PrimitiveArray};
use arrow::bitmap::Bitmap;
use polars_core::datatypes::extension::get_extension_type_or_generic;
use polars_core::prelude::*;

use super::{Frame, How, cast, categorical, enumeration, int, lists, metadata, plain, structs};

pub(super) fn frames() -> Vec<Frame> {
    let mut extension = Frame::new("extension", vec![extension()]);
    extension.field_metadata = vec![(
        "point",
        metadata(&[("ARROW:extension:name", "floe.point"), ("ARROW:extension:metadata", "xy")]),
    )];
    let cats = [cat_chunks(), lists_of(&categorical(), "cat_list"), cat_struct(), cat_array()];
    let enums = [enums(), lists_of(&enumeration(&["x", "a", "b", "c", "ä"]), "enum_list")];
    let named = [named_cats("u8", CategoricalPhysical::U8), named_cats("u16", CategoricalPhysical::U16)];
    let growing =
        vec![plain("i", (0..12).collect::<Vec<i32>>()), cat_chunks(), lists_of(&categorical(), "cats")];
    vec![
        Frame::new("lists", list_columns()),
        Frame::new("arrays", arrays()),
        Frame::new("array_zero", vec![array_zero()]),
        Frame::new("structs", struct_columns()),
        Frame::new("struct_empty", vec![plain("i", vec![1, 2, 3]), empty_struct()]),
        Frame::new("categorical", cats.to_vec()),
        Frame::new("categorical_batches", cats.to_vec()).batches(5, How::Whole),
        Frame::new("categorical_named", named.to_vec()),
        Frame::new("enum", enums.to_vec()),
        Frame::new("enum_batches", enums.to_vec()).batches(5, How::Whole),
        Frame::new("growing", growing.clone()).batches(4, How::Batched),
        Frame::new("growing_deltas", growing).batches(4, How::Deltas),
        extension,
    ]
}

fn ints(values: &[i64]) -> Series {
    plain("", values.to_vec())
}

fn list_columns() -> Vec<Series> {
    let inner = DataType::List(Box::new(DataType::Int64));
    let flat = lists(
        "i64",
        &DataType::Int64,
        &[
            Some(ints(&[1, 2, 3])),
            Some(ints(&[])),
            None,
            Some(plain("", vec![Some(4_i64), None])),
            Some(ints(&[5])),
        ],
    );
    let deep = lists(
        "list",
        &inner,
        &[
            Some(flat.slice(0, 2).with_name("".into())),
            None,
            Some(flat.slice(1, 3).with_name("".into())),
            Some(flat.slice(0, 0).with_name("".into())),
            Some(flat.slice(2, 1).with_name("".into())),
        ],
    );
    let pairs = structs(
        "",
        &[plain("a", vec![1, 2, 3]), plain("b", vec![Some("x"), None, Some("long, not inline")])],
        None,
    );
    let struct_list = lists(
        "struct",
        pairs.dtype(),
        &[
            Some(pairs.clone()),
            None,
            Some(pairs.slice(1, 2)),
            Some(pairs.slice(0, 0)),
            Some(pairs.slice(2, 1)),
        ],
    );
    let bools = plain("", vec![Some(true), None, Some(false), Some(true)]);
    let bool_list =
        [Some(bools.clone()), None, Some(bools.slice(1, 3)), Some(bools.slice(0, 0)), Some(bools)];
    let dates = cast(&plain("", vec![Some(1), None, Some(20_000)]), &DataType::Date);
    let date_list =
        [Some(dates.clone()), None, Some(dates.slice(1, 1)), Some(dates.slice(0, 0)), Some(dates)];
    let nulls = Series::full_null("".into(), 2, &DataType::Null);
    let null_list =
        [Some(nulls.clone()), None, Some(nulls.slice(0, 0)), Some(nulls.slice(0, 1)), Some(nulls)];
    vec![
        flat,
        deep,
        struct_list,
        lists_of(&DataType::String, "str").head(Some(5)),
        lists_of(&DataType::Binary, "bin").head(Some(5)),
        lists("bool", &DataType::Boolean, &bool_list),
        lists("date", &DataType::Date, &date_list),
        lists("null", &DataType::Null, &null_list),
        Series::full_null("all_null".into(), 5, &inner),
    ]
}

/// 12 rows of lists of texts, as another dtype.
fn lists_of(inner: &DataType, name: &str) -> Series {
    let texts = plain("", vec![Some("a"), None, Some("b"), Some("ä"), Some("c"), Some("a")]);
    let texts = cast(&texts, inner);
    let rows: Vec<_> =
        (0..12).map(|row| (row % 5 != 3).then(|| texts.slice(int(row / 3), 7 * row % 4))).collect();
    lists(name, inner, &rows)
}

fn arrays() -> Vec<Series> {
    let fixed = |inner: DataType, width| DataType::Array(Box::new(inner), width);
    let rows = [
        Some(ints(&[1, 2, 3])),
        None,
        Some(plain("", vec![Some(4_i64), None, Some(6)])),
        Some(ints(&[7, 8, 9])),
    ];
    let i64s = cast(&lists("i64", &DataType::Int64, &rows), &fixed(DataType::Int64, 3));
    let texts = |a, b| Some(plain("", vec![a, b]));
    let rows = [
        texts(Some("x"), None),
        texts(Some(""), Some("a text of more than 12 bytes")),
        None,
        texts(None, None),
    ];
    let strs = cast(&lists("str", &DataType::String, &rows), &fixed(DataType::String, 2));
    let items = i64s.clone().with_name("".into());
    let rows = [Some(items.slice(0, 2)), None, Some(items.slice(1, 2)), Some(items.slice(2, 2))];
    let deep = cast(&lists("deep", items.dtype(), &rows), &fixed(fixed(DataType::Int64, 3), 2));
    let rows = [Some(items.slice(0, 3)), Some(items.slice(0, 0)), None, Some(items.slice(1, 1))];
    vec![i64s, strs, deep, lists("list_of_array", items.dtype(), &rows)]
}

/// Polars' casts divide by the width.
fn array_zero() -> Series {
    let values = PrimitiveArray::<i32>::new_empty(ArrowDataType::Int32).boxed();
    let dtype = FixedSizeListArray::default_datatype(ArrowDataType::Int32, 0);
    let validity = Bitmap::from_iter([true, false, true]);
    let array = FixedSizeListArray::new(dtype, 3, values, Some(validity));
    Series::try_from((PlSmallStr::from("zero"), array.boxed())).expect("an array of width 0")
}

fn struct_columns() -> Vec<Series> {
    let a = plain("a", vec![Some(1), None, Some(3), Some(4)]);
    let b = plain("b", vec![Some("x"), Some("y"), None, Some("a text of more than 12 bytes")]);
    let valid = Some(vec![true, true, false, true]);
    let masked = structs("masked", &[a.clone(), b.clone()], valid.clone());
    let list =
        lists("list", &DataType::Int64, &[Some(ints(&[1])), None, Some(ints(&[])), Some(ints(&[2, 3]))]);
    let deep = structs("deep", &[masked.clone(), list, b.clone()], valid);
    vec![structs("plain", &[a, b], None), masked, deep]
}

fn empty_struct() -> Series {
    let column = StructChunked::from_series("empty".into(), 3, [].iter()).expect("a struct without fields");
    column.with_outer_validity(Some(Bitmap::from_iter([true, false, true]))).into_series()
}

/// Three chunks; each brings categories of its own.
fn cat_chunks() -> Series {
    let chunks = [["a", "b", "a", "b"], ["c", "a", "c", "d"], ["e", "e", "ä", "a longer category"]];
    let mut column = Series::new_empty("cat".into(), &categorical());
    for chunk in chunks {
        let mut texts: Vec<_> = chunk.into_iter().map(Some).collect();
        texts[1] = None;
        column.append(&cast(&plain("cat", texts), &categorical())).expect("the same dtype");
    }
    column
}

fn cat_struct() -> Series {
    let number = plain("n", (0..12).collect::<Vec<i32>>());
    structs("cat_struct", &[cat_chunks().rechunk().with_name("c".into()), number], None)
}

fn cat_array() -> Series {
    let pair = cast(&plain("", vec![Some("p"), Some("q"), None]), &categorical());
    let rows: Vec<_> = (0..12).map(|row| (row != 4).then(|| pair.slice(row % 2, 2))).collect();
    cast(&lists("cat_array", &categorical(), &rows), &DataType::Array(Box::new(categorical()), 2))
}

fn named_cats(name: &'static str, physical: CategoricalPhysical) -> Series {
    let categories = Categories::new(name.into(), "floe".into(), physical);
    cast(&plain(name, vec![Some("z"), None, Some("y"), Some("z")]), &DataType::from_categories(categories))
}

fn enums() -> Series {
    let texts = ["c", "a", "c", "b", "a", "unused no more", "c", "c", "b", "a", "a", "b"];
    let mut texts: Vec<_> = texts.into_iter().map(Some).collect();
    texts[2] = None;
    cast(&plain("enum", texts), &enumeration(&["b", "never used", "a", "unused no more", "c"]))
}

fn extension() -> Series {
    let storage = structs("point", &[plain("x", vec![1.0, 2.0]), plain("y", vec![Some(3.0), None])], None);
    let kind = get_extension_type_or_generic("floe.point", storage.dtype(), Some("xy"));
    storage.into_extension(kind)
}
