use std::error::Error;

use proptest::prelude::*;
use rcgen::CertifiedKey as Generated;
use rcgen::KeyPair;
use tempfile::TempDir;

use super::*;

struct Roots(TempDir);

impl Roots {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) -> &Self {
        let file = self.path(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self
    }

    /// Reads with two directories, `user` before `machine`.
    fn of(&self, host: &str) -> Result<Certificates, CertificateError> {
        let directories = [self.path("user"), self.path("machine")];
        Certificates::of_host(&host.parse().unwrap(), &directories)
    }
}

fn generate() -> Generated<KeyPair> {
    rcgen::generate_simple_self_signed(["registry.example.com".to_owned()]).unwrap()
}

fn ders(certificates: &Certificates) -> Vec<Vec<u8>> {
    certificates.authorities().map(<[u8]>::to_vec).collect()
}

/// The message as it is printed, with its source; relative to the roots.
fn report(roots: &Roots, error: &CertificateError) -> String {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    let root = format!("{}/", roots.0.path().display());
    format!("failed to {error}{source}").replace(&root, "")
}

#[test]
fn directories_are_those_of_podman_and_docker() {
    let environment = Environment::from_pairs([("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]);
    let expected = [
        "/h/.config/containers/certs.d",
        "/h/.docker/certs.d",
        "/c/docker/certs.d",
        "/etc/containers/certs.d",
        "/etc/docker/certs.d",
    ];
    assert_eq!(Certificates::directories(&environment), expected.map(PathBuf::from));
    let homeless = Environment::from_pairs::<&str, &str>([]);
    assert_eq!(
        Certificates::directories(&homeless),
        expected[3..].iter().map(PathBuf::from).collect::<Vec<_>>()
    );
}

#[cfg(unix)]
#[test]
fn the_directory_is_named_like_the_host_and_its_port() {
    let (roots, one, two) = (Roots::new(), generate(), generate());
    roots.write("user/reg.example.com/ca.crt", one.cert.pem());
    roots.write("user/reg.example.com:5000/ca.crt", two.cert.pem());
    roots.write("user/[::1]:5000/ca.crt", two.cert.pem());
    roots.write("user/docker.io/ca.crt", one.cert.pem());
    for (host, generated) in [
        ("reg.example.com", Some(&one)),
        ("reg.example.com:5000", Some(&two)),
        ("[::1]:5000", Some(&two)),
        ("index.docker.io", Some(&one)),
        ("reg.example.com:443", None),
    ] {
        let expected: Vec<_> = generated.map(|one| one.cert.der().to_vec()).into_iter().collect();
        assert_eq!(ders(&roots.of(host).unwrap()), expected, "{host}");
    }
}

#[test]
fn authorities_of_all_directories_count_once() {
    let (roots, one, two, three) = (Roots::new(), generate(), generate(), generate());
    let bundle = format!("some comment\n{}\n{}", two.cert.pem(), one.cert.pem());
    roots.write("user/a.io/ca.crt", one.cert.pem()).write("machine/a.io/bundle.crt", bundle);
    roots.write("machine/a.io/README", "no certificate").write("extra.pem", three.cert.pem());
    let certificates = roots.of("a.io").unwrap();
    assert_eq!(ders(&certificates), [one.cert.der().to_vec(), two.cert.der().to_vec()]);
    assert_eq!(certificates.identity(), None);
    let more = certificates.with_authority_file(&roots.path("extra.pem")).unwrap();
    assert_eq!(ders(&more)[2], three.cert.der().to_vec());
}

#[test]
fn the_first_pair_is_the_identity_and_an_explicit_one_replaces_it() {
    let (roots, one, two) = (Roots::new(), generate(), generate());
    for (name, pair) in [("user/a.io/b", &one), ("machine/a.io/a", &two)] {
        roots.write(&format!("{name}.cert"), pair.cert.pem());
        roots.write(&format!("{name}.key"), pair.signing_key.serialize_pem());
    }
    let certificates = roots.of("a.io").unwrap();
    let chain = |certificates: &Certificates| {
        let pem = certificates.identity().unwrap().pem().to_vec();
        assert!(PrivateKeyDer::from_pem_slice(&pem).is_ok());
        reqwest::Identity::from_pem(&pem).unwrap();
        CertificateDer::from_pem_slice(&pem).unwrap().to_vec()
    };
    assert_eq!(chain(&certificates), one.cert.der().to_vec());
    let (cert, key) = (roots.path("machine/a.io/a.cert"), roots.path("machine/a.io/a.key"));
    let replaced = certificates.with_identity_files(&cert, &key).unwrap();
    assert_eq!(chain(&replaced), two.cert.der().to_vec());
}

#[test]
fn a_certificate_without_its_key_names_both() {
    let pair = generate();
    for (present, missing) in [("cert", "key"), ("key", "cert")] {
        let roots = Roots::new();
        roots.write(&format!("user/a.io/me.{present}"), pair.cert.pem());
        let error = roots.of("a.io").unwrap_err();
        let expected = format!(
            "failed to find user/a.io/me.{missing}, which user/a.io/me.{present} needs beside it"
        );
        assert_eq!(report(&roots, &error), expected);
        assert!(error.remedy().contains("NAME.crt"));
    }
}

#[test]
fn what_is_no_certificate_is_an_error_that_names_the_file() {
    let pair = generate();
    let damaged = pair.cert.pem().replace("-----END CERTIFICATE-----", "");
    let not_der = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    for (content, problem) in [
        ("", "it holds no certificate in PEM"),
        ("hello", "it holds no certificate in PEM"),
        (pair.signing_key.serialize_pem().as_str(), "it holds no certificate in PEM"),
        (damaged.as_str(), "it is damaged: not all of it is PEM"),
        (not_der, "a certificate in it is not well-formed"),
    ] {
        let roots = Roots::new();
        roots.write("user/a.io/ca.crt", content);
        let error = roots.of("a.io").unwrap_err();
        assert_eq!(report(&roots, &error), format!("failed to use user/a.io/ca.crt: {problem}"));
    }
    let roots = Roots::new();
    let error = Certificates::default().with_authority_file(&roots.path("ca.pem")).unwrap_err();
    let text = report(&roots, &error);
    assert!(text.starts_with("failed to read certificates from ca.pem: "), "{text}");
}

#[test]
fn a_key_must_be_one_and_belong_to_its_certificate() {
    let (one, two) = (generate(), generate());
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let no_key = "failed to use me.key: it holds no private key in PEM, or an encrypted one";
    for (key, expected) in [
        (
            two.signing_key.serialize_pem().as_str(),
            "failed to use me.cert with the key me.key: they do not belong together",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n",
            "failed to use me.cert with the key me.key: TLS cannot use them",
        ),
        ("-----BEGIN PRIVATE KEY-----hunter2", no_key),
        (encrypted, no_key),
        ("", no_key),
    ] {
        let roots = Roots::new();
        roots.write("me.cert", one.cert.pem()).write("me.key", key);
        let (cert, key) = (roots.path("me.cert"), roots.path("me.key"));
        let error = Certificates::default().with_identity_files(&cert, &key).unwrap_err();
        assert_eq!(report(&roots, &error), expected);
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[test]
fn edge_39_debug_shows_no_key() {
    let (roots, pair) = (Roots::new(), generate());
    roots.write("user/a.io/me.cert", pair.cert.pem());
    roots.write("user/a.io/me.key", pair.signing_key.serialize_pem());
    let text = format!("{:?}", roots.of("a.io").unwrap());
    assert!(text.contains("me.cert"), "{text}");
    assert!(!text.contains("pem") && !text.contains("PRIVATE"), "{text}");
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_of_certificates_panic(bytes in any::<Vec<u8>>(), armour: bool) {
        let content = match armour {
            true => {
                use base64::Engine;
                let body = base64::engine::general_purpose::STANDARD.encode(&bytes);
                format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n").into()
            }
            false => bytes,
        };
        let roots = Roots::new();
        roots.write("ca.pem", content);
        prop_assert!(Certificates::default().with_authority_file(&roots.path("ca.pem")).is_err());
    }
}
