//! Accounts: made, looked at, changed, shut.

use serde_json::json;

use super::credentials::{Caller, Method, Principal};
use super::service::{Auth, AuthError, Registration};
use super::store::{Account, AccountRow, NewAccount, Origin, Profile, Role, Store};
use super::{attempts::Who, sessions::network};
use crate::base::UserId;
use crate::ledger::{By, Outcome};

/// Longest e-mail (RFC 5321, section 4.5.3.1.3), and longest name, in characters.
pub(super) const EMAIL_LENGTH: usize = 254;
const NAME_LENGTH: usize = 100;

/// An account that is wanted.
#[derive(Clone, Debug, Default)]
pub struct AccountRequest {
    /// Its e-mail.
    pub email: String,
    /// Its password; without one it is opened by an identity provider alone.
    pub password: Option<String>,
    /// What its owner says of themselves.
    pub first_name: String,
    /// As above.
    pub last_name: String,
    /// As above.
    pub company: String,
}

/// What is to be different; what is not given stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// `Some(true)` shuts it: its sessions, keys and tokens are refused from the next request on.
    pub disabled: Option<bool>,
    /// Its role.
    pub role: Option<Role>,
    /// Its limits.
    pub plan: Option<String>,
}

impl Auth {
    /// Makes the account of a stranger, where that is allowed.
    ///
    /// # Errors
    /// `NotAllowed` where it is not; `Invalid`; `Taken`; `TooMany`.
    pub async fn register(
        &self,
        request: &AccountRequest,
        caller: &Caller<'_>,
    ) -> Result<(), AuthError> {
        if self.registration() == Registration::Closed {
            return Err(AuthError::NotAllowed(String::from(
                "This server makes no accounts for strangers; ask its owner.",
            )));
        }
        if request.password.is_none() {
            return Err(AuthError::Invalid(String::from("An account takes a password.")));
        }
        let network = network(caller.address);
        self.inner()
            .attempts
            .begin(Who { address: &network, account: None })
            .map_err(AuthError::TooMany)?;
        let email = request.email.trim().to_ascii_lowercase();
        let settings = &self.inner().settings;
        // An e-mail that the settings give rights to belongs to whom the provider vouches for.
        let services = settings.access.iter().flat_map(|access| &access.service_tokens);
        let mut kept = settings
            .allowed_emails
            .iter()
            .chain(&settings.admin_emails)
            .chain(services.map(|(_, email)| email));
        if kept.any(|kept| *kept == email) || email == settings.owner_email.to_ascii_lowercase() {
            return Err(taken(&email));
        }
        let by = By { actor: &email, method: "password", address: caller.address };
        self.make(by, request, Role::User, false).await
    }

    /// Makes an account on an admin's word.
    ///
    /// # Errors
    /// `Invalid`, `Taken`.
    pub async fn add_account(
        &self,
        by: By<'_>,
        request: &AccountRequest,
        role: Role,
    ) -> Result<(), AuthError> {
        self.make(by, request, role, true).await
    }

    async fn make(
        &self,
        by: By<'_>,
        request: &AccountRequest,
        role: Role,
        proven: bool,
    ) -> Result<(), AuthError> {
        let email = request.email.trim().to_ascii_lowercase();
        check_email(&email)?;
        let profile = Profile {
            first_name: checked_name(&request.first_name)?,
            last_name: checked_name(&request.last_name)?,
            company: checked_name(&request.company)?,
        };
        let hash = match &request.password {
            Some(password) => Some(self.inner().passwords.hash(password, &email).await?),
            None => None,
        };
        let new = NewAccount {
            email: &email,
            role,
            proven,
            password_hash: hash.as_deref(),
            profile,
            now: self.now(),
        };
        let mut tx = self.store().begin().await?;
        if !Store::add_account(&mut tx, &new).await? {
            return Err(taken(&email));
        }
        let act = by.act("account.create", &email, json!({"role": role.as_str()}));
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        Ok(tx.commit().await?)
    }

    /// Another password; every session and token of the account ends but the caller's session.
    ///
    /// # Errors
    /// `Invalid` for one that will not do.
    pub async fn set_password(
        &self,
        by: By<'_>,
        account: &Principal,
        password: &str,
    ) -> Result<(), AuthError> {
        let hash = self.inner().passwords.hash(password, &account.email).await?;
        let mut tx = self.store().begin().await?;
        Store::set_password(&mut tx, account.user, &hash).await?;
        Store::end_sessions(&mut tx, account.user, account.session.as_deref()).await?;
        Store::end_families(&mut tx, account.user, self.now()).await?;
        let act = by.act("account.password", &account.email, json!({}));
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        Ok(tx.commit().await?)
    }

    /// Another password on an admin's word. An account that a stranger has registered is given to whom
    /// the admin means: nothing the stranger holds opens it any longer.
    ///
    /// # Errors
    /// `NoSuch`; `Invalid` for one that will not do.
    pub async fn reset_password(
        &self,
        by: By<'_>,
        email: &str,
        password: &str,
    ) -> Result<(), AuthError> {
        let account = self.store().account(email).await?.ok_or(AuthError::NoSuch)?;
        let hash = self.inner().passwords.hash(password, &account.email).await?;
        let (mut tx, now) = (self.store().begin().await?, self.now());
        if !account.proven {
            Store::take_over(&mut tx, account.user, now).await?;
        }
        Store::set_password(&mut tx, account.user, &hash).await?;
        Store::end_sessions(&mut tx, account.user, None).await?;
        Store::end_families(&mut tx, account.user, now).await?;
        let act = by.act("account.password", &account.email, json!({}));
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        Ok(tx.commit().await?)
    }

