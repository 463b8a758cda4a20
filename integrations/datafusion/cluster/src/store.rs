//! An S3 server on the loopback: `s3s-fs` over a folder. It checks signatures.

use std::path::PathBuf;

use clap::Parser;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use crate::Result;

/// The options of `floe-cluster store`.
#[derive(Debug, Parser)]
struct Options {
    /// The folder whose folders are buckets.
    #[arg(long)]
    root: PathBuf,
    /// The port on the loopback.
    #[arg(long)]
    port: u16,
}

/// Serves until it is killed. The keys are those of the environment, as clients read them.
pub(crate) async fn serve(args: impl Iterator<Item = String>) -> Result<()> {
    let Options { root, port } = Options::parse_from(args);
    let (key, secret) = (std::env::var("AWS_ACCESS_KEY_ID")?, std::env::var("AWS_SECRET_ACCESS_KEY")?);
    let files = FileSystem::new(&root).map_err(|e| format!("{}: {e:?}", root.display()))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(key, secret));
    let service = service.build();
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        // A client that goes away is no concern of the server's.
        let Ok((socket, _)) = listener.accept().await else { continue };
        let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
        tokio::spawn(async move { drop(connection.await) });
    }
}
