//! `audiomill user`: accounts, straight on the database.

use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::serve::{config, with_settings};
use super::{Outcome, Refused, on_accounts, say};
use crate::app::issue_link;
use crate::auth::{AccountChange, AccountRequest, Auth, AuthError, KeyRequest, Role, Scopes};
use crate::ledger::By;

pub(super) fn command() -> Command {
    let email = Arg::new("email").value_name("EMAIL").required(true);
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let add = Command::new("add")
        .about("Make an account; its password is asked for, or read from stdin")
        .arg(email.clone())
        .arg(flag("admin", "it sees to the server too"))
        .arg(flag("test", "without a password; prints a key for it"));
    let list = Command::new("list").about("List the accounts");
    let passwd = Command::new("passwd")
        .about("Set another password; sessions and tokens of the account end")
        .arg(email.clone());
    let disable = Command::new("disable")
        .about("Shut an account: it is refused from the next request on")
        .arg(email.clone());
    let enable = Command::new("enable").about("Let an account in again").arg(email);
    let link = Command::new("link").about("Print a new one-time sign-in link; older ones are void");
    Command::new("user")
        .about("Accounts")
        .subcommand_required(true)
        .subcommands([add, list, passwd, disable, enable, link].map(with_settings))
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let Some((name, arguments)) = arguments.subcommand() else {
        let takes = "user takes add, list, passwd, disable, enable or link";
        return Err(Refused::Usage(String::from(takes)));
    };
    let config = config(arguments)?;
    let password = match name {
        "add" if !arguments.get_flag("test") => Some(read_password()?),
        "passwd" => Some(read_password()?),
        _ => None,
    };
    if name == "link" {
        let runtime = super::runtime()?;
        let link = runtime.block_on(issue_link(&config, By::COMMAND_LINE));
        return say(&format!("{}\n", link.map_err(|error| Refused::Failed(error.to_string()))?));
    }
    say(&on_accounts(&config, async |auth| match name {
        "add" => add(auth, arguments, password).await,
        "list" => list(auth).await,
        "passwd" => {
            let password = password.unwrap_or_default();
            auth.reset_password(By::COMMAND_LINE, email(arguments), &password).await?;
            Ok(String::from("The password is set.\n"))
        }
        "disable" => change(auth, arguments, true).await,
        _ => change(auth, arguments, false).await,
    })?)
}

fn email(arguments: &ArgMatches) -> &str {
    arguments.get_one::<String>("email").map_or("", String::as_str)
}

async fn add(
    auth: &Auth,
    arguments: &ArgMatches,
    password: Option<String>,
) -> Result<String, AuthError> {
    let role = if arguments.get_flag("admin") { Role::Admin } else { Role::User };
    let request = AccountRequest {
        email: email(arguments).to_owned(),
        password,
        ..AccountRequest::default()
    };
    auth.add_account(By::COMMAND_LINE, &request, role).await?;
    let account = auth.account(Some(email(arguments))).await?;
    let mut told = format!("The account {} is there.\n", account.email);
    if arguments.get_flag("test") {
        let scopes = if role == Role::Admin { Scopes::ALL } else { Scopes::JOBS };
        let request = KeyRequest { name: String::from("test"), scopes, days: None };
        let made = auth.create_key(By::COMMAND_LINE, &account, &request).await?;
        // Writing to a string cannot fail.
        let _ = writeln!(told, "Its key, shown this once: {}", made.key);
    }
    Ok(told)
}

async fn list(auth: &Auth) -> Result<String, AuthError> {
    let mut table = String::new();
    for account in auth.accounts().await? {
        let state = if account.disabled_at.is_some() { "disabled" } else { "open" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "{}  {}  {}  {}  {state}{}",
            account.id,
            account.email,
            account.role,
            account.plan,
            if account.proven { "" } else { ", e-mail not proven" }
        );
    }
    Ok(table)
}

async fn change(auth: &Auth, arguments: &ArgMatches, disabled: bool) -> Result<String, AuthError> {
    let change = AccountChange { disabled: Some(disabled), ..AccountChange::default() };
    auth.change_account(By::COMMAND_LINE, email(arguments), &change).await?;
    let state = if disabled { "shut" } else { "open" };
    Ok(format!("The account {} is {state}.\n", email(arguments)))
}

/// Asked for without showing it, or the first line of stdin. There is no default one.
fn read_password() -> Result<String, Refused> {
    let stdin = std::io::stdin();
    let refused = |error: std::io::Error| Refused::Failed(format!("the password: {error}"));
    if stdin.is_terminal() {
        return rpassword::prompt_password("Password: ").map_err(refused);
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(refused)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
