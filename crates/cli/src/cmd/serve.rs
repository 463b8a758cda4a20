//! `floe serve`: tables over HTTP.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use floe_serve::{Catalog, Limits};
use tokio::net::TcpListener;

use crate::error::{Failure, Outcome, Result};
use crate::{signals, term};

/// Serve tables over HTTP: a page to look at and query them, answers as Arrow IPC streams
///
/// Files, folders and patterns are tables, and appear when the files do. The first line of standard output is the URL.
/// Only this machine can reach it, unless `--bind` names another address, which needs a token. SIGINT and SIGTERM end it
/// with exit code 0.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders and patterns
    paths: Vec<PathBuf>,
    /// The address to listen at; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    bind: String,
    /// Do not open the page in a browser
    #[arg(long)]
    no_open: bool,
    /// A secret that each request has to bring; by default the environment's FLOE_TOKEN, which others do not see
    #[arg(long)]
    token: Option<String>,
    /// Keep uploads in this folder, instead of a temporary one
    #[arg(long, value_name = "DIR")]
    upload_dir: Option<PathBuf>,
    /// The largest upload [default: 1 GiB]
    #[arg(long, value_name = "BYTES")]
    max_upload: Option<u64>,
    /// Seconds that a query may take [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    query_timeout: Option<Duration>,
    /// Queries that compute at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    max_queries: Option<usize>,
    /// Rows of one answer [default: no limit]
    #[arg(long, value_name = "N")]
    max_rows: Option<u64>,
    /// The origin whose pages may use the API from a browser, as in https://notebook.example
    #[arg(long, value_name = "ORIGIN")]
    cors: Option<String>,
    /// More in the log on standard error; RUST_LOG says exactly what
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// A folder whose files are the page
    #[arg(long, value_name = "DIR", hide = true)]
    web_dir: Option<PathBuf>,
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("it is a number of seconds above 0".into()),
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        log(self.verbose);
        let token = self.token.clone().or_else(|| std::env::var("FLOE_TOKEN").ok());
        let address = self.address()?;
        if !address.ip().is_loopback() && token.is_none() {
            return Err(Failure::new(format!(
                "--bind {}: others can reach this address, so it needs a token: --token, or FLOE_TOKEN in the environment",
                self.bind
            )));
        }
        let no_open = self.no_open;
        let bind = self.bind.clone();
        let catalog = self.catalog(token.clone(), address.ip().is_loopback())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("no threads for the server: {error}")))?;
        let served = runtime.block_on(async {
            let failed = |error: &std::io::Error| {
                Failure::new(format!("--bind {bind}: {}", crate::error::plain(error)))
            };
            let listener = TcpListener::bind(address).await.map_err(|error| failed(&error))?;
            let local = listener.local_addr().map_err(|error| failed(&error))?;
            let url = format!("http://{local}/");
            let page = match &token {
                Some(token) => format!("{url}?token={}", escaped(token)),
                None => url.clone(),
            };
            let mut out = std::io::stdout().lock();
            writeln!(out, "{url}").and_then(|()| out.flush())?;
            if !no_open && out.is_terminal() && open::that_detached(&page).is_err() {
                term::tell("floe: no browser could be opened: open the URL in one");
            }
            drop(out);
            let served = floe_serve::serve(listener, floe_serve::router(catalog.clone()), ended()).await;
            served.map_err(|error| failed(&error))
        });
        catalog.close();
        runtime.shutdown_timeout(Duration::from_secs(1));
        served.map(|()| Outcome::Good)
    }

    fn address(&self) -> Result<SocketAddr> {
        let failed = |text: String| Failure::new(format!("--bind {}: {text}", self.bind));
        let found = self.bind.to_socket_addrs();
        let mut found =
            found.map_err(|_| failed("it is no address and port, as in 127.0.0.1:8080".into()))?;
        found.next().ok_or_else(|| failed("there is no such address".into()))
    }

    fn catalog(self, token: Option<String>, is_loopback: bool) -> Result<Catalog> {
        let mut limits = Limits::default();
        limits.upload_bytes = self.max_upload.unwrap_or(limits.upload_bytes);
        limits.query_time = self.query_timeout.unwrap_or(limits.query_time);
        limits.concurrent_queries = self.max_queries.unwrap_or(limits.concurrent_queries);
        limits.rows = self.max_rows;
        let mut builder = Catalog::builder().limits(limits).local_hosts_only(is_loopback);
        for path in self.paths {
            builder = builder.path(path);
        }
        if let Some(token) = token {
            builder = builder.token(token);
        }
        if let Some(origin) = self.cors {
            builder = builder.cors_origin(origin);
        }
        if let Some(folder) = self.upload_dir {
            builder = builder.upload_folder(folder);
        }
        if let Some(folder) = self.web_dir {
            builder = builder.page_folder(folder);
        }
        Ok(builder.build()?)
    }
}

/// A token as a part of a URL.
fn escaped(token: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    token.bytes().map(escape).collect()
}

/// Warnings, and with `-v` each request.
fn log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "floe_serve=info,warn",
        _ => "floe_serve=debug,info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    // There may be one already, in a program that has set one up.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

/// Ready when a signal has come.
fn ended() -> impl Future<Output = ()> + Send + 'static {
    signals::be_gentle();
    async {
        while signals::came().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
