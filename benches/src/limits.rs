//! The limits of the machine, for any code: copying, the kernel's read and write, and the cores' compression in memory.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use floe_codec::{Compression, CompressionPlan};
use floe_format::{Header, IpcLimits, Next, next_message};
use polars_core::prelude::*;

use crate::contenders::{Codec, Format, floe};
use crate::data;
use crate::measure::Contender;
use crate::results::{Cell, Role};
use crate::runner::Bench;

/// How many threads Polars' pool has: the cores that count.
#[must_use]
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
}

/// The bytes of a raw stream or file of the frame, and where the buffers of its record batches are in them.
pub struct Buffers {
    bytes: Vec<u8>,
    /// With the number of the buffer in its batch.
    ranges: Vec<(usize, std::ops::Range<usize>)>,
}

/// How buffers of each number are compressed: as the first that is large, where they are like that.
struct Choices(Vec<OnceLock<CompressionPlan>>);

impl Choices {
    /// Buffers of fewer bytes are compressed as suits each.
    const LEAST: usize = 256 << 10;

    fn compress(&self, compression: Compression, (i, buffer): (usize, &[u8]), out: &mut Vec<u8>) -> bool {
        let Some(known) = self.0.get(i).filter(|_| buffer.len() >= Self::LEAST) else {
            return floe_codec::compress(compression, buffer, out).expect("compressed");
        };
        let choice = known.get_or_init(|| CompressionPlan::new(compression, buffer).expect("a choice"));
        let choice = choice.reuse_or_replan(buffer).expect("a choice");
        choice.compress(buffer, out, &floe_runtime::Serial).expect("compressed")
    }
}

impl Buffers {
    /// The buffers that floe would compress.
    #[must_use]
    pub fn of(df: &DataFrame, format: Format) -> Self {
        let bytes = floe::to_vec(df, format, Codec::Raw, None);
        let mut ranges = Vec::new();
        let mut at = if format == Format::File { 8 } else { 0 };
        while let Ok(Next::Message { message, body, .. }) = next_message(&bytes, at, &IpcLimits::default()) {
            at = body.end;
            let (Header::Batch(batch) | Header::Dictionary(floe_format::DictionaryHeader { batch, .. })) =
                message.header
            else {
                continue;
            };
            let whole = |n: u64| usize::try_from(n).expect("in memory");
            let place = |spec: &floe_format::BufferSpec| {
                let start = body.start + whole(spec.offset);
                start..start + whole(spec.len)
            };
            let numbered = batch.buffers.iter().enumerate();
            ranges.extend(numbered.filter(|(_, spec)| spec.len > 0).map(|(i, spec)| (i, place(spec))));
        }
        Self { bytes, ranges }
    }

    /// All bytes, as they would be written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The buffers, with their numbers.
    fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.ranges.iter().filter_map(|(i, range)| Some((*i, self.bytes.get(range.clone())?)))
    }

    fn choices(&self) -> Choices {
        let numbers = self.ranges.iter().map(|(i, _)| i + 1).max().unwrap_or(0);
        Choices((0..numbers).map(|_| OnceLock::new()).collect())
    }

    /// How long one core takes to compress them into warm memory, over the number of cores: what compressed
    /// writes cannot beat.
    #[must_use]
    pub fn compress(&self, compression: Compression) -> Duration {
        let mut out = Vec::new();
        let start = Instant::now();
        let choices = self.choices();
        for buffer in self.iter() {
            out.clear();
            choices.compress(compression, buffer, &mut out);
        }
        start.elapsed() / cores()
    }

    /// As [`compress`](Self::compress), each buffer then written to a new file: the time when only the codec and the
    /// kernel work, and no core ever waits.
    #[must_use]
    pub fn compress_and_write(&self, compression: Compression, path: &Path) -> Duration {
        let mut out = Vec::new();
        let start = Instant::now();
        let mut file = File::create(path).expect("a file");
        let choices = self.choices();
        for buffer in self.iter() {
            out.clear();
            let shrunk = choices.compress(compression, buffer, &mut out);
            file.write_all(if shrunk { &out } else { buffer.1 }).expect("written");
        }
        start.elapsed() / cores()
    }

    /// All cores compress them at once, each into warm memory of its own.
    pub fn compress_at_once(&self, compression: Compression) {
        let choices = self.choices();
        at_once(self.iter().collect(), |buffer| {
            thread_local!(static OUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
            OUT.with_borrow_mut(|out| {
                out.clear();
                choices.compress(compression, buffer, out);
            });
        });
    }

    /// The compressed buffers, with the length of each.
    #[must_use]
    pub fn compressed(&self, compression: Compression) -> Vec<(usize, Vec<u8>)> {
        let choices = self.choices();
        let compress = |buffer: (usize, &[u8])| {
            let mut out = Vec::new();
            let shrunk = choices.compress(compression, buffer, &mut out);
            shrunk.then_some((buffer.1.len(), out))
        };
        self.iter().filter_map(compress).collect()
    }
}

