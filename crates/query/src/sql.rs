//! SQL, looked through before Polars sees it: only queries, tables by name, names for all columns.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Ident, ObjectName, Query, Select, SetExpr, Statement as Parsed, TableFactor, Visit, Visitor,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::names::name_columns;

/// The reason why a text is no query that is answered.
///
/// ```
/// use floe_query::{SqlErrorKind, Statement};
///
/// let error = Statement::parse("SELECT a FROM t\n WHERE )").unwrap_err();
/// assert_eq!(error.kind, SqlErrorKind::Syntax);
/// assert_eq!(error.place.unwrap().0, 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// The kind of error.
    pub kind: SqlErrorKind,
    /// In one line.
    pub message: String,
    /// Line and column, from 1 on, where the parser knows them.
    pub place: Option<(u64, u64)>,
}

/// The kinds of [`SqlError`].
///
/// ```
/// use floe_query::{SqlErrorKind, Statement};
///
/// let error = Statement::parse("DROP TABLE t").unwrap_err();
/// assert_eq!(error.kind, SqlErrorKind::NotAQuery("DROP".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlErrorKind {
    /// It cannot be parsed.
    Syntax,
    /// There is no statement, or more than one.
    NotOne,
    /// A statement that would change something, by its first word.
    NotAQuery(String),
    /// `SELECT INTO`.
    Into,
    /// A function where a table stands, by its name.
    TableFunction(String),
    /// A common table expression and a table have the same name.
    NamedTwice(String),
    /// It has more operators than the caller allows.
    TooLarge,
}

impl SqlError {
    fn new(kind: SqlErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: None }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}

/// A table as a query names it.
///
/// ```
/// let statement = floe_query::Statement::parse("SELECT * FROM 'a.arrow' JOIN b.c USING (x)").unwrap();
/// assert_eq!(statement.tables()[0].name, "a.arrow");
/// assert!(statement.tables()[0].is_quoted && !statement.tables()[1].is_quoted);
/// assert_eq!(statement.tables()[1].parts, 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// Its parts, joined with dots.
    pub name: String,
    /// How many parts it has. Polars knows tables by names of one.
    pub parts: usize,
    /// Whether all of them are quoted.
    pub is_quoted: bool,
}

/// One query: it reads tables by their names, and does nothing else.
///
/// ```
/// let statement = floe_query::Statement::parse("select min(a), max(a) from t").unwrap();
/// assert!(statement.text().contains("min(a) AS \"min(a)\""));
/// ```
#[derive(Debug, Clone)]
pub struct Statement {
    text: String,
    tables: Vec<TableName>,
}

impl Statement {
    /// Parses a query, and checks all of its parts.
    ///
    /// # Errors
    /// When it is not one query, when a part of it changes something, or when a function stands for a table. Also when a
    /// common table expression has the name of a table of the same query: Polars would take the table for both.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        let mut statement = match <[Parsed; 1]>::try_from(parse_all(text)?) {
            Ok([statement]) => statement,
            Err(statements) if statements.is_empty() => {
                return Err(SqlError::new(SqlErrorKind::NotOne, "SQL: there is no query"));
            },
            Err(_) => return Err(SqlError::new(SqlErrorKind::NotOne, "SQL: one query at a time")),
        };
        if !matches!(statement, Parsed::Query(_)) {
            return Err(only_queries(&statement));
        }
        let mut tables = Tables::default();
        if let ControlFlow::Break(error) = statement.visit(&mut tables) {
            return Err(error);
        }
        let is_both = |table: &&TableName| table.parts == 1 && tables.expressions.contains(&table.name);
        if let Some(both) = tables.found.iter().find(is_both) {
            return Err(named_twice(&both.name));
        }
        name_columns(&mut statement);
        let named = statement.to_string();
        // sqlparser writes some literals without escaping their quotes, and the rest of such a literal would be SQL that
        // nobody has checked. Polars then gets the query as it came, and names its columns itself.
        let is_same = matches!(parse_all(&named).as_deref(), Ok([again]) if *again == statement);
        let text = if is_same { named } else { text.to_owned() };
        Ok(Self { text, tables: tables.found })
    }

    /// As Polars is to see it: its columns have names.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tables that are no common table expressions, each once. Register these alone: in Polars' SQL a registered table
    /// comes before a common table expression of its name.
    #[must_use]
    pub fn tables(&self) -> &[TableName] {
        &self.tables
    }
}

/// Parses as Polars does.
fn parse_all(text: &str) -> Result<Vec<Parsed>, SqlError> {
    let options = ParserOptions { trailing_commas: true, ..Default::default() };
    Parser::new(&GenericDialect)
        .with_options(options)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| syntax(&error.to_string()))
}

