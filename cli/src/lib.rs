//! The `ocitag` command: `main` parses the command line, runs one command and prints what it
//! made.

mod aliases;
mod apply;
mod args;
mod bars;
mod batch;
mod command_name;
mod console;
pub mod dcd;
mod destination;
mod event;
mod exit_code;
mod failure;
mod github;
mod lines;
mod login;
mod logout;
mod mirror;
mod narrator;
mod output;
mod pace;
mod plan_file;
mod platforms;
mod promote;
mod results;
mod serve;
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
use crate::console::{Console, LogLine};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> std::process::ExitCode {
    let first = std::env::args_os().nth(1).and_then(|first| first.into_string().ok());
    let cli = Cli::try_parse()
        .unwrap_or_else(|error| command_name::suggest(error, first.as_deref()).exit());
    let code = match &cli.command {
        None => run(&cli.tag.output, async |console| tag::run(&cli.tag, console).await),
        Some(Command::Tag(args)) => {
            run(&args.output, async |console| tag::run(args, console).await)
        }
        Some(Command::Plan(args)) => run(&args.tag.output, async |console| {
            tag::plan(&args.tag, args.plan_out.as_deref(), console).await
        }),
        Some(Command::Apply(args)) => {
            run(&args.output, async |console| apply::run(args, console).await)
        }
        Some(Command::Dcd { args }) => dcd::main(args),
        Some(Command::Promote(args)) => {
            run(&args.output, async |console| promote::run(args, console).await)
        }
        Some(Command::Untag(args)) => {
            run(&args.output, async |console| untag::run(args, console).await)
        }
        Some(Command::Login(args)) => run(&args.output, async |_| login::run(args).await),
        Some(Command::Logout(args)) => run(&args.output, async |_| logout::run(args).await),
        Some(Command::Aliases(args)) => run(&args.output, async |_| aliases(args)),
        Some(Command::Serve(args)) => run(&OutputArgs::default(), async |_| serve::run(args).await),
    };
    code.into()
}

/// Runs a command and prints what it made.
fn run(
    options: &OutputArgs,
    command: impl AsyncFnOnce(&Console) -> Result<Output, Failure>,
) -> ExitCode {
    let console = Console::open(options);
    log_to(&console, options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let output = match runtime {
        Ok(runtime) => runtime.block_on(command(&console)),
        Err(error) => Err(Failure::local(format!("failed to start the runtime: {error}"))),
    };
    output.unwrap_or_else(Output::from).print(&console)
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
            let attempt = || format!("read tags from {}", path.display());
            read.map_err(|error| Failure::of_file(&attempt(), &error))?;
            aliases::read_tags(path, &text)?
        }
    };
    let aliases = aliases::Aliases::of(&release, &images, &existing);
    Ok(match args.output.output {
        Format::Json => Output::success(output::json(&aliases)),
        Format::Text => {
            Output { events: aliases.notes().collect(), ..Output::success(aliases.text()) }
        }
    })
}

/// Only our own crates log: what the libraries below print may hold headers.
fn log_to(console: &Console, options: &OutputArgs) {
    let level = match (options.quiet, options.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let targets =
        Targets::new().with_target("plimsoll_registry", level).with_target("ocitag", level);
    let console = console.clone();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || LogLine(console.clone()))
        .with_ansi(false)
        .with_target(false)
        .without_time();
    tracing_subscriber::registry().with(lines).with(targets).init();
}
