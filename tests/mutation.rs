//! Twenty thousand broken inputs: bytes and bits flipped, lengths replaced, ranges spliced, ends cut off. Each is read
//! in every way, and every value of the result is read.
//!
//! The whole process lives in 256 MB: the allocator refuses what is beyond, and a refusal that is not handled
//! aborts. A watchdog aborts when one input takes too long. Both print the case, and
//! `FLOE_MUTATION_CASE=<case> cargo test -p floe-tests --test mutation` runs that one alone.
//! `FLOE_MUTATION_CASES=<count>` asks for more of them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::config::{Config, codecs, concat, reads};
use floe_tests::equal::touch;
use floe_tests::messages::{footer, messages};
use floe_tests::mutate::mutate;
use floe_tests::run::say;
use polars_core::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

/// Every 50th input is a frame with all columns at once, which takes longer; all others have one column.
const WIDE: u64 = 50;
/// Bytes that may be allocated at a time, in the whole process.
const CAP: usize = 256 << 20;
/// Until the watchdog barks.
const PATIENCE: Duration = Duration::from_secs(10);

/// The system's allocator, until [`CAP`] bytes are in use.
struct Capped;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static CASE: AtomicU64 = AtomicU64::new(u64::MAX);

impl Capped {
    fn take(size: usize) -> bool {
        let live = LIVE.fetch_add(size, Ordering::Relaxed).saturating_add(size);
        if live > CAP {
            LIVE.fetch_sub(size, Ordering::Relaxed);
            REFUSED.fetch_add(1, Ordering::Relaxed);
            refusal(size);
            return false;
        }
        PEAK.fetch_max(live, Ordering::Relaxed);
        true
    }
}

/// Says so without allocating: what follows is most likely an abort.
fn refusal(size: usize) {
    use std::io::Write as _;
    let mut line = [0; 128];
    let mut cursor = Cursor::new(&mut line[..]);
    let case = CASE.load(Ordering::Relaxed);
    let _ = writeln!(cursor, "case {case}: {size} bytes refused");
    let len = usize::try_from(cursor.position()).unwrap_or(0);
    let _ = std::io::stderr().write_all(&line[..len]);
}

// SAFETY: memory that is given out, resized and given back is the system allocator's; the rest is counting.
unsafe impl GlobalAlloc for Capped {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !Self::take(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !Self::take(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !Self::take(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        LIVE.fetch_sub(if moved.is_null() { size } else { layout.size() }, Ordering::Relaxed);
        moved
    }
}

#[global_allocator]
static ALLOCATOR: Capped = Capped;

/// Something to break.
struct Input {
    name: String,
    file: bool,
    bytes: Vec<u8>,
    /// Message headers and the footer: where lengths stand.
    headers: Vec<Range<usize>>,
}

impl Input {
    fn new(name: String, config: Config, batches: &[DataFrame]) -> Self {
        let bytes = config.write_batches(batches);
        let start = if config.file { 8 } else { 0 };
        let (messages, _) = messages(&bytes[start..]);
        let mut headers: Vec<_> =
            messages.iter().map(|message| message.start + start..message.body + start).collect();
        if config.file {
            headers.push(footer(&bytes).start..bytes.len());
        }
        Self { name, file: config.file, bytes, headers }
    }
}

/// Every dtype x codec x format, two batches each.
fn corpus() -> Vec<Input> {
    let mut inputs = Vec::new();
    for (seed, (name, dtype)) in (0..).zip(dtypes()) {
        let mut arbitrary = Arbitrary::new(seed);
        let columns = [(PlSmallStr::from_static("column"), dtype)];
        let batches = [arbitrary.frame_of(&columns, 9), arbitrary.frame_of(&columns, 7)];
        inputs.extend(inputs_of(name, &batches));
    }
    inputs
}

fn wide_corpus() -> Vec<Input> {
    let columns: Vec<_> = dtypes().into_iter().map(|(name, dtype)| (name.into(), dtype)).collect();
    let mut arbitrary = Arbitrary::new(1234);
    inputs_of("all", &[arbitrary.frame_of(&columns, 5), arbitrary.frame_of(&columns, 3)]).collect()
}

fn inputs_of(name: &str, batches: &[DataFrame]) -> impl Iterator<Item = Input> {
    let configs = codecs().into_iter().take(3).flat_map(|compression| {
        [(false, false), (true, true), (true, false)].map(|(file, newest)| Config {
            file,
            newest,
            compression,
            ..Config::stream()
        })
    });
    configs.map(move |config| Input::new(format!("{name}, {config:?}"), config, batches))
}

/// Reads in every way. Returns how many of them gave a frame.
fn read_all(input: &Input, bytes: &[u8]) -> (u64, u64) {
    let (mut valid, mut errors) = (0, 0);
    let mut count = |result: PolarsResult<Option<DataFrame>>| match result {
        Ok(df) => {
            valid += 1;
            df.iter().for_each(look_at);
        },
        Err(error) => {
            errors += 1;
            assert!(!error.to_string().is_empty());
        },
    };
    for (_, read) in reads(input.file) {
        count(read(bytes));
    }
    if input.file {
        count(IpcReader::from_bytes(bytes.to_vec()).get_batch(0).map(Some));
        count(IpcReader::recover(Cursor::new(bytes)).map(|recovered| Some(recovered.df)));
        let columns = Some(vec!["column".to_owned()]);
        count(
            IpcReader::from_bytes(bytes.to_vec())
                .with_columns(columns)
                .with_n_rows(Some(8))
                .finish()
                .map(Some),
        );
    } else {
        let reader = IpcStreamReader::new(bytes).with_n_rows(Some(8));
        count(reader.batches().and_then(concat));
    }
    (valid, errors)
}

fn look_at(df: &DataFrame) {
    touch(df);
    if df.height() > 4096 {
        return;
    }
    // Polars' own operations on the arrays.
    let mask: BooleanChunked = (0..df.height()).map(|row| row % 3 != 1).collect();
    touch(&df.filter(&mask).expect("a mask of the frame's height"));
    for column in df.columns().iter().filter(|column| is_printable(column.dtype())) {
        for row in 0..column.len().min(64) {
            let _ = format!("{:?}", column.get(row).expect("a row"));
        }
    }
}

/// Polars panics when it prints a date beyond its calendar, which is a valid value of the format.
fn is_printable(dtype: &DataType) -> bool {
    match dtype {
        DataType::List(inner) | DataType::Array(inner, _) | DataType::Extension(_, inner) => {
            is_printable(inner)
        },
        DataType::Struct(fields) => fields.iter().all(|field| is_printable(field.dtype())),
        DataType::Decimal(..) => false,
        dtype => !dtype.is_temporal(),
    }
}

static STARTED: Mutex<Option<Instant>> = Mutex::new(None);
static DONE: AtomicBool = AtomicBool::new(false);

fn watchdog() {
    while !DONE.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        let started = *STARTED.lock().expect("no panic while locked");
        if started.is_some_and(|started| started.elapsed() > PATIENCE) {
            say(&format!("case {}: not done after {PATIENCE:?}", CASE.load(Ordering::Relaxed)));
            std::process::abort();
        }
    }
}

/// Where the last panic was: the hook sees that, `catch_unwind` does not.
static PANIC: Mutex<String> = Mutex::new(String::new());

#[test]
fn mutated_inputs_are_errors_or_valid() {
    let number = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().expect("a number"));
    let (only, cases) = (number("FLOE_MUTATION_CASE"), number("FLOE_MUTATION_CASES").unwrap_or(20_400));
    let (narrow, wide) = (corpus(), wide_corpus());
    for input in narrow.iter().chain(&wide) {
        for (name, read) in reads(input.file) {
            let df = read(&input.bytes).unwrap_or_else(|error| panic!("{}, {name}: {error}", input.name));
            look_at(&df.expect("two batches"));
        }
    }

