//! The choice for files that are in a folder already.

/// How a partitioned sink treats a folder that is not empty.
///
/// A folder is empty if it has no file, at any depth, but for those whose names begin with a dot, or are
/// below folders whose names do.
///
/// ```
/// use floe_lazy::{ExistingFiles, IpcSinkOptions};
///
/// let again = IpcSinkOptions::default().with_existing(ExistingFiles::Replace);
/// # let _ = again;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ExistingFiles {
    /// It is an error, found before the query runs, and once more when the files are to appear.
    #[default]
    Error,
    /// The new files take the place of the old: afterwards a scan of the folder finds the new ones alone.
    ///
    /// Removed are files called `.arrow`, `.arrows`, `.ipc` or `.feather` in the folder itself and in
    /// folders called `key=value` below it, and such folders if nothing else is in them. Anything else
    /// stays. Nothing is removed before all new files are in place, and if that fails, the old ones stand
    /// where they stood. The mode of a file that is overwritten is kept, and its owner where the system
    /// allows it.
    Replace,
    /// The new files stand beside the old. They are called `part-<id>-0.arrow`, by an id that no other
    /// call has, in this process or another; those of later calls come later in the order of names.
    Add,
}
