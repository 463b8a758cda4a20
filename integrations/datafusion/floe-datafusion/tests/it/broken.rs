//! Input that is cut off, changed, or something else: errors that name the object, and no panic.

use polars_core::prelude::*;

use crate::support::{Session, file, frame, ordered, stream};

/// The answer to a query of these bytes, or the error of the stage that failed.
async fn outcome(bytes: Vec<u8>) -> Result<String, String> {
    let session = Session::new();
    session.put("t.arrow", bytes).await;
    session.table("t.arrow").await.map_err(|e| e.to_string())?;
    let batches = session.query("SELECT count(text), sum(n), min(category) FROM t").await;
    batches.map(|batches| crate::support::text(&batches)).map_err(|e| e.to_string())
}

#[tokio::test]
async fn what_is_cut_off_is_an_error() {
    let df = ordered(300).drop("noise").unwrap();
    for bytes in [file(&df, 100), stream(&df, 100)] {
        let whole = outcome(bytes.clone()).await.unwrap();
        assert_eq!(whole, "300 44850 category 0");
        // Streams may end between two messages.
        let lens = (1..bytes.len()).step_by(bytes.len() / 60).chain([bytes.len() - 9, bytes.len() - 1]);
        for len in lens {
            match outcome(bytes[..len].to_vec()).await {
                Ok(answer) => assert_ne!(answer, "", "{len} bytes"),
                Err(error) => assert!(error.contains("t.arrow"), "{len} bytes: {error}"),
            }
        }
    }
    let mut file = file(&df, 100);
    file.truncate(file.len() - 20);
    let error = outcome(file).await.unwrap_err();
    assert!(error.contains("t.arrow"), "{error}");
}

#[tokio::test]
async fn changed_bytes_are_no_panic() {
    let df = ordered(200).drop("noise").unwrap();
    for bytes in [file(&df, 100), stream(&df, 100)] {
        let mut errors = 0;
        // Heads and the footer at every few bytes, and the bodies in between here and there.
        let (len, body) = (bytes.len(), bytes.len() / 100);
        let places = (0..1200)
            .step_by(23)
            .chain((1200..len - 1200).step_by(body))
            .chain((len - 1200..len).step_by(23));
        for at in places {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            errors += usize::from(outcome(changed).await.is_err());
        }
        assert!(errors > 10, "{errors} errors");
    }
}

#[tokio::test]
async fn something_else_is_an_error() {
    for bytes in [
        &b"PAR1 is another format PAR1"[..],
        b"a,b\n1,2\n",
        b"ARROW1",
        b"ARROW1\0\0ARROW1",
        &[0; 64],
        &[0xff; 64],
    ] {
        let error = outcome(bytes.to_vec()).await.unwrap_err();
        assert!(error.contains("t.arrow"), "{error}");
    }
}

#[tokio::test]
async fn an_object_that_changes_after_planning_is_an_error() {
    let session = Session::of(file(&ordered(300), 100)).await;
    let plan = session.ctx.sql("SELECT sum(n) FROM t").await.unwrap().create_physical_plan().await.unwrap();
    session.put("t.arrow", file(&ordered(301), 100)).await;
    let error =
        datafusion::physical_plan::collect(plan, session.ctx.task_ctx()).await.unwrap_err().to_string();
    assert!(error.contains("t.arrow"), "{error}");
}

/// A column that only some types of the table can take.
#[tokio::test]
async fn values_that_do_not_fit_the_table_are_an_error() {
    let session = Session::new();
    session.put("t.arrow", file(&frame(vec![Column::new("n".into(), [1i64])]), 10)).await;
    session.table("t.arrow").await.unwrap();
    assert_eq!(session.text("SELECT CAST(n AS TINYINT) FROM t").await, "1");
    assert!(session.query("SELECT missing FROM t").await.is_err());
}
