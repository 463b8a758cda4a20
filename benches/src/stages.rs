//! Each stage by itself, on one thread, for the next optimiser: encode, compress, decompress, decode, validate. The
//! crates below `floe` are called directly; nothing here does I/O.
//!
//! Data is a million rows (or buffers of 2 MiB for the codecs). The bytes of all buffers of a cell are its `bytes`,
//! from which the report makes gigabytes per second.

use arrow::array::{Array, Utf8ViewArray, View};
use floe_array::decode::{Budget, ColumnOffsets};
use floe_array::encode::EncodedBuffer;
use floe_array::{
    ColumnPart, DecodeCtx, DecodeOptions, Dictionaries, EncodeCtx, Encoded, decode_column, encode_column,
    validate,
};
use floe_codec::{Compression, CompressionPlan};
use floe_format::{BatchHeader, BodyLayout, Codec as WireCodec, DataType, Field, IntType, Version};
use floe_runtime::Serial;
use polars_buffer::Buffer;
use polars_core::prelude::{Column, DataFrame};

use crate::args::Scale;
use crate::contenders::{Codec, Format, eager, floe};
use crate::data::{self, Rng, shapes};
use crate::measure::Contender;
use crate::results::{Cell, Entry, Role, Unit, megabytes};
use crate::runner::Bench;

/// Every stage.
pub fn run(bench: &mut Bench) {
    arrays(bench);
    codecs(bench);
    validation(bench);
    sizes(bench);
}

/// The sizes of whole files, beside Polars' own: frames are not made as the libraries would make them.
fn sizes(bench: &mut Bench) {
    let frames: [(&str, DataFrame); 5] = [
        ("numbers", data::numbers(bench.scaled(1_000_000))),
        ("strings", data::strings(bench.scaled(1_000_000))),
        ("categoricals", shapes::categoricals(bench.scaled(1_000_000))),
        ("lists of structs", shapes::nested(bench.scaled(250_000))),
        ("TPC-H lineitem", data::real::lineitem(if bench.args.scale == Scale::Full { 0.05 } else { 0.0001 })),
    ];
    for (what, df) in frames {
        for codec in [Codec::Lz4, Codec::Zstd] {
            let cell = Cell { unit: Unit::Mb, bytes: None, ..cell("size of files", what, codec, 0) };
            if !bench.wants(&cell.title()) {
                continue;
            }
            let mut theirs = Vec::new();
            eager::write_to(&mut df.clone(), Format::File, codec, &mut theirs);
            let own = floe::to_vec(&df, Format::File, codec, None);
            let entries = vec![
                Entry::single("floe", Role::Floe, megabytes(own.len() as u64)),
                Entry::single("Polars", Role::Peer, megabytes(theirs.len() as u64)),
            ];
            bench.push(Cell { entries, ..cell });
        }
    }
}

fn cell(stage: &str, what: &str, codec: Codec, bytes: usize) -> Cell {
    Cell {
        group: stage.into(),
        name: what.into(),
        codec: codec.name().into(),
        bytes: Some(bytes as u64),
        ..Cell::default()
    }
}

/// Columns, and the type they have on the wire.
fn columns(bench: &Bench) -> Vec<(&'static str, Box<dyn Array>, Field)> {
    let rows = bench.scaled(1_000_000);
    let numbers = data::numbers(rows);
    let strings = data::strings(rows);
    let filtered = shapes::filtered(rows / 2);
    let nested = shapes::nested(rows / 4 + 1);
    let int = DataType::Int(IntType { bits: 64, signed: true });
    let item = |name: &str, data_type| field(name, data_type, Vec::new());
    let fields = vec![
        item("id", int.clone()),
        item("price", DataType::Float(floe_format::FloatType::Double)),
        item("name", DataType::LargeUtf8),
    ];
    let list = field("items", DataType::LargeList, vec![field("item", DataType::Struct, fields)]);
    vec![
        ("integers", chunk(&numbers, "medium"), item("a", int)),
        ("strings as offsets", chunk(&strings, "long"), item("a", DataType::LargeUtf8)),
        ("strings as views", chunk(&strings, "long"), item("a", DataType::Utf8View)),
        ("filtered strings as offsets", chunk(&filtered, "long"), item("a", DataType::LargeUtf8)),
        ("filtered strings as views", chunk(&filtered, "long"), item("a", DataType::Utf8View)),
        ("short strings, nulls, as offsets", chunk(&strings, "short"), item("a", DataType::LargeUtf8)),
        ("short strings, nulls, as views", chunk(&strings, "short"), item("a", DataType::Utf8View)),
        ("lists of structs", chunk(&nested, "items"), list),
    ]
}

