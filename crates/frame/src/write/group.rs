//! The tasks of a batch: some of its columns each.

use floe_array::encode::Remap;
use floe_codec::Compression;
use polars_core::prelude::*;

use super::batch::EncodedColumns;
use super::convert::Pieces;
use super::encode::{self, Encoding, column};
use super::plans::PlanRole;
use super::split::SplitQueue;
use super::statistics::column_statistics;
use crate::error::format_error;
use crate::pool::{Queue, executor};
use crate::schema::WriteSchema;

/// The inputs of encoding a batch, shared by its tasks.
pub(super) struct EncodeConfig {
    pub(super) schema: WriteSchema,
    pub(super) compression: Option<Compression>,
    pub(super) statistics: bool,
    pub(super) canonical_views: bool,
    pub(super) unreferenced_data: bool,
    pub(super) parallel: bool,
}

/// One column of a batch.
pub(super) struct ColumnPart {
    /// Its number in the schema.
    pub(super) column: usize,
    pub(super) pieces: Pieces,
    pub(super) role: PlanRole,
}

/// Puts columns together to groups of about `target` bytes each, given their sizes. A leader is a group of its own, since
/// tasks of other batches wait for it: nothing may come before it.
pub(super) fn grouped(
    parts: impl Iterator<Item = (ColumnPart, usize)>,
    target: usize,
) -> Vec<(Vec<ColumnPart>, usize)> {
    let mut groups: Vec<(Vec<ColumnPart>, usize)> = Vec::new();
    let mut is_open = false;
    for (part, size) in parts {
        let is_leader = matches!(part.role, PlanRole::Leader(_));
        match groups.last_mut() {
            Some((group, bytes)) if is_open && !is_leader => {
                group.push(part);
                *bytes += size;
            },
            _ => groups.push((vec![part], size)),
        }
        is_open = !is_leader && groups.last().is_some_and(|(_, bytes)| *bytes < target);
    }
    groups
}

/// Encodes some columns. `split` is the queue that takes a part of the work, and the number of the batch there.
pub(super) fn encode_group(
    group: Vec<ColumnPart>,
    config: &EncodeConfig,
    remaps: &[Option<Remap>],
    split: Option<(&Queue, u64)>,
) -> PolarsResult<EncodedColumns> {
    let mut out = EncodedColumns::default();
    for part in group {
        let split = split.map(|(queue, batch)| SplitQueue { queue, batch, column: part.column });
        out.append(encode_part(part, config, remaps, split)?);
    }
    Ok(out)
}

fn encode_part(
    part: ColumnPart,
    config: &EncodeConfig,
    remaps: &[Option<Remap>],
    split: Option<SplitQueue<'_>>,
) -> PolarsResult<EncodedColumns> {
    let ColumnPart { column: number, pieces, role } = part;
    let EncodeConfig { ref schema, compression, statistics, canonical_views, unreferenced_data, parallel } =
        *config;
    let (Some(field), Some((_, dtype))) =
        (schema.wire.fields.get(number), schema.polars.get_at_index(number))
    else {
        polars_bail!(ComputeError: "the schema has no column {number}");
    };
    if let (Pieces::Arrays(arrays), None, false) = (&pieces, compression, statistics) {
        let as_written = encode::pieces(field, arrays, parallel).transpose();
        if let Some(encoded) = as_written.or_else(|| encode::joined(field, arrays, unreferenced_data, split?))
        {
            return encoded.map_err(format_error);
        }
    }
    let array = pieces.join()?;
    let executor = executor(parallel);
    let encoding = Encoding { remaps, compression, canonical_views, unreferenced_data, executor };
    let mut encoded = column(field, &array, encoding, split, role).map_err(format_error)?;
    if statistics {
        encoded.statistics = vec![column_statistics(array.as_ref(), dtype, &encoded)];
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use floe_format::DataType as WireType;

    use super::super::dictionary_builder::dictionary_field;
    use super::super::plans::ColumnPlans;
    use super::*;

    #[test]
    fn columns_are_grouped_by_size_and_leaders_are_alone() {
        let mut plans = ColumnPlans::default();
        let mut groups = |sizes: &[usize], awaited: &[usize]| -> Vec<(Vec<usize>, usize)> {
            let part = |(i, size): (usize, &usize)| {
                let rows = if awaited.contains(&i) { 1_000_000 } else { 0 };
                let role = plans.role(i, &dictionary_field(WireType::Utf8View), rows);
                (ColumnPart { column: i, pieces: Pieces::Arrays(Vec::new()), role }, *size)
            };
            let groups = grouped(sizes.iter().enumerate().map(part), 100);
            let columns = |group: Vec<ColumnPart>| group.iter().map(|part| part.column).collect();
            groups.into_iter().map(|(group, bytes)| (columns(group), bytes)).collect()
        };
        assert_eq!(groups(&[], &[]), []);
        assert_eq!(groups(&[10, 90, 5, 300, 1], &[]), [(vec![0, 1], 100), (vec![2, 3], 305), (vec![4], 1)]);
        let awaited = groups(&[10, 20, 30, 40, 50], &[2, 3]);
        assert_eq!(awaited, [(vec![0, 1], 30), (vec![2], 30), (vec![3], 40), (vec![4], 50)]);
        assert_eq!(groups(&[10, 20, 30], &[2, 3]), [(vec![0, 1, 2], 60)], "they follow now");
    }
}
