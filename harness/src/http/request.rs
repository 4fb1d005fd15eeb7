//! A request to a container.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use reqwest::Method;
use serde::Serialize;

use super::{ContainerHttp, HttpError, HttpResponse};

/// How long an answer may take, its body included.
const DEADLINE: Duration = Duration::from_secs(30);

/// A request to a container. Awaiting it sends it and reads the whole answer.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct HttpRequest {
    http: ContainerHttp,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Result<Option<Vec<u8>>, HttpError>,
    within: Duration,
}

impl HttpRequest {
    pub(crate) fn new(http: ContainerHttp, method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { http, method, path, headers: Vec::new(), body: Ok(None), within: DEADLINE }
    }

    /// Sends a header, with those of this name that were said before.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends a body.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Ok(Some(bytes.into()));
        self
    }

    /// Sends a body as JSON, and says so in `Content-Type`.
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        let (method, path) = (self.method.clone(), self.path.clone());
        self.body = serde_json::to_vec(value).map(Some).map_err(|source| HttpError::Encode {
            method,
            path,
            source,
        });
        self.header("content-type", "application/json")
    }

    /// How long the answer may take, its body included; 30 seconds unless said otherwise.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.within = deadline;
        self
    }

    async fn send(self) -> Result<HttpResponse, HttpError> {
        let Self { http, method, path, headers, body, within } = self;
        let body = body?;
        let url = http.url(&path).await?;
        let Ok(verb) = Method::from_bytes(method.as_bytes()) else {
            return Err(HttpError::Method { method, path });
        };
        let mut request = http.client.request(verb, &url).timeout(within);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let request = request.build().map_err(|error| {
            let (method, path) = (method.clone(), path.clone());
            HttpError::Invalid { method, path, source: error.without_url() }
        })?;
        let answer = async {
            let response = http.client.execute(request).await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok((status, headers, response.bytes().await?))
        };
        match answer.await {
            Ok((status, headers, body)) => Ok(HttpResponse { method, url, status, headers, body }),
            Err(error) => {
                let source: reqwest::Error = error;
                Err(HttpError::NoAnswer { method, url, source: source.without_url() })
            }
        }
    }
}

impl IntoFuture for HttpRequest {
    type Output = Result<HttpResponse, HttpError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// The request is given up if the future is dropped.
    fn into_future(self) -> Self::IntoFuture {
        // On the engine's runtime, which the connections in the pool belong to.
        Box::pin(async move {
            let engine = self.http.handle.engine().clone();
            engine.observe(self.send()).await
        })
    }
}
