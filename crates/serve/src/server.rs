//! A router on a listener, until it is told to end.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How long open answers have after the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Serves a router until `shutdown` is ready. Requests that are being answered then have 5 seconds to end.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let catalog = floe_serve::Catalog::builder().build().map_err(std::io::Error::other)?;
/// let shutdown = async { /* a signal, or whatever ends it */ };
/// floe_serve::serve(listener, floe_serve::router(catalog), shutdown).await
/// # })
/// # }
/// ```
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let asked = Arc::new(Notify::new());
    let told = Arc::clone(&asked);
    let shutdown = async move {
        shutdown.await;
        tracing::info!("shutting down");
        told.notify_one();
    };
    // The last bytes of a batch are not held back for more to come.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!("no TCP_NODELAY: {error}");
        }
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown);
    let out_of_time = async {
        asked.notified().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = server => done,
        () = out_of_time => Ok(()),
    }
}
