//! Failures: of the query, the target, the way between.

use super::*;

/// Polars says in which expression; that is the query's own.
fn is_dry(error: &PolarsError) -> bool {
    match error {
        PolarsError::ExprContext { error, .. } => is_dry(error),
        PolarsError::NoData(text) => text.as_ref() == "the well is dry",
        _ => false,
    }
}

#[test]
fn an_error_of_the_query_comes_back_and_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = folder.path().join("old.arrow");
    fs::write(&old, "the old file").expect("a file");
    let bad = || {
        watched(numbers(600_000), |column| {
            let last = column.len().saturating_sub(1);
            let past = column.get(last)?.extract::<i64>().is_some_and(|n| n > 400_000);
            polars_ensure!(!past, NoData: "the well is dry");
            Ok(())
        })
    };
    for file in [false, true] {
        for path in [folder.path().join("new.arrow"), old.clone()] {
            let options = IpcSinkOptions::default().with_record_batch_size(1000);
            let result = if file {
                bad().sink_ipc_file(&path, options)
            } else {
                bad().sink_ipc_stream(&path, options)
            };
            let error = result.expect_err("the query fails");
            assert!(is_dry(&error), "{error:?}");
        }
    }
    assert_eq!(names(folder.path()), ["old.arrow"]);
    assert_eq!(fs::read_to_string(&old).expect("a file"), "the old file");

    let batches: Vec<_> = bad().collect_ipc_batches(1000).expect("a query").collect();
    let (last, before) = batches.split_last().expect("an error at least");
    assert!(last.as_ref().is_err_and(is_dry), "{last:?}");
    assert!(before.iter().all(Result::is_ok));

    // Nothing was there to be run.
    let path = folder.path().join("none.arrow");
    let missing = || numbers(3).lazy().select([col("nowhere")]);
    let error = missing().sink_ipc_file(&path, IpcSinkOptions::default()).expect_err("no such column");
    assert_eq!(error.to_string(), missing().collect().expect_err("no such column").to_string());
    assert!(missing().collect_ipc_batches(5).is_err());
    assert_eq!(names(folder.path()), ["old.arrow"]);
}

#[test]
fn an_error_of_the_target_is_the_error_whenever_it_comes() {
    let df = numbers(30_000);
    let (whole, _) = sink(df.clone().lazy(), true, IpcSinkOptions::default()).expect("bytes");
    let mut cases = Cases::new();
    let places = [0, 1, 8, 500, 2_000, 100_000, whole.len() / 2, whole.len() - 300, whole.len() - 1];
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::BrokenPipe, io::ErrorKind::Other] {
        for after in places {
            for rows in [None, Some(100), Some(5_000)] {
                cases.run(format!("{kind:?} after {after} bytes, {rows:?}"), || {
                    let options = IpcSinkOptions::default().with_record_batch_size(rows);
                    let target = Box::new(Failing(after, kind));
                    let error =
                        df.clone().lazy().sink_ipc_file(target, options).expect_err("the target fails");
                    assert_eq!(io_kind(&error), Some(kind), "{error:?}");
                });
            }
        }
    }
    cases.finish();
}

#[test]
fn a_closed_pipe_ends_the_query_early() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let query = watched(numbers(4_000_000), move |column| {
        count.fetch_add(column.len(), Ordering::Relaxed);
        Ok(())
    });
    let target = Box::new(Failing(100_000, io::ErrorKind::BrokenPipe));
    let options = IpcSinkOptions::default().with_record_batch_size(10_000);
    let error = query.sink_ipc_stream(target, options).expect_err("the pipe is closed");
    assert_eq!(io_kind(&error), Some(io::ErrorKind::BrokenPipe));
    let made = made.load(Ordering::Relaxed);
    assert!(made < 3_000_000, "{made} rows were made for nobody");
}

#[test]
fn errors_of_paths_name_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none").join("x.arrow");
    let error = numbers(3).lazy().sink_ipc_file(&path, IpcSinkOptions::default()).expect_err("no folder");
    assert_eq!(io_kind(&error), Some(io::ErrorKind::NotFound));
    assert!(error.to_string().contains(path.to_str().expect("UTF-8")), "{error}");
    // A folder is in the way.
    let error =
        numbers(3).lazy().sink_ipc_file(folder.path(), IpcSinkOptions::default()).expect_err("a folder");
    assert!(io_kind(&error).is_some());
}

#[test]
fn panics_come_back_and_leave_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.arrow");
    let caught = |work: Box<dyn FnOnce() -> PolarsResult<WriteSummary>>| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).expect_err("a panic");
        floe_tests::run::panic_text(panic.as_ref()).to_owned()
    };
    let target = path.clone();
    let text = caught(Box::new(move || {
        let options = IpcSinkOptions::default().with_progress(|_| panic!("the callback's"));
        numbers(1000).lazy().sink_ipc_file(target, options)
    }));
    assert_eq!(text, "the callback's");
    let target = path.clone();
    let text = caught(Box::new(move || {
        let query = watched(numbers(1000), |_| panic!("the query's"));
        query.sink_ipc_file(target, IpcSinkOptions::default())
    }));
    assert!(text.contains("the query's"), "{text}");
    struct Panicking;
    impl Write for Panicking {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The schema is written, the first batch is not.
            assert!(bytes.len() < 1000, "the target's");
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let text = caught(Box::new(move || {
        numbers(100_000).lazy().sink_ipc_file(Box::new(Panicking), IpcSinkOptions::default())
    }));
    assert!(text.contains("the target's"), "{text}");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn an_iterator_whose_query_panicked_does_not_end_as_if_all_had_come() {
    let query = watched(numbers(100_000), |column| {
        assert!(column.len() < 10, "the query's");
        Ok(())
    });
    let mut batches = query.collect_ipc_batches(1000).expect("a query");
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| batches.by_ref().for_each(drop)))
        .expect_err("a panic");
    let error = batches.next().expect("an item").expect_err("an error");
    assert!(error.to_string().contains("not complete"), "{error}");
    assert!(batches.next().is_none());
}
