//! What the server asks of others over HTTP.
//!
//! Owns: the one client, its time and size limits. Never: what is asked, and why.
//! Used by: `auth`, `app`.

use std::time::Duration;

use reqwest::redirect::Policy;

/// Fetches small documents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(reqwest::Client);

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
        // One provider for the whole process; that it is there already is no failure.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .timeout(timeout)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("audiomill/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(OutboundError::Setup)
    }

    /// The document at `url`, of at most `most` bytes.
    ///
    /// # Errors
    /// All but `Setup`.
    pub async fn get(&self, url: &str, most: usize) -> Result<Vec<u8>, OutboundError> {
        let mut answer = self.0.get(url).send().await.map_err(OutboundError::Unreachable)?;
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
