//! `floe completions` and `floe man`: from the same definitions as the command line.

use std::io::Write;

use clap::CommandFactory;

use crate::error::{Outcome, Result};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut crate::args::Args::command(), "floe", &mut text);
        std::io::stdout().write_all(&text)?;
        Ok(Outcome::Good)
    }
}

/// The manual: a page of the whole, and a part for each command.
pub(crate) fn man() -> Result<Outcome> {
    let mut text = Vec::new();
    let mut command = crate::args::Args::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let page = clap_mangen::Man::new(sub.clone());
        page.render_synopsis_section(&mut text)?;
        page.render_description_section(&mut text)?;
        page.render_options_section(&mut text)?;
    }
    std::io::stdout().write_all(&text)?;
    Ok(Outcome::Good)
}
