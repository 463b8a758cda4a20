//! Tables in memory over Arrow Flight: put, got, exchanged, listed, and asked by SQL.
//!
//! `cargo run --release -p floe-flight --example flight_server -- 127.0.0.1:8815`
//!
//! `--token TOKEN` lets in only those who have it; `--login USER:PASSWORD` gives it to a user. `--tls CERTIFICATE:KEY` are
//! the paths of two PEM files. The server runs until its standard input ends or it is interrupted.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use floe_flight::*;
use futures_util::StreamExt;
use polars_core::prelude::*;
use polars_lazy::prelude::IntoLazy;

/// Tables by name.
#[derive(Default)]
struct Tables(Mutex<BTreeMap<String, DataFrame>>);

impl Tables {
    fn snapshot(&self) -> BTreeMap<String, DataFrame> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn table(&self, name: &str) -> FlightResult<DataFrame> {
        self.snapshot()
            .remove(name)
            .ok_or_else(|| FlightError::not_found(format!("there is no table {name}")))
    }

    /// The tables as they are now, for SQL.
    fn sql(&self) -> SqlService {
        self.snapshot().into_iter().fold(SqlService::new(), |sql, (name, df)| sql.register(name, df.lazy()))
    }
}

fn info_of(name: &str, df: &DataFrame) -> FrameInfo {
    FrameInfo::new(df.schema().clone())
        .with_descriptor(FlightDescriptor::of_path([name]))
        .with_ticket(Ticket::new(format!("table:{name}")))
        .with_rows(df.height() as u64)
}

impl FrameService for Tables {
    async fn list(&self, _criteria: Bytes) -> FlightResult<Vec<FrameInfo>> {
        Ok(self.snapshot().iter().map(|(name, df)| info_of(name, df)).collect())
    }

    async fn info(&self, descriptor: FlightDescriptor) -> FlightResult<FrameInfo> {
        if descriptor.path.is_empty() {
            // Commands are those of Flight SQL.
            return self.sql().info(descriptor).await;
        }
        let name = descriptor.path.join("/");
        Ok(info_of(&name, &self.table(&name)?))
    }

    async fn get(&self, ticket: Ticket) -> FlightResult<FrameStream> {
        match std::str::from_utf8(&ticket.ticket).ok().and_then(|text| text.strip_prefix("table:")) {
            Some(name) => frames_of(self.table(name)?.lazy()).await,
            None => self.sql().get(ticket).await,
        }
    }

    async fn put(&self, descriptor: FlightDescriptor, frames: FlightStream) -> FlightResult<PutResults> {
        let df = frames.collect().await?;
        let answer = format!("{} rows", df.height());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(descriptor.path.join("/"), df);
        Ok(put_results([answer]))
    }

    /// Sends back what comes, as it comes.
    async fn exchange(&self, _: FlightDescriptor, frames: FlightStream) -> FlightResult<FrameStream> {
        Ok(FrameStream::without_schema(frames.map(|frame| frame)))
    }

    async fn action(&self, action: Action) -> FlightResult<Vec<Bytes>> {
        match action.r#type.as_str() {
            "drop" => {
                let name = String::from_utf8_lossy(&action.body).into_owned();
                self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
                Ok(vec![Bytes::from(format!("dropped {name}"))])
            },
            _ => self.sql().action(action).await,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut server = FlightServer::new(Tables::default());
    let mut address = "127.0.0.1:0".to_owned();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--token", Some(token)) => server = server.with_token(token),
            ("--login", Some(login)) => {
                let (user, password) = login.split_once(':').ok_or("--login USER:PASSWORD")?;
                server = server.with_login(user, password);
            },
            ("--tls", Some(paths)) => {
                let (certificate, key) = paths.split_once(':').ok_or("--tls CERTIFICATE:KEY")?;
                server = server.with_tls(std::fs::read(certificate)?, std::fs::read(key)?);
            },
            (_, None) => address = arg,
            (other, Some(_)) => return Err(format!("{other}: not known; give the address last").into()),
        }
    }
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    // Standard input ends when the one who started this has gone.
    let gone = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    server.serve_until(listener, async { drop(gone.await) }).await?;
    Ok(())
}
