//! `ocitag logout`: forget a login, wherever Docker may have kept it.

use clap::Args;
use plimsoll_registry::{Environment, Keyring, SCHEMA};
use serde::Serialize;

use crate::args::OutputArgs;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::login;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct LogoutArgs {
    /// The registry, as it stands in the names of its images.
    #[arg(value_name = "HOST", default_value = "docker.io")]
    pub(crate) host: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What `--output json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logout {
    schema: u32,
    host: String,
    /// Whether there was a login to forget.
    was_logged_in: bool,
    notes: Vec<String>,
}

pub(crate) async fn run(args: &LogoutArgs) -> Result<Output, Failure> {
    let host = login::host(&args.host)?;
    let environment = Environment::of_process();
    let keyring =
        Keyring::from_environment(&environment).map_err(|error| login::failure(&error))?;
    let erased = keyring.erase(&host).await;
    let was_logged_in = erased.map_err(|error| login::failure(&error))?;
    let note = match keyring.elsewhere(&host).await {
        Ok(None) => None,
        Ok(Some(place)) => Some(format!("{place} still has credentials for {host}")),
        Err(error) => Some(Failure::of(&error, ExitCode::Local).message),
    };
    let (host, notes) = (host.to_string(), note.into_iter().collect());
    let logout = Logout { schema: SCHEMA, host, was_logged_in, notes };
    let text = match was_logged_in {
        true => format!("logged out of {}\n", logout.host),
        false => format!("not logged in to {}\n", logout.host),
    };
    Ok(login::printed(&args.output, &logout, text, &logout.notes))
}
