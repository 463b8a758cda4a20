use std::sync::atomic::AtomicBool;
use std::thread;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Threads for workers. Dropping this waits for all of them.
#[derive(Default)]
struct Threads(Mutex<Vec<thread::JoinHandle<()>>>);

impl Threads {
    fn spawn(&self, job: Job) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thread::spawn(job));
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let threads = std::mem::take(self.0.get_mut().unwrap_or_else(PoisonError::into_inner));
        threads.into_iter().for_each(|thread| thread.join().expect("no panic leaves a worker"));
    }
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// Ends when two threads are inside of it at once.
fn meet(met: &AtomicUsize) {
    met.fetch_add(1, Ordering::Relaxed);
    until(|| met.load(Ordering::Relaxed) >= 2);
}

/// A loop of two, one step for the caller and one for the only worker, which is there when the caller's begins.
fn two(fork_join: &'static ForkJoin, callers: impl Fn() + Sync, workers: impl Fn() + Sync) {
    let threads = Threads::default();
    let caller = thread::current().id();
    let has_come = AtomicBool::new(false);
    let work = |_: usize| {
        if thread::current().id() == caller {
            until(|| has_come.load(Ordering::Relaxed));
            callers();
        } else {
            has_come.store(true, Ordering::Relaxed);
            workers();
        }
    };
    fork_join.for_each(2, 1, &work, |job| threads.spawn(job));
}

/// A loop within it, in which two threads meet.
fn meeting(fork_join: &'static ForkJoin, met: &AtomicUsize) {
    fork_join.for_each(2, 1, &|_| meet(met), |_| panic!("there is a worker already"));
}

#[test]
fn everything_is_done_once() {
    static FORK_JOIN: ForkJoin = ForkJoin::new();
    let threads = Threads::default();
    for n in [0, 1, 2, 7, 100] {
        for workers in [0, 1, 3, 20] {
            let counts: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            let count = |i: usize| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            };
            FORK_JOIN.for_each(n, workers, &count, |job| threads.spawn(job));
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{n} with {workers}");
        }
    }
}

#[test]
fn a_worker_that_never_starts_is_not_waited_for() {
    static FORK_JOIN: ForkJoin = ForkJoin::new();
    let mut jobs: Vec<Job> = Vec::new();
    let done = AtomicUsize::new(0);
    let work = |_: usize| {
        done.fetch_add(1, Ordering::Relaxed);
    };
    FORK_JOIN.for_each(10, 3, &work, |job| jobs.push(job));
    assert_eq!(jobs.len(), 3);
    assert_eq!(done.load(Ordering::Relaxed), 10);
    // They are still to start: no other is spawned.
    FORK_JOIN.for_each(10, 3, &work, |_| panic!("a fourth worker"));
    // Workers that start when all is over find nothing, ...
    jobs.into_iter().for_each(|job| job());
    assert_eq!(done.load(Ordering::Relaxed), 20);
    // ... and the next loop spawns workers again.
    let mut called = 0;
    FORK_JOIN.for_each(3, 3, &work, |_| called += 1);
    assert_eq!((called, done.into_inner()), (2, 23));
}

#[test]
fn a_worker_that_has_started_is_waited_for() {
    static FORK_JOIN: ForkJoin = ForkJoin::new();
    let is_done = AtomicBool::new(false);
    let late = || {
        thread::sleep(std::time::Duration::from_millis(20));
        is_done.store(true, Ordering::Relaxed);
    };
    two(&FORK_JOIN, || {}, late);
    assert!(is_done.into_inner());
}

#[test]
fn a_worker_goes_where_there_is_something_to_do() {
    static FORK_JOIN: ForkJoin = ForkJoin::new();
    // The worker is started for the outer loop; the inner one is the caller's.
    let met = AtomicUsize::new(0);
    two(&FORK_JOIN, || meeting(&FORK_JOIN, &met), || until(|| FORK_JOIN.state().open.len() == 2));
    assert_eq!(met.into_inner(), 2);
}

#[test]
fn a_caller_that_waits_works_in_a_younger_loop() {
    static FORK_JOIN: ForkJoin = ForkJoin::new();
    let met = AtomicUsize::new(0);
    let inner = || {
        thread::sleep(std::time::Duration::from_millis(10));
        meeting(&FORK_JOIN, &met);
    };
    two(&FORK_JOIN, || {}, inner);
    assert_eq!(met.into_inner(), 2);
}

#[test]
fn a_panic_anywhere_comes_back() {
    static FORK_JOIN: ForkJoin = ForkJoin::new();
    let threads = Threads::default();
    for bad in 0..4 {
        let work = |i: usize| {
            thread::yield_now();
            assert!(i != bad, "bad");
        };
        let panic =
            catch_unwind(AssertUnwindSafe(|| FORK_JOIN.for_each(4, 3, &work, |job| threads.spawn(job))));
        assert!(panic.is_err(), "{bad}");
    }
    assert!(FORK_JOIN.state().open.is_empty());
}

#[test]
fn loops_within_loops_end() {
    static FORK_JOIN: ForkJoin = ForkJoin::new();
    let threads = Threads::default();
    let sum = AtomicUsize::new(0);
    let inner = |i: usize| {
        sum.fetch_add(i, Ordering::Relaxed);
    };
    let outer = |_: usize| FORK_JOIN.for_each(10, 2, &inner, |job| threads.spawn(job));
    FORK_JOIN.for_each(10, 2, &outer, |job| threads.spawn(job));
    assert_eq!(sum.into_inner(), 450);
}
