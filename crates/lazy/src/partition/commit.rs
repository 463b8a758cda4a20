//! Files appear together, or not at all.
//!
//! ```text
//!   .id-0.part  .id-1.part       complete and on disk, beside what stood there before
//!       |           |
//!   k=1/part-0  k=2/part-0       each by a link or a rename: old or new at any moment, never neither;
//!                                what is overwritten keeps a hidden link
//!   .committed-old.json          earlier markers are hidden, then the new one appears, if there is to be one
//!   k=3/part-0 -> .id-2.part     outdated files are hidden
//!   .id-2.part -> removed        only when all of that has been done
//! ```
//!
//! A step that fails takes all before it back. A process that is killed between two steps leaves some
//! files old and some new, each of them whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use polars_core::prelude::*;

use super::disk::Disk;
use super::names::Names;
use crate::error::io_error;

/// A file that is complete, on disk and hidden, and where it is to appear.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) hidden: PathBuf,
    pub(super) target: PathBuf,
}

/// The [markers](crate::committed) in the folder. Between the old and the new there is none, rather than both.
#[derive(Debug, Default)]
pub(super) struct Markers {
    /// Those that are to go.
    pub(super) old: Vec<PathBuf>,
    /// That of the new files.
    pub(super) new: Option<Staged>,
}

/// A step that has been done, and can be taken back.
enum Done {
    /// Where nothing was.
    Placed(PathBuf),
    /// Over an old file that is hidden now.
    Replaced { target: PathBuf, old: PathBuf },
    /// Over an old file that could not be kept.
    Overwritten(PathBuf),
    /// An old file that no new one takes the place of.
    Hidden { path: PathBuf, old: PathBuf },
}

/// A commit under way.
pub(super) struct Commit<'a, D> {
    disk: &'a D,
    names: &'a Names,
    /// Whether files may be overwritten.
    replace: bool,
    done: Vec<Done>,
}

impl<'a, D: Disk> Commit<'a, D> {
    pub(super) fn new(disk: &'a D, names: &'a Names, replace: bool) -> Self {
        Self { disk, names, replace, done: Vec::new() }
    }

    /// Lets all files appear, and hides the outdated ones, whose new names are returned together with
    /// those of files that were overwritten.
    ///
    /// # Errors
    /// When a step fails. The steps before it have been taken back; if that failed too, the error says which files are
    /// new.
    pub(super) fn run(
        mut self,
        files: &[Staged],
        markers: &Markers,
        outdated: &[PathBuf],
    ) -> PolarsResult<Vec<PathBuf>> {
        match self.steps(files, markers, outdated) {
            Ok(()) => Ok(self.done.into_iter().filter_map(Done::into_hidden).collect()),
            Err((error, path)) => {
                let kept = self.take_back();
                Err(io_error(error, &path).wrap_msg(|msg| format!("{msg}; {}", state(&kept))))
            },
        }
    }

    fn steps(
        &mut self,
        files: &[Staged],
        markers: &Markers,
        outdated: &[PathBuf],
    ) -> Result<(), (io::Error, PathBuf)> {
        files.iter().try_for_each(|file| self.place(file))?;
        markers.old.iter().try_for_each(|path| self.hide(path))?;
        markers.new.iter().try_for_each(|marker| self.place(marker))?;
        outdated.iter().try_for_each(|path| self.hide(path))
    }

    fn place(&mut self, file: &Staged) -> Result<(), (io::Error, PathBuf)> {
        let Staged { hidden, target } = file;
        self.place_at(hidden, target).map_err(|error| (error, target.clone()))
    }

