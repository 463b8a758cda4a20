//! `cargo bench -p floe-benches --bench peers [-- [--quick] [--only TEXT]]`: floe beside Polars' eager readers and
//! writers and arrow-rs, on the same data, codec and level, taking turns in one process.
//!
//! Prints a Markdown table: medians in milliseconds, and how many times faster floe is than the
//! best peer of the row. Files are in `/dev/shm` where there is one.
#![allow(missing_docs)]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Write};
use std::path::PathBuf;

use floe::prelude::*;
use floe_benches::measure::{Contender, alternate};
use floe_benches::{data, peers};
use polars_core::prelude::*;
use polars_io::ipc as polars_ipc;

struct Bench {
    folder: PathBuf,
    rounds: usize,
    /// Rows whose name holds this.
    only: String,
}

fn contender<'a>(name: &'static str, run: impl FnMut() + 'a) -> Contender<'a> {
    Contender { name, run: Box::new(run) }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn create(&self, name: &str) -> File {
        File::create(self.path(name)).expect("a file in the bench folder")
    }

    fn open(&self, name: &str) -> File {
        File::open(self.path(name)).expect("a file in the bench folder")
    }

    /// Runs a row; the first contender is floe. Those called `(limit)` are no peers.
    fn row(&self, cell: &str, mut contenders: Vec<Contender<'_>>) {
        if !cell.contains(&self.only) {
            return;
        }
        let times = alternate(&mut contenders, self.rounds);
        let ms = |i: usize| times[i].as_secs_f64() * 1e3;
        let best = (1..times.len())
            .filter(|i| !contenders[*i].name.contains("limit"))
            .map(ms)
            .fold(f64::INFINITY, f64::min);
        let all: Vec<String> =
            (1..times.len()).map(|i| format!("{} {:.1}", contenders[i].name, ms(i))).collect();
        println!("| {cell} | {:.1} | {} | {:.2}x |", ms(0), all.join(", "), best / ms(0));
    }

    fn writes(&self, what: &str, df: &DataFrame, compression: Option<IpcCompression>) {
        let name = codec_name(compression);
        let batches = peers::to_arrow(df);
        let (mut a, mut b, mut c, mut d) = (df.clone(), df.clone(), df.clone(), df.clone());
        let plain = if compression.is_none() {
            let mut bytes = Vec::new();
            IpcWriter::new(&mut bytes).finish(&mut df.clone()).expect("written");
            bytes
        } else {
            Vec::new()
        };
        let mut file = vec![
            contender("floe", || {
                IpcWriter::new(self.create("floe.arrow"))
                    .with_compression(compression)
                    .finish(&mut a)
                    .expect("written");
            }),
            contender("Polars", || {
                let mut writer =
                    polars_ipc::IpcWriter::new(self.create("polars.arrow")).with_compression(compression);
                writer.finish(&mut b).expect("written");
            }),
            contender("arrow-rs", || {
                peers::write_file(
                    &batches,
                    compression,
                    std::io::BufWriter::with_capacity(1 << 20, self.create("rs.arrow")),
                );
            }),
        ];
        if compression.is_none() {
            file.push(contender("write(2) (limit)", || {
                let mut out = self.create("bare.arrow");
                for piece in plain.chunks(4 << 20) {
                    out.write_all(piece).expect("written");
                }
            }));
        }
        self.row(&format!("{what}: write file, {name}"), file);
        let stream = vec![
            contender("floe", || {
                let mut writer =
                    IpcStreamWriter::new(self.create("floe.arrows")).with_compression(compression);
                writer.finish(&mut c).expect("written");
            }),
            contender("Polars", || {
                let mut writer = polars_ipc::IpcStreamWriter::new(self.create("polars.arrows"))
                    .with_compression(compression);
                writer.finish(&mut d).expect("written");
            }),
            contender("arrow-rs", || {
                let to = std::io::BufWriter::with_capacity(1 << 20, self.create("rs.arrows"));
                peers::write_stream(&batches, compression, to);
            }),
        ];
        self.row(&format!("{what}: write stream, {name}"), stream);
    }

    fn reads(&self, what: &str, df: &DataFrame, compression: Option<IpcCompression>) {
        let name = codec_name(compression);
        let rows = Some(512 * 512);
        let mut writer = IpcWriter::new(self.create("read.arrow"))
            .with_compression(compression)
            .with_record_batch_size(rows);
        writer.finish(&mut df.clone()).expect("written");
        let mut writer = IpcStreamWriter::new(self.create("read.arrows"))
            .with_compression(compression)
            .with_record_batch_size(rows);
        writer.finish(&mut df.clone()).expect("written");
        for rechunk in [true, false] {
            let how = if rechunk { "rechunked" } else { "in chunks" };
            self.row(
                &format!("{what}: read file {how}, {name}"),
                vec![
                    contender("floe", || {
                        black_box(
                            IpcReader::new(self.open("read.arrow"))
                                .set_rechunk(rechunk)
                                .finish()
                                .expect("read"),
                        );
                    }),
                    contender("Polars", || {
                        let reader = polars_ipc::IpcReader::new(self.open("read.arrow")).set_rechunk(rechunk);
                        black_box(reader.finish().expect("read"));
                    }),
                    contender("arrow-rs", || {
                        black_box(peers::read_file(BufReader::new(self.open("read.arrow"))));
                    }),
                ],
            );
            self.row(
                &format!("{what}: read stream {how}, {name}"),
                vec![
                    contender("floe", || {
                        black_box(
                            IpcStreamReader::new(self.open("read.arrows"))
                                .set_rechunk(rechunk)
                                .finish()
                                .expect("read"),
                        );
                    }),
                    contender("Polars", || {
                        let reader =
                            polars_ipc::IpcStreamReader::new(self.open("read.arrows")).set_rechunk(rechunk);
                        black_box(reader.finish().expect("read"));
                    }),
                    contender("arrow-rs", || {
                        black_box(peers::read_stream(BufReader::new(self.open("read.arrows"))));
                    }),
                ],
            );
        }
    }

    fn small(&self) {
        let df = data::wide(10, 10);
        let batch = peers::to_arrow(&df);
        let n = if self.rounds > 2 { 100_000 } else { 1_000 };
        self.row(
            &format!("{n} batches of 10 x 10 to a stream"),
            vec![
                contender("floe", || {
                    let mut writer =
                        IpcStreamWriter::new(std::io::sink()).batched(df.schema()).expect("a writer");
                    for _ in 0..n {
                        writer.write_batch(&df).expect("written");
                    }
                    writer.finish().expect("written");
                }),
                contender("arrow-rs", || {
                    let mut writer =
                        arrow_ipc::writer::StreamWriter::try_new(std::io::sink(), &batch[0].schema())
                            .expect("a writer");
                    for _ in 0..n {
                        writer.write(&batch[0]).expect("written");
                    }
                    writer.finish().expect("written");
                }),
            ],
        );
        let mut one = df.clone();
        let mut two = df.clone();
        self.row(
            &format!("{n} streams of 10 x 10"),
            vec![
                contender("floe", || {
                    for _ in 0..n {
                        IpcStreamWriter::new(std::io::sink()).finish(&mut one).expect("written");
                    }
                }),
                contender("Polars", || {
                    for _ in 0..n {
                        polars_ipc::IpcStreamWriter::new(std::io::sink()).finish(&mut two).expect("written");
                    }
                }),
                contender("arrow-rs", || {
                    for _ in 0..n {
                        peers::write_stream(&batch, None, std::io::sink());
                    }
                }),
            ],
        );
    }
}

