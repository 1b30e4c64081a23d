//! Telling other servers of ended jobs: webhooks, signed, tried again, written down.
//!
//! What is to be told is entered with the end of the job itself; here it is sent. Headers and
//! signature are those of Standard Webhooks 1.0 (standardwebhooks.com).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::error::JobsError;
use super::model::{Job, Status};
use super::pool::Cause;
use super::service::Jobs;
use super::store::sqlite::{Delivery, DeliveryRow, HookRow, Outcome};
use crate::base::UserId;
use crate::base::clock::rfc3339;
use crate::ledger::By;
use crate::outbound::{Client, OutboundError, Reach, check_address};

/// How webhooks are sent.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which addresses may be told.
    pub reach: Reach,
    /// What links begin with, where it is known.
    pub origin: Option<String>,
}

/// Where to, and what.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// The address that is told.
    pub url: String,
    /// What is sent in place of our own document: JSON whose texts have places like `{{title}}`, or a
    /// text of its own.
    pub template: Option<Value>,
}

/// Addresses of an account.
pub const HOOKS: usize = 20;

/// The longest address, in bytes.
const URL_BYTES: usize = 2048;

/// The longest template, in bytes of JSON.
const TEMPLATE_BYTES: usize = 4096;

/// The other side answers within this time.
const TIME: Duration = Duration::from_secs(10);

/// How often what is due is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Deliveries at once.
const AT_ONCE: u32 = 8;

/// The pauses between tries, in seconds; after the last one it is given up.
const PAUSES: [i64; 8] = [5, 30, 120, 600, 3600, 4 * 3600, 12 * 3600, 24 * 3600];

/// The other side wants to be told nothing more (Standard Webhooks, "410 Gone").
const GONE: u16 = 410;

impl Hook {
    /// As a job's row keeps it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"url": self.url, "template": self.template.as_ref().map(Value::to_string)})
    }

    /// Checks what a client asks for.
    ///
    /// # Errors
    /// `Hook`, with a sentence.
    pub fn checked(self, reach: Reach) -> Result<Self, JobsError> {
        let refused = |why: String| Err(JobsError::Hook(why));
        if self.url.len() > URL_BYTES {
            return refused(format!("An address has at most {URL_BYTES} bytes."));
        }
        if let Err(error) = check_address(&self.url, reach) {
            return refused(format!("This address cannot be told: {error}."));
        }
        let Some(template) = &self.template else { return Ok(self) };
        if template.to_string().len() > TEMPLATE_BYTES {
            return refused(format!("A template has at most {TEMPLATE_BYTES} bytes."));
        }
        if !matches!(template, Value::String(_) | Value::Object(_)) {
            return refused(String::from("A template is a text or a JSON object."));
        }
        let wrong = texts(template).into_iter().find_map(unknown_place);
        match wrong {
            Some(place) => refused(format!(
                "There is no {{{{{place}}}}} to fill in; there are {}.",
                PLACES.join(", ")
            )),
            None => Ok(self),
        }
    }
}

/// Places of a template.
const PLACES: [&str; 9] =
    ["event", "id", "status", "title", "message", "filename", "output", "error", "url"];

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(values) => values.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn unknown_place(text: &str) -> Option<String> {
    let inside = text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
    inside.map(|(place, _)| place.trim().to_owned()).find(|place| !PLACES.contains(&place.as_str()))
}

/// Sends what is due until the process goes down.
pub async fn send(jobs: Jobs, client: Client) {
    while !jobs.is_draining() {
        // What is cut short by a stop is sent again, under the same id.
        let sent = tokio::select! {
            sent = round(&jobs, &client) => sent,
            () = jobs.end().cancelled() => return,
        };
        match sent {
            // As many as were looked for: there may be more.
            Ok(sent) if sent == AT_ONCE as usize => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %Cause(&error), "webhooks cannot be looked through");
            }
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = jobs.end().cancelled() => {}
        }
    }
}

/// A client for webhooks.
///
/// # Errors
/// `Setup`.
pub fn client(settings: &Settings) -> Result<Client, OutboundError> {
    Client::reaching(TIME, settings.reach)
}

async fn round(jobs: &Jobs, client: &Client) -> Result<usize, JobsError> {
    let due = jobs.store().due(jobs.now(), AT_ONCE).await?;
    let count = due.len();
    let mut sending = JoinSet::new();
    for delivery in due {
        let (jobs, client) = (jobs.clone(), client.clone());
        sending.spawn(async move { deliver(&jobs, &client, &delivery).await });
    }
    while let Some(sent) = sending.join_next().await {
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = %Cause(&error), "a webhook is sent again"),
            Err(panic) => tracing::error!(%panic, "a webhook could not be sent"),
        }
    }
    Ok(count)
}

