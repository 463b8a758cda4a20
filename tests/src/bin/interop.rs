//! `interop write|read|partitions-write|walkthrough-write|walkthrough-read DIR`: floe's side of `tests/interop/run.sh`.

use std::path::Path;
use std::process::ExitCode;

#[path = "../interop/mod.rs"]
mod interop;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let report = match args.as_slice() {
        [what, folder] => interop::run(what, Path::new(folder)),
        _ => None,
    };
    let Some(report) = report else {
        eprintln!("usage: interop write|read|partitions-write|walkthrough-write|walkthrough-read DIR");
        return ExitCode::from(2);
    };
    println!("interop {}: {} passed, {} failed", args.join(" "), report.passed, report.failed);
    ExitCode::from(u8::from(report.failed > 0))
}