/// Checks that a text has at most `most` operators and keywords. Those may nest as deep as there are of them, and who
/// walks such an expression needs a stack of that depth.
///
/// ```
/// assert!(floe_query::check_operators("SELECT a + 1 FROM t WHERE b IN (1, 2, 3)", 100).is_ok());
/// assert!(floe_query::check_operators(&"1+".repeat(1000), 100).is_err());
/// ```
///
/// # Errors
/// When there are more, or the text has no tokens of SQL.
pub fn check_operators(text: &str, most: usize) -> Result<(), SqlError> {
    let tokens =
        Tokenizer::new(&GenericDialect, text).tokenize().map_err(|error| syntax(&error.to_string()))?;
    let is_operator = |token: &&Token| match token {
        Token::Word(word) => {
            word.keyword != sqlparser::keywords::Keyword::NoKeyword && word.quote_style.is_none()
        },
        Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::SemiColon => false,
        _ => true,
    };
    let count = tokens.iter().filter(is_operator).count();
    if count > most {
        let text = format!("SQL: it has {count} operators, keywords and brackets, and {most} is the limit");
        return Err(SqlError::new(SqlErrorKind::TooLarge, text));
    }
    Ok(())
}

/// Checks that a text is an expression over columns alone: no query inside of it.
///
/// ```
/// assert!(floe_query::check_predicate("a > 1 AND b LIKE 'x%'").is_ok());
/// assert!(floe_query::check_predicate("a IN (SELECT * FROM read_csv('x'))").is_err());
/// ```
///
/// # Errors
/// When it is none, or has a query in it.
pub fn check_predicate(text: &str) -> Result<(), SqlError> {
    struct NoQueries;
    impl Visitor for NoQueries {
        type Break = SqlError;

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<SqlError> {
            let text = "SQL: a filter is about columns, and has no query in it";
            ControlFlow::Break(SqlError::new(SqlErrorKind::NotAQuery("SELECT".into()), text))
        }
    }
    let options = ParserOptions { trailing_commas: true, ..Default::default() };
    let mut parser = Parser::new(&GenericDialect)
        .with_options(options)
        .try_with_sql(text)
        .map_err(|error| syntax(&error.to_string()))?;
    let expr = parser.parse_expr().map_err(|error| syntax(&error.to_string()))?;
    if parser.peek_token().token != Token::EOF {
        let rest = parser.peek_token().token.to_string();
        return Err(SqlError::new(SqlErrorKind::Syntax, format!("SQL: the expression goes on with {rest}")));
    }
    match expr.visit(&mut NoQueries) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Line and column of the first place where a text names something, from 1 on.
///
/// ```
/// assert_eq!(floe_query::position("SELECT a,\n  b FROM t", "b"), Some((2, 3)));
/// ```
#[must_use]
pub fn position(text: &str, name: &str) -> Option<(u64, u64)> {
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location().ok()?;
    let found = tokens.iter().find(|token| match &token.token {
        Token::Word(word) => word.value == name,
        Token::SingleQuotedString(value) | Token::DoubleQuotedString(value) => value == name,
        _ => false,
    })?;
    Some((found.span.start.line, found.span.start.column))
}

/// The parser's message, without its own name, and the place at its end.
fn syntax(text: &str) -> SqlError {
    let text = text.strip_prefix("sql parser error: ").unwrap_or(text).replace('\n', " ");
    let place = text.rfind("at Line: ").and_then(|at| {
        let (line, column) = text.get(at + "at Line: ".len()..)?.split_once(", Column: ")?;
        Some((line.parse().ok()?, column.trim().parse().ok()?))
    });
    SqlError { kind: SqlErrorKind::Syntax, message: format!("SQL: {text}"), place }
}

fn only_queries(statement: &Parsed) -> SqlError {
    let text = statement.to_string();
    let word = text.split_whitespace().next().unwrap_or_default().to_uppercase();
    let message = format!("SQL: {word}: only queries are answered, nothing is changed");
    SqlError::new(SqlErrorKind::NotAQuery(word), message)
}

fn check_body(body: &SetExpr) -> ControlFlow<SqlError> {
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
        SetExpr::Table(_) => ControlFlow::Break(SqlError::new(
            SqlErrorKind::NotAQuery("TABLE".into()),
            "SQL: TABLE: say SELECT * FROM the table",
        )),
    }
}

fn named_twice(name: &str) -> SqlError {
    let text = format!(
        "SQL: {name} is the name of a table and of an expression of WITH in one query; give the expression another name"
    );
    SqlError::new(SqlErrorKind::NamedTwice(name.to_owned()), text)
}

/// The tables that are no common table expressions; anything but a query is refused. Of all that may stand for a table,
/// names and queries may.
#[derive(Default)]
struct Tables {
    found: Vec<TableName>,
    /// The names of all common table expressions.
    expressions: BTreeSet<String>,
    /// Of the queries that are being visited, the outermost first.
    scopes: Vec<Scope>,
}

/// The common table expressions of a query.
#[derive(Default)]
struct Scope {
    /// Those that have been visited.
    visible: BTreeSet<String>,
    /// Those that have not, in their order. They are visited before all else in the query.
    coming: VecDeque<String>,
}

