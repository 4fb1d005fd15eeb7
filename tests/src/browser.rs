//! A real browser without a window, to look at the page of a failure: Chromium, from Debian.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

/// Runs in the page, and writes into it what the browser has made of it.
const LOOK: &str = include_str!("browser/look.html");

/// A browser on this machine.
#[derive(Clone, Debug)]
pub struct Browser {
    program: PathBuf,
}

/// A page that could not be looked at.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum BrowserError {
    #[error("find chromium; `apt-get install chromium`")]
    Missing,
    #[error("look at {}", page.display())]
    Io { page: PathBuf, source: io::Error },
    #[error("look at {}: chromium said {said}", page.display())]
    Failed { page: PathBuf, said: String },
    #[error("look at {}: its script did not run", page.display())]
    Unseen { page: PathBuf },
}

impl Browser {
    /// The browser, or nothing after saying that there is none; where Docker is required, so is it.
    ///
    /// # Errors
    ///
    /// It is required, and is not there.
    #[expect(clippy::print_stderr, reason = "a test that did not run has to say so")]
    pub fn find() -> Result<Option<Self>, BrowserError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories: Vec<_> = std::env::split_paths(&path).collect();
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let mut candidates =
            names.iter().flat_map(|name| directories.iter().map(move |d| d.join(name)));
        if let Some(program) = candidates.find(|candidate| candidate.is_file()) {
            return Ok(Some(Self { program }));
        }
        if std::env::var("PLIMSOLL_REQUIRE_DOCKER").is_ok_and(|value| value == "1") {
            return Err(BrowserError::Missing);
        }
        eprintln!("skipped: there is no chromium");
        Ok(None)
    }

    /// What has become of the page in a window of this size: which nodes and bars there are, and
    /// whether all fit where they belong.
    ///
    /// # Errors
    ///
    /// There is no such page, or the browser does not work.
    pub async fn look(&self, page: &Path, size: (u32, u32)) -> Result<Value, BrowserError> {
        let io = |source| BrowserError::Io { page: page.to_owned(), source };
        let looked_at = page.with_file_name("looked-at.html");
        let text = std::fs::read_to_string(page).map_err(io)?;
        std::fs::write(&looked_at, text + LOOK).map_err(io)?;
        let dom = self.browse(&looked_at, size, "--dump-dom").await?;
        let output = dom.split("<output>").nth(1).and_then(|rest| rest.split("</output>").next());
        let text = output.unwrap_or_default();
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        serde_json::from_str(&text).map_err(|_| BrowserError::Unseen { page: page.to_owned() })
    }

    /// Takes a picture of the page in a window of this size.
    ///
    /// # Errors
    ///
    /// The browser does not work.
    pub async fn photograph(
        &self,
        page: &Path,
        size: (u32, u32),
        picture: &Path,
    ) -> Result<(), BrowserError> {
        let screenshot = format!("--screenshot={}", picture.display());
        self.browse(page, size, &screenshot).await.map(drop)
    }

    async fn browse(
        &self,
        page: &Path,
        (width, height): (u32, u32),
        action: &str,
    ) -> Result<String, BrowserError> {
        let io = |source| BrowserError::Io { page: page.to_owned(), source };
        let profile = tempfile::tempdir().map_err(io)?;
        let mut command = Command::new(&self.program);
        // Root has no sandbox, and the page is our own.
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg(format!("--window-size={width},{height}")).arg(action);
        command.arg(format!("file://{}", page.display())).stdin(Stdio::null());
        let output = command.kill_on_drop(true).output().await.map_err(io)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(BrowserError::Failed { page: page.to_owned(), said });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
