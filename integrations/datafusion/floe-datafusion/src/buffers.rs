//! Polars' buffers as arrow-rs's, without a copy.
//!
//! A buffer of Polars' is shared: it goes into `Bytes` as its owner, and `Bytes` into arrow-rs's buffer.

use bytes::Bytes;
use datafusion::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::ArrowNativeType;
use polars_arrow::array::View;
use polars_arrow::bitmap::Bitmap;
use polars_arrow::types::NativeType;
use polars_buffer::Buffer as PolarsBuffer;

/// A buffer of Polars' that can be asked for its bytes.
struct Owner<T>(PolarsBuffer<T>);

impl<T: bytemuck::Pod> AsRef<[u8]> for Owner<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(self.0.as_slice())
    }
}

/// The values of a bitmap, with those of its bytes that it does not begin at.
struct Bits(Bitmap);

impl AsRef<[u8]> for Bits {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice().0
    }
}

/// The bytes of a buffer.
pub(crate) fn bytes<T: bytemuck::Pod + Send + Sync>(buffer: &PolarsBuffer<T>) -> Buffer {
    Bytes::from_owner(Owner(buffer.clone())).into()
}

/// A buffer of values, which lie as both libraries want them: `P` is the type of arrow-rs of the same size and layout.
pub(crate) fn values<T: NativeType, P: ArrowNativeType>(buffer: &PolarsBuffer<T>) -> ScalarBuffer<P> {
    aligned(bytes(buffer), buffer.len())
}

/// The offsets of lists or of binary values.
pub(crate) fn offsets(buffer: &PolarsBuffer<i64>) -> ScalarBuffer<i64> {
    aligned(bytes(buffer), buffer.len())
}

/// Views, which Polars aligns at 4 bytes and arrow-rs at 16.
pub(crate) fn views(buffer: &PolarsBuffer<View>) -> ScalarBuffer<u128> {
    aligned(bytes(buffer), buffer.len())
}

/// Values where they are, or a copy if arrow-rs wants them aligned otherwise.
fn aligned<P: ArrowNativeType>(buffer: Buffer, len: usize) -> ScalarBuffer<P> {
    let is_aligned = buffer.as_ptr().align_offset(align_of::<P>()) == 0;
    // `Buffer::from` a slice allocates for any type.
    let buffer = if is_aligned { buffer } else { Buffer::from(buffer.as_slice()) };
    ScalarBuffer::new(buffer, 0, len)
}

/// A bitmap.
pub(crate) fn bits(bitmap: &Bitmap) -> BooleanBuffer {
    let (_, offset, len) = bitmap.as_slice();
    BooleanBuffer::new(Bytes::from_owner(Bits(bitmap.clone())).into(), offset, len)
}

/// The nulls of an array.
pub(crate) fn nulls(validity: Option<&Bitmap>) -> Option<NullBuffer> {
    validity.map(|bitmap| NullBuffer::new(bits(bitmap))).filter(|nulls| nulls.null_count() > 0)
}
