//! The engines: Polars in the `floe` command, DataFusion in this process, Ballista as a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ballista::prelude::SessionContextExt;
use ballista_core::extension::SessionConfigExt;
use ballista_core::object_store::{session_config_with_s3_support, session_state_with_s3_support};
use datafusion::prelude::SessionContext;
use tokio::process::Command;
use tokio::time::timeout;

use crate::Result;
use crate::answers::Answer;
use crate::nodes::{logical_codec, physical_codec};
use crate::queries::Query;
use crate::tables;

/// How long a query may take.
const QUERY_SECONDS: u64 = 120;
/// Partitions of a plan: more than one executor has.
const PARTITIONS: usize = 4;

pub(crate) enum Engine {
    Polars { floe: PathBuf, data: PathBuf },
    DataFusion(SessionContext),
}

impl Engine {
    /// DataFusion in this process, of tables below a URL.
    pub(crate) async fn datafusion(base: &str) -> Result<Self> {
        let config = session_config_with_s3_support().with_target_partitions(PARTITIONS);
        let ctx = SessionContext::new_with_state(session_state_with_s3_support(config)?);
        tables::register(&ctx, base).await?;
        Ok(Self::DataFusion(ctx))
    }

    /// A cluster by its scheduler, of tables below a URL.
    pub(crate) async fn ballista(scheduler: &str, base: &str) -> Result<Self> {
        let config = session_config_with_s3_support()
            .with_target_partitions(PARTITIONS)
            .with_ballista_logical_extension_codec(logical_codec())
            .with_ballista_physical_extension_codec(physical_codec());
        let state = session_state_with_s3_support(config)?;
        let ctx = SessionContext::remote_with_state(scheduler, state).await?;
        tables::register(&ctx, base).await?;
        Ok(Self::DataFusion(ctx))
    }

    /// The answer to a query.
    pub(crate) async fn answer(&self, query: &Query) -> Result<Answer> {
        let limit = Duration::from_secs(QUERY_SECONDS);
        match self {
            Self::Polars { floe, data } => {
                let sql =
                    query.with(|_, path| format!("'{}'", data.join(path.trim_end_matches('/')).display()));
                timeout(limit, polars(floe, &sql)).await?
            },
            Self::DataFusion(ctx) => {
                let sql = query.with(|table, _| table.to_owned());
                let collected = async { ctx.sql(&sql).await?.collect().await };
                Answer::of_batches(&timeout(limit, collected).await??)
            },
        }
    }
}

/// The answer of `floe sql`.
async fn polars(floe: &Path, sql: &str) -> Result<Answer> {
    let run = Command::new(floe).args(["sql", "--format", "ndjson", sql]).kill_on_drop(true).output().await;
    let output = run.map_err(|e| format!("{}: {e}", floe.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().into());
    }
    Answer::of_json_lines(std::str::from_utf8(&output.stdout)?)
}
