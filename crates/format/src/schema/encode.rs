//! [`Schema`] -> flatbuffer.

use arrow_format::ipc as fb;
use planus::{Builder, Offset, UnionOffset};

use crate::{
    DataType, Endianness, Error, Field, FloatType, IntType, IntervalUnit, Place, Result, Schema, Text,
    TimeUnit, UnionMode,
};

type Pairs = Offset<[Offset<fb::KeyValue>]>;

/// Bytes that a field or a pair costs besides its text, generously.
const TABLE_OVERHEAD_BYTES: usize = 256;

impl Schema {
    /// Checks that the flatbuffer can say all of this: fixed widths are i32 and the whole is less
    /// than 2 GiB. [`MessageEncoder::schema`](crate::MessageEncoder::schema) relies on it.
    ///
    /// ```
    /// # use floe_format::*;
    /// # let field = |width| Field { name: "a".into(), nullable: true, data_type: DataType::FixedSizeBinary(width),
    /// #     children: vec![], dictionary: None, metadata: vec![] };
    /// assert!(Schema { fields: vec![field(16)], ..Schema::default() }.check_encodable().is_ok());
    /// assert!(Schema { fields: vec![field(1 << 40)], ..Schema::default() }.check_encodable().is_err());
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid).
    pub fn check_encodable(&self) -> Result<()> {
        let size = fields_size(&self.fields)?.saturating_add(key_values_size(&self.metadata));
        match i32::try_from(size) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::invalid(format!("a schema of about {size} bytes; the format allows 2 GiB"))),
        }
    }
}

fn fields_size(fields: &[Field]) -> Result<usize> {
    let mut size = 0usize;
    for field in fields {
        if let DataType::FixedSizeBinary(width) | DataType::FixedSizeList(width) = field.data_type
            && i32::try_from(width).is_err()
        {
            let message = format!("a fixed size of {width}; the format allows {}", i32::MAX);
            return Err(Error::invalid(message).at(Place::Field(field.name.to_string())));
        }
        size = size
            .saturating_add(TABLE_OVERHEAD_BYTES)
            .saturating_add(field.name.len())
            .saturating_add(key_values_size(&field.metadata))
            .saturating_add(fields_size(&field.children)?);
    }
    Ok(size)
}

/// An upper bound of the bytes that `pairs` take in a flatbuffer.
pub(crate) fn key_values_size(pairs: &[(Text, Text)]) -> usize {
    pairs.iter().fold(0, |size: usize, (key, value)| {
        size.saturating_add(TABLE_OVERHEAD_BYTES).saturating_add(key.len()).saturating_add(value.len())
    })
}

pub(crate) fn encode_schema(builder: &mut Builder, schema: &Schema) -> Offset<fb::Schema> {
    let endianness = match schema.endianness {
        Endianness::Little => fb::Endianness::Little,
        Endianness::Big => fb::Endianness::Big,
    };
    let fields = encode_fields(builder, &schema.fields);
    let metadata = encode_key_values(builder, &schema.metadata);
    fb::Schema::create(builder, endianness, fields, metadata, ())
}

/// Empty metadata is null: that is how the other implementations write it.
pub(crate) fn encode_key_values(builder: &mut Builder, pairs: &[(Text, Text)]) -> Option<Pairs> {
    if pairs.is_empty() {
        return None;
    }
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(key, value)| fb::KeyValue::create(builder, key.as_str(), value.as_str()))
        .collect();
    Some(builder.create_vector(pairs.as_slice()))
}

/// Always a vector, if an empty one: some readers refuse null.
fn encode_fields(builder: &mut Builder, fields: &[Field]) -> Offset<[Offset<fb::Field>]> {
    let fields: Vec<_> = fields.iter().map(|field| encode_field(builder, field)).collect();
    builder.create_vector(fields.as_slice())
}

fn encode_field(builder: &mut Builder, field: &Field) -> Offset<fb::Field> {
    let Field { name, nullable, data_type, children, dictionary, metadata } = field;
    let children = encode_fields(builder, children);
    let kind = encode_type(builder, data_type);
    let dictionary = dictionary.as_ref().map(|dictionary| {
        let index = int(dictionary.index);
        let kind = fb::DictionaryKind::DenseArray;
        fb::DictionaryEncoding::create(builder, dictionary.id, index, dictionary.ordered, kind)
    });
    let metadata = encode_key_values(builder, metadata);
    fb::Field::create(builder, name.as_str(), *nullable, kind, dictionary, children, metadata)
}

