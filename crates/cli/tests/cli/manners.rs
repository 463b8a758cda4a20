//! Pipes, terminals, existing files, signals.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use crate::support::*;

#[test]
fn pipes_carry_streams_and_files() {
    let folder = Folder::new();
    let (file, stream) = (file(&frame(), 4, None), stream(&frame(), 4));
    for bytes in [&file, &stream] {
        let output = folder.piped(&["count", "-"], bytes);
        assert_eq!((out(&output).as_str(), output.status.code()), ("10\n", Some(0)), "{}", err(&output));
        let output = folder.piped(&["convert", "-", "-"], bytes);
        let again = folder.piped(&["head", "-", "-n", "1", "--columns", "id"], &output.stdout);
        assert_eq!(out(&again), "id\n0\n", "{}", err(&again));
        assert_eq!(folder.piped(&["verify", "-"], bytes).status.code(), Some(0));
    }
    let output = folder.piped(&["cat", "-"], &stream);
    assert_eq!(output.stdout, stream, "a stream stays what it is");
    // Nothing stays behind in the folder for temporary files.
    let temporary = Folder::new();
    let mut command = folder.command(&["count", "-"]);
    command.env("TMPDIR", temporary.path("")).stdin(std::fs::File::open(folder.put("a", &file)).unwrap());
    assert_eq!(out(&command.output().unwrap()), "10\n");
    assert!(temporary.names().is_empty());
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = Folder::new();
    folder.put("large.arrow", &file(&large(200_000), 10_000, None));
    for args in [
        &["convert", "large.arrow", "-", "-f", "csv"][..],
        &["cat", "large.arrow"],
        &["head", "-n", "100000", "large.arrow"],
    ] {
        let mut child = folder.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut start = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut start).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn nothing_is_overwritten_unasked() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    folder.put("b.arrow", b"precious");
    for args in [
        &["convert", "a.arrow", "b.arrow"][..],
        &["recover", "a.arrow", "b.arrow"],
        &["cat", "a.arrow", "-o", "b.arrow"],
    ] {
        assert!(folder.failure(args).contains("`--force` replaces it"), "{args:?}");
        assert_eq!(std::fs::read(folder.path("b.arrow")).unwrap(), b"precious");
    }
    folder.good(&["convert", "--force", "a.arrow", "b.arrow"]);
    // Onto itself, too: the input is read to its end before the name changes hands.
    folder.good(&["convert", "--force", "a.arrow", "a.arrow", "--compression", "lz4"]);
    assert!(read(&folder.path("a.arrow")).equals_missing(&frame()));
    assert_eq!(folder.names(), ["a.arrow", "b.arrow"]);
    assert!(
        folder.failure(&["convert", "a.arrow", "no/folder.arrow"]).contains("no/folder.arrow: No such file")
    );
    assert!(folder.failure(&["convert", "a.arrow", "noformat"]).contains("does not tell a format"));
    std::fs::create_dir(folder.path("folder.arrow")).unwrap();
    assert!(folder.failure(&["convert", "a.arrow", "folder.arrow", "--force"]).contains("it is a folder"));
}

#[test]
fn new_files_have_the_mode_of_new_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    let plain = std::fs::metadata(folder.path("a.arrow")).unwrap().permissions().mode();
    folder.good(&["convert", "a.arrow", "b.arrow"]);
    assert_eq!(std::fs::metadata(folder.path("b.arrow")).unwrap().permissions().mode(), plain);
}

#[test]
fn names_that_are_not_utf8() {
    let folder = Folder::new();
    let name = OsStr::from_bytes(b"caf\xe9.arrow");
    std::fs::write(folder.path("").join(name), file(&frame(), 4, None)).unwrap();
    let output = folder.floe(&[OsStr::new("count"), name]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), "10\n"), "{}", err(&output));
    let output = folder.floe(&[OsStr::new("convert"), name, OsStr::from_bytes(b"\xff.arrow")]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(read(&folder.path("").join(OsStr::from_bytes(b"\xff.arrow"))).equals_missing(&frame()));
}

/// A writer that waits for its input is interrupted.
#[test]
fn signals_leave_nothing() {
    let folder = Folder::new();
    let temporary = Folder::new();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut command = folder.command(&["convert", "-", "out.arrow"]);
        command.env("TMPDIR", temporary.path("")).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, &stream(&large(1000), 100)[..5000]).unwrap();
        for _ in 0..200 {
            if !temporary.names().is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(temporary.names().len(), 1, "what comes through a pipe is kept in a file");
        Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(folder.names().is_empty() && temporary.names().is_empty(), "{:?}", temporary.names());
        drop(stdin);
    }
}

