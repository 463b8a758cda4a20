//! The workloads of two benchmarks that people know, rebuilt: arrow-rs' `ipc_writer` and `ipc_reader`, and
//! Arrow C++'s `read_write_benchmark`. Names of cells are theirs.
//!
//! arrow-rs': ten batches of 8,192 rows of four columns (`Int32`, `Utf8` with every tenth null, `Date32`,
//! `Decimal128(11, 2)`), to and from memory. Arrow C++'s: one batch of 1 MiB of `Int64` with a tenth null, as 1
//! to 4,096 columns, to and from memory.

use std::io::{Cursor, Write};

use ::floe::prelude::*;
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use polars_core::prelude::*;

use crate::contenders::floe::Shared;
use crate::contenders::{Codec, Format, arrow_rs, floe};
use crate::data::{Rng, columns};
use crate::measure::Contender;
use crate::results::{Cell, Goal};
use crate::runner::Bench;

/// Both.
pub fn run(bench: &mut Bench) {
    rust(bench);
    cpp(bench);
}

/// How often in a row: one run takes about a millisecond.
const TIMES: usize = 20;
/// Batches of a run.
const BATCHES: usize = 10;

fn cell(group: &str, name: &str, codec: Codec, bytes: usize) -> Cell {
    Cell {
        group: group.into(),
        name: name.into(),
        codec: codec.name().into(),
        bytes: Some(bytes as u64),
        goals: vec![Goal::peer(1.0)],
        ..Cell::default()
    }
}

/// One batch of arrow-rs' benchmarks.
fn batch(rows: usize) -> DataFrame {
    let numbers: Vec<i32> = (0..i32::try_from(rows).unwrap_or(i32::MAX)).collect();
    let text: Vec<Option<String>> =
        (0..rows).map(|i| (i % 10 != 0).then(|| format!("this is string number {i}"))).collect();
    let decimals: Vec<i128> = numbers.iter().map(|i| i128::from(*i) * 1_000_000).collect();
    let decimals = Int128Chunked::from_vec("c3".into(), decimals).into_decimal_unchecked(11, 2);
    let dates = Int32Chunked::from_vec("c2".into(), numbers.clone()).into_date();
    let all = vec![
        Column::new("c0".into(), numbers),
        Column::new("c1".into(), text),
        dates.into_column(),
        decimals.into_column(),
    ];
    columns(rows, all)
}

fn rust(bench: &mut Bench) {
    let df = batch(bench.scaled(8_192));
    let batches = arrow_rs::batches(&df, Format::Stream);
    let same = vec![batches[0].clone(); BATCHES];
    let bytes = df.estimated_size() * BATCHES * TIMES;
    for (format, codec, name) in [
        (Format::Stream, Codec::Raw, "StreamWriter/write_10"),
        (Format::Stream, Codec::Zstd, "StreamWriter/write_10/zstd"),
        (Format::File, Codec::Raw, "FileWriter/write_10"),
    ] {
        let mut whole = df.clone();
        (1..BATCHES).for_each(|_| {
            whole.vstack_mut(&df).expect("the same schema");
        });
        let (mut one, mut two) = (Vec::with_capacity(2 << 20), Vec::with_capacity(2 << 20));
        let (mut three, mut four) = (Vec::with_capacity(2 << 20), Vec::with_capacity(2 << 20));
        bench.cell(
            cell("arrow-rs ipc_writer", &format!("{name} x {TIMES}"), codec, bytes),
            vec![
                Contender::floe(|| {
                    (0..TIMES).for_each(|_| {
                        write_ten(&df, format, codec, CompatLevel::oldest(), &mut one);
                    })
                }),
                Contender::limit("floe, strings as views", || {
                    (0..TIMES).for_each(|_| write_ten(&df, format, codec, CompatLevel::newest(), &mut four));
                }),
                Contender::peer("arrow-rs", || {
                    (0..TIMES).for_each(|_| {
                        two.clear();
                        arrow_rs::write_to(&same, format, codec, &mut two);
                    });
                }),
                Contender::peer("Polars, ten chunks", || {
                    (0..TIMES).for_each(|_| {
                        three.clear();
                        polars_ten(&mut whole, format, codec, &mut three);
                    });
                }),
            ],
        );
    }
    for (format, codec, name) in [
        (Format::Stream, Codec::Raw, "StreamReader/read_10"),
        (Format::Stream, Codec::Zstd, "StreamReader/read_10/zstd"),
        (Format::File, Codec::Raw, "FileReader/read_10"),
    ] {
        let mut written = Vec::new();
        arrow_rs::write_to(&same, format, codec, &mut written);
        bench.cell(
            cell("arrow-rs ipc_reader", &format!("{name} x {TIMES}"), codec, bytes),
            vec![
                Contender::floe(|| (0..TIMES).for_each(|_| read_ten(&written, format))),
                Contender::peer("arrow-rs", || {
                    (0..TIMES).for_each(|_| drop(std::hint::black_box(arrow_rs_ten(&written, format))));
                }),
                Contender::peer("Polars", || (0..TIMES).for_each(|_| polars_reads(&written, format))),
            ],
        );
    }
    mapped(bench, &same, bytes);
}

