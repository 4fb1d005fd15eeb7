//! `ocitag login`: check a user and password, then keep them where `docker login` does.

use std::path::Path;

use clap::Args;
use plimsoll_registry::{
    Admission, CredentialError, Credentials, Environment, Host, Keeper, Keyring, KeyringError,
    SCHEMA,
};
use serde::Serialize;

use crate::args::{Format, OutputArgs, RegistryArgs};
use crate::destination::{Destinations, password};
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{self, Output};

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// The registry, as it stands in the names of its images.
    #[arg(value_name = "HOST", default_value = "docker.io")]
    pub(crate) host: String,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What `--output json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Login<'l> {
    schema: u32,
    host: String,
    username: &'l str,
    /// Whether the registry asked for the credentials, and accepted them.
    verified: bool,
    kept: Kept<'l>,
    notes: Vec<String>,
}

/// Where the login is kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum Kept<'l> {
    File { path: &'l Path },
    Helper { path: &'l Path, program: &'l str },
}

pub(crate) async fn run(args: &LoginArgs) -> Result<Output, Failure> {
    let host = host(&args.host)?;
    let username = username(&args.registry)?;
    let environment = Environment::of_process();
    let password = password(&args.registry, &environment)?;
    let keyring = Keyring::from_environment(&environment).map_err(|error| failure(&error))?;
    let shown = Credentials::fixed(username, password.clone());
    let mut destinations = Destinations::with_credentials(&args.registry, environment, shown);
    let admission = destinations.registry(&host)?.admission().await?;
    let stored = keyring.store(&host, username, &password).await;
    let keeper = stored.map_err(|error| failure(&error))?;
    let path = keyring.path();
    let kept = match &keeper {
        Keeper::Helper { program } => Kept::Helper { path, program },
        _ => Kept::File { path },
    };
    let verified = admission == Admission::Known;
    let elsewhere = keyring.elsewhere(&host).await;
    let notes = [
        kept.note(),
        (!verified).then(|| {
            format!("{host} asked for no credentials: whether these are right is not known")
        }),
        overruled(&host, elsewhere),
    ];
    let notes = notes.into_iter().flatten().collect();
    let host = host.to_string();
    let login = Login { schema: SCHEMA, host, username, verified, kept, notes };
    let text = format!("logged in to {} as {username}\n", login.host);
    Ok(printed(&args.output, &login, text, &login.notes))
}

/// The result as text or JSON, and `notes` for people beside it.
pub(crate) fn printed(
    options: &OutputArgs,
    result: &impl Serialize,
    text: String,
    notes: &[String],
) -> Output {
    let stdout = match options.output {
        Format::Json => output::json(result),
        Format::Text if options.quiet => String::new(),
        Format::Text => text,
    };
    let events = notes.iter().cloned().map(|message| Event::Note { message });
    Output { events: events.collect(), ..Output::success(stdout) }
}

/// The host on the command line.
pub(crate) fn host(text: &str) -> Result<Host, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("HOST: {error}")))
}

/// What a keyring could not do.
pub(crate) fn failure(error: &KeyringError) -> Failure {
    Failure::of(error, ExitCode::Local).with_remedy(error.remedy())
}

fn username(args: &RegistryArgs) -> Result<&str, Failure> {
    let remedy = "name the user with --username, or in OCITAG_USERNAME";
    match args.username.as_deref() {
        None | Some("") => Err(Failure::usage("login needs --username").with_remedy(remedy)),
        Some(name) if name.contains(':') => {
            Err(Failure::usage("--username: a user name has no colon in it")
                .with_remedy("give the password on standard input with --password-stdin"))
        }
        Some(name) => Ok(name),
    }
}

impl Kept<'_> {
    /// What there is to say against keeping it there.
    fn note(&self) -> Option<String> {
        let Self::File { path } = self else { return None };
        Some(format!(
            "the password is not encrypted in {}; to have a credential helper keep it, \
             name one as \"credsStore\" there and log in again",
            path.display()
        ))
    }
}

/// Other credentials that every lookup finds before the ones just kept.
fn overruled(host: &Host, elsewhere: Result<Option<String>, CredentialError>) -> Option<String> {
    match elsewhere {
        Ok(None) => None,
        Ok(Some(place)) => Some(format!("{place} has credentials for {host}, too, and goes first")),
        Err(error) => Some(Failure::of(&error, ExitCode::Local).message),
    }
}
