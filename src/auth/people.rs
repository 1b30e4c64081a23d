//! People and services whom an issuer vouches for, and the accounts they have here.

use ring::digest;
use serde_json::json;

use super::credentials::Method;
use super::service::{Auth, AuthError, disabled};
use super::store::{Account, NewAccount, Store, Tx};
use crate::base::hex;
use crate::ledger::{Act, Outcome};

/// Somebody an issuer vouches for.
#[derive(Clone, Copy)]
pub(super) struct Person<'a> {
    pub(super) issuer: &'a str,
    pub(super) subject: &'a str,
    pub(super) email: Option<&'a str>,
    pub(super) method: Method,
    /// From where they come.
    pub(super) address: Option<&'a str>,
}

impl Person<'_> {
    fn act<'a>(&'a self, action: &'a str, email: &'a str, target: &'a str) -> Act<'a> {
        Act {
            actor: Some(email),
            method: self.method.as_str(),
            address: self.address,
            action,
            target: Some(target),
            detail: Some(json!({"issuer": self.issuer})),
        }
    }
}

impl Auth {
    /// The account of a person. The first visit makes it, or finds the one that has the e-mail; later
    /// ones go by the subject, which no issuer gives to anybody else.
    ///
    /// # Errors
    /// `NotAllowed` where it is disabled, or its e-mail has become one that is another account's here.
    pub(super) async fn account_of_person(&self, person: Person<'_>) -> Result<Account, AuthError> {
        let known = self.store().account_of_identity(person.issuer, person.subject).await?;
        let account = match (known, person.email) {
            (Some(account), Some(email)) if account.email != email => {
                self.under_another_email(person, account, email).await?
            }
            (Some(account), _) => account,
            (None, _) => self.first_visit(person).await?,
        };
        if account.disabled {
            return Err(disabled(&account.email));
        }
        Ok(account)
    }

    /// The issuer says another e-mail of somebody who is known. Rights go by e-mails, so the account
    /// either takes it, or has no rights by the old one.
    async fn under_another_email(
        &self,
        person: Person<'_>,
        account: Account,
        email: &str,
    ) -> Result<Account, AuthError> {
        if account.user == self.inner().owner.user {
            // It is found by OWNER_EMAIL, and is the owner's whatever its issuers say.
            return Ok(account);
        }
        let occupant = self.store().account(email).await?;
        if let Some(occupant) = &occupant
            && occupant.proven
            && !occupant.disabled
        {
            return Err(AuthError::NotAllowed(format!(
                "{email} is another account here than yours, which was {}. An admin can disable \
                 the one that is no longer wanted.",
                account.email
            )));
        }
        // Two issuers that name somebody differently would rename them with every request.
        if occupant.is_none() && self.store().issuers_of(account.user).await? > 1 {
            return Ok(Account { proven: false, ..account });
        }
        let mut tx = self.store().begin().await?;
        if let Some(occupant) = occupant {
            Store::release_email(&mut tx, occupant.user, self.now()).await?;
            let act = person.act("account.release", email, email);
            self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        }
        if !Store::rename(&mut tx, account.user, email).await? {
            // Somebody was faster: asked again, it is theirs.
            return Err(AuthError::DatabaseBusy);
        }
        let act = person.act("account.rename", email, &account.email);
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        tx.commit().await?;
        Ok(Account { email: email.to_owned(), ..account })
    }

    async fn first_visit(&self, person: Person<'_>) -> Result<Account, AuthError> {
        let now = self.now();
        let email = match person.email {
            Some(email) => email.to_owned(),
            None => made_up_name(person.issuer, person.subject),
        };
        let mut tx = self.store().begin().await?;
        let (account, action) = self.found_or_made(&mut tx, &email).await?;
        // An issuer has one subject for an e-mail: a new one means that the person was removed there
        // and is back, or that the e-mail is somebody else's now. Browsers sign in again.
        let before =
            Store::end_identities(&mut tx, person.issuer, person.subject, account.user).await?;
        if before > 0 {
            Store::end_sessions(&mut tx, account.user, None).await?;
            Store::end_families(&mut tx, account.user, now).await?;
            tracing::warn!(
                user = %account.user,
                issuer = person.issuer,
                "an e-mail has another subject at its issuer; the one before opens it no longer"
            );
        }
        Store::add_identity(&mut tx, person.issuer, person.subject, account.user, now).await?;
        let act = person.act(action, &email, &email);
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        tx.commit().await?;
        tracing::info!(user = %account.user, action, "somebody came for the first time");
        Ok(account)
    }

    /// The account that a service token acts as; it is made when the settings name one that is not there.
    pub(super) async fn account_of_service(
        &self,
        email: &str,
        address: Option<&str>,
    ) -> Result<Account, AuthError> {
        let account = match self.store().account(email).await? {
            Some(account) if account.proven => account,
            Some(_) | None => {
                let mut tx = self.store().begin().await?;
                let (account, action) = self.found_or_made(&mut tx, email).await?;
                let act = Act {
                    actor: Some(email),
                    method: Method::Service.as_str(),
                    address,
                    action,
                    target: Some(email),
                    ..Act::default()
                };
                self.ledger().record(&mut tx, &act, Outcome::Done).await?;
                tx.commit().await?;
                account
            }
        };
        if account.disabled { Err(disabled(&account.email)) } else { Ok(account) }
    }

    /// The account of an e-mail that is shown to be somebody's, and what was done to have it: one that a
    /// stranger registered is theirs no longer.
    pub(super) async fn found_or_made(
        &self,
        tx: &mut Tx,
        email: &str,
    ) -> Result<(Account, &'static str), AuthError> {
        let action = match Store::account_in(tx, email).await? {
            Some(found) if found.proven => "account.link",
            Some(found) => {
                Store::take_over(tx, found.user, self.now()).await?;
                "account.take_over"
            }
            None => {
                Store::add_account(tx, &NewAccount::proven(email, self.now())).await?;
                "account.create"
            }
        };
        let account = Store::account_in(tx, email).await?.ok_or(sqlx::Error::RowNotFound)?;
        Ok((account, action))
    }
}

/// What an account is called whose e-mail nobody vouches for: no address, so that it is never taken
/// for anybody's, and another one for each subject.
fn made_up_name(issuer: &str, subject: &str) -> String {
    let host = issuer.split("://").last().unwrap_or_default().trim_end_matches('/');
    let hash = digest::digest(&digest::SHA256, format!("{issuer} {subject}").as_bytes());
    format!("oidc:{subject}@{host}:{}", hex(&hash.as_ref()[..4]))
}