fn mapped(bench: &mut Bench, same: &[RecordBatch], bytes: usize) {
    let mut written = Vec::new();
    arrow_rs::write_to(same, Format::File, Codec::Raw, &mut written);
    let buffer = Buffer::from_vec(written.clone());
    let shared = Shared::new(written);
    let times = |work: &dyn Fn()| (0..TIMES).for_each(|_| work());
    bench.cell(
        cell("arrow-rs ipc_reader", &format!("FileReader/read_10/mmap x {TIMES}"), Codec::Raw, bytes),
        vec![
            Contender::floe(|| times(&|| drop(floe::from_bytes(shared.clone(), Format::File, true)))),
            Contender::peer("arrow-rs", || times(&|| drop(arrow_rs::from_buffer(&buffer)))),
        ],
    );
    bench.cell(
        cell(
            "arrow-rs ipc_reader",
            &format!("FileReader/no_validation/read_10/mmap x {TIMES}"),
            Codec::Raw,
            bytes,
        ),
        vec![Contender::floe(|| times(&|| drop(floe::from_bytes(shared.clone(), Format::File, false))))],
    );
}

fn write_ten(df: &DataFrame, format: Format, codec: Codec, level: CompatLevel, out: &mut Vec<u8>) {
    out.clear();
    match format {
        Format::Stream => {
            let writer = IpcStreamWriter::new(out).with_compression(codec.polars()).with_compat_level(level);
            let mut writer = writer.batched(df.schema()).expect("a writer");
            (0..BATCHES).for_each(|_| writer.write_batch(df).expect("floe writes"));
            writer.finish().expect("floe writes");
        },
        Format::File => {
            let writer = IpcWriter::new(out).with_compression(codec.polars()).with_compat_level(level);
            let mut writer = writer.batched(df.schema()).expect("a writer");
            (0..BATCHES).for_each(|_| writer.write_batch(df).expect("floe writes"));
            writer.finish().expect("floe writes");
        },
    }
}

fn polars_ten(df: &mut DataFrame, format: Format, codec: Codec, out: &mut Vec<u8>) {
    let oldest = CompatLevel::oldest();
    match format {
        Format::Stream => {
            let writer = polars_io::ipc::IpcStreamWriter::new(out).with_compat_level(oldest);
            writer.with_compression(codec.polars()).finish(df).expect("Polars writes");
        },
        Format::File => {
            let writer = polars_io::ipc::IpcWriter::new(out).with_compat_level(oldest);
            writer.with_compression(codec.polars()).finish(df).expect("Polars writes");
        },
    }
}

