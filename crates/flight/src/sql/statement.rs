//! Queries, looked through before Polars sees them: only queries, and only over tables that are registered.
//!
//! Polars' SQL has functions that read files, and statements that change tables. A client must not reach either.

use std::collections::BTreeMap;

use floe_query::{SqlError, Statement, check_operators};

use crate::error::{FlightError, FlightResult};

/// Operators, keywords and brackets of a query. They may nest, and planning needs stack for each.
const MAX_OPERATORS: usize = 500;

/// Checks that a text is one query over tables of these names.
pub(super) fn check<T>(text: &str, tables: &BTreeMap<String, T>) -> FlightResult<Statement> {
    let invalid = |error: SqlError| FlightError::invalid(error.to_string());
    check_operators(text, MAX_OPERATORS).map_err(invalid)?;
    let statement = Statement::parse(text).map_err(invalid)?;
    match statement.tables().iter().find(|table| !tables.contains_key(&table.name)) {
        None => Ok(statement),
        Some(missing) => {
            let known: Vec<&str> = tables.keys().map(String::as_str).take(20).collect();
            let known = if known.is_empty() { "the server has none".to_owned() } else { known.join(", ") };
            let text = format!("SQL: there is no table {}; there are: {known}", missing.name);
            Err(FlightError::not_found(text))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(text: &str) -> Result<(), String> {
        let tables = BTreeMap::from([("flights".to_owned(), ())]);
        check(text, &tables).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn queries_over_tables_pass() {
        for text in [
            "SELECT * FROM flights",
            "WITH late AS (SELECT * FROM flights) SELECT count(*) FROM late JOIN flights AS f ON f.a = late.a",
            "SELECT * FROM (SELECT a FROM flights) AS t UNION ALL SELECT a FROM flights",
            "SELECT a FROM flights WHERE a IN (SELECT a FROM flights)",
            "SELECT 1",
        ] {
            assert_eq!(check_one(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn anything_else_does_not() {
        for text in [
            "",
            "SELECT 1; SELECT 2",
            "DROP TABLE flights",
            "DELETE FROM flights",
            "TRUNCATE TABLE flights",
            "CREATE TABLE t AS SELECT * FROM flights",
            "INSERT INTO flights VALUES (1)",
            "EXPLAIN SELECT * FROM flights",
            "SHOW TABLES",
            "SELECT * INTO t FROM flights",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM flights JOIN read_parquet('x') AS p ON true",
            "SELECT * FROM flights WHERE a IN (SELECT a FROM read_ipc('x'))",
            "SELECT * FROM others",
            "SELECT * FROM '/etc/passwd'",
            "SELEC",
        ] {
            assert!(check_one(text).is_err(), "{text}");
        }
        assert!(check_one(&format!("SELECT {}1 FROM flights", "1+".repeat(10_000))).is_err());
        assert!(check_one(&format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000))).is_err());
    }
}
