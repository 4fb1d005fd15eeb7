//! The command line, read as Python's argparse read it where that made sense.

use std::ffi::OsStr;

use super::error::DcdUsage;
use super::version::Levels;

/// What the arguments say, before any of it is checked for meaning.
#[derive(Debug, Default)]
pub(super) struct CommandLine {
    /// At least one.
    pub(super) images: Vec<String>,
    /// All values of every `--tag`; at least one if given.
    pub(super) tags: Option<Vec<String>>,
    /// Not empty.
    pub(super) version: Option<String>,
    pub(super) levels: Levels,
    /// Not empty.
    pub(super) registry: Option<String>,
    pub(super) dry_run: bool,
    pub(super) verbose: bool,
    pub(super) warnings: Vec<String>,
}

pub(super) enum Parsed {
    Help,
    Run(CommandLine),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opt {
    Help,
    Tag,
    Version,
    VersionLatest,
    VersionSemver,
    SemverPrecision,
    SemverZero,
    Registry,
    Verbose,
    DryRun,
    Executable,
    TagVersion,
    TagLatest,
    TagSemver,
}

enum Arity {
    Flag,
    One,
    /// As many as follow, as argparse has it for `nargs='+'`.
    Greedy,
}

const OPTIONS: [(Opt, &str, Option<char>); 14] = [
    (Opt::Help, "--help", Some('h')),
    (Opt::Tag, "--tag", Some('t')),
    (Opt::Version, "--version", Some('V')),
    (Opt::VersionLatest, "--version-latest", Some('L')),
    (Opt::VersionSemver, "--version-semver", Some('S')),
    (Opt::SemverPrecision, "--semver-precision", Some('P')),
    (Opt::SemverZero, "--semver-zero", Some('Z')),
    (Opt::Registry, "--registry", Some('r')),
    (Opt::Verbose, "--verbose", Some('v')),
    (Opt::DryRun, "--dry-run", None),
    (Opt::Executable, "--executable", None),
    (Opt::TagVersion, "--tag-version", None),
    (Opt::TagLatest, "--tag-latest", None),
    (Opt::TagSemver, "--tag-semver", None),
];

impl Opt {
    fn name(self) -> &'static str {
        let entry = OPTIONS.iter().find(|(opt, ..)| *opt == self);
        entry.expect("every option is in the table").1
    }

    fn arity(self) -> Arity {
        match self {
            Self::Tag => Arity::Greedy,
            Self::Version | Self::SemverPrecision | Self::Registry => Arity::One,
            Self::Executable | Self::TagVersion => Arity::One,
            Self::Help | Self::Verbose | Self::DryRun | Self::SemverZero => Arity::Flag,
            Self::VersionLatest | Self::VersionSemver => Arity::Flag,
            Self::TagLatest | Self::TagSemver => Arity::Flag,
        }
    }

    /// An exact name, or an abbreviation of one option alone.
    fn by_name(name: &str) -> Result<Self, DcdUsage> {
        if let Some((opt, ..)) = OPTIONS.iter().find(|(_, long, _)| *long == name) {
            return Ok(*opt);
        }
        let short_for = |(_, long, _): &&(Opt, &'static str, _)| long.starts_with(name);
        let candidates: Vec<_> = OPTIONS.iter().filter(short_for).collect();
        match candidates[..] {
            [(opt, ..)] => Ok(*opt),
            [] if name == "--login" => Err(DcdUsage::Login),
            [] => Err(DcdUsage::Unknown(name.to_owned())),
            _ => {
                let candidates = candidates.iter().map(|(_, long, _)| *long).collect();
                Err(DcdUsage::Ambiguous { option: name.to_owned(), candidates })
            }
        }
    }

    fn by_letter(letter: char) -> Result<Self, DcdUsage> {
        let known = OPTIONS.iter().find(|(_, _, short)| *short == Some(letter));
        match known {
            Some((opt, ..)) => Ok(*opt),
            None if letter == 'l' => Err(DcdUsage::Login),
            None => Err(DcdUsage::Unknown(format!("-{letter}"))),
        }
    }
}

pub(super) fn parse<S: AsRef<OsStr>>(args: &[S]) -> Result<Parsed, DcdUsage> {
    let mut texts = Vec::with_capacity(args.len());
    for arg in args {
        let arg = arg.as_ref();
        let not_unicode = || DcdUsage::NotUnicode(arg.to_string_lossy().into_owned());
        texts.push(arg.to_str().ok_or_else(not_unicode)?);
    }
    let mut scan = Scan { left: &texts, found: Found::default() };
    scan.run()?;
    if scan.found.has(Opt::Help) { Ok(Parsed::Help) } else { scan.found.finish().map(Parsed::Run) }
}

struct Scan<'a> {
    left: &'a [&'a str],
    found: Found,
}

