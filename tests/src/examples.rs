//! Examples as programs: where cargo puts them, and how they are built.
//!
//! `cargo test --workspace` has built them already. If it has not, they are built here, with the features of the whole
//! workspace, so that nothing else is.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the examples' programs. Those of these names are there, and newer than their sources.
///
/// # Panics
/// When they do not build.
#[must_use]
pub fn built(names: &[impl AsRef<str>]) -> PathBuf {
    let profile = profile_folder();
    let folder = profile.join("examples");
    if !names.iter().all(|name| is_fresh(&folder.join(name.as_ref()))) {
        build(names, &profile);
    }
    folder
}

/// `<target>/debug`, say: a test runs as `<target>/debug/deps/<name>-<hash>`.
fn profile_folder() -> PathBuf {
    let this = std::env::current_exe().expect("the path of this test");
    this.ancestors().nth(2).expect("a target folder").to_path_buf()
}

/// Whether a binary is newer than all its sources, which cargo lists in the `.d` file beside it.
fn is_fresh(binary: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let (Some(built), Ok(list)) = (modified(binary), std::fs::read_to_string(binary.with_extension("d")))
    else {
        return false;
    };
    let Some((_, sources)) = list.split_once(": ") else { return false };
    // A space within a path is escaped.
    let sources = sources.replace("\\ ", "\0");
    let mut sources = sources.split_whitespace().map(|source| PathBuf::from(source.replace('\0', " ")));
    sources.all(|source| modified(&source).is_some_and(|modified| modified <= built))
}

fn build(names: &[impl AsRef<str>], profile_folder: &Path) {
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = profile_folder.parent().expect("a target folder");
    let mut cargo = Command::new(env!("CARGO"));
    // Build scripts look at the variables that cargo sets for this test. With them much would be compiled anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "OUT_DIR"];
        if prefixes.iter().any(|prefix| text.starts_with(prefix)) {
            cargo.env_remove(&name);
        }
    }
    let status = cargo
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(["build", "--quiet", "--workspace"])
        .args(names.iter().flat_map(|name| ["--example", name.as_ref()]))
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .status();
    assert!(status.expect("cargo runs").success(), "the examples do not build");
}
