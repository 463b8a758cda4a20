//! Every dtype by name, each kind of nesting around parts of every physical layout.

use super::*;

/// All dtypes that have no parts, by name.
#[must_use]
pub fn leaf_dtypes() -> Vec<(&'static str, DataType)> {
    let zone = |name: &'static str| TimeZone::opt_try_new(Some(name)).expect("a known zone");
    let mut dtypes = vec![
        ("bool", DataType::Boolean),
        ("i8", DataType::Int8),
        ("i16", DataType::Int16),
        ("i32", DataType::Int32),
        ("i64", DataType::Int64),
        ("i128", DataType::Int128),
        ("u8", DataType::UInt8),
        ("u16", DataType::UInt16),
        ("u32", DataType::UInt32),
        ("u64", DataType::UInt64),
        ("u128", DataType::UInt128),
        ("f16", DataType::Float16),
        ("f32", DataType::Float32),
        ("f64", DataType::Float64),
        ("decimal_9_2", DataType::Decimal(9, 2)),
        ("decimal_38_0", DataType::Decimal(38, 0)),
        ("decimal_38_38", DataType::Decimal(38, 38)),
        ("string", DataType::String),
        ("binary", DataType::Binary),
        ("binary_offset", DataType::BinaryOffset),
        ("date", DataType::Date),
        ("time", DataType::Time),
        ("null", DataType::Null),
        ("categorical", DataType::from_categories(Categories::global())),
        ("categorical_u8", named_categories("small", "", CategoricalPhysical::U8)),
        ("categorical_u16", named_categories("middling; größer", "space", CategoricalPhysical::U16)),
        ("categorical_u32", named_categories("large", "other space", CategoricalPhysical::U32)),
        ("enum", enum_dtype(&["b", "a", "", "semi;colon", "größer als zwölf Bytes 🦀"])),
        ("enum_one", enum_dtype(&["only"])),
    ];
    let units = [
        (TimeUnit::Milliseconds, ["datetime_ms", "datetime_ms_zone", "duration_ms"]),
        (TimeUnit::Microseconds, ["datetime_us", "datetime_us_zone", "duration_us"]),
        (TimeUnit::Nanoseconds, ["datetime_ns", "datetime_ns_zone", "duration_ns"]),
    ];
    for ((unit, [plain, zoned, duration]), name) in
        units.into_iter().zip(["UTC", "Europe/Amsterdam", "Asia/Kolkata"])
    {
        dtypes.push((plain, DataType::Datetime(unit, None)));
        dtypes.push((zoned, DataType::Datetime(unit, zone(name))));
        dtypes.push((duration, DataType::Duration(unit)));
    }
    dtypes
}

/// Dtypes with parts, by name: each kind around parts of every physical layout.
#[must_use]
pub fn nested_dtypes() -> Vec<(&'static str, DataType)> {
    let list = |inner| DataType::List(Box::new(inner));
    let array = |inner, width| DataType::Array(Box::new(inner), width);
    let structure = |fields: &[(&'static str, DataType)]| {
        DataType::Struct(
            fields.iter().map(|(name, dtype)| Field::new((*name).into(), dtype.clone())).collect(),
        )
    };
    let global = || DataType::from_categories(Categories::global());
    let small = || named_categories("small", "", CategoricalPhysical::U8);
    let colours = || enum_dtype(&["red", "green", "blue"]);
    vec![
        ("list_i64", list(DataType::Int64)),
        ("list_string", list(DataType::String)),
        ("list_bool", list(DataType::Boolean)),
        ("list_null", list(DataType::Null)),
        ("list_categorical", list(global())),
        ("list_enum", list(colours())),
        ("list_binary_offset", list(DataType::BinaryOffset)),
        ("list_list_i128", list(list(DataType::Int128))),
        ("list_array_0", list(array(DataType::Int8, 0))),
        ("list_empty_struct", list(structure(&[]))),
        ("array_0", array(DataType::Int32, 0)),
        ("array_1", array(DataType::String, 1)),
        ("array_3", array(DataType::Float64, 3)),
        ("array_bool", array(DataType::Boolean, 5)),
        ("array_categorical", array(small(), 2)),
        ("array_array", array(array(DataType::UInt16, 2), 3)),
        ("array_list", array(list(DataType::Date), 2)),
        ("struct_empty", structure(&[])),
        ("struct_one", structure(&[("", DataType::Time)])),
        (
            "struct_flat",
            structure(&[("a", DataType::Int64), ("b", DataType::String), ("ß", DataType::Boolean)]),
        ),
        ("struct_categories", structure(&[("global", global()), ("small", small()), ("enum", colours())])),
        (
            "struct_deep",
            structure(&[
                ("lists", list(structure(&[("x", array(DataType::Binary, 2)), ("y", DataType::Null)]))),
                ("inner", structure(&[("none", structure(&[])), ("decimal", DataType::Decimal(12, 3))])),
            ]),
        ),
        ("list_struct_list_enum", list(structure(&[("c", list(colours())), ("d", DataType::Float32)]))),
        ("extension_i64", extension("floe.test.i64", DataType::Int64, Some("some; metadata"))),
        ("extension_string", extension("floe.test.string", DataType::String, None)),
        (
            "extension_datetime",
            extension("floe.test.datetime", DataType::Datetime(TimeUnit::Microseconds, None), Some("")),
        ),
        ("extension_list", extension("floe.test.list", list(DataType::Int16), Some("ünïcode"))),
        ("extension_struct", extension("floe.test.struct", structure(&[("a", DataType::UInt8)]), None)),
        ("extension_categorical", extension("floe.test.categorical", global(), Some("md"))),
        ("extension_enum", extension("floe.test.enum", colours(), Some("md"))),
        ("list_extension", list(extension("floe.test.inner", DataType::Float32, Some("deep")))),
        ("struct_extension", structure(&[("e", extension("floe.test.field", DataType::Binary, None))])),
    ]
}

/// [`leaf_dtypes`] and [`nested_dtypes`].
#[must_use]
pub fn dtypes() -> Vec<(&'static str, DataType)> {
    let mut dtypes = leaf_dtypes();
    dtypes.extend(nested_dtypes());
    dtypes
}

/// Keeps the categories (not their mappings) for the life of the process. In Polars 0.55.2, categories dropped on one
/// thread while another makes them anew can end up as two that are not equal.
fn named_categories(name: &'static str, namespace: &'static str, physical: CategoricalPhysical) -> DataType {
    static KEPT: Mutex<Vec<Arc<Categories>>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().expect("no panic while locked");
    let categories = Categories::new(name.into(), namespace.into(), physical);
    if !kept.iter().any(|known| Arc::ptr_eq(known, &categories)) {
        kept.push(Arc::clone(&categories));
    }
    DataType::from_categories(categories)
}

fn enum_dtype(categories: &[&str]) -> DataType {
    DataType::from_frozen_categories(
        FrozenCategories::new(categories.iter().copied()).expect("distinct categories"),
    )
}

pub(super) fn extension(name: &str, storage: DataType, metadata: Option<&str>) -> DataType {
    DataType::Extension(get_extension_type_or_generic(name, &storage, metadata), Box::new(storage))
}
