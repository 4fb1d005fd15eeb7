//! `ocitag serve`: a registry for tests and demonstrations.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use plimsoll_registry::fake::{FakeOptions, FakeRegistry, Profile};

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on; port 0 is any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Behave as this registry is reported to; a plain one that follows the specification and
    /// asks for no password if left out.
    #[arg(long, value_name = "NAME", value_parser = profiles())]
    profile: Option<String>,
    /// Hold the OCI layouts below this directory, each a repository by its path, and keep there
    /// what is pushed; else nothing is kept.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

fn profiles() -> PossibleValuesParser {
    let profiles = Profile::all();
    let values =
        profiles.iter().map(|profile| PossibleValue::new(profile.name).help(profile.title));
    PossibleValuesParser::new(values)
}

pub(crate) async fn run(args: &ServeArgs) -> Result<Output, Failure> {
    let profile = args.profile.as_deref().and_then(Profile::named);
    // Waited for from the start: whoever reads the address may end it at once.
    let stopped = stop_signal()?;
    let listener = TcpListener::bind(args.listen).map_err(|error| {
        Failure::local(format!("failed to listen on {}: {error}", args.listen))
            .with_remedy("name another port by --listen, or 0 for any that is free")
    })?;
    let options = profile.as_ref().map_or_else(FakeOptions::default, |own| own.options.clone());
    let registry = match &args.directory {
        Some(directory) => FakeRegistry::over(directory, listener, options).await?,
        None => FakeRegistry::listen(listener, options)?,
    };
    let mut note = "note: this registry is for tests and demonstrations".to_owned();
    if let Some(profile) = &profile {
        profile.faults.iter().for_each(|rule| registry.fail(rule.clone()));
        note += &format!("; it behaves as {} is reported to", profile.title);
        if let Some((user, password)) = profile.credentials() {
            note += &format!(", and knows the user {user} by the password {password}");
        }
    }
    note += "\n";
    let printed = io::stderr()
        .write_all(note.as_bytes())
        .and_then(|()| writeln!(io::stdout(), "{}", registry.host()))
        .and_then(|()| io::stdout().flush());
    printed.map_err(|error| Failure::local(format!("failed to print the address: {error}")))?;
    stopped.await;
    drop(registry);
    Ok(Output { stdout: String::new(), events: Vec::new(), code: ExitCode::Success })
}

/// Ends with Ctrl-C or SIGTERM.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};

    let failed = |error| Failure::local(format!("failed to wait for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends with Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    Ok(async {
        // Without a way to wait for it, it is killed as any other program.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
