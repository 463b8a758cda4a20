//! Ballista's processes, with floe's codecs. They differ from Ballista's own binaries in the lines that name a codec.

use std::sync::Arc;

use ballista_core::object_store::{
    runtime_env_with_s3_support, session_config_with_s3_support, session_state_with_s3_support,
};
use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use clap::Parser;
use floe_datafusion::{FloeLogicalCodec, FloePhysicalCodec};
use tracing_subscriber::EnvFilter;

use crate::Result;

/// Tables, as a client sends them.
pub(crate) fn logical_codec() -> Arc<FloeLogicalCodec> {
    Arc::new(FloeLogicalCodec::new(Arc::new(BallistaLogicalExtensionCodec::default())))
}

/// Scans, as the scheduler sends them.
pub(crate) fn physical_codec() -> Arc<FloePhysicalCodec> {
    Arc::new(FloePhysicalCodec::new(Arc::new(BallistaPhysicalExtensionCodec::default())))
}

fn log(level: &str) {
    let filter = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| level.to_owned());
    tracing_subscriber::fmt().with_ansi(false).with_env_filter(EnvFilter::new(filter)).init();
}

/// The scheduler.
pub(crate) async fn scheduler(args: impl Iterator<Item = String>) -> Result<()> {
    let options = ballista_scheduler::config::Config::parse_from(args);
    log(&options.log_level_setting);
    let address = format!("{}:{}", options.bind_host, options.bind_port).parse()?;
    let mut config: SchedulerConfig = options.try_into()?;
    config.override_logical_codec = Some(logical_codec());
    config.override_physical_codec = Some(physical_codec());
    let config = config
        .with_override_config_producer(Arc::new(session_config_with_s3_support))
        .with_override_session_builder(Arc::new(session_state_with_s3_support));
    let cluster = BallistaCluster::new_from_config(&config).await?;
    Ok(start_server(cluster, address, Arc::new(config)).await?)
}

/// An executor.
pub(crate) async fn executor(args: impl Iterator<Item = String>) -> Result<()> {
    let options = ballista_executor::config::Config::parse_from(args);
    let mut config: ExecutorProcessConfig = options.try_into()?;
    log(&config.special_mod_log_level);
    config.override_logical_codec = Some(logical_codec());
    config.override_physical_codec = Some(physical_codec());
    config.override_config_producer = Some(Arc::new(session_config_with_s3_support));
    config.override_runtime_producer = Some(Arc::new(runtime_env_with_s3_support));
    Ok(start_executor_process(Arc::new(config)).await?)
}
