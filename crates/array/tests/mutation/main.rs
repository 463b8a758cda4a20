//! Broken bodies: nodes, ranges and bytes of every physical layout are changed, the column is decoded, and every value
//! of the result is read. `scripts/asan.sh` runs this under AddressSanitizer.

mod by_hand;
mod inputs;
mod look;

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, PrimitiveArray,
    StructArray, Utf8ViewArray,
};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use arrow::offset::OffsetsBuffer;
use arrow::types::NativeType;
use floe_array::category::Categories;
use floe_array::decode::{Budget, ColumnOffsets};
use floe_array::{
    Body, ColumnPart, DecodeCtx, DecodeOptions, Dictionaries, EncodeCtx, Encoded, Lookup, decode_column,
    encode_column,
};
use floe_format::{
    BatchHeader, BodyLayout, BufferSpec, Codec, DataType, DictionaryEncoding, Error, ErrorKind, Field,
    FieldNode, FloatType, IntType, IntervalUnit, IpcLimits, Result, TimeUnit, UnionMode, Version,
};
use floe_runtime::Serial;
use polars_buffer::Buffer;

use inputs::inputs;
use look::look_at;

/// Under Miri one takes a second.
const CASES: u64 = if cfg!(miri) { 400 } else { 40_000 };
/// Rows of each array.
const ROWS: usize = 11;

const LIMITS: IpcLimits = IpcLimits {
    max_schema_depth: 64,
    max_schema_nodes: 1 << 10,
    max_metadata_bytes: 1 << 20,
    max_buffers: 1 << 10,
    max_buffer_bytes: 1 << 20,
    max_total_bytes: 4 << 20,
    max_amplification: 1 << 8,
    amplification_floor: 1 << 20,
    max_unbacked_rows: 1 << 12,
};

#[test]
fn mutated_bodies_are_errors_or_valid() {
    let inputs = inputs();
    for input in &inputs {
        for kind in [Kind::Shared, Kind::Lent, Kind::Remote] {
            let arrays = decode(input, std::slice::from_ref(&input.batch), kind);
            let array = arrays.unwrap_or_else(|error| panic!("{} as it is: {error}", input.name));
            assert_eq!(array.len(), ROWS, "{}", input.name);
            look_at(array.as_ref());
        }
    }
    let (mut valid, mut errors) = (0, 0);
    for case in 0..CASES {
        let mut rng = Rng(case);
        let input = &inputs[rng.below(inputs.len())];
        let mut batches = vec![input.mutated(&mut rng)];
        match rng.below(4) {
            0 => batches.push(input.batch.clone()),
            1 => batches.push(input.mutated(&mut rng)),
            _ => {},
        }
        let kind = [Kind::Shared, Kind::Lent, Kind::Remote][rng.below(3)];
        match decode(input, &batches, kind) {
            Ok(array) => {
                valid += 1;
                look_at(array.as_ref());
            },
            Err(error) => {
                errors += 1;
                assert!(!error.to_string().is_empty());
            },
        }
    }
    println!("{CASES} mutations of {} inputs: {valid} valid, {errors} errors", inputs.len());
    assert!(valid > CASES / 20 && errors > CASES / 20, "{valid} valid, {errors} errors");
}

/// A record batch of one column.
#[derive(Clone)]
struct Batch {
    header: BatchHeader,
    body: Vec<u8>,
}

/// Something to break.
struct Input {
    name: String,
    field: Field,
    options: DecodeOptions,
    dictionaries: Dictionaries,
    batch: Batch,
}

fn decode(input: &Input, batches: &[Batch], kind: Kind) -> Result<Box<dyn Array>> {
    let bodies: Vec<_> = batches.iter().map(|batch| AnyBody::new(batch.body.clone(), kind)).collect();
    let parts = batches.iter().zip(&bodies).map(|(batch, body)| {
        ColumnPart::new(&batch.header, body, &input.dictionaries, ColumnOffsets::default())
    });
    let budget = Budget::new(&LIMITS);
    let mut ctx = DecodeCtx::new(parts.collect(), &input.options, &budget, &Serial);
    decode_column(&mut ctx, &input.field)
}

/// Where the bytes of a body are.
#[derive(Clone, Copy)]
enum Kind {
    Shared,
    Lent,
    Remote,
}

struct AnyBody {
    bytes: Buffer<u8>,
    kind: Kind,
}

impl AnyBody {
    /// The bytes in an allocation without any to spare, so that a sanitizer sees what is read behind them.
    fn new(bytes: Vec<u8>, kind: Kind) -> Self {
        Self { bytes: Buffer::from_owner(bytes.into_boxed_slice()), kind }
    }

    fn slice(&self, range: Range<u64>) -> Option<&[u8]> {
        self.bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }
}

