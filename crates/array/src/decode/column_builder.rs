//! A column that is decoded batch by batch, when the number of batches is not known.
//!
//! | layout                             | what becomes of the next batch                               |
//! |------------------------------------|--------------------------------------------------------------|
//! | values of one width                | decoded behind those there are, in one allocation            |
//! | booleans, values to be converted   | decoded by themselves, and added behind those there are      |
//! | strings and bytes                  | views behind views, their data beside the data there is      |
//! | lists without gaps, structs        | the same for their offsets, their validity and each child    |
//! | all others                         | an array of its own; [`finish`](ColumnBuilder::finish) joins |
//!
//! Values that need no decoding can be read to their place from a stream: [`ColumnBuilder::read`].
#![warn(clippy::wildcard_enum_match_arm)]

use std::fmt;

use arrow::array::Array;
use arrow::bitmap::Bitmap;
use arrow::datatypes::PrimitiveType;
use floe_format::{DataType, Error, Field, Place, Result};
use floe_runtime::alloc::grow_initialised;
use polars_buffer::Buffer;

use super::append::{join_validity, not_that_layout, shrink};
use super::ctx::DecodeCtx;
use super::dispatch::empty_values;
use super::fields::{is_plain, maintains_offsets};
use super::growing_arrays::append_column;
use super::options::Unrepresentable;
use super::plain::{byte_len_of, of_bytes, to_bytes};
use super::view_builder::ViewBuilder;
use super::{binary, list, struct_, view};
use crate::lookup::Dictionaries;
use crate::share;
use crate::typed::too_short;

/// The rows of a column so far.
///
/// When its memory is full, it takes several times what it needs: address space, which costs nothing until it is written
/// to. [`ColumnBuilder::finish`] gives the rest back.
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
        append: AppendViews,
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

/// Decodes values to views behind those there are; returns the validity of the new ones.
type AppendViews = fn(&mut DecodeCtx<'_>, &mut ViewBuilder) -> Result<Option<Bitmap>>;

impl fmt::Debug for ColumnBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = match &self.layout {
            Layout::Arrays(_) => "arrays",
            Layout::Views { .. } => "views",
            Layout::List { .. } => "lists",
            Layout::Struct { .. } => "structs",
            Layout::Bytes { .. } => "bytes",
        };
        f.debug_struct("ColumnBuilder").field("rows", &self.rows).field("layout", &layout).finish()
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self::Arrays(Vec::new())
    }
}

impl Layout {
    /// The layout in which a column of a field grows.
    fn of(field: &Field) -> Self {
        if field.dictionary.is_some() {
            return Self::default();
        }
        let views =
            |utf8, append| Self::Views { utf8, append, views: ViewBuilder::growing(), validity: None };
        match &field.data_type {
            DataType::Utf8 => views(true, binary::append_views::<i32, str>),
            DataType::LargeUtf8 => views(true, binary::append_views::<i64, str>),
            DataType::Utf8View => views(true, view::append_views::<str>),
            DataType::LargeBinary if maintains_offsets(field) => Self::default(),
            DataType::Binary => views(false, binary::append_views::<i32, [u8]>),
            DataType::LargeBinary => views(false, binary::append_views::<i64, [u8]>),
            DataType::BinaryView => views(false, view::append_views::<[u8]>),
            DataType::List | DataType::Map { .. } | DataType::LargeList => match field.children.as_slice() {
                [child] => Self::List {
                    child: child.clone(),
                    offsets: Vec::new(),
                    values: Box::default(),
                    validity: None,
                },
                // Decoding says what is wrong with such a field.
                _ => Self::default(),
            },
            DataType::Struct => {
                let fields = field.children.iter().map(|_| ColumnBuilder::default()).collect();
                Self::Struct { children: field.children.clone(), fields, validity: None }
            },
            DataType::Null
            | DataType::Bool
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
            | DataType::ListView
            | DataType::LargeListView
            | DataType::FixedSizeList(_)
            | DataType::Union { .. }
            | DataType::RunEndEncoded => Self::default(),
        }
    }
}

impl ColumnBuilder {
    /// Decodes the next column of the context and adds its rows; returns how many.
    ///
    /// # Errors
    /// As [`decode_column`](super::decode_column). Nothing of the column is left then.
    pub fn decode(&mut self, ctx: &mut DecodeCtx<'_>, field: &Field) -> Result<usize> {
        self.grow(ctx, field).map_err(|e| e.at(Place::Column(field.name.to_string())))
    }

