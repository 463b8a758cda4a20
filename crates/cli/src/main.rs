//! `floe`: look into, check, mend, copy and convert Arrow IPC from a shell.
//!
//! ```text
//!   args.rs   the command line          input.rs   files, folders, patterns, pipes     term.rs   numbers, tables
//!   cmd/      a file a command          output.rs  files that appear whole             error.rs  exit codes, messages
//! ```
//!
//! Knowledge of the format is in `floe-tools` (messages) and `floe` (frames).
#![forbid(unsafe_code)]

mod args;
mod cmd;
mod error;
mod input;
mod output;
#[cfg(feature = "query")]
mod query;
#[cfg(feature = "frame")]
mod rows;
mod signals;
mod term;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::error::{Failure, Outcome, Result};

fn main() -> ExitCode {
    let message = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        term::tell(
            "floe: this is a bug of floe, please report it with the lines below and, if you can, the file",
        );
        message(info);
    }));
    signals::listen();
    #[cfg(feature = "query")]
    query::quiet_warnings();
    let args = Args::try_parse().map_err(|error| match cmd::missing_option(&error) {
        Some(text) => Failure::new(text),
        // Help, or an error of the arguments with its usage.
        None => error.exit(),
    });
    let done = args.and_then(run);
    if let (Err(_), Some(code)) = (&done, signals::came()) {
        return ExitCode::from(code);
    }
    match done {
        Ok(Outcome::Good) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        Err(Failure::Message(message)) => {
            term::tell(&format!("floe: {}", term::printable(&message.replace('\n', " "))));
            ExitCode::from(2)
        },
    }
}

fn run(args: Args) -> Result<Outcome> {
    #[cfg(feature = "frame")]
    if let Args { command: None, file: Some(file) } = &args {
        return cmd::glance::run(file);
    }
    let Some(command) = args.command else {
        return Err(Failure::new("name a file or a command; `floe --help` lists them"));
    };
    match command {
        Command::Info(args) => args.run(),
        Command::Schema(args) => args.run(),
        Command::Count(args) => args.run(),
        Command::Layout(args) => args.run(),
        Command::Verify(args) => args.run(),
        Command::Recover(args) => args.run(),
        Command::Cat(args) => args.run(),
        Command::Convert(args) => args.run(),
        #[cfg(feature = "frame")]
        Command::Head(args) => args.run(cmd::head::End::First),
        #[cfg(feature = "frame")]
        Command::Tail(args) => args.run(cmd::head::End::Last),
        #[cfg(feature = "frame")]
        Command::Sample(args) => args.run(),
        #[cfg(feature = "frame")]
        Command::Diff(args) => args.run(),
        #[cfg(feature = "frame")]
        Command::Follow(args) => args.run(),
        #[cfg(feature = "query")]
        Command::Sql(args) => args.run(),
        #[cfg(all(feature = "frame", not(feature = "query")))]
        Command::Sql { words: _ } => cmd::missing(&["sql".into()]),
        #[cfg(feature = "frame")]
        Command::Stats(args) => args.run(),
        #[cfg(feature = "serve")]
        Command::Serve(args) => args.run(),
        #[cfg(all(feature = "frame", not(feature = "serve")))]
        Command::Serve { words: _ } => cmd::missing(&["serve".into()]),
        Command::Completions(args) => args.run(),
        Command::Man => cmd::completions::man(),
        #[cfg(not(feature = "frame"))]
        Command::Other(words) => cmd::missing(&words),
    }
}
