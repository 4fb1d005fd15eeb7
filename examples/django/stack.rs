//! The stack: nginx before Django before PostgreSQL, and two volumes between the first two.

use std::time::Duration;

use plimsoll_harness::service::{Nginx, PostgreSql};
use plimsoll_harness::{
    ContainerDefinition, Define, DefineError, HttpWait, ImageDefinition, Links, LogWait, Stack,
    VolumeDefinition,
};

/// The name that the bakery answers to.
pub(crate) const HOST: &str = "bakery.test";

/// All of it. `Bakery::DB` and so on are what the definitions find each other by.
#[derive(Stack, Clone, Debug)]
pub(crate) struct Bakery {
    pub(crate) db: PostgreSql,
    /// Where gunicorn's socket is.
    pub(crate) socket: VolumeDefinition,
    /// What the browser asks for beside the pages.
    pub(crate) static_files: VolumeDefinition,
    pub(crate) web: Web,
    pub(crate) nginx: Nginx,
}

impl Bakery {
    /// The bakery on these images, of which `web` is the one under test.
    pub(crate) fn on(
        postgres: ImageDefinition,
        web: ImageDefinition,
        nginx: ImageDefinition,
    ) -> Self {
        Self {
            db: PostgreSql::new(postgres),
            socket: VolumeDefinition::default(),
            static_files: VolumeDefinition::default(),
            web: Web { image: web, allowed_hosts: HOST.to_owned(), workers: 2 },
            nginx: front(nginx),
        }
    }
}

/// Django under gunicorn: the image under test.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    pub(crate) image: ImageDefinition,
    pub(crate) allowed_hosts: String,
    pub(crate) workers: usize,
}

impl Web {
    /// A container of it, whose database is at this URL.
    pub(crate) fn container(&self, name: &str, database_url: &str) -> ContainerDefinition {
        let ready = LogWait::stderr("Worker ready").times(self.workers);
        ContainerDefinition::new(name, self.image.clone())
            .env("SECRET_KEY", "no secret: for tests only")
            .env("ALLOWED_HOSTS", &self.allowed_hosts)
            .env("DATABASE_URL", database_url)
            .env("WEB_CONCURRENCY", self.workers.to_string())
            // It takes requests and signals then; "Booting worker" would be too early for both.
            .ready(ready.within(Duration::from_secs(60)))
    }
}

impl Define for Web {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        // Reading another node is depending on it: web starts when db is ready.
        let database_url = links.node(&Bakery::DB)?.url_at(links.host(&Bakery::DB)?);
        Ok(self
            .container(links.name(), &database_url)
            .mount(links.volume(&Bakery::SOCKET)?.at("/run/bakery"))
            .mount(links.volume(&Bakery::STATIC_FILES)?.at("/srv/static")))
    }
}

/// nginx, which serves the files itself and asks Django for everything else.
fn front(image: ImageDefinition) -> Nginx {
    let configuration = include_str!("nginx.conf");
    Nginx::new(image).file("/etc/nginx/nginx.conf", configuration).with_container(|nginx, links| {
        // What is on the volumes comes from web.
        links.node(&Bakery::WEB)?;
        let healthy = HttpWait::get("/health/").header("host", HOST).status(200);
        Ok(nginx
            .mount(links.volume(&Bakery::SOCKET)?.read_only().at("/run/bakery"))
            .mount(links.volume(&Bakery::STATIC_FILES)?.read_only().at("/srv/static"))
            .ready(healthy.within(Duration::from_secs(60))))
    })
}
