//! The commands, a file each.

pub(crate) mod cat;
pub(crate) mod completions;
pub(crate) mod convert;
#[cfg(feature = "query")]
mod convert_query;
#[cfg(feature = "frame")]
mod convert_rows;
pub(crate) mod count;
#[cfg(feature = "frame")]
pub(crate) mod diff;
#[cfg(feature = "frame")]
mod diff_key;
#[cfg(feature = "frame")]
mod diff_values;
#[cfg(feature = "frame")]
pub(crate) mod follow;
pub(crate) mod glance;
#[cfg(feature = "frame")]
pub(crate) mod head;
pub(crate) mod info;
pub(crate) mod layout;
pub(crate) mod recover;
#[cfg(feature = "frame")]
pub(crate) mod sample;
pub(crate) mod schema;
mod schema_json;
#[cfg(feature = "serve")]
pub(crate) mod serve;
#[cfg(feature = "query")]
pub(crate) mod sql;
#[cfg(feature = "frame")]
pub(crate) mod stats;
pub(crate) mod verify;

/// Options that smaller builds are without, and the feature that they need.
const OPTIONS: [(&str, &str, bool); 7] = [
    ("--where", "query", cfg!(feature = "query")),
    ("--sort-by", "query", cfg!(feature = "query")),
    ("--partition-by", "query", cfg!(feature = "query")),
    ("--columns", "frame", cfg!(feature = "frame")),
    ("--batch-rows", "frame", cfg!(feature = "frame")),
    ("--compat", "frame", cfg!(feature = "frame")),
    ("--statistics", "frame", cfg!(feature = "frame")),
];

/// The message about an option that larger builds have.
pub(crate) fn missing_option(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};

    let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidArg) else { return None };
    let (option, feature, _) = OPTIONS
        .iter()
        .find(|(option, _, is_here)| !is_here && found.split('=').next() == Some(*option))
        .filter(|_| error.kind() == ErrorKind::UnknownArgument)?;
    Some(format!(
        "this floe was built without `{option}`, which needs the feature `{feature}`: `cargo install --path crates/cli`"
    ))
}

/// A command that is in larger builds, or in none.
#[cfg(not(feature = "serve"))]
pub(crate) fn missing(words: &[std::ffi::OsString]) -> crate::error::Result<crate::error::Outcome> {
    use crate::error::{Failure, built_without};

    let name = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    if name == "sql" {
        return Err(built_without("`sql`", "query"));
    }
    if name == "serve" {
        return Err(built_without("`serve`", "serve"));
    }
    if ["head", "tail", "sample", "diff", "follow", "stats"].contains(&&*name) {
        return Err(built_without(&format!("`{name}`"), "frame"));
    }
    let path = std::path::Path::new(words.first().map_or("".as_ref(), std::ffi::OsString::as_os_str));
    match words {
        [_] if path.exists() || path == std::path::Path::new("-") => glance::run(path),
        [_] => Err(Failure::new(format!("{name}: no such file, and no such command"))),
        _ => Err(Failure::new(format!("no such command: {name}; `floe --help` lists them"))),
    }
}
