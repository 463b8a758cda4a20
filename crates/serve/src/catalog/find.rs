//! The files that are there, and the tables that they are.
//!
//! Names of tables come from names of files, and a client's name is only compared with those: no path is made of it.
//! Links that lead out of a folder are left out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use floe_format::{SourceFormat, sniff};
use floe_query::{is_ipc, is_readable};

/// A table as it is found.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) files: Vec<FileEntry>,
    /// The folder, if it is one.
    pub(crate) folder: Option<PathBuf>,
    /// Folders' names are columns.
    pub(crate) is_hive: bool,
    pub(crate) is_upload: bool,
    /// A LazyFrame of the program.
    pub(crate) is_own: bool,
    pub(crate) error: Option<String>,
}

/// A file of a table.
#[derive(Debug, Clone)]
pub(crate) struct FileEntry {
    pub(crate) path: PathBuf,
    pub(crate) stamp: Stamp,
    pub(crate) format: SourceFormat,
}

/// A file is the same while these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    pub(crate) len: u64,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) inode: u64,
}

impl Stamp {
    pub(crate) fn of(found: &std::fs::Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(found);
        #[cfg(not(unix))]
        let inode = 0;
        Self { len: found.len(), modified: found.modified().ok(), inode }
    }
}

impl Table {
    pub(crate) fn own(name: String) -> Self {
        Self { is_own: true, ..Self::of_files(name, Vec::new()) }
    }

    pub(crate) fn of_files(name: String, files: Vec<FileEntry>) -> Self {
        Self { name, files, folder: None, is_hive: false, is_upload: false, is_own: false, error: None }
    }

    /// Its format as clients see it.
    pub(crate) fn format(&self) -> &'static str {
        if self.is_own {
            return "frame";
        }
        if self.is_hive {
            return "hive";
        }
        self.files.first().map_or("unknown", |file| format_name(file.format))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.stamp.len).fold(0, u64::saturating_add)
    }
}

fn format_name(format: SourceFormat) -> &'static str {
    match format {
        SourceFormat::IpcFile => "arrow",
        SourceFormat::IpcStream => "arrows",
        SourceFormat::Parquet => "parquet",
        SourceFormat::Csv => "csv",
        SourceFormat::NdJson | SourceFormat::Json => "ndjson",
        SourceFormat::Gzip => "gzip",
        SourceFormat::Zstd => "zstd",
        _ => "unknown",
    }
}

/// Whether a path stands for those that a pattern matches.
pub(super) fn is_pattern(path: &Path) -> bool {
    !path.exists() && path.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

/// The tables of all paths, in their order.
pub(super) fn all(roots: &[PathBuf]) -> Vec<Table> {
    let mut tables = Vec::new();
    for root in roots {
        if is_pattern(root) {
            let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
            let found = root.to_str().and_then(|text| glob::glob_with(text, options).ok());
            let found = found.into_iter().flatten().flatten();
            found.for_each(|path| named(&path, &mut tables));
        } else {
            named(root, &mut tables);
        }
    }
    tables
}

/// Adds a table under its name, or where that is taken, under its file's whole name, or with a number.
pub(super) fn add(tables: &mut BTreeMap<String, Table>, mut table: Table) {
    if tables.contains_key(&table.name) {
        let file = table.files.first().filter(|_| table.folder.is_none());
        let whole = file.and_then(|file| file.path.file_name()?.to_str()).unwrap_or(&table.name).to_owned();
        let numbered = (2..).map(|number| format!("{whole}_{number}"));
        let free = std::iter::once(whole.clone()).chain(numbered).find(|name| !tables.contains_key(name));
        table.name = free.unwrap_or(whole);
    }
    tables.insert(table.name.clone(), table);
}

/// A path that was named. Every file is a table, with an error if it cannot be read.
fn named(path: &Path, tables: &mut Vec<Table>) {
    // The user's own links are followed.
    let Ok(path) = path.canonicalize() else { return };
    if path.is_dir() {
        return folder(&path, tables);
    }
    let (Some(name), Some(file)) = (stem(&path), entry(&path)) else { return };
    let error = (!is_ipc(file.format) && !is_readable(file.format))
        .then(|| format!("it is {}, which is no table", file.format));
    tables.push(Table { error, ..Table::of_files(name, vec![file]) });
}

/// A folder that was named.
fn folder(root: &Path, tables: &mut Vec<Table>) {
    let children = children(root, root);
    let is_key = |path: &PathBuf| path.is_dir() && has_key(path);
    if children.iter().any(is_key) {
        return tables.extend(of_folder(root));
    }
    for child in children {
        if child.is_dir() {
            tables.extend(of_folder(&child));
        } else if let (Some(name), Some(file)) = (stem(&child), entry(&child))
            && (is_ipc(file.format) || is_readable(file.format))
        {
            tables.push(Table::of_files(name, vec![file]));
        }
    }
}

/// All files below a folder as one table: those of Arrow IPC, else of Parquet, else of any other format that is read.
fn of_folder(folder: &Path) -> Option<Table> {
    let name = folder.file_name()?.to_str()?.to_owned();
    let mut paths = Vec::new();
    walk(folder, folder, &mut paths);
    let found: Vec<FileEntry> = paths.iter().filter_map(|path| entry(path)).collect();
    let of = |wanted: &dyn Fn(SourceFormat) -> bool| -> Vec<FileEntry> {
        found.iter().filter(|file| wanted(file.format)).cloned().collect()
    };
    let candidates = [of(&is_ipc), of(&|format| format == SourceFormat::Parquet), of(&is_readable)];
    let files = candidates.into_iter().find(|files| !files.is_empty())?;
    let below = |file: &FileEntry| {
        let folders = file.path.strip_prefix(folder).ok().and_then(Path::parent);
        folders.is_some_and(|folders| folders.components().any(|part| has_key(Path::new(part.as_os_str()))))
    };
    let is_hive = files.iter().any(below);
    Some(Table { folder: Some(folder.to_path_buf()), is_hive, ..Table::of_files(name, files) })
}

/// Whether a folder is called `key=value`.
fn has_key(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains('='))
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for child in children(root, folder) {
        if child.is_dir() {
            // Its files would be counted twice, or again and again.
            if !child.is_symlink() {
                walk(root, &child, files);
            }
        } else {
            files.push(child);
        }
    }
}

/// The files and folders in a folder, in the order of the names. Hidden files are left out, and so are links that lead out of the root.
fn children(root: &Path, folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let is_inside =
            || !path.is_symlink() || path.canonicalize().is_ok_and(|target| target.starts_with(root));
        !name.starts_with(['.', '_']) && is_inside()
    });
    paths.sort();
    paths
}

fn stem(path: &Path) -> Option<String> {
    path.file_stem()?.to_str().map(str::to_owned)
}

/// Bytes at the start that tell the format.
const SNIFFED: u64 = 4 << 10;

/// A regular file with bytes in it.
pub(super) fn entry(path: &Path) -> Option<FileEntry> {
    let found = std::fs::metadata(path).ok()?;
    if !found.is_file() {
        return None;
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(SNIFFED).read_to_end(&mut start).ok()?;
    let format = sniff(&start);
    let entry = FileEntry { path: path.to_path_buf(), stamp: Stamp::of(&found), format };
    (format != SourceFormat::Empty).then_some(entry)
}
