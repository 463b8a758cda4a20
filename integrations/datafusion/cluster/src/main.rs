//! Ballista's scheduler and executor with floe's codecs, and what the test of a whole cluster needs besides.
//!
//! | command | what it is |
//! |---|---|
//! | `scheduler`, `executor` | Ballista's own, with all their options, and floe's files and streams |
//! | `store` | an S3 server on the loopback over a folder, in which each bucket is a folder |
//! | `lineitem` | the line items of TPC-H as a file |
//! | `queries` | ten queries, answered by Polars, DataFusion and a cluster, side by side |
//! | `bytes` | requests and bytes beside DataFusion's own Arrow source |

mod answers;
mod bytes;
mod counting;
mod engines;
mod lineitem;
mod nodes;
mod queries;
mod run;
mod store;
mod tables;

use std::process::ExitCode;

/// A command's result. Its error is printed.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const USAGE: &str = "floe-cluster scheduler|executor|store|lineitem|queries|bytes ...";

/// The stack of a thread: plans are walked by recursion.
const STACK_BYTES: usize = 32 << 20;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let args: Vec<String> = args.collect();
    // The futures are too large for this thread's stack.
    let done = runtime.block_on(async { tokio::spawn(run(command, args)).await });
    match done {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => failed(&*error),
        Err(error) => failed(&error),
    }
}

async fn run(command: String, args: Vec<String>) -> Result<ExitCode> {
    let all = std::iter::once(command.clone()).chain(args);
    match command.as_str() {
        "scheduler" => nodes::scheduler(all).await?,
        "executor" => nodes::executor(all).await?,
        "store" => store::serve(all).await?,
        "lineitem" => lineitem::write(all)?,
        "queries" => return run::queries(all).await,
        "bytes" => bytes::table(all).await?,
        _ => return Err(USAGE.into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(error: &(dyn std::error::Error + Send + Sync)) -> ExitCode {
    eprintln!("floe-cluster: {error}");
    ExitCode::FAILURE
}
