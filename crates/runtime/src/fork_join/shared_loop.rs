//! One loop, as the threads that share it see it: steps to claim, and work that is only borrowed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A panic on its way to the thread that called.
pub(super) type Panic = Box<dyn Any + Send>;

/// A borrow of the work whose lifetime is kept by hand: threads that hold it may start after the borrow has ended.
pub(super) struct BorrowedWork(*const (dyn Fn(usize) + Sync + 'static));

// SAFETY: the pointee is `Sync`. Callers of `call` promise that it is alive.
unsafe impl Send for BorrowedWork {}
// SAFETY: as above.
unsafe impl Sync for BorrowedWork {}

impl BorrowedWork {
    pub(super) fn new<'a>(work: &'a (dyn Fn(usize) + Sync)) -> Self {
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

pub(super) struct Loop {
    work: BorrowedWork,
    n: usize,
    /// The number of loops opened until then, this one included: younger loops have larger numbers.
    number: u64,
    /// The step that is claimed next.
    next: AtomicUsize,
    /// Workers at work in it. Changes, and is read, under the lock of the state only.
    inside: AtomicUsize,
    panic: Mutex<Option<Panic>>,
}

impl Loop {
    pub(super) fn new(work: BorrowedWork, n: usize, number: u64) -> Self {
        let (next, inside) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { work, n, number, next, inside, panic: Mutex::new(None) }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn claim(&self) -> Option<usize> {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        (i < self.n).then_some(i)
    }

    pub(super) fn has_more(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.n
    }

    /// Counts this thread as inside. Under the lock of the state.
    pub(super) fn enter(&self) {
        self.inside.fetch_add(1, Ordering::Relaxed);
    }

    /// The opposite of [`Self::enter`]; whether this was the last thread. Under the lock of the state.
    pub(super) fn leave(&self) -> bool {
        self.inside.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// Whether some worker is inside. Under the lock of the state.
    pub(super) fn is_entered(&self) -> bool {
        self.inside.load(Ordering::Relaxed) > 0
    }

    /// Runs steps until none is left. A panic is kept for the caller, and stops the loop.
    ///
    /// # Safety
    /// The borrow of the work is not over: this thread has [entered](Self::enter) while the loop was open.
    pub(super) unsafe fn run(&self) {
        let result = catch_unwind(AssertUnwindSafe(|| {
            while let Some(i) = self.claim() {
                // SAFETY: promised by the caller.
                unsafe { self.work.call(i) };
            }
        }));
        if let Err(panic) = result {
            self.stop(Some(panic));
        }
    }

    /// Leaves no step to be claimed. Keeps the first panic.
    pub(super) fn stop(&self, panic: Option<Panic>) {
        self.next.store(self.n, Ordering::Relaxed);
        if let Some(panic) = panic {
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_some() {
                // A panic's payload may itself panic when it is dropped. Then nobody would be told that this thread has
                // left the loop.
                std::mem::forget(panic);
            } else {
                *first = Some(panic);
            }
        }
    }

    pub(super) fn take_panic(&self) -> Option<Panic> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl std::fmt::Debug for Loop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loop").field("n", &self.n).field("number", &self.number).finish_non_exhaustive()
    }
}
