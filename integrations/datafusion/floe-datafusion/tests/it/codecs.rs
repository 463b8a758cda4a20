//! Plans that went through bytes, as between the processes of a cluster: they answer what they answered before.

use std::sync::Arc;

use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionConfig;
use datafusion_proto::bytes::{
    logical_plan_from_bytes_with_extension_codec, logical_plan_to_bytes_with_extension_codec,
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use floe::IpcLimits;
use floe_datafusion::{FloeLogicalCodec, FloeOptions, FloePhysicalCodec, FloeSource};

use crate::support::{Session, file, metric, ordered, stream, text};

const QUERIES: [&str; 6] = [
    "SELECT category, year, count(*), sum(n) FROM t GROUP BY category, year ORDER BY category, year",
    "SELECT n, text FROM t WHERE n > 1990 AND category = 'category 5' ORDER BY n",
    "SELECT count(*) FROM t",
    "SELECT max(n) FROM t WHERE year = '2013'",
    "SELECT n + 1 AS m FROM t WHERE n < 3 ORDER BY m LIMIT 4",
    "SELECT a.category, count(*) FROM t AS a JOIN t AS b ON a.n = b.n WHERE b.n < 50 GROUP BY a.category ORDER BY 1",
];

async fn session() -> Session {
    let session = Session::with(SessionConfig::new().with_target_partitions(3));
    session.put("t/year=2012/a.arrow", file(&ordered(2000), 250)).await;
    session.put("t/year=2013/b.arrow", stream(&ordered(1500), 250)).await;
    session.table("t/").await.unwrap();
    session
}

/// A physical plan, sent and received.
fn sent(session: &Session, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let codec = FloePhysicalCodec::default();
    let bytes = physical_plan_to_bytes_with_extension_codec(plan, &codec).unwrap();
    physical_plan_from_bytes_with_extension_codec(&bytes, &session.ctx.task_ctx(), &codec).unwrap()
}

#[tokio::test]
async fn physical_plans_round_trip() {
    let session = session().await;
    for sql in QUERIES {
        let plan = session.ctx.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let received = sent(&session, Arc::clone(&plan));
        let before = text(&collect(plan, session.ctx.task_ctx()).await.unwrap());
        let after = text(&collect(received, session.ctx.task_ctx()).await.unwrap());
        assert!(!before.is_empty());
        assert_eq!(before, after, "{sql}");
    }
}

#[tokio::test]
async fn logical_plans_round_trip() {
    let session = session().await;
    let codec = FloeLogicalCodec::default();
    for sql in QUERIES {
        let frame = session.ctx.sql(sql).await.unwrap();
        let plan = frame.logical_plan().clone();
        let bytes = logical_plan_to_bytes_with_extension_codec(&plan, &codec).unwrap();
        let received =
            logical_plan_from_bytes_with_extension_codec(&bytes, &session.ctx.task_ctx(), &codec).unwrap();
        let received = session.ctx.execute_logical_plan(received).await.unwrap();
        let after = text(&received.collect().await.unwrap());
        assert_eq!(text(&frame.collect().await.unwrap()), after, "{sql}");
    }
}

/// The received scan leaves out the same batches.
#[tokio::test]
async fn filters_are_sent_along() {
    let session = Session::of(file(&ordered(2000), 200)).await;
    let sql = "SELECT count(noise) FROM t WHERE n >= 1500 AND n < 1700";
    let plan = session.ctx.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let received = sent(&session, plan);
    let answer = text(&collect(Arc::clone(&received), session.ctx.task_ctx()).await.unwrap());
    assert_eq!((answer.as_str(), metric(&received, "batches_read")), ("200", 2));
}

#[tokio::test]
async fn options_are_sent_along() {
    let limits = IpcLimits { max_total_bytes: 12_345_678, max_buffers: 77_777, ..IpcLimits::default() };
    let options =
        FloeOptions { statistics: false, tail_bytes: 4096, gap_bytes: 1, limits, ..FloeOptions::default() };
    let session = Session::new();
    session.put("t.arrow", file(&ordered(100), 20)).await;
    session.table_with("t.arrow", options.clone()).await.unwrap();
    let plan = session.ctx.sql("SELECT n FROM t").await.unwrap().create_physical_plan().await.unwrap();
    let received = sent(&session, plan);
    let source = format!("{:?}", source(&received).expect("a scan of floe's"));
    assert!(source.contains(&format!("{options:?}")), "{source}");
}

fn source(plan: &Arc<dyn ExecutionPlan>) -> Option<FloeSource> {
    use datafusion::datasource::source::DataSourceExec;
    let scan = plan.downcast_ref::<DataSourceExec>();
    let own =
        scan.and_then(|scan| scan.downcast_to_file_source::<FloeSource>()).map(|(_, source)| source.clone());
    own.or_else(|| plan.children().into_iter().find_map(source))
}

#[tokio::test]
async fn malformed_plans_are_errors() {
    use datafusion_proto::physical_plan::{DefaultPhysicalProtoConverter, PhysicalExtensionCodec};
    let session = Session::new();
    let ctx = session.ctx.task_ctx();
    let codec = FloePhysicalCodec::default();
    for bytes in [&b""[..], b"floe1\n", b"floe1\n\xff\xff", b"something else"] {
        assert!(codec.try_decode(bytes, &[], &ctx, &DefaultPhysicalProtoConverter {}).is_err(), "{bytes:?}");
    }
}
