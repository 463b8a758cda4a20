//! Objects in memory, and queries of them.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use floe::prelude::*;
use floe_datafusion::{FloeOptions, FloeTable};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use polars_core::prelude::*;
use url::Url;

use crate::counting::{Counting, Counts};

/// A session with a store in memory, at `mem://it`.
pub(crate) struct Session {
    pub(crate) ctx: SessionContext,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) counts: Arc<Counts>,
}

impl Session {
    pub(crate) fn new() -> Self {
        // One partition: counts do not depend on the machine.
        Self::with(SessionConfig::new().with_target_partitions(1))
    }

    pub(crate) fn with(config: SessionConfig) -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (counting, counts) = Counting::new(Arc::clone(&store));
        let ctx = SessionContext::new_with_config(config);
        ctx.register_object_store(&Url::parse("mem://it").unwrap(), counting);
        Self { ctx, store, counts }
    }

    pub(crate) async fn put(&self, path: &str, bytes: Vec<u8>) {
        self.store.put(&Path::from(path), bytes.into()).await.unwrap();
    }

    /// A table `t` of what is at a path.
    pub(crate) async fn table(&self, path: &str) -> Result<()> {
        self.table_with(path, FloeOptions::default()).await
    }

    pub(crate) async fn table_with(&self, path: &str, options: FloeOptions) -> Result<()> {
        let table = FloeTable::open(&self.ctx.state(), &format!("mem://it/{path}"), options).await?;
        self.ctx.deregister_table("t")?;
        self.ctx.register_table("t", Arc::new(table))?;
        Ok(())
    }

    /// A session with one object, as table `t`.
    pub(crate) async fn of(bytes: Vec<u8>) -> Self {
        let session = Self::new();
        session.put("t.arrow", bytes).await;
        session.table("t.arrow").await.unwrap();
        session
    }

    pub(crate) async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        self.ctx.sql(sql).await?.collect().await
    }

    /// The answer as text: a row a line, cells with a space between.
    pub(crate) async fn text(&self, sql: &str) -> String {
        text(&self.query(sql).await.unwrap())
    }

    /// The plan and its answer.
    pub(crate) async fn run(&self, sql: &str) -> (Arc<dyn ExecutionPlan>, String) {
        let plan = self.ctx.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let batches = collect(Arc::clone(&plan), self.ctx.task_ctx()).await.unwrap();
        (plan, text(&batches))
    }

    /// Requests for bytes, and the bytes, since the last call.
    pub(crate) fn take_counts(&self) -> (u64, u64) {
        use std::sync::atomic::Ordering::Relaxed;
        (self.counts.requests.swap(0, Relaxed), self.counts.bytes.swap(0, Relaxed))
    }
}

pub(crate) fn text(batches: &[RecordBatch]) -> String {
    let options = FormatOptions::default().with_null("null");
    let mut lines = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap());
        let columns: Vec<ArrayFormatter<'_>> = columns.collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            lines.push(cells.join(" "));
        }
    }
    lines.join("\n")
}

/// The sum of a metric over the nodes of a plan.
pub(crate) fn metric(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let own =
        plan.metrics().and_then(|metrics| metrics.sum_by_name(name)).map_or(0, |value| value.as_usize());
    own + plan.children().into_iter().map(|child| metric(child, name)).sum::<usize>()
}

/// A frame as a file, with statistics.
pub(crate) fn file(df: &DataFrame, batch_rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = IpcWriter::new(&mut bytes).with_record_batch_size(Some(batch_rows)).with_statistics(true);
    writer.with_compression(Some(IpcCompression::LZ4)).finish(&mut df.clone()).unwrap();
    bytes
}

/// A frame as a stream.
pub(crate) fn stream(df: &DataFrame, batch_rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(batch_rows));
    writer.with_compression(Some(IpcCompression::ZSTD(Default::default()))).finish(&mut df.clone()).unwrap();
    bytes
}

pub(crate) fn frame(columns: Vec<Column>) -> DataFrame {
    DataFrame::new(columns[0].len(), columns).unwrap()
}

/// A thousand rows in order: `n`, `text`, `category` of ten values, and `noise` that is large.
pub(crate) fn ordered(rows: i64) -> DataFrame {
    let text = |n: i64| format!("text {n:06}");
    let noise = |n: i64| {
        let words = (0..20).map(|i| {
            format!(
                "{:016x}",
                ((n * 20 + i) as u64)
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                    .rotate_left(29)
                    .wrapping_mul(0xD6E8_FEB8_6659_FD93)
            )
        });
        words.collect::<String>()
    };
    let category = |n: i64| format!("category {}", n % 10);
    frame(vec![
        Column::new("n".into(), (0..rows).collect::<Vec<i64>>()),
        Column::new("text".into(), (0..rows).map(text).collect::<Vec<String>>()),
        Column::new("category".into(), (0..rows).map(category).collect::<Vec<String>>())
            .cast(&categorical())
            .unwrap(),
        Column::new("noise".into(), (0..rows).map(noise).collect::<Vec<String>>()),
    ])
}

pub(crate) fn categorical() -> DataType {
    DataType::from_categories(Categories::global())
}
