//! Strings whose data is larger than a buffer may be, and input that overlaps.

use arrow::array::{BinaryViewArray, Utf8ViewArray};
use floe_format::{BatchHeader, BodyLayout, FieldNode, IpcLimits, Version};
use floe_runtime::Serial;

use super::super::{Budget, ColumnOffsets, ColumnPart, DecodeOptions};
use super::*;
use crate::Dictionaries;

/// A batch of strings; of nulls with the bytes that they hold.
fn batch(values: &[(&[u8], bool)]) -> (BatchHeader, Buffer<u8>) {
    let mut ends = vec![0i64];
    for (value, _) in values {
        ends.push(ends.last().unwrap() + i64::try_from(value.len()).unwrap());
    }
    let bits = values.iter().map(|(_, valid)| *valid).collect::<Bitmap>();
    let offsets = ends.iter().flat_map(|end| end.to_le_bytes()).collect();
    let data: Vec<u8> = values.iter().flat_map(|(value, _)| value.iter().copied()).collect();
    let (mut layout, mut body, mut buffers) = (BodyLayout::default(), Vec::new(), Vec::new());
    for buffer in [bits.as_slice().0.to_vec(), offsets, data] {
        let spec = layout.push(buffer.len());
        body.resize(usize::try_from(spec.offset).unwrap(), 0);
        body.extend(buffer);
        buffers.push(spec);
    }
    let nodes = vec![FieldNode { len: values.len(), null_count: bits.unset_bits() }];
    (BatchHeader { rows: values.len(), nodes, buffers, ..BatchHeader::default() }, body.into())
}

fn decode<T: ViewType + ?Sized>(
    batches: &[&[(&[u8], bool)]],
    max_buffer_bytes: usize,
) -> Result<Box<dyn Array>> {
    let batches: Vec<_> = batches.iter().map(|values| batch(values)).collect();
    let (options, budget) = (DecodeOptions::new(Version::V5, false), Budget::default());
    let dictionaries = Dictionaries::default();
    let parts = batches
        .iter()
        .map(|(header, body)| ColumnPart::new(header, body, &dictionaries, ColumnOffsets::default()));
    let mut ctx = DecodeCtx::new(parts.collect(), &options, &budget, &Serial);
    let mut out = ViewBuilder::default();
    let validity = append_views_in::<i64, T>(&mut ctx, &mut out, max_buffer_bytes)?;
    Ok(out.finish::<T>(validity))
}

const LONG: &[u8] = "a text that is long enough, and not \u{e4}\u{f6}\u{fc} but \u{1f600}".as_bytes();
const NOT_UTF8: &[u8] = b"\xff\xfe\xfd\xfc but long enough to stay where it is \xff";