impl Visitor for Tables {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<SqlError> {
        let expressions = query.with.iter().flat_map(|with| &with.cte_tables);
        let names: VecDeque<String> = expressions.map(|cte| cte.alias.name.value.clone()).collect();
        self.expressions.extend(names.iter().cloned());
        let is_recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        let visible = if is_recursive { names.iter().cloned().collect() } else { BTreeSet::new() };
        self.scopes.push(Scope { visible, coming: names });
        check_body(&query.body)
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<SqlError> {
        self.scopes.pop();
        if let Some(around) = self.scopes.last_mut() {
            // The first queries within a query are its common table expressions.
            around.visible.extend(around.coming.pop_front());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<SqlError> {
        match &select.into {
            Some(_) => {
                ControlFlow::Break(SqlError::new(SqlErrorKind::Into, "SQL: SELECT INTO: nothing is changed"))
            },
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<SqlError> {
        let function = match factor {
            TableFactor::Table { name, args: None, .. } => {
                self.add(name);
                return ControlFlow::Continue(());
            },
            TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. } => return ControlFlow::Continue(()),
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => name.to_string(),
            other => other.to_string().split(['(', ' ']).next().unwrap_or_default().to_owned(),
        };
        let text = format!("SQL: {function}(): a function is no table, tables are had by their names");
        ControlFlow::Break(SqlError::new(SqlErrorKind::TableFunction(function), text))
    }
}

impl Tables {
    fn add(&mut self, name: &ObjectName) {
        let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        if let [only] = parts.as_slice()
            && self.scopes.iter().any(|scope| scope.visible.contains(&only.value))
        {
            return;
        }
        let table = TableName {
            name: parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("."),
            // A part that is no identifier is a function, which is no name.
            parts: name.0.len(),
            is_quoted: parts.iter().all(|part| part.quote_style.is_some()),
        };
        if !self.found.contains(&table) {
            self.found.push(table);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SqlErrorKind, Statement};

    #[test]
    fn expressions_of_with_are_no_tables_where_they_are_seen() {
        let tables = |text| {
            let statement = Statement::parse(text)?;
            Ok(statement.tables().iter().map(|table| table.name.clone()).collect::<Vec<_>>())
        };
        for (text, expected) in [
            (
                "WITH a AS (SELECT * FROM t), b AS (SELECT * FROM a) SELECT * FROM a JOIN b USING (x)",
                &["t"][..],
            ),
            ("WITH a AS (SELECT * FROM t) SELECT * FROM (SELECT * FROM a) AS x", &["t"]),
            ("WITH a AS (WITH b AS (SELECT * FROM t) SELECT * FROM b) SELECT * FROM a", &["t"]),
            ("SELECT * FROM t WHERE x IN (WITH a AS (SELECT x FROM u) SELECT x FROM a)", &["t", "u"]),
            ("WITH RECURSIVE a AS (SELECT * FROM t UNION ALL SELECT * FROM a) SELECT * FROM a", &["t"]),
        ] {
            let found: Result<Vec<String>, super::SqlError> = tables(text);
            assert_eq!(found.unwrap(), expected, "{text}");
        }
        for text in [
            "WITH t AS (SELECT * FROM t WHERE x > 1) SELECT * FROM t",
            "WITH a AS (SELECT * FROM t), t AS (SELECT * FROM a) SELECT * FROM t",
            "SELECT * FROM t WHERE x IN (WITH t AS (SELECT x FROM u) SELECT x FROM t)",
            "SELECT * FROM (WITH a AS (SELECT * FROM t) SELECT * FROM a) AS x JOIN a ON x.b = a.b",
        ] {
            let error = tables(text).unwrap_err();
            assert!(matches!(error.kind, SqlErrorKind::NamedTwice(_)), "{text}: {error}");
        }
    }

    #[test]
    fn what_polars_sees_is_what_was_checked() {
        // As sqlparser writes them, all but the last have a function as a table; the last is another text.
        for text in [
            "SELECT N'x'' AS a, b FROM read_csv(''t'') --'",
            "SELECT R'x'' AS a, b FROM read_csv(''t'') --'",
            "SELECT X'41'' AS a, b FROM read_csv(''t'') --'",
            r"SELECT '\'' AS a, b FROM read_csv($$t$$) --'",
            "SELECT 'two '''' quotes'",
        ] {
            assert_eq!(Statement::parse(text).map(|statement| statement.text), Ok(text.to_owned()));
        }
    }

    #[test]
    fn columns_without_names_get_them() {
        for (text, named) in [
            ("SELECT 'it''s'", r#"SELECT 'it''s' AS "'it''s'""#),
            ("select count(*), \"a b\" FROM t;", r#"SELECT count(*) AS "count(*)", "a b" FROM t"#),
            (r#"SELECT sum("a b") FROM t"#, r#"SELECT sum("a b") AS "sum(""a b"")" FROM t"#),
        ] {
            assert_eq!(Statement::parse(text).map(|statement| statement.text), Ok(named.to_owned()));
        }
    }
}