async fn deliver(jobs: &Jobs, client: &Client, delivery: &Delivery) -> Result<(), JobsError> {
    let job = match jobs.store().get(delivery.job).await {
        Ok(job) => Some(job),
        Err(JobsError::NotFound) => None,
        Err(error) => return Err(error),
    };
    let secret = jobs.store().hook_secret(delivery.owner).await?;
    let facts = Facts::of(delivery, job.as_ref(), jobs.settings().hooks.origin.as_deref());
    let now = jobs.now();
    let (kind, document) = match delivery.template.as_deref().map(serde_json::from_str) {
        Some(Ok(Value::String(text))) => ("text/plain; charset=utf-8", facts.fill(&text)),
        Some(Ok(template)) => ("application/json", facts.filled(&template).to_string()),
        Some(Err(_)) | None => ("application/json", facts.document(now).to_string()),
    };
    let headers = signed(&secret, delivery.id, now / 1000, &document, kind);
    let outcome = match client.post(&delivery.url, &headers, document.into_bytes()).await {
        Ok(status @ 200..=299) => Outcome::Delivered(status),
        Ok(GONE) => Outcome::Unwanted(GONE),
        Ok(status) => again(delivery, now, Some(status), format!("It answered {status}.")),
        Err(OutboundError::Forbidden(why)) => {
            Outcome::GivenUp(None, format!("The address may not be asked: {why}."))
        }
        Err(error) => again(delivery, now, None, plain(&error)),
    };
    jobs.store().told(delivery, &outcome, jobs.now()).await
}

impl Jobs {
    /// Adds an address that is told of the caller's ended jobs: of every end, or of those named.
    ///
    /// # Errors
    /// `Hook`, or what the database says.
    pub async fn add_hook(
        &self,
        owner: UserId,
        by: By<'_>,
        hook: Hook,
        events: Option<Vec<String>>,
    ) -> Result<HookRow, JobsError> {
        let hook = hook.checked(self.settings().hooks.reach)?;
        let events = events.unwrap_or_else(|| EVENTS.map(|end| end.as_str().to_owned()).to_vec());
        let named: Vec<&str> = EVENTS
            .iter()
            .map(|end| end.as_str())
            .filter(|end| events.iter().any(|event| event.trim_start_matches("job.") == *end))
            .collect();
        if named.is_empty() || named.len() != events.len() {
            let known = EVENTS.map(Status::as_str).join(", ");
            return Err(JobsError::Hook(format!("\"events\" takes some of {known}, each once.")));
        }
        let id = self.store().add_hook(owner, &hook, &named.join(" "), by, self.now()).await?;
        let made = self.store().hooks(owner).await?.into_iter().find(|row| row.id == id);
        made.ok_or(JobsError::NotFound)
    }

    /// The caller's addresses.
    ///
    /// # Errors
    /// What the database says.
    pub async fn hooks(&self, owner: UserId) -> Result<Vec<HookRow>, JobsError> {
        self.store().hooks(owner).await
    }

    /// The secret by which what is sent for the caller is signed, as receivers take it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn hook_secret(&self, owner: UserId) -> Result<String, JobsError> {
        Ok(shown(&self.store().hook_secret(owner).await?))
    }

    /// Removes an address, with what was to be sent to it.
    ///
    /// # Errors
    /// `NotFound`, or what the database says.
    pub async fn remove_hook(&self, owner: UserId, by: By<'_>, id: &str) -> Result<(), JobsError> {
        self.store().remove_hook(owner, id, by, self.now()).await
    }

    /// What was sent for the caller and what is still to be, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn deliveries(
        &self,
        owner: UserId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, JobsError> {
        self.store().deliveries(owner, before, limit).await
    }
}

/// What went wrong, without the address: it may hold a secret of the other side.
fn plain(error: &OutboundError) -> String {
    match error {
        OutboundError::Unreachable(inner) if inner.is_timeout() => {
            format!("It did not answer within {} s.", TIME.as_secs())
        }
        OutboundError::Unreachable(inner) => {
            let mut cause: &dyn std::error::Error = inner;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            format!("It cannot be reached: {cause}.")
        }
        other => other.to_string(),
    }
}

fn again(delivery: &Delivery, now: i64, status: Option<u16>, why: String) -> Outcome {
    let tried = usize::try_from(delivery.attempts).unwrap_or(usize::MAX);
    match PAUSES.get(tried) {
        Some(pause) => Outcome::Later(now + pause * 1000, status, why),
        None => Outcome::GivenUp(status, why),
    }
}

fn signed(
    secret: &[u8],
    id: i64,
    seconds: i64,
    document: &str,
    kind: &str,
) -> Vec<(&'static str, String)> {
    let id = format!("msg_{id}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{document}").as_bytes());
    vec![
        ("content-type", kind.to_owned()),
        ("webhook-id", id),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(tag))),
    ]
}

