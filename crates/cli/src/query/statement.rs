//! SQL over files: the tables of a query are files by their quoted names.

use std::path::{Path, PathBuf};

use floe::lazy::LazyIpcPrune;
use floe_query::{SqlError, SqlErrorKind, Statement, TableName};
use polars_lazy::prelude::LazyFrame;
use polars_sql::SQLContext;

use super::table::{Table, table};
use crate::error::{Failure, Result, without_methods};
use crate::input::is_many;

/// A query whose tables are there.
#[derive(Debug)]
pub(crate) struct Query {
    statement: Statement,
    /// The names of the tables, and their paths.
    tables: Vec<(String, PathBuf)>,
}

/// A query that can be run.
pub(crate) struct Planned {
    pub(crate) lf: LazyFrame,
    /// Input from pipes is in temporary files, which go with these.
    tables: Vec<Table>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let statement = Statement::parse(text)?;
        let tables = statement.tables().iter().map(path_of).collect::<Result<_>>()?;
        Ok(Self { statement, tables })
    }

    /// The query over its files.
    pub(crate) fn plan(&self) -> Result<Planned> {
        let mut context = SQLContext::new();
        let mut tables = Vec::new();
        for (name, path) in &self.tables {
            let found = table(std::slice::from_ref(path))?;
            context.register(name, found.lf.clone());
            tables.push(found);
        }
        let lf = context.execute(self.statement.text()).map_err(|error| match Failure::from(error) {
            Failure::Message(text) => Failure::new(format!("SQL: {text}")),
            other => other,
        })?;
        Ok(Planned { lf, tables })
    }
}

impl Planned {
    /// The files that are not Arrow IPC.
    pub(crate) fn others(&self) -> Vec<String> {
        self.tables.iter().flat_map(|table| table.others.clone()).collect()
    }

    /// The plan after all that Polars and floe's scans make better.
    pub(crate) fn explain(&self) -> Result<String> {
        Ok(self.lf.clone().prune_ipc().explain(true)?)
    }
}

/// Messages that name options of the command.
impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::new(match &error.kind {
            SqlErrorKind::NotAQuery(word) if word == "EXPLAIN" => {
                "SQL: `floe sql --explain` shows how a query would run".into()
            },
            SqlErrorKind::NotAQuery(word) if word == "TABLE" => "SQL: TABLE: say SELECT * FROM 'FILE'".into(),
            SqlErrorKind::Into => "SQL: SELECT INTO: `-o OUT` writes the answer to a file".into(),
            SqlErrorKind::TableFunction(name) => {
                format!("SQL: {name}(): files are tables by their quoted names, as in FROM 'flights.parquet'")
            },
            _ => without_methods(&error.message),
        })
    }
}

/// The table that is standard input.
const STDIN: &str = "stdin";

/// A table's name, and the path that it is.
fn path_of(table: &TableName) -> Result<(String, PathBuf)> {
    let TableName { name, parts, is_quoted } = table;
    let path = Path::new(name);
    let is_there = path.exists() || is_many(path);
    if *parts == 1 {
        let is_stdin = !is_quoted && name.eq_ignore_ascii_case(STDIN);
        if is_stdin || (*is_quoted && is_there) {
            return Ok((name.clone(), PathBuf::from(if is_stdin { "-" } else { name })));
        }
    }
    Err(Failure::new(match (is_quoted, is_there) {
        (true, _) => format!("{name}: no such file, which the query has as a table"),
        (false, true) => {
            format!("SQL: names of files are quoted: write FROM '{name}' instead of FROM {name}")
        },
        (false, false) => format!(
            "SQL: there is no table {name}, and no file of this name: files are tables by their quoted names, as in \
             FROM 'flights.arrow', and `stdin` is standard input"
        ),
    }))
}
