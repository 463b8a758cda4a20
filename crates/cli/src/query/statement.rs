//! SQL, looked through before Polars sees it: only queries, tables that are files, names for all columns.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use floe::lazy::LazyIpcPrune;
use polars_lazy::prelude::LazyFrame;
use polars_sql::SQLContext;
use sqlparser::ast::{
    Expr, Ident, ObjectName, OrderByKind, Query as Parsed, Select, SelectItem, SetExpr, Statement,
    TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};

use super::table::{Table, table};
use crate::error::{Failure, Result, without_methods};
use crate::input::is_many;

/// A query whose tables are there.
#[derive(Debug)]
pub(crate) struct Query {
    /// As Polars is to see it.
    text: String,
    /// The names of the tables, and their paths.
    tables: Vec<(String, PathBuf)>,
}

/// A query that can be run.
pub(crate) struct Planned {
    pub(crate) lf: LazyFrame,
    /// Input from pipes is in temporary files, which go with these.
    _tables: Vec<Table>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let options = ParserOptions { trailing_commas: true, ..Default::default() };
        let statements = Parser::new(&GenericDialect)
            .with_options(options)
            .try_with_sql(text)
            .and_then(|mut parser| parser.parse_statements())
            .map_err(|error| Failure::new(syntax(&error.to_string())))?;
        let mut statement = match <[Statement; 1]>::try_from(statements) {
            Ok([statement]) => statement,
            Err(statements) if statements.is_empty() => return Err(Failure::new("SQL: there is no query")),
            Err(_) => return Err(Failure::new("SQL: one query at a time")),
        };
        if !matches!(statement, Statement::Query(_)) {
            return Err(only_queries(&statement));
        }
        let mut ctes = Ctes::default();
        if let ControlFlow::Break(failure) = statement.visit(&mut ctes) {
            return Err(failure);
        }
        let mut tables = Tables { ctes: ctes.0, found: Vec::new() };
        if let ControlFlow::Break(failure) = statement.visit(&mut tables) {
            return Err(failure);
        }
        let _ = VisitMut::visit(&mut statement, &mut Names);
        Ok(Self { text: statement.to_string(), tables: tables.found })
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
        let lf = context.execute(&self.text).map_err(|error| match Failure::from(error) {
            Failure::Message(text) => Failure::new(format!("SQL: {text}")),
            other => other,
        })?;
        Ok(Planned { lf, _tables: tables })
    }
}

impl Planned {
    /// The plan after all that Polars and floe's scans make better.
    pub(crate) fn explain(&self) -> Result<String> {
        Ok(self.lf.clone().prune_ipc().explain(true)?)
    }
}

/// The table that is standard input.
const STDIN: &str = "stdin";

/// The parser's message, without its own name.
fn syntax(text: &str) -> String {
    let text = text.strip_prefix("sql parser error: ").unwrap_or(text);
    format!("SQL: {}", without_methods(text))
}

fn only_queries(statement: &Statement) -> Failure {
    let text = statement.to_string();
    let word = text.split_whitespace().next().unwrap_or_default().to_uppercase();
    Failure::new(match word.as_str() {
        "EXPLAIN" => "SQL: `floe sql --explain` shows how a query would run".to_owned(),
        word => format!("SQL: {word}: only queries are answered, nothing is changed"),
    })
}

/// The names of common table expressions; anything but a query is refused.
#[derive(Default)]
struct Ctes(BTreeSet<String>);

impl Visitor for Ctes {
    type Break = Failure;

    fn pre_visit_query(&mut self, query: &Parsed) -> ControlFlow<Failure> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.0.extend(ctes.map(|cte| cte.alias.name.value.clone()));
        check_body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Failure> {
        match &select.into {
            Some(_) => {
                ControlFlow::Break(Failure::new("SQL: SELECT INTO: `-o OUT` writes the answer to a file"))
            },
            None => ControlFlow::Continue(()),
        }
    }
}

fn check_body(body: &SetExpr) -> ControlFlow<Failure> {
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
        SetExpr::Table(_) => ControlFlow::Break(Failure::new("SQL: TABLE: say SELECT * FROM 'FILE'")),
    }
}

/// The tables that are no common table expressions: each has to be a file.
struct Tables {
    ctes: BTreeSet<String>,
    found: Vec<(String, PathBuf)>,
}

impl Visitor for Tables {
    type Break = Failure;

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Failure> {
        let TableFactor::Table { name, args, .. } = factor else { return ControlFlow::Continue(()) };
        if args.is_some() {
            let text = format!(
                "SQL: {name}(): files are tables by their quoted names, as in FROM 'flights.parquet'"
            );
            return ControlFlow::Break(Failure::new(text));
        }
        match self.check(name) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => ControlFlow::Break(failure),
        }
    }
}

impl Tables {
    fn check(&mut self, name: &ObjectName) -> Result<()> {
        let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let joined = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
        let is_quoted = parts.iter().all(|part| part.quote_style.is_some());
        let path = Path::new(&joined);
        let is_there = path.exists() || is_many(path);
        if let [only] = parts.as_slice() {
            let is_stdin = !is_quoted && only.value.eq_ignore_ascii_case(STDIN);
            if self.ctes.contains(&only.value) {
                return Ok(());
            }
            if is_stdin || (is_quoted && is_there) {
                let table = (only.value.clone(), PathBuf::from(if is_stdin { "-" } else { &joined }));
                if !self.found.contains(&table) {
                    self.found.push(table);
                }
                return Ok(());
            }
        }
        Err(Failure::new(match (is_quoted, is_there) {
            (true, _) => format!("{joined}: no such file, which the query has as a table"),
            (false, true) => {
                format!("SQL: names of files are quoted: write FROM '{joined}' instead of FROM {joined}")
            },
            (false, false) => format!(
                "SQL: there is no table {joined}, and no file of this name: files are tables by their quoted names, as \
                 in FROM 'flights.arrow', and `stdin` is standard input"
            ),
        }))
    }
}

/// Gives columns the text of their expressions as names, where they have none: Polars would call `count(*)` `len`, and
/// both `min(a)` and `max(a)` `a`.
struct Names;

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Parsed) -> ControlFlow<()> {
        name_query(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && needs_name(expr)
            {
                let alias = Ident::with_quote('"', expr.to_string());
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        }
        ControlFlow::Continue(())
    }
}

/// Columns and fields have names; what may become several columns gets them from those.
fn needs_name(expr: &Expr) -> bool {
    struct Several;
    impl Visitor for Several {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("columns") => {
                    ControlFlow::Break(())
                },
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => false,
        Expr::Nested(inner) => needs_name(inner),
        expr => expr.visit(&mut Several).is_continue(),
    }
}

/// `ORDER BY count(*)` is about the column that has this expression.
fn name_query(query: &mut Parsed) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let Some(order) = &mut query.order_by else { return };
    let OrderByKind::Expressions(by) = &mut order.kind else { return };
    for by in by {
        let text = by.expr.to_string();
        let named = select.projection.iter().find_map(|item| match item {
            SelectItem::UnnamedExpr(expr) if needs_name(expr) && expr.to_string() == text => {
                Some(Ident::with_quote('"', text.clone()))
            },
            SelectItem::ExprWithAlias { expr, alias } if needs_name(expr) && expr.to_string() == text => {
                Some(alias.clone())
            },
            _ => None,
        });
        if let Some(name) = named {
            by.expr = Expr::Identifier(name);
        }
    }
}
