//! Which array each field node is of, and which buffer belongs to it. (Arrow `Columnar.rst`, "Buffer Listing for
//! Each Layout" and "RecordBatch message".)
//!
//! Nodes and buffers of a batch are two flat lists. The schema alone says which is which, except for the variadic
//! buffers of views, which the batch counts.

use floe_format::{BatchHeader, DataType, Field, FloatType, IntervalUnit, Schema, UnionMode, Version};

/// One array of a batch: a column, or a child of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayInfo {
    /// The top-level column that it is of.
    pub column: usize,
    /// The names from the column down to it, with dots between. Of very long ones above it the beginning.
    pub path: String,
    /// The buffers that it always has.
    pub buffers: Vec<BufferKind>,
    /// Whether variadic buffers follow them.
    pub variadic: bool,
    /// How its length follows from that of another.
    pub length: Length,
    /// Whether its data are text, which must be UTF-8.
    pub is_text: bool,
}

/// The rule for the length of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// The rows of the batch.
    Rows,
    /// At least this many times that of the array of this number.
    Times(usize, usize),
    /// Whatever the parent's offsets say.
    Free,
}

/// The contents of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BufferKind {
    /// A bit a row: whether it is not null.
    Validity,
    /// Where values begin in the data or child, and the end: one more than rows, each of this many bytes.
    Offsets(usize),
    /// Offsets of a dense union or a list view: as many as rows, each of this many bytes.
    Starts(usize),
    /// Lengths of a list view, each of this many bytes.
    Sizes(usize),
    /// Values of this many bits each.
    Values(usize),
    /// The bytes that offsets point into.
    Data,
    /// Views of 16 bytes each.
    Views,
    /// Bytes that views point into.
    Variadic,
    /// The selected child of each row of a union.
    TypeIds,
}

impl BufferKind {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Validity => "validity",
            Self::Offsets(_) | Self::Starts(_) => "offsets",
            Self::Sizes(_) => "sizes",
            Self::Values(_) => "values",
            Self::Data => "data",
            Self::Views => "views",
            Self::Variadic => "variadic data",
            Self::TypeIds => "type ids",
        }
    }

    /// The fewest bytes that an array of `rows` rows needs, if that follows from the rows.
    #[must_use]
    pub fn bytes_of(self, rows: usize) -> Option<u64> {
        let rows = rows as u64;
        let bytes = |each: usize, rows: u64| Some(rows.saturating_mul(each as u64));
        match self {
            Self::Validity => Some(rows.div_ceil(8)),
            Self::Offsets(_) if rows == 0 => Some(0),
            Self::Offsets(each) => bytes(each, rows.saturating_add(1)),
            Self::Starts(each) | Self::Sizes(each) => bytes(each, rows),
            Self::Values(bits) => Some(rows.saturating_mul(bits as u64).div_ceil(8)),
            Self::Data | Self::Variadic => None,
            Self::Views => bytes(16, rows),
            Self::TypeIds => Some(rows),
        }
    }
}

/// The arrays of a record batch, in the order of their field nodes.
#[must_use]
pub fn batch_arrays(schema: &Schema, version: Version) -> Vec<ArrayInfo> {
    let mut walk = Walk { version, arrays: Vec::new(), column: 0 };
    for (column, field) in schema.fields.iter().enumerate() {
        walk.column = column;
        walk.field(field, "", Length::Rows);
    }
    walk.arrays
}

/// The arrays of a dictionary batch: the values, and those below them. `None` if no field refers to it.
#[must_use]
pub fn dictionary_arrays(schema: &Schema, id: i64, version: Version) -> Option<Vec<ArrayInfo>> {
    fn find<'a>(field: &'a Field, id: i64, path: &str) -> Option<(&'a Field, String)> {
        let path = join(path, &field.name);
        if field.dictionary.as_ref().is_some_and(|dictionary| dictionary.id == id) {
            return Some((field, path));
        }
        field.children.iter().find_map(|child| find(child, id, &path))
    }
    let mut fields = schema.fields.iter().enumerate();
    let (column, (field, path)) = fields.find_map(|(i, field)| Some((i, find(field, id, "")?)))?;
    let mut walk = Walk { version, arrays: Vec::new(), column };
    walk.values(field, path, Length::Rows);
    Some(walk.arrays)
}

/// Bytes of the names above an array that its path has at most: a file may have many arrays below one long name.
const MAX_PARENT_BYTES: usize = 1_000;

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        return name.to_owned();
    }
    let (short, cut) = match path.len() > MAX_PARENT_BYTES {
        true => (path.get(..path.floor_char_boundary(MAX_PARENT_BYTES)).unwrap_or_default(), "…"),
        false => (path, ""),
    };
    format!("{short}{cut}.{name}")
}

struct Walk {
    version: Version,
    arrays: Vec<ArrayInfo>,
    column: usize,
}

