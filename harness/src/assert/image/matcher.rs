//! What an image should say about itself.

use super::Metadata;
use crate::assert::mismatch::{Difference, Expectation};
use crate::assert::secret::sounds_secret;
use crate::assert::size::Size;
use crate::assert::text::Text;

/// What an image should say about itself; what is not said here may be anything.
///
/// ```
/// use plimsoll_harness::assert::image::meta;
/// use plimsoll_harness::assert::text::matching;
///
/// let expected = meta()
///     .entrypoint(["tini", "--", "entrypoint"])
///     .user("app")
///     .exposes(8000)
///     .label("org.opencontainers.image.version", matching(r"^\d+\.\d+\.\d+$"))
///     .no_env(matching("(?i)password|secret|token"))
///     .size_at_most(200 << 20);
/// # let _ = expected;
/// ```
#[derive(Clone, Debug, Default)]
pub struct MetadataMatcher {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
enum Rule {
    Words(&'static str, Vec<String>),
    One(&'static str, Text),
    Entry(&'static str, String, Text),
    NoEnv(Text),
    Member(&'static str, String),
    NoHealthcheck,
    Size(u64),
    Layers(usize),
    LayerSize(u64),
}

/// An image that nothing is expected of yet.
#[must_use]
pub fn meta() -> MetadataMatcher {
    MetadataMatcher::default()
}

impl MetadataMatcher {
    /// The words of the entrypoint.
    #[must_use]
    pub fn entrypoint<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        self.rule(Rule::Words("entrypoint", words.into_iter().map(Into::into).collect()))
    }

    /// The words of the command.
    #[must_use]
    pub fn cmd<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        self.rule(Rule::Words("cmd", words.into_iter().map(Into::into).collect()))
    }

    /// The user, as the image has it: a name or a number, with a group or without.
    #[must_use]
    pub fn user(self, user: impl Into<Text>) -> Self {
        self.rule(Rule::One("user", user.into()))
    }

    /// The working directory.
    #[must_use]
    pub fn workdir(self, path: impl Into<Text>) -> Self {
        self.rule(Rule::One("workdir", path.into()))
    }

    /// The signal that asks it to stop.
    #[must_use]
    pub fn stop_signal(self, signal: impl Into<Text>) -> Self {
        self.rule(Rule::One("stop signal", signal.into()))
    }

    /// The platform, as `linux/amd64`.
    #[must_use]
    pub fn platform(self, platform: impl Into<Text>) -> Self {
        self.rule(Rule::One("platform", platform.into()))
    }

    /// The health check, `CMD` or `CMD-SHELL` first, joined by spaces.
    #[must_use]
    pub fn healthcheck(self, command: impl Into<Text>) -> Self {
        self.rule(Rule::One("healthcheck", command.into()))
    }

    /// No health check.
    #[must_use]
    pub fn no_healthcheck(self) -> Self {
        self.rule(Rule::NoHealthcheck)
    }

    /// An environment variable. If it differs and its name sounds like a secret, its value is
    /// not shown.
    #[must_use]
    pub fn env(self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.rule(Rule::Entry("env", name.into(), value.into()))
    }

    /// No environment variable of such a name. What is in one that is there after all is not
    /// shown, because a secret is what this looks for.
    #[must_use]
    pub fn no_env(self, name: impl Into<Text>) -> Self {
        self.rule(Rule::NoEnv(name.into()))
    }

    /// A label.
    #[must_use]
    pub fn label(self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.rule(Rule::Entry("label", name.into(), value.into()))
    }

    /// An exposed TCP port.
    #[must_use]
    pub fn exposes(self, port: u16) -> Self {
        self.rule(Rule::Member("port", format!("{port}/tcp")))
    }

    /// An exposed UDP port.
    #[must_use]
    pub fn exposes_udp(self, port: u16) -> Self {
        self.rule(Rule::Member("port", format!("{port}/udp")))
    }

    /// A path that gets a volume.
    #[must_use]
    pub fn volume(self, path: impl Into<String>) -> Self {
        self.rule(Rule::Member("volume", path.into()))
    }

    /// The bytes it may have, unpacked.
    #[must_use]
    pub fn size_at_most(self, bytes: u64) -> Self {
        self.rule(Rule::Size(bytes))
    }

    /// The layers it may have; those that change only the configuration do not count.
    #[must_use]
    pub fn layers_at_most(self, count: usize) -> Self {
        self.rule(Rule::Layers(count))
    }

    /// The bytes each layer may have, unpacked.
    #[must_use]
    pub fn each_layer_at_most(self, bytes: u64) -> Self {
        self.rule(Rule::LayerSize(bytes))
    }

    fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }
}

impl Expectation<Metadata> for MetadataMatcher {
    fn differences(&self, found: &Metadata) -> Vec<Difference> {
        self.rules.iter().flat_map(|rule| rule.differences(found)).collect()
    }
}

impl Rule {
    fn differences(&self, found: &Metadata) -> Vec<Difference> {
        match self {
            Self::Words(place, words) => {
                let there = if *place == "cmd" { &found.cmd } else { &found.entrypoint };
                let differs = words != there;
                let difference = || Difference::new(*place, quoted(words), quoted(there));
                differs.then(difference).into_iter().collect()
            }
            Self::One(place, text) => one(place, text, found).into_iter().collect(),
            Self::Entry(place, name, text) => entry(place, name, text, found).into_iter().collect(),
            Self::NoEnv(text) => {
                let named = found.env.keys().filter(|name| text.fits(name.as_bytes()));
                let difference = |name: &String| {
                    Difference::new("env", format!("no {text}"), format!("`{name}`"))
                };
                named.map(difference).collect()
            }
            Self::Member(place, member) => {
                let there = if *place == "port" { &found.ports } else { &found.volumes };
                let differs = !there.contains(member);
                let nearest =
                    || Text::from(member.as_str()).nearest(there.iter().map(String::as_str));
                let difference = || {
                    Difference::new(format!("{place}s"), format!("`{member}`"), quoted(there))
                        .nearest(nearest().map(|near| format!("`{near}`")))
                };
                differs.then(difference).into_iter().collect()
            }
            Self::NoHealthcheck => {
                let differs = !matches!(&found.healthcheck[..], [] | [_]);
                let there = || Difference::new("healthcheck", "none", quoted(&found.healthcheck));
                differs.then(there).into_iter().collect()
            }
            Self::Size(_) | Self::Layers(_) | Self::LayerSize(_) => self.budget(found),
        }
    }

