//! Fork and join where the calling thread works too, and nobody waits for threads that come late.
//!
//! ```text
//!   calling thread   0  2  3  5  6      returns
//!   first helper       1   4    7 ·     · nothing is left here: looks for another loop that has something
//!   second helper                       comes too late, and does as the first one
//! ```
//!
//! A pool's own scopes either leave the calling thread idle (`install`) or wait until every job that was
//! spawned has run (`in_place_scope`), be it that it only finds nothing left to do. Both cost: threads that
//! have been asleep may be woken on one core by the scheduler, and stay there for milliseconds, while the core
//! of the caller, who waits, is idle.
//!
//! Loops may be within loops. There are never more helpers than a [`ForkJoin`] is told, whatever the number of
//! loops that are open: each helps the oldest that has something to start, until there is none. A caller who
//! waits for helpers to leave his loop helps in younger ones meanwhile.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Something another thread may run, now, later or never.
pub type Job = Box<dyn FnOnce() + Send>;

/// The loops that are open, and those who help.
#[derive(Debug, Default)]
pub struct ForkJoin {
    state: Mutex<State>,
    /// A loop was opened, or the last helper has left one, while somebody waits for that.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The oldest first.
    open: Vec<Arc<Loop>>,
    /// Loops that have been opened, ever.
    opened: u64,
    /// Jobs that have been spawned and have not come to their end.
    workers: usize,
    /// Callers who wait for helpers to leave their loops.
    waiting: usize,
}

impl ForkJoin {
    /// Nobody, and nothing to do.
    #[must_use]
    pub const fn new() -> Self {
        let state = State { open: Vec::new(), opened: 0, workers: 0, waiting: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `work(0)` to `work(n - 1)`, about in this order, on the calling thread and on those that run the
    /// jobs that `spawn` is given: as many as there are too few of `workers`. Returns when all calls have
    /// returned; jobs that have not started by then are not waited for.
    ///
    /// # Panics
    /// If `work` does, wherever it ran; what has not been started then is left out.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use floe_array::fork_join::ForkJoin;
    ///
    /// static FORK_JOIN: ForkJoin = ForkJoin::new();
    ///
    /// let sum = AtomicU64::new(0);
    /// let add = |i: usize| {
    ///     sum.fetch_add(i as u64, Ordering::Relaxed);
    /// };
    /// FORK_JOIN.for_each(100, 3, &add, |job| {
    ///     std::thread::spawn(job);
    /// });
    /// assert_eq!(sum.into_inner(), 4950);
    /// ```
    pub fn for_each(
        &'static self,
        n: usize,
        workers: usize,
        work: &(dyn Fn(usize) + Sync),
        mut spawn: impl FnMut(Job),
    ) {
        if workers == 0 || n <= 1 {
            return (0..n).for_each(work);
        }
        let (this, wanted) = self.open(n, workers, BorrowedWork::new(work));
        // From here on nobody is inside of the work when this function is left, also by a panic.
        let closing = CloseOnDrop { fork_join: self, this: &this };
        for _ in 0..wanted {
            spawn(Box::new(|| self.run_worker()));
        }
        while let Some(i) = this.claim() {
            work(i);
        }
        drop(closing);
        if let Some(panic) = this.panic() {
            resume_unwind(panic);
        }
    }

    /// A new loop, and how many helpers more it could do with.
    fn open(&self, n: usize, workers: usize, work: BorrowedWork) -> (Arc<Loop>, usize) {
        let mut state = self.state();
        state.opened += 1;
        let this = Arc::new(Loop {
            work,
            n,
            number: state.opened,
            next: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            panic: Mutex::new(None),
        });
        state.open.push(Arc::clone(&this));
        let wanted = workers.saturating_sub(state.workers).min(n - 1);
        state.workers += wanted;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        (this, wanted)
    }

    /// What a helper does: what there is to do, in whatever loop.
    fn run_worker(&self) {
        let mut state = self.state();
        loop {
            match self.run_oldest(state, 0) {
                Ok(again) => state = again,
                Err(mut none) => {
                    // Under the lock: a loop that opens after this wants another helper.
                    none.workers -= 1;
                    return;
                },
            }
        }
    }

    /// Works in the oldest loop that has something to start, of those opened after the one of that number, until
    /// it has nothing more; `Err` if there is none.
    fn run_oldest<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        after: u64,
    ) -> Result<MutexGuard<'a, State>, MutexGuard<'a, State>> {
        let Some(found) = state.open.iter().find(|open| open.number > after && open.has_more()) else {
            return Err(state);
        };
        let found = Arc::clone(found);
        // Under the lock in which it was found to be open.
        found.inside.fetch_add(1, Ordering::Relaxed);
        drop(state);
        let result = catch_unwind(AssertUnwindSafe(|| {
            while let Some(i) = found.claim() {
                // SAFETY: the loop was open when this thread was counted among those inside, under one lock:
                // `CloseOnDrop` waits for them before the borrow of the work ends.
                unsafe { found.work.call(i) };
            }
        }));
        if let Err(panic) = result {
            found.stop(Some(panic));
        }
        let state = self.state();
        if found.inside.fetch_sub(1, Ordering::Relaxed) == 1 && state.waiting > 0 {
            self.changed.notify_all();
        }
        Ok(state)
    }
}

/// The work as those see it who may come when its borrow is over.
struct BorrowedWork(*const (dyn Fn(usize) + Sync + 'static));

// SAFETY: what it points to is `Sync`. That it is there is what `call` asks for.
unsafe impl Send for BorrowedWork {}
// SAFETY: as above.
unsafe impl Sync for BorrowedWork {}

impl BorrowedWork {
    fn new<'a>(work: &'a (dyn Fn(usize) + Sync)) -> Self {
        let work: *const (dyn Fn(usize) + Sync + 'a) = work;
        // SAFETY: the two pointers differ in a lifetime only. It is given up here and kept by hand: see `call`.
        Self(unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + 'a), *const (dyn Fn(usize) + Sync + 'static)>(
                work,
            )
        })
    }

    /// # Safety
    /// The borrow that it was made of is not over.
    unsafe fn call(&self, i: usize) {
        // SAFETY: promised by the caller.
        unsafe { (*self.0)(i) }
    }
}

/// A panic on its way to the thread that called.
type Panic = Box<dyn Any + Send>;

struct Loop {
    work: BorrowedWork,
    n: usize,
    /// How many there were when it was opened, with itself.
    number: u64,
    /// What is to be started next.
    next: AtomicUsize,
    /// Helpers at work in it. Changes, and is read, under the lock of the state only.
    inside: AtomicUsize,
    panic: Mutex<Option<Panic>>,
}

impl Loop {
    fn claim(&self) -> Option<usize> {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        (i < self.n).then_some(i)
    }