    fn grow(&mut self, ctx: &mut DecodeCtx<'_>, field: &Field) -> Result<usize> {
        // Set again when all has gone well: after an error there is nothing.
        let before = std::mem::take(&mut self.rows);
        let layout = match std::mem::take(&mut self.layout) {
            Layout::Arrays(arrays) if arrays.is_empty() => Layout::of(field),
            Layout::Bytes { kind, bytes, validity } => {
                Layout::Arrays(vec![of_bytes(kind, bytes, before, validity)?])
            },
            layout @ (Layout::Arrays(_)
            | Layout::Views { .. }
            | Layout::List { .. }
            | Layout::Struct { .. }) => layout,
        };
        let added;
        (self.layout, added) = match layout {
            Layout::Arrays(arrays) => grow_arrays(ctx, field, arrays, before)?,
            Layout::Views { utf8, append, mut views, validity } => {
                let more = append_views(ctx, append, &mut views)?;
                let added = views.views.len() - before;
                let validity = join_validity((validity, before), (more, added));
                (Layout::Views { utf8, append, views, validity }, added)
            },
            Layout::List { child, offsets, values, validity } => {
                grow_lists(ctx, field, ListLayout { child, offsets, values, validity }, before)?
            },
            Layout::Struct { children, mut fields, validity } => {
                let grow = &mut |i: usize, ctx: &mut DecodeCtx<'_>, child: &Field| {
                    let field = fields.get_mut(i).ok_or_else(|| Error::invalid("a struct gained a field"))?;
                    field.grow(ctx, child)
                };
                let (added, more) = struct_::append_fields(ctx, &children, grow)?;
                let validity = join_validity((validity, before), (more, added));
                (Layout::Struct { children, fields, validity }, added)
            },
            Layout::Bytes { .. } => return Err(not_that_layout()),
        };
        self.rows = before + added;
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
        // As in `grow`: after an error there is nothing.
        let before = std::mem::take(&mut self.rows);
        let (kind, mut bytes, known) = match std::mem::take(&mut self.layout) {
            Layout::Bytes { kind, bytes, validity } => (kind, bytes, validity),
            layout if is_plain(field) => match (Self { rows: before, layout }).finish()? {
                Some(known) => to_bytes(known)?,
                None => to_bytes(empty_values(field, &Dictionaries::default(), Unrepresentable::default())?)?,
            },
            Layout::Arrays(_) | Layout::Views { .. } | Layout::List { .. } | Layout::Struct { .. } => {
                return Err(not_that_layout());
            },
        };
        let (mut at, need) = (byte_len_of(kind, before)?, byte_len_of(kind, rows)?);
        if stored < need as u64 {
            return Err(too_short(need as u64, stored));
        }
        let end = byte_len_of(kind, before.saturating_add(rows))?;
        while at < end {
            let more = (end - at).min(at.max(FIRST_READ_BYTES));
            grow_initialised(&mut bytes, at, more)?;
            read(&mut bytes[at..at + more])?;
            at += more;
        }
        let validity = join_validity((known, before), (validity, rows));
        self.rows = before + rows;
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
            Layout::Views { utf8, mut views, validity, .. } => {
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

/// The layout with the next column's rows, and how many those are.
type Grown = (Layout, usize);

fn grow_arrays(
    ctx: &mut DecodeCtx<'_>,
    field: &Field,
    arrays: Vec<Box<dyn Array>>,
    before: usize,
) -> Result<Grown> {
    let arrays = append_column(ctx, field, arrays)?;
    let rows: usize = arrays.iter().map(|array| array.len()).sum();
    Ok((Layout::Arrays(arrays), rows - before))
}

/// The parts of [`Layout::List`].
struct ListLayout {
    child: Field,
    offsets: Vec<i64>,
    values: Box<ColumnBuilder>,
    validity: Option<Bitmap>,
}

fn grow_lists(ctx: &mut DecodeCtx<'_>, field: &Field, list: ListLayout, before: usize) -> Result<Grown> {
    let ListLayout { child, mut offsets, mut values, validity } = list;
    let mark = ctx.mark();
    let grow = &mut |ctx: &mut DecodeCtx<'_>, child: &Field| values.grow(ctx, child);
    if let Some(more) = list::append_offsets(ctx, field, &mut offsets, grow)? {
        // One offset more than there are lists.
        let added = offsets.len() - 1 - before;
        let validity = join_validity((validity, before), (more, added));
        return Ok((Layout::List { child, offsets, values, validity }, added));
    }
    // There are gaps between the values. From here on there are arrays, which are joined at the end.
    ctx.rewind(mark);
    let known = ColumnBuilder { rows: before, layout: Layout::List { child, offsets, values, validity } };
    let known = known.finish()?.filter(|_| before > 0);
    grow_arrays(ctx, field, known.into_iter().collect(), before)
}

/// Memory that is taken before values have arrived; afterwards as much as has arrived.
const FIRST_READ_BYTES: usize = 64 << 20;

/// Decodes values to views behind those there are; of their buffers none keeps much else alive.
fn append_views(
    ctx: &mut DecodeCtx<'_>,
    append: AppendViews,
    views: &mut ViewBuilder,
) -> Result<Option<Bitmap>> {
    let buffers = views.buffers.len();
    let more = append(ctx, views)?;
    for buffer in views.buffers.iter_mut().skip(buffers) {
        *buffer = without_neighbours(ctx, buffer)?;
    }
    Ok(more)
}

/// The buffer, or a copy if it keeps more than twice its own memory alive.
fn without_neighbours(ctx: &DecodeCtx<'_>, buffer: &Buffer<u8>) -> Result<Buffer<u8>> {
    let kept = buffer.offset() + buffer.clone().expand_end_to_storage().len();
    if buffer.len() >= kept / 2 {
        return Ok(buffer.clone());
    }
    let mut out = ctx.vec::<u8>(buffer.len())?;
    out.extend_from_slice(buffer);
    Ok(share(out))
}