    fn place_at(&mut self, hidden: &Path, target: &Path) -> io::Result<()> {
        match self.disk.link(hidden, target) {
            Ok(()) => {
                self.done.push(Done::Placed(target.to_path_buf()));
                // One name too many, and hidden, does no harm: it goes with the sink.
                let _ = self.disk.remove(hidden);
                return Ok(());
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !self.replace => return Err(error),
            // It is there, or there are no links here.
            Err(_) => {},
        }
        if fs::symlink_metadata(target).is_err() {
            self.disk.rename(hidden, target)?;
            self.done.push(Done::Placed(target.to_path_buf()));
            return Ok(());
        }
        if !self.replace {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let old = self.names.hidden(target.parent().unwrap_or(Path::new("")));
        let kept = self.disk.link(target, &old).is_ok();
        if let Err(error) = self.disk.rename(hidden, target) {
            let _ = self.disk.remove(&old);
            return Err(error);
        }
        let target = target.to_path_buf();
        self.done.push(if kept { Done::Replaced { target, old } } else { Done::Overwritten(target) });
        Ok(())
    }

    fn hide(&mut self, path: &Path) -> Result<(), (io::Error, PathBuf)> {
        let old = self.names.hidden(path.parent().unwrap_or(Path::new("")));
        match self.disk.rename(path, &old) {
            Ok(()) => self.done.push(Done::Hidden { path: path.to_path_buf(), old }),
            // Somebody else has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {},
            Err(error) => return Err((error, path.to_path_buf())),
        }
        Ok(())
    }

    /// Takes steps back, the last first; returns those that could not be.
    fn take_back(&mut self) -> Vec<String> {
        let mut kept = Vec::new();
        for done in std::mem::take(&mut self.done).into_iter().rev() {
            let (undone, left) = match &done {
                Done::Placed(target) => (self.disk.remove(target).is_ok(), target),
                Done::Replaced { target, old } => (self.disk.rename(old, target).is_ok(), target),
                Done::Overwritten(target) => (false, target),
                Done::Hidden { path, old } => (self.disk.rename(old, path).is_ok(), path),
            };
            match (&done, undone) {
                (_, true) => {},
                (Done::Hidden { old, .. }, false) => {
                    kept.push(format!("{} is called {}", left.display(), old.display()));
                },
                (_, false) => kept.push(format!("{} is the new file", left.display())),
            }
        }
        kept.reverse();
        kept
    }
}

impl Done {
    fn into_hidden(self) -> Option<PathBuf> {
        match self {
            Self::Placed(_) | Self::Overwritten(_) => None,
            Self::Replaced { old, .. } | Self::Hidden { old, .. } => Some(old),
        }
    }
}

/// The part of an error that is about the folder.
fn state(kept: &[String]) -> String {
    if kept.is_empty() {
        return "all files are as they were before".to_owned();
    }
    format!("all files are as they were before, but for what could not be taken back: {}", kept.join(", "))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::disk::System;
    use super::super::existing_files::ExistingFiles;
    use super::*;

    /// The machine's file system until a step fails: that one, or with `dies` all from there on, as if the
    /// process had been killed.
    struct Fails {
        steps: Cell<usize>,
        dies: bool,
        links: bool,
    }

    impl Fails {
        fn step(&self, does: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
            match self.steps.get() {
                0 if self.dies => Err(io::ErrorKind::StorageFull.into()),
                left => {
                    self.steps.set(left.wrapping_sub(1));
                    if left == 0 { Err(io::ErrorKind::StorageFull.into()) } else { does() }
                },
            }
        }
    }

    impl Disk for Fails {
        fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
            if !self.links {
                return Err(io::ErrorKind::Unsupported.into());
            }
            self.step(|| System.link(from, to))
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step(|| System.rename(from, to))
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            self.step(|| System.remove(path))
        }
    }

    const FILES: [&str; 4] = ["a", "b", "c", "d"];
    /// Those of the files that exist before.
    const OLD: [&str; 2] = ["b", "d"];
    const OUTDATED: [&str; 2] = ["x", "y"];

    /// New files that are hidden, some old ones in their places, and some to go.
    fn set_up(folder: &Path, names: &Names) -> (Vec<Staged>, Vec<PathBuf>) {
        let staged = FILES.map(|name| {
            let staged = Staged { hidden: names.hidden(folder), target: folder.join(name) };
            fs::write(&staged.hidden, "new").expect("a file");
            staged
        });
        for name in OLD.iter().chain(&OUTDATED) {
            fs::write(folder.join(name), "old").expect("a file");
        }
        (staged.into(), OUTDATED.map(|name| folder.join(name)).into())
    }

    fn content(path: PathBuf) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    /// Commits on a disk where that step fails, and says whether it did.
    fn attempt(steps: usize, dies: bool, links: bool, check: impl Fn(&Path, Option<PolarsError>)) -> bool {
        let folder = tempfile::tempdir().expect("a folder");
        let names = Names::new(ExistingFiles::Replace, false);
        let (staged, outdated) = set_up(folder.path(), &names);
        let disk = Fails { steps: Cell::new(steps), dies, links };
        let result = Commit::new(&disk, &names, true).run(&staged, &Markers::default(), &outdated);
        let failed = result.is_err();
        if let Ok(hidden) = &result {
            for name in FILES {
                assert_eq!(content(folder.path().join(name)).as_deref(), Some("new"), "{name}");
            }
            assert!(OUTDATED.iter().all(|name| !folder.path().join(name).exists()));
            let kept = if links { OLD.len() + OUTDATED.len() } else { OUTDATED.len() };
            // One of them could not be kept, if that was the step.
            assert!(hidden.len() == kept || (steps < 40 && hidden.len() == kept - 1), "{hidden:?}");
            assert!(hidden.iter().all(|path| content(path.clone()).as_deref() == Some("old")));
        }
        check(folder.path(), result.err());
        failed
    }

    #[test]
    fn a_step_that_fails_takes_all_back() {
        let is_old = |folder: &Path, error: Option<PolarsError>| {
            let Some(error) = error else { return };
            for name in FILES {
                let expected = OLD.contains(&name).then_some("old");
                assert_eq!(content(folder.join(name)).as_deref(), expected, "{name}: {error}");
            }
            assert!(OUTDATED.iter().all(|name| content(folder.join(name)).as_deref() == Some("old")));
            assert!(
                matches!(&error, PolarsError::IO { error, .. } if error.kind() == io::ErrorKind::StorageFull)
            );
            assert!(error.to_string().contains("all files are as they were before"), "{error}");
            assert!(!error.to_string().contains("taken back"), "{error}");
        };
        let failed = (0..41).filter(|steps| attempt(*steps, false, true, is_old)).count();
        // Links that fail have another way. Renames of what was there, and of what is to go, have none.
        assert!((4..30).contains(&failed), "{failed}");
    }

    #[test]
    fn a_killed_process_leaves_old_or_new_and_never_neither() {
        for links in [true, false] {
            let is_whole = |folder: &Path, error: Option<PolarsError>| {
                for name in FILES {
                    let found = content(folder.join(name));
                    let old = OLD.contains(&name).then_some("old");
                    assert!(found.as_deref() == old || found.as_deref() == Some("new"), "{name}: {found:?}");
                    // The error names the new files.
                    if let Some(error) = &error {
                        let told = error
                            .to_string()
                            .contains(&format!("{} is the new", folder.join(name).display()));
                        assert_eq!(told, found.as_deref() == Some("new"), "{name}: {error}");
                    }
                }
                // Files to be removed are there as long as any old one is.
                let new = FILES.iter().all(|name| content(folder.join(name)).as_deref() == Some("new"));
                for name in OUTDATED {
                    assert!(new || content(folder.join(name)).as_deref() == Some("old"), "{name}");
                }
            };
            let failed = (0..40).filter(|steps| attempt(*steps, true, links, is_whole)).count();
            assert!((4..30).contains(&failed), "{failed}");
        }
    }

    /// Whatever a marker names is there, and of the old marker and the new one there is never more than one.
    #[test]
    fn a_killed_process_leaves_one_marker_or_none() {
        let mut seen = [false; 3];
        for steps in 0..40 {
            let folder = tempfile::tempdir().expect("a folder");
            let names = Names::new(ExistingFiles::Replace, true);
            let path = |name: &str| folder.path().join(name);
            let staged = ["new-0", "new-1", "new"].map(|name| {
                let staged = Staged { hidden: names.hidden(folder.path()), target: path(name) };
                fs::write(&staged.hidden, "new").expect("a file");
                staged
            });
            for name in ["old-0", "old-1", "old"] {
                fs::write(path(name), "old").expect("a file");
            }
            let [one, two, marker] = staged;
            let markers = Markers { old: vec![path("old")], new: Some(marker) };
            let disk = Fails { steps: Cell::new(steps), dies: true, links: true };
            let outdated = [path("old-0"), path("old-1")];
            let result = Commit::new(&disk, &names, true).run(&[one, two], &markers, &outdated);
            let (old, new) = (path("old").exists(), path("new").exists());
            assert!(!(old && new), "after {steps} steps");
            assert!(!old || outdated.iter().all(|path| path.exists()), "after {steps} steps");
            assert!(!new || (path("new-0").exists() && path("new-1").exists()), "after {steps} steps");
            assert!(result.is_err() || new);
            seen[usize::from(old) + 2 * usize::from(new)] = true;
        }
        assert_eq!(seen, [true; 3]);
    }

    #[test]
    fn nothing_is_overwritten_that_may_not_be() {
        for links in [true, false] {
            let folder = tempfile::tempdir().expect("a folder");
            let names = Names::new(ExistingFiles::Add, false);
            let (staged, _) = set_up(folder.path(), &names);
            let disk = Fails { steps: Cell::new(usize::MAX), dies: false, links };
            let commit = Commit::new(&disk, &names, false);
            let error = commit.run(&staged, &Markers::default(), &[]).expect_err("b is there");
            assert!(
                matches!(&error, PolarsError::IO { error, .. } if error.kind() == io::ErrorKind::AlreadyExists)
            );
            assert_eq!(content(folder.path().join("a")), None);
            assert_eq!(content(folder.path().join("b")).as_deref(), Some("old"));
        }
    }
}
