//! Cloudflare Access: who its assertion is about.

use std::collections::HashMap;
use std::time::Duration;

use super::jwt::{Issuer, KeysAt, Keyset, RS256, TokenError};
use crate::base::Clock;
use crate::outbound::{Client, OutboundError};

/// The issuer answers within this time, or its old keys have to do.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Which Access applications may be in front of us.
#[derive(Clone, Debug, Default)]
pub struct AccessSettings {
    /// Where the team is (`https://team.cloudflareaccess.com`): the issuer's name, too.
    pub team: String,
    /// Audience tags of the applications.
    pub audiences: Vec<String>,
    /// Client ids of service tokens, and the e-mails of the accounts they act as.
    pub service_tokens: Vec<(String, String)>,
}

/// Who stands behind an assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// A person whom the team's identity provider knows.
    Person { subject: String, email: String },
    /// A script with a service token.
    Service { client_id: String },
}

/// Cloudflare Access as it is set up here.
pub(super) struct Access {
    issuer: Issuer,
    service_tokens: HashMap<String, String>,
}

impl Access {
    pub(super) fn new(settings: AccessSettings, clock: &Clock) -> Result<Self, OutboundError> {
        let certs = format!("{}/cdn-cgi/access/certs", settings.team);
        let keys = Keyset::new(KeysAt::Set(certs), Client::new(TIMEOUT)?, clock.clone());
        let issuer = Issuer::new(settings.team, settings.audiences, RS256, keys, clock.clone());
        Ok(Self { issuer, service_tokens: settings.service_tokens.into_iter().collect() })
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The e-mail of the account that a service token acts as.
    pub(super) fn account_of(&self, client_id: &str) -> Option<&str> {
        self.service_tokens.get(client_id).map(String::as_str)
    }

    /// Who an assertion is about. A person has a subject and an e-mail; a service token has neither,
    /// but a common name. An empty subject selects nobody.
    pub(super) async fn visitor(&self, assertion: &str) -> Result<Visitor, TokenError> {
        let claims = self.issuer.verify(assertion).await?;
        // `org` is the token of the whole team, which any of its applications could pass on.
        if claims.kind.as_deref() != Some("app") {
            return Err(TokenError::Invalid);
        }
        let text = |claim: &Option<String>| claim.clone().filter(|text| !text.is_empty());
        match (text(&claims.sub), text(&claims.email), text(&claims.common_name)) {
            (Some(subject), Some(email), _) => {
                Ok(Visitor::Person { subject, email: email.to_ascii_lowercase() })
            }
            (None, None, Some(client_id)) => Ok(Visitor::Service { client_id }),
            _ => Err(TokenError::Invalid),
        }
    }
}