impl Body for AnyBody {
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        matches!(self.kind, Kind::Shared).then(|| self.bytes.shared(range)).flatten()
    }

    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        matches!(self.kind, Kind::Lent).then(|| self.slice(range)).flatten()
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> Result<()> {
        let end = range.end;
        let out_of_bounds =
            || Error::new(ErrorKind::BufferOutOfBounds { buffer: 0, end, body: self.bytes.len() as u64 });
        dst.copy_from_slice(self.slice(range).ok_or_else(out_of_bounds)?);
        Ok(())
    }
}

/// Small steps, no dependencies: SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn length(&mut self) -> usize {
        let near = ROWS as u64 + self.next() % 6;
        let lengths = [0, 1, 2, 7, 8, 9, near, near - 3, 1 << 12, 1 << 20, 1 << 31, 1 << 33, i64::MAX as u64];
        usize::try_from(lengths[self.below(lengths.len())]).expect("64 bits")
    }
}

impl Input {
    /// Broken in one to three places. Ranges stay within the body: `floe_format` checks them.
    fn mutated(&self, rng: &mut Rng) -> Batch {
        let Batch { mut header, mut body } = self.batch.clone();
        for _ in 0..=rng.below(3) {
            match rng.below(12) {
                0..=4 if !body.is_empty() => change(rng, &mut body),
                5 => {
                    let at = rng.below(header.nodes.len());
                    header.nodes[at].len = rng.length();
                },
                6 => {
                    let at = rng.below(header.nodes.len());
                    header.nodes[at].null_count = rng.length();
                },
                7 | 8 if !header.buffers.is_empty() => {
                    let at = rng.below(header.buffers.len());
                    header.buffers[at] = any_range(rng, header.buffers[at], body.len());
                },
                9 if !header.variadic.is_empty() => {
                    let at = rng.below(header.variadic.len());
                    header.variadic[at] = rng.below(5);
                },
                10 => {
                    header.buffers.truncate(rng.below(header.buffers.len() + 1));
                },
                11 if rng.below(4) == 0 && !cfg!(miri) => {
                    let codecs = [None, Some(Codec::Lz4), Some(Codec::Zstd)];
                    header.compression = codecs[rng.below(3)];
                },
                _ => {},
            }
        }
        Batch { header, body }
    }
}

fn any_range(rng: &mut Rng, spec: BufferSpec, body: usize) -> BufferSpec {
    let body = body as u64;
    let len = match rng.below(4) {
        0 => 0,
        1 => spec.len.saturating_sub(1 + rng.next() % 9),
        2 => spec.len + rng.next() % 9,
        _ => rng.next() % (body + 1),
    };
    let len = len.min(body);
    let offset = if rng.below(2) == 0 { spec.offset } else { rng.next() % (body + 1) };
    BufferSpec { offset: offset.min(body - len), len }
}

fn change(rng: &mut Rng, body: &mut [u8]) {
    let at = rng.below(body.len());
    match rng.below(4) {
        0 => body[at] ^= 1 << rng.below(8),
        1 => body[at] = rng.byte(),
        width => {
            let width = if width == 2 { 4 } else { 8 };
            let numbers = [0, 1, u64::MAX, u64::MAX - 1, 11, 12, 13, 200, 1 << 31, 1 << 32, 1 << 62, 1 << 63];
            let number = numbers[rng.below(numbers.len())].to_le_bytes();
            let at = at / width * width;
            let end = (at + width).min(body.len());
            body[at..end].copy_from_slice(&number[..end - at]);
        },
    }
}

const ZSTD: floe_codec::Compression = floe_codec::Compression::Zstd { level: 1 };

/// Lays out a body, compressed or not.
fn batch(encoded: &Encoded, compression: Option<floe_codec::Compression>) -> Batch {
    let (mut layout, mut body, mut specs) = (BodyLayout::default(), Vec::new(), Vec::new());
    for buffer in &encoded.buffers {
        let mut stored = buffer.clone().join().expect("memory").as_slice().to_vec();
        if let Some(compression) = compression
            && !stored.is_empty()
        {
            let len = i64::try_from(stored.len()).expect("small");
            let mut frame = len.to_le_bytes().to_vec();
            // Every second buffer raw.
            if specs.len() % 2 == 0 {
                floe_codec::compress_always(compression, &stored, &mut frame).expect("a frame");
            } else {
                frame = (-1i64).to_le_bytes().to_vec();
                frame.append(&mut stored);
            }
            stored = frame;
        }
        specs.push(layout.push(stored.len()));
        body.append(&mut stored);
        body.resize(usize::try_from(layout.body_len()).expect("small"), 0);
    }
    // Without the last padding, so that a read behind a buffer is a read behind the body.
    if let Some(last) = specs.iter().map(|spec| spec.offset + spec.len).max() {
        body.truncate(usize::try_from(last).expect("small"));
    }
    let compression = compression.map(floe_codec::Compression::codec);
    let header = BatchHeader {
        rows: ROWS,
        nodes: encoded.nodes.clone(),
        buffers: specs,
        variadic: encoded.variadic.clone(),
        compression,
    };
    Batch { header, body }
}

/// A column, encoded.
struct Column {
    field: Field,
    encoded: Encoded,
    version: Version,
    dictionaries: Dictionaries,
}