    fn budget(&self, found: &Metadata) -> Vec<Difference> {
        let largest = || found.layers.iter().max_by_key(|layer| layer.size);
        match self {
            Self::Size(most) if found.size > *most => {
                let most = format!("at most {}", Size(*most));
                let there = Size(found.size).to_string();
                let largest = largest().map(|layer| format!("its largest layer: {layer}"));
                let there = largest.map_or(there.clone(), |largest| format!("{there}, {largest}"));
                vec![Difference::new("size", most, there)]
            }
            Self::Layers(most) if found.layers.len() > *most => {
                let most = format!("at most {most}");
                vec![Difference::new("layers", most, found.layers.len().to_string())]
            }
            Self::LayerSize(most) => {
                let large = found.layers.iter().enumerate().filter(|(_, layer)| layer.size > *most);
                let difference = |(index, layer): (usize, &super::Layer)| {
                    let place = format!("layer {}", index + 1);
                    Difference::new(place, format!("at most {}", Size(*most)), layer.to_string())
                };
                large.map(difference).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn one(place: &'static str, text: &Text, found: &Metadata) -> Option<Difference> {
    let there = match place {
        "user" => &found.user,
        "workdir" => &found.workdir,
        "stop signal" => &found.stop_signal,
        "platform" => &found.platform,
        _ => &found.healthcheck.join(" "),
    };
    let found = if there.is_empty() { "nothing".to_owned() } else { format!("`{there}`") };
    (!text.fits(there.as_bytes())).then(|| Difference::new(place, text.to_string(), found))
}

fn entry(place: &str, name: &str, text: &Text, found: &Metadata) -> Option<Difference> {
    let entries = if place == "env" { &found.env } else { &found.labels };
    let place = format!("{place} `{name}`");
    match entries.get(name) {
        Some(value) if text.fits(value.as_bytes()) => None,
        Some(_) if sounds_secret(name) => {
            let there = "another value, which may be a secret and is not shown";
            Some(Difference::new(place, "a certain value", there))
        }
        Some(value) => Some(Difference::new(place, text.to_string(), format!("`{value}`"))),
        None => {
            let nearest = Text::from(name).nearest(entries.keys().map(String::as_str));
            let nearest = nearest.map(|nearest| format!("`{nearest}`"));
            let expected =
                if sounds_secret(name) { "a certain value".to_owned() } else { text.to_string() };
            Some(Difference::new(place, expected, "nothing of that name").nearest(nearest))
        }
    }
}

fn quoted(words: &[String]) -> String {
    if words.is_empty() { "nothing".to_owned() } else { format!("{words:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::image::Layer;
    use crate::assert::mismatch::Observed;
    use crate::assert::text::matching;

    fn found() -> Metadata {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let layer = |created_by: &str, size| Layer { created_by: created_by.to_owned(), size };
        Metadata {
            image: "bakery:1".to_owned(),
            entrypoint: words(&["tini", "--"]),
            user: "app".to_owned(),
            env: [("DJANGO_DEBUG", "1"), ("DB_PASSWORD", "hunter2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ports: words(&["8000/tcp"]),
            healthcheck: words(&["CMD", "curl", "-f", "localhost"]),
            platform: "linux/amd64".to_owned(),
            size: 300,
            layers: vec![layer("ADD rootfs.tar /", 100), layer("RUN   apt-get\n install", 200)],
            ..Metadata::default()
        }
    }

    #[test]
    fn what_is_as_expected_is() {
        let expected = meta()
            .entrypoint(["tini", "--"])
            .cmd([""; 0])
            .user("app")
            .workdir("")
            .platform("linux/amd64")
            .healthcheck(matching("^CMD curl"))
            .env("DJANGO_DEBUG", "1")
            .no_env("SECRET_KEY")
            .exposes(8000)
            .size_at_most(300)
            .layers_at_most(2)
            .each_layer_at_most(200);
        assert_eq!(found().assert(&expected), Ok(()));
    }

    #[test]
    fn everything_that_differs_is_said() {
        let expected = meta()
            .entrypoint(["tini", "-g", "--"])
            .cmd(["gunicorn"])
            .user(matching("^[1-9]"))
            .workdir("/srv")
            .stop_signal("SIGINT")
            .platform("linux/arm64")
            .no_healthcheck()
            .env("DJANGO_DEBUG", "0")
            .env("DJANGO_DEBG", "1")
            .label("version", matching("."))
            .exposes(80)
            .exposes(8080)
            .exposes_udp(53)
            .volume("/data")
            .size_at_most(299)
            .layers_at_most(1)
            .each_layer_at_most(100);
        insta::assert_snapshot!(found().assert(&expected).unwrap_err(), @r#"
        match image `bakery:1`
          entrypoint: expected ["tini", "-g", "--"], found ["tini", "--"]
          cmd: expected ["gunicorn"], found nothing
          user: expected /^[1-9]/, found `app`
          workdir: expected `/srv`, found nothing
          stop signal: expected `SIGINT`, found nothing
          platform: expected `linux/arm64`, found `linux/amd64`
          healthcheck: expected none, found ["CMD", "curl", "-f", "localhost"]
          env `DJANGO_DEBUG`: expected `0`, found `1`
          env `DJANGO_DEBG`: expected `1`, found nothing of that name; nearest is `DJANGO_DEBUG`
          label `version`: expected /./, found nothing of that name
          ports: expected `80/tcp`, found ["8000/tcp"]; nearest is `8000/tcp`
          ports: expected `8080/tcp`, found ["8000/tcp"]; nearest is `8000/tcp`
          ports: expected `53/udp`, found ["8000/tcp"]
          volumes: expected `/data`, found nothing
          size: expected at most 299 bytes, found 300 bytes, its largest layer: 200 bytes by `RUN apt-get install`
          layers: expected at most 1, found 2
          layer 2: expected at most 100 bytes, found 200 bytes by `RUN apt-get install`
        "#);
    }

    #[test]
    fn a_secret_is_found_and_not_told() {
        let expected = meta().no_env(matching("(?i)password"));
        insta::assert_snapshot!(found().assert(&expected).unwrap_err(), @r"
        match image `bakery:1`
          env: expected no /(?i)password/, found `DB_PASSWORD`
        ");
        let expected = meta().env("DB_PASSWORD", "").env("API_TOKEN", "f00");
        insta::assert_snapshot!(found().assert(&expected).unwrap_err(), @r"
        match image `bakery:1`
          env `DB_PASSWORD`: expected a certain value, found another value, which may be a secret and is not shown
          env `API_TOKEN`: expected a certain value, found nothing of that name
        ");
        assert!(!found().to_string().contains("hunter2"), "{}", found());
    }
}
