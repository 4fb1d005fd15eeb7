//! What there is in place of a file that is not there.

use super::archive::{self, Content, Reach};
use crate::assert::engine::ObserveError;
use crate::assert::text::Text;
use crate::container::Container;

/// The file beside it whose name is nearest; or the last directory on the way to it, if the way
/// ends before. Of a large directory only the beginning is looked through.
pub(super) async fn to(container: &Container, path: &str) -> Result<Option<String>, ObserveError> {
    let Some((mut directory, name)) = split(path) else { return Ok(None) };
    let mut asked_for = Some(name);
    loop {
        let listed = archive::entries(container, directory, Content::Left, Reach::Beginning).await;
        match (listed, asked_for) {
            (Ok(entries), Some(name)) => {
                let paths = entries.iter().map(|entry| archive::place(directory, &entry.path));
                return Ok(beside(directory, name, &paths.collect::<Vec<_>>()));
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

fn beside(directory: &str, name: &str, paths: &[String]) -> Option<String> {
    let names = paths.iter().filter_map(|path| {
        let (parent, name) = split(path)?;
        (parent == directory).then_some(name)
    });
    let nearest = Text::from(name).nearest(names)?;
    Some(format!("`{}/{nearest}`", directory.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_in_the_same_directory() {
        let paths = ["/etc", "/etc/passwd", "/etc/app.toml", "/etc/x/app.tml"].map(str::to_owned);
        assert_eq!(beside("/etc", "app.tml", &paths).as_deref(), Some("`/etc/app.toml`"));
        assert_eq!(beside("/etc", "nginx.conf", &paths), None);
        assert_eq!(beside("/", "etx", &["/etc".to_owned()]).as_deref(), Some("`/etc`"));
    }

    #[test]
    fn a_path_is_its_directory_and_a_name() {
        assert_eq!(split("/etc/app.toml"), Some(("/etc", "app.toml")));
        assert_eq!(split("/etc/"), Some(("/", "etc")));
        assert_eq!(split("/"), None);
    }
}
