//! A column of which one part after another is decoded, nobody knows how many: onto the end of one
//! contiguous array where its layout is simple (values of one width, booleans, views), else as
//! arrays that are joined at the end. Values that need no decoding can be read there from a stream: [`ColumnBuilder::read`].

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{PhysicalType, PrimitiveType};
use arrow::types::NativeType;
use arrow::with_match_primitive_type_full;
use floe_format::{DataType, Field, Place, Result, TimeUnit};
use polars_buffer::Buffer;

use super::append::{append, growable, join_validity, not_that_layout, own, shrink};
use super::binary::ViewBuilder;
use super::ctx::lens;
use super::{
    DecodeCtx, Unrepresentable, binary, decode, empty_values, keys, list, maintains_offsets, primitive,
    struct_, view,
};
use crate::aligned::{byte_len, grow_initialised, too_short, typed};
use crate::join::cost;
use crate::lookup::Dictionaries;
use crate::recycle::share;

/// What has been decoded of a column.
///
/// Memory is taken for several times of what is there when it runs out: address space, which costs
/// nothing until it is written to. [`ColumnBuilder::finish`] gives the rest back.
#[derive(Default)]
pub struct ColumnBuilder {
    rows: usize,
    layout: Layout,
}

enum Layout {
    /// The last one grows, unless its layout cannot.
    Arrays(Vec<Box<dyn Array>>),
    /// Strings (if it says so) or bytes.
    Views {
        utf8: bool,
        views: ViewBuilder,
        validity: Option<Bitmap>,
    },
    /// Lists of values that follow one another without gaps.
    List {
        child: Field,
        offsets: Vec<i64>,
        values: Box<ColumnBuilder>,
        validity: Option<Bitmap>,
    },
    Struct {
        children: Vec<Field>,
        fields: Vec<ColumnBuilder>,
        validity: Option<Bitmap>,
    },
    /// Values of a plain field, as they were read, and room for more.
    Bytes {
        kind: PrimitiveType,
        bytes: Vec<u8>,
        validity: Option<Bitmap>,
    },
}

impl Default for Layout {
    fn default() -> Self {
        Self::Arrays(Vec::new())
    }
}

impl Layout {
    /// What grows into a column of a field.
    fn of(field: &Field) -> Self {
        if let Some(utf8) = utf8_views(field) {
            return Self::Views { utf8, views: ViewBuilder::growing(), validity: None };
        }
        match (&field.data_type, field.children.as_slice()) {
            _ if field.dictionary.is_some() => Self::default(),
            (DataType::List | DataType::Map { .. } | DataType::LargeList, [child]) => Self::List {
                child: child.clone(),
                offsets: Vec::new(),
                values: Box::default(),
                validity: None,
            },
            (DataType::Struct, children) => {
                let fields = children.iter().map(|_| ColumnBuilder::default()).collect();
                Self::Struct { children: children.to_vec(), fields, validity: None }
            },
            _ => Self::default(),
        }
    }
}

impl ColumnBuilder {
    /// Decodes the next column of the context and adds its rows; returns how many.
    ///
    /// # Errors
    /// As [`decode_column`](super::decode_column).
    pub fn decode(&mut self, ctx: &mut DecodeCtx<'_>, field: &Field) -> Result<usize> {
        self.grow(ctx, field).map_err(|e| e.at(Place::Column(field.name.to_string())))
    }

