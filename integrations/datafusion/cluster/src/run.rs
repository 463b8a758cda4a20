//! The ten queries by all engines, side by side.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::Result;
use crate::answers::Answer;
use crate::engines::Engine;
use crate::queries::{QUERIES, Query};

/// The options of `floe-cluster queries`.
#[derive(Debug, Parser)]
struct Options {
    /// The command `floe`, which answers by Polars.
    #[arg(long)]
    floe: PathBuf,
    /// The folder of the tables.
    #[arg(long)]
    data: PathBuf,
    /// The same tables in a store.
    #[arg(long)]
    bucket: String,
    /// The cluster's scheduler, as in `df://127.0.0.1:50050`.
    #[arg(long)]
    scheduler: String,
    /// How many rows of each answer are shown.
    #[arg(long, default_value_t = 1)]
    rows: usize,
}

/// Runs them; fails if any two answers differ.
pub(crate) async fn queries(args: impl Iterator<Item = String>) -> Result<ExitCode> {
    let Options { floe, data, bucket, scheduler, rows } = Options::parse_from(args);
    let folder = format!("{}/", data.display());
    let engines = [
        ("Polars with floe", Engine::Polars { floe, data }),
        ("DataFusion, folder", Engine::datafusion(&folder).await?),
        ("DataFusion, S3", Engine::datafusion(&bucket).await?),
        ("Ballista, folder", Engine::ballista(&scheduler, &folder).await?),
        ("Ballista, S3", Engine::ballista(&scheduler, &bucket).await?),
    ];
    let mut differ = 0;
    for (number, query) in (1..).zip(&QUERIES) {
        println!("{number:>2}  {}", query.name);
        if !is_answered_alike(&engines, query, rows).await {
            differ += 1;
        }
    }
    if differ > 0 {
        println!("{differ} of {} answers differ", QUERIES.len());
        return Ok(ExitCode::FAILURE);
    }
    println!("all {} answers are the same, of {} engines", QUERIES.len(), engines.len());
    Ok(ExitCode::SUCCESS)
}

async fn is_answered_alike(engines: &[(&str, Engine)], query: &Query, rows: usize) -> bool {
    let mut first: Option<Answer> = None;
    let mut alike = true;
    for (name, engine) in engines {
        let start = Instant::now();
        let answer = engine.answer(query).await;
        let seconds = start.elapsed().as_secs_f64();
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                println!("    {name:<20} FAILED  {error}");
                alike = false;
                continue;
            },
        };
        let is_like = first.as_ref().is_none_or(|first| first.is_like(&answer));
        let verdict = if is_like { "same" } else { "DIFFERS" };
        println!(
            "    {name:<20} {seconds:6.2} s  {:>3} rows  {verdict:<7}  {}",
            answer.0.len(),
            answer.row(0)
        );
        for row in 1..rows.min(answer.0.len()) {
            println!("    {:<48} {}", "", answer.row(row));
        }
        // An answer without rows would be alike for the wrong reason.
        alike &= is_like && !answer.0.is_empty();
        first.get_or_insert(answer);
    }
    alike
}
