//! Destinations: from a reference to the store that holds it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_registry::{
    Access, CertificateError, Certificates, CopySource, Credentials, Destination, DockerArchive,
    Environment, Host, Layout, Location, OciArchive, Reference, Registry, RegistryOptions, Secret,
};

use crate::args::RegistryArgs;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::mirror::Mirror;
use crate::promote::Ends;

/// How registries know this program.
const USER_AGENT: &str = concat!("ocitag/", env!("CARGO_PKG_VERSION"));

/// Opens stores; the connections and tokens of one registry are shared by its repositories.
pub(crate) struct Destinations<'a> {
    args: &'a RegistryArgs,
    environment: Environment,
    credentials: Arc<Credentials>,
    registries: BTreeMap<Host, Registry>,
}

impl<'a> Destinations<'a> {
    /// Reads the password, when there is one to read.
    pub(crate) fn new(args: &'a RegistryArgs, references: &[Reference]) -> Result<Self, Failure> {
        let environment = Environment::of_process();
        let configured = || Credentials::from_environment(&environment);
        let credentials = match &args.username {
            Some(username) => {
                only_one_host(references)?;
                Credentials::fixed(username, password(args, &environment)?)
            }
            None if args.password_stdin => {
                return Err(Failure::usage("--password-stdin needs --username"));
            }
            None => configured(),
        };
        Ok(Self::with_credentials(args, environment, credentials))
    }

    /// With these credentials and no others.
    pub(crate) fn with_credentials(
        args: &'a RegistryArgs,
        environment: Environment,
        credentials: Credentials,
    ) -> Self {
        let credentials = Arc::new(credentials);
        Self { args, environment, credentials, registries: BTreeMap::new() }
    }

    /// The store that `reference` is in.
    pub(crate) fn open(&mut self, reference: &Reference) -> Result<Box<dyn CopySource>, Failure> {
        match reference.location() {
            Location::Registry(repository) => {
                let registry = self.registry(repository.host())?;
                Ok(Box::new(registry.repository(repository.path(), Access::PullPush)))
            }
            Location::Layout(path) => Ok(Box::new(Layout::open(path)?)),
            Location::OciArchive(path) => Ok(Box::new(OciArchive::open(path)?)),
            Location::DockerArchive(path) => Ok(Box::new(DockerArchive::open(path)?)),
            other => Err(Failure::usage(format!("{other}: nothing can be tagged there"))),
        }
    }

    /// The source of a copy and its destinations. Those of one registry share a token that is
    /// good for both, so that blobs can be mounted.
    pub(crate) fn open_copy(
        &mut self,
        source: &Reference,
        destinations: &[Reference],
    ) -> Result<Ends, Failure> {
        let mut shared: Option<Box<dyn CopySource>> = None;
        let mut ends: Vec<Box<dyn Destination>> = Vec::with_capacity(destinations.len());
        for destination in destinations {
            ends.push(match (source.location(), destination.location()) {
                (Location::Registry(from), Location::Registry(to)) if from.host() == to.host() => {
                    let registry = self.registry(to.host())?;
                    let sources = [from.path()];
                    let store =
                        registry.repository_with_sources(to.path(), Access::PullPush, &sources);
                    if let (None, Some(source)) = (&shared, store.source(from.path())) {
                        shared = Some(Box::new(source));
                    }
                    Box::new(store)
                }
                (_, Location::Registry(to)) => {
                    let registry = self.registry(to.host())?;
                    Box::new(registry.repository(to.path(), Access::PullPush))
                }
                (_, Location::Layout(path)) if path.exists() => Box::new(Layout::open(path)?),
                (_, Location::Layout(path)) => Box::new(Layout::create(path)?),
                (_, Location::OciArchive(path)) if path.exists() => {
                    Box::new(OciArchive::open(path)?)
                }
                (_, Location::OciArchive(path)) => Box::new(OciArchive::create(path)?),
                (_, Location::DockerArchive(path)) if path.exists() => {
                    Box::new(DockerArchive::open(path)?)
                }
                (_, Location::DockerArchive(path)) => Box::new(DockerArchive::create(path)?),
                (_, other) => {
                    return Err(Failure::usage(format!("{other}: nothing can be copied there")));
                }
            });
        }
        let source: Box<dyn CopySource> = match (shared, source.location()) {
            (Some(shared), _) => shared,
            (None, Location::Registry(from)) => {
                let registry = self.registry(from.host())?;
                Box::new(registry.repository(from.path(), Access::Pull))
            }
            (None, Location::Layout(path)) => Box::new(Layout::open(path)?),
            (None, Location::OciArchive(path)) => Box::new(OciArchive::open(path)?),
            (None, Location::DockerArchive(path)) => Box::new(DockerArchive::open(path)?),
            (None, other) => {
                return Err(Failure::usage(format!("{other}: nothing can be copied from there")));
            }
        };
        Ok((source, ends))
    }