    let hook = std::panic::take_hook();
    if only.is_none() {
        std::panic::set_hook(Box::new(|info| {
            let mut panic = PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *panic = info.to_string();
        }));
    }
    let dog = std::thread::spawn(watchdog);

    let begin = Instant::now();
    let (mut valid, mut errors, mut slowest) = (0, 0, (Duration::ZERO, 0));
    // By the place of the panic: how often, and the first case.
    let mut panics: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for case in only.map_or(0..cases, |only| only..only + 1) {
        let inputs = if case % WIDE == 0 { &wide } else { &narrow };
        let mut rng = SmallRng::seed_from_u64(case);
        // In turn, so that every input is used alike.
        let input = &inputs[usize::try_from(case).expect("few") % inputs.len()];
        let other = &inputs[rng.random_range(0..inputs.len())];
        let bytes = mutate(&mut rng, &input.bytes, &input.headers, &other.bytes);
        CASE.store(case, Ordering::Relaxed);
        let start = Instant::now();
        *STARTED.lock().expect("no panic while locked") = Some(start);
        match catch_unwind(AssertUnwindSafe(|| read_all(input, &bytes))) {
            Ok((v, e)) => {
                valid += v;
                errors += e;
            },
            Err(_) => {
                let panic = PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
                let place = panic.lines().next().unwrap_or_default().to_owned();
                let first = || (0, format!("case {case}, {}: {panic}", input.name));
                panics.entry(place).or_insert_with(first).0 += 1;
            },
        }
        if start.elapsed() > slowest.0 {
            slowest = (start.elapsed(), case);
        }
    }
    *STARTED.lock().expect("no panic while locked") = None;
    DONE.store(true, Ordering::Relaxed);
    dog.join().expect("the watchdog");
    std::panic::set_hook(hook);

    say(&format!(
        "mutations: {} inputs of {}, {valid} reads valid, {errors} errors, {} refusals by the allocator, \
         {} MB at most, slowest {:?} (case {}), {:?} in all",
        cases,
        narrow.len() + wide.len(),
        REFUSED.load(Ordering::Relaxed),
        PEAK.load(Ordering::Relaxed) >> 20,
        slowest.0,
        slowest.1,
        begin.elapsed()
    ));
    let report: Vec<_> = panics.values().map(|(count, first)| format!("{count} x {first}")).collect();
    assert!(report.is_empty(), "{} kinds of panic:\n\n{}", report.len(), report.join("\n\n"));
    assert!(only.is_some() || (valid > 0 && errors > 0));
}