    fn has_more(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.n
    }

    /// Leaves nothing to be started.
    fn stop(&self, panic: Option<Panic>) {
        self.next.store(self.n, Ordering::Relaxed);
        if let Some(panic) = panic {
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_some() {
                // What a panic carries is anything, and may panic itself when it is dropped: nobody would be told that
                // this thread has left the loop.
                std::mem::forget(panic);
            } else {
                *first = Some(panic);
            }
        }
    }

    fn panic(&self) -> Option<Panic> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl std::fmt::Debug for Loop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loop").field("n", &self.n).field("number", &self.number).finish_non_exhaustive()
    }
}

/// Closes a loop, and waits for those who are inside.
struct CloseOnDrop<'a> {
    fork_join: &'a ForkJoin,
    this: &'a Arc<Loop>,
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        let Self { fork_join, this } = *self;
        // Also when the calling thread panicked.
        this.stop(None);
        let mut state = fork_join.state();
        state.open.retain(|open| !Arc::ptr_eq(open, this));
        while this.inside.load(Ordering::Relaxed) > 0 {
            // Those who are inside may have opened loops themselves. Younger ones only: each thread goes from
            // older to younger, so that none waits for what lies beneath on its own stack.
            state = match fork_join.run_oldest(state, this.number) {
                Ok(again) => again,
                Err(mut none) => {
                    none.waiting += 1;
                    let mut woken = fork_join.changed.wait(none).unwrap_or_else(PoisonError::into_inner);
                    woken.waiting -= 1;
                    woken
                },
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// Threads for helpers; they have come to their end when this goes.
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
            threads.into_iter().for_each(|thread| thread.join().expect("no panic leaves a helper"));
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

    /// A loop of two, one for the caller and one for the only helper, who is there when the caller's begins.
    fn two(fork_join: &'static ForkJoin, callers: impl Fn() + Sync, helpers: impl Fn() + Sync) {
        let threads = Threads::default();
        let caller = thread::current().id();
        let has_come = AtomicBool::new(false);
        let work = |_: usize| {
            if thread::current().id() == caller {
                until(|| has_come.load(Ordering::Relaxed));
                callers();
            } else {
                has_come.store(true, Ordering::Relaxed);
                helpers();
            }
        };
        fork_join.for_each(2, 1, &work, |job| threads.spawn(job));
    }

    /// A loop within it, in which two threads meet.
    fn meeting(fork_join: &'static ForkJoin, met: &AtomicUsize) {
        fork_join.for_each(2, 1, &|_| meet(met), |_| panic!("there is a helper already"));
    }

    #[test]
    fn everything_is_done_once() {
        static FORK_JOIN: ForkJoin = ForkJoin::new();
        let threads = Threads::default();
        for n in [0, 1, 2, 7, 100] {
            for helpers in [0, 1, 3, 20] {
                let counts: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
                let count = |i: usize| {
                    counts[i].fetch_add(1, Ordering::Relaxed);
                };
                FORK_JOIN.for_each(n, helpers, &count, |job| threads.spawn(job));
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{n} with {helpers}");
            }
        }
    }

    #[test]
    fn who_never_comes_is_not_waited_for() {
        static FORK_JOIN: ForkJoin = ForkJoin::new();
        let mut jobs: Vec<Job> = Vec::new();
        let done = AtomicUsize::new(0);
        let work = |_: usize| {
            done.fetch_add(1, Ordering::Relaxed);
        };
        FORK_JOIN.for_each(10, 3, &work, |job| jobs.push(job));
        assert_eq!(jobs.len(), 3);
        assert_eq!(done.load(Ordering::Relaxed), 10);
        // They still are to come: nobody else is called.
        FORK_JOIN.for_each(10, 3, &work, |_| panic!("a fourth helper"));
        // Whoever comes when all is over finds nothing, ...
        jobs.into_iter().for_each(|job| job());
        assert_eq!(done.load(Ordering::Relaxed), 20);
        // ... and the next time there is need of helpers again.
        let mut called = 0;
        FORK_JOIN.for_each(3, 3, &work, |_| called += 1);
        assert_eq!((called, done.into_inner()), (2, 23));
    }

    #[test]
    fn who_has_come_is_waited_for() {
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
    fn a_helper_goes_where_there_is_something_to_do() {
        static FORK_JOIN: ForkJoin = ForkJoin::new();
        // The helper is called for the outer loop; the inner one is the caller's.
        let met = AtomicUsize::new(0);
        two(&FORK_JOIN, || meeting(&FORK_JOIN, &met), || until(|| FORK_JOIN.state().open.len() == 2));
        assert_eq!(met.into_inner(), 2);
    }

    #[test]
    fn a_caller_who_waits_helps_the_helper() {
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
}
