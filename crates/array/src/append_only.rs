//! Lists of values that share memory: a list keeps the values it has, while another one is appended to.
//!
//! ```text
//!   storage   | 0 1 2 3 4 5 6 7 8 |           |     room for more
//!   a batch   |<----- 6 ----->|
//!   now       |<-------- 9 ------>|
//! ```
//!
//! A stream may send a few more values of a dictionary before each batch. Copying all of them each time would take
//! quadratic time; here each value is copied about once.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use floe_format::Result;

use floe_runtime::alloc::try_grow;

/// A list of values that shares its memory with those it was made of, and with those made of it.
#[derive(Clone)]
pub(crate) struct AppendOnly<T> {
    storage: Arc<Storage<T>>,
    len: usize,
}

struct Storage<T> {
    room: Box<[UnsafeCell<MaybeUninit<T>>]>,
    /// How many values from the start belong to some list.
    taken: AtomicUsize,
}

// SAFETY: a value is written once, by the list that has taken its place (see `extend`), before any list that has it
// exists; afterwards it is only read. So sharing the storage shares values of `T`, which is `Sync`, and dropping it
// elsewhere does nothing to them: `T` is `Copy`.
unsafe impl<T: Copy + Send + Sync> Sync for Storage<T> {}

impl<T: Copy> Default for AppendOnly<T> {
    fn default() -> Self {
        Self { storage: Arc::new(Storage { room: Box::default(), taken: AtomicUsize::new(0) }), len: 0 }
    }
}

impl<T: Copy> AppendOnly<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        debug_assert!(self.len <= self.storage.room.len());
        let start = self.storage.room.as_ptr().cast::<T>();
        // SAFETY: the first `len` values were written before this list came to be, and are not written again.
        unsafe { std::slice::from_raw_parts(start, self.len) }
    }

    /// Adds values; lists that share the memory stay as they are.
    pub(crate) fn extend(&mut self, more: &[T]) -> Result<()> {
        let end = self.len.saturating_add(more.len());
        let taken = &self.storage.taken;
        let is_last = end <= self.storage.room.len()
            && taken.compare_exchange(self.len, end, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_last {
            return self.moved(more);
        }
        for (cell, value) in self.storage.room[self.len..end].iter().zip(more) {
            // SAFETY: of all lists that end at `len` only this one has taken the place behind (by the exchange above,
            // which cannot succeed twice from one length, since `taken` never falls), and nobody has read it yet.
            unsafe { (*cell.get()).write(*value) };
        }
        self.len = end;
        Ok(())
    }

    /// The values and more of them in memory of their own, with room for as many again.
    fn moved(&mut self, more: &[T]) -> Result<()> {
        let known = self.as_slice();
        let end = known.len().saturating_add(more.len());
        let mut values: Vec<UnsafeCell<MaybeUninit<T>>> = Vec::new();
        try_grow(&mut values, end.saturating_mul(2).max(16)).or_else(|_| try_grow(&mut values, end))?;
        let cell = |value: &T| UnsafeCell::new(MaybeUninit::new(*value));
        values.extend(known.iter().chain(more).map(cell));
        values.resize_with(values.capacity(), || UnsafeCell::new(MaybeUninit::uninit()));
        self.storage = Arc::new(Storage { room: values.into_boxed_slice(), taken: AtomicUsize::new(end) });
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_share_memory_do_not_see_what_others_add() {
        let mut all = vec![AppendOnly::<u32>::default()];
        let mut expected: Vec<Vec<u32>> = vec![Vec::new()];
        for i in 0..200u32 {
            // Each list is made of some earlier one, not always of the last.
            let from = if i % 7 == 0 { all.len() / 2 } else { all.len() - 1 };
            let (mut list, mut values) = (all[from].clone(), expected[from].clone());
            let more: Vec<u32> = (0..i % 5).map(|j| i * 10 + j).collect();
            list.extend(&more).unwrap();
            values.extend(more);
            all.push(list);
            expected.push(values);
        }
        for (list, values) in all.iter().zip(&expected) {
            assert_eq!(list.as_slice(), values);
        }
    }

    #[test]
    fn adding_behind_the_last_moves_seldom() {
        let mut list = AppendOnly::<u64>::default();
        let (mut held, mut moves) = (Vec::new(), 0);
        for i in 0..10_000 {
            let before = list.as_slice().as_ptr();
            held.push(list.clone());
            list.extend(&[i]).unwrap();
            moves += usize::from(before != list.as_slice().as_ptr());
        }
        assert!(moves < 20, "{moves}");
        assert!(held.iter().enumerate().all(|(i, list)| list.as_slice().len() == i));
    }

    #[test]
    fn threads_read_while_one_adds() {
        let mut list = AppendOnly::<u32>::default();
        std::thread::scope(|scope| {
            for i in 0..if cfg!(miri) { 20 } else { 500 } {
                let held = list.clone();
                scope.spawn(move || assert!((0..i).eq(held.as_slice().iter().copied())));
                list.extend(&[i]).unwrap();
            }
        });
    }
}
