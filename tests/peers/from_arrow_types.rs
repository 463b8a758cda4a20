//! Columns of every type that arrow-rs has, and what they have to become.

use super::*;

/// A column of arrow-rs', and what it has to become.
pub(super) struct Pair {
    pub(super) name: &'static str,
    pub(super) arrow: ArrayRef,
    pub(super) polars: Series,
}

pub(super) fn pair(name: &'static str, arrow: impl arrow_array::Array + 'static, polars: Series) -> Pair {
    Pair { name, arrow: Arc::new(arrow), polars: polars.with_name(name.into()) }
}

pub(super) fn common() -> Vec<Pair> {
    let datetimes = |values: &[Option<i64>], unit, zone: Option<&'static str>| {
        let zone = zone.map(|zone| TimeZone::opt_try_new(Some(zone)).expect("a zone").expect("a zone"));
        series(values).cast(&DataType::Datetime(unit, zone)).expect("instants")
    };
    let nulls = Some(NullBuffer::from(vec![true, false, true]));
    vec![
        pair("null", NullArray::new(3), Series::full_null("".into(), 3, &DataType::Null)),
        pair(
            "bool",
            BooleanArray::from(vec![Some(true), None, Some(false)]),
            series([Some(true), None, Some(false)]),
        ),
        pair("i8", Int8Array::from(vec![Some(-1), None, Some(7)]), series([Some(-1i8), None, Some(7)])),
        pair("u64", UInt64Array::from(vec![u64::MAX, 0, 1]), series([u64::MAX, 0, 1])),
        pair(
            "f16",
            Float16Array::from_iter_values([1.5f32, -0.0, 0.25].map(half_of)),
            series([1.5f32, -0.0, 0.25]).cast(&DataType::Float16).expect("halves"),
        ),
        pair(
            "f64",
            Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0)]),
            series([Some(f64::NAN), None, Some(-0.0)]),
        ),
        pair(
            "utf8",
            StringArray::from(vec![Some("a"), None, Some("größe")]),
            series([Some("a"), None, Some("größe")]),
        ),
        pair(
            "large_utf8",
            LargeStringArray::from(vec![Some("a"), None, Some("")]),
            series([Some("a"), None, Some("")]),
        ),
        pair(
            "binary",
            BinaryArray::from_opt_vec(vec![Some(b"ab"), None, Some(b"")]),
            series([Some(b"ab".as_slice()), None, Some(b"")]),
        ),
        pair(
            "fixed_binary",
            FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                [Some([1u8, 2]), None, Some([3, 4])].into_iter(),
                2,
            )
            .expect("binary"),
            series([Some([1u8, 2].as_slice()), None, Some(&[3, 4])]),
        ),
        pair(
            "date",
            Date32Array::from(vec![Some(1), None, Some(-1)]),
            series([Some(1i32), None, Some(-1)]).cast(&DataType::Date).expect("dates"),
        ),
        pair(
            "date64",
            Date64Array::from(vec![Some(86_400_000), None, Some(-86_400_000)]),
            datetimes(&[Some(86_400_000), None, Some(-86_400_000)], TimeUnit::Milliseconds, None),
        ),
        pair(
            "seconds",
            TimestampSecondArray::from(vec![Some(12), None, Some(-5)]),
            datetimes(&[Some(12_000), None, Some(-5_000)], TimeUnit::Milliseconds, None),
        ),
        pair(
            "zoned",
            TimestampMicrosecondArray::from(vec![Some(12), None, Some(-5)]).with_timezone("Europe/Amsterdam"),
            datetimes(&[Some(12), None, Some(-5)], TimeUnit::Microseconds, Some("Europe/Amsterdam")),
        ),
        pair(
            "offset",
            TimestampMicrosecondArray::from(vec![Some(12), None, Some(-5)]).with_timezone("+05:30"),
            datetimes(&[Some(12), None, Some(-5)], TimeUnit::Microseconds, Some("UTC")),
        ),
        pair(
            "whole_hours_west",
            TimestampMicrosecondArray::from(vec![Some(12), None, Some(-5)]).with_timezone("-08:00"),
            datetimes(&[Some(12), None, Some(-5)], TimeUnit::Microseconds, Some("Etc/GMT+8")),
        ),
        pair(
            "whole_hours_east",
            TimestampMicrosecondArray::from(vec![Some(12), None, Some(-5)]).with_timezone("+14:00"),
            datetimes(&[Some(12), None, Some(-5)], TimeUnit::Microseconds, Some("Etc/GMT-14")),
        ),
        pair(
            "no_such_hour",
            TimestampMicrosecondArray::from(vec![Some(12), None, Some(-5)]).with_timezone("-13:00"),
            datetimes(&[Some(12), None, Some(-5)], TimeUnit::Microseconds, Some("UTC")),
        ),
        pair(
            "unknown_zone",
            TimestampMicrosecondArray::from(vec![Some(12), None, Some(-5)])
                .with_timezone("Mars/Olympus_Mons"),
            datetimes(&[Some(12), None, Some(-5)], TimeUnit::Microseconds, Some("UTC")),
        ),
        pair(
            "time32",
            Time32MillisecondArray::from(vec![Some(5), None, Some(7)]),
            series([Some(5_000_000i64), None, Some(7_000_000)]).cast(&DataType::Time).expect("times"),
        ),
        pair(
            "time64",
            Time64MicrosecondArray::from(vec![Some(5), None, Some(7)]),
            series([Some(5_000i64), None, Some(7_000)]).cast(&DataType::Time).expect("times"),
        ),
        pair(
            "duration_s",
            DurationSecondArray::from(vec![Some(5), None, Some(-7)]),
            series([Some(5_000i64), None, Some(-7_000)])
                .cast(&DataType::Duration(TimeUnit::Milliseconds))
                .expect("durations"),
        ),
        pair(
            "list",
            ListArray::from_iter_primitive::<Int32Type, _, _>([
                Some(vec![Some(1), None]),
                None,
                Some(vec![]),
            ]),
            lists(
                &DataType::Int32,
                vec![
                    Some(series([Some(1i32), None])),
                    None,
                    Some(Series::new_empty("".into(), &DataType::Int32)),
                ],
            ),
        ),
        pair(
            "fixed_list",
            FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
                [Some(vec![Some(1), None]), None, Some(vec![Some(3), Some(4)])],
                2,
            ),
            lists(&DataType::Int32, vec![Some(series([Some(1i32), None])), None, Some(series([3i32, 4]))])
                .cast(&DataType::Array(Box::new(DataType::Int32), 2))
                .expect("arrays"),
        ),
        pair(
            "struct",
            StructArray::new(
                vec![
                    ArrowField::new("x", ArrowType::Int32, true),
                    ArrowField::new("y", ArrowType::Utf8, true),
                ]
                .into(),
                vec![
                    Arc::new(Int32Array::from(vec![1, 2, 3])),
                    Arc::new(StringArray::from(vec![Some("a"), Some("b"), None])),
                ],
                nulls,
            ),
            {
                let fields =
                    structure(3, &[("x", series([1i32, 2, 3])), ("y", series([Some("a"), Some("b"), None]))]);
                let mask = BooleanChunked::from_slice("".into(), &[true, false, true]);
                fields.zip_with(&mask, &Series::full_null("".into(), 3, fields.dtype())).expect("a null")
            },
        ),
    ]
}

