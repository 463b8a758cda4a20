//! Folders: keys as columns, files that differ, tables by SQL.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use floe::prelude::*;
use floe_datafusion::FloeTableFactory;
use polars_core::prelude::*;

use crate::support::{Session, file, frame, metric, text};

fn numbers(values: &[i64]) -> DataFrame {
    frame(vec![Column::new("n".into(), values)])
}

#[tokio::test]
async fn keys_of_folders_are_columns() {
    let session = Session::new();
    session.put("t/year=2012/a.arrow", file(&numbers(&[1, 2]), 10)).await;
    session.put("t/year=2013/a.arrow", file(&numbers(&[3]), 10)).await;
    session.put("t/year=2013/b.arrow", file(&numbers(&[4, 5]), 10)).await;
    session.table("t/").await.unwrap();
    let grouped = session.text("SELECT year, count(*), sum(n) FROM t GROUP BY year ORDER BY year").await;
    assert_eq!(grouped, "2012 2 3\n2013 3 12");
    // Text, since these files do not say the type.
    let (plan, answer) = session.run("SELECT n FROM t WHERE year = '2012' ORDER BY n").await;
    assert_eq!((answer.as_str(), metric(&plan, "batches_read")), ("1\n2", 1));
    assert_eq!(session.text("SELECT count(*) FROM t").await, "5");
}

/// As floe's partitioned sinks write it: the types of the keys are in the schema's metadata.
#[tokio::test]
async fn keys_have_the_types_that_the_files_say() {
    let keys = frame(vec![Column::new("year".into(), Vec::<i32>::new())]);
    let mut stream = Vec::new();
    IpcStreamWriter::new(&mut stream).batched(keys.schema()).unwrap().finish().unwrap();
    let hex: String = stream.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::new(Metadata::from([("floe.hive_schema".into(), hex.into())])));
    writer.finish(&mut numbers(&[1, 2])).unwrap();
    let session = Session::new();
    session.put("t/year=2012/a.arrow", bytes.clone()).await;
    session.put("t/year=2013/a.arrow", bytes).await;
    session.table("t/").await.unwrap();
    assert_eq!(session.text("SELECT sum(year + 1), max(year) FROM t WHERE year > 2012").await, "4028 2013");
}

#[tokio::test]
async fn files_that_lack_columns_or_have_others() {
    let session = Session::new();
    let wide = frame(vec![Column::new("n".into(), [1i64]), Column::new("s".into(), ["x"])]);
    session.put("t/a.arrow", file(&wide, 10)).await;
    session.put("t/b.arrow", file(&numbers(&[2]), 10)).await;
    session.table("t/").await.unwrap();
    assert_eq!(session.text("SELECT n, s FROM t ORDER BY n").await, "1 x\n2 null");
    assert_eq!(session.text("SELECT count(*), count(s) FROM t").await, "2 1");
    // Another session: DataFusion keeps the lists of folders.
    let session = Session::new();
    session.put("t/a.arrow", file(&wide, 10)).await;
    session.put("t/c.arrow", file(&frame(vec![Column::new("n".into(), ["text"])]), 10)).await;
    let error = session.table("t/").await.unwrap_err().to_string();
    assert!(error.contains("'n'"), "{error}");
}

#[tokio::test]
async fn tables_by_sql() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.arrow"), file(&numbers(&[1, 2, 3]), 10)).unwrap();
    std::fs::write(folder.path().join("b.arrows"), file(&numbers(&[10]), 10)).unwrap();
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_table_factory("FLOE".into(), Arc::new(FloeTableFactory))
        .build();
    let ctx = SessionContext::new_with_state(state);
    let url = folder.path().display();
    let create = |options: &str| {
        format!("CREATE OR REPLACE EXTERNAL TABLE t STORED AS FLOE LOCATION '{url}/' {options}")
    };
    for (options, sum) in [("", "6"), ("OPTIONS (extension '.arrows', statistics 'false')", "10")] {
        ctx.sql(&create(options)).await.unwrap().collect().await.unwrap();
        let batches = ctx.sql("SELECT sum(n) FROM t").await.unwrap().collect().await.unwrap();
        assert_eq!(text(&batches), sum);
    }
    let refused = ["OPTIONS (colour 'red')", "OPTIONS (statistics 'perhaps')"];
    for options in refused {
        assert!(ctx.sql(&create(options)).await.is_err(), "{options}");
    }
}

#[tokio::test]
async fn nothing_is_no_table() {
    let session = Session::new();
    let error = session.table("t/").await.unwrap_err().to_string();
    assert!(error.contains("No files found"), "{error}");
}
