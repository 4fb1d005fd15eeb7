//! A definition as `Debug` shows it: without the passwords in its variables.

use std::env;
use std::fmt;

use super::ContainerDefinition;
use crate::hash::sha256;
use crate::redact;

impl fmt::Debug for ContainerDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            image,
            entrypoint,
            cmd,
            env,
            ports,
            files,
            mounts,
            networks,
            network_mode,
            hosts,
            hostname,
            user,
            working_dir,
            labels,
            stop_signal,
            tty,
            open_stdin,
            init,
            privileged,
            cap_add,
            cap_drop,
            read_only_root,
            limits,
            healthcheck,
            patches,
            log_driver,
            ready,
        } = self;
        f.debug_struct("ContainerDefinition")
            .field("name", name)
            .field("image", image)
            .field("entrypoint", &Lines(entrypoint))
            .field("cmd", &Lines(cmd))
            .field("env", &Variables(env))
            .field("ports", ports)
            .field("files", files)
            .field("mounts", mounts)
            .field("networks", networks)
            .field("network_mode", network_mode)
            .field("hosts", hosts)
            .field("hostname", hostname)
            .field("user", user)
            .field("working_dir", working_dir)
            .field("labels", labels)
            .field("stop_signal", stop_signal)
            .field("tty", tty)
            .field("open_stdin", open_stdin)
            .field("init", init)
            .field("privileged", privileged)
            .field("cap_add", cap_add)
            .field("cap_drop", cap_drop)
            .field("read_only_root", read_only_root)
            .field("limits", limits)
            .field("healthcheck", healthcheck)
            .field("patches", patches)
            .field("log_driver", log_driver)
            .field("ready", ready)
            .finish()
    }
}

struct Lines<'a>(&'a [String]);

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|line| shown(line))).finish()
    }
}

struct Variables<'a>(&'a [(String, String)]);

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.iter().map(|(name, value)| shown(&format!("{name}={value}")));
        f.debug_list().entries(lines).finish()
    }
}

/// Two that differ in a secret are shown differently: by this, processes of a run find out whether
/// they mean the same. The mark says nothing of the secret to whoever does not know the run.
fn shown(line: &str) -> String {
    match redact::line(line) {
        None => line.to_owned(),
        Some(redacted) => {
            let run = env::var("NEXTEST_RUN_ID").unwrap_or_default();
            format!("{redacted} #{}", &sha256(format!("{run} {line}"))[..8])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown_and_yet_told_from_another() {
        let with = |password: &str| {
            let definition = ContainerDefinition::new("web", "web:1")
                .env("PORT", "8000")
                .env("DB_PASSWORD", password)
                .env("DATABASE_URL", format!("postgres://web:{password}@db/web"))
                .cmd(["serve", &format!("--broker=amqp://web:{password}@mq")]);
            format!("{definition:?}")
        };
        let shown = with("sugar");
        assert!(!shown.contains("sugar"), "{shown}");
        assert!(shown.contains("\"PORT=8000\"") && shown.contains("DB_PASSWORD=redacted #"));
        assert!(shown.contains("\"DATABASE_URL=postgres://web:redacted@db/web #"), "{shown}");
        assert_eq!(shown, with("sugar"));
        assert_ne!(shown, with("salt"));
    }
}
