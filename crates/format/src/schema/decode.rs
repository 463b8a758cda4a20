//! Flatbuffer -> [`Schema`]: the walk over the fields, and the rules for their children.

use arrow_format::ipc as fb;
use planus::Vector;
use planus::errors::ErrorKind as PlanusKind;

use super::budget::Budget;
use super::data_type::{decode_int, decode_type, is_nested};
use super::raw::Raw;
use crate::error::malformed;
use crate::limits::wide;
use crate::{
    DataType, DictionaryEncoding, Endianness, Error, ErrorKind, Field, IntType, KeyValues, Result, ResultExt,
    Schema, Text,
};

/// Reserved at once for a vector of tables; more is grown as tables really turn up.
const MAX_RESERVED_TABLES: usize = 1024;

type Fields<'a> = Vector<'a, planus::Result<fb::FieldRef<'a>>>;
type Pairs<'a> = Vector<'a, planus::Result<fb::KeyValueRef<'a>>>;

/// Slots of `Schema.fbs`.
const SCHEMA_FIELDS: usize = 1;
const SCHEMA_METADATA: usize = 2;
const FIELD_CHILDREN: usize = 5;
const FIELD_METADATA: usize = 6;

/// Reads a schema; slots of its dictionaries are assigned.
pub(crate) fn decode_schema(
    schema: fb::SchemaRef<'_>,
    raw: Raw<'_>,
    budget: &mut Budget<'_>,
) -> Result<Schema> {
    let endianness = match schema.endianness().map_err(malformed)? {
        fb::Endianness::Little => Endianness::Little,
        fb::Endianness::Big => Endianness::Big,
    };
    let fields = decode_fields(schema.fields().map_err(malformed)?, (raw, SCHEMA_FIELDS), budget)?;
    let metadata = key_values(schema.custom_metadata().map_err(malformed)?, (raw, SCHEMA_METADATA), budget)?;
    let not_utf8 = budget.take_not_utf8();
    let mut schema = Schema { fields, metadata, not_utf8, endianness };
    schema.assign_slots();
    Ok(schema)
}