impl Walk {
    fn field(&mut self, field: &Field, parent: &str, length: Length) {
        let path = join(parent, &field.name);
        match &field.dictionary {
            Some(dictionary) => {
                let bits = usize::from(dictionary.index.bits);
                let buffers = vec![BufferKind::Validity, BufferKind::Values(bits)];
                self.arrays.push(ArrayInfo {
                    column: self.column,
                    path,
                    buffers,
                    variadic: false,
                    length,
                    is_text: false,
                });
            },
            None => self.values(field, path, length),
        }
    }

    fn values(&mut self, field: &Field, path: String, length: Length) {
        let data_type = &field.data_type;
        let variadic = matches!(data_type, DataType::Utf8View | DataType::BinaryView);
        let is_text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8);
        let number = self.arrays.len();
        let buffers = buffers_of(data_type, self.version);
        let below_path: String =
            path.get(..path.floor_char_boundary(MAX_PARENT_BYTES + 1)).unwrap_or_default().to_owned();
        self.arrays.push(ArrayInfo { column: self.column, path, buffers, variadic, length, is_text });
        let below = match data_type {
            DataType::Struct | DataType::Union { mode: UnionMode::Sparse, .. } => Length::Times(number, 1),
            DataType::FixedSizeList(width) => Length::Times(number, *width),
            _ => Length::Free,
        };
        for child in &field.children {
            self.field(child, &below_path, below);
        }
    }
}

fn buffers_of(data_type: &DataType, version: Version) -> Vec<BufferKind> {
    use BufferKind::{Data, Offsets, Sizes, Starts, TypeIds, Validity, Values, Views};
    match data_type {
        DataType::Null | DataType::RunEndEncoded => Vec::new(),
        DataType::Union { mode, .. } => {
            // Unions had a validity of their own before 1.0.
            let mut buffers = if version == Version::V4 { vec![Validity] } else { Vec::new() };
            buffers.push(TypeIds);
            if *mode == UnionMode::Dense {
                buffers.push(Starts(4));
            }
            buffers
        },
        DataType::Struct | DataType::FixedSizeList(_) => vec![Validity],
        DataType::List | DataType::Map { .. } => vec![Validity, Offsets(4)],
        DataType::LargeList => vec![Validity, Offsets(8)],
        DataType::ListView => vec![Validity, Starts(4), Sizes(4)],
        DataType::LargeListView => vec![Validity, Starts(8), Sizes(8)],
        DataType::Utf8 | DataType::Binary => vec![Validity, Offsets(4), Data],
        DataType::LargeUtf8 | DataType::LargeBinary => vec![Validity, Offsets(8), Data],
        DataType::Utf8View | DataType::BinaryView => vec![Validity, Views],
        other => vec![Validity, Values(bits_of(other))],
    }
}

fn bits_of(data_type: &DataType) -> usize {
    match data_type {
        DataType::Bool => 1,
        DataType::Int(int) => usize::from(int.bits),
        DataType::Float(FloatType::Half) => 16,
        DataType::Float(FloatType::Single)
        | DataType::Date32
        | DataType::Interval(IntervalUnit::YearMonth) => 32,
        DataType::Decimal { bits, .. } => usize::from(*bits),
        DataType::Time { bits, .. } => usize::from(*bits),
        DataType::Interval(IntervalUnit::MonthDayNano) => 128,
        DataType::FixedSizeBinary(width) => width.saturating_mul(8),
        _ => 64,
    }
}

/// A buffer of a batch: the number of its array, and its contents.
pub type BufferOf = (usize, BufferKind);

/// The contents of each buffer of a batch, in order.
///
/// # Errors
/// In words, when the batch has another number of nodes or buffers than its schema needs.
pub fn map_buffers(arrays: &[ArrayInfo], batch: &BatchHeader) -> Result<Vec<BufferOf>, String> {
    let BatchHeader { rows: _, nodes, buffers, variadic, compression: _ } = batch;
    if nodes.len() != arrays.len() {
        return Err(format!("{} field nodes, the schema needs {}", nodes.len(), arrays.len()));
    }
    let mut counts = variadic.iter();
    let mut all = Vec::with_capacity(buffers.len());
    for (number, array) in arrays.iter().enumerate() {
        all.extend(array.buffers.iter().map(|kind| (number, *kind)));
        if array.variadic {
            let count = *counts.next().ok_or("fewer counts of variadic buffers than columns of views")?;
            if all.len().saturating_add(count) > buffers.len() {
                return Err(format!("{} buffers, the schema needs more", buffers.len()));
            }
            all.extend(std::iter::repeat_n((number, BufferKind::Variadic), count));
        }
    }
    match counts.next() {
        Some(_) => Err("more counts of variadic buffers than columns of views".into()),
        None if all.len() != buffers.len() => {
            Err(format!("{} buffers, the schema needs {}", buffers.len(), all.len()))
        },
        None => Ok(all),
    }
}
