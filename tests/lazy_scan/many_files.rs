//! Thousands of small files: what opening them takes.

use super::*;

/// Three thousand files of a few rows each.
fn tiny_files(count: i32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..count {
        let df =
            DataFrame::new(2, vec![Column::new("i".into(), [i, i]), Column::new("t".into(), ["a", "b"])]);
        put(folder.path(), &format!("{i:05}.arrow"), &file(&df.unwrap(), 1));
    }
    folder
}

#[test]
fn small_files_are_read_once() {
    let folder = tiny_files(3000);
    let stored: u64 =
        folder.path().read_dir().unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    let (options, counter) = counted();
    let (lf, read) = read_by(&counter, || scan_ipc_file(folder.path(), options).unwrap());
    assert_eq!(read, stored, "each file as a whole, and no byte twice");
    let (found, read) = read_by(&counter, || lf.clone().select([col("i").sum(), len()]).collect().unwrap());
    assert_eq!(
        found.get_row(0).unwrap().0,
        [AnyValue::Int32(2 * (0..3000).sum::<i32>()), AnyValue::UInt32(6000)]
    );
    assert!(read < stored, "{read} of {stored} bytes for one column");
    let (_, read) = read_by(&counter, || both(&lf.select([len()])).unwrap());
    assert_eq!(read, 0);
}

/// The system's count of this process's reads.
#[cfg(target_os = "linux")]
fn reads_of(path: &Path) -> u64 {
    // In a process of its own: tests run side by side.
    let me = std::env::current_exe().unwrap();
    let output = std::process::Command::new(me)
        .args(["many_files::child_that_scans", "--exact", "--nocapture", "--test-threads=1"])
        .env("FLOE_SCAN", path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = text.lines().find_map(|line| line.split("reads: ").nth(1)?.trim().parse().ok());
    count.unwrap_or_else(|| panic!("no count in {text}"))
}

#[cfg(target_os = "linux")]
#[test]
fn child_that_scans() {
    let Some(path) = std::env::var_os("FLOE_SCAN") else { return };
    let calls = || -> u64 {
        let text = std::fs::read_to_string("/proc/self/io").unwrap();
        text.lines().find_map(|line| line.strip_prefix("syscr: ")?.parse().ok()).unwrap()
    };
    let before = calls();
    let lf = scan_ipc_file(PathBuf::from(path).as_path(), IpcScanOptions::default()).unwrap();
    println!("reads: {}", calls() - before);
    drop(lf);
}

#[cfg(target_os = "linux")]
#[test]
fn indexes_take_few_reads_of_each_file() {
    let folder = tiny_files(500);
    let small = reads_of(folder.path());
    assert!((500..600).contains(&small), "{small} reads of 500 small files");
    // The same for any number of batches in a file.
    let folder = tempfile::tempdir().unwrap();
    let df =
        DataFrame::new(40_000, vec![Column::new("i".into(), (0..40_000i64).collect::<Vec<_>>())]).unwrap();
    for i in 0..20 {
        put(folder.path(), &format!("{i}.arrow"), &file(&df, 20));
    }
    let large = reads_of(folder.path());
    assert!(large < 20 * 20, "{large} reads of 20 files of 2,000 batches each");
}

#[test]
fn a_footer_that_lies_about_rows_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let df =
        DataFrame::new(20_000, vec![Column::new("i".into(), (0..20_000i64).collect::<Vec<_>>())]).unwrap();
    let bytes = file(&df, 100);
    // Batches 30 and 31 end with the rows 3,100 and 3,200: now the first of them is said to be longer,
    // and the second one shorter. They are decoded side by side, so either may be found first.
    let text = b",3000,3100,3200,";
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
    let mut lying = bytes;
    lying[at..at + text.len()].copy_from_slice(b",3000,3150,3200,");
    let path = put(folder.path(), "lying.arrow", &lying);
    let lf = scan_ipc_file(&path, IpcScanOptions::default()).unwrap();
    let message = error(Ok(lf.clone().slice(3_000, 300)));
    let named = message.contains("record batch 30") || message.contains("record batch 31");
    assert!(named && message.contains("lying.arrow"), "{message}");
    assert_same(&both(&lf.limit(50)).unwrap(), &df.head(Some(50)));
}
