//! Back-pressure: a slow target holds up the query, and frames that nobody takes are not made.

use super::*;

/// A target that opens its gate for some bytes at a time.
struct Slow(Arc<AtomicUsize>, Arc<AtomicBool>);

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while !self.1.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_slow_target_holds_up_the_query() {
    const ROWS: usize = 12_000_000;
    let made = Arc::new(AtomicUsize::new(0));
    let (written, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let count = Arc::clone(&made);
    let n: Vec<i64> = vec![5; 1_000_000];
    let million = DataFrame::new(n.len(), vec![Column::new("n".into(), n)]).expect("a frame");
    let frames: Vec<_> = (0..ROWS / 1_000_000).map(|_| million.clone()).collect();
    let query = pieces(&frames).with_column(col("n").map(
        move |column| {
            count.fetch_add(column.len(), Ordering::Relaxed);
            Ok(column)
        },
        |_, field| Ok(field.clone()),
    ));
    let target: Box<dyn Write + Send> = Box::new(Slow(Arc::clone(&written), Arc::clone(&open)));
    // The schema is written before the query is run, by this thread.
    open.store(true, Ordering::Relaxed);
    let (sender, receiver) = std::sync::mpsc::channel();
    let gate = Arc::clone(&open);
    let options = IpcSinkOptions::default().with_progress(move |progress| {
        if progress.batches == 1 {
            gate.store(false, Ordering::Relaxed);
        }
    });
    let thread = std::thread::spawn(move || sender.send(query.sink_ipc_stream(target, options)));
    // The target takes one batch and then nothing: the query comes to a halt.
    let start = Instant::now();
    let mut before = usize::MAX;
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = made.load(Ordering::Relaxed);
        if now == before && now > 0 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it goes on and on");
        before = now;
    }
    // 48 MiB on the way, the frames before it, and those that the engine holds: 8 bytes per row.
    assert!(before < ROWS - 1_000_000, "{before} rows were made while {written:?} bytes were taken");
    assert!(receiver.try_recv().is_err(), "it ended without its target");
    open.store(true, Ordering::Relaxed);
    let gate = Arc::clone(&open);
    let summary = within(60, move || {
        loop {
            gate.store(true, Ordering::Relaxed);
            if let Ok(result) = receiver.recv_timeout(Duration::from_millis(5)) {
                break result.expect("a summary");
            }
        }
    });
    assert_eq!(summary.rows, ROWS as u64);
    thread.join().expect("no panic").expect("somebody who listened");
}

#[test]
fn batches_are_made_as_they_are_taken_and_dropping_them_ends_the_query() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let query = watched(numbers(3_000_000), move |column| {
        count.fetch_add(column.len(), Ordering::Relaxed);
        Ok(())
    });
    let mut batches = query.collect_ipc_batches(100_000).expect("a query");
    let first = batches.next().expect("a batch").expect("rows");
    assert_frames_equal(&numbers(100_000), &first);
    std::thread::sleep(Duration::from_millis(500));
    let ahead = made.load(Ordering::Relaxed);
    assert!(ahead < 2_500_000, "{ahead} rows were made while one batch was taken");
    drop(batches);
    // The query ends without running through: what it holds goes.
    let start = Instant::now();
    while Arc::strong_count(&made) > 1 {
        assert!(start.elapsed() < Duration::from_secs(30), "the query still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
    let after = made.load(Ordering::Relaxed);
    assert!(after < 2_900_000, "{after} rows were made for nobody");
}
