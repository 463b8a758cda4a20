//! Where each column's nodes and buffers start, so that columns are decoded by themselves, or skipped.
#![warn(clippy::wildcard_enum_match_arm)]

use floe_format::{BatchHeader, DataType, Error, Field, Result, UnionMode, Version};

/// Nodes, buffers and variadic counts that a field takes in a record batch. Variadic buffers come on top of `buffers`:
/// the batch states their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LayoutCounts {
    /// Field nodes.
    pub nodes: usize,
    /// Buffers, variadic ones left out.
    pub buffers: usize,
    /// Entries of the variadic counts.
    pub variadic: usize,
}

impl LayoutCounts {
    /// The counts of `field`, its children included.
    #[must_use]
    pub fn of(field: &Field, version: Version) -> Self {
        if field.dictionary.is_some() {
            return Self { nodes: 1, buffers: 2, variadic: 0 };
        }
        Self::of_values(field, version)
    }

    /// The counts of `field`'s values, whether or not it is dictionary encoded: those of a dictionary batch of it.
    #[must_use]
    pub fn of_values(field: &Field, version: Version) -> Self {
        let (buffers, variadic) = match &field.data_type {
            DataType::Null => (0, 0),
            // Before 1.0 every array but null had a validity buffer.
            DataType::RunEndEncoded => (usize::from(version == Version::V4), 0),
            DataType::Union { mode, .. } => {
                let validity = usize::from(version == Version::V4);
                (validity + if *mode == UnionMode::Dense { 2 } else { 1 }, 0)
            },
            DataType::Struct | DataType::FixedSizeList(_) => (1, 0),
            DataType::BinaryView | DataType::Utf8View => (2, 1),
            DataType::Binary
            | DataType::LargeBinary
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::ListView
            | DataType::LargeListView => (3, 0),
            DataType::Bool
            | DataType::Int(_)
            | DataType::Float(_)
            | DataType::Decimal { .. }
            | DataType::Date32
            | DataType::Date64
            | DataType::Time { .. }
            | DataType::Timestamp { .. }
            | DataType::Duration(_)
            | DataType::Interval(_)
            | DataType::FixedSizeBinary(_)
            | DataType::List
            | DataType::LargeList
            | DataType::Map { .. } => (2, 0),
        };
        let mut counts = Self { nodes: 1, buffers, variadic };
        for child in &field.children {
            let child = Self::of(child, version);
            counts.nodes += child.nodes;
            counts.buffers += child.buffers;
            counts.variadic += child.variadic;
        }
        counts
    }
}

/// Where a column begins in the lists of a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColumnOffsets {
    /// Index of the first node.
    pub node: usize,
    /// Index of the first buffer.
    pub buffer: usize,
    /// Index of the first variadic count.
    pub variadic: usize,
}

impl ColumnOffsets {
    /// The start of what follows a field that takes `counts`.
    pub(super) fn behind(self, header: &BatchHeader, counts: LayoutCounts) -> Result<Self> {
        let end = self.variadic + counts.variadic;
        let variadic = header.variadic.get(self.variadic..end).ok_or_else(|| {
            let have = header.variadic.len();
            Error::invalid(format!(
                "the schema needs {end} variadic buffer counts or more, the batch has {have}"
            ))
        })?;
        let own = variadic.iter().fold(counts.buffers, |sum, count| sum.saturating_add(*count));
        Ok(Self { node: self.node + counts.nodes, buffer: self.buffer.saturating_add(own), variadic: end })
    }
}

/// The start of every column of a batch, and behind them the end of the last.
///
/// # Errors
/// When the batch has fewer (or more) nodes or buffers than the schema needs.
pub fn column_offsets(header: &BatchHeader, counts: &[LayoutCounts]) -> Result<Vec<ColumnOffsets>> {
    let mut at = ColumnOffsets::default();
    let mut starts = Vec::with_capacity(counts.len() + 1);
    starts.push(at);
    for counts in counts {
        at = at.behind(header, *counts)?;
        starts.push(at);
    }
    if at.node != header.nodes.len() || at.buffer != header.buffers.len() {
        return Err(Error::invalid(format!(
            "the schema needs {} field nodes and {} buffers, the batch has {} and {}",
            at.node,
            at.buffer,
            header.nodes.len(),
            header.buffers.len()
        )));
    }
    Ok(starts)
}
