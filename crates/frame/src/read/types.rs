//! The types of a source's columns, where there is a choice.

pub use floe_array::decode::Unrepresentable;

/// Columns whose text is read as bytes, of dtype Binary: for writers whose text is not UTF-8, which is an error
/// otherwise. A column's dtype is known before its values, so it is the caller who says which ones.
///
/// All text in such a column is meant, also that in lists, structs and dictionaries (which do not become categories
/// then). Columns without text stay as they are. Columns that share a dictionary have to be named together, or read apart.
///
/// ```
/// use floe_frame::TextAsBinary;
///
/// assert_eq!(TextAsBinary::from(["a", "b"]), TextAsBinary::Columns(vec!["a".into(), "b".into()]));
/// assert_eq!(TextAsBinary::from(true), TextAsBinary::All);
/// assert_eq!(TextAsBinary::default(), TextAsBinary::None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TextAsBinary {
    /// None: text is String, and is checked.
    #[default]
    None,
    /// All of them.
    All,
    /// Those of these names, as they are in the DataFrame. A name that no column has is an error.
    Columns(Vec<String>),
}

impl TextAsBinary {
    /// Whether it is said of a column.
    pub(crate) fn has(&self, column: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Columns(names) => names.iter().any(|name| name == column),
        }
    }
}

impl From<bool> for TextAsBinary {
    fn from(all: bool) -> Self {
        if all { Self::All } else { Self::None }
    }
}

impl<T: Into<String>> From<Vec<T>> for TextAsBinary {
    fn from(names: Vec<T>) -> Self {
        Self::Columns(names.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for TextAsBinary {
    fn from(names: [T; N]) -> Self {
        Self::Columns(names.into_iter().map(Into::into).collect())
    }
}

/// The types of a source's columns, where there is a choice: for [`IpcIndex`](crate::IpcIndex), as the readers' methods
/// of the same names say it.
///
/// ```
/// use floe_frame::{IpcIndex, IpcLimits, IpcWriter, TypeOptions, Unrepresentable};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut df = DataFrame::new(1, vec![Column::new("s".into(), ["text"])])?;
/// let mut bytes = Vec::new();
/// IpcWriter::new(&mut bytes).finish(&mut df)?;
/// let types = TypeOptions::default().with_text_as_binary(["s"]).with_unrepresentable(Unrepresentable::Null);
/// let index = IpcIndex::from_bytes_with_types(bytes, IpcLimits::default(), types)?;
/// assert_eq!(index.schema(None)?.get("s"), Some(&DataType::Binary));
/// # PolarsResult::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct TypeOptions {
    pub(crate) text_as_binary: TextAsBinary,
    pub(crate) unrepresentable: Unrepresentable,
}

impl TypeOptions {
    /// Read the text of these columns as Binary.
    ///
    /// ```
    /// use floe_frame::TypeOptions;
    ///
    /// let types = TypeOptions::default().with_text_as_binary(["name"]);
    /// # let _ = types;
    /// ```
    pub fn with_text_as_binary(mut self, columns: impl Into<TextAsBinary>) -> Self {
        self.text_as_binary = columns.into();
        self
    }

    /// How values are read that Polars has no place for. Defaults to an error.
    ///
    /// ```
    /// use floe_frame::{TypeOptions, Unrepresentable};
    ///
    /// let types = TypeOptions::default().with_unrepresentable(Unrepresentable::String);
    /// # let _ = types;
    /// ```
    pub fn with_unrepresentable(mut self, unrepresentable: Unrepresentable) -> Self {
        self.unrepresentable = unrepresentable;
        self
    }
}
