//! The command line.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use plimsoll_registry::{
    AliasPolicy, Guard, Platform, Precision, Release, VersionGrammar, VersionTag,
};

use crate::exit_code;
use crate::failure::Failure;
use crate::login::LoginArgs;
use crate::logout::LogoutArgs;
use crate::mirror::Mirror;
use crate::serve::ServeArgs;

/// Move image tags in the registry itself: 1.2.3 becomes 1.2, 1 and latest, never backwards.
///
/// Nothing is pulled and no daemon is needed. IMAGE is [HOST[:PORT]/]NAME[:TAG][@DIGEST], or
/// oci:DIR[:TAG][@DIGEST] for an OCI image layout, oci-archive:FILE for one in a tar file, or
/// docker-archive:FILE for what `docker save` wrote. What is tagged is IMAGE's own tag or digest;
/// without one, the exact tag, which was pushed before.
///
/// An alias moves only to the highest stable version of its series in the registry: 1.2.4
/// released after 1.3.0 moves 1.2 and nothing else. A prerelease moves no alias. A version tag
/// that exists with another image stops the run before anything is written.
#[derive(Debug, Parser)]
#[command(
    name = "ocitag",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = exit_code::HELP,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) tag: TagArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tag images in their registries (the default).
    #[command(after_help = exit_code::HELP)]
    Tag(Box<TagArgs>),
    /// Print the references a release has, offline: for `docker buildx build -t`.
    ///
    /// One reference a line: the exact version, then its aliases from narrow to broad.
    #[command(after_help = exit_code::HELP)]
    Aliases(AliasesArgs),
    /// Plan a release and write nothing to the registry; `ocitag apply` does the rest.
    #[command(after_help = exit_code::HELP)]
    Plan(Box<PlanArgs>),
    /// Do what a plan says, unless anything it depends on has changed since.
    #[command(after_help = exit_code::HELP)]
    Apply(Box<ApplyArgs>),
    /// Copy an image to other repositories or registries, and tag it there.
    ///
    /// With --semver the image is released at every destination, its aliases included. Without,
    /// it gets the tag that the destination names, or the one it has.
    #[command(after_help = exit_code::HELP)]
    Promote(Box<PromoteArgs>),
    /// The command line of docker-ci-deploy, run against the registry; docs/dcd.md says where
    /// it differs.
    #[command(disable_help_flag = true)]
    Dcd {
        /// What `dcd` takes: `ocitag dcd --help` lists it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Remove tags, and never the images they point at.
    #[command(after_help = exit_code::HELP)]
    Untag(Box<UntagArgs>),
    /// Check a user and password against a registry, and keep them for later runs.
    ///
    /// They are kept where `docker login` keeps them, so that docker and podman find them, too:
    /// by the credential helper that Docker's configuration names, else in that file.
    #[command(after_help = exit_code::HELP)]
    Login(Box<LoginArgs>),
    /// Forget the user and password for a registry.
    #[command(after_help = exit_code::HELP)]
    Logout(LogoutArgs),
    /// Be a registry, for tests and demonstrations.
    ///
    /// Its address is printed on stdout in one line. It ends on Ctrl-C or SIGTERM. All that it
    /// serves fits in memory, with DIR as well; it is no registry to run a service on.
    Serve(ServeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// The images to tag. All of them are planned before the first tag is written.
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
    #[command(flatten)]
    pub(crate) conduct: ConductArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Write the plan to this file, for `ocitag apply`.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan_out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tag: TagArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The image to copy: IMAGE:TAG or IMAGE@DIGEST; with --semver the exact tag is understood.
    #[arg(value_name = "SRC")]
    pub(crate) source: String,
    /// Where to. All destinations are planned before anything is written.
    #[arg(value_name = "DST", required = true)]
    pub(crate) destinations: Vec<String>,
    /// Release the image at the destinations as this version.
    #[arg(long, value_name = "VERSION")]
    pub(crate) semver: Option<String>,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) conduct: ConductArgs,
    /// Copy layers too whose media type says that registries do not distribute them.
    #[arg(long)]
    pub(crate) include_foreign: bool,
    /// Leave behind what is attached to the image, such as its signatures.
    #[arg(long)]
    pub(crate) no_referrers: bool,
    /// Copy only what an index has for this platform. What arrives is that platform's manifest:
    /// another digest than the index.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", conflicts_with = "require_platforms")]
    pub(crate) platform: Option<String>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// What `ocitag plan --plan-out FILE` wrote.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UntagArgs {
    /// The tags to remove.
    #[arg(value_name = "IMAGE:TAG", required = true)]
    pub(crate) images: Vec<String>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AliasesArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// The images, as the references should name them; a tag or digest is replaced.
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
    /// The tags that exist, one a line, from a file or from standard input (-): aliases that a
    /// newer version holds are then left out.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) existing: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What is released, and which aliases it has.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The version: 1.2.3, v1.2.3, 1.2.3-rc.1, 1.2.3+build.
    #[arg(long, value_name = "VERSION", required = true)]
    semver: Option<String>,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// Which tags a version comes to.
#[derive(Debug, Args)]
pub(crate) struct ShapeArgs {
    /// Release as this variant: 1.2.3-VARIANT, 1.2-VARIANT, 1-VARIANT and VARIANT. May be
    /// repeated; '' is the image without a variant.
    #[arg(long = "tag", short = 't', value_name = "VARIANT")]
    variants: Vec<String>,
    /// How far the version is shortened.
    #[arg(long, value_enum, default_value_t = PrecisionArg::Major)]
    precision: PrecisionArg,
    /// Keep the alias 0 (or v0) too: versions 0.x promise no compatibility.
    #[arg(long)]
    zero_major: bool,
    /// Do not touch latest, nor a variant's bare name.
    #[arg(long)]
    no_latest: bool,
    /// A version that is broken, by its exact tag: it keeps no alias from this one. May be
    /// repeated. An alias that is on it stays there, unless --allow-downgrade. Give the same list
    /// to every run.
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    yanked: Vec<String>,
}

/// How careful a release is.
#[derive(Debug, Args)]
pub(crate) struct ConductArgs {
    /// Replace an exact tag that holds another image, and win against versions of equal
    /// precedence.
    #[arg(long)]
    pub(crate) force: bool,
    /// Write the tags without reading the others of the repository: for those whose tag list is
    /// denied or enormous. Whether a newer version exists is then for you to know. Exact tags are
    /// still looked at, unless --force is given, too.
    #[arg(long, conflicts_with = "yanked")]
    no_guard: bool,
    /// Do nothing unless the image has all of these: an alias would else take a platform from
    /// those who follow it.
    #[arg(long, value_name = "OS/ARCH[/VARIANT],...", value_delimiter = ',')]
    pub(crate) require_platforms: Vec<Platform>,
    /// Move an alias down that is on a version named by --yanked.
    #[arg(long, requires = "yanked")]
    allow_downgrade: bool,
    /// Print what would be done, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How registries are reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registry")]
pub(crate) struct RegistryArgs {
    /// The user to log in as, instead of what Docker's or Podman's configuration says.
    #[arg(long, value_name = "NAME", env = "OCITAG_USERNAME", hide_env_values = true)]
    pub(crate) username: Option<String>,
    /// Read the password from standard input; else it is taken from OCITAG_PASSWORD.
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Speak http, not https. Registries on this machine's loopback are spoken to so anyway.
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// Accept any certificate. Whoever sits between can then read the password.
    #[arg(long)]
    pub(crate) insecure_skip_tls_verify: bool,
    /// Speak HTTP/1.1 also where HTTP/2 is offered: uploads through some proxies are faster so.
    #[arg(long, env = "OCITAG_HTTP1", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) http1: bool,
    /// Certificate authorities to trust beside the system's, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Client certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    pub(crate) cert_file: Option<PathBuf>,
    /// Key of the client certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    pub(crate) key_file: Option<PathBuf>,
    /// Read manifests by digest, and blobs, of REGISTRY from MIRROR first, which is
    /// [http://]HOST[:PORT][/PATH]. May be repeated, and separated by commas in OCITAG_MIRRORS.
    /// What decides anything is never asked of a mirror, and it is shown no password but its own.
    #[arg(
        long = "mirror",
        value_name = "REGISTRY=MIRROR",
        env = "OCITAG_MIRRORS",
        value_delimiter = ','
    )]
    pub(crate) mirrors: Vec<Mirror>,
    /// How many requests may be under way at once.
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) concurrency: NonZeroUsize,
    /// How long one request may take, its retries included, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub(crate) timeout: u64,
}

