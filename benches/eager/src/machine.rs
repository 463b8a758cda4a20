//! A description of the machine, without its name.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The machine of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model.
    pub cpu: String,
    /// How many cores may be used.
    pub cores: usize,
    /// Memory, in gibibytes.
    pub memory_gib: u64,
    /// The operating system and its version.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
        let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
        let kib: u64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
        let version = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .arg("--version")
            .output()
            .map(|out| String::from_utf8_lossy(&out.stdout).trim().to_string())
            .unwrap_or_default();
        Self {
            cpu: family(&cpu),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: (kib + (1 << 19)) >> 20,
            // Without what a distribution or a host adds to it.
            kernel: format!(
                "{} {}",
                std::env::consts::OS,
                version.trim().split('-').next().unwrap_or_default()
            ),
            rustc,
        }
    }

    /// In one sentence.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { cpu, cores, memory_gib, kernel, rustc } = self;
        format!(
            "{cores} cores of {cpu}, {memory_gib} GiB of memory, {kernel}, {rustc}, release profile, files in /dev/shm"
        )
    }
}

/// With the part of the vector extensions that tells generations apart, where the model does not.
fn family(cpu: &str) -> String {
    let flags = field("/proc/cpuinfo", "flags").unwrap_or_default();
    let has = |flag: &str| flags.split(' ').any(|known| known == flag);
    let virtual_machine = if has("hypervisor") { ", a virtual machine" } else { "" };
    let vectors = if has("avx512f") {
        " (AVX-512)"
    } else if has("avx2") {
        " (AVX2)"
    } else {
        ""
    };
    format!("{cpu}{vectors}{virtual_machine}")
}

/// The value of the first line of a `/proc` file that begins with `name`.
#[must_use]
pub fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Today, as `2026-11-21` (UTC).
#[must_use]
pub fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    date(seconds / 86_400)
}

/// The date that is `days` days after 1970-01-01.
fn date(mut days: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(59), "1970-03-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_778), "2026-11-21");
    }

    #[test]
    fn this_machine_has_a_core() {
        let machine = Machine::here();
        assert!(machine.cores > 0 && !machine.describe().is_empty());
    }
}