/// The arguments sorted by option, still without meaning.
#[derive(Default)]
struct Found {
    flags: Vec<Opt>,
    images: Vec<String>,
    tags: Vec<TagList>,
    version: Option<String>,
    tag_version: Option<String>,
    precision: Option<i64>,
    registry: Option<String>,
}

/// The values of one `--tag`.
struct TagList {
    values: Vec<String>,
    /// `--tag=x` and `-tx` take one value and never an image.
    attached: bool,
}

impl<'a> Scan<'a> {
    fn run(&mut self) -> Result<(), DcdUsage> {
        while let Some(arg) = self.next() {
            if arg == "--" {
                let images = self.left.iter().map(|image| (*image).to_owned());
                self.found.images.extend(images);
                break;
            }
            if is_value(arg) {
                self.found.images.push(arg.to_owned());
            } else if arg.starts_with("--") {
                let (name, value) = match arg.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (arg, None),
                };
                self.option(Opt::by_name(name)?, value)?;
            } else {
                self.letters(&arg[1..])?;
            }
            if self.found.has(Opt::Help) {
                break;
            }
        }
        Ok(())
    }

    /// `-SLV 1.2.3`, `-V1.2.3`, `-V=1.2.3`.
    fn letters(&mut self, mut letters: &str) -> Result<(), DcdUsage> {
        while let Some(letter) = letters.chars().next() {
            let opt = Opt::by_letter(letter)?;
            letters = &letters[letter.len_utf8()..];
            let attached = letters.strip_prefix('=');
            if !matches!(opt.arity(), Arity::Flag) {
                let value = attached.or((!letters.is_empty()).then_some(letters));
                return self.option(opt, value);
            }
            self.option(opt, attached)?;
        }
        Ok(())
    }

    fn option(&mut self, opt: Opt, attached: Option<&str>) -> Result<(), DcdUsage> {
        match opt.arity() {
            Arity::Flag if attached.is_some() => return Err(DcdUsage::UnwantedValue(opt.name())),
            Arity::Flag => self.found.flags.push(opt),
            Arity::One => {
                let value = attached.or_else(|| self.next_value());
                let value = value.ok_or(DcdUsage::NoValue(opt.name()))?.to_owned();
                self.found.set(opt, value)?;
            }
            Arity::Greedy => {
                let values: Vec<_> = match attached {
                    Some(value) => vec![value.to_owned()],
                    None => std::iter::from_fn(|| self.next_value()).map(str::to_owned).collect(),
                };
                if values.is_empty() {
                    return Err(DcdUsage::NoValue(opt.name()));
                }
                self.found.tags.push(TagList { values, attached: attached.is_some() });
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        Some(first)
    }

    fn next_value(&mut self) -> Option<&'a str> {
        if is_value(self.left.first()?) { self.next() } else { None }
    }
}

/// Whether argparse takes it for a value: no dash before it, or a negative number.
fn is_value(arg: &str) -> bool {
    let Some(rest) = arg.strip_prefix('-') else { return true };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let decimal = |(whole, part): (&str, &str)| (whole.is_empty() || digits(whole)) && digits(part);
    rest.is_empty() || digits(rest) || rest.split_once('.').is_some_and(decimal)
}

impl Found {
    fn has(&self, flag: Opt) -> bool {
        self.flags.contains(&flag)
    }

