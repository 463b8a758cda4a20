//! How a client connects.

use std::fmt;
use std::time::Duration;

use floe::IpcLimits;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
#[cfg(feature = "tls")]
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::auth::bearer;
use crate::client::FlightClient;
use crate::error::{FlightError, FlightResult};
use crate::options::FlightOptions;
use crate::protocol::flight_service_client::FlightServiceClient;
use crate::server::{MAX_RECEIVED_BYTES, WINDOW_BYTES};

/// The settings of a [`FlightClient`].
///
/// ```no_run
/// use floe_flight::{FlightConnector, FlightResult};
///
/// # async fn example(authority: &str) -> FlightResult<()> {
/// let client = FlightConnector::new("grpc+tls://flights.example.com:443")
///     .with_tls_ca(authority)
///     .with_token("secret")
///     .connect()
///     .await?;
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct FlightConnector {
    uri: String,
    token: Option<String>,
    options: FlightOptions,
    limits: IpcLimits,
    max_received_bytes: usize,
    connect_timeout: Option<Duration>,
    #[cfg(feature = "tls")]
    tls: Option<ClientTlsConfig>,
}

impl FlightConnector {
    /// Settings for a server: `http://`, `https://`, or Arrow's names for them: `grpc://`, `grpc+tcp://`, `grpc+tls://`. See
    /// [`FlightConnector`] for an example.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            token: None,
            options: FlightOptions::default(),
            limits: IpcLimits::default(),
            max_received_bytes: MAX_RECEIVED_BYTES,
            connect_timeout: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sends this token with each call: `authorization: Bearer <token>`. See [`FlightConnector`] for an example.
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How frames are sent.
    ///
    /// ```
    /// use floe_flight::{FlightConnector, FlightOptions};
    ///
    /// let options = FlightOptions::new().with_max_message_bytes(1 << 20);
    /// let connector = FlightConnector::new("http://127.0.0.1:8815").with_options(options);
    /// # let _ = connector;
    /// ```
    pub fn with_options(mut self, options: FlightOptions) -> Self {
        self.options = options;
        self
    }

    /// Caps on what frames that are received may claim.
    ///
    /// ```
    /// use floe::IpcLimits;
    /// use floe_flight::FlightConnector;
    ///
    /// let connector = FlightConnector::new("http://127.0.0.1:8815").with_limits(IpcLimits::default());
    /// # let _ = connector;
    /// ```
    pub fn with_limits(mut self, limits: IpcLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Bytes of a message that is received, at most. Defaults to 256 MiB. A longer one is an error before it is read.
    ///
    /// ```
    /// use floe_flight::FlightConnector;
    ///
    /// let connector = FlightConnector::new("http://127.0.0.1:8815").with_max_received_bytes(16 << 20);
    /// # let _ = connector;
    /// ```
    pub fn with_max_received_bytes(mut self, bytes: usize) -> Self {
        self.max_received_bytes = bytes;
        self
    }

    /// How long to wait for the connection. Defaults to what the system does.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use floe_flight::FlightConnector;
    ///
    /// let connector = FlightConnector::new("http://10.0.0.2:8815").with_connect_timeout(Duration::from_secs(5));
    /// # let _ = connector;
    /// ```
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Trusts certificates that this authority (PEM) has signed. No other ones are trusted.
    ///
    /// See [`FlightConnector`] for an example.
    #[cfg(feature = "tls")]
    pub fn with_tls_ca(mut self, authority: impl AsRef<[u8]>) -> Self {
        self.tls = Some(self.tls.unwrap_or_default().ca_certificate(Certificate::from_pem(authority)));
        self
    }

    /// The name that the server's certificate has to have. Defaults to that of the URI.
    ///
    /// ```
    /// use floe_flight::FlightConnector;
    ///
    /// let connector = FlightConnector::new("https://10.0.0.2:8815").with_tls_domain("flights.example.com");
    /// # let _ = connector;
    /// ```
    #[cfg(feature = "tls")]
    pub fn with_tls_domain(mut self, domain: impl Into<String>) -> Self {
        self.tls = Some(self.tls.unwrap_or_default().domain_name(domain));
        self
    }

    /// The certificate and key (PEM) by which this client is known to the server.
    ///
    /// ```
    /// use floe_flight::FlightConnector;
    ///
    /// # fn example(certificate: &str, key: &str) {
    /// let connector = FlightConnector::new("https://10.0.0.2:8815").with_tls_identity(certificate, key);
    /// # let _ = connector;
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn with_tls_identity(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.tls = Some(self.tls.unwrap_or_default().identity(Identity::from_pem(certificate, key)));
        self
    }

    /// Connects. See [`FlightConnector`] for an example.
    ///
    /// # Errors
    /// When the URI, the token or a certificate is not valid, or the server cannot be reached.
    pub async fn connect(self) -> FlightResult<FlightClient> {
        let token = self.token.as_deref().map(bearer).transpose()?;
        let endpoint = self.endpoint()?;
        let channel = endpoint.connect().await?;
        Ok(self.client(FlightServiceClient::new(channel), token))
    }

    fn endpoint(&self) -> FlightResult<Endpoint> {
        let (uri, is_secure) = plain_uri(&self.uri)?;
        let mut endpoint = Endpoint::from_shared(uri)?
            .tcp_nodelay(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(2 * WINDOW_BYTES);
        if let Some(timeout) = self.connect_timeout {
            endpoint = endpoint.connect_timeout(timeout);
        }
        if is_secure {
            #[cfg(feature = "tls")]
            return Ok(endpoint.tls_config(self.tls.clone().unwrap_or_default())?);
            #[cfg(not(feature = "tls"))]
            return Err(FlightError::invalid(format!(
                "{}: floe-flight was built without its feature `tls`",
                self.uri
            )));
        }
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            // A token would be sent for all to read.
            return Err(FlightError::invalid(format!(
                "{}: there are settings of TLS, which this scheme does not speak: grpc+tls://, https://",
                self.uri
            )));
        }
        Ok(endpoint)
    }

    fn client(
        self,
        inner: FlightServiceClient<tonic::transport::Channel>,
        token: Option<MetadataValue<Ascii>>,
    ) -> FlightClient {
        let inner = inner.max_decoding_message_size(self.max_received_bytes);
        FlightClient { inner, token, options: self.options, limits: self.limits }
    }
}

/// As HTTP names it, and whether it is TLS.
fn plain_uri(uri: &str) -> FlightResult<(String, bool)> {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return Err(FlightError::invalid(format!("{uri}: no scheme, as in grpc://host:port")));
    };
    match scheme {
        "http" | "grpc" | "grpc+tcp" => Ok((format!("http://{rest}"), false)),
        "https" | "grpc+tls" => Ok((format!("https://{rest}"), true)),
        other => Err(FlightError::invalid(format!(
            "{uri}: the scheme {other} is none of grpc, grpc+tls, http, https"
        ))),
    }
}

impl fmt::Debug for FlightConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No token.
        f.debug_struct("FlightConnector").field("uri", &self.uri).finish_non_exhaustive()
    }
}
