//! The `ocitag` command: `main` parses the command line, runs one command and prints what it
//! made.

mod aliases;
mod apply;
mod args;
mod batch;
pub mod dcd;
mod destination;
mod exit_code;
mod failure;
mod login;
mod logout;
mod output;
mod plan_file;
mod promote;
mod tag;
mod text;
mod untag;

use std::collections::BTreeSet;
use std::io::Read as _;

use clap::Parser as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{AliasesArgs, Cli, Command, Format, OutputArgs};
pub use crate::exit_code::ExitCode;
pub use crate::failure::Failure;
pub use crate::output::Output;
pub use crate::text::{plan as plan_text, report as report_text};

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let output = match &cli.command {
        None => run(&cli.tag.output, tag::run(&cli.tag)),
        Some(Command::Tag(args)) => run(&args.output, tag::run(args)),
        Some(Command::Plan(args)) => {
            run(&args.tag.output, tag::plan(&args.tag, args.plan_out.as_deref()))
        }
        Some(Command::Apply(args)) => run(&args.output, apply::run(args)),
        Some(Command::Dcd { args }) => run(&OutputArgs::default(), dcd::run(args)),
        Some(Command::Promote(args)) => run(&args.output, promote::run(args)),
        Some(Command::Untag(args)) => run(&args.output, untag::run(args)),
        Some(Command::Login(args)) => run(&args.output, login::run(args)),
        Some(Command::Logout(args)) => run(&args.output, logout::run(args)),
        Some(Command::Aliases(args)) => aliases(args),
    };
    output.unwrap_or_else(Output::from).print().into()
}

/// Runs a command that talks to registries.
fn run(
    options: &OutputArgs,
    command: impl Future<Output = Result<Output, Failure>>,
) -> Result<Output, Failure> {
    log_to_stderr(options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::local(format!("failed to start the runtime: {error}")))?;
    runtime.block_on(command)
}

fn aliases(args: &AliasesArgs) -> Result<Output, Failure> {
    let release = args.release.release()?;
    let images = tag::parse(&args.images)?;
    let existing = match &args.existing {
        None => BTreeSet::new(),
        Some(path) => {
            let mut text = String::new();
            let read = if path.as_os_str() == "-" {
                std::io::stdin().read_to_string(&mut text).map(drop)
            } else {
                std::fs::read_to_string(path).map(|read| text = read)
            };
            read.map_err(|error| {
                Failure::local(format!("failed to read tags from {}: {error}", path.display()))
            })?;
            aliases::read_tags(path, &text)?
        }
    };
    let aliases = aliases::Aliases::of(&release, &images, &existing);
    let (stdout, stderr) = match args.output.output {
        Format::Json => (output::json(&aliases), String::new()),
        Format::Text => (aliases.text(), aliases.notes()),
    };
    let stderr = if args.output.quiet { String::new() } else { stderr };
    Ok(Output { stdout, stderr, code: ExitCode::Success })
}

/// Only our own crates log: what the libraries below print may hold headers.
fn log_to_stderr(options: &OutputArgs) {
    let level = match (options.quiet, options.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let targets =
        Targets::new().with_target("plimsoll_registry", level).with_target("ocitag", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    tracing_subscriber::registry().with(lines).with(targets).init();
}
