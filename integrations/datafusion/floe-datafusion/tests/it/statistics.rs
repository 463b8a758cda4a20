//! Bounds: exact ones and estimates, and that no row is lost by them.

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType as ArrowType, Field, Schema};
use datafusion::arrow::ipc::writer::{FileWriter, StreamWriter};
use floe_datafusion::FloeOptions;
use polars_core::prelude::*;

use crate::support::{Session, file, frame, metric};

#[tokio::test]
async fn floats_with_nan_and_both_zeros() {
    let values = [0.0, 1.0, 0.0, f64::NAN, -0.0, 0.0, -1.0, 5.0];
    let session = Session::of(file(&frame(vec![Column::new("x".into(), values)]), 2)).await;
    assert_eq!(session.text("SELECT min(x) FROM t WHERE x < 4").await, "-1.0");
    assert_eq!(session.text("SELECT count(*) FROM t WHERE x = 0").await, "4");
    // The statistics have one zero, and DataFusion may have two.
    let zeros = frame(vec![Column::new("x".into(), [-0.0, 0.0]), Column::new("y".into(), [1i64, 2])]);
    let (with, without) = (Session::of(file(&zeros, 1)).await, Session::new());
    without.put("t.arrow", file(&zeros, 1)).await;
    without.table_with("t.arrow", FloeOptions { statistics: false, ..FloeOptions::default() }).await.unwrap();
    for filter in
        ["x < 0.0", "x <= 0.0", "x = 0.0", "x > -0.0", "x >= -0.0", "x = -0.0", "x <> 0.0", "x < -0.0"]
    {
        let sql = format!("SELECT count(y), sum(y) FROM t WHERE {filter}");
        assert_eq!(with.text(&sql).await, without.text(&sql).await, "{filter}");
    }
    let bounds = "SELECT min(x), max(x) FROM t";
    assert_eq!(with.text(bounds).await, without.text(bounds).await);
}

#[tokio::test]
async fn long_text_has_bounds_that_are_no_values() {
    let (a, z) = ("a".repeat(100), "z".repeat(100));
    let df = frame(vec![
        Column::new("s".into(), [a.as_str(), "m", z.as_str()]),
        Column::new("n".into(), [1i64, 2, 3]),
    ]);
    let session = Session::of(file(&df, 1)).await;
    assert_eq!(session.text("SELECT min(s), max(s) FROM t").await, format!("{a} {z}"));
    let (plan, answer) = session.run(&format!("SELECT n FROM t WHERE s = '{z}'")).await;
    assert_eq!((answer.as_str(), metric(&plan, "batches_read")), ("3", 1));
    // The largest text whose bound is one that is shorter than what is kept.
    let top = format!("a{}", "\u{10ffff}".repeat(20));
    let session = Session::of(file(&frame(vec![Column::new("s".into(), [top.as_str()])]), 1)).await;
    assert_eq!(session.text("SELECT max(s), min(s) FROM t").await, format!("{top} {top}"));
}

#[tokio::test]
async fn batches_of_nulls() {
    let values = [None, None, Some(3i64), Some(4), None, Some(9)];
    let session = Session::of(file(&frame(vec![Column::new("x".into(), values)]), 2)).await;
    session.take_counts();
    assert_eq!(session.text("SELECT min(x), max(x), count(x), count(*) FROM t").await, "3 9 3 6");
    assert_eq!(session.take_counts().0, 0, "all of it is in the footer");
    let (plan, answer) = session.run("SELECT count(*) FROM t WHERE x IS NULL").await;
    assert_eq!((answer.as_str(), metric(&plan, "batches_read")), ("3", 2));
    let (plan, answer) = session.run("SELECT x FROM t WHERE x IS NOT NULL ORDER BY x").await;
    assert_eq!((answer.as_str(), metric(&plan, "batches_read")), ("3\n4\n9", 2));
}

#[tokio::test]
async fn every_type_with_bounds_answers_and_prunes() {
    let n = Column::new("n".into(), [1i64, 2, 3, 4]);
    for dtype in [
        DataType::Int8,
        DataType::UInt64,
        DataType::Int128,
        DataType::Float32,
        DataType::Decimal(10, 2),
        DataType::Date,
        DataType::Datetime(TimeUnit::Milliseconds, None),
        DataType::Duration(TimeUnit::Microseconds),
        DataType::Time,
        DataType::String,
    ] {
        let cast = match dtype {
            DataType::Date => n.cast(&DataType::Int32).unwrap().cast(&dtype).unwrap(),
            _ => n.cast(&dtype).unwrap(),
        };
        let df = frame(vec![cast.with_name("x".into()), n.clone()]);
        let session = Session::of(file(&df, 2)).await;
        session.take_counts();
        let bounds = session.text("SELECT min(x), max(x) FROM t").await;
        let is_metadata = session.take_counts().0 == 0;
        // The bound of text may be one above it.
        assert_eq!(is_metadata, dtype != DataType::String, "{dtype}");
        let sorted = session.text("SELECT x FROM t ORDER BY x").await;
        let (first, last) = (sorted.lines().next().unwrap(), sorted.lines().last().unwrap());
        assert_eq!(bounds, format!("{first} {last}"), "{dtype}");
        let (plan, answer) = session.run("SELECT n FROM t WHERE x = (SELECT max(x) FROM t)").await;
        assert_eq!(answer, "4", "{dtype}");
        assert!(metric(&plan, "batches_read") >= 1, "{dtype}");
    }
}

/// Files of arrow-rs, which have no statistics and no cumulative rows.
#[tokio::test]
async fn files_of_other_writers() {
    let schema =
        Schema::new(vec![Field::new("a", ArrowType::Int64, false), Field::new("b", ArrowType::Int64, true)]);
    let batch = |a: Vec<i64>, b: Vec<Option<i64>>| {
        let columns: Vec<datafusion::arrow::array::ArrayRef> =
            vec![std::sync::Arc::new(Int64Array::from(a)), std::sync::Arc::new(Int64Array::from(b))];
        RecordBatch::try_new(std::sync::Arc::new(schema.clone()), columns).unwrap()
    };
    let batches = [batch(vec![1, 2], vec![None, Some(5)]), batch(vec![3], vec![Some(7)])];
    let (mut file, mut stream) = (Vec::new(), Vec::new());
    let mut files = FileWriter::try_new(&mut file, &schema).unwrap();
    let mut streams = StreamWriter::try_new(&mut stream, &schema).unwrap();
    for batch in &batches {
        files.write(batch).unwrap();
        streams.write(batch).unwrap();
    }
    files.finish().unwrap();
    streams.finish().unwrap();
    drop((files, streams));
    for bytes in [file, stream] {
        let session = Session::of(bytes).await;
        assert_eq!(session.text("SELECT count(*), sum(a), count(b), max(b) FROM t").await, "3 6 2 7");
        assert_eq!(session.text("SELECT a FROM t WHERE b > 5").await, "3");
    }
}
