//! Bitmaps one behind another.

use arrow::bitmap::{Bitmap, MutableBitmap};

/// Adds bitmaps of these lengths behind `out`. `None` stands for bits that are all set, as the validity of an array
/// without nulls.
pub(crate) fn extend<'a>(
    out: &mut MutableBitmap,
    parts: impl IntoIterator<Item = (Option<&'a Bitmap>, usize)>,
) {
    for (bitmap, len) in parts {
        match bitmap {
            Some(bitmap) => {
                debug_assert_eq!(bitmap.len(), len, "a bitmap has one bit for each row");
                out.extend_from_bitmap(bitmap);
            },
            None => out.extend_constant(len, true),
        }
    }
}