/// Under `script`, standard output is a terminal.
fn on_a_terminal(folder: &Folder, command: &str) -> Option<(String, Option<i32>)> {
    if Command::new("script").arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI has no `script`");
        eprintln!("SKIPPED: there is no `script` to make a terminal with");
        return None;
    }
    let line = format!("{} {command}", env!("CARGO_BIN_EXE_floe"));
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(folder.path(""))
        .stdin(Stdio::null())
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    Some((String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"), output.status.code()))
}

#[test]
fn a_terminal_gets_tables_and_no_binary() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    let Some((text, code)) = on_a_terminal(&folder, "cat a.arrow") else { return };
    assert_eq!(code, Some(2));
    assert!(text.contains("not written to a terminal") && text.contains("-f arrows"), "{text}");
    let (text, code) = on_a_terminal(&folder, "cat -f arrows a.arrow | head -c 4").unwrap();
    assert!(!text.contains("terminal"), "{text} {code:?}");
    let (text, _) = on_a_terminal(&folder, "head -n 2 --columns id,name a.arrow").unwrap();
    assert!(text.lines().nth(1).unwrap().contains("i64  str"), "a table with types: {text}");
}

/// Colours are for people, unless they ask for none.
#[test]
fn colors_are_on_terminals_only() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    let Some((text, _)) = on_a_terminal(&folder, "verify a.arrow") else { return };
    assert!(text.contains("\u{1b}[32mOK\u{1b}[0m"), "{text:?}");
    let (text, _) = on_a_terminal(&folder, "head --columns id a.arrow").unwrap();
    assert!(text.contains("\u{1b}[1m"), "{text:?}");
    for command in ["verify a.arrow | cat", "head -f table a.arrow | cat"] {
        let (text, _) = on_a_terminal(&folder, command).unwrap();
        assert!(!text.contains('\u{1b}'), "{command}: {text:?}");
    }
    let plain = Command::new("script")
        .args(["-qec", &format!("{} verify a.arrow", env!("CARGO_BIN_EXE_floe")), "/dev/null"])
        .current_dir(folder.path(""))
        .stdin(Stdio::null())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert!(text.contains("OK") && !text.contains('\u{1b}'), "{text:?}");
}

/// A file system of a few pages, gone with the value.
#[cfg(target_os = "linux")]
struct Small(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Small {
    /// Where mounting is not permitted, there is none: also in CI, which cannot change that.
    fn mount(folder: &Folder) -> Option<Self> {
        let path = folder.path("small");
        std::fs::create_dir(&path).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&path).output();
        match done {
            Ok(done) if done.status.success() => Some(Self(path)),
            done => {
                eprintln!(
                    "\n!!!!!!!! SKIPPED: a full file system: no tmpfs can be mounted: {done:?} !!!!!!!!\n"
                );
                None
            },
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// No space is an error that names the output, and nothing is left of it.
#[cfg(target_os = "linux")]
#[test]
fn a_full_file_system_is_told_and_left_as_it_was() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&large(20_000), 1_000, None));
    let Some(small) = Small::mount(&folder) else { return };
    let mut commands = vec![
        vec!["convert", "a.arrow", "small/b.arrow"],
        vec!["convert", "a.arrow", "small/b.arrow", "--compression", "lz4"],
        vec!["convert", "a.arrow", "small/b.arrow", "--batch-rows", "500"],
        vec!["convert", "a.arrow", "small/b.csv"],
        vec!["cat", "a.arrow", "a.arrow", "-o", "small/b.arrows"],
        vec!["recover", "a.arrow", "small/b.arrow"],
    ];
    if cfg!(feature = "query") {
        commands.push(vec!["convert", "a.arrow", "small/b.parquet", "--compression", "none"]);
        commands.push(vec!["convert", "a.arrow", "small/b.arrow", "--sort-by", "-n"]);
        commands.push(vec!["sql", "SELECT * FROM 'a.arrow'", "-o", "small/b.csv"]);
        commands.push(vec!["convert", "a.arrow", "small/parts", "--partition-by", "n"]);
    }
    for args in commands {
        let text = folder.failure(&args);
        assert!(text.contains("small/") && text.contains("No space left on device"), "{args:?}: {text}");
        assert_eq!(std::fs::read_dir(&small.0).unwrap().count(), 0, "{args:?}");
    }
    // Input from a pipe does not fit either: it is kept beside the other temporary files.
    let mut command = folder.command(&["count", "-"]);
    command.env("TMPDIR", &small.0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = std::fs::read(folder.path("a.arrow")).unwrap();
    let feeder = std::thread::spawn(move || drop(std::io::Write::write_all(&mut stdin, &bytes)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("No space left on device"), "{}", err(&output));
    assert_eq!(std::fs::read_dir(&small.0).unwrap().count(), 0);
}

#[test]
fn misuse_is_told() {
    let folder = Folder::new();
    for args in [&["convert", "one"][..], &["head"], &["nonsense", "more"], &["info", "--nothing", "a"]] {
        assert_eq!(folder.floe(args).status.code(), Some(2), "{args:?}");
    }
    assert!(folder.good(&["--help"]).contains("verify"));
    assert!(folder.good(&["--version"]).starts_with("floe "));
}
