//! The logical model of an IPC schema: what the flatbuffer `Schema` table says, and nothing that
//! a particular array library adds. (Arrow `format/Schema.fbs`.)
//!
//! A [`Field`] mirrors the flatbuffer `Field`: its `data_type` is the *value* type even when it is
//! dictionary encoded, and `children` belong to that value type.

use std::fmt;

/// Names and keys. Small-string optimised: nearly every column name fits without an allocation.
pub type Text = smartstring::alias::String;

/// Ordered key/value metadata, as stored; keys may repeat.
pub type KeyValues = Vec<(Text, Text)>;

/// An entry of custom metadata whose key or value is not UTF-8. The format says that they are; some writers put bytes
/// there. Such an entry is not among the [`KeyValues`], where its bytes would be mistaken for text.
///
/// ```
/// use floe_format::{KeyValues, NotUtf8};
///
/// let metadata: KeyValues = vec![("a".into(), "1".into()), ("c".into(), "3".into())];
/// let odd = NotUtf8 { field: Vec::new(), entry: 1, key: b"b".to_vec(), value: vec![0xff, 0xfe] };
/// let all = NotUtf8::merged(&metadata, [&odd]);
/// assert_eq!(all[1], (b"b".to_vec(), vec![0xff, 0xfe]));
/// assert_eq!(all.len(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUtf8 {
    /// The field it is of: its position, then that of each child on the way. Empty for metadata of the whole.
    pub field: Vec<u32>,
    /// Its position among the entries of that metadata.
    pub entry: usize,
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

impl NotUtf8 {
    /// All entries of one metadata as bytes, in their order: those that are text, and the others, which ascend.
    pub fn merged<'a>(
        metadata: &KeyValues,
        others: impl IntoIterator<Item = &'a Self>,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all: Vec<(Vec<u8>, Vec<u8>)> = metadata
            .iter()
            .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect();
        for Self { field: _, entry, key, value } in others {
            all.insert((*entry).min(all.len()), (key.clone(), value.clone()));
        }
        all
    }
}

/// A schema message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// The top-level columns.
    pub fields: Vec<Field>,
    /// Custom metadata of the schema.
    pub metadata: KeyValues,
    /// Entries of its metadata, and of its fields', that are not UTF-8. Read, and not written.
    pub not_utf8: Vec<NotUtf8>,
    /// The byte order of every buffer that follows.
    pub endianness: Endianness,
}

/// The byte order of buffers in a stream or file. Flatbuffers themselves are always little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Endianness {
    /// Little-endian, as nearly every file is.
    #[default]
    Little,
    /// Big-endian (`Endianness::Big` in `Schema.fbs`).
    Big,
}

/// One column, or a child of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name; empty when the flatbuffer has none.
    pub name: Text,
    /// Whether nulls are allowed.
    pub nullable: bool,
    /// The value type.
    pub data_type: DataType,
    /// Children of the value type, in order.
    pub children: Vec<Field>,
    /// Set when the column holds keys into a dictionary of `data_type`.
    pub dictionary: Option<DictionaryEncoding>,
    /// Custom metadata of the field.
    pub metadata: KeyValues,
}

/// How a field refers to its dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DictionaryEncoding {
    /// The id that dictionary batches carry. Several fields may share one.
    pub id: i64,
    /// The integer type of the keys.
    pub index: IntType,
    /// Whether the order of the dictionary's values means something.
    pub ordered: bool,
    /// The position of this field among all dictionary-encoded fields of the schema, in
    /// depth-first order (a field before its children). Assigned by this crate when a schema is
    /// decoded, see [`Schema::assign_slots`]; not on the wire.
    pub slot: usize,
}

/// An integer type: 8, 16, 32, 64 or (Polars only) 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IntType {
    /// Width in bits.
    pub bits: u8,
    /// Two's complement, or unsigned.
    pub signed: bool,
}

/// Resolution of times, timestamps and durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TimeUnit {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

/// Floating-point width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FloatType {
    Half,
    Single,
    Double,
}

/// The three calendar intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntervalUnit {
    /// One i32 of months.
    YearMonth,
    /// An i32 of days and an i32 of milliseconds.
    DayTime,
    /// An i32 of months, an i32 of days and an i64 of nanoseconds.
    MonthDayNano,
}

/// Whether a union has one value per row in every child, or offsets into dense children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum UnionMode {
    Sparse,
    Dense,
}

