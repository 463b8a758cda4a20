//! Which tables there are. Polars has no catalogs and no schemas of databases: both are one, without a name.

use bytes::Bytes;
use polars_core::prelude::*;

use super::wire::WireTable;
use crate::error::FlightResult;
use crate::options::FlightOptions;
use crate::protocol::sql::{CommandGetDbSchemas, CommandGetTables};
use crate::protocol::write_schema;

/// The name of the one catalog, and of the one schema in it.
const UNNAMED: &str = "";
/// The type of every table.
const TABLE: &str = "TABLE";

pub(super) fn catalogs() -> FlightResult<WireTable> {
    WireTable::new(1).text("catalog_name", false, &[Some(UNNAMED)])
}

pub(super) fn table_types() -> FlightResult<WireTable> {
    WireTable::new(1).text("table_type", false, &[Some(TABLE)])
}

pub(super) fn db_schemas(command: &CommandGetDbSchemas) -> FlightResult<WireTable> {
    let CommandGetDbSchemas { catalog, db_schema_filter_pattern } = command;
    let names: &[_] =
        if fits(catalog.as_deref(), db_schema_filter_pattern.as_deref()) { &[Some(UNNAMED)] } else { &[] };
    WireTable::new(names.len()).text("catalog_name", true, names)?.text("db_schema_name", false, names)
}

/// The names of the tables that a command asks for.
pub(super) fn wanted<'a>(
    command: &CommandGetTables,
    tables: impl Iterator<Item = &'a String>,
) -> Vec<&'a String> {
    let CommandGetTables {
        catalog, db_schema_filter_pattern, table_name_filter_pattern, table_types, ..
    } = command;
    let type_fits = table_types.is_empty() || table_types.iter().any(|name| name == TABLE);
    if !type_fits || !fits(catalog.as_deref(), db_schema_filter_pattern.as_deref()) {
        return Vec::new();
    }
    let pattern = table_name_filter_pattern.as_deref();
    tables.filter(|name| pattern.is_none_or(|pattern| like(pattern, name))).collect()
}

/// Tables with their schemas, which are there if they were asked for.
pub(super) fn tables(
    names: &[&String],
    schemas: Option<&[SchemaRef]>,
    options: &FlightOptions,
) -> FlightResult<WireTable> {
    let unnamed = vec![Some(UNNAMED); names.len()];
    let types = vec![Some(TABLE); names.len()];
    let names: Vec<_> = names.iter().map(|name| Some(name.as_str())).collect();
    let table = WireTable::new(names.len())
        .text("catalog_name", true, &unnamed)?
        .text("db_schema_name", true, &unnamed)?
        .text("table_name", false, &names)?
        .text("table_type", false, &types)?;
    let Some(schemas) = schemas else { return Ok(table) };
    let schemas = schemas.iter().map(|schema| write_schema(schema, options));
    table.binary("table_schema", &schemas.collect::<PolarsResult<Vec<Bytes>>>()?)
}

fn fits(catalog: Option<&str>, db_schema: Option<&str>) -> bool {
    catalog.is_none_or(|name| name == UNNAMED) && db_schema.is_none_or(|pattern| like(pattern, UNNAMED))
}

/// SQL's `LIKE`: `%` is any text, `_` one character.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `%` stands, and how much of the text it takes so far.
    let mut any = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                any = Some((p, t));
                p += 1;
            },
            Some(c) if *c == '_' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            },
            _ => {
                let Some((at, taken)) = any else { return false };
                any = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("%", "", true),
            ("", "", true),
            ("", "a", false),
            ("fl%s", "flights", true),
            ("fl%", "fl", true),
            ("_lights", "flights", true),
            ("%l%t%", "flights", true),
            ("%x%", "flights", false),
            ("flight", "flights", false),
            ("%a_", "abab", true),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern:?} {text:?}");
        }
    }
}
