//! The server's facts about itself: `GetSqlInfo`.

use floe_format::{DataType, UnionMode};

use super::wire::{INT32, INT64, WireTable, field, parent};
use crate::error::FlightResult;
use crate::protocol::sql::{SqlInfo, SqlSupportedTransaction};

/// A value of the union: text, truth or a number.
#[derive(Clone, Copy)]
enum Fact {
    Text(&'static str),
    Truth(bool),
    Number(i32),
}

impl Fact {
    /// The number of its type in the union.
    fn type_id(self) -> u8 {
        match self {
            Self::Text(_) => 0,
            Self::Truth(_) => 1,
            Self::Number(_) => 3,
        }
    }
}

/// All that is known, by number.
fn facts() -> Vec<(u32, Fact)> {
    let facts = [
        (SqlInfo::FlightSqlServerName, Fact::Text("floe")),
        (SqlInfo::FlightSqlServerVersion, Fact::Text(env!("CARGO_PKG_VERSION"))),
        (SqlInfo::FlightSqlServerArrowVersion, Fact::Text("1.5")),
        (SqlInfo::FlightSqlServerReadOnly, Fact::Truth(true)),
        (SqlInfo::FlightSqlServerSql, Fact::Truth(true)),
        (SqlInfo::FlightSqlServerSubstrait, Fact::Truth(false)),
        (SqlInfo::FlightSqlServerTransaction, Fact::Number(SqlSupportedTransaction::None.into())),
        (SqlInfo::FlightSqlServerCancel, Fact::Truth(false)),
        (SqlInfo::FlightSqlServerBulkIngestion, Fact::Truth(false)),
        (SqlInfo::SqlDdlCatalog, Fact::Truth(false)),
        (SqlInfo::SqlDdlSchema, Fact::Truth(false)),
        (SqlInfo::SqlDdlTable, Fact::Truth(false)),
        (SqlInfo::SqlIdentifierQuoteChar, Fact::Text("\"")),
    ];
    facts.into_iter().filter_map(|(name, fact)| Some((u32::try_from(i32::from(name)).ok()?, fact))).collect()
}

/// The table of facts: those asked for, or all. Facts that are not known are left out.
pub(super) fn table(asked: &[u32]) -> FlightResult<WireTable> {
    let facts: Vec<_> =
        facts().into_iter().filter(|(name, _)| asked.is_empty() || asked.contains(name)).collect();
    let names: Vec<u32> = facts.iter().map(|(name, _)| *name).collect();
    let mut table = WireTable::new(facts.len()).uint32("info_name", &names);
    push_values(&mut table, &facts)?;
    Ok(table)
}

fn push_values(table: &mut WireTable, facts: &[(u32, Fact)]) -> FlightResult<()> {
    table.push_field(union());
    table.push_node(facts.len(), 0);
    let (mut texts, mut truths, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    let (mut type_ids, mut offsets) = (Vec::new(), Vec::new());
    for (_, fact) in facts {
        let position = match fact {
            Fact::Text(text) => {
                texts.push(Some(text.as_bytes()));
                texts.len()
            },
            Fact::Truth(truth) => {
                truths.push(*truth);
                truths.len()
            },
            Fact::Number(number) => {
                numbers.push(*number);
                numbers.len()
            },
        };
        type_ids.push(fact.type_id());
        // There are about ten facts.
        offsets.extend_from_slice(&i32::try_from(position - 1).unwrap_or(i32::MAX).to_le_bytes());
    }
    table.push_buffer(type_ids);
    table.push_buffer(offsets);
    table.push_bytes(&texts)?;
    push_truths(table, &truths);
    push_numbers(table, &[]);
    push_numbers(table, &numbers);
    push_empty_children(table)
}

fn push_truths(table: &mut WireTable, truths: &[bool]) {
    let mut bits = vec![0u8; truths.len().div_ceil(8)];
    for (row, _) in truths.iter().enumerate().filter(|(_, truth)| **truth) {
        if let Some(byte) = bits.get_mut(row / 8) {
            *byte |= 1 << (row % 8);
        }
    }
    table.push_node(truths.len(), 0);
    table.push_buffer(Vec::new());
    table.push_buffer(bits);
}

fn push_numbers(table: &mut WireTable, numbers: &[i32]) {
    table.push_node(numbers.len(), 0);
    table.push_buffer(Vec::new());
    table.push_buffer(numbers.iter().flat_map(|number| number.to_le_bytes()).collect());
}

/// The list of texts and the map, of which there are none.
fn push_empty_children(table: &mut WireTable) -> FlightResult<()> {
    push_empty_list(table);
    table.push_bytes(&[])?;
    push_empty_list(table); // the map
    table.push_node(0, 0); // its entries
    table.push_buffer(Vec::new());
    push_numbers(table, &[]);
    push_empty_list(table);
    push_numbers(table, &[]);
    Ok(())
}

fn push_empty_list(table: &mut WireTable) {
    table.push_node(0, 0);
    table.push_buffer(Vec::new());
    table.push_buffer(0i32.to_le_bytes().to_vec());
}

/// `value` of `CommandGetSqlInfo` in `FlightSql.proto`.
fn union() -> floe_format::Field {
    let numbers = |name| parent(name, DataType::List, true, vec![field("item", INT32, true)]);
    let entries = vec![field("key", INT32, false), numbers("value")];
    let children = vec![
        field("string_value", DataType::Utf8, true),
        field("bool_value", DataType::Bool, true),
        field("bigint_value", INT64, true),
        field("int32_bitmask", INT32, true),
        parent("string_list", DataType::List, true, vec![field("item", DataType::Utf8, true)]),
        parent(
            "int32_to_int32_list_map",
            DataType::Map { keys_sorted: false },
            true,
            vec![parent("entries", DataType::Struct, false, entries)],
        ),
    ];
    let union = DataType::Union { mode: UnionMode::Dense, type_ids: vec![0, 1, 2, 3, 4, 5] };
    parent("value", union, false, children)
}
