//! Fields of every layout, one inside of the other, and what their arrays consist of.

use floe_format::{DataType, DictionaryEncoding, Field, FloatType, IntType, Schema, UnionMode};

use super::body::Role;
use super::{Choose, pick};

/// How long a child is.
#[derive(Clone, Copy)]
pub(super) enum Length {
    /// As its parent.
    Same,
    /// This many times its parent.
    Times(usize),
    /// A number of its own.
    Own,
}

impl Length {
    pub(super) fn of(self, choices: &mut dyn Choose, rows: usize) -> usize {
        match self {
            Self::Same => rows,
            Self::Times(width) => rows.saturating_mul(width).min(1 << 50),
            Self::Own => pick(choices, &[0, 1, 1, 64, 2048, 1 << 20]),
        }
    }
}

/// The buffers of a field's array, and its children.
pub(super) struct FieldOf {
    pub(super) has_validity: bool,
    pub(super) roles: Vec<Role>,
    pub(super) is_view: bool,
    pub(super) children: Vec<Length>,
}

/// The parts of the array of a field's values.
pub(super) fn layout(field: &Field) -> FieldOf {
    use DataType as T;
    let mut of = FieldOf { has_validity: true, roles: Vec::new(), is_view: false, children: Vec::new() };
    match &field.data_type {
        T::Null => of.has_validity = false,
        T::Bool => of.roles.push(Role::Validity),
        T::Int(int) => of.roles.push(Role::Small(usize::from(int.bits / 8))),
        T::Utf8 | T::Binary => of.roles.extend([Role::Offsets(4), Role::Data]),
        T::LargeUtf8 | T::LargeBinary => of.roles.extend([Role::Offsets(8), Role::Data]),
        T::Utf8View | T::BinaryView => {
            of.roles.push(Role::Views);
            of.is_view = true;
        },
        T::FixedSizeBinary(width) => of.roles.push(Role::Small(*width)),
        T::List | T::Map { .. } => {
            of.roles.push(Role::Offsets(4));
            of.children.push(Length::Own);
        },
        T::LargeList => {
            of.roles.push(Role::Offsets(8));
            of.children.push(Length::Own);
        },
        T::ListView => {
            of.roles.extend([Role::Small(4), Role::Offsets(4)]);
            of.children.push(Length::Own);
        },
        T::LargeListView => {
            of.roles.extend([Role::Small(8), Role::Offsets(8)]);
            of.children.push(Length::Own);
        },
        T::FixedSizeList(width) => of.children.push(Length::Times(*width)),
        T::Struct => of.children.resize(field.children.len(), Length::Same),
        T::Union { mode, .. } => {
            of.has_validity = false;
            of.roles.push(Role::Small(1));
            if *mode == UnionMode::Dense {
                of.roles.push(Role::Small(4));
            }
            let length = if *mode == UnionMode::Dense { Length::Own } else { Length::Same };
            of.children.resize(field.children.len(), length);
        },
        T::RunEndEncoded => {
            of.has_validity = false;
            of.children.extend([Length::Own, Length::Own]);
        },
        _ => of.roles.push(Role::Small(8)),
    }
    of
}

/// A field of at most `depth` levels.
pub(super) fn field(choices: &mut dyn Choose, depth: usize) -> Field {
    let (data_type, children) = if depth == 0 || choices.choose(3) == 0 {
        (leaf(choices), Vec::new())
    } else {
        nested(choices, depth - 1)
    };
    let mut field = named("f", data_type, children);
    if choices.choose(8) == 0 {
        field.metadata.push(("pl".into(), "maintain_type".into()));
    }
    if choices.choose(3) == 0 {
        let index = IntType { bits: pick(choices, &[8, 16, 32, 64]), signed: choices.choose(2) == 0 };
        let id = if choices.choose(2) == 0 { 0 } else { i64::try_from(choices.choose(100)).unwrap_or(0) };
        field.dictionary = Some(DictionaryEncoding { id, index, ordered: false, slot: 0 });
    }
    field
}

fn named(name: &str, data_type: DataType, children: Vec<Field>) -> Field {
    Field { name: name.into(), nullable: true, data_type, children, dictionary: None, metadata: Vec::new() }
}

fn leaf(choices: &mut dyn Choose) -> DataType {
    use DataType as T;
    let width = pick(choices, &[0, 1, 16, 1 << 12, 1 << 20, 1 << 30]);
    match choices.choose(13) {
        0 => T::Null,
        1 => T::Bool,
        2 => T::Int(IntType { bits: 8, signed: true }),
        3 => T::Int(IntType { bits: 64, signed: true }),
        4 => T::Float(FloatType::Double),
        5 => T::Utf8,
        6 => T::Binary,
        7 => T::LargeUtf8,
        8 | 9 => T::LargeBinary,
        10 => T::Utf8View,
        11 => T::BinaryView,
        _ => T::FixedSizeBinary(width),
    }
}

fn nested(choices: &mut dyn Choose, depth: usize) -> (DataType, Vec<Field>) {
    use DataType as T;
    let one = |choices: &mut dyn Choose| vec![field(choices, depth)];
    match choices.choose(9) {
        0 => (T::List, one(choices)),
        1 => (T::LargeList, one(choices)),
        2 => (T::ListView, one(choices)),
        3 => (T::LargeListView, one(choices)),
        4 => {
            let width = pick(choices, &[0, 1, 2, 1 << 10, 1 << 20, 1 << 30]);
            (T::FixedSizeList(width), one(choices))
        },
        5 => {
            let count = choices.choose(4);
            (T::Struct, (0..count).map(|_| field(choices, depth)).collect())
        },
        6 => {
            let mode = pick(choices, &[UnionMode::Sparse, UnionMode::Dense]);
            let count = choices.choose(4);
            let children = (0..count).map(|_| field(choices, depth)).collect();
            (T::Union { mode, type_ids: (0i8..).take(count).collect() }, children)
        },
        7 => {
            let entries = vec![field(choices, depth.min(1)), field(choices, depth)];
            (T::Map { keys_sorted: false }, vec![named("entries", T::Struct, entries)])
        },
        _ => {
            let bits = pick(choices, &[16, 32, 64]);
            let ends = named("run_ends", T::Int(IntType { bits, signed: true }), Vec::new());
            (T::RunEndEncoded, vec![ends, field(choices, depth)])
        },
    }
}

/// All fields that have a dictionary.
pub(super) fn dictionaries(schema: &Schema) -> Vec<Field> {
    fn collect(field: &Field, out: &mut Vec<Field>) {
        if field.dictionary.is_some() {
            out.push(field.clone());
        }
        field.children.iter().for_each(|child| collect(child, out));
    }
    let mut out = Vec::new();
    schema.fields.iter().for_each(|field| collect(field, &mut out));
    out
}