fn chunk(df: &DataFrame, name: &str) -> Box<dyn Array> {
    let series = df.column(name).map(Column::as_materialized_series).expect("a column");
    series.chunks()[0].clone()
}

fn field(name: &str, data_type: DataType, children: Vec<Field>) -> Field {
    Field { name: name.into(), nullable: true, data_type, children, dictionary: None, metadata: Vec::new() }
}

fn encode(array: &dyn Array, field: &Field) -> Encoded {
    let mut ctx = EncodeCtx::new(&[]);
    encode_column(&mut ctx, field, array).expect("encoded");
    ctx.finish()
}

fn arrays(bench: &mut Bench) {
    for (what, array, field) in columns(bench) {
        let encoded = encode(array.as_ref(), &field);
        let bytes = encoded.buffers.iter().map(EncodedBuffer::len).sum();
        bench.cell(
            cell("encode", what, Codec::Raw, bytes),
            vec![Contender::floe(|| encode(array.as_ref(), &field))],
        );
        for codec in crate::contenders::CODECS {
            let (header, body) = batch(array.len(), &encoded, codec);
            bench.cell(
                cell("decode and validate", what, codec, bytes),
                vec![Contender::floe(|| decode(&header, &body, &field))],
            );
        }
    }
}

/// A batch of one column: header and body.
fn batch(rows: usize, encoded: &Encoded, codec: Codec) -> (BatchHeader, Buffer<u8>) {
    let mut layout = BodyLayout::default();
    let mut body: Vec<u8> = Vec::new();
    let mut specs = Vec::new();
    for buffer in &encoded.buffers {
        let buffer = buffer.clone().join().expect("in memory");
        let stored = match codec.floe() {
            None => buffer.as_slice().to_vec(),
            Some(_) if buffer.is_empty() => Vec::new(),
            Some(compression) => {
                let mut out = i64::try_from(buffer.len()).expect("a length").to_le_bytes().to_vec();
                floe_codec::compress_always(compression, &buffer, &mut out).expect("compressed");
                out
            },
        };
        let spec = layout.push(stored.len());
        body.resize(usize::try_from(spec.offset).expect("in memory"), 0);
        body.extend_from_slice(&stored);
        specs.push(spec);
    }
    body.resize(usize::try_from(layout.body_len()).expect("in memory"), 0);
    let compression = match codec {
        Codec::Raw => None,
        Codec::Lz4 => Some(WireCodec::Lz4),
        Codec::Zstd => Some(WireCodec::Zstd),
    };
    let header = BatchHeader {
        rows,
        nodes: encoded.nodes.clone(),
        buffers: specs,
        variadic: encoded.variadic.clone(),
        compression,
    };
    (header, body.into())
}

fn decode(header: &BatchHeader, body: &Buffer<u8>, field: &Field) -> Box<dyn Array> {
    let options = DecodeOptions::new(Version::V5, false);
    let (budget, dictionaries) = (Budget::default(), Dictionaries::default());
    let part = ColumnPart::new(header, body, &dictionaries, ColumnOffsets::default());
    decode_column(&mut DecodeCtx::new(vec![part], &options, &budget, &Serial), field).expect("decoded")
}

/// Bytes of a buffer: a column of 8-byte values in a batch of 262,144 rows.
const BUFFER: usize = 2 << 20;

