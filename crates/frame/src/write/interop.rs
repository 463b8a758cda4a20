//! Frames as every engine can query them: what `with_interop` writes.
//!
//! Engines beside Polars read Arrow IPC files, and then fail in the query: some cannot sort or group dictionaries, or filter
//! views, and none has integers of 128 bits. So categoricals and enums become strings at every depth, strings have
//! offsets, and 128-bit integers are refused before anything is written. `docs/engines.md` has the table this follows from.

use std::borrow::Cow;

use polars_core::prelude::*;

/// How frames are changed before they are written.
pub(super) struct Interop {
    /// The schema of the frames that are given.
    pub(super) given: SchemaRef,
    /// The schema of the frames that are written.
    pub(super) written: SchemaRef,
    /// The columns that are turned into something else.
    changed: Vec<usize>,
}

impl Interop {
    /// # Errors
    /// Names the columns that hold 128-bit integers, and those of which Polars casts no value.
    pub(super) fn new(given: &SchemaRef) -> PolarsResult<Self> {
        let named = |is_such: fn(&DataType) -> bool| {
            let such = given.iter().filter(|(_, dtype)| is_such(dtype));
            such.map(|(name, dtype)| format!("\"{name}\" ({dtype})")).collect::<Vec<_>>()
        };
        let refused = named(holds_128_bits);
        polars_ensure!(
            refused.is_empty(),
            InvalidOperation: "no other engine reads 128-bit integers; cast to Int64, Decimal or String before \
             writing with interop: {}", refused.join(", ")
        );
        let refused = named(is_fixed);
        polars_ensure!(
            refused.is_empty(),
            InvalidOperation: "Polars cannot cast categoricals of extension types; take their storage before writing \
             with interop: {}", refused.join(", ")
        );
        let mut written = Schema::with_capacity(given.len());
        let mut changed = Vec::new();
        for (i, (name, dtype)) in given.iter().enumerate() {
            let becomes = as_written(dtype);
            if becomes != *dtype {
                changed.push(i);
            }
            written.insert(name.clone(), becomes);
        }
        Ok(Self { given: given.clone(), written: Arc::new(written), changed })
    }

    /// The frame that is written for one that has the schema `given`.
    ///
    /// # Errors
    /// When Polars cannot cast a column, which names it.
    pub(super) fn convert<'a>(&self, df: &'a DataFrame) -> PolarsResult<Cow<'a, DataFrame>> {
        if self.changed.is_empty() {
            return Ok(Cow::Borrowed(df));
        }
        let mut columns = df.columns().to_vec();
        for &i in &self.changed {
            if let (Some(column), Some((name, dtype))) = (columns.get_mut(i), self.written.get_at_index(i)) {
                let cast = column.strict_cast(dtype);
                *column = cast.map_err(|e| e.wrap_msg(|msg| format!("column \"{name}\": {msg}")))?;
            }
        }
        DataFrame::new(df.height(), columns).map(Cow::Owned)
    }
}

/// The dtype that a dtype is written as.
fn as_written(dtype: &DataType) -> DataType {
    dtype.clone().map_leaves(&mut |leaf| match leaf {
        #[cfg(feature = "dtype-categorical")]
        DataType::Categorical(..) | DataType::Enum(..) => DataType::String,
        leaf => leaf,
    })
}

/// Whether a dtype is an extension type of what would have to be cast, or has one within.
fn is_fixed(dtype: &DataType) -> bool {
    match dtype {
        #[cfg(feature = "dtype-extension")]
        DataType::Extension(_, storage) => as_written(storage) != **storage,
        #[cfg(feature = "dtype-array")]
        DataType::Array(inner, _) => is_fixed(inner),
        #[cfg(feature = "dtype-struct")]
        DataType::Struct(fields) => fields.iter().any(|field| is_fixed(field.dtype())),
        DataType::List(inner) => is_fixed(inner),
        _ => false,
    }
}

/// Whether a dtype is one of 128-bit integers, or has one within.
fn holds_128_bits(dtype: &DataType) -> bool {
    let mut found = false;
    let _ = dtype.clone().map_leaves(&mut |leaf| {
        found |= match leaf {
            #[cfg(feature = "dtype-i128")]
            DataType::Int128 => true,
            #[cfg(feature = "dtype-u128")]
            DataType::UInt128 => true,
            _ => false,
        };
        leaf
    });
    found
}
