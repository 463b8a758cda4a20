//! Values, and arrays of them: encoded as a layout says, or plain.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{Int8Type, Int16Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    FixedSizeBinaryArray, FixedSizeListArray, Int8Array, Int16Array, Int32Array, Int64Array,
    LargeBinaryArray, LargeListArray, LargeListViewArray, LargeStringArray, ListArray, ListViewArray,
    NullArray, RunArray, StringArray, StringViewArray, StructArray, UnionArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, UnionFields};

/// Types that are not nested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    Null,
    Bool,
    Int64,
    Decimal,
    Date,
    Utf8,
    LargeUtf8,
    Utf8View,
    Binary,
    FixedBinary,
    /// Bytes that Polars keeps with their offsets.
    Maintained,
}

pub(super) const LEAVES: [Leaf; 11] = [
    Leaf::Null,
    Leaf::Bool,
    Leaf::Int64,
    Leaf::Decimal,
    Leaf::Date,
    Leaf::Utf8,
    Leaf::LargeUtf8,
    Leaf::Utf8View,
    Leaf::Binary,
    Leaf::FixedBinary,
    Leaf::Maintained,
];

/// Those of which there are layouts three levels deep: each is kept otherwise in memory.
pub(super) const DEEP: [Leaf; 4] = [Leaf::Int64, Leaf::Utf8, Leaf::Binary, Leaf::Maintained];

/// Types around another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrap {
    Dictionary,
    Runs,
    List,
    LargeList,
    ListView,
    LargeListView,
    FixedList,
    Struct,
    Sparse,
    Dense,
}

pub(super) const WRAPPERS: [Wrap; 10] = [
    Wrap::Dictionary,
    Wrap::Runs,
    Wrap::List,
    Wrap::LargeList,
    Wrap::ListView,
    Wrap::LargeListView,
    Wrap::FixedList,
    Wrap::Struct,
    Wrap::Sparse,
    Wrap::Dense,
];

/// How values are laid out.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    Leaf(Leaf),
    Within(Wrap, Box<Layout>),
}

impl Layout {
    /// The metadata that the field needs: which bytes keep their offsets.
    pub(super) fn metadata(&self) -> HashMap<String, String> {
        match self {
            Self::Leaf(Leaf::Maintained) => HashMap::from([("pl".to_owned(), "maintain_type".to_owned())]),
            Self::Within(Wrap::Dictionary, inner) => inner.metadata(),
            _ => HashMap::new(),
        }
    }

    /// Whether it is one of these that is nested.
    pub(super) fn is_of(&self, leaves: &[Leaf]) -> bool {
        match self {
            Self::Leaf(leaf) => leaves.contains(leaf),
            Self::Within(_, inner) => inner.is_of(leaves),
        }
    }

