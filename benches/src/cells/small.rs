//! Frames of ten rows and ten columns: what counts is what happens once a batch.

use ::floe::prelude::{IpcStreamReader, IpcStreamWriter, IpcWriter, SerReader, SerWriter};
use arrow_array::RecordBatch;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use polars_core::prelude::*;

use crate::contenders::pyarrow::Pyarrow;
use crate::contenders::{Codec, Format, arrow_rs, eager, floe};
use crate::data;
use crate::measure::Contender;
use crate::results::{Cell, Goal, Role};
use crate::runner::Bench;

fn group(n: usize, what: &str) -> Cell {
    let (group, name) = ("small frames (10 x 10)".into(), format!("{n} {what}"));
    Cell { group, name, codec: "raw".into(), goals: vec![Goal::peer(1.0)], ..Cell::default() }
}

/// Many batches of one writer, and many writers of one batch; readers of one batch.
pub fn run(bench: &mut Bench, pyarrow: Option<&Pyarrow>) {
    let df = data::wide(10, 10);
    let many = bench.scaled(100_000);
    let alone = bench.scaled(20_000);
    let batch = arrow_rs::batches(&df, Format::Stream);
    let path = bench.path("ten");
    std::fs::write(&path, floe::to_vec(&df, Format::Stream, Codec::Raw, None)).expect("written");
    let pyarrow = pyarrow.filter(|pyarrow| pyarrow.load("ten", Format::Stream, &path).is_ok());
    let ask = |command: &'static str, format: Format, n: usize| {
        pyarrow.map(|pyarrow| {
            Contender::new("pyarrow", Role::Peer, move || {
                pyarrow.time(&[command, "ten", format.name(), &n.to_string()])
            })
        })
    };
    let mut stream = vec![
        Contender::floe(|| floe_stream(&df, many)),
        Contender::peer("arrow-rs", || arrow_rs_stream(&batch[0], many)),
    ];
    stream.extend(ask("small", Format::Stream, many));
    bench.cell(group(many, "batches to a stream"), stream);
    let mut file = vec![
        Contender::floe(|| floe_file(&df, many)),
        Contender::peer("Polars", || polars_file(&df, many)),
        Contender::peer("arrow-rs", || arrow_rs_file(&batch[0], many)),
    ];
    file.extend(ask("small", Format::File, many));
    bench.cell(group(many, "batches to a file"), file);
    for format in Format::BOTH {
        let (mut one, mut two) = (df.clone(), df.clone());
        let times = |work: &mut dyn FnMut()| (0..alone).for_each(|_| work());
        let mut each = vec![
            Contender::floe(|| {
                times(&mut || floe::write_to(&mut one, format, Codec::Raw, None, std::io::sink()))
            }),
            Contender::peer("Polars", || {
                times(&mut || eager::write_to(&mut two, format, Codec::Raw, std::io::sink()))
            }),
            Contender::peer("arrow-rs", || {
                times(&mut || arrow_rs::write_to(&batch, format, Codec::Raw, std::io::sink()));
            }),
        ];
        each.extend(ask("single", format, alone));
        bench.cell(group(alone, &format!("{}s of one batch", format.name())), each);
    }
    reads(bench, &df, alone);
    if let Some(pyarrow) = pyarrow {
        pyarrow.forget("ten");
    }
}

fn reads(bench: &mut Bench, df: &DataFrame, alone: usize) {
    let bytes = floe::to_vec(df, Format::Stream, Codec::Raw, None);
    let times = |work: &dyn Fn()| (0..alone).for_each(|_| work());
    bench.cell(
        group(alone, "streams of one batch read"),
        vec![
            Contender::floe(|| {
                times(&|| drop(IpcStreamReader::new(bytes.as_slice()).finish().expect("floe reads")));
            }),
            Contender::peer("Polars", || {
                times(&|| {
                    let reader = polars_io::ipc::IpcStreamReader::new(std::io::Cursor::new(&bytes));
                    drop(reader.finish().expect("Polars reads"));
                });
            }),
            Contender::peer("arrow-rs", || {
                times(&|| drop(arrow_rs::read_stream(bytes.as_slice(), None)));
            }),
        ],
    );
}

fn floe_stream(df: &DataFrame, n: usize) {
    let mut writer = IpcStreamWriter::new(std::io::sink()).batched(df.schema()).expect("a writer");
    (0..n).for_each(|_| writer.write_batch(df).expect("floe writes"));
    writer.finish().expect("floe writes");
}

fn floe_file(df: &DataFrame, n: usize) {
    let mut writer = IpcWriter::new(std::io::sink()).batched(df.schema()).expect("a writer");
    (0..n).for_each(|_| writer.write_batch(df).expect("floe writes"));
    writer.finish().expect("floe writes");
}

fn polars_file(df: &DataFrame, n: usize) {
    let writer = polars_io::ipc::IpcWriter::new(std::io::sink());
    let plain = || arrow::io::ipc::IpcField { fields: Vec::new(), dictionary_id: None };
    let fields = (0..df.width()).map(|_| plain()).collect();
    let mut writer = writer.batched(df.schema(), fields).expect("a writer");
    (0..n).for_each(|_| writer.write_batch(df).expect("Polars writes"));
    writer.finish().expect("Polars writes");
}

fn arrow_rs_stream(batch: &RecordBatch, n: usize) {
    let mut writer = StreamWriter::try_new(std::io::sink(), &batch.schema()).expect("a writer");
    (0..n).for_each(|_| writer.write(batch).expect("arrow-rs writes"));
    writer.finish().expect("arrow-rs writes");
}

fn arrow_rs_file(batch: &RecordBatch, n: usize) {
    let mut writer = FileWriter::try_new(std::io::sink(), &batch.schema()).expect("a writer");
    (0..n).for_each(|_| writer.write(batch).expect("arrow-rs writes"));
    writer.finish().expect("arrow-rs writes");
}
