//! The options of the benchmarks on the command line.

use std::path::PathBuf;

/// How much data, how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The published amounts.
    Full,
    /// A hundredth of the data, once: a look at what there is.
    Quick,
    /// Hardly any data, once, without optimisation: that it still runs.
    Tiny,
}

impl Scale {
    /// How many of `full` rows (columns, batches, bytes) this scale takes.
    #[must_use]
    pub fn of(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => (full / 100).max(full.min(10)),
            Self::Tiny => (full / 10_000).max(full.min(4)),
        }
    }
}

/// The options of every benchmark.
#[derive(Debug, Clone)]
pub struct Args {
    /// `--quick`, `--test`.
    pub scale: Scale,
    /// `--only TEXT`: cells whose name holds the text.
    pub only: String,
    /// `--rounds N`: how often each contender runs, at most.
    pub rounds: usize,
    /// `--json FILE`: where the results go, beside what is there of other benchmarks.
    pub json: Option<PathBuf>,
    /// `--child ...`: what a process that was started to be measured does.
    pub child: Vec<String>,
}

/// The help text.
pub const USAGE: &str = "\
options of a benchmark (behind `--`):
  --quick        all of it once, on a hundredth of the data
  --only TEXT    the cells whose name holds TEXT
  --rounds N     at most N rounds (the default is 15; a slow cell stops after 5)
  --json FILE    put the results into FILE, relative to the repository's root
without `--bench`, which `cargo bench` adds, or with --test: everything once, on hardly any data";

impl Args {
    /// A test's scale: everything once, on hardly any data.
    #[must_use]
    pub fn tiny() -> Self {
        Self { scale: Scale::Tiny, only: String::new(), rounds: 1, json: None, child: Vec::new() }
    }

    /// Reads the options.
    ///
    /// # Errors
    /// An option that is not known, or one that lacks its value.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = args.into_iter();
        let mut out = Self { rounds: 15, ..Self::tiny() };
        let (mut quick, mut test) = (false, false);
        while let Some(arg) = args.next() {
            let mut value = |what: &str| args.next().ok_or_else(|| format!("{arg} needs {what}"));
            match arg.as_str() {
                // `cargo bench` adds it, `cargo test --benches` does not.
                "--bench" => out.scale = Scale::Full,
                "--quick" => quick = true,
                "--test" => test = true,
                "--only" => out.only = value("a text")?,
                "--rounds" => {
                    out.rounds = value("a number")?.parse().map_err(|e| format!("--rounds: {e}"))?;
                },
                "--json" => out.json = Some(root().join(value("a file")?)),
                "--child" => out.child = args.by_ref().collect(),
                other => return Err(format!("unknown option {other}\n{USAGE}")),
            }
        }
        if quick {
            out.scale = Scale::Quick;
        }
        if test {
            out.scale = Scale::Tiny;
        }
        if out.scale != Scale::Full {
            out.rounds = 1;
        }
        Ok(out)
    }
}

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Args, String> {
        Args::parse(args.iter().map(ToString::to_string))
    }

    #[test]
    fn cargo_bench_means_all_and_cargo_test_means_tiny() {
        assert_eq!(parse(&["--bench"]).expect("known").scale, Scale::Full);
        assert_eq!(parse(&[]).expect("known").scale, Scale::Tiny);
        let quick = parse(&["--quick", "--bench"]).expect("known");
        assert_eq!((quick.scale, quick.rounds), (Scale::Quick, 1));
    }

    #[test]
    fn options_take_values() {
        let args = parse(&["--only", "LZ4", "--rounds", "9", "--bench"]).expect("known");
        assert_eq!((args.only.as_str(), args.rounds), ("LZ4", 9));
        assert!(parse(&["--rounds"]).expect_err("no value").contains("--rounds needs a number"));
        assert!(parse(&["--fast"]).expect_err("unknown").contains("--fast"));
    }
}
