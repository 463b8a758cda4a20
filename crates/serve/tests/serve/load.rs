//! Many clients at once, and many requests one after another: what stays behind.

use std::io::Read;
use std::time::{Duration, Instant};

use floe::lazy::IntoLazy;
use floe_serve::Catalog;
use serde_json::json;

use crate::support::*;

/// Runs a test of this binary in a process of its own: its files, threads and memory are counted.
fn in_a_child(test: &str) {
    let folder = Folder::new();
    let exe = std::env::current_exe().unwrap();
    let mut child = std::process::Command::new(exe);
    child.args(["--exact", test, "--nocapture", "--test-threads", "1"]).env("FLOE_SERVE_CHILD", "1");
    let output = child.env("TMPDIR", folder.path("")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for (at, _) in text.match_indices("load: ") {
        println!("{}", text[at..].lines().next().unwrap_or_default());
    }
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 0, "temporary files are left");
}

fn is_child() -> bool {
    std::env::var_os("FLOE_SERVE_CHILD").is_some()
}

#[cfg(target_os = "linux")]
fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[cfg(target_os = "linux")]
#[test]
fn fifty_clients_some_slow_some_gone() {
    if !is_child() {
        return in_a_child("load::fifty_clients_some_slow_some_gone");
    }
    let folder = Folder::new();
    let df = numbers(1_000_000);
    folder.put("t.arrow", &file(&df, 50_000));
    let bytes = std::fs::metadata(folder.path("t.arrow")).unwrap().len();
    let mut limits = floe_serve::Limits::default();
    limits.concurrent_queries = 2;
    let catalog = Catalog::builder().path(folder.path("t.arrow")).limits(limits).build().unwrap();
    let server = Server::start(catalog);
    assert_eq!(server.sql("SELECT a FROM t LIMIT 10").frame().height(), 10);
    let before = status("VmRSS:") / 1024;
    let start = Instant::now();
    let path = sql_path("SELECT * FROM t", "");
    // They hold their connections all the while, and take a byte now and then.
    let mut slow: Vec<_> = (0..10).map(|_| server.open("GET", &path, &[], b"")).collect();
    std::thread::scope(|scope| {
        for number in 0..40 {
            let (server, df, path) = (&server, &df, &path);
            scope.spawn(move || {
                if number % 2 == 0 {
                    // In the middle of the answer it goes.
                    let mut connection = server.open("GET", path, &[], b"");
                    let mut taken = vec![0; 10_000 * (number + 1)];
                    return connection.read_exact(&mut taken).unwrap();
                }
                let answer = server.sql("SELECT a, d FROM t WHERE a % 2 = 0");
                assert!(answer.frame().height() == df.height() / 2);
            });
        }
        for _ in 0..20 {
            for connection in &mut slow {
                connection.read_exact(&mut [0]).unwrap();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let took = start.elapsed();
    let peak = status("VmHWM:") / 1024;
    println!(
        "load: 50 clients, {} MiB of table each at most: {took:.1?}, {before} MiB resident before, {peak} MiB at the peak",
        bytes >> 20
    );
    // Answers of all clients together would be 1.6 GB.
    assert!(peak - before < 1000, "{before} MiB before, {peak} MiB at the peak");
    drop(slow);
    server.wait_for_running(0);
}

/// 500 requests, or as many as FLOE_SERVE_REQUESTS says.
#[cfg(target_os = "linux")]
#[test]
fn nothing_stays_behind() {
    if !is_child() {
        return in_a_child("load::nothing_stays_behind");
    }
    let requests = std::env::var("FLOE_SERVE_REQUESTS").map_or(500, |text| text.parse().unwrap());
    let folder = Folder::new();
    folder.put("data/t.arrow", &file(&numbers(5000), 1000));
    folder.put("data/c.csv", b"x,y\n1,a\n2,b\n");
    folder.put("data/p.parquet", &parquet(&numbers(100)));
    let own = mixed(100);
    let server = Server::start(Catalog::new([folder.path("data")]).unwrap().with_table("own", own.lazy()));
    let upload = stream(&numbers(100), 50);
    let request = |number: usize| match number % 12 {
        0 => drop(server.sql("SELECT * FROM t").frame()),
        1 => drop(server.get(&sql_path("SELECT * FROM c", "&format=csv"))),
        2 => drop(server.sql("SELECT nothing FROM t").error(400)),
        3 => drop(server.sql("SELECT count(*) FROM p, c").frame()),
        4 => drop(server.get("/api/tables/t/file")),
        5 => drop(server.send("PUT", "/api/tables/up", &[], &upload)),
        6 => drop(server.send("DELETE", "/api/tables/up", &[], b"")),
        7 => drop(server.get("/api/tables")),
        8 => drop(server.post(&json!({"table": "own", "format": "parquet"}))),
        9 => drop(server.get("/api/tables/own/summary")),
        // A client that goes at once, and one that goes in the middle.
        10 => drop(server.open("GET", &sql_path("SELECT * FROM t", ""), &[], b"")),
        _ => drop(server.open("PUT", "/api/tables/half", &[("content-length", "5000")], &upload[..100])),
    };
    // The pools' threads, and what is kept, are there after the first ones.
    (0..120).for_each(request);
    server.wait_for_running(0);
    let at_rest = || {
        // Threads of tokio that wait for work end after 10 seconds.
        let start = Instant::now();
        let mut least = (usize::MAX, u64::MAX);
        while start.elapsed() < Duration::from_secs(15) {
            least = (least.0.min(open_files()), least.1.min(status("Threads:")));
            std::thread::sleep(Duration::from_millis(500));
        }
        least
    };
    let before = at_rest();
    (0..requests).for_each(request);
    server.wait_for_running(0);
    let after = at_rest();
    println!("load: {requests} requests: open files and threads {before:?} before, {after:?} after");
    assert!(after.0 <= before.0 + 2, "open files: {before:?} before, {after:?} after");
    assert!(after.1 <= before.1 + 2, "threads: {before:?} before, {after:?} after");
}