fn codec_name(compression: Option<IpcCompression>) -> &'static str {
    match compression {
        None => "raw",
        Some(IpcCompression::LZ4) => "LZ4",
        Some(IpcCompression::ZSTD(_)) => "ZSTD 3",
    }
}

fn main() {
    let only = std::env::args().skip_while(|arg| arg != "--only").nth(1).unwrap_or_default();
    let quick = std::env::args().any(|arg| arg == "--quick" || arg == "--test");
    let base = PathBuf::from("/dev/shm");
    let base = if base.is_dir() { base } else { std::env::temp_dir() };
    let folder = base.join(format!("floe-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the files");
    let bench = Bench { folder: folder.clone(), rounds: if quick { 1 } else { 5 }, only };
    let scale = if quick { 100 } else { 1 };
    println!("| cell | floe, ms | others, ms | floe vs best |\n|---|---|---|---|");
    let zstd = IpcCompression::ZSTD(ZstdLevel::try_new(3).expect("a level"));
    let frames = [
        ("4M x 8 numbers", data::numbers(4_000_000 / scale)),
        ("2M x 3 strings", data::strings(2_000_000 / scale)),
        ("5,000 x 2,000", data::wide(2_000, 5_000 / scale)),
    ];
    for (what, df) in &frames {
        for compression in [None, Some(IpcCompression::LZ4), Some(zstd)] {
            bench.writes(what, df, compression);
            bench.reads(what, df, compression);
        }
    }
    bench.small();
    std::fs::remove_dir_all(&folder).expect("the bench folder is removed");
}