/// The types of `Schema.fbs`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of Schema.fbs")]
pub enum DataType {
    Null,
    Bool,
    Int(IntType),
    Float(FloatType),
    /// `bits` is 32, 64, 128 or 256.
    Decimal {
        precision: i32,
        scale: i32,
        bits: u16,
    },
    /// Days since the epoch (i32).
    Date32,
    /// Milliseconds since the epoch (i64).
    Date64,
    /// `bits` is 32 (seconds, milliseconds) or 64 (microseconds, nanoseconds).
    Time {
        unit: TimeUnit,
        bits: u8,
    },
    Timestamp {
        unit: TimeUnit,
        timezone: Option<Text>,
    },
    Duration(TimeUnit),
    Interval(IntervalUnit),
    Binary,
    LargeBinary,
    BinaryView,
    Utf8,
    LargeUtf8,
    Utf8View,
    /// Width in bytes, not negative.
    FixedSizeBinary(usize),
    List,
    LargeList,
    ListView,
    LargeListView,
    /// Values per row.
    FixedSizeList(usize),
    Struct,
    /// `type_ids[i]` selects child `i`; when the flatbuffer has none they are 0, 1, 2...
    Union {
        mode: UnionMode,
        type_ids: Vec<i8>,
    },
    Map {
        keys_sorted: bool,
    },
    RunEndEncoded,
}

impl Schema {
    /// The custom metadata of the schema as bytes, all of it.
    #[must_use]
    pub fn metadata_bytes(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        NotUtf8::merged(&self.metadata, self.not_utf8.iter().filter(|entry| entry.field.is_empty()))
    }

    /// The custom metadata of a field as bytes, all of it: the field at a position, or a child of it at the next
    /// one, and so on. `None` if there is none.
    #[must_use]
    pub fn field_metadata_bytes(&self, path: &[usize]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let (column, rest) = path.split_first()?;
        let mut field = self.fields.get(*column)?;
        for at in rest {
            field = field.children.get(*at)?;
        }
        let is_here = |entry: &&NotUtf8| {
            let place = entry.field.iter().map(|at| usize::try_from(*at).ok());
            place.eq(path.iter().copied().map(Some))
        };
        Some(NotUtf8::merged(&field.metadata, self.not_utf8.iter().filter(is_here)))
    }

    /// Numbers the dictionary-encoded fields depth-first (a field before its children) and returns
    /// how many there are.
    pub fn assign_slots(&mut self) -> usize {
        fn walk(fields: &mut [Field], next: &mut usize) {
            for field in fields {
                if let Some(dictionary) = &mut field.dictionary {
                    dictionary.slot = *next;
                    *next += 1;
                }
                walk(&mut field.children, next);
            }
        }
        let mut next = 0;
        walk(&mut self.fields, &mut next);
        next
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
        })
    }
}

/// For people: `int64`, `timestamp[us, UTC]`, `fixed_size_list[3]`; children are not shown.
impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Int(IntType { bits, signed: true }) => return write!(f, "int{bits}"),
            Self::Int(IntType { bits, signed: false }) => return write!(f, "uint{bits}"),
            Self::Decimal { precision, scale, bits } => {
                return write!(f, "decimal{bits}[{precision}, {scale}]");
            },
            Self::Time { unit, bits } => return write!(f, "time{bits}[{unit}]"),
            Self::Timestamp { unit, timezone: None } => return write!(f, "timestamp[{unit}]"),
            Self::Timestamp { unit, timezone: Some(zone) } => return write!(f, "timestamp[{unit}, {zone}]"),
            Self::Duration(unit) => return write!(f, "duration[{unit}]"),
            Self::FixedSizeBinary(width) => return write!(f, "fixed_size_binary[{width}]"),
            Self::FixedSizeList(width) => return write!(f, "fixed_size_list[{width}]"),
            Self::Union { mode: UnionMode::Sparse, type_ids } => {
                return write!(f, "sparse_union{type_ids:?}");
            },
            Self::Union { mode: UnionMode::Dense, type_ids } => return write!(f, "dense_union{type_ids:?}"),
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Float(FloatType::Half) => "float16",
            Self::Float(FloatType::Single) => "float32",
            Self::Float(FloatType::Double) => "float64",
            Self::Date32 => "date32",
            Self::Date64 => "date64",
            Self::Interval(IntervalUnit::YearMonth) => "interval[year_month]",
            Self::Interval(IntervalUnit::DayTime) => "interval[day_time]",
            Self::Interval(IntervalUnit::MonthDayNano) => "interval[month_day_nano]",
            Self::Binary => "binary",
            Self::LargeBinary => "large_binary",
            Self::BinaryView => "binary_view",
            Self::Utf8 => "utf8",
            Self::LargeUtf8 => "large_utf8",
            Self::Utf8View => "utf8_view",
            Self::List => "list",
            Self::LargeList => "large_list",
            Self::ListView => "list_view",
            Self::LargeListView => "large_list_view",
            Self::Struct => "struct",
            Self::Map { keys_sorted: false } => "map",
            Self::Map { keys_sorted: true } => "map[keys sorted]",
            Self::RunEndEncoded => "run_end_encoded",
        };
        f.write_str(name)
    }
}
