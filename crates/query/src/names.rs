//! Names for the columns of a query that have none.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, Visit, VisitMut, Visitor,
    VisitorMut,
};

/// Gives columns the text of their expressions as names, where they have none: Polars would call `count(*)` `len`, and
/// both `min(a)` and `max(a)` `a`.
pub(crate) fn name_columns(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Names);
}

struct Names;

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
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
fn name_query(query: &mut Query) {
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