    fn grow(&mut self, ctx: &mut DecodeCtx<'_>, field: &Field) -> Result<usize> {
        let before = self.rows;
        let layout = match std::mem::take(&mut self.layout) {
            Layout::Arrays(arrays) if arrays.is_empty() => Layout::of(field),
            Layout::Bytes { kind, bytes, validity } => {
                Layout::Arrays(vec![of_bytes(kind, bytes, before, validity)?])
            },
            layout => layout,
        };
        let added;
        (self.layout, added) = match layout {
            Layout::Arrays(arrays) => {
                let arrays = add(ctx, field, arrays)?;
                let rows: usize = arrays.iter().map(|array| array.len()).sum();
                (Layout::Arrays(arrays), rows - before)
            },
            Layout::Views { utf8, mut views, validity } => {
                let more = append_views(ctx, field, &mut views)?;
                let added = views.views.len() - before;
                let validity = join_validity((validity, before), (more, added));
                (Layout::Views { utf8, views, validity }, added)
            },
            Layout::List { child, mut offsets, mut values, validity } => {
                let mark = ctx.mark();
                match list::append_offsets(ctx, field, &mut offsets, &mut |ctx, child| {
                    values.grow(ctx, child)
                })? {
                    Some(more) => {
                        let added = offsets.len().saturating_sub(1) - before;
                        let validity = join_validity((validity, before), (more, added));
                        (Layout::List { child, offsets, values, validity }, added)
                    },
                    None => {
                        // From here on there are arrays, which are joined at the end.
                        ctx.rewind(mark);
                        let known = Layout::List { child, offsets, values, validity };
                        let known = Self { rows: before, layout: known }.finish()?.filter(|_| before > 0);
                        let arrays = add(ctx, field, known.into_iter().collect())?;
                        let rows: usize = arrays.iter().map(|array| array.len()).sum();
                        (Layout::Arrays(arrays), rows - before)
                    },
                }
            },
            Layout::Struct { children, mut fields, validity } => {
                let grow = &mut |i: usize, ctx: &mut DecodeCtx<'_>, child: &Field| {
                    fields.get_mut(i).map_or(Ok(0), |growing| growing.grow(ctx, child))
                };
                let (added, more) = struct_::append_fields(ctx, &children, grow)?;
                let validity = join_validity((validity, before), (more, added));
                (Layout::Struct { children, fields, validity }, added)
            },
            Layout::Bytes { .. } => return Err(not_that_layout()),
        };
        self.rows += added;
        Ok(added)
    }

    /// Adds `rows` of a [plain](is_plain) field, whose values are the first of `stored` bytes: `read` is given memory
    /// to fill, once or several times. More is taken as bytes arrive.
    ///
    /// # Errors
    /// Those of `read`, after which nothing of the column is left; when there are fewer bytes than the rows need, or
    /// the allocator refuses; when the field is not plain.
    pub fn read(
        &mut self,
        field: &Field,
        rows: usize,
        validity: Option<Bitmap>,
        stored: u64,
        read: &mut dyn FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let (kind, mut bytes, known) = match std::mem::take(&mut self.layout) {
            Layout::Bytes { kind, bytes, validity } => (kind, bytes, validity),
            layout if is_plain(field) => {
                let known = Self { rows: self.rows, layout }.finish()?;
                to_bytes(known.map_or_else(
                    || empty_values(field, &Dictionaries::default(), Unrepresentable::default()),
                    Ok,
                )?)?
            },
            _ => return Err(not_that_layout()),
        };
        let (mut at, need) = (byte_len_of(kind, self.rows)?, byte_len_of(kind, rows)?);
        if stored < need as u64 {
            return Err(too_short(need as u64, stored));
        }
        let end = byte_len_of(kind, self.rows.saturating_add(rows))?;
        while at < end {
            let more = (end - at).min(at.max(FIRST_READ_BYTES));
            grow_initialised(&mut bytes, at, more)?;
            read(&mut bytes[at..at + more])?;
            at += more;
        }
        let validity = join_validity((known, self.rows), (validity, rows));
        self.rows += rows;
        self.layout = Layout::Bytes { kind, bytes, validity };
        Ok(())
    }

    /// All rows as one array. `None` if nothing has been decoded.
    ///
    /// # Errors
    /// When the arrays cannot be joined.
    pub fn finish(self) -> Result<Option<Box<dyn Array>>> {
        match self.layout {
            Layout::Arrays(arrays) if arrays.len() > 1 => crate::join(&arrays).map(Some),
            Layout::Arrays(mut arrays) => Ok(arrays.pop().map(shrink)),
            Layout::Views { utf8, mut views, validity } => {
                views.views.shrink_to_fit();
                Ok(Some(if utf8 { views.finish::<str>(validity) } else { views.finish::<[u8]>(validity) }))
            },
            Layout::List { child, mut offsets, values, validity } => {
                let Some(values) = values.finish()? else { return Ok(None) };
                offsets.shrink_to_fit();
                list::of_offsets(&child, offsets, values, validity).map(Some)
            },
            Layout::Struct { children, fields, validity } => {
                let values = fields.into_iter().map(Self::finish).collect::<Result<Option<Vec<_>>>>()?;
                values.map(|values| struct_::of_fields(&children, self.rows, values, validity)).transpose()
            },
            Layout::Bytes { kind, bytes, validity } => of_bytes(kind, bytes, self.rows, validity).map(Some),
        }
    }
}