    /// Whether the caller may set another password: who has one shows it, and a wrong one counts like a
    /// failed sign-in.
    ///
    /// # Errors
    /// `TooMany`; what the database says.
    pub async fn may_change_password(
        &self,
        account: &Principal,
        current: &str,
        caller: &Caller<'_>,
    ) -> Result<bool, AuthError> {
        let found = self.store().password(&account.email).await?;
        if found.is_none_or(|(_, hash)| hash.is_none()) {
            // Who signs in without one sets the first one; what was given to a script does not.
            return match account.method {
                Method::Access | Method::Session => Ok(true),
                Method::Service | Method::Key | Method::Token | Method::Oidc => {
                    Err(AuthError::NotAllowed(String::from(
                        "The first password is set by somebody who has signed in with a browser, \
                         or by \"audiomill user passwd\".",
                    )))
                }
            };
        }
        match self.by_password(&account.email, current, caller).await {
            Ok((_, origin)) => Ok(origin == Origin::Password),
            Err(AuthError::Unknown) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Changes an account's standing.
    ///
    /// # Errors
    /// `NoSuch`; `Invalid` where the owner's account would be shut or demoted.
    pub async fn change_account(
        &self,
        by: By<'_>,
        email: &str,
        change: &AccountChange,
    ) -> Result<(), AuthError> {
        let account = self.store().account(email).await?.ok_or(AuthError::NoSuch)?;
        let is_owner = account.user == self.inner().owner.user;
        if is_owner && (change.disabled == Some(true) || change.role == Some(Role::User)) {
            let why = "The owner's account stays an open admin; OWNER_EMAIL names another one.";
            return Err(AuthError::Invalid(String::from(why)));
        }
        let mut tx = self.store().begin().await?;
        let now = self.now();
        if let Some(disabled) = change.disabled {
            Store::set_disabled(&mut tx, account.user, disabled.then_some(now)).await?;
        }
        if change.disabled == Some(true) {
            Store::end_sessions(&mut tx, account.user, None).await?;
            Store::end_families(&mut tx, account.user, now).await?;
        }
        Store::set_standing(&mut tx, account.user, change.role, change.plan.as_deref()).await?;
        let detail = json!({
            "disabled": change.disabled,
            "role": change.role.map(Role::as_str),
            "plan": change.plan,
        });
        let act = by.act("account.change", &account.email, detail);
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        Ok(tx.commit().await?)
    }

    /// Writes down what somebody says of themselves; what is not given stays.
    ///
    /// # Errors
    /// `Invalid`.
    pub async fn set_profile(
        &self,
        by: By<'_>,
        caller: &Principal,
        [first_name, last_name, company]: [Option<&str>; 3],
    ) -> Result<(), AuthError> {
        for name in [first_name, last_name, company].into_iter().flatten() {
            checked_name(name)?;
        }
        let mut tx = self.store().begin().await?;
        Store::set_profile(&mut tx, caller.user, first_name, last_name, company).await?;
        let act = by.act("account.profile", &caller.email, json!({}));
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        Ok(tx.commit().await?)
    }

    /// An account as it is shown; its role as the settings make it.
    ///
    /// # Errors
    /// `NoSuch`.
    pub async fn shown(&self, user: UserId) -> Result<AccountRow, AuthError> {
        let row = self.store().shown(user).await?.ok_or(AuthError::NoSuch)?;
        Ok(self.as_it_is(row))
    }

    /// The e-mail of an account.
    ///
    /// # Errors
    /// `NoSuch`.
    pub async fn email_of(&self, id: &str) -> Result<String, AuthError> {
        let user = id.parse().map_err(|_| AuthError::NoSuch)?;
        Ok(self.shown(user).await?.email)
    }

    /// Every account, by e-mail.
    ///
    /// # Errors
    /// What the database says.
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, AuthError> {
        let rows = self.store().all_shown().await?;
        Ok(rows.into_iter().map(|row| self.as_it_is(row)).collect())
    }

    /// With the role that the settings make of the one that is written down.
    fn as_it_is(&self, row: AccountRow) -> AccountRow {
        let user = row.id.parse().unwrap_or(self.inner().owner.user);
        let role = Role::of(&row.role).unwrap_or(Role::User);
        let account = Account {
            user,
            email: row.email.clone(),
            role,
            proven: row.proven,
            disabled: row.disabled_at.is_some(),
            has_identity: false,
        };
        AccountRow { role: self.role(&account).as_str().to_owned(), ..row }
    }
}

fn taken(email: &str) -> AuthError {
    AuthError::Taken(format!(
        "{email} cannot be registered: it has an account, or is kept for one."
    ))
}

fn checked_name(name: &str) -> Result<&str, AuthError> {
    if name.chars().count() > NAME_LENGTH || name.contains(char::is_control) {
        let why = format!("A name has at most {NAME_LENGTH} characters, all of them printable.");
        return Err(AuthError::Invalid(why));
    }
    Ok(name)
}

/// Roughly an address (RFC 5321, section 4.1.2): one `@`, something before it, a domain with a dot.
fn check_email(email: &str) -> Result<(), AuthError> {
    let fits = email.len() <= EMAIL_LENGTH
        && email.split_once('@').is_some_and(|(name, host)| {
            let is_name = !name.is_empty() && name.len() <= 64 && !name.contains("..");
            let is_label = |label: &str| {
                !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            };
            is_name && host.contains('.') && host.split('.').all(is_label)
        })
        && !email
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"".contains(c));
    if fits {
        Ok(())
    } else {
        Err(AuthError::Invalid(format!("\"{email}\" is no e-mail address.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_look_like_addresses() {
        for good in ["ann@example.org", "a.b+c@mail.example.co.uk", "ä@example.org"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@host",
            "a@b@c.d",
            "a b@c.d",
            "a@c..d",
            "<a@c.d>",
        ] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }
}
