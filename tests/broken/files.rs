//! Files that others broke: bytes that are no Arrow IPC, and inputs that fuzzing has found.

use super::*;

#[test]
fn what_is_no_ipc_at_all() {
    let inputs: [&[u8]; 9] = [
        b"",
        b"A",
        b"ARROW1",
        b"ARROW1\0\0",
        b"ARROW1\0\0\0\0\0\0ARROW1",
        b"ARROW1\0\0\xFF\xFF\xFF\xFF\0\0\0\0\0\0\0\0ARROW1",
        b"a,b,c\n1,2,3\n4,5,6\n",
        &[0; 1000],
        &[0xFF; 1000],
    ];
    let mut cases = Cases::new();
    for (index, input) in inputs.into_iter().enumerate() {
        for file in [false, true] {
            for (name, read) in reads(file) {
                cases.run(format!("input {index}, {name}"), || {
                    assert!(read(input).is_err(), "it is read");
                });
            }
        }
    }
    cases.finish();
}

/// Files that once broke a reader, collected by the Arrow project. An error or a sound frame.
#[test]
fn fuzz_regressions() {
    let Some(files) = regressions() else { return };
    let mut cases = Cases::new();
    let (mut read_count, mut error_count) = (0, 0);
    for path in &files {
        let bytes = std::fs::read(path).expect("a readable file");
        for (name, read) in reads(false).iter().chain(reads(true)) {
            cases.run(format!("{}, {name}", path.display()), || match read(&bytes) {
                Ok(df) => {
                    df.iter().for_each(|df| {
                        touch(df);
                    });
                    read_count += 1;
                },
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    error_count += 1;
                },
            });
        }
        cases.run(format!("{}, recover", path.display()), || {
            if let Ok(recovered) = IpcReader::recover(Cursor::new(&bytes)) {
                touch(&recovered.df);
            }
        });
    }
    say(&format!("fuzz regressions: {} files, {read_count} reads, {error_count} errors", files.len()));
    cases.finish();
}

/// `None`: there is no data, and that is allowed here.
fn regressions() -> Option<Vec<PathBuf>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = std::env::var("ARROW_TEST_DATA").unwrap_or_else(|_| "../shared/arrow-testing/data".to_owned());
    let data = workspace.join(data);
    let mut files = Vec::new();
    for folder in ["arrow-ipc-file", "arrow-ipc-stream"] {
        let Ok(entries) = std::fs::read_dir(data.join(folder)) else { continue };
        let paths = entries.map(|entry| entry.expect("a readable folder").path());
        files.extend(paths.filter(|path| path.is_file()));
    }
    files.sort();
    if !files.is_empty() {
        return Some(files);
    }
    let message = format!("no fuzz regressions in {}; set ARROW_TEST_DATA", data.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
    say(&format!("\n!!!!!!!! SKIPPED: {message} !!!!!!!!\n"));
    None
}

/// Found by fuzzing: a schema without batches, whose column Polars' `Series::new_empty` panics on (a
/// `BinaryOffset` in a list in a struct). Two bytes of hexadecimal a byte.
const NO_BATCHES: &str = "\
    ffffffff180100001000000000000a000c000600050008000a000000000104000c000000080008000000040008000000\
    040000000100000004000000d8ffffff0000010d14000000180000000400000001000000200000000100000073000000\
    4cffffff100014000800060007000c00000010001000000000000115140000001c000000040000000100000028000000\
    010000006600000004000600040000000000120018000800060007000c00000010001400120000000000011314000000\
    58000000080000001400000000000000040000006974656d00000000010000000c00000008000c000400080008000000\
    1c000000040000000d0000006d61696e7461696e5f7479706500000002000000706c0000040004000400000000000000\
    ffffffff00000000";

#[test]
fn a_column_that_polars_cannot_make_empty() {
    let digits: Vec<u32> = NO_BATCHES.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect();
    let df = IpcStreamReader::new(bytes.as_slice()).finish().expect("a frame without rows");
    assert_eq!(df.shape(), (0, 1));
    let df = IpcStreamReader::from_bytes(bytes).with_n_rows(Some(0)).finish().expect("a frame without rows");
    assert_eq!(df.shape(), (0, 1));
}

#[test]
fn a_footer_that_miscounts_rows_is_not_believed() {
    let mut df =
        DataFrame::new(50, vec![Column::new("a".into(), (0..50i64).collect::<Vec<_>>())]).expect("a frame");
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).with_record_batch_size(Some(10)).finish(&mut df).expect("written");
    let index = b"[10,20,30,40,50]";
    let at = bytes.windows(index.len()).position(|part| part == index).expect("Polars' index in the footer");
    // The first, the middle and the last batch are checked. Text that is no index at all is none.
    for lie in
        ["[11,20,30,40,50]", "[10,20,31,40,50]", "[10,20,30,40,51]", "[10,20,30,40,49]", "[10,20,30,40   ]"]
    {
        bytes[at..at + lie.len()].copy_from_slice(lie.as_bytes());
        assert_eq!(IpcReader::new(Cursor::new(&bytes)).num_rows().expect("a count"), 50, "{lie}");
        let back = IpcReader::new(Cursor::new(&bytes)).finish().expect("a frame");
        assert_eq!(back.height(), 50, "{lie}");
    }
}
