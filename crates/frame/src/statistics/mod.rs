//! Smallest and largest value and null count of each column of a batch, in the batch's metadata.
//!
//! Readers that do not know the key ignore it; floe's scans skip batches by it. Text that is read comes from outside,
//! so it counts only if it is bound to the very batch it stands with:
//!
//! ```text
//!   floe:statistics = <hash of the rest, 16 hex digits>:
//!     {"batch":0,"rows":3,"schema":"<hash>","columns":[[nulls,"<fingerprint>","min","max"], ..]}
//! ```
//!
//! `batch` is the batch's number, and `schema` a hash of the columns' names and types. Each column's `fingerprint` is a
//! hash of its field nodes, its buffers' lengths and samples of their bytes ([`fingerprint`]). So statistics that were
//! edited, moved to another batch, or kept by a tool that rewrote the batch are ignored. The remaining risk is a
//! forgery of text, hash and fingerprints alike, or a change of values only between the samples that keeps every
//! length. That is no accident, and a reader that must not trust its source can choose not to use statistics.
//!
//! A file's footer repeats the texts of all batches, one per line.
//!
//! Bounds are text: numbers in decimal (of temporal types and decimals the stored integer), floats
//! as Rust prints them, strings as they are but for long ones ([`bounds`]).
//!
//! Neighbours: [`write`](crate::write) makes them, the readers' index checks them.

pub(crate) mod bounds;
mod fingerprint;

pub(crate) use fingerprint::{fingerprint, schema_fingerprint};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

/// The metadata key, of batches and of footers.
pub(crate) const KEY: &str = "floe:statistics";

/// One column of one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ColumnStatistics {
    pub(crate) nulls: usize,
    /// The hash that binds the rest to the column's bytes.
    pub(crate) fingerprint: u64,
    /// No value that is not null is below.
    pub(crate) min: Option<String>,
    /// No value that is not null is above.
    pub(crate) max: Option<String>,
}

/// One batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BatchStatistics {
    /// Its number in the stream or file.
    pub(crate) batch: usize,
    pub(crate) rows: usize,
    /// Hash of the schema.
    pub(crate) schema: u64,
    pub(crate) columns: Vec<ColumnStatistics>,
}

impl BatchStatistics {
    /// The text that goes into the metadata.
    pub(crate) fn to_text(&self) -> String {
        let Self { batch, rows, schema, columns } = self;
        let column = |c: &ColumnStatistics| json!([c.nulls, hex(c.fingerprint), c.min, c.max]);
        let columns: Vec<Value> = columns.iter().map(column).collect();
        let text = json!({ "batch": batch, "rows": rows, "schema": hex(*schema), "columns": columns });
        let text = text.to_string();
        format!("{}:{text}", hex(xxh3_64(text.as_bytes())))
    }

    /// The contents of a text, if it is whole. Whether it is about the batch at hand is for the caller to check.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let (hash, text) = text.split_once(':')?;
        if from_hex(hash)? != xxh3_64(text.as_bytes()) {
            return None;
        }
        let value: Value = serde_json::from_str(text).ok()?;
        let number = |value: &Value| usize::try_from(value.as_u64()?).ok();
        let bound = |value: &Value| match value {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text.clone())),
            _ => None,
        };
        let column = |value: &Value| match value.as_array()?.as_slice() {
            [nulls, fingerprint, min, max] => Some(ColumnStatistics {
                nulls: number(nulls)?,
                fingerprint: from_hex(fingerprint.as_str()?)?,
                min: bound(min)?,
                max: bound(max)?,
            }),
            _ => None,
        };
        Some(Self {
            batch: number(value.get("batch")?)?,
            rows: number(value.get("rows")?)?,
            schema: from_hex(value.get("schema")?.as_str()?)?,
            columns: value.get("columns")?.as_array()?.iter().map(column).collect::<Option<_>>()?,
        })
    }
}

fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

fn from_hex(text: &str) -> Option<u64> {
    (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> BatchStatistics {
        let min = Some("a \"quoted\": line\n".to_owned());
        let full = ColumnStatistics { nulls: 3, fingerprint: u64::MAX, min, max: Some("é".to_owned()) };
        BatchStatistics { batch: 7, rows: 12, schema: 5, columns: vec![full, ColumnStatistics::default()] }
    }

    #[test]
    fn texts_come_back() {
        let text = example().to_text();
        assert!(!text.contains('\n'), "a line of the footer");
        assert_eq!(BatchStatistics::from_text(&text), Some(example()));
    }

    #[test]
    fn any_edit_is_noticed() {
        let text = example().to_text();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(edited) = String::from_utf8(bytes) {
                assert_eq!(BatchStatistics::from_text(&edited), None, "{edited}");
            }
        }
        assert_eq!(BatchStatistics::from_text(""), None);
        assert_eq!(BatchStatistics::from_text(&text[..text.len() - 1]), None);
    }

    #[test]
    fn whole_texts_of_another_shape_are_ignored() {
        for text in [
            "{}",
            "[]",
            "null",
            "{\"batch\":-1}",
            "{\"batch\":0,\"rows\":1,\"schema\":\"0000000000000000\",\"columns\":[[0]]}",
        ] {
            let text = format!("{}:{text}", hex(xxh3_64(text.as_bytes())));
            assert_eq!(BatchStatistics::from_text(&text), None, "{text}");
        }
    }
}