/// Buffers of several kinds.
fn buffers(bench: &Bench) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let numbers = data::numbers(bench.scaled(2_000_000));
    let bytes_of = |name: &str| {
        let array = chunk(&numbers, name);
        let all = array.as_any();
        let raw: Vec<u8> = match all.downcast_ref::<arrow::array::PrimitiveArray<i64>>() {
            Some(array) => array.values_iter().flat_map(|value| value.to_le_bytes()).collect(),
            None => {
                let array = all.downcast_ref::<arrow::array::PrimitiveArray<f64>>().expect("numbers");
                array.values_iter().flat_map(|value| value.to_le_bytes()).collect()
            },
        };
        cut(&raw)
    };
    let mut rng = Rng::new(23);
    let noise: Vec<u8> = (0..bench.scaled(2_000_000)).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
    let strings = data::strings(bench.scaled(800_000));
    let (offsets, urls) = text(&strings, "long");
    let (_, ids) = text(&strings, "short");
    let keys: Vec<u8> = (0..bench.scaled(2_000_000))
        .flat_map(|_| u32::try_from(rng.below(100_000)).expect("a key").to_le_bytes())
        .collect();
    let dates: Vec<u8> = (0..bench.scaled(2_000_000))
        .flat_map(|_| u32::try_from(8_000 + rng.below(2_500)).expect("a day").to_le_bytes())
        .collect();
    let decimals: Vec<u8> = (0..bench.scaled(1_000_000))
        .flat_map(|_| u128::from(90_000 + rng.below(10_000_000)).to_le_bytes())
        .collect();
    vec![
        ("integers below 1,000", bytes_of("small")),
        ("integers below a million", bytes_of("medium")),
        ("steps", bytes_of("steps")),
        ("offsets", cut(&offsets)),
        ("prices", bytes_of("prices")),
        ("a random walk", bytes_of("walk")),
        ("dates", cut(&dates)),
        ("decimals", cut(&decimals)),
        ("keys below 100,000", cut(&keys)),
        ("views of short strings", cut(&views(&strings, "short"))),
        ("identifiers", cut(&ids)),
        ("URLs", cut(&urls)),
        ("noise, stored raw", cut(&noise)),
    ]
}

fn cut(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.chunks(BUFFER).map(<[u8]>::to_vec).collect()
}

/// Offsets and text of a column.
fn text(df: &DataFrame, name: &str) -> (Vec<u8>, Vec<u8>) {
    let array = chunk(df, name);
    let strings = array.as_any().downcast_ref::<Utf8ViewArray>().expect("views");
    let (mut offsets, mut text) = (Vec::new(), Vec::new());
    for value in strings.values_iter() {
        offsets.extend_from_slice(&(text.len() as u64).to_le_bytes());
        text.extend_from_slice(value.as_bytes());
    }
    (offsets, text)
}

/// The views of a column.
fn views(df: &DataFrame, name: &str) -> Vec<u8> {
    let array = chunk(df, name);
    let strings = array.as_any().downcast_ref::<Utf8ViewArray>().expect("views");
    strings.views().iter().flat_map(|view| view.as_u128().to_le_bytes()).collect()
}

fn codecs(bench: &mut Bench) {
    for (what, buffers) in buffers(bench) {
        let bytes = buffers.iter().map(Vec::len).sum();
        for codec in [Codec::Lz4, Codec::Zstd] {
            let Some(compression) = codec.floe() else { continue };
            let (mut out, mut other) = (Vec::new(), Vec::new());
            let mut contenders = vec![
                Contender::floe(|| compress_alike(compression, &buffers, &mut out)),
                Contender::limit("each told anew", || compress(compression, &buffers, &mut other)),
            ];
            let theirs = &buffers;
            contenders.push(match compression {
                Compression::Zstd { level } => {
                    let mut zstd = Zstd::new();
                    Contender::peer("libzstd, level 3", move || {
                        theirs.iter().map(|buffer| zstd.compress(buffer, level)).sum::<usize>()
                    })
                },
                Compression::Lz4 => Contender::peer("liblz4, one block", || {
                    theirs.iter().map(|buffer| lz4_block(buffer).len()).sum::<usize>()
                }),
            });
            bench.cell(cell("compress", what, codec, bytes), contenders);
            let frames: Vec<(usize, Vec<u8>)> =
                buffers.iter().filter_map(|b| frame(compression, b)).collect();
            if frames.len() < buffers.len() {
                continue;
            }
            let mut out = Vec::new();
            let mut all = vec![0; BUFFER];
            let blocks: Vec<(usize, Vec<u8>)> = match compression {
                Compression::Lz4 => buffers.iter().map(|buffer| (buffer.len(), lz4_block(buffer))).collect(),
                Compression::Zstd { .. } => Vec::new(),
            };
            let mut contenders =
                vec![Contender::floe(|| crate::limits::decompress(&frames, compression.codec(), &mut out))];
            if !blocks.is_empty() {
                contenders.push(Contender::peer("liblz4, what it wrote", || {
                    blocks.iter().map(|(len, block)| lz4_unblock(block, *len, &mut all)).sum::<usize>()
                }));
            }
            bench.cell(cell("decompress", what, codec, bytes), contenders);
        }
    }
}