fn half_of(value: f32) -> <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native {
    <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native::from_f32(value)
}

/// Types that Polars lacks.
pub(super) fn foreign() -> Vec<Pair> {
    let mut views = StringViewBuilder::new();
    views.append_value("short");
    views.append_null();
    views.append_value("longer than twelve bytes");

    let mut map = MapBuilder::new(
        Some(arrow_array::builder::MapFieldNames {
            entry: "entries".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
        }),
        StringBuilder::new(),
        Int32Builder::new(),
    );
    map.keys().append_value("a");
    map.values().append_value(1);
    map.keys().append_value("b");
    map.values().append_null();
    map.append(true).expect("a map");
    map.append(false).expect("a null");
    map.append(true).expect("an empty map");
    let entries = structure(2, &[("key", series(["a", "b"])), ("value", series([Some(1i32), None]))]);

    let mut list_view = ListViewBuilder::new(Int32Builder::new());
    list_view.append_value([Some(1), Some(2)]);
    list_view.append_null();
    list_view.append_value([None]);

    let mut runs = PrimitiveRunBuilder::<Int32Type, Int64Type>::new();
    runs.extend([Some(5), Some(5), None]);
    let mut text_runs = StringRunBuilder::<Int16Type>::new();
    text_runs.extend([Some("x"), Some("x"), Some("yy")]);

    let mut keys = StringDictionaryBuilder::<UInt8Type>::new();
    keys.extend([Some("b"), None, Some("a")]);
    let numbers: DictionaryArray<Int16Type> = DictionaryArray::new(
        vec![Some(1i16), None, Some(0)].into(),
        Arc::new(Int64Array::from(vec![10, 20])),
    );

    let days = |days, milliseconds| Some(IntervalDayTime::new(days, milliseconds));
    let months = |months, days, nanoseconds| Some(IntervalMonthDayNano::new(months, days, nanoseconds));
    let null_struct = |fields: Series| {
        let mask = BooleanChunked::from_slice("".into(), &[true, false, true]);
        fields.zip_with(&mask, &Series::full_null("".into(), 3, fields.dtype())).expect("a null")
    };

    vec![
        pair("view", views.finish(), series([Some("short"), None, Some("longer than twelve bytes")])),
        pair(
            "map",
            map.finish(),
            lists(entries.dtype(), vec![Some(entries.clone()), None, Some(entries.clear())]),
        ),
        pair(
            "list_view",
            list_view.finish(),
            lists(&DataType::Int32, vec![Some(series([1i32, 2])), None, Some(series([None::<i32>]))]),
        ),
        pair("runs", runs.finish(), series([Some(5i64), Some(5), None])),
        pair("text_runs", text_runs.finish(), series(["x", "x", "yy"])),
        pair("dictionary", keys.finish(), global(&[Some("b"), None, Some("a")])),
        pair("number_dictionary", numbers, series([Some(20i64), None, Some(10)])),
        pair(
            "interval_months",
            IntervalYearMonthArray::from(vec![Some(14), None, Some(-1)]),
            null_struct(structure(3, &[("months", series([14i32, 0, -1]))])),
        ),
        pair(
            "interval_days",
            IntervalDayTimeArray::from(vec![days(1, 2), None, days(-3, -4)]),
            null_struct(structure(
                3,
                &[("days", series([1i32, 0, -3])), ("milliseconds", series([2i32, 0, -4]))],
            )),
        ),
        pair(
            "interval_nanos",
            IntervalMonthDayNanoArray::from(vec![months(1, 2, 3), None, months(-4, -5, i64::MIN)]),
            null_struct(structure(
                3,
                &[
                    ("months", series([1i32, 0, -4])),
                    ("days", series([2i32, 0, -5])),
                    ("nanoseconds", series([3i64, 0, i64::MIN])),
                ],
            )),
        ),
        pair(
            "decimal32",
            Decimal32Array::from(vec![Some(123), None, Some(-1)])
                .with_precision_and_scale(5, 2)
                .expect("decimals"),
            decimals(&[Some(123), None, Some(-1)], 5, 2),
        ),
        pair(
            "decimal64",
            Decimal64Array::from(vec![Some(123), None, Some(-1)])
                .with_precision_and_scale(15, 2)
                .expect("decimals"),
            decimals(&[Some(123), None, Some(-1)], 15, 2),
        ),
        pair(
            "decimal128",
            Decimal128Array::from(vec![Some(123), None, Some(-1)])
                .with_precision_and_scale(38, 10)
                .expect("decimals"),
            decimals(&[Some(123), None, Some(-1)], 38, 10),
        ),
        pair(
            "decimal256",
            Decimal256Array::from(vec![Some(i256::from_i128(123)), None, Some(i256::from_i128(-1))])
                .with_precision_and_scale(50, 3)
                .expect("decimals"),
            decimals(&[Some(123), None, Some(-1)], 38, 3),
        ),
        pair(
            "negative_scale",
            Decimal128Array::from(vec![Some(12), None, Some(-1)])
                .with_precision_and_scale(5, -3)
                .expect("decimals"),
            decimals(&[Some(12_000), None, Some(-1_000)], 8, 0),
        ),
        pair("sparse_union", union(UnionMode::Sparse), union_frame()),
        pair("dense_union", union(UnionMode::Dense), union_frame()),
    ]
}

/// `5`, `"text"`, a null string.
fn union(mode: UnionMode) -> UnionArray {
    let fields = UnionFields::try_new(
        [3, 7],
        [ArrowField::new("number", ArrowType::Int32, true), ArrowField::new("text", ArrowType::Utf8, true)],
    )
    .expect("union fields");
    let type_ids = ScalarBuffer::from(vec![3i8, 7, 7]);
    let (numbers, texts, offsets) = match mode {
        UnionMode::Sparse => (vec![Some(5), Some(0), None], vec![Some("?"), Some("text"), None], None),
        UnionMode::Dense => {
            (vec![Some(5)], vec![Some("text"), None], Some(ScalarBuffer::from(vec![0, 0, 1])))
        },
    };
    let children: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(numbers)), Arc::new(StringArray::from(texts))];
    UnionArray::try_new(fields, type_ids, offsets, children).expect("a union")
}

fn union_frame() -> Series {
    structure(
        3,
        &[
            ("type_id", series([3i8, 7, 7])),
            ("number", series([Some(5i32), None, None])),
            ("text", series([None, Some("text"), None::<&str>])),
        ],
    )
}
