//! Arrow's golden files: copied to a stream and back, every message is the same, byte for byte.

use std::path::{Path, PathBuf};

use floe_format::IpcLimits;
use floe_tools::{FileSource, ReadAt, scan};

use crate::support::*;

/// The golden files of both formats.
fn goldens() -> Vec<PathBuf> {
    let Some(data) = std::env::var_os("ARROW_TEST_DATA") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI has no ARROW_TEST_DATA");
        eprintln!("SKIPPED: ARROW_TEST_DATA does not name Arrow's golden files");
        return Vec::new();
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = workspace.join(data).join("arrow-ipc-stream/integration");
    let mut files = Vec::new();
    for version in std::fs::read_dir(&folder).unwrap() {
        for entry in std::fs::read_dir(version.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "arrow_file" || ending == "stream") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() >= 70, "{} golden files in {}", files.len(), folder.display());
    files
}

/// The bytes of each dictionary and batch, head and body, in their order.
fn messages(path: &Path) -> Vec<Vec<u8>> {
    let source = FileSource::new(std::fs::File::open(path).unwrap()).unwrap();
    let contents = scan(&source, &IpcLimits::default(), &mut |_, _| Ok(())).unwrap();
    assert!(contents.is_whole(), "{}: {:?}", path.display(), contents.fault);
    let bytes = |message: &floe_tools::MessageInfo| {
        let mut bytes = vec![0; usize::try_from(message.end() - message.offset).unwrap()];
        source.read_exact_at(&mut bytes, message.offset).unwrap();
        bytes
    };
    contents.dictionaries.iter().chain(&contents.batches).map(bytes).collect()
}

#[test]
fn every_golden_file_is_copied_without_loss() {
    let folder = Folder::new();
    let mut faults = Vec::new();
    for golden in goldens() {
        let name = golden.display().to_string();
        let mut run = |args: &[&str]| {
            let output = folder.floe(args);
            if output.status.code() != Some(0) || args[0] == "convert" && !output.stderr.is_empty() {
                faults.push(format!("{args:?}: {}{}", out(&output), err(&output)));
            }
        };
        run(&["convert", "--force", &name, "copy.arrows"]);
        run(&["convert", "--force", "copy.arrows", "copy.arrow"]);
        run(&["verify", "copy.arrow"]);
        if messages(&folder.path("copy.arrow")) != messages(&golden) {
            faults.push(format!("{name}: messages differ"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_golden_file_is_compressed_anew_without_loss() {
    let folder = Folder::new();
    let mut faults = Vec::new();
    for golden in goldens() {
        let name = golden.display().to_string();
        let to = folder.floe(&["convert", "--force", "--compression", "zstd", &name, "zipped.arrow"]);
        let is_old_union = err(&to).contains("unions of metadata version 4");
        if is_old_union {
            continue;
        }
        let back = folder.floe(&["convert", "--force", "--compression", "none", "zipped.arrow", "raw.arrow"]);
        let plain = folder.floe(&["convert", "--force", "--compression", "none", &name, "plain.arrow"]);
        let good = [&to, &back, &plain].iter().all(|output| output.status.code() == Some(0));
        if !good || messages(&folder.path("raw.arrow")) != messages(&folder.path("plain.arrow")) {
            faults.push(format!("{name}: {}{}{}", err(&to), err(&back), err(&plain)));
        }
        let verify = folder.floe(&["verify", "zipped.arrow"]);
        if verify.status.code() != Some(0) {
            faults.push(format!("{name}: {}", out(&verify)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_golden_file_is_described_and_verified() {
    let folder = Folder::new();
    let mut faults = Vec::new();
    for golden in goldens() {
        for command in ["info", "schema", "count", "layout", "verify"] {
            let output = folder.floe(&[command.as_ref(), golden.as_os_str()]);
            if output.status.code() != Some(0) {
                faults.push(format!("{command} {}: {}{}", golden.display(), out(&output), err(&output)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Files that fuzzing has found in Arrow: whatever is in them, a command ends with a code of its own.
#[test]
fn fuzz_regressions_end_with_an_error_or_without() {
    let folder = Folder::new();
    let Some(golden) = goldens().into_iter().next() else { return };
    let data = golden.ancestors().nth(4).unwrap().to_path_buf();
    let mut files = Vec::new();
    for kind in ["arrow-ipc-stream", "arrow-ipc-file"] {
        let entries = std::fs::read_dir(data.join(kind)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    }
    assert!(files.len() >= 20, "{} files in {}", files.len(), data.display());
    for file in files {
        for args in [&["verify", "--all"][..], &["info"], &["layout", "--buffers"], &["head"], &["recover"]] {
            let mut args: Vec<_> = args.iter().map(std::ffi::OsStr::new).collect();
            args.push(file.as_os_str());
            if args[0] == "recover" {
                args.extend([std::ffi::OsStr::new("out.arrow"), std::ffi::OsStr::new("--force")]);
            }
            let output = folder.floe(&args);
            assert!(output.status.code().is_some_and(|code| code <= 2), "{args:?}: {}", err(&output));
        }
    }
}
