//! What there is in place of a file that is not there.

use super::archive::{self, Content, Reach};
use crate::assert::engine::ObserveError;
use crate::assert::local::{As, spellings, tool};
use crate::assert::text::Text;
use crate::container::Container;

/// The file beside it whose name is nearest; or the last directory on the way to it, if the way
/// ends before. Of a large directory only the beginning is fetched; then an `ls` in the image
/// tells the rest, if there is one.
pub(super) async fn to(container: &Container, path: &str) -> Result<Option<String>, ObserveError> {
    let Some((mut directory, name)) = split(path) else { return Ok(None) };
    let mut asked_for = Some(name);
    loop {
        let entries = archive::entries(container, directory, Content::Left, Reach::Beginning).await;
        match (entries, asked_for) {
            (Ok(entries), Some(name)) => {
                let paths = entries.iter().map(|entry| archive::place(directory, &entry.path));
                let paths: Vec<_> = paths.collect();
                let names = paths.iter().filter_map(|path| child(directory, path));
                return Ok(match beside(directory, name, names) {
                    Some(nearest) => Some(nearest),
                    None => beside(directory, name, listed(container, directory).await.lines()),
                });
            }
            (Ok(_), None) => return Ok(Some(format!("the directory `{directory}`"))),
            (Err(ObserveError::Absent { .. }), _) => {
                let Some((parent, _)) = split(directory) else { return Ok(None) };
                (directory, asked_for) = (parent, None);
            }
            (Err(error), _) => return Err(error),
        }
    }
}

/// The directory a path is in, and its name there.
fn split(path: &str) -> Option<(&str, &str)> {
    let (directory, name) = path.trim_end_matches('/').rsplit_once('/')?;
    Some((if directory.is_empty() { "/" } else { directory }, name))
}

fn child<'a>(directory: &str, path: &'a str) -> Option<&'a str> {
    let (parent, name) = split(path)?;
    (parent == directory).then_some(name)
}

/// What the container itself says is in a directory. It may have ended or have no `ls`: then
/// there is nothing to say, which is no failure of the look.
async fn listed(container: &Container, directory: &str) -> String {
    let list = tool(container, As::User(0), spellings("ls", &["-a", directory])).await;
    list.ok().flatten().map(|output| output.stdout_text().into_owned()).unwrap_or_default()
}

fn beside<'a>(
    directory: &str,
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let nearest = Text::from(name).nearest(names)?;
    Some(format!("`{}/{nearest}`", directory.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_in_the_same_directory() {
        let paths = ["/etc", "/etc/passwd", "/etc/app.toml", "/etc/x/app.tml"];
        let names = || paths.into_iter().filter_map(|path| child("/etc", path));
        assert_eq!(beside("/etc", "app.tml", names()).as_deref(), Some("`/etc/app.toml`"));
        assert_eq!(beside("/etc", "nginx.conf", names()), None);
        assert_eq!(beside("/", "etx", child("/", "/etc")).as_deref(), Some("`/etc`"));
    }

    #[test]
    fn a_path_is_its_directory_and_a_name() {
        assert_eq!(split("/etc/app.toml"), Some(("/etc", "app.toml")));
        assert_eq!(split("/etc/"), Some(("/", "etc")));
        assert_eq!(split("/"), None);
    }
}
