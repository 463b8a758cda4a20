//! Predicates, sorting, partitions; folders and patterns as one table.

use floe::prelude::*;
use polars_core::prelude::*;

use crate::support::*;

fn ids(folder: &Folder, args: &[&str]) -> String {
    folder.good(args).lines().skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn rows_for_which_a_predicate_holds() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    folder.put("a.arrows", &stream(&frame(), 4));
    folder.good(&["convert", "a.arrow", "a.csv"]);
    folder.good(&["convert", "a.arrow", "a.parquet"]);
    for name in ["a.arrow", "a.arrows", "a.csv", "a.parquet"] {
        let ids = |args: &[&str]| ids(&folder, &[args, &["--columns", "id", name]].concat());
        assert_eq!(ids(&["head", "-n", "2", "--where", "delay > 0"]), "3 4", "{name}");
        assert_eq!(ids(&["tail", "-n", "2", "--where", "id < 5 AND delay IS NOT NULL"]), "3 4", "{name}");
        assert_eq!(ids(&["sample", "-n", "99", "--where", "id BETWEEN 2 AND 4"]), "2 3 4", "{name}");
        assert_eq!(ids(&["head", "--where", "name = 'Nuuk' OR name LIKE 'say%'"]), "0 4", "{name}");
        assert_eq!(ids(&["head", "--where", "id IN (1, 9)"]), "1 9", "{name}");
        assert_eq!(ids(&["head", "--where", "id > 99"]), "", "{name}");
    }
    assert_eq!(
        ids(&folder, &["head", "--batch", "1", "--where", "delay > 4", "--columns", "id", "a.arrow"]),
        "5 6 7"
    );
    assert_eq!(
        ids(
            &folder,
            &["sample", "--batch", "1", "-n", "9", "--where", "id > 5", "--columns", "id", "a.arrow"]
        ),
        "6 7"
    );
    let piped = folder
        .piped(&["sample", "-n", "9", "--where", "id > 7", "--columns", "id", "-"], &stream(&frame(), 3));
    assert_eq!(out(&piped), "id\n8\n9\n", "{}", err(&piped));
    assert!(folder.failure(&["head", "--where", "nothing > 1", "a.arrow"]).contains("nothing"));
    assert!(folder.failure(&["head", "--where", "id >", "a.arrow"]).contains("--where"));
    assert!(folder.failure(&["head", "--where", "1 AS x", "a.arrow"]).contains("--where"));
}

#[test]
fn conversions_filter_sort_and_keep_metadata() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, Some(IpcCompression::LZ4)));
    folder.good(&[
        "convert",
        "a.arrow",
        "b.arrow",
        "--where",
        "delay >= 0",
        "--sort-by",
        "-id",
        "--columns",
        "id,name",
    ]);
    let rows = read(&folder.path("b.arrow"));
    assert_eq!(rows.get_column_names(), ["id", "name"]);
    assert_eq!(ids(&folder, &["head", "--columns", "id", "b.arrow"]), "9 8 7 6 5 4 3 2");
    let info = folder.good(&["info", "b.arrow"]);
    assert!(info.contains("source = an atlas") && info.contains("LZ4"), "{info}");
    // By a column that is not written, and nulls at the end.
    folder.good(&["convert", "--force", "a.arrow", "b.arrow", "--sort-by", "name,-delay", "--columns", "id"]);
    assert_eq!(ids(&folder, &["head", "b.arrow"]), "3 0 2 4 5 8 9 7 6 1");
    folder.good(&["convert", "--force", "a.arrow", "b.arrow", "--where", "true", "--batch-rows", "3"]);
    assert!(read(&folder.path("b.arrow")).equals_missing(&frame()));
    assert!(folder.good(&["info", "b.arrow"]).contains("10 in 4 batches of 3, the last of 1"));
    let piped = folder.piped(
        &["convert", "-", "-", "--where", "id = 7", "-f", "csv", "--columns", "id"],
        &stream(&frame(), 3),
    );
    assert_eq!(out(&piped), "id\n7\n", "{}", err(&piped));
    assert!(
        folder
            .failure(&["convert", "a.arrow", "c.arrow", "--sort-by", "nothing"])
            .contains("no column \"nothing\"")
    );
    assert!(
        folder
            .failure(&["convert", "a.arrow", "b.arrow", "--where", "true"])
            .contains("`--force` replaces it")
    );
    assert_eq!(folder.names(), ["a.arrow", "b.arrow"]);
}

fn partitioned() -> Folder {
    let folder = Folder::new();
    let mut rows = large(300);
    let year: Vec<i64> = (0..300).map(|i| 2012 + i % 3).collect();
    rows.with_column(Column::new("year".into(), year)).unwrap();
    folder.put("a.arrow", &file(&rows, 100, None));
    folder.good(&["convert", "a.arrow", "parts", "--partition-by", "year"]);
    folder
}

