//! Small inputs that stand for far more than memory has. A process that may take no more than 2 GiB of addresses reads
//! each of them in every way. The result is an error or a frame, no abort, no panic, and comes at once.

mod cases;

use std::io::Cursor;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use floe::lazy::{IpcScanOptions, scan_ipc_file, scan_ipc_stream};
use floe::prelude::*;
use floe::{IpcIndex, inspect};
use floe_tests::config::reads;
use floe_tests::equal::touch;
use floe_tests::hostile::hostile;
use floe_tests::mutate::mutate;
use floe_tests::run::{say, within};
use polars_core::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

/// Tells this program that it is the child, and what to read.
const CHILD: &str = "FLOE_BOMBS_CHILD";
/// Kibibytes of addresses that it may take.
const ADDRESSES: &str = "2097152";
/// The time for one way to read one input, in a build without optimisation, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Inputs that are made of choices.
const SEEDS: u64 = 400;

struct Bomb {
    name: String,
    file: bool,
    bytes: Vec<u8>,
}

/// Reads in every way; returns how long the slowest took, which it was, and how many gave a frame.
fn read_all(bomb: &Bomb) -> (Duration, &'static str, usize) {
    let Bomb { file, bytes, .. } = bomb;
    let (mut slowest, mut valid) = ((Duration::ZERO, ""), 0);
    let mut run = |name: &'static str, read: &dyn Fn() -> PolarsResult<Option<DataFrame>>| {
        let start = Instant::now();
        if let Ok(df) = read() {
            valid += 1;
            // Looking at it takes as long as there are rows; a frame's first rows keep the values of all lists.
            if let Some(df) = df.filter(|df| df.height() < 10_000 && name != "scan, head") {
                touch(&df);
            }
        }
        if start.elapsed() > slowest.0 {
            slowest = (start.elapsed(), name);
        }
    };
    for (name, read) in reads(*file) {
        run(name, &|| read(bytes));
    }
    run("IpcIndex", &|| {
        let index = IpcIndex::from_bytes(bytes.clone(), IpcLimits::default())?;
        let columns: Vec<usize> = (0..index.column_names().len()).collect();
        index.read(0..index.num_record_batches(), &columns, true).map(Some)
    });
    let scan = || {
        let source = bytes.clone();
        if *file {
            scan_ipc_file(source, IpcScanOptions::default())
        } else {
            scan_ipc_stream(source, IpcScanOptions::default())
        }
    };
    run("scan", &|| scan()?.collect().map(Some));
    run("scan, head", &|| scan()?.limit(5).collect().map(Some));
    if *file {
        run("recover", &|| Ok(Some(IpcReader::recover(Cursor::new(bytes))?.df)));
    }
    run("inspect", &|| {
        Ok(inspect::describe(bytes, &IpcLimits::default()).ok().map(|_| DataFrame::default()))
    });
    (slowest.0, slowest.1, valid)
}

fn generated(seed: u64) -> Bomb {
    let mut rng = SmallRng::seed_from_u64(seed);
    let file = seed.is_multiple_of(2);
    let bytes = hostile(&mut |below: usize| rng.random_range(0..below), file);
    Bomb { name: format!("seed {seed}"), file, bytes }
}

/// A generated input that was broken in a few places, with pieces of another one.
fn mutated(seed: u64) -> Bomb {
    let mut rng = SmallRng::seed_from_u64(seed);
    let (whole, other) = (generated(seed), generated(seed + SEEDS));
    // Heads come first, and most of what there is are heads.
    let bytes = mutate(&mut rng, &whole.bytes, &[], &other.bytes);
    Bomb { name: format!("seed {seed}, broken"), file: whole.file, bytes }
}

/// Run by the test below; by itself it does nothing.
#[test]
fn the_child() {
    let bombs: Vec<Bomb> = match std::env::var(CHILD).as_deref() {
        Ok("cases") => cases::all(),
        Ok("seeds") => (0..SEEDS).map(generated).collect(),
        Ok("broken") => (0..2 * SEEDS).map(mutated).collect(),
        // By hand: those whose names have this text.
        Ok(text) => cases::all().into_iter().filter(|bomb| bomb.name.contains(text)).collect(),
        Err(_) => return,
    };
    let mut slow = Vec::new();
    for bomb in bombs {
        println!("reading {}, {} bytes", bomb.name, bomb.bytes.len());
        let (time, how, valid) = read_all(&bomb);
        println!("slowest: {:>6} ms by {how}; {valid} frames", time.as_millis());
        if time > PATIENCE {
            slow.push(format!("{}: {time:?} by {how}", bomb.name));
        }
    }
    assert!(slow.is_empty(), "too slow: {slow:?}");
    println!("all read");
}

#[cfg(unix)]
fn in_little_memory(what: &'static str) {
    let output = within(600, move || {
        let this = std::env::current_exe().expect("this program");
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v \"$1\" && shift && exec \"$@\"", "sh", ADDRESSES]);
        command.arg(this).args(["--exact", "the_child", "--nocapture", "--test-threads", "1"]);
        command.env(CHILD, what).env("POLARS_MAX_THREADS", "2").stderr(Stdio::inherit());
        command.output().expect("a process")
    });
    let out = String::from_utf8(output.stdout).expect("text");
    let last = out.lines().rev().find(|line| line.contains("reading")).unwrap_or_default();
    assert!(output.status.success() && out.contains("all read"), "{}, last: {last}\n{out}", output.status);
    let slowest = out.lines().filter(|line| line.contains("slowest")).max();
    say(&format!("{what}: {}", slowest.unwrap_or_default()));
}

#[cfg(unix)]
#[test]
fn tiny_inputs_do_not_end_the_process() {
    in_little_memory("cases");
}

#[cfg(unix)]
#[test]
fn generated_inputs_do_not_end_the_process() {
    in_little_memory("seeds");
}

#[cfg(unix)]
#[test]
fn broken_inputs_of_such_kinds_do_not_end_the_process() {
    in_little_memory("broken");
}

/// Legitimate inputs are read with the limits as they are.
#[test]
fn highly_compressible_data_is_read() {
    let rows = 20_000_000;
    let mut df = DataFrame::new(rows, vec![Column::new("zeros".into(), vec![0i64; rows])]).expect("a frame");
    let mut bytes = Vec::new();
    let writer = IpcWriter::new(&mut bytes).with_compression(Some(IpcCompression::ZSTD(Default::default())));
    writer.with_parallel(true).finish(&mut df).expect("bytes");
    assert!(bytes.len() < rows / 20, "{} bytes", bytes.len());
    let read = IpcReader::from_bytes(bytes).finish().expect("a frame");
    assert_eq!(read.height(), rows);
}

/// The errors name the limit, and raising it helps.
#[test]
fn the_limit_is_named_and_can_be_raised() {
    for bomb in [cases::one_run(1 << 25, 3), cases::columns_on_one_buffer(400, 1 << 20)] {
        let read =
            |limits: IpcLimits| IpcStreamReader::from_bytes(bomb.bytes.clone()).with_limits(limits).finish();
        let error = read(IpcLimits::default()).expect_err(&bomb.name).to_string();
        assert!(error.contains("max_amplification"), "{}: {error}", bomb.name);
        let raised = IpcLimits { max_amplification: 1 << 40, ..IpcLimits::default() };
        read(raised).unwrap_or_else(|error| panic!("{}: {error}", bomb.name));
    }
}
