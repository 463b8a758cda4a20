//! Answers as text, and whether two are the same.

use std::collections::BTreeMap;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::Result;

/// The relative difference of two floats that count as equal: engines add in different orders.
const TOLERANCE: f64 = 1e-9;

/// Rows of cells, in the order of the names of their columns; none is null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer(pub(crate) Vec<Vec<Option<String>>>);

impl Answer {
    /// Of record batches.
    pub(crate) fn of_batches(batches: &[RecordBatch]) -> Result<Self> {
        let options = FormatOptions::default();
        let mut rows = Vec::new();
        for batch in batches {
            let schema = batch.schema();
            let mut places: Vec<usize> = (0..batch.num_columns()).collect();
            places.sort_by_key(|place| schema.field(*place).name().clone());
            let batch = batch.project(&places)?;
            let columns =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
            let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let cell =
                    |(formatter, column): (&ArrayFormatter<'_>, &datafusion::arrow::array::ArrayRef)| {
                        (!column.is_null(row)).then(|| formatter.value(row).to_string())
                    };
                rows.push(columns.iter().zip(batch.columns()).map(cell).collect());
            }
        }
        Ok(Self(rows))
    }

    /// Of lines that are JSON objects.
    pub(crate) fn of_json_lines(text: &str) -> Result<Self> {
        let mut rows = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let row: BTreeMap<String, serde_json::Value> = serde_json::from_str(line)?;
            let cell = |value: serde_json::Value| match value {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text),
                other => Some(other.to_string()),
            };
            rows.push(row.into_values().map(cell).collect());
        }
        Ok(Self(rows))
    }

    /// Whether two answers are the same, but for the last digits of floats.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let alike = |(a, b): (&Vec<Option<String>>, &Vec<Option<String>>)| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| cells_alike(a.as_deref(), b.as_deref()))
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(alike)
    }

    /// A row as text.
    pub(crate) fn row(&self, at: usize) -> String {
        let Some(row) = self.0.get(at) else { return "(no row)".to_owned() };
        let cells: Vec<&str> = row.iter().map(|cell| cell.as_deref().unwrap_or("null")).collect();
        cells.join(" ")
    }
}

fn cells_alike(a: Option<&str>, b: Option<&str>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a == b };
    if a == b {
        return true;
    }
    // Integers are equal as text or not at all.
    if a.parse::<i128>().is_ok() && b.parse::<i128>().is_ok() {
        return false;
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(cell: &str) -> Answer {
        Answer(vec![vec![Some(cell.to_owned())]])
    }

    #[test]
    fn floats_may_differ_in_their_last_digits_and_nothing_else_may() {
        assert!(one("0.30000000000000004").is_like(&one("0.3")));
        assert!(one("12").is_like(&one("12.0")));
        assert!(!one("12").is_like(&one("13")));
        assert!(!one("9007199254740993").is_like(&one("9007199254740992")));
        assert!(!one("0.31").is_like(&one("0.3")));
        assert!(!one("AIR").is_like(&one("SHIP")));
        assert!(!one("0").is_like(&Answer(vec![vec![None]])));
        assert!(!one("0").is_like(&Answer(vec![])));
    }

    #[test]
    fn columns_are_in_the_order_of_their_names() -> Result<()> {
        let answer = Answer::of_json_lines("{\"z\":1,\"a\":\"x\",\"m\":null}\n")?;
        assert_eq!(answer, Answer(vec![vec![Some("x".to_owned()), None, Some("1".to_owned())]]));
        Ok(())
    }
}