/// Adds the next column's rows to arrays: to the last one, if its layout is simple.
fn add(
    ctx: &mut DecodeCtx<'_>,
    field: &Field,
    mut arrays: Vec<Box<dyn Array>>,
) -> Result<Vec<Box<dyn Array>>> {
    let last = match arrays.pop() {
        Some(last) => last,
        // Room for more from the start, unless the values stay where they are.
        None if is_plain(field) && ctx.is_compressed() => {
            empty_values(field, &Dictionaries::default(), Unrepresentable::default())?
        },
        None => return Ok(vec![decode(ctx, field)?]),
    };
    let onto = match last.dtype().to_physical_type() {
        PhysicalType::Primitive(kind) if is_plain(field) => {
            with_match_primitive_type_full!(kind, |$T| append_primitives::<$T, _>(last, |known| {
                let nodes = ctx.nodes()?;
                let validity = ctx.validity()?;
                *known = ctx.append_fixed(std::mem::take(known), &lens(&nodes))?;
                validity.read(ctx, &nodes).map(Some)
            }))
        },
        PhysicalType::Primitive(kind) if let Some(encoding) = &field.dictionary => match kind {
            PrimitiveType::UInt8 => {
                append_primitives::<u8, _>(last, |known| keys::append_categories(ctx, encoding, known))
            },
            PrimitiveType::UInt16 => {
                append_primitives::<u16, _>(last, |known| keys::append_categories(ctx, encoding, known))
            },
            PrimitiveType::UInt32 => {
                append_primitives::<u32, _>(last, |known| keys::append_categories(ctx, encoding, known))
            },
            _ => Ok(Err(last)),
        },
        _ => Ok(Err(last)),
    };
    match onto? {
        Ok(array) => arrays.push(array),
        Err(known) => {
            arrays.extend(append(known, decode(ctx, field)?)?);
            // They are joined in the end, when nobody is there any more to be charged.
            if let [others @ .., before, last] = arrays.as_slice() {
                let before = if others.is_empty() { cost(before.as_ref()) } else { 0 };
                ctx.charge(cost(last.as_ref()).saturating_add(before))?;
            }
        },
    }
    Ok(arrays)
}

/// Whether the field's values lie in their buffer as they do in the array, of which nothing has to be
/// checked.
#[must_use]
pub fn is_plain(field: &Field) -> bool {
    let plain = match &field.data_type {
        DataType::Int(_) | DataType::Float(_) | DataType::Date32 | DataType::Date64 => true,
        DataType::Timestamp { unit, .. } | DataType::Duration(unit) => *unit != TimeUnit::Second,
        _ => false,
    };
    plain && field.dictionary.is_none()
}

/// Whether the field becomes views of strings (true) or of bytes (false), if of either.
fn utf8_views(field: &Field) -> Option<bool> {
    match &field.data_type {
        _ if field.dictionary.is_some() => None,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(true),
        DataType::LargeBinary if maintains_offsets(field) => None,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(false),
        _ => None,
    }
}