/// Data of which the largest buffers are full after a value or two; a part before and a part behind that is not so.
#[test]
fn data_beyond_the_largest_buffer_becomes_several() {
    let huge: Vec<(&[u8], bool)> = (0..40)
        .map(|i| match i % 4 {
            0 => (LONG, true),
            1 => (&b"short"[..], true),
            2 => (NOT_UTF8, false),
            _ => (&LONG[..30], true),
        })
        .collect();
    let few: &[(&[u8], bool)] = &[(LONG, true), (NOT_UTF8, false), (b"", true), (&LONG[..20], true)];
    let none: &[(&[u8], bool)] = &[];
    let orders = [[few, &huge, few], [&huge, few, few], [&huge, none, &huge], [few, few, none]];
    for parts in orders {
        for max_buffer_bytes in [LONG.len(), 2 * LONG.len() + 1, 500, MAX_BUFFER_BYTES] {
            let array = decode::<str>(&parts, max_buffer_bytes).unwrap();
            let array = array.as_any().downcast_ref::<Utf8ViewArray>().unwrap();
            assert!(array.data_buffers().iter().all(|buffer| buffer.len() <= max_buffer_bytes));
            let expected = parts.iter().flat_map(|part| part.iter());
            let expected = expected.map(|(value, valid)| valid.then_some(*value));
            assert!(
                array.iter().map(|value| value.map(str::as_bytes)).eq(expected.clone()),
                "{max_buffer_bytes}"
            );
            // The bytes of null rows are UTF-8 as well, or empty: Polars reads them.
            for view in array.views().iter() {
                let index = view.buffer_idx as usize;
                let start = view.offset as usize;
                if view.length > View::MAX_INLINE_SIZE {
                    let bytes = &array.data_buffers()[index][start..start + view.length as usize];
                    assert!(std::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
                }
            }
            let array = decode::<[u8]>(&parts, max_buffer_bytes).unwrap();
            let array = array.as_any().downcast_ref::<BinaryViewArray>().unwrap();
            assert!(array.iter().eq(expected));
        }
    }
}

/// The same with as much data as it takes: a stream of some 160 KB. It takes 4.5 GB of memory, so it is run where
/// `FLOE_TEST_HUGE` is set, and says so elsewhere.
#[test]
fn more_than_4_gib_beside_a_null_that_is_not_utf8() {
    const ROW: usize = 4 << 20;
    const ROWS: usize = 1_100;
    if std::env::var_os("FLOE_TEST_HUGE").is_none() {
        println!("not run: FLOE_TEST_HUGE is not set");
        return;
    }
    let stored =
        |len: usize, frames: &[u8]| [&i64::try_from(len).unwrap().to_le_bytes()[..], frames].concat();
    let zstd = floe_codec::Compression::Zstd { level: 1 };
    let mut frame = Vec::new();
    floe_codec::compress_always(zstd, &vec![b'a'; ROW], &mut frame).unwrap();
    let data = stored(ROW * ROWS, &frame.repeat(ROWS));
    let ends: Vec<u8> = (0..=ROWS).flat_map(|row| i64::try_from(row * ROW).unwrap().to_le_bytes()).collect();
    let mut offsets = Vec::new();
    floe_codec::compress_always(zstd, &ends, &mut offsets).unwrap();
    let (mut layout, mut body, mut buffers) = (BodyLayout::default(), Vec::new(), Vec::new());
    for buffer in [Vec::new(), stored(ends.len(), &offsets), data] {
        let spec = layout.push(buffer.len());
        body.resize(usize::try_from(spec.offset).unwrap(), 0);
        body.extend(buffer);
        buffers.push(spec);
    }
    assert!(body.len() < 1 << 20, "{} bytes", body.len());
    let nodes = vec![FieldNode { len: ROWS, null_count: 0 }];
    let compression = Some(floe_format::Codec::Zstd);
    let huge = BatchHeader { rows: ROWS, nodes, buffers, compression, ..BatchHeader::default() };
    let body = Buffer::<u8>::from(body);
    let (small, nulls) = batch(&[(NOT_UTF8, false), (LONG, true)]);
    let limits = IpcLimits { amplification_floor: 1 << 40, ..IpcLimits::default() };
    let (options, budget) = (DecodeOptions::new(Version::V5, false), Budget::new(&limits));
    let dictionaries = Dictionaries::default();
    let parts = [(&huge, &body), (&small, &nulls)];
    let parts =
        parts.map(|(header, body)| ColumnPart::new(header, body, &dictionaries, ColumnOffsets::default()));
    let mut ctx = DecodeCtx::new(parts.into(), &options, &budget, &Serial);
    let array = super::decode::<i64, str>(&mut ctx).unwrap();
    let array = array.as_any().downcast_ref::<Utf8ViewArray>().unwrap();
    assert!(array.value(0).len() == ROW && array.value(ROWS - 1).len() == ROW);
    assert!(array.get(ROWS).is_none() && array.views()[ROWS].length == 0);
    assert_eq!(array.value(ROWS + 1).as_bytes(), LONG);
}

#[test]
fn what_is_not_utf8_in_a_valid_row_is_an_error_however_large_the_data() {
    let parts: [&[(&[u8], bool)]; 2] = [&[(LONG, true), (LONG, true)], &[(NOT_UTF8, true), (LONG, false)]];
    for max_buffer_bytes in [LONG.len(), MAX_BUFFER_BYTES] {
        assert!(decode::<str>(&parts, max_buffer_bytes).is_err());
        assert!(decode::<[u8]>(&parts, max_buffer_bytes).is_ok());
    }
    assert!(decode::<[u8]>(&parts, 20).is_err(), "a value that no buffer can hold");
}
