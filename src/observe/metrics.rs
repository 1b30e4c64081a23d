//! Numbers for a monitor, in OpenMetrics text.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What is counted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: Family<Labels, Counter>,
    unauthenticated: Counter,
    repeated: Counter,
}

/// The endpoint, never the path: a monitor is no log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    endpoint: String,
    status: u16,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("audiomill");
        let requests = Family::<Labels, Counter>::default();
        let (unauthenticated, repeated) = (Counter::default(), Counter::default());
        registry.register("requests", "Answered requests", requests.clone());
        registry.register("unauthenticated", "Answers with 401", unauthenticated.clone());
        registry.register(
            "repeated_unauthenticated",
            "Addresses that got 401 again and again within a minute",
            repeated.clone(),
        );
        Self(Arc::new(Inner { registry, requests, unauthenticated, repeated }))
    }
}

impl Metrics {
    /// A request was answered.
    pub fn answered(&self, endpoint: &str, status: u16) {
        self.0.requests.get_or_create(&Labels { endpoint: endpoint.to_owned(), status }).inc();
        if status == 401 {
            self.0.unauthenticated.inc();
        }
    }

    /// Somebody without a valid credential keeps asking.
    pub fn repeated_unauthenticated(&self) {
        self.0.repeated.inc();
    }

    /// All of it, as a monitor reads it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}