/// A block that liblz4 makes of a whole buffer.
fn lz4_block(buffer: &[u8]) -> Vec<u8> {
    lz4::block::compress(buffer, None, false).expect("compressed")
}

fn lz4_unblock(block: &[u8], len: usize, out: &mut [u8]) -> usize {
    let len = i32::try_from(len).expect("a buffer of some MB");
    lz4::block::decompress_to_buffer(block, Some(len), out).expect("decompressed")
}

/// libzstd with a context that is kept, as it is.
struct Zstd {
    context: zstd_safe::CCtx<'static>,
    out: Vec<u8>,
}

impl Zstd {
    fn new() -> Self {
        Self { context: zstd_safe::CCtx::create(), out: Vec::new() }
    }

    fn compress(&mut self, input: &[u8], level: i32) -> usize {
        self.out.resize(zstd_safe::compress_bound(input.len()), 0);
        self.context.compress(&mut self.out[..], input, level).expect("compressed")
    }
}

/// As batches of a column are: how is told from a sample of the first, and whether it still suits from a small one.
fn compress_alike(compression: Compression, buffers: &[Vec<u8>], out: &mut Vec<u8>) {
    let mut first = None;
    for buffer in buffers {
        out.clear();
        let choice = match &first {
            None => CompressionPlan::new(compression, buffer),
            Some(first) => CompressionPlan::reuse_or_replan(first, buffer),
        };
        let choice = choice.expect("a choice");
        choice.compress(buffer, out, &Serial).expect("compressed");
        first.get_or_insert(choice);
    }
}

fn compress(compression: Compression, buffers: &[Vec<u8>], out: &mut Vec<u8>) {
    for buffer in buffers {
        out.clear();
        floe_codec::compress(compression, buffer, out).expect("compressed");
    }
}

fn frame(compression: Compression, buffer: &[u8]) -> Option<(usize, Vec<u8>)> {
    let mut out = Vec::new();
    floe_codec::compress(compression, buffer, &mut out).expect("compressed").then_some((buffer.len(), out))
}

/// The passes that look at what is read.
fn validation(bench: &mut Bench) {
    let rows = bench.scaled(1_000_000);
    let mut offsets = vec![0i64];
    let mut ascii = Vec::new();
    let mut rng = Rng::new(29);
    for _ in 0..rows {
        ascii.extend((0..10 + rng.below(20)).map(|i| b'a' + u8::try_from(i % 26).unwrap_or(0)));
        offsets.push(i64::try_from(ascii.len()).expect("an offset"));
    }
    let end = ascii.len();
    bench.cell(
        cell("validate", "offsets", Codec::Raw, offsets.len() * 8),
        vec![Contender::floe(|| validate::offsets(&offsets, end).expect("valid"))],
    );
    bench.cell(
        cell("validate", "UTF-8, ASCII", Codec::Raw, end),
        vec![Contender::floe(|| validate::utf8_offsets(&offsets, 0, end, &ascii).expect("valid"))],
    );
    let mut greek: Vec<u8> = "αβγδε".repeat(rows * 2).into_bytes();
    let step = greek.len() / rows / 2 * 2;
    greek.truncate(step * rows);
    let even: Vec<i64> = (0..=rows).map(|i| i64::try_from(i * step).expect("an offset")).collect();
    let end = greek.len();
    bench.cell(
        cell("validate", "UTF-8, Greek", Codec::Raw, end),
        vec![Contender::floe(|| validate::utf8_offsets(&even, 0, end, &greek).expect("valid"))],
    );
    let strings = chunk(&data::strings(rows), "long");
    let strings = strings.as_any().downcast_ref::<Utf8ViewArray>().expect("views");
    let (views, data) = (strings.views(), strings.data_buffers());
    let bytes = views.len() * size_of::<View>() + data.iter().map(Buffer::len).sum::<usize>();
    bench.cell(
        cell("validate", "views, and their text", Codec::Raw, bytes),
        vec![Contender::floe(|| {
            let text = |bytes: &Buffer<u8>| validate::Text::of(bytes, &|_| Ok(())).expect("memory");
            let texts: Vec<validate::Text> = data.iter().map(text).collect();
            validate::views(views, data, Some(&texts)).map_err(|(_, error)| error).expect("valid");
        })],
    );
}
