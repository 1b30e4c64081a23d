//! `audiomill key`: API keys, straight on the database.

use std::fmt::Write as _;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::serve::{config, with_settings};
use super::{Outcome, Refused, on_accounts, say};
use crate::auth::{Auth, AuthError, KeyRequest, Scopes};
use crate::base::KeyId;
use crate::base::clock::rfc3339;
use crate::ledger::By;

pub(super) fn command() -> Command {
    let user = Arg::new("user")
        .long("user")
        .value_name("EMAIL")
        .help("whose key it is; the owner's when not given");
    let create = Command::new("create")
        .about("Make a key and print it, this once")
        .arg(user.clone())
        .arg(Arg::new("name").long("name").required(true).help("what you call it"))
        .arg(
            Arg::new("scopes")
                .long("scopes")
                .default_value("jobs:read jobs:write")
                .value_parser(|words: &str| words.parse::<Scopes>())
                .help("what it may: jobs:read jobs:write admin"),
        )
        .arg(
            Arg::new("days")
                .long("days")
                .value_parser(value_parser!(u32).range(1..))
                .help("days until it ends; it never does when not given"),
        );
    let list = Command::new("list").about("List the keys of an account").arg(user);
    let revoke =
        Command::new("revoke").about("End a key: the next request with it is refused").arg(
            Arg::new("key")
                .value_name("ID")
                .required(true)
                .value_parser(|id: &str| id.parse::<KeyId>()),
        );
    Command::new("key")
        .about("API keys")
        .subcommand_required(true)
        .subcommands([create, list, revoke].map(with_settings))
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let Some((name, arguments)) = arguments.subcommand() else {
        return Err(Refused::Usage(String::from("key takes create, list or revoke")));
    };
    let config = config(arguments)?;
    say(&on_accounts(&config, async |auth| match name {
        "create" => create(auth, arguments).await,
        "list" => list(auth, arguments).await,
        _ => revoke(auth, arguments).await,
    })?)
}

async fn create(auth: &Auth, arguments: &ArgMatches) -> Result<String, AuthError> {
    let text = |name: &str| arguments.get_one::<String>(name).map(String::as_str);
    let owner = auth.account(text("user")).await?;
    let request = KeyRequest {
        name: text("name").unwrap_or_default().to_owned(),
        scopes: arguments.get_one("scopes").copied().unwrap_or_default(),
        days: arguments.get_one("days").copied(),
    };
    let made = auth.create_key(By::COMMAND_LINE, &owner, &request).await?;
    Ok(format!("{}\n", made.key))
}

async fn list(auth: &Auth, arguments: &ArgMatches) -> Result<String, AuthError> {
    let user = arguments.get_one::<String>("user").map(String::as_str);
    let owner = auth.account(user).await?;
    let mut table = String::new();
    for key in auth.keys(owner.user).await? {
        let moment = |time: Option<i64>| time.map_or_else(|| String::from("-"), rfc3339);
        let ends = match key.revoked_at {
            Some(revoked) => format!("revoked {}", rfc3339(revoked)),
            None => format!("ends {}", moment(key.expires_at)),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "{}  {}…  {}  [{}]  {ends}  used {} times, last {}",
            key.id,
            key.prefix,
            key.name,
            key.scopes,
            key.uses,
            moment(key.last_used_at)
        );
    }
    Ok(table)
}

async fn revoke(auth: &Auth, arguments: &ArgMatches) -> Result<String, AuthError> {
    let Some(&id) = arguments.get_one::<KeyId>("key") else {
        return Err(AuthError::NoSuch);
    };
    auth.revoke_any_key(By::COMMAND_LINE, id).await?;
    Ok(String::from("revoked\n"))
}
