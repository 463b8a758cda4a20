//! The names of a partitioned sink's files, before and after they have appeared.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::existing_files::ExistingFiles;

/// A commit takes seconds. A hidden file that is older than this was left behind by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);
/// Hexadecimal digits of an id: 12 of the time in milliseconds, 20 at random.
const ID_DIGITS: usize = 32;

/// Names of one call's files. All begin with an id that no other call has.
pub(super) struct Names {
    id: String,
    in_part: bool,
    count: AtomicU64,
}

impl Names {
    /// With a marker all files have the id in their names: a marker that is there already must not name new files.
    pub(super) fn new(existing: ExistingFiles, commit_marker: bool) -> Self {
        let in_part = match existing {
            ExistingFiles::Add => true,
            ExistingFiles::Error | ExistingFiles::Replace => commit_marker,
        };
        Self { id: unique(now()), in_part, count: AtomicU64::new(0) }
    }

    /// The id, which no other call has.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The name of a file, by its number among those in its folder.
    pub(super) fn part(&self, number: usize, digits: usize) -> String {
        match self.in_part {
            true => format!("part-{}-{number:0digits$}.arrow", self.id),
            false => format!("part-{number:0digits$}.arrow"),
        }
    }

    /// A path for a file that is not to be seen yet, or not any more.
    pub(super) fn hidden(&self, folder: &Path) -> PathBuf {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        folder.join(format!(".{}-{count}.part", self.id))
    }
}

/// Whether a name is that of a hidden file which nobody will come back for.
pub(super) fn is_abandoned(name: &str) -> bool {
    let hidden = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part"));
    let Some((id, _)) = hidden.and_then(|name| name.split_once('-')) else { return false };
    let millis = id.get(..12).filter(|_| id.len() == ID_DIGITS);
    let millis = millis.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let since = millis.and_then(|millis| now().checked_sub(Duration::from_millis(millis)));
    since.is_some_and(|age| age > ABANDONED)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// An id that no other call has: ordered by time, and otherwise random, as is a UUID of version 7.
fn unique(now: Duration) -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = (std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed), now);
    // The keys of these hashers come from the system's source of randomness.
    let (high, low) = (RandomState::new().hash_one(call), RandomState::new().hash_one(call));
    let millis = now.as_millis() & 0xffff_ffff_ffff;
    format!("{millis:012x}{:04x}{low:016x}", high & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_ordered_by_time() {
        let early = unique(Duration::from_millis(1_700_000_000_000));
        let late = unique(Duration::from_millis(1_700_000_000_001));
        assert!(early.len() == ID_DIGITS && early < late);
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| unique(now())).collect();
        assert_eq!(ids.len(), 1000);
    }

    #[test]
    fn only_old_leftovers_are_abandoned() {
        let name = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        let mut names = Names::new(ExistingFiles::Error, false);
        assert!(!is_abandoned(&name(names.hidden(Path::new("")))));
        names.id = unique(now() - ABANDONED * 2);
        assert!(is_abandoned(&name(names.hidden(Path::new("")))));
        for other in ["", ".", ".x", ".0-0.part", "part-0.arrow", ".gitignore", "größe-0.part"] {
            assert!(!is_abandoned(other), "{other}");
        }
    }

    #[test]
    fn parts_are_numbered() {
        assert_eq!(Names::new(ExistingFiles::Replace, false).part(3, 2), "part-03.arrow");
        for (existing, commit_marker) in [(ExistingFiles::Add, false), (ExistingFiles::Replace, true)] {
            let [one, other] = [(); 2].map(|()| Names::new(existing, commit_marker));
            assert_ne!(one.part(0, 1), other.part(0, 1));
            assert!(one.part(0, 1).ends_with("-0.arrow"));
        }
    }
}