/// Decodes values behind an array's. `onto` says `None` if it cannot; the array is the same then.
fn append_primitives<T: NativeType, F>(
    array: Box<dyn Array>,
    onto: F,
) -> Result<std::result::Result<Box<dyn Array>, Box<dyn Array>>>
where
    F: FnOnce(&mut Vec<T>) -> Result<Option<Option<Bitmap>>>,
{
    let array: PrimitiveArray<T> = own(array).map_err(|_| not_that_layout())?;
    let (_, values, known) = array.into_inner();
    let before = values.len();
    let mut values = growable(values)?;
    let Some(more) = onto(&mut values)? else { return Ok(Err(primitive::array(values.into(), known)?)) };
    let validity = join_validity((known, before), (more, values.len() - before));
    primitive::array(values.into(), validity).map(Ok)
}

/// Memory that is taken before values have arrived; afterwards as much as has arrived.
const FIRST_READ_BYTES: usize = 64 << 20;

/// An array's values as bytes, with room for more behind them, and its validity.
fn to_bytes(array: Box<dyn Array>) -> Result<(PrimitiveType, Vec<u8>, Option<Bitmap>)> {
    let PhysicalType::Primitive(kind) = array.dtype().to_physical_type() else {
        return Err(not_that_layout());
    };
    with_match_primitive_type_full!(kind, |$T| {
        let array: PrimitiveArray<$T> = own(array).map_err(|_| not_that_layout())?;
        let (_, values, validity) = array.into_inner();
        let values: &[u8] = bytemuck::cast_slice(values.as_slice());
        let mut bytes = Vec::new();
        grow_initialised(&mut bytes, 0, values.len())?;
        bytes[..values.len()].copy_from_slice(values);
        Ok((kind, bytes, validity))
    })
}

/// Values out of their bytes: the same memory, if it is aligned for them.
fn of_bytes(
    kind: PrimitiveType,
    mut bytes: Vec<u8>,
    rows: usize,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    bytes.truncate(byte_len_of(kind, rows)?);
    bytes.shrink_to_fit();
    with_match_primitive_type_full!(kind, |$T| primitive::array(typed::<$T>(share(bytes), rows)?, validity))
}

fn byte_len_of(kind: PrimitiveType, rows: usize) -> Result<usize> {
    with_match_primitive_type_full!(kind, |$T| byte_len::<$T>(rows))
}

/// Decodes values to views behind those there are; returns the validity of the new ones.
fn append_views(ctx: &mut DecodeCtx<'_>, field: &Field, views: &mut ViewBuilder) -> Result<Option<Bitmap>> {
    let buffers = views.buffers.len();
    let more = match &field.data_type {
        DataType::Utf8 => binary::append_views::<i32, str>(ctx, views),
        DataType::LargeUtf8 => binary::append_views::<i64, str>(ctx, views),
        DataType::Binary => binary::append_views::<i32, [u8]>(ctx, views),
        DataType::LargeBinary => binary::append_views::<i64, [u8]>(ctx, views),
        DataType::Utf8View => view::append_views::<str>(ctx, views),
        DataType::BinaryView => view::append_views::<[u8]>(ctx, views),
        _ => Err(not_that_layout()),
    }?;
    for buffer in views.buffers.iter_mut().skip(buffers) {
        *buffer = without_neighbours(ctx, buffer)?;
    }
    Ok(more)
}

/// A buffer that does not keep much more memory than its own alive.
fn without_neighbours(ctx: &DecodeCtx<'_>, buffer: &Buffer<u8>) -> Result<Buffer<u8>> {
    let kept = buffer.offset() + buffer.clone().expand_end_to_storage().len();
    if buffer.len() >= kept / 2 {
        return Ok(buffer.clone());
    }
    let mut out = ctx.vec::<u8>(buffer.len())?;
    out.extend_from_slice(buffer);
    Ok(share(out))
}
