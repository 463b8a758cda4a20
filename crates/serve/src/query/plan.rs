//! The LazyFrame of a request. Only queries get through, and only over tables of the catalog.

use std::sync::Arc;

use floe::lazy::LazyInterrupt;
use floe_query::{Statement, check_operators, check_predicate};
use polars_core::prelude::*;
use polars_lazy::prelude::*;
use polars_sql::SQLContext;

use super::request::{Asked, Selection};
use super::state::Query;
use crate::catalog::Catalog;
use crate::error::{ApiError, Result};

/// Plans a query. All of its tables, and its result, end with an error once it is cancelled.
pub(super) fn plan(
    catalog: &Catalog,
    asked: &Asked,
    limit: Option<u64>,
    query: &Arc<Query>,
) -> Result<LazyFrame> {
    let lf = match asked {
        Asked::Sql(sql) => of_sql(catalog, sql, query).map_err(|error| error.placed(sql))?,
        Asked::Table(selection) => of_table(catalog, selection, query)?,
    };
    Ok(interruptible(limited(lf, limit), query))
}

fn of_sql(catalog: &Catalog, sql: &str, query: &Arc<Query>) -> Result<LazyFrame> {
    if sql.len() > catalog.limits().request_bytes {
        let most = catalog.limits().request_bytes;
        return Err(ApiError::new(
            axum::http::StatusCode::PAYLOAD_TOO_LARGE,
            "sql_too_large",
            format!("the SQL has {} bytes, and {most} is the limit", sql.len()),
        ));
    }
    check_operators(sql, catalog.limits().sql_operators)?;
    let statement = Statement::parse(sql)?;
    let mut context = SQLContext::new();
    // Folders are read once, whatever the number of tables.
    let known = catalog.tables();
    for table in statement.tables() {
        // A dot that is not quoted parts a schema from a table: this catalog has no schemas.
        if table.parts != 1 {
            let error = ApiError::no_table(&table.name);
            let message = format!("{}; names with a dot in them are quoted", error.message);
            return Err(ApiError { message, ..error });
        }
        let found = known.iter().find(|known| known.name == table.name);
        let found = found.ok_or_else(|| ApiError::no_table(&table.name))?;
        context.register(&table.name, interruptible(catalog.frame_of(found)?.0, query));
    }
    Ok(context.execute(statement.text())?)
}

fn of_table(catalog: &Catalog, selection: &Selection, query: &Arc<Query>) -> Result<LazyFrame> {
    let Selection { table, columns, filter, sort } = selection;
    let mut lf = interruptible(catalog.frame(table)?, query);
    let schema = lf.collect_schema()?;
    let known = |name: &str| match schema.contains(name) {
        true => Ok(column(name)),
        false => Err(ApiError::bad_request("column_not_found", format!("{table:?} has no column {name:?}"))),
    };
    if let Some(text) = filter {
        check_operators(text, catalog.limits().sql_operators)?;
        check_predicate(text)?;
        lf = lf.filter(polars_sql::sql_expr(text)?);
    }
    if !sort.is_empty() {
        let by = sort.iter().map(|(name, _)| known(name)).collect::<Result<Vec<_>>>()?;
        let descending = sort.iter().map(|(_, descending)| *descending).collect();
        let options =
            SortMultipleOptions { descending, nulls_last: vec![true; by.len()], ..Default::default() };
        lf = lf.sort_by_exprs(by, options.with_maintain_order(true));
    }
    match columns {
        Some(columns) if columns.is_empty() => {
            Err(ApiError::bad_request("columns", "`columns` is empty: name some, or leave it out for all"))
        },
        Some(columns) => Ok(lf.select(columns.iter().map(|name| known(name)).collect::<Result<Vec<_>>>()?)),
        None => Ok(lf),
    }
}

/// A column by its name alone. `col` takes some names for patterns.
fn column(name: &str) -> Expr {
    Expr::Column(name.into())
}

fn limited(lf: LazyFrame, limit: Option<u64>) -> LazyFrame {
    match limit {
        Some(rows) => lf.limit(IdxSize::try_from(rows).unwrap_or(IdxSize::MAX)),
        None => lf,
    }
}

/// The same rows, with an error in their place once the query is cancelled. Joins in it end as well.
pub(super) fn interruptible(lf: LazyFrame, query: &Arc<Query>) -> LazyFrame {
    let query = Arc::clone(query);
    lf.interruptible(move || query.check())
}
