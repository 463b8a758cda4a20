//! How much memory the process holds, and the machine has.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Bytes of memory of the machine, or of the container, if the system says so.
pub(crate) fn total() -> Option<u64> {
    let of_machine = kibibytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")?;
    let of_container =
        std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(of_container.map_or(of_machine, |bytes: u64| bytes.min(of_machine)))
}

/// How old a reading may be.
const FRESH: Duration = Duration::from_millis(100);

static LAST: Mutex<Option<(Instant, u64)>> = Mutex::new(None);

/// Resident bytes of this process, some milliseconds ago. Zero where the system does not say.
pub(crate) fn resident() -> u64 {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match *last {
        Some((at, bytes)) if at.elapsed() < FRESH => bytes,
        _ => {
            let bytes = now();
            *last = Some((Instant::now(), bytes));
            bytes
        },
    }
}

/// As [`resident`], after memory that nobody holds has been given back.
pub(crate) fn resident_at_least() -> u64 {
    floe::memory::release();
    let bytes = now();
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), bytes));
    bytes
}

fn now() -> u64 {
    std::fs::read_to_string("/proc/self/status").ok().and_then(|text| kibibytes(&text, "VmRSS:")).unwrap_or(0)
}

/// The value of a line such as `VmRSS:   1234 kB`, in bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn kibibytes_are_read() {
        assert_eq!(super::kibibytes("a: 1 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12 << 10));
        assert_eq!(super::kibibytes("VmRSS: 12 MB", "VmRSS:"), None);
    }
}