fn encode_type(builder: &mut Builder, data_type: &DataType) -> UnionOffset<fb::Type> {
    use fb::Type as T;
    match data_type {
        DataType::Null => T::create_null(builder, fb::Null {}),
        DataType::Bool => T::create_bool(builder, fb::Bool {}),
        DataType::Int(kind) => T::create_int(builder, int(*kind)),
        DataType::Float(kind) => {
            T::create_floating_point(builder, fb::FloatingPoint { precision: precision(*kind) })
        },
        DataType::Decimal { precision, scale, bits } => {
            let decimal = fb::Decimal { precision: *precision, scale: *scale, bit_width: i32::from(*bits) };
            T::create_decimal(builder, decimal)
        },
        DataType::Date32 => T::create_date(builder, fb::Date { unit: fb::DateUnit::Day }),
        DataType::Date64 => T::create_date(builder, fb::Date { unit: fb::DateUnit::Millisecond }),
        DataType::Time { unit, bits } => {
            T::create_time(builder, fb::Time { unit: time_unit(*unit), bit_width: i32::from(*bits) })
        },
        DataType::Timestamp { unit, timezone } => {
            let timestamp = fb::Timestamp::create(builder, time_unit(*unit), timezone.as_deref());
            T::create_timestamp(builder, timestamp)
        },
        DataType::Duration(unit) => T::create_duration(builder, fb::Duration { unit: time_unit(*unit) }),
        DataType::Interval(unit) => T::create_interval(builder, fb::Interval { unit: interval_unit(*unit) }),
        DataType::Binary => T::create_binary(builder, fb::Binary {}),
        DataType::LargeBinary => T::create_large_binary(builder, fb::LargeBinary {}),
        DataType::BinaryView => T::create_binary_view(builder, fb::BinaryView {}),
        DataType::Utf8 => T::create_utf8(builder, fb::Utf8 {}),
        DataType::LargeUtf8 => T::create_large_utf8(builder, fb::LargeUtf8 {}),
        DataType::Utf8View => T::create_utf8_view(builder, fb::Utf8View {}),
        DataType::FixedSizeBinary(width) => {
            T::create_fixed_size_binary(builder, fb::FixedSizeBinary { byte_width: width_i32(*width) })
        },
        DataType::List => T::create_list(builder, fb::List {}),
        DataType::LargeList => T::create_large_list(builder, fb::LargeList {}),
        DataType::ListView => T::create_list_view(builder, fb::ListView {}),
        DataType::LargeListView => T::create_large_list_view(builder, fb::LargeListView {}),
        DataType::FixedSizeList(width) => {
            T::create_fixed_size_list(builder, fb::FixedSizeList { list_size: width_i32(*width) })
        },
        DataType::Struct => T::create_struct(builder, fb::Struct {}),
        DataType::Union { mode, type_ids } => {
            let mode = match mode {
                UnionMode::Sparse => fb::UnionMode::Sparse,
                UnionMode::Dense => fb::UnionMode::Dense,
            };
            let ids: Vec<i32> = type_ids.iter().map(|&id| i32::from(id)).collect();
            let union = fb::Union::create(builder, mode, ids.as_slice());
            T::create_union(builder, union)
        },
        DataType::Map { keys_sorted } => T::create_map(builder, fb::Map { keys_sorted: *keys_sorted }),
        DataType::RunEndEncoded => T::create_run_end_encoded(builder, fb::RunEndEncoded {}),
    }
}

fn precision(kind: FloatType) -> fb::Precision {
    match kind {
        FloatType::Half => fb::Precision::Half,
        FloatType::Single => fb::Precision::Single,
        FloatType::Double => fb::Precision::Double,
    }
}

fn interval_unit(unit: IntervalUnit) -> fb::IntervalUnit {
    match unit {
        IntervalUnit::YearMonth => fb::IntervalUnit::YearMonth,
        IntervalUnit::DayTime => fb::IntervalUnit::DayTime,
        IntervalUnit::MonthDayNano => fb::IntervalUnit::MonthDayNano,
    }
}

fn int(kind: IntType) -> fb::Int {
    fb::Int { bit_width: i32::from(kind.bits), is_signed: kind.signed }
}

fn time_unit(unit: TimeUnit) -> fb::TimeUnit {
    match unit {
        TimeUnit::Second => fb::TimeUnit::Second,
        TimeUnit::Millisecond => fb::TimeUnit::Millisecond,
        TimeUnit::Microsecond => fb::TimeUnit::Microsecond,
        TimeUnit::Nanosecond => fb::TimeUnit::Nanosecond,
    }
}

/// [`Schema::check_encodable`] has refused widths that do not fit.
fn width_i32(width: usize) -> i32 {
    debug_assert!(i32::try_from(width).is_ok(), "a width of {width} was not refused before encoding");
    i32::try_from(width).unwrap_or(i32::MAX)
}
