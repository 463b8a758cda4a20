//! Queries, looked through before Polars sees them: only queries, and only over tables that are registered.
//!
//! Polars' SQL has functions that read files, and statements that change tables. A client must not reach either.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, Query, Select, SetExpr, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};

use crate::error::{FlightError, FlightResult};

/// Checks that a text is one query over tables of these names.
pub(super) fn check(text: &str, tables: &BTreeSet<String>) -> FlightResult<()> {
    // As Polars parses it.
    let options = ParserOptions { trailing_commas: true, ..Default::default() };
    let statements = Parser::new(&GenericDialect)
        .with_options(options)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| FlightError::invalid(format!("SQL: {error}")))?;
    let [statement] = statements.as_slice() else {
        let text = if statements.is_empty() { "there is no query" } else { "one query at a time" };
        return Err(FlightError::invalid(format!("SQL: {text}")));
    };
    if !matches!(statement, Statement::Query(_)) {
        return Err(only_queries(statement));
    }
    let mut ctes = Ctes::default();
    if let ControlFlow::Break(error) = statement.visit(&mut ctes) {
        return Err(error);
    }
    let mut names = Names { ctes: ctes.0, tables };
    match statement.visit(&mut names) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn only_queries(statement: &Statement) -> FlightError {
    let text = statement.to_string();
    let word = text.split_whitespace().next().unwrap_or_default().to_uppercase();
    FlightError::invalid(format!("SQL: {word}: only queries are answered, nothing is changed"))
}

/// The names of common table expressions; anything but a query is refused.
#[derive(Default)]
struct Ctes(BTreeSet<String>);

impl Visitor for Ctes {
    type Break = FlightError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<FlightError> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.0.extend(ctes.map(|cte| cte.alias.name.value.clone()));
        check_body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<FlightError> {
        match &select.into {
            Some(_) => {
                ControlFlow::Break(FlightError::invalid("SQL: SELECT INTO: only queries are answered"))
            },
            None => ControlFlow::Continue(()),
        }
    }
}

fn check_body(body: &SetExpr) -> ControlFlow<FlightError> {
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { left, right, .. } => {
            check_body(left)?;
            check_body(right)
        },
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => ControlFlow::Break(only_queries(statement)),
        SetExpr::Table(_) => {
            ControlFlow::Break(FlightError::invalid("SQL: TABLE: say SELECT * FROM the table"))
        },
    }
}

/// Checks where rows come from.
struct Names<'a> {
    ctes: BTreeSet<String>,
    tables: &'a BTreeSet<String>,
}

impl Visitor for Names<'_> {
    type Break = FlightError;

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<FlightError> {
        match factor {
            TableFactor::Table { name, args: None, .. } => self.check(name),
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } | TableFactor::UNNEST { .. } => {
                ControlFlow::Continue(())
            },
            other => {
                let text =
                    format!("SQL: {other}: rows come from tables and queries only, not from functions");
                ControlFlow::Break(FlightError::invalid(text))
            },
        }
    }
}

impl Names<'_> {
    fn check(&self, name: &ObjectName) -> ControlFlow<FlightError> {
        let parts: Vec<&str> =
            name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str()).collect();
        let name = parts.join(".");
        if self.ctes.contains(&name) || self.tables.contains(&name) {
            return ControlFlow::Continue(());
        }
        let known: Vec<&str> = self.tables.iter().map(String::as_str).take(20).collect();
        let text = match known.as_slice() {
            [] => format!("SQL: there is no table {name}; the server has none"),
            known => format!("SQL: there is no table {name}; there are: {}", known.join(", ")),
        };
        ControlFlow::Break(FlightError::not_found(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(text: &str) -> Result<(), String> {
        check(text, &BTreeSet::from(["flights".to_owned()])).map_err(|error| error.to_string())
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
    }
}
