//! Certificates for a registry beyond those of the system: whom to trust, and who we are.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tracing::warn;

use crate::environment::Environment;
use crate::host::Host;

/// What a TLS connection to one registry needs besides the system's certificate authorities.
///
/// Everything in it was checked when it was read: its files are named in errors only there.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    authorities: Vec<CertificateDer<'static>>,
    identity: Option<ClientIdentity>,
}

/// A certificate that shows a registry who we are, and its private key.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    certificate: PathBuf,
    pem: Vec<u8>,
}

/// Why certificates could not be read.
///
/// It fits after "failed to"; [`CertificateError::remedy`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file or directory is there and cannot be read, or was named and is not there.
    #[error("read certificates from {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it is to be.
    #[error("use {}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A client certificate without its key, or a key without its certificate.
    #[error("find {}, which {} needs beside it", missing.display(), present.display())]
    Mate {
        /// The file that is there.
        present: PathBuf,
        /// The one that is not.
        missing: PathBuf,
    },
    /// A client certificate and a key that do not belong together, or are of a kind that TLS
    /// cannot use.
    #[error("use {} with the key {}: {problem}", certificate.display(), key.display())]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        problem: &'static str,
    },
}

impl Certificates {
    /// The directories in which Docker and podman look for a directory named like a registry,
    /// the user's before the machine's.
    #[must_use]
    pub fn directories(environment: &Environment) -> Vec<PathBuf> {
        let home = environment.home();
        let users = [
            home.map(|home| home.join(".config/containers/certs.d")),
            home.map(|home| home.join(".docker/certs.d")),
            // Of Docker's daemon without root.
            environment.config_home().map(|config| config.join("docker/certs.d")),
        ];
        let machines = ["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from);
        users.into_iter().flatten().chain(machines).collect()
    }

    /// What the directory `HOST[:PORT]` in each of `directories` holds: `*.crt` are certificate
    /// authorities, `NAME.cert` and `NAME.key` a client certificate and its key.
    ///
    /// The authorities of all directories count, and the first client certificate.
    ///
    /// # Errors
    /// When a file cannot be read, holds something else, or lacks its mate.
    pub fn of_host(host: &Host, directories: &[PathBuf]) -> Result<Self, CertificateError> {
        // Windows has no colons in file names; Docker leaves it out there.
        let name = host.to_string();
        let name = if cfg!(windows) { name.replace(':', "") } else { name };
        let mut certificates = Self::default();
        for directory in directories {
            certificates.add_directory(&directory.join(&name))?;
        }
        Ok(certificates)
    }

    /// Trusts the certificate authorities in `file` as well.
    ///
    /// # Errors
    /// When it cannot be read, or holds none.
    pub fn with_authority_file(mut self, file: &Path) -> Result<Self, CertificateError> {
        self.add_authorities(file)?;
        Ok(self)
    }

    /// Shows this client certificate, in place of any other.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else, or they do not belong together.
    pub fn with_identity_files(
        mut self,
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, CertificateError> {
        self.identity = Some(ClientIdentity::read(certificate, key)?);
        Ok(self)
    }

    /// The certificate authorities to trust beside the system's, in DER.
    pub fn authorities(&self) -> impl Iterator<Item = &[u8]> {
        self.authorities.iter().map(AsRef::as_ref)
    }

    /// The client certificate, if there is one.
    #[must_use]
    pub fn identity(&self) -> Option<&ClientIdentity> {
        self.identity.as_ref()
    }

    fn add_directory(&mut self, directory: &Path) -> Result<(), CertificateError> {
        let mut files = match list(directory) {
            Ok(files) => files,
            Err(error) if is_absence(&error) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // Docker's daemon may keep its own to itself; podman goes on, too.
                warn!(directory = %directory.display(), "no permission to look for certificates");
                return Ok(());
            }
            Err(error) => return Err(read_error(directory, error)),
        };
        files.sort();
        for file in &files {
            match file.extension().and_then(OsStr::to_str) {
                Some("crt") => self.add_authorities(file)?,
                Some("cert") => self.add_identity(file, &mate(&files, file, "key")?)?,
                Some("key") => drop(mate(&files, file, "cert")?),
                _ => {}
            }
        }
        Ok(())
    }

    fn add_identity(&mut self, certificate: &Path, key: &Path) -> Result<(), CertificateError> {
        match &self.identity {
            None => self.identity = Some(ClientIdentity::read(certificate, key)?),
            Some(first) => warn!(
                used = %first.certificate.display(),
                ignored = %certificate.display(),
                "there is more than one client certificate",
            ),
        }
        Ok(())
    }

    fn add_authorities(&mut self, file: &Path) -> Result<(), CertificateError> {
        let pem = fs::read(file).map_err(|error| read_error(file, error))?;
        for authority in certificates(file, &pem)? {
            // The TLS library's own words name neither the file nor the certificate.
            if RootCertStore::empty().add(authority.clone()).is_err() {
                let problem = "a certificate in it is not well-formed";
                return Err(content_error(file, problem));
            }
            if !self.authorities.contains(&authority) {
                self.authorities.push(authority);
            }
        }
        Ok(())
    }
}

impl ClientIdentity {
    /// The certificate, those that vouch for it and the private key, one after the other in PEM.
    #[must_use]
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }

    fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let mut pem = fs::read(certificate).map_err(|error| read_error(certificate, error))?;
        let chain = certificates(certificate, &pem)?;
        let key_pem = fs::read(key).map_err(|error| read_error(key, error))?;
        // What the parser says of a key may quote it.
        let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| {
            let problem = "it holds no private key in PEM, or an encrypted one";
            content_error(key, problem)
        })?;
        let provider = rustls::crypto::ring::default_provider();
        CertifiedKey::from_der(chain, private, &provider).map_err(|error| {
            let problem = match error {
                rustls::Error::InconsistentKeys(_) => "they do not belong together",
                _ => "TLS cannot use them",
            };
            let (certificate, key) = (certificate.to_owned(), key.to_owned());
            CertificateError::Identity { certificate, key, problem }
        })?;
        pem.push(b'\n');
        pem.extend(key_pem);
        Ok(Self { certificate: certificate.to_owned(), pem })
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("authorities", &self.authorities.len())
            .field("identity", &self.identity)
            .finish()
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl CertificateError {
    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Read { .. } => "make it exist and readable for this user".to_owned(),
            Self::Content { .. } => "replace it by a file in PEM: certificates begin with \
                 -----BEGIN CERTIFICATE-----, keys with -----BEGIN PRIVATE KEY-----"
                .to_owned(),
            Self::Mate { .. } => "put both side by side as NAME.cert and NAME.key; \
                 the certificate of an authority is named NAME.crt"
                .to_owned(),
            Self::Identity { certificate, .. } => {
                format!("name the key for which {} was issued", certificate.display())
            }
        }
    }
}

/// The certificates in `pem`, of which there must be one.
fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(content_error(file, "it holds no certificate in PEM")),
        Err(_) => Err(content_error(file, "it is damaged: not all of it is PEM")),
    }
}

fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
}

/// The file beside `file` with another extension.
fn mate(files: &[PathBuf], file: &Path, extension: &str) -> Result<PathBuf, CertificateError> {
    let mate = file.with_extension(extension);
    match files.contains(&mate) {
        true => Ok(mate),
        false => Err(CertificateError::Mate { present: file.to_owned(), missing: mate }),
    }
}

/// No such directory, or a file in the way of it.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn read_error(path: &Path, source: io::Error) -> CertificateError {
    CertificateError::Read { path: path.to_owned(), source }
}

fn content_error(path: &Path, problem: &'static str) -> CertificateError {
    CertificateError::Content { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests;
