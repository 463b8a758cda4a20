//! pyarrow 26, in a process of its own that obeys commands. It takes the time itself, so that neither the pipe nor the
//! interpreter's start counts.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use super::{Codec, Format};
use crate::args::Scale;

/// The running process; clones talk to the same one.
#[derive(Clone)]
pub struct Pyarrow(Rc<RefCell<Process>>);

struct Process {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Pyarrow {
    /// Starts it; with [`Scale::Tiny`] only if it is installed already.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn start(scale: Scale) -> Result<Self, String> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut find = Command::new("bash");
        find.arg(folder.join("pyarrow.sh"));
        if scale == Scale::Tiny {
            find.arg("--no-install");
        }
        let found = find.stderr(Stdio::piped()).output().map_err(|e| format!("bash: {e}"))?;
        if !found.status.success() {
            let why = String::from_utf8_lossy(&found.stderr);
            return Err(why.lines().last().unwrap_or("benches/pyarrow.sh failed").to_string());
        }
        let python = String::from_utf8_lossy(&found.stdout).trim().to_string();
        let mut child = Command::new(python)
            .arg(folder.join("pyarrow_peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("python: {e}"))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("python has no pipes".into());
        };
        let mut process = Process { child, to, from: BufReader::new(from) };
        process.answer()?;
        Ok(Self(Rc::new(RefCell::new(process))))
    }

    /// Gives a command; its answer is a number.
    ///
    /// # Errors
    /// The answer of pyarrow.
    pub fn ask(&self, command: &[&str]) -> Result<f64, String> {
        let mut process = self.0.borrow_mut();
        writeln!(process.to, "{}", command.join("\t")).map_err(|e| e.to_string())?;
        let answer = process.answer()?;
        answer.parse().map_err(|_| format!("not a number: {answer}"))
    }

    /// Keeps the table of a file under a name.
    ///
    /// # Errors
    /// When pyarrow cannot read it.
    pub fn load(&self, name: &str, format: Format, path: &Path) -> Result<(), String> {
        self.ask(&["load", name, format.name(), &path.to_string_lossy()]).map(|_| ())
    }

    /// Forgets a table.
    pub fn forget(&self, name: &str) {
        // Nothing there to forget is no failure.
        let _ = self.ask(&["drop", name]);
    }

    /// How long a command takes.
    #[must_use]
    pub fn time(&self, command: &[&str]) -> Duration {
        Duration::from_secs_f64(self.ask(command).expect("pyarrow does what worked before"))
    }

    /// Writes a table to a new file.
    #[must_use]
    pub fn write(&self, name: &str, format: Format, codec: Codec, path: &Path) -> Duration {
        self.time(&["write", name, format.name(), codec_name(codec), &path.to_string_lossy()])
    }

    /// Reads all of a file or stream.
    #[must_use]
    pub fn read(&self, format: Format, path: &Path, map: bool) -> Duration {
        let how = if map { "map" } else { "copy" };
        self.time(&["read", format.name(), &path.to_string_lossy(), "-", how])
    }
}

/// As the script calls it.
#[must_use]
pub fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::Raw => "raw",
        Codec::Lz4 => "lz4",
        Codec::Zstd => "zstd",
    }
}

impl Process {
    fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.from.read_line(&mut line).map_err(|e| e.to_string())?;
        match line.trim_end().split_once(' ') {
            Some(("ok", answer)) => Ok(answer.to_string()),
            Some(("error", why)) => Err(why.to_string()),
            _ => Err(format!("python said {line:?}")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends when its input does; by then it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
