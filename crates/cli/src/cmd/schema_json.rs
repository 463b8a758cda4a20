//! A schema as the JSON of Arrow's integration tests. (Arrow `docs/source/format/Integration.rst`.)

use floe_format::{
    DataType, Field, FloatType, IntType, IntervalUnit, KeyValues, Schema, TimeUnit, UnionMode,
};
use serde_json::{Map, Value, json};

/// `{"fields": [..], "metadata": [..]}`.
pub(crate) fn schema(schema: &Schema) -> Value {
    let fields: Vec<Value> = schema.fields.iter().map(field).collect();
    let mut object = Map::from_iter([("fields".to_owned(), Value::from(fields))]);
    put_metadata(&mut object, &schema.metadata);
    json!({ "schema": object })
}

fn field(field_: &Field) -> Value {
    let Field { name, nullable, data_type, children, dictionary, metadata } = field_;
    let children: Vec<Value> = children.iter().map(field).collect();
    let mut object = Map::new();
    object.insert("name".into(), name.as_str().into());
    object.insert("type".into(), kind(data_type));
    object.insert("nullable".into(), (*nullable).into());
    object.insert("children".into(), children.into());
    if let Some(dictionary) = dictionary {
        object.insert(
            "dictionary".into(),
            json!({"id": dictionary.id, "indexType": int(dictionary.index), "isOrdered": dictionary.ordered}),
        );
    }
    put_metadata(&mut object, metadata);
    object.into()
}

fn put_metadata(object: &mut Map<String, Value>, metadata: &KeyValues) {
    if !metadata.is_empty() {
        let pairs = metadata.iter().map(|(key, value)| json!({"key": key.as_str(), "value": value.as_str()}));
        object.insert("metadata".into(), pairs.collect::<Vec<_>>().into());
    }
}

fn int(int: IntType) -> Value {
    json!({"name": "int", "bitWidth": int.bits, "isSigned": int.signed})
}

fn unit(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "SECOND",
        TimeUnit::Millisecond => "MILLISECOND",
        TimeUnit::Microsecond => "MICROSECOND",
        TimeUnit::Nanosecond => "NANOSECOND",
    }
}

fn kind(data_type: &DataType) -> Value {
    let name = |name: &str| json!({ "name": name });
    match data_type {
        DataType::Null => name("null"),
        DataType::Bool => name("bool"),
        DataType::Int(kind) => int(*kind),
        DataType::Float(float) => {
            let precision = match float {
                FloatType::Half => "HALF",
                FloatType::Single => "SINGLE",
                FloatType::Double => "DOUBLE",
            };
            json!({"name": "floatingpoint", "precision": precision})
        },
        DataType::Decimal { precision, scale, bits } => {
            json!({"name": "decimal", "precision": precision, "scale": scale, "bitWidth": bits})
        },
        DataType::Date32 => json!({"name": "date", "unit": "DAY"}),
        DataType::Date64 => json!({"name": "date", "unit": "MILLISECOND"}),
        DataType::Time { unit: of, bits } => json!({"name": "time", "unit": unit(*of), "bitWidth": bits}),
        DataType::Timestamp { unit: of, timezone: None } => json!({"name": "timestamp", "unit": unit(*of)}),
        DataType::Timestamp { unit: of, timezone: Some(zone) } => {
            json!({"name": "timestamp", "unit": unit(*of), "timezone": zone.as_str()})
        },
        DataType::Duration(of) => json!({"name": "duration", "unit": unit(*of)}),
        DataType::Interval(of) => {
            let unit = match of {
                IntervalUnit::YearMonth => "YEAR_MONTH",
                IntervalUnit::DayTime => "DAY_TIME",
                IntervalUnit::MonthDayNano => "MONTH_DAY_NANO",
            };
            json!({"name": "interval", "unit": unit})
        },
        DataType::Binary => name("binary"),
        DataType::LargeBinary => name("largebinary"),
        DataType::BinaryView => name("binaryview"),
        DataType::Utf8 => name("utf8"),
        DataType::LargeUtf8 => name("largeutf8"),
        DataType::Utf8View => name("utf8view"),
        DataType::FixedSizeBinary(width) => json!({"name": "fixedsizebinary", "byteWidth": width}),
        DataType::List => name("list"),
        DataType::LargeList => name("largelist"),
        DataType::ListView => name("listview"),
        DataType::LargeListView => name("largelistview"),
        DataType::FixedSizeList(size) => json!({"name": "fixedsizelist", "listSize": size}),
        DataType::Struct => name("struct"),
        DataType::Union { mode, type_ids } => {
            let mode = if *mode == UnionMode::Sparse { "SPARSE" } else { "DENSE" };
            json!({"name": "union", "mode": mode, "typeIds": type_ids})
        },
        DataType::Map { keys_sorted } => json!({"name": "map", "keysSorted": keys_sorted}),
        DataType::RunEndEncoded => name("runendencoded"),
    }
}