/// What is printed.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    /// Say on stderr what is done; twice: every request.
    #[arg(long, short, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Print errors only.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Say on stderr what happens in lines of JSON, and nothing else; docs/events.md lists them.
    #[arg(long, value_enum, value_name = "FORMAT", env = "OCITAG_EVENTS")]
    pub(crate) events: Option<Events>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs; the README documents it.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Events {
    /// One object a line.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PrecisionArg {
    /// 1.2.3 is also 1.2 and 1.
    Major,
    /// 1.2.3 is also 1.2.
    Minor,
    /// 1.2.3 is not shortened.
    Patch,
}

impl ReleaseArgs {
    /// What is released, with the guard on and nothing forced.
    pub(crate) fn release(&self) -> Result<Release, Failure> {
        self.shape.release(self.semver.as_deref().unwrap_or_default())
    }
}

impl ConductArgs {
    /// `release` with this care.
    pub(crate) fn apply_to(&self, release: Release) -> Release {
        Release {
            force: self.force,
            guard: self.guard(),
            allow_downgrade: self.allow_downgrade,
            ..release
        }
    }

    pub(crate) fn guard(&self) -> Guard {
        if self.no_guard { Guard::Off } else { Guard::Full }
    }
}

impl ShapeArgs {
    /// What is released, with the guard on and nothing forced.
    pub(crate) fn release(&self, semver: &str) -> Result<Release, Failure> {
        let grammar = VersionGrammar::default();
        let usage = |option: &str, error: plimsoll_registry::VersionError| {
            Failure::usage(format!("{option}: {error}"))
        };
        let version = grammar.parse(semver).map_err(|error| usage("--semver", error))?;
        let mut versions: Vec<VersionTag> = Vec::new();
        for variant in &self.variants {
            let varied = version.with_variant(variant, &grammar);
            let varied = varied.map_err(|error| usage("--tag", error))?;
            if !versions.contains(&varied) {
                versions.push(varied);
            }
        }
        if versions.is_empty() {
            versions.push(version);
        }
        let mut yanked = BTreeSet::new();
        for text in &self.yanked {
            let broken = grammar.parse(text).map_err(|error| usage("--yanked", error))?;
            if versions.contains(&broken) {
                return Err(Failure::usage(format!("--yanked: {text} is what is released"))
                    .with_remedy("leave it out of --yanked, or release another version"));
            }
            yanked.insert(broken.tag().clone());
        }
        let precision = match self.precision {
            PrecisionArg::Major => Precision::Major,
            PrecisionArg::Minor => Precision::Minor,
            PrecisionArg::Patch => Precision::Patch,
        };
        let policy =
            AliasPolicy { precision, zero_major: self.zero_major, latest: !self.no_latest };
        Ok(Release { grammar, yanked, ..Release::new(versions, policy) })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn tag_is_the_default_command() {
        let short = Cli::try_parse_from(["ocitag", "--semver", "1.2.3", "a"]).expect("parsed");
        assert!(short.command.is_none());
        let long = Cli::try_parse_from(["ocitag", "tag", "--semver", "1.2.3", "a"]);
        let long = long.expect("parsed");
        let Some(Command::Tag(long)) = long.command else { panic!("{long:?}") };
        assert_eq!(long.images, short.tag.images);
    }

    #[test]
    fn without_a_version_or_an_image_it_is_a_usage_error() {
        for args in [&["ocitag"][..], &["ocitag", "a"], &["ocitag", "tag", "--semver", "1.2.3"]] {
            assert_eq!(Cli::try_parse_from(args).expect_err("incomplete").exit_code(), 2);
        }
    }
}