    /// Whether the values are strings in the end: dictionaries of those are categories.
    fn is_text(&self) -> bool {
        match self {
            Self::Leaf(leaf) => matches!(leaf, Leaf::Utf8 | Leaf::LargeUtf8 | Leaf::Utf8View),
            Self::Within(Wrap::Runs, inner) => inner.is_text(),
            Self::Within(..) => false,
        }
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Of(i64),
    List(Vec<Value>),
    Struct(Box<Value>, i32),
    /// Of the first child, or of the second one.
    First(Box<Value>),
    Second(i32),
}

/// `n` values for a layout: some null, some equal to those before them.
pub(super) fn values_of(layout: &Layout, n: usize, seed: usize) -> Vec<Value> {
    (0..n).map(|i| value_of(layout, (i * 5 / 7 + seed) % 5)).collect()
}

fn value_of(layout: &Layout, seed: usize) -> Value {
    let small = i64::try_from(seed).expect("small");
    match layout {
        Layout::Leaf(Leaf::Null) => Value::Null,
        Layout::Leaf(_) if seed == 3 => Value::Null,
        Layout::Leaf(_) => Value::Of(small),
        Layout::Within(Wrap::Dictionary | Wrap::Runs, inner) => value_of(inner, seed),
        Layout::Within(Wrap::Sparse | Wrap::Dense, inner) => match seed % 3 {
            1 => Value::Second(i32::try_from(seed).expect("small")),
            _ => Value::First(Box::new(value_of(inner, seed))),
        },
        Layout::Within(..) if seed == 2 => Value::Null,
        Layout::Within(Wrap::Struct, inner) => {
            Value::Struct(Box::new(value_of(inner, seed)), i32::try_from(seed).expect("small"))
        },
        Layout::Within(Wrap::FixedList, inner) => Value::List(values_of(inner, 2, seed)),
        Layout::Within(_, inner) => Value::List(values_of(inner, seed % 4, seed)),
    }
}

/// A value for places without one, since something has to stand there.
fn filler(layout: &Layout) -> Value {
    match layout {
        Layout::Within(Wrap::Sparse | Wrap::Dense, inner) => Value::First(Box::new(filler(inner))),
        Layout::Within(Wrap::Dictionary | Wrap::Runs, inner) => filler(inner),
        _ => Value::Null,
    }
}

pub(super) fn build(layout: &Layout, values: &[Value], is_encoded: bool) -> ArrayRef {
    match layout {
        Layout::Leaf(leaf) => leaf_array(*leaf, values),
        Layout::Within(wrap, inner) => match wrap {
            Wrap::Dictionary if is_encoded || inner.is_text() => dictionary(inner, values, is_encoded),
            Wrap::Runs if is_encoded => runs(inner, values),
            Wrap::Dictionary | Wrap::Runs => build(inner, values, is_encoded),
            Wrap::Struct => structs(inner, values, is_encoded),
            Wrap::Sparse | Wrap::Dense if is_encoded => union(inner, values, *wrap == Wrap::Dense),
            Wrap::Sparse | Wrap::Dense => plain_union(inner, values),
            Wrap::FixedList => fixed_list(inner, values, is_encoded),
            Wrap::ListView | Wrap::LargeListView if is_encoded => {
                list_view(inner, values, *wrap == Wrap::LargeListView)
            },
            _ => list(inner, values, is_encoded, *wrap == Wrap::List),
        },
    }
}

fn leaf_array(leaf: Leaf, values: &[Value]) -> ArrayRef {
    let small = |value: &Value| if let Value::Of(small) = value { Some(*small) } else { None };
    let all: Vec<Option<i64>> = values.iter().map(small).collect();
    let texts: Vec<Option<String>> = all
        .iter()
        .map(|value| {
            value.map(|n| if n == 1 { "é".to_owned() } else { format!("a text that is not inlined: {n}") })
        })
        .collect();
    let bytes: Vec<Option<&[u8]>> = texts.iter().map(|text| text.as_ref().map(String::as_bytes)).collect();
    match leaf {
        Leaf::Null => Arc::new(NullArray::new(values.len())),
        Leaf::Bool => Arc::new(all.iter().map(|n| n.map(|n| n % 2 == 0)).collect::<BooleanArray>()),
        Leaf::Int64 => Arc::new(Int64Array::from(all)),
        Leaf::Decimal => {
            let decimals = all.iter().map(|n| n.map(i128::from)).collect::<Decimal128Array>();
            Arc::new(decimals.with_precision_and_scale(20, 3).expect("a decimal"))
        },
        Leaf::Date => {
            Arc::new(all.iter().map(|n| n.map(|n| i32::try_from(n).expect("small"))).collect::<Date32Array>())
        },
        Leaf::Utf8 => Arc::new(StringArray::from(texts)),
        Leaf::LargeUtf8 => Arc::new(LargeStringArray::from(texts)),
        Leaf::Utf8View => Arc::new(texts.into_iter().collect::<StringViewArray>()),
        Leaf::Binary => Arc::new(BinaryArray::from_opt_vec(bytes)),
        Leaf::Maintained => Arc::new(LargeBinaryArray::from_opt_vec(bytes)),
        Leaf::FixedBinary => {
            let fixed = all.iter().map(|n| n.map(|n| [n.to_le_bytes(), n.to_be_bytes()].concat()));
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 16).expect("of one width"))
        },
    }
}

