//! A server for a [`FrameService`].

use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use floe::IpcLimits;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
#[cfg(feature = "tls")]
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::auth::Access;
use crate::ending::FlightGrpc;
#[cfg(feature = "tls")]
use crate::error::FlightError;
use crate::error::FlightResult;
use crate::handler::FlightHandler;
use crate::options::FlightOptions;
use crate::protocol::flight_service_server::FlightServiceServer;
use crate::service::FrameService;

/// Bytes of a message that is received, at most: pyarrow sends a record batch as it is.
pub(crate) const MAX_RECEIVED_BYTES: usize = 256 << 20;
/// Bytes that HTTP/2 sends before the other side has to say that it took them: two messages.
pub(crate) const WINDOW_BYTES: u32 = 4 << 20;

/// How long a connection may be silent before the other side is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Serves a [`FrameService`] over Flight.
///
/// ```no_run
/// use floe_flight::{FlightResult, FlightServer, FrameService};
/// # struct Tables;
/// # impl FrameService for Tables {}
///
/// # async fn example() -> FlightResult<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8815").await?;
/// FlightServer::new(Tables).with_token("secret").serve(listener).await?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct FlightServer<S> {
    service: Arc<S>,
    options: FlightOptions,
    limits: IpcLimits,
    access: Access,
    max_received_bytes: usize,
    #[cfg(feature = "tls")]
    identity: Option<Identity>,
    /// Who signs the certificates of clients.
    #[cfg(feature = "tls")]
    client_ca: Option<Certificate>,
}

impl<S: FrameService> FlightServer<S> {
    /// A server without TLS, that answers everybody.
    ///
    /// See [`FlightServer`] for an example.
    pub fn new(service: S) -> Self {
        Self {
            service: Arc::new(service),
            options: FlightOptions::default(),
            limits: IpcLimits::default(),
            access: Access::default(),
            max_received_bytes: MAX_RECEIVED_BYTES,
            #[cfg(feature = "tls")]
            identity: None,
            #[cfg(feature = "tls")]
            client_ca: None,
        }
    }

    /// How frames are sent.
    ///
    /// ```
    /// # use floe_flight::{FlightServer, FrameService};
    /// # struct Tables;
    /// # impl FrameService for Tables {}
    /// use floe::prelude::IpcCompression;
    /// use floe_flight::FlightOptions;
    ///
    /// let options = FlightOptions::new().with_compression(Some(IpcCompression::LZ4));
    /// let server = FlightServer::new(Tables).with_options(options);
    /// # let _ = server;
    /// ```
    pub fn with_options(mut self, options: FlightOptions) -> Self {
        self.options = options;
        self
    }

    /// Caps on what frames that are received may claim.
    ///
    /// ```
    /// # use floe_flight::{FlightServer, FrameService};
    /// # struct Tables;
    /// # impl FrameService for Tables {}
    /// let mut limits = floe::IpcLimits::default();
    /// limits.max_total_bytes = 1 << 30;
    /// let server = FlightServer::new(Tables).with_limits(limits);
    /// # let _ = server;
    /// ```
    pub fn with_limits(mut self, limits: IpcLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Bytes of a message that is received, at most. Defaults to 256 MiB. A longer one is refused before it is read.
    ///
    /// ```
    /// # use floe_flight::{FlightServer, FrameService};
    /// # struct Tables;
    /// # impl FrameService for Tables {}
    /// let server = FlightServer::new(Tables).with_max_received_bytes(16 << 20);
    /// # let _ = server;
    /// ```
    pub fn with_max_received_bytes(mut self, bytes: usize) -> Self {
        self.max_received_bytes = bytes;
        self
    }

    /// Answers only calls that bring this token: `authorization: Bearer <token>`. Without TLS it is sent as it is.
    ///
    /// See [`FlightServer`] for an example.
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.access.set_token(token.into());
        self
    }