    /// The client for the registry at `host`.
    pub(crate) fn registry(&mut self, host: &Host) -> Result<Registry, Failure> {
        if let Some(registry) = self.registries.get(host) {
            return Ok(registry.clone());
        }
        let mut certificates = self.certificates(host)?;
        if let (Some(cert), Some(key)) = (&self.args.cert_file, &self.args.key_file) {
            let with = certificates.with_identity_files(cert, key);
            certificates = with.map_err(|error| unusable(&error))?;
        }
        let options = RegistryOptions {
            plain_http: self.args.plain_http,
            insecure_skip_tls_verify: self.args.insecure_skip_tls_verify,
            certificates,
            http1_only: self.args.http1,
            timeout: Duration::from_secs(self.args.timeout),
            user_agent: USER_AGENT.to_owned(),
            credentials: Arc::clone(&self.credentials),
            ..RegistryOptions::default()
        };
        let mut registry = Registry::new(host.clone(), &options)?;
        if let Some((mirror, prefix)) = self.mirror(host)? {
            registry = registry.with_mirror(mirror, &prefix);
        }
        self.registries.insert(host.clone(), registry.clone());
        Ok(registry)
    }

    /// The mirror of the registry at `host`, and the path of its copy there.
    fn mirror(&self, host: &Host) -> Result<Option<(Registry, String)>, Failure> {
        let mut named = self.args.mirrors.iter().filter(|mirror| mirror.origin == *host);
        let Some(Mirror { host, prefix, plain_http, .. }) = named.next() else { return Ok(None) };
        if let Some(other) = named.next() {
            let (origin, other) = (&other.origin, &other.host);
            return Err(Failure::usage(format!("{origin} has two mirrors, {host} and {other}"))
                .with_remedy("name one of them"));
        }
        let options = RegistryOptions {
            plain_http: *plain_http,
            certificates: self.certificates(host)?,
            http1_only: self.args.http1,
            timeout: Duration::from_secs(self.args.timeout),
            // The registry itself is the next try.
            retries: 0,
            user_agent: USER_AGENT.to_owned(),
            // What the options say is for the registry itself.
            credentials: Arc::new(Credentials::from_environment(&self.environment)),
            ..RegistryOptions::default()
        };
        Ok(Some((Registry::new(host.clone(), &options)?, prefix.clone())))
    }

    /// What Docker's and Podman's `certs.d` have for the host, and the authority that is trusted
    /// beside.
    fn certificates(&self, host: &Host) -> Result<Certificates, Failure> {
        let directories = Certificates::directories(&self.environment);
        let found = Certificates::of_host(host, &directories);
        match &self.args.ca_file {
            Some(file) => found.and_then(|found| found.with_authority_file(file)),
            None => found,
        }
        .map_err(|error| unusable(&error))
    }
}

/// Certificates that cannot be used.
fn unusable(error: &CertificateError) -> Failure {
    let remedy = error.remedy();
    Failure::of(error, ExitCode::Local).with_remedy(remedy)
}

/// A password given for one registry is not shown to another.
fn only_one_host(references: &[Reference]) -> Result<(), Failure> {
    let mut hosts = references.iter().filter_map(|reference| match reference.location() {
        Location::Registry(repository) => Some(repository.host()),
        _ => None,
    });
    let Some(first) = hosts.next() else {
        return Err(Failure::usage("--username is for registries, and no image is in one"));
    };
    match hosts.find(|host| *host != first) {
        None => Ok(()),
        Some(other) => Err(Failure::usage(format!(
            "--username is for one registry, and the images are in {first} and {other}"
        ))
        .with_remedy("run once for each registry, or log in to each with ocitag login")),
    }
}

/// The password that goes with `--username`.
pub(crate) fn password(args: &RegistryArgs, environment: &Environment) -> Result<Secret, Failure> {
    let text = if args.password_stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| {
            Failure::local(format!("failed to read the password from standard input: {error}"))
        })?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    } else {
        let variable = environment.variable("OCITAG_PASSWORD").unwrap_or_default();
        variable.to_string_lossy().into_owned()
    };
    if text.is_empty() {
        return Err(Failure::usage("--username needs a password").with_remedy(
            "give it on standard input with --password-stdin, or in OCITAG_PASSWORD",
        ));
    }
    Ok(Secret::new(text))
}
