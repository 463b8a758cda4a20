//! Hashes that bind statistics to the bytes they describe.

use std::ops::Range;

use floe_format::{FieldNode, Result, Schema};
use xxhash_rust::xxh3::Xxh3Default;

/// Samples of a buffer's stored bytes.
const SAMPLES: u64 = 4;
/// Bytes a sample. Buffers of up to all samples' bytes are hashed whole.
const SAMPLE_BYTES: u64 = 256;

/// The hash of a column as it is stored: its nodes, the lengths of its buffers, and samples of their bytes. `read`
/// copies a sample from a buffer and a range in it.
pub(crate) fn fingerprint(
    nodes: &[FieldNode],
    lens: &[u64],
    mut read: impl FnMut(usize, Range<u64>, &mut [u8]) -> Result<()>,
) -> Result<u64> {
    let mut hash = Xxh3Default::new();
    for node in nodes {
        hash.update(&(node.len as u64).to_le_bytes());
        hash.update(&(node.null_count as u64).to_le_bytes());
    }
    let mut sample = [0; 1024];
    debug_assert_eq!(sample.len() as u64, SAMPLES * SAMPLE_BYTES);
    for (buffer, len) in lens.iter().enumerate() {
        hash.update(&len.to_le_bytes());
        for range in samples(*len) {
            let bytes = usize::try_from(range.end - range.start).expect("a sample is at most 1,024 bytes");
            let sample = &mut sample[..bytes];
            read(buffer, range, sample)?;
            hash.update(sample);
        }
    }
    Ok(hash.digest())
}

/// All of a short buffer; of a long one its ends and samples spread evenly between.
fn samples(len: u64) -> impl Iterator<Item = Range<u64>> {
    let whole = len <= SAMPLES * SAMPLE_BYTES;
    let count = if whole { u64::from(len > 0) } else { SAMPLES };
    let size = if whole { len } else { SAMPLE_BYTES };
    (0..count).map(move |i| {
        // In two parts, so that no length overflows.
        let (step, rest) = ((len - size) / (SAMPLES - 1), (len - size) % (SAMPLES - 1));
        let start = step * i + rest * i / (SAMPLES - 1);
        start..start + size
    })
}

/// The hash of a schema's names and types.
pub(crate) fn schema_fingerprint(schema: &Schema) -> u64 {
    let mut hash = Xxh3Default::new();
    for field in &schema.fields {
        hash.update(field.name.as_bytes());
        hash.update(format!("\0{:?}\0", field.data_type).as_bytes());
    }
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_bytes(bytes: &[u8]) -> u64 {
        let read = |_: usize, range: Range<u64>, out: &mut [u8]| {
            let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
            out.copy_from_slice(&bytes[start..end]);
            Ok(())
        };
        fingerprint(&[FieldNode { len: 1, null_count: 0 }], &[bytes.len() as u64], read).unwrap()
    }

    #[test]
    fn samples_lie_within_and_reach_both_ends() {
        for len in [0, 1, 1023, 1024, 1025, 4096, 1 << 20, u64::MAX] {
            let ranges: Vec<_> = samples(len).collect();
            assert!(
                ranges.iter().all(|range| range.start < range.end && range.end <= len),
                "{len}: {ranges:?}"
            );
            assert_eq!(ranges.first().map_or(0, |range| range.start), 0);
            assert_eq!(ranges.last().map_or(0, |range| range.end), len);
        }
    }

    #[test]
    fn short_buffers_are_hashed_whole() {
        let bytes: Vec<u8> = (0..1024u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(of_bytes(&bytes), of_bytes(&other), "byte {at}");
        }
    }
}
