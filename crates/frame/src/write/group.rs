//! What the tasks of a batch do: some of its columns each.

use floe_array::encode::Remap;
use floe_codec::Compression;
use polars_core::prelude::*;

use super::choices::Role;
use super::convert::Pieces;
use super::encode::{self, Apart, EncodedColumns, Encoding, column};
use super::statistics::column_statistics;
use crate::error::format_error;
use crate::pool::{Queue, executor};
use crate::schema::WriteSchema;

/// What encoding a batch needs, shared by its tasks.
pub(super) struct Plan {
    pub(super) schema: WriteSchema,
    pub(super) compression: Option<Compression>,
    pub(super) statistics: bool,
    pub(super) canonical_views: bool,
    pub(super) unreferenced_data: bool,
    pub(super) parallel: bool,
}

/// A column of a batch: which one, its rows, and what it has to do with those of other batches.
pub(super) type Part = (usize, Pieces, Role);

/// Columns with their sizes, put together to about `target` bytes each; but one that others wait for alone, so that
/// nothing comes before it.
pub(super) fn grouped(all: impl Iterator<Item = (Part, usize)>, target: usize) -> Vec<(Vec<Part>, usize)> {
    let mut groups: Vec<(Vec<Part>, usize)> = Vec::new();
    let mut is_open = false;
    for (part, size) in all {
        let is_awaited = matches!(part.2, Role::Finds(_));
        match groups.last_mut() {
            Some((group, bytes)) if is_open && !is_awaited => {
                group.push(part);
                *bytes += size;
            },
            _ => groups.push((vec![part], size)),
        }
        is_open = !is_awaited && groups.last().is_some_and(|(_, bytes)| *bytes < target);
    }
    groups
}

/// Encodes some columns. `apart` says where a part of the work may be left: in the queue, for the
/// batch of this number.
pub(super) fn encode_group(
    group: Vec<Part>,
    plan: &Plan,
    remaps: &[Option<Remap>],
    apart: Option<(&Queue, u64)>,
) -> PolarsResult<EncodedColumns> {
    let mut out = EncodedColumns::default();
    let Plan { compression, canonical_views, unreferenced_data, .. } = *plan;
    let executor = executor(plan.parallel);
    let encoding = Encoding { remaps, compression, canonical_views, unreferenced_data, executor };
    for (i, pieces, role) in group {
        let Some(field) = plan.schema.wire.fields.get(i) else { continue };
        let apart = apart.map(|(queue, batch)| Apart { queue, batch, column: i });
        if let (Pieces::Arrays(arrays), None, false) = (&pieces, plan.compression, plan.statistics) {
            let as_written = encode::pieces(field, arrays, plan.parallel).transpose();
            if let Some(encoded) =
                as_written.or_else(|| encode::joined(field, arrays, unreferenced_data, apart?))
            {
                out.append(encoded.map_err(format_error)?);
                continue;
            }
        }
        let array = pieces.join()?;
        let mut encoded = column(field, &array, encoding, apart, role).map_err(format_error)?;
        if let (true, Some((_, dtype))) = (plan.statistics, plan.schema.polars.get_at_index(i)) {
            encoded.statistics = vec![column_statistics(array.as_ref(), dtype, &encoded)];
        }
        out.append(encoded);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::choices::Choices;
    use super::super::dictionaries::dictionary_field;
    use super::*;

    #[test]
    fn columns_are_grouped_by_size_and_those_that_others_wait_for_are_alone() {
        let mut choices = Choices::default();
        let mut groups = |sizes: &[usize], awaited: &[usize]| -> Vec<(Vec<usize>, usize)> {
            let part = |(i, size): (usize, &usize)| {
                let rows = if awaited.contains(&i) { 1_000_000 } else { 0 };
                ((i, Pieces::Arrays(Vec::new()), choices.role(i, &dictionary_field(true), rows)), *size)
            };
            let groups = grouped(sizes.iter().enumerate().map(part), 100);
            let columns = |group: Vec<Part>| group.iter().map(|(i, ..)| *i).collect();
            groups.into_iter().map(|(group, bytes)| (columns(group), bytes)).collect()
        };
        assert_eq!(groups(&[], &[]), []);
        assert_eq!(groups(&[10, 90, 5, 300, 1], &[]), [(vec![0, 1], 100), (vec![2, 3], 305), (vec![4], 1)]);
        let awaited = groups(&[10, 20, 30, 40, 50], &[2, 3]);
        assert_eq!(awaited, [(vec![0, 1], 30), (vec![2], 30), (vec![3], 40), (vec![4], 50)]);
        assert_eq!(groups(&[10, 20, 30], &[2, 3]), [(vec![0, 1, 2], 60)], "they follow now");
    }
}