/// How long one core takes to decompress those buffers into warm memory, over the number of cores.
#[must_use]
pub fn decompress(
    frames: &[(usize, Vec<u8>)],
    codec: floe_codec::Codec,
    out: &mut Vec<MaybeUninit<u8>>,
) -> Duration {
    out.resize(frames.iter().map(|(len, _)| *len).max().unwrap_or(0), MaybeUninit::new(0));
    let start = Instant::now();
    for (len, frame) in frames {
        floe_codec::decompress(codec, frame, &mut out[..*len]).expect("decompressed");
    }
    start.elapsed() / cores()
}

/// Writes the frames to a file, one behind the other.
pub fn write_frames(frames: &[(usize, Vec<u8>)], path: &Path) {
    let mut file = File::create(path).expect("a file");
    frames.iter().for_each(|(_, frame)| file.write_all(frame).expect("written"));
}

/// How long one core takes to read those frames from a file and decompress each to its place in one warm allocation,
/// over the number of cores. It is the time when only the codec and the kernel work, and no core ever waits.
#[must_use]
pub fn read_and_decompress(
    path: &Path,
    frames: &[(usize, Vec<u8>)],
    codec: floe_codec::Codec,
    out: &mut Vec<MaybeUninit<u8>>,
) -> Duration {
    out.resize(frames.iter().map(|(len, _)| *len).sum(), MaybeUninit::new(0));
    let mut stored = vec![0; frames.iter().map(|(_, frame)| frame.len()).max().unwrap_or(0)];
    let (mut rest, mut file) = (out.as_mut_slice(), File::open(path).expect("a file"));
    let start = Instant::now();
    for (len, frame) in frames {
        let stored = &mut stored[..frame.len()];
        file.read_exact(stored).expect("read");
        let (here, behind) = std::mem::take(&mut rest).split_at_mut(*len);
        rest = behind;
        floe_codec::decompress(codec, stored, here).expect("decompressed");
    }
    start.elapsed() / cores()
}

/// All cores decompress those buffers at once, each to its place in one warm allocation: unlike [`decompress`] with
/// what the memory allows.
fn decompress_at_once(frames: &[(usize, Vec<u8>)], codec: floe_codec::Codec, out: &mut [MaybeUninit<u8>]) {
    let mut rest = out;
    let jobs = frames.iter().map(|(len, frame)| {
        let (here, behind) = std::mem::take(&mut rest).split_at_mut(*len);
        rest = behind;
        (frame, here)
    });
    let jobs: Vec<_> = jobs.collect();
    at_once(jobs, |(frame, out)| floe_codec::decompress(codec, frame, out).expect("decompressed"));
}

/// Runs the jobs on a thread for each core: an idle thread takes the next.
fn at_once<J: Send>(jobs: Vec<J>, run: impl Fn(J) + Sync) {
    let jobs = Mutex::new(jobs.into_iter());
    let next = || jobs.lock().expect("no job panics while it is taken").next();
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                while let Some(job) = next() {
                    run(job);
                }
            });
        }
    });
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// A copy of the bytes that begins with a cache line: memory, and where in it they begin.
fn at_a_line(bytes: &[u8]) -> (Vec<u8>, usize) {
    let mut memory = vec![0; bytes.len() + LINE];
    let start = memory.as_ptr().addr().next_multiple_of(LINE) - memory.as_ptr().addr();
    memory[start..][..bytes.len()].copy_from_slice(bytes);
    (memory, start)
}

/// Pieces in which the bare loops read and write.
const PIECE: usize = 4 << 20;

/// A bare loop of `write(2)` into a new file.
pub fn write_bare(bytes: &[u8], path: &Path) {
    let mut out = File::create(path).expect("a file");
    bytes.chunks(PIECE).for_each(|piece| out.write_all(piece).expect("written"));
}