/// Reads custom metadata, which is at a slot of a table; a null key or value is empty. Entries that are not UTF-8 are
/// left out; the budget keeps them.
pub(crate) fn key_values(
    pairs: Option<Pairs<'_>>,
    (raw, slot): (Raw<'_>, usize),
    budget: &mut Budget<'_>,
) -> Result<KeyValues> {
    let Some(pairs) = pairs else { return Ok(KeyValues::new()) };
    budget.take::<(Text, Text)>(pairs.len())?;
    let mut out = KeyValues::with_capacity(pairs.len().min(MAX_RESERVED_TABLES));
    for (entry, pair) in pairs.iter().enumerate() {
        let pair = pair.map_err(malformed)?;
        match (pair.key(), pair.value()) {
            (Ok(key), Ok(value)) => out.push((budget.text(key)?, budget.text(value)?)),
            (key, value) => {
                let errors = [key.err(), value.err()];
                if let Some(error) = errors.into_iter().flatten().find(|error| !is_not_utf8(error)) {
                    return Err(malformed(error));
                }
                budget.keep(entry, raw.element(slot, entry))?;
            },
        }
    }
    Ok(out)
}

fn is_not_utf8(error: &planus::Error) -> bool {
    matches!(error.error_kind, PlanusKind::InvalidUtf8 { .. })
}

/// Reads the fields that are at a slot of a table.
fn decode_fields(
    fields: Option<Fields<'_>>,
    (raw, slot): (Raw<'_>, usize),
    budget: &mut Budget<'_>,
) -> Result<Vec<Field>> {
    let Some(fields) = fields else { return Ok(Vec::new()) };
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let depth = budget.field.len() + 1;
    if depth > budget.limits.max_schema_depth {
        return Err(Error::limit("max_schema_depth", depth, budget.limits.max_schema_depth));
    }
    budget.take_nodes(fields.len())?;
    let mut out = Vec::with_capacity(fields.len().min(MAX_RESERVED_TABLES));
    for ((index, field), at) in fields.iter().enumerate().zip(0u32..) {
        let field = field.map_err(malformed).at(|| format!("field {index}"))?;
        // A null name is an empty one.
        let name = field.name().map_err(malformed).at(|| format!("field {index}"))?.unwrap_or_default();
        let place = || format!("field \"{}\"", shortened(name));
        budget.field.push(at);
        out.push(decode_field(field, name, raw.element(slot, index), budget).at(place)?);
        budget.field.pop();
    }
    Ok(out)
}

/// A name for an error message: whatever its length was, the message stays readable.
fn shortened(name: &str) -> &str {
    match name.char_indices().nth(64) {
        // `char_indices` gives boundaries of characters.
        Some((end, _)) => name.get(..end).unwrap_or(name),
        None => name,
    }
}

fn decode_field(field: fb::FieldRef<'_>, name: &str, raw: Raw<'_>, budget: &mut Budget<'_>) -> Result<Field> {
    let kind = match field.type_() {
        Ok(Some(kind)) => kind,
        Ok(None) => return Err(Error::invalid("the field has no type")),
        Err(planus::Error { error_kind: PlanusKind::UnknownUnionTag { tag }, .. }) => {
            return Err(Error::unsupported(format!("unknown type (tag {tag} of the union `Type`)")));
        },
        Err(error) => return Err(malformed(error)),
    };
    let children = match is_nested(&kind) {
        true => decode_fields(field.children().map_err(malformed)?, (raw, FIELD_CHILDREN), budget)?,
        false => Vec::new(),
    };
    let data_type = decode_type(&kind, children.len(), budget)?;
    check_children(&data_type, &children)?;
    Ok(Field {
        name: budget.text(Some(name))?,
        nullable: field.nullable().map_err(malformed)?,
        data_type,
        children,
        dictionary: field.dictionary().map_err(malformed)?.map(decode_dictionary).transpose()?,
        metadata: key_values(field.custom_metadata().map_err(malformed)?, (raw, FIELD_METADATA), budget)?,
    })
}

fn decode_dictionary(dictionary: fb::DictionaryEncodingRef<'_>) -> Result<DictionaryEncoding> {
    // There is one kind today. An unknown one would mean another layout, so it must not pass.
    let fb::DictionaryKind::DenseArray = dictionary.dictionary_kind().map_err(malformed)?;
    let index = match dictionary.index_type().map_err(malformed)? {
        Some(int) => decode_int(int).at(|| "dictionary index")?,
        None => IntType { bits: 32, signed: true },
    };
    if index.bits > 64 {
        return Err(Error::invalid(format!("dictionary keys of {} bits; 8 to 64 are allowed", index.bits)));
    }
    Ok(DictionaryEncoding {
        id: dictionary.id().map_err(malformed)?,
        index,
        ordered: dictionary.is_ordered().map_err(malformed)?,
        slot: 0,
    })
}

/// Whether the children are those that the type asks for.
fn check_children(data_type: &DataType, children: &[Field]) -> Result<()> {
    let expect = |count: usize| match children.len() == count {
        true => Ok(()),
        false => {
            Err(Error::invalid(format!("{data_type} has {} children, expected {count}", children.len())))
        },
    };
    match data_type {
        DataType::List
        | DataType::LargeList
        | DataType::ListView
        | DataType::LargeListView
        | DataType::FixedSizeList(_) => expect(1),
        DataType::Map { .. } => {
            expect(1)?;
            match children {
                [entries] if entries.data_type == DataType::Struct && entries.children.len() == 2 => Ok(()),
                _ => Err(Error::invalid("the child of a map must be a struct of a key and a value")),
            }
        },
        DataType::RunEndEncoded => {
            expect(2)?;
            match children {
                [
                    Field {
                        data_type: DataType::Int(IntType { bits: 16 | 32 | 64, signed: true }),
                        dictionary: None,
                        ..
                    },
                    _,
                ] => Ok(()),
                _ => Err(Error::invalid("run ends must be signed integers of 16, 32 or 64 bits")),
            }
        },
        // Structs take any number; the ids of a union were counted when its type was read; the
        // children of the others were never read.
        _ => Ok(()),
    }
}

impl Error {
    pub(crate) fn limit(limit: &'static str, claimed: usize, allowed: usize) -> Self {
        Self::new(ErrorKind::LimitExceeded { limit, claimed: wide(claimed), allowed: wide(allowed) })
    }
}