fn field(name: &str, layout: &Layout, array: &ArrayRef) -> Arc<Field> {
    Arc::new(Field::new(name, array.data_type().clone(), true).with_metadata(layout.metadata()))
}

fn nulls(values: &[Value]) -> Option<NullBuffer> {
    Some(NullBuffer::from(values.iter().map(|value| *value != Value::Null).collect::<Vec<_>>()))
}

/// The values in the order of the layout's seeds, whatever is there of them: a stream sends its dictionary once.
fn dictionary(inner: &Layout, values: &[Value], is_encoded: bool) -> ArrayRef {
    let mut distinct: Vec<Value> = Vec::new();
    for seed in (0..5).rev() {
        let value = value_of(inner, seed);
        if value != Value::Null && !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    let filler = filler(inner);
    if filler != Value::Null && !distinct.contains(&filler) {
        distinct.push(filler);
    }
    let key = |value: &Value| distinct.iter().position(|known| known == value);
    let keys: Int8Array =
        values.iter().map(|value| key(value).map(|key| i8::try_from(key).expect("few"))).collect();
    let dictionary = build(inner, &distinct, is_encoded);
    Arc::new(DictionaryArray::<Int8Type>::try_new(keys, dictionary).expect("keys of values"))
}

fn runs(inner: &Layout, values: &[Value]) -> ArrayRef {
    let (mut ends, mut distinct) = (Vec::new(), Vec::<Value>::new());
    for (row, value) in values.iter().enumerate() {
        let end = i16::try_from(row + 1).expect("few");
        match (distinct.last(), ends.last_mut()) {
            (Some(last), Some(known)) if last == value => *known = end,
            _ => {
                distinct.push(value.clone());
                ends.push(end);
            },
        }
    }
    let values = build(inner, &distinct, true);
    Arc::new(RunArray::<Int16Type>::try_new(&Int16Array::from(ends), &values).expect("runs"))
}

fn structs(inner: &Layout, values: &[Value], is_encoded: bool) -> ArrayRef {
    let first = |value: &Value| match value {
        Value::Struct(first, _) => first.as_ref().clone(),
        _ => filler(inner),
    };
    let second = |value: &Value| if let Value::Struct(_, second) = value { Some(*second) } else { None };
    let a = build(inner, &values.iter().map(first).collect::<Vec<_>>(), is_encoded);
    let b: ArrayRef = Arc::new(values.iter().map(second).collect::<Int32Array>());
    let fields = vec![field("a", inner, &a), Arc::new(Field::new("b", DataType::Int32, true))];
    Arc::new(StructArray::try_new(fields.into(), vec![a, b], nulls(values)).expect("a struct"))
}

fn first_of(inner: &Layout, value: &Value) -> Value {
    if let Value::First(first) = value { first.as_ref().clone() } else { filler(inner) }
}

fn union(inner: &Layout, values: &[Value], is_dense: bool) -> ArrayRef {
    let is_first = |value: &&Value| !matches!(value, Value::Second(_));
    let ids: ScalarBuffer<i8> = values.iter().map(|value| if is_first(&value) { 3 } else { 5 }).collect();
    let second = |value: &Value| if let Value::Second(second) = value { Some(*second) } else { None };
    let (firsts, seconds, offsets) = if is_dense {
        let (mut firsts, mut seconds, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        for value in values {
            let len = if is_first(&value) { firsts.len() } else { seconds.len() };
            offsets.push(i32::try_from(len).expect("few"));
            if is_first(&value) {
                firsts.push(first_of(inner, value));
            } else {
                seconds.push(second(value));
            }
        }
        (firsts, seconds, Some(offsets.into()))
    } else {
        let firsts = values.iter().map(|value| first_of(inner, value)).collect();
        (firsts, values.iter().map(second).collect(), None)
    };
    let first = build(inner, &firsts, true);
    let second: ArrayRef = Arc::new(Int32Array::from(seconds));
    let fields = [(3, field("a", inner, &first)), (5, Arc::new(Field::new("b", DataType::Int32, true)))];
    let fields: UnionFields = fields.into_iter().collect();
    Arc::new(UnionArray::try_new(fields, ids, offsets, vec![first, second]).expect("a union"))
}

/// The struct that a union becomes: the type, and each child where it is selected.
fn plain_union(inner: &Layout, values: &[Value]) -> ArrayRef {
    let id = |value: &Value| if let Value::Second(_) = value { 5 } else { 3 };
    let ids: ArrayRef = Arc::new(Int8Array::from(values.iter().map(id).collect::<Vec<i8>>()));
    let firsts: Vec<Value> = values
        .iter()
        .map(|value| match value {
            // Null where another one is selected, also of unions, which have no nulls elsewhere.
            Value::Second(_) => Value::Null,
            other => first_of(inner, other),
        })
        .collect();
    let first = build(inner, &firsts, false);
    let second = |value: &Value| if let Value::Second(second) = value { Some(*second) } else { None };
    let second: ArrayRef = Arc::new(values.iter().map(second).collect::<Int32Array>());
    let fields = vec![
        Arc::new(Field::new("type_id", DataType::Int8, true)),
        field("a", inner, &first),
        Arc::new(Field::new("b", DataType::Int32, true)),
    ];
    let nulls = values.contains(&Value::Null).then(|| nulls(values)).flatten();
    Arc::new(StructArray::try_new(fields.into(), vec![ids, first, second], nulls).expect("a struct"))
}

fn items(value: &Value) -> &[Value] {
    if let Value::List(items) = value { items } else { &[] }
}

fn list(inner: &Layout, values: &[Value], is_encoded: bool, is_small: bool) -> ArrayRef {
    let all: Vec<Value> = values.iter().flat_map(items).cloned().collect();
    let child = build(inner, &all, is_encoded);
    let (field, nulls) = (field("item", inner, &child), nulls(values));
    let lens = values.iter().map(|value| items(value).len());
    if is_small {
        Arc::new(ListArray::try_new(field, OffsetBuffer::from_lengths(lens), child, nulls).expect("lists"))
    } else {
        Arc::new(
            LargeListArray::try_new(field, OffsetBuffer::from_lengths(lens), child, nulls).expect("lists"),
        )
    }
}

/// The last list comes first.
fn list_view(inner: &Layout, values: &[Value], is_large: bool) -> ArrayRef {
    let (mut all, mut starts) = (Vec::new(), vec![0; values.len()]);
    for (start, value) in starts.iter_mut().zip(values).rev() {
        *start = all.len();
        all.extend_from_slice(items(value));
    }
    let child = build(inner, &all, true);
    let (field, nulls) = (field("item", inner, &child), nulls(values));
    let sizes: Vec<usize> = values.iter().map(|value| items(value).len()).collect();
    if is_large {
        let wide = |all: &[usize]| all.iter().map(|n| i64::try_from(*n).expect("few")).collect();
        Arc::new(
            LargeListViewArray::try_new(field, wide(&starts), wide(&sizes), child, nulls)
                .expect("list views"),
        )
    } else {
        let narrow = |all: &[usize]| all.iter().map(|n| i32::try_from(*n).expect("few")).collect();
        Arc::new(
            ListViewArray::try_new(field, narrow(&starts), narrow(&sizes), child, nulls).expect("list views"),
        )
    }
}

fn fixed_list(inner: &Layout, values: &[Value], is_encoded: bool) -> ArrayRef {
    let two = |value: &Value| match value {
        Value::List(items) => items.clone(),
        _ => vec![filler(inner); 2],
    };
    let all: Vec<Value> = values.iter().flat_map(two).collect();
    let child = build(inner, &all, is_encoded);
    let field = field("item", inner, &child);
    Arc::new(FixedSizeListArray::try_new(field, 2, child, nulls(values)).expect("lists"))
}