/// A new file of the right length, mapped, and filled by all cores at once: the only way around `write(2)`, of which
/// one file takes one at a time.
#[expect(unsafe_code, reason = "the file is the benchmark's own, and nobody else's")]
pub fn write_mapped(bytes: &[u8], path: &Path) {
    let file = File::options().read(true).write(true).create_new(true).open(path).expect("a file");
    file.set_len(bytes.len() as u64).expect("a length");
    // SAFETY: the file has just been made in the benchmark's own folder, and nobody shortens it.
    let mut map = unsafe { memmap2::MmapMut::map_mut(&file) }.expect("mapped");
    let share = bytes.len().div_ceil(usize::try_from(cores()).unwrap_or(1)).max(1);
    std::thread::scope(|scope| {
        for (into, from) in map.chunks_mut(share).zip(bytes.chunks(share)) {
            scope.spawn(|| into.copy_from_slice(from));
        }
    });
}

/// A bare loop of `read(2)` into memory that is there already.
pub fn read_bare(path: &Path, into: &mut Vec<u8>) {
    let mut file = File::open(path).expect("a file");
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    into.resize(usize::try_from(len).expect("in memory"), 0);
    into.chunks_mut(PIECE).for_each(|piece| file.read_exact(piece).expect("read"));
}

/// The limits as cells of their own, in gigabytes a second.
pub fn run(bench: &mut Bench) {
    let df = data::numbers(bench.scaled(4_000_000));
    let buffers = Buffers::of(&df, Format::File);
    let bytes = buffers.bytes();
    let len = Some(bytes.len() as u64);
    let cell = |name: &str, codec: Codec| Cell {
        group: "limits (4M x 8 numbers)".into(),
        name: name.into(),
        codec: if codec == Codec::Raw { String::new() } else { codec.name().into() },
        bytes: len,
        ..Cell::default()
    };
    let mut warm = bytes.to_vec();
    bench.cell(
        cell("memcpy into warm memory", Codec::Raw),
        vec![Contender::limit("memcpy", || warm.copy_from_slice(bytes))],
    );
    bench.cell(
        cell("memcpy into fresh memory", Codec::Raw),
        vec![Contender::limit("memcpy", || bytes.to_vec())],
    );
    let path = bench.path("bare");
    let (aligned, start) = at_a_line(bytes);
    bench.cell(
        cell("write(2) into a new file", Codec::Raw),
        vec![
            Contender::prepared("write(2)", Role::Limit, || fresh(&path), |()| write_bare(bytes, &path)),
            Contender::prepared(
                "write(2), 64-byte aligned",
                Role::Limit,
                || fresh(&path),
                |()| write_bare(&aligned[start..][..bytes.len()], &path),
            ),
            Contender::prepared(
                "mapped, all cores",
                Role::Limit,
                || fresh(&path),
                |()| {
                    write_mapped(bytes, &path);
                },
            ),
        ],
    );
    write_bare(bytes, &path);
    bench.cell(
        cell("read(2) into warm memory", Codec::Raw),
        vec![Contender::limit("read(2)", || read_bare(&path, &mut warm))],
    );
    drop((warm, aligned));
    for codec in [Codec::Lz4, Codec::Zstd] {
        let Some(compression) = codec.floe() else { continue };
        bench.cell(
            cell("all cores compress in memory", codec),
            vec![
                Contender::new("codec x cores", Role::Limit, || buffers.compress(compression)),
                Contender::limit("at once", || buffers.compress_at_once(compression)),
            ],
        );
        let frames = buffers.compressed(compression);
        let (mut out, mut all) = (Vec::new(), Vec::new());
        all.resize(frames.iter().map(|(len, _)| len).sum(), MaybeUninit::new(0));
        bench.cell(
            cell("all cores decompress in memory", codec),
            vec![
                Contender::new("codec x cores", Role::Limit, || {
                    decompress(&frames, compression.codec(), &mut out)
                }),
                Contender::limit("at once", || {
                    decompress_at_once(&frames, compression.codec(), &mut all);
                }),
            ],
        );
    }
}

/// Removes a file, so that freeing its memory is nobody's time.
pub fn fresh(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{}: {error}", path.display()),
        _ => {},
    }
}