/// A secret as receivers take it.
fn shown(secret: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

/// What is told of a job.
struct Facts {
    values: [(&'static str, String); 9],
    data: Value,
}

impl Facts {
    fn of(delivery: &Delivery, job: Option<&Job>, origin: Option<&str>) -> Self {
        let id = delivery.job.to_string();
        let event = delivery.event.as_str();
        let filename = job.map_or("", |job| job.filename.as_str());
        let result = job.and_then(|job| job.artifacts.first());
        let output = result.map_or("", |artifact| artifact.name.as_str());
        let failure = job.and_then(|job| job.error.as_ref()).filter(|_| event == "failed");
        let error = failure.map_or("", |error| error.message.as_str());
        let url = format!("{}/upload/jobs/{id}", origin.unwrap_or_default());
        let title = match event {
            "done" => format!("Ready: {output}"),
            "failed" => format!("Failed: {filename}"),
            _ => format!("Cancelled: {filename}"),
        };
        let message = [title.as_str(), error].join(" ").trim().to_owned();
        let data = json!({
            "id": id,
            "status": event,
            "is_there": job.is_some(),
            "filename": filename,
            "output": result.map(|artifact| json!({
                "artifact_id": artifact.id.to_string(),
                "filename": artifact.name,
                "bytes": artifact.bytes,
                "sha256": artifact.sha256,
            })),
            "error": failure.map(|error| json!({"code": error.code, "message": error.message})),
            "metadata": job.map_or_else(|| json!({}), |job| job.metadata.clone()),
            "url": url,
            "job_url": format!("{}/api/v1/jobs/{id}", origin.unwrap_or_default()),
        });
        let values = [
            ("event", format!("job.{event}")),
            ("id", id),
            ("status", event.to_owned()),
            ("title", title),
            ("message", message),
            ("filename", filename.to_owned()),
            ("output", output.to_owned()),
            ("error", error.to_owned()),
            ("url", url),
        ];
        Self { values, data }
    }

    /// Our own document: type, time and data, as Standard Webhooks has it.
    fn document(&self, now: i64) -> Value {
        json!({"type": self.values[0].1, "timestamp": rfc3339(now), "data": self.data})
    }

    /// A text with its places filled in; what is filled in is not looked through again.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((place, behind)) = after.split_once("}}") else { break };
            filled.push_str(before);
            let value = self.values.iter().find(|(name, _)| *name == place.trim());
            filled.push_str(value.map_or("", |(_, value)| value.as_str()));
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }

    fn filled(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(values) => values.iter().map(|value| self.filled(value)).collect(),
            Value::Object(values) => Value::Object(
                values
                    .iter()
                    .map(|(name, value)| (name.clone(), self.filled(value)))
                    .collect::<Map<_, _>>(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
        }
    }
}

/// The ends of a job that may be told of.
const EVENTS: [Status; 3] = [Status::Done, Status::Failed, Status::Cancelled];

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(url: &str, template: Option<Value>) -> Result<Hook, JobsError> {
        Hook { url: url.to_owned(), template }.checked(Reach::Public)
    }

    #[test]
    fn only_public_addresses_and_known_places_are_taken() {
        for good in ["https://example.org/x?y=1", "http://ntfy.example.org:8080/topic"] {
            assert!(hook(good, None).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "http://127.0.0.1/",
            "http://[::1]:80/",
            "http://169.254.169.254/latest",
            "http://2130706433/",
            "http://0x7f.1/",
            "https://user:word@example.org/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert!(hook(wrong, None).is_err(), "{wrong}");
        }
        let at = "https://example.org";
        assert!(hook(at, Some(json!({"content": "{{ title }}", "n": 1}))).is_ok());
        assert!(hook(at, Some(json!("{{message}}"))).is_ok());
        assert!(hook(at, Some(json!([1]))).is_err());
        let wrong = hook(at, Some(json!({"a": ["{{secret}}"]}))).map_err(|error| error.to_string());
        assert!(wrong.is_err_and(|why| why.contains("{{secret}}") && why.contains("title")));
    }

    #[test]
    fn what_is_filled_in_is_not_looked_through_again() {
        let facts = Facts {
            values: PLACES.map(|place| (place, String::from("{{id}}\"\n"))),
            data: Value::Null,
        };
        assert_eq!(facts.fill("a {{title}} b {{ id }} {{ c"), "a {{id}}\"\n b {{id}}\"\n {{ c");
        let filled = facts.filled(&json!({"content": "{{title}}"}));
        assert_eq!(filled, json!({"content": "{{id}}\"\n"}));
    }

    #[test]
    fn a_signature_is_the_one_of_the_specification() {
        // The example of the Standard Webhooks reference libraries.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signed = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        let tag = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
        assert_eq!(tag, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