    /// Gives the token to this user, too: by the handshake of pyarrow's `authenticate_basic_token` and of ADBC. May be
    /// called for each user.
    ///
    /// ```
    /// # use floe_flight::{FlightServer, FrameService};
    /// # struct Tables;
    /// # impl FrameService for Tables {}
    /// let server = FlightServer::new(Tables).with_token("secret").with_login("ada", "password");
    /// # let _ = server;
    /// ```
    pub fn with_login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.access.add_user(user.into(), password.into());
        self
    }

    /// Speaks TLS, with this certificate (the chain) and its key, both as PEM.
    ///
    /// ```
    /// # use floe_flight::{FlightServer, FrameService};
    /// # struct Tables;
    /// # impl FrameService for Tables {}
    /// # fn example(certificate: &str, key: &str) {
    /// let server = FlightServer::new(Tables).with_tls(certificate, key);
    /// # let _ = server;
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.identity = Some(Identity::from_pem(certificate, key));
        self
    }

    /// Wants a certificate of each client, that this authority (PEM) has signed. Needs [`with_tls`](Self::with_tls), too.
    ///
    /// ```
    /// # use floe_flight::{FlightServer, FrameService};
    /// # struct Tables;
    /// # impl FrameService for Tables {}
    /// # fn example(certificate: &str, key: &str, authority: &str) {
    /// let server = FlightServer::new(Tables).with_tls(certificate, key).with_client_ca(authority);
    /// # let _ = server;
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn with_client_ca(mut self, authority: impl AsRef<[u8]>) -> Self {
        self.client_ca = Some(Certificate::from_pem(authority));
        self
    }

    /// Serves until the listener fails.
    ///
    /// See [`FlightServer`] for an example.
    ///
    /// # Errors
    /// When the settings contradict each other, the certificate is not valid, or the listener fails.
    pub async fn serve(self, listener: TcpListener) -> FlightResult<()> {
        self.serve_until(listener, pending()).await
    }

    /// Serves until the signal comes, and then until the calls that are running have ended.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightResult, FlightServer, FrameService};
    /// # struct Tables;
    /// # impl FrameService for Tables {}
    /// # async fn example() -> FlightResult<()> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:8815").await?;
    /// let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    /// FlightServer::new(Tables).serve_until(listener, interrupted).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_until(
        mut self,
        listener: TcpListener,
        signal: impl Future<Output = ()> + Send,
    ) -> FlightResult<()> {
        let mut server = Server::builder();
        #[cfg(feature = "tls")]
        if let Some(identity) = self.identity.take() {
            let tls = ServerTlsConfig::new().identity(identity);
            server = server.tls_config(match self.client_ca.take() {
                Some(authority) => tls.client_ca_root(authority),
                None => tls,
            })?;
        }
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        server
            // A client that has vanished without a word is noticed, and its query ended.
            .http2_keepalive_interval(Some(KEEPALIVE))
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(2 * WINDOW_BYTES)
            .add_service(self.into_service()?)
            .serve_with_incoming_shutdown(incoming, signal)
            .await?;
        Ok(())
    }

    /// The service alone, for a tonic server of your own. That one has the TLS settings then, and this one may have none.
    ///
    /// ```
    /// # use floe_flight::{FlightResult, FlightServer, FrameService};
    /// # struct Tables;
    /// # impl FrameService for Tables {}
    /// use tonic::transport::Server;
    ///
    /// let router = Server::builder().add_service(FlightServer::new(Tables).into_service()?);
    /// # let _ = router;
    /// # FlightResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn into_service(self) -> FlightResult<FlightGrpc<S>> {
        let Self {
            service,
            options,
            limits,
            access,
            max_received_bytes,
            #[cfg(feature = "tls")]
            identity,
            #[cfg(feature = "tls")]
            client_ca,
        } = self;
        #[cfg(feature = "tls")]
        if identity.is_some() {
            return Err(FlightError::invalid(
                "a service alone speaks no TLS: give the certificate to its server",
            ));
        }
        #[cfg(feature = "tls")]
        if client_ca.is_some() {
            return Err(FlightError::invalid(
                "`with_client_ca` needs `with_tls`, and a server that is served by itself",
            ));
        }
        let handler = FlightHandler { service, options, limits, access: access.checked()? };
        let server = FlightServiceServer::new(handler).max_decoding_message_size(max_received_bytes);
        Ok(FlightGrpc::new(server))
    }
}

impl<S> fmt::Debug for FlightServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightServer")
            .field("options", &self.options)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
