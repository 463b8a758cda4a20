//! The commands, a file each.

pub(crate) mod cat;
pub(crate) mod completions;
pub(crate) mod convert;
#[cfg(feature = "frame")]
mod convert_rows;
pub(crate) mod count;
#[cfg(feature = "frame")]
pub(crate) mod diff;
#[cfg(feature = "frame")]
pub(crate) mod follow;
pub(crate) mod glance;
#[cfg(feature = "frame")]
pub(crate) mod head;
pub(crate) mod info;
pub(crate) mod layout;
mod layout_page;
pub(crate) mod recover;
#[cfg(feature = "frame")]
pub(crate) mod sample;
pub(crate) mod schema;
mod schema_json;
#[cfg(feature = "frame")]
pub(crate) mod stats;
pub(crate) mod verify;

/// A command that is in larger builds, or in none.
#[cfg(not(feature = "frame"))]
pub(crate) fn missing(words: &[std::ffi::OsString]) -> crate::error::Result<crate::error::Outcome> {
    let name = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    if ["head", "tail", "sample", "diff", "follow", "stats"].contains(&&*name) {
        return Err(crate::error::Failure::new(format!(
            "this floe was built without `{name}`, which needs the feature `frame`: `cargo install --path crates/cli`"
        )));
    }
    let path = std::path::Path::new(words.first().map_or("".as_ref(), std::ffi::OsString::as_os_str));
    match words {
        [_] if path.exists() || path == std::path::Path::new("-") => glance::run(path),
        [_] => Err(crate::error::Failure::new(format!("{name}: no such file, and no such command"))),
        _ => Err(crate::error::Failure::new(format!("no such command: {name}; `floe --help` lists them"))),
    }
}
