//! The command line.

#[cfg(not(feature = "frame"))]
use std::ffi::OsString;
#[cfg(feature = "frame")]
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cmd;

/// Look into, check, mend, copy and convert Arrow IPC: `.arrow`, `.arrows` and `.feather` files.
///
/// Inputs are told apart by content; `-` is standard input or output. Exit codes: 0 good, 1 faults or differences, 2 the
/// command could not do it, 130 interrupted.
#[derive(Debug, Parser)]
#[command(
    name = "floe",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// One line of facts about a file, and its first rows
    // Without `frame` a name of a file comes as a command that is not known: see `cmd::missing`.
    #[cfg(feature = "frame")]
    pub(crate) file: Option<PathBuf>,
}

/// The commands, in the order of the help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Info(cmd::info::Args),
    Schema(cmd::schema::Args),
    Count(cmd::count::Args),
    Layout(cmd::layout::Args),
    Verify(cmd::verify::Args),
    Recover(cmd::recover::Args),
    Cat(cmd::cat::Args),
    Convert(cmd::convert::Args),
    #[cfg(feature = "frame")]
    Head(cmd::head::Args),
    #[cfg(feature = "frame")]
    Tail(cmd::head::Args),
    #[cfg(feature = "frame")]
    Sample(cmd::sample::Args),
    #[cfg(feature = "frame")]
    Diff(cmd::diff::Args),
    #[cfg(feature = "frame")]
    Follow(cmd::follow::Args),
    #[cfg(feature = "query")]
    Sql(cmd::sql::Args),
    /// A command that this build is without.
    #[cfg(all(feature = "frame", not(feature = "query")))]
    #[command(hide = true, disable_help_flag = true)]
    Sql {
        /// The query.
        #[arg(num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<std::ffi::OsString>,
    },
    #[cfg(feature = "frame")]
    Stats(cmd::stats::Args),
    #[cfg(feature = "serve")]
    Serve(cmd::serve::Args),
    /// A command that this build is without.
    #[cfg(all(feature = "frame", not(feature = "serve")))]
    #[command(hide = true, disable_help_flag = true)]
    Serve {
        /// Its arguments.
        #[arg(num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<std::ffi::OsString>,
    },
    Completions(cmd::completions::Args),
    /// Print the manual page
    Man,
    /// A command that this build is without.
    #[cfg(not(feature = "frame"))]
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}