/// Batch by batch, as arrow-rs' benchmark does.
fn read_ten(bytes: &[u8], format: Format) {
    let batches: Vec<DataFrame> = match format {
        Format::Stream => {
            let batches = IpcStreamReader::new(bytes).batches().expect("floe reads");
            batches.map(|batch| batch.expect("floe reads")).collect()
        },
        Format::File => {
            let batches = IpcReader::new(Cursor::new(bytes)).batches().expect("floe reads");
            batches.map(|batch| batch.expect("floe reads")).collect()
        },
    };
    drop(std::hint::black_box(batches));
}

fn arrow_rs_ten(bytes: &[u8], format: Format) -> Vec<RecordBatch> {
    match format {
        Format::Stream => arrow_rs::read_stream(bytes, None),
        Format::File => arrow_rs::read_file(Cursor::new(bytes), None),
    }
}

fn polars_reads(bytes: &[u8], format: Format) {
    let df = match format {
        Format::Stream => {
            polars_io::ipc::IpcStreamReader::new(Cursor::new(bytes)).set_rechunk(false).finish()
        },
        Format::File => polars_io::ipc::IpcReader::new(Cursor::new(bytes)).set_rechunk(false).finish(),
    };
    drop(std::hint::black_box(df.expect("Polars reads")));
}

/// Memory that is written over and over.
struct Scratch(Vec<u8>);

impl Write for Scratch {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > self.0.capacity() {
            self.0.clear();
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One MiB of numbers below 100, a tenth of them null.
fn mebibyte(width: usize) -> DataFrame {
    let rows = (1 << 20) / width / 8;
    let mut rng = Rng::new(0x4f32_a908);
    let all = (0..width).map(|i| {
        let values: Vec<Option<i64>> = (0..rows)
            .map(|_| (rng.below(10) > 0).then(|| i64::try_from(rng.below(100)).unwrap_or(0)))
            .collect();
        Column::new(format!("f{i}").into(), values)
    });
    columns(rows, all.collect())
}

fn cpp(bench: &mut Bench) {
    for width in [1, 4, 16, 64, 256, 1024, 4096] {
        if width > 64 && bench.args.scale == crate::args::Scale::Tiny {
            continue;
        }
        let df = mebibyte(width);
        let batches = arrow_rs::batches(&df, Format::Stream);
        let scratch = || Scratch(Vec::with_capacity(4 << 20));
        let mut floe_writer = IpcStreamWriter::new(scratch()).batched(df.schema()).expect("a writer");
        let mut rs_writer =
            arrow_ipc::writer::StreamWriter::try_new(scratch(), &batches[0].schema()).expect("a writer");
        bench.cell(
            cell(
                "Arrow C++ read_write_benchmark",
                &format!("WriteRecordBatch/{width} x {TIMES}"),
                Codec::Raw,
                TIMES << 20,
            ),
            vec![
                Contender::floe(|| {
                    (0..TIMES).for_each(|_| floe_writer.write_batch(&df).expect("floe writes"));
                }),
                Contender::peer("arrow-rs", || {
                    (0..TIMES).for_each(|_| rs_writer.write(&batches[0]).expect("arrow-rs writes"));
                }),
            ],
        );
        let bytes = floe::to_vec(&df, Format::File, Codec::Raw, None);
        let buffer = Buffer::from_vec(bytes.clone());
        let shared = Shared::new(bytes.clone());
        let times = |work: &dyn Fn()| (0..TIMES).for_each(|_| work());
        bench.cell(
            cell(
                "Arrow C++ read_write_benchmark",
                &format!("ReadRecordBatch/{width} x {TIMES}"),
                Codec::Raw,
                TIMES << 20,
            ),
            vec![
                Contender::floe(|| times(&|| drop(floe::from_bytes(shared.clone(), Format::File, true)))),
                Contender::peer("arrow-rs", || times(&|| drop(arrow_rs::from_buffer(&buffer)))),
                Contender::peer("Polars", || times(&|| polars_reads(&bytes, Format::File))),
            ],
        );
    }
}