    /// The last one counts.
    fn set(&mut self, opt: Opt, value: String) -> Result<(), DcdUsage> {
        match opt {
            Opt::Version => self.version = Some(value),
            Opt::TagVersion => self.tag_version = Some(value),
            Opt::Registry => self.registry = Some(value),
            Opt::SemverPrecision => match value.trim().parse() {
                Ok(number) => self.precision = Some(number),
                Err(_) => return Err(DcdUsage::NotANumber(value)),
            },
            // `--executable`: that it is given is all that matters.
            _ => self.flags.push(opt),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<CommandLine, DcdUsage> {
        let mut warnings = self.deprecations();
        let not_empty = |text: &String| !text.is_empty();
        let version = self.version.take().filter(not_empty);
        let version = version.or(self.tag_version.take().filter(not_empty));
        let latest = self.has(Opt::VersionLatest) || self.has(Opt::TagLatest);
        let semver = self.has(Opt::VersionSemver) || self.has(Opt::TagSemver);
        let zero = self.has(Opt::SemverZero);
        let requires = [
            (latest, Opt::VersionLatest, version.is_some(), Opt::Version),
            (semver, Opt::VersionSemver, version.is_some(), Opt::Version),
            (self.precision.is_some(), Opt::SemverPrecision, semver, Opt::VersionSemver),
            (zero, Opt::SemverZero, semver, Opt::VersionSemver),
        ];
        for (given, option, met, needs) in requires {
            if given && !met {
                return Err(DcdUsage::Requires { option: option.name(), needs: needs.name() });
            }
        }
        if let Some(precision @ ..1) = self.precision {
            warnings.push(format!("--semver-precision {precision} means 1: the whole version"));
        }
        if self.has(Opt::Executable) {
            warnings.push("--executable is ignored: no command is run".to_owned());
        }
        self.spare_images(&mut warnings)?;
        let tags: Vec<_> = self.tags.iter().flat_map(|list| list.values.clone()).collect();
        let registry = self.registry.take().filter(not_empty);
        if registry.as_ref().is_some_and(|registry| registry.contains('@')) {
            return Err(DcdUsage::RegistryUser);
        }
        Ok(CommandLine {
            tags: (!tags.is_empty()).then_some(tags),
            version,
            levels: Levels { latest, semver, precision: self.precision.unwrap_or(1), zero },
            registry,
            dry_run: self.has(Opt::DryRun),
            verbose: self.has(Opt::Verbose),
            images: self.images,
            warnings,
        })
    }

    fn deprecations(&self) -> Vec<String> {
        let old = [
            (self.tag_version.is_some(), Opt::TagVersion, Opt::Version),
            (self.has(Opt::TagLatest), Opt::TagLatest, Opt::VersionLatest),
            (self.has(Opt::TagSemver), Opt::TagSemver, Opt::VersionSemver),
        ];
        let given = old.into_iter().filter(|(given, ..)| *given);
        given
            .map(|(_, old, new)| format!("{} is deprecated: write {}", old.name(), new.name()))
            .collect()
    }

    /// Takes images back from `--tag` when it took all there were.
    ///
    /// `--tag a --tag b image` and `--tag a image1 image2` are in docker-ci-deploy's README, which
    /// has `--tag` take one value; so without any other image the last `--tag` does. Several
    /// values before what can only be an image could be either.
    fn spare_images(&mut self, warnings: &mut Vec<String>) -> Result<(), DcdUsage> {
        if !self.images.is_empty() {
            return Ok(());
        }
        let last = self.tags.last_mut().filter(|list| !list.attached && list.values.len() > 1);
        let images = last.ok_or(DcdUsage::NoImage)?.values.split_off(1);
        let only_an_image = |image: &String| image.contains(['/', ':', '@']);
        if !only_an_image(&images[0]) && images.iter().any(only_an_image) {
            return Err(DcdUsage::TagOrImage(images[0].clone()));
        }
        warnings.push(format!(
            "--tag took every value, so {} is read as image; write images before --tag or after --",
            images.join(", ")
        ));
        self.images = images;
        Ok(())
    }
}
