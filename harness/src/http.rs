//! Talking HTTP to a container.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use rustls::{ClientConfig, RootCertStore};

use crate::handle::ContainerHandle;

mod error;
mod name;
mod path;
mod request;
mod response;

pub use error::HttpError;
use name::Names;
pub use request::HttpRequest;
pub use response::HttpResponse;

/// An HTTP client for one port of a container. Clones share cookies and connections.
///
/// It does not follow redirects, uses no proxy and needs no TLS set up for plain HTTP. The
/// engine is asked for the published port with each request, so that it stays right after a
/// restart.
///
/// ```no_run
/// # async fn example(web: plimsoll_harness::Container) -> Result<(), Box<dyn std::error::Error>> {
/// let http = web.http();
/// http.post("/login").header("content-type", "application/json").body(r#"{"user":"a"}"#).await?
///     .assert_status(303)?;
/// let page = http.get("/account?tab=1").await?.assert_status(200)?;
/// assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ContainerHttp {
    handle: ContainerHandle,
    port: Option<u16>,
    scheme: Scheme,
    /// What the service is called in URLs, if not by its address.
    name: Option<String>,
    base: String,
    client: Client,
    names: Names,
}

#[derive(Clone, Copy, Debug)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn text(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl ContainerHttp {
    pub(crate) fn new(handle: ContainerHandle, port: Option<u16>) -> Self {
        let names = Names::default();
        let client = client(RootCertStore::empty(), &names);
        let base = "/".to_owned();
        Self { handle, port, scheme: Scheme::Http, name: None, base, client, names }
    }

    /// Speaks TLS and trusts what these authorities have signed, in PEM, and nothing else.
    /// The certificate has to be for the name said by [`ContainerHttp::named`], or for the
    /// address.
    ///
    /// # Errors
    ///
    /// There is no certificate in the PEM, or one makes no sense.
    pub fn https(mut self, authorities: &[u8]) -> Result<Self, HttpError> {
        self.client = client(error::roots(authorities)?, &self.names);
        self.scheme = Scheme::Https;
        Ok(self)
    }

    /// Calls the service by this name, in URLs, the `Host` header and for its certificate.
    /// The name need not resolve to anything.
    #[must_use]
    pub fn named(mut self, host: impl Into<String>) -> Self {
        self.name = Some(host.into());
        self
    }

    /// Where relative paths begin: with `/api/`, the path `users` means `/api/users`, and
    /// `/users` itself. `/` unless said otherwise.
    #[must_use]
    pub fn base(mut self, path: impl Into<String>) -> Self {
        self.base = path.into();
        self
    }

    /// A request with any method. The path may have a query; no path means the base.
    pub fn request(&self, method: &str, path: &str) -> HttpRequest {
        HttpRequest::new(self.clone(), method, path)
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> HttpRequest {
        self.request(Method::GET.as_str(), path)
    }

    /// A HEAD request.
    pub fn head(&self, path: &str) -> HttpRequest {
        self.request(Method::HEAD.as_str(), path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> HttpRequest {
        self.request(Method::POST.as_str(), path)
    }

    /// A PUT request.
    pub fn put(&self, path: &str) -> HttpRequest {
        self.request(Method::PUT.as_str(), path)
    }

    /// A PATCH request.
    pub fn patch(&self, path: &str) -> HttpRequest {
        self.request(Method::PATCH.as_str(), path)
    }

    /// A DELETE request.
    pub fn delete(&self, path: &str) -> HttpRequest {
        self.request(Method::DELETE.as_str(), path)
    }

    /// An OPTIONS request.
    pub fn options(&self, path: &str) -> HttpRequest {
        self.request(Method::OPTIONS.as_str(), path)
    }

    /// The URL of a path, now.
    ///
    /// # Errors
    ///
    /// The port is not published, or the path is none.
    pub async fn url(&self, path: &str) -> Result<String, HttpError> {
        let port = match self.port {
            Some(port) => port,
            None => self.handle.first_published().await?,
        };
        let address = self.handle.mapped_port(port).await?;
        let authority = match &self.name {
            Some(name) => {
                self.names.resolve_to(address.ip());
                format!("{name}:{}", address.port())
            }
            None => address.to_string(),
        };
        let path = path::absolute(&self.base, path)?;
        Ok(format!("{}://{authority}{path}", self.scheme.text()))
    }
}

/// A client that follows nothing and trusts no one else. The TLS configuration is given to it
/// even for plain HTTP: without one it would look for a crypto provider of the whole process,
/// and panic where there is none.
fn client(roots: RootCertStore, names: &Names) -> Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(config)
        .redirect(Policy::none())
        .cookie_store(true)
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .dns_resolver(Arc::new(names.clone()))
        .build()
        .expect("nothing in this configuration can fail")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn plain_http_needs_no_crypto_provider_in_the_process() {
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let service = async {
            let mut stream = listener.accept().await.unwrap().0;
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            stream
        };
        let client = client(RootCertStore::empty(), &Names::default());
        let (answer, _stream) = tokio::join!(client.get(url).send(), service);
        assert_eq!(answer.unwrap().status(), 204);
    }
}
