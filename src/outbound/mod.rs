//! What the server asks of others over HTTP.
//!
//! Owns: the clients, their time and size limits, which addresses they dial. Never: what is asked, and
//! why. Used by: `auth`, `jobs`, `app`.

mod guard;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use guard::{Reach, is_public};
use reqwest::redirect::Policy;

/// Fetches and sends small documents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    client: reqwest::Client,
    reach: Reach,
}

/// Why a document did not come.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The system's certificates cannot be used, or TLS not be set up.
    #[error("no HTTPS client can be made: {0}")]
    Setup(#[source] reqwest::Error),
    /// No connection, no answer in time, or one that is cut off.
    #[error("{0}")]
    Unreachable(#[source] reqwest::Error),
    /// An answer that is none of success; redirects are not followed.
    #[error("the answer is {0}")]
    Status(u16),
    /// The address may not be asked.
    #[error("{0}")]
    Forbidden(&'static str),
    /// More bytes than a document of its kind has.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
}

impl Client {
    /// A client whose requests take at most `timeout` from the first byte sent to the last received.
    /// It follows no redirects and no proxy of the environment: what is configured is what is asked.
    ///
    /// # Errors
    /// `Setup`.
    pub fn new(timeout: Duration) -> Result<Self, OutboundError> {
        Self::reaching(timeout, Reach::Anywhere)
    }

    /// A client for addresses that users give: it dials none that `reach` leaves out, whatever a name
    /// resolves to.
    ///
    /// # Errors
    /// `Setup`.
    pub fn reaching(timeout: Duration, reach: Reach) -> Result<Self, OutboundError> {
        // One provider for the whole process; that it is there already is no failure.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("audiomill/", env!("CARGO_PKG_VERSION")));
        let builder = match reach {
            Reach::Public => builder.dns_resolver(Arc::new(guard::PublicOnly)),
            Reach::Anywhere => builder,
        };
        let client = builder.build().map_err(OutboundError::Setup)?;
        Ok(Self { client, reach })
    }

    /// Sends a document; the status of the answer, whose body is not read.
    ///
    /// # Errors
    /// `Forbidden`, `Unreachable`.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        document: Vec<u8>,
    ) -> Result<u16, OutboundError> {
        let url =
            reqwest::Url::parse(url).map_err(|_| OutboundError::Forbidden("it is no address"))?;
        check(&url, self.reach)?;
        let mut request = self.client.post(url).body(document);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await.map_err(OutboundError::Unreachable)?;
        Ok(answer.status().as_u16())
    }

    /// The document at `url`, of at most `most` bytes.
    ///
    /// # Errors
    /// All but `Setup`.
    pub async fn get(&self, url: &str, most: usize) -> Result<Vec<u8>, OutboundError> {
        let mut answer = self.client.get(url).send().await.map_err(OutboundError::Unreachable)?;
        if !answer.status().is_success() {
            return Err(OutboundError::Status(answer.status().as_u16()));
        }
        let mut document = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(OutboundError::Unreachable)? {
            if document.len() + chunk.len() > most {
                return Err(OutboundError::TooLarge(most));
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

/// Whether an address that a user gives may be asked, as far as can be told without asking.
///
/// # Errors
/// `Forbidden`, with the reason.
pub fn check_address(url: &str, reach: Reach) -> Result<(), OutboundError> {
    let url = reqwest::Url::parse(url).map_err(|_| OutboundError::Forbidden("it is no address"))?;
    check(&url, reach)
}

fn check(url: &reqwest::Url, reach: Reach) -> Result<(), OutboundError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(OutboundError::Forbidden("it begins with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OutboundError::Forbidden("it holds no name and no password"));
    }
    let Some(host) = url.host_str() else {
        return Err(OutboundError::Forbidden("it names no host"));
    };
    // A name is looked at when it has been resolved; a number is not resolved.
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if reach == Reach::Public && literal.is_ok_and(|address| !is_public(address)) {
        return Err(OutboundError::Forbidden("it is no public address (OUTBOUND_ALLOW_PRIVATE)"));
    }
    Ok(())
}
