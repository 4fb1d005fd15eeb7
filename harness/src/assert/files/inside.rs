//! Files that only the running container has: what lies in memory, what the kernel makes up, and
//! sockets, which no archive holds. They take a `stat` in the image.

use testcontainers::bollard::models::{ContainerInspectResponse, MountTypeEnum};

use super::archive::{Content, LARGEST};
use super::{File, FileKind, describe};
use crate::assert::engine::ObserveError;
use crate::assert::local::{As, spellings, tool};
use crate::assert::users::{Names, Owner};
use crate::container::Container;
use crate::exec::ExecOutput;

/// What every container has in memory, or from the kernel.
const ALWAYS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Whether an archive would not tell the truth: it would have what the image has in that place.
pub(super) async fn holds(container: &Container, path: &str) -> Result<bool, ObserveError> {
    Ok(is_in_memory(&container.inspect().await?, path))
}

fn is_in_memory(container: &ContainerInspectResponse, path: &str) -> bool {
    let running = container.state.as_ref().and_then(|state| state.running).unwrap_or_default();
    let host = container.host_config.as_ref();
    let tmpfs = host.and_then(|host| host.tmpfs.as_ref()).into_iter().flatten();
    let mounts = host.and_then(|host| host.mounts.as_ref()).into_iter().flatten();
    let mounts = mounts.filter(|mount| mount.typ == Some(MountTypeEnum::TMPFS));
    let mut targets = tmpfs
        .map(|(target, _)| target.as_str())
        .chain(mounts.filter_map(|mount| mount.target.as_deref()))
        .chain(ALWAYS);
    running && targets.any(|target| std::path::Path::new(path).starts_with(target))
}

/// The file at a path, as the programs of the container see it.
pub(super) async fn look(
    container: &Container,
    path: &str,
    content: Content,
) -> Result<File, ObserveError> {
    let what = describe(container.node(), path);
    let stat = ask(container, path, "stat", &["-c", "%f %s %u %g", path]).await?;
    let mut file = File::new(container.node(), path);
    if stat.code != 0 {
        let said = stat.stderr_text();
        let absent = ["No such file", "Not a directory"].iter().any(|words| said.contains(words));
        return if absent { Ok(file) } else { Err(stat_says(what, &said)) };
    }
    let said = stat.stdout_text();
    let parsed = parse(&said);
    let (mode, size, uid, gid) = parsed.ok_or_else(|| stat_says(what.clone(), &said))?;
    let users = Names::users(container).await?;
    let groups = Names::groups(container).await?;
    file.owner = Some((Owner::new(uid, &users), Owner::new(gid, &groups)));
    (file.mode, file.size) = (mode & 0o7777, size);
    file.kind = match mode & 0o170_000 {
        0o040_000 => FileKind::Directory,
        0o120_000 => {
            let target = ask(container, path, "readlink", &[path]).await?;
            FileKind::Symlink(target.stdout_text().trim_end_matches('\n').to_owned())
        }
        0o140_000 => FileKind::Socket,
        0o010_000 => FileKind::Pipe,
        0o020_000 | 0o060_000 => FileKind::Device,
        _ => FileKind::Regular,
    };
    if content == Content::Read && file.kind == FileKind::Regular {
        if size > LARGEST {
            return Err(super::archive::too_large(what, size));
        }
        file.content = Some(ask(container, path, "cat", &[path]).await?.stdout);
    }
    Ok(file)
}

async fn ask(
    container: &Container,
    path: &str,
    program: &str,
    args: &[&str],
) -> Result<ExecOutput, ObserveError> {
    let output = tool(container, As::User(0), spellings(program, args)).await?;
    output.ok_or_else(|| no_program(describe(container.node(), path), program))
}

/// Mode in hexadecimal, size, user and group.
fn parse(text: &str) -> Option<(u32, u64, u32, u32)> {
    let mut words = text.split_whitespace();
    let mode = u32::from_str_radix(words.next()?, 16).ok()?;
    Some((
        mode,
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
    ))
}

fn stat_says(what: String, said: &str) -> ObserveError {
    ObserveError::unusable(what, format!("`stat -c '%f %s %u %g'` says: {}", said.trim()))
}

fn no_program(what: String, program: &str) -> ObserveError {
    let reason = format!(
        "it is a socket or lies in memory (tmpfs, /dev, /proc, /sys), where the engine cannot \
         look, and there is no `{program}` in the image to look from inside"
    );
    ObserveError::unusable(what, reason)
}

#[cfg(test)]
mod tests {
    use testcontainers::bollard::models::{ContainerState, HostConfig, Mount};

    use super::*;

    #[test]
    fn what_lies_in_memory_is_known_by_its_mount() {
        let tmpfs = [("/run".to_owned(), "size=1m".to_owned())];
        let mount = Mount {
            typ: Some(MountTypeEnum::TMPFS),
            target: Some("/cache".to_owned()),
            ..Mount::default()
        };
        let host = HostConfig {
            tmpfs: Some(tmpfs.into()),
            mounts: Some(vec![mount]),
            ..HostConfig::default()
        };
        let state = |running| ContainerState { running: Some(running), ..Default::default() };
        let mut container = ContainerInspectResponse {
            host_config: Some(host),
            state: Some(state(true)),
            ..Default::default()
        };
        for path in ["/run", "/run/nginx.pid", "/cache/a", "/dev/shm/x", "/proc/1/limits"] {
            assert!(is_in_memory(&container, path), "{path}");
        }
        for path in ["/", "/runner", "/var/run/nginx.pid", "/devel"] {
            assert!(!is_in_memory(&container, path), "{path}");
        }
        // What was in memory is gone; what the image has there is all there is.
        container.state = Some(state(false));
        assert!(!is_in_memory(&container, "/run/nginx.pid"));
    }

    #[test]
    fn what_stat_says_is_read() {
        assert_eq!(parse("c1b0 0 1000 33\n"), Some((0o140_660, 0, 1000, 33)));
        assert_eq!(parse("  File: x"), None);
    }

    #[test]
    fn what_keeps_it_from_being_looked_at_is_said() {
        let what = || describe("web", "/run/web.sock");
        insta::assert_snapshot!(
            no_program(what(), "stat"),
            @"look at file `/run/web.sock` of `web`: it is a socket or lies in memory (tmpfs, /dev, /proc, /sys), where the engine cannot look, and there is no `stat` in the image to look from inside"
        );
        insta::assert_snapshot!(
            stat_says(what(), "stat: /run/web.sock: Permission denied\n"),
            @"look at file `/run/web.sock` of `web`: `stat -c '%f %s %u %g'` says: stat: /run/web.sock: Permission denied"
        );
    }
}
