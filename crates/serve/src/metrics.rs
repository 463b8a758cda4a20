//! Counters for Prometheus.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The labels of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: String,
    route: String,
    status: String,
}

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    pub(crate) bytes: Counter,
    /// Queries that compute.
    pub(crate) running: Gauge,
    /// Queries that wait for their turn.
    pub(crate) queued: Gauge,
    /// Queries whose answers are open.
    pub(crate) open: Gauge,
    pub(crate) seconds: Histogram,
}

/// From queries of a millisecond to those of two minutes.
const SECONDS: [f64; 11] = [0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0, 15.0, 30.0, 60.0, 120.0];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("floe");
        let requests = Family::<Labels, Counter>::default();
        let (bytes, running, queued, open) =
            (Counter::default(), Gauge::default(), Gauge::default(), Gauge::default());
        let seconds = Histogram::new(SECONDS);
        registry.register("requests", "Requests by route and status", requests.clone());
        registry.register("sent_bytes", "Bytes of bodies sent", bytes.clone());
        registry.register("queries_running", "Queries that compute", running.clone());
        registry.register("queries_queued", "Queries that wait for their turn", queued.clone());
        registry.register("queries_open", "Queries whose answers are open", open.clone());
        registry.register("query_seconds", "Time from a query's request to its end", seconds.clone());
        Self { registry, requests, bytes, running, queued, open, seconds }
    }
}

impl Metrics {
    pub(crate) fn request(&self, method: &str, route: &str, status: u16) {
        let labels =
            Labels { method: method.to_owned(), route: route.to_owned(), status: status.to_string() };
        self.requests.get_or_create(&labels).inc();
    }

    /// In the text format of Prometheus.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // A String takes everything.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