/// Folders called `key=value` are columns, for every command about rows.
#[test]
fn partitions_are_one_table_again() {
    let folder = partitioned();
    assert!(folder.path("parts/year=2013/part-0.arrow").exists());
    assert_eq!(folder.good(&["head", "-n", "1", "--columns", "year,n", "parts"]), "year,n\n2012,0\n");
    assert_eq!(folder.good(&["tail", "-n", "1", "--columns", "year,n", "parts"]), "year,n\n2014,93\n");
    assert_eq!(
        folder.good(&["sql", "SELECT year, count(*) AS n FROM 'parts' GROUP BY year ORDER BY year"]),
        "year,n\n2012,100\n2013,100\n2014,100\n"
    );
    assert_eq!(
        folder.good(&["sql", "SELECT count(*) FROM 'parts/*/*.arrow' WHERE year = 2013"]),
        "count(*)\n100\n"
    );
    assert_eq!(
        ids(
            &folder,
            &["sample", "-n", "999", "--where", "year = 2014 AND n > 980", "--columns", "year,n", "parts"]
        ),
        "2014,988"
    );
    assert!(folder.good(&["count", "parts"]).ends_with("300\ttotal\n"));
    folder.good(&["convert", "parts", "whole.arrow", "--sort-by", "text"]);
    folder.good(&["convert", "a.arrow", "sorted.arrow", "--sort-by", "text"]);
    assert_eq!(folder.floe(&["diff", "whole.arrow", "sorted.arrow"]).status.code(), Some(0));
    // Without an option, too, and with `cat`: the keys are not lost.
    folder.good(&["convert", "parts", "whole.csv"]);
    folder.good(&["cat", "parts", "-o", "whole2.arrow"]);
    assert_eq!(read(&folder.path("whole2.arrow")).get_column_names(), ["n", "text", "year"]);
    assert!(folder.good(&["stats", "--columns", "n", "parts"]).contains(" 995 "));
    assert!(folder.failure(&["convert", "a.arrow", "parts", "--partition-by", "year"]).contains("parts"));
    folder.good(&[
        "convert",
        "--force",
        "a.arrow",
        "parts",
        "--partition-by",
        "year",
        "--where",
        "year = 2012",
    ]);
    assert!(!folder.path("parts/year=2013").exists());
    assert!(
        folder.failure(&["convert", "a.arrow", "-", "--partition-by", "year"]).contains("writes a folder")
    );
    for args in [
        &["layout", "parts"][..],
        &["recover", "parts", "x.arrow"],
        &["diff", "parts", "a.arrow"],
        &["follow", "parts"],
    ] {
        assert!(folder.failure(args).contains("it is a folder"), "{args:?}");
    }
}

#[test]
fn several_files_are_one_table() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    folder.put("b.arrows", &stream(&frame(), 3));
    folder.good(&["convert", "a.arrow", "c.parquet"]);
    assert_eq!(
        folder.good(&["head", "-n", "99", "--columns", "id", "a.arrow", "b.arrows"]).lines().count(),
        21
    );
    assert_eq!(
        folder.good(&["tail", "-n", "15", "--columns", "id", "a.arrow", "c.parquet"]).lines().count(),
        16
    );
    assert_eq!(folder.good(&["sample", "-n", "99", "a.arrow", "b.arrows"]).lines().count(), 21);
    let text = folder.good(&["stats", "--columns", "id", "a.arrow", "b.arrows"]);
    assert!(text.lines().nth(1).unwrap().contains("10"), "{text}");
    std::fs::create_dir(folder.path("csvs")).unwrap();
    folder.put("csvs/a.csv", b"x,y\n1,2\n");
    folder.put("csvs/b.csv", b"x,y\n3,4\n");
    assert_eq!(folder.good(&["head", "csvs"]), "x,y\n1,2\n3,4\n");
    folder.good(&["convert", "csvs", "d.arrow"]);
    assert_eq!(folder.good(&["count", "d.arrow"]), "2\n");
    assert!(
        folder.failure(&["head", "--batch", "0", "a.arrow", "b.arrows"]).contains("--batch is of one file")
    );
    std::fs::create_dir(folder.path("nothing")).unwrap();
    assert!(folder.failure(&["head", "nothing"]).contains("nothing"));
    assert!(folder.failure(&["count", "nothing"]).contains("no Arrow IPC"));
}

/// A signal ends a partitioned conversion, and nothing stays of its folders.
#[test]
fn signals_leave_no_partition() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&large(400_000), 10_000, None));
    let mut child = folder.command(&["convert", "a.arrow", "parts", "--partition-by", "n"]).spawn().unwrap();
    while !folder.path("parts").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::process::Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(folder.names(), ["a.arrow"]);
}
