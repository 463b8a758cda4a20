//! Memory that is used again. The test has a process of its own, since the free list belongs to the process.

use std::sync::Arc;

use floe_runtime::Region;
use floe_runtime::alloc::{try_initialised, try_with_capacity};
use floe_runtime::recycle::{Recycled, kept, limit, release, set_limit};

const MB: usize = 1 << 20;

/// The values, whose memory is kept when they are dropped; without it where they are too few or too many.
fn share<T: bytemuck::Pod>(vec: Vec<T>) -> Option<Arc<Recycled<T>>> {
    Recycled::new(vec).ok().map(Arc::new)
}

/// One test for all, as its steps must not overlap.
#[test]
fn memory_returns_and_is_used_again() {
    if cfg!(target_os = "linux") {
        assert!(limit() > 0 && limit() <= 1 << 30, "an eighth of the memory, 1 GiB at most");
    }
    set_limit(64 * MB);
    let vec: Vec<u64> = (0..MB as u64).collect();
    let start = vec.as_ptr();
    let buffer = share(vec).expect("8 MiB are kept");
    assert_eq!((buffer.as_slice()[77], buffer.as_slice().as_ptr()), (77, start));
    let other = Arc::clone(&buffer);
    drop(buffer);
    assert_eq!((kept(), other.as_slice()[5]), (0, 5), "somebody holds it");
    drop(other);
    assert_eq!(kept(), 8 * MB);

    let again = try_with_capacity::<u64>(MB - 9).unwrap();
    assert_eq!((again.as_ptr(), again.len(), again.capacity(), kept()), (start, 0, MB, 0));

    for megabytes in [2, 8, 4] {
        drop(share(vec![1u8; megabytes * MB]));
    }
    assert_eq!(kept(), 14 * MB);
    set_limit(13 * MB);
    assert_eq!(kept(), 12 * MB, "the oldest went");
    drop(share(vec![0u8; 14 * MB]));
    drop(share(vec![0u8; 100]));
    assert_eq!(kept(), 12 * MB, "too much and too little to keep");

    // Memory handed out as initialised is readable up to its end; its contents are arbitrary.
    let bytes = try_initialised::<u8>(8 * MB - 3).unwrap();
    assert_eq!((bytes.len(), bytes.capacity(), kept()), (8 * MB - 3, 8 * MB, 4 * MB));
    assert!(bytes.iter().all(|byte| *byte <= 1));
    drop(share(bytes));
    let mut half: Vec<u8> = Vec::with_capacity(3 * MB);
    half.resize(MB, 7);
    drop(share(half));
    let bytes = try_initialised::<u8>(3 * MB).unwrap();
    assert_eq!((bytes.len(), bytes[3 * MB - 1]), (3 * MB, 0), "never written before, so zero");

    release();
    assert_eq!(kept(), 0);
    assert!(Region::recycled(3 * MB).is_none());
    let mut region = Region::new(3 * MB).unwrap();
    region.as_mut_slice().fill(9);
    drop(share(region.into_parts(3 * MB).0));
    assert_eq!(kept(), 5 * MB, "with what it takes to begin on a boundary");
    let region = Region::recycled(3 * MB).unwrap();
    assert_eq!((region.len(), kept()), (3 * MB, 0));

    drop(share(vec![1u64; MB]));
    drop(share(vec![1u8; 3 * MB]));
    drop(share(vec![1u8; 2 * MB]));
    let other = try_with_capacity::<u32>(MB).unwrap();
    assert_eq!(kept(), 10 * MB, "no block has this alignment: 3 of 4 MB went, not the larger one before");
    drop(other);

    release();
    the_system_may_take_what_is_kept();

    set_limit(0);
    drop(share(vec![0u8; 2 * MB]));
    assert_eq!(kept(), 0);
}

/// Bytes that the system may take without swapping.
#[cfg(target_os = "linux")]
fn lazily_free() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("LazyFree:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? << 10)
}

/// Part of the test above.
#[cfg(target_os = "linux")]
fn the_system_may_take_what_is_kept() {
    set_limit(512 * MB);
    let Some(before) = lazily_free() else { return };
    // Of every size that is kept, none a multiple of a huge page.
    for (kb, count) in [(1024, 100), (1500, 50), (2047, 20), (3000, 20), (5000, 10), (17_000, 2)] {
        let buffers: Vec<_> = (0..count).map(|_| share(vec![1u8; kb << 10])).collect();
        drop(buffers);
        let free = lazily_free().unwrap() - before;
        let total = kept();
        let told = lazily_free().unwrap() - before;
        // All but the parts of pages at both ends, and those that the kernel was just moving. The newest block may be
        // the warm one.
        let min = total / 4 * 3;
        assert!(told >= min, "{kb} KiB: of {total} bytes {told} are lazily free");
        assert!(free + 512 * MB / 32 >= min, "{kb} KiB: of {total} bytes {free} are lazily free");
        release();
    }
    // Used again, its pages belong to the process; initialised bytes stay initialised, whatever the system did.
    drop(share(vec![7u8; 3 * MB]));
    assert_eq!(kept(), 3 * MB);
    let offered = lazily_free().unwrap();
    let bytes = try_initialised::<u8>(3 * MB).unwrap();
    assert!(lazily_free().unwrap() + 2 * MB <= offered, "it is taken back by writing to it");
    assert!(bytes.iter().all(|byte| [0, 7].contains(byte)));
}

#[cfg(not(target_os = "linux"))]
fn the_system_may_take_what_is_kept() {}
