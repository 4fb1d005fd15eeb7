//! The names a container's own files give to numbers.

use std::collections::HashMap;
use std::fmt;

use super::engine::ObserveError;
use super::text::Text;
use crate::container::Container;

/// A user or a group: its number, and its name in the container if it has one there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The number.
    pub id: u32,
    /// The name.
    pub name: Option<String>,
}

impl Owner {
    pub(crate) fn new(id: u32, names: &Names) -> Self {
        Self { id, name: names.of(id) }
    }

    /// Whether the text is its name or its number.
    pub(crate) fn is(&self, text: &Text) -> bool {
        let name = self.name.as_ref();
        name.is_some_and(|name| text.fits(name.as_bytes()))
            || text.fits(self.id.to_string().as_bytes())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}` ({})", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

/// Which names the numbers have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(HashMap<u32, String>);

impl Names {
    /// What `/etc/passwd` or `/etc/group` says; both have the name first and the number third.
    /// Of two names for a number the first counts, as it does for the system.
    pub(crate) fn parse(text: &str) -> Self {
        let mut names = HashMap::new();
        for line in text.lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(Ok(id))) = (fields.next(), fields.nth(1).map(str::parse)) {
                names.entry(id).or_insert_with(|| name.to_owned());
            }
        }
        Self(names)
    }

    /// The users of a container; none have names where there is no `/etc/passwd`.
    pub(crate) async fn users(container: &Container) -> Result<Self, ObserveError> {
        Self::read(container, "/etc/passwd").await
    }

    /// Its groups.
    pub(crate) async fn groups(container: &Container) -> Result<Self, ObserveError> {
        Self::read(container, "/etc/group").await
    }

    async fn read(container: &Container, path: &str) -> Result<Self, ObserveError> {
        let content = super::files::content(container, path).await?.unwrap_or_default();
        Ok(Self::parse(&String::from_utf8_lossy(&content)))
    }

    /// Root is called root by everyone, and by images without any users as well.
    fn of(&self, id: u32) -> Option<String> {
        self.0.get(&id).cloned().or_else(|| (id == 0).then(|| "root".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          app:x:1000:1000::/home/app:/bin/sh\n\
                          broken\n\
                          nis:+::\n\
                          alias:x:1000:1000::/:/bin/sh\n";

    #[test]
    fn the_first_name_of_a_number_counts() {
        let names = Names::parse(PASSWD);
        assert_eq!(Owner::new(1000, &names).to_string(), "`app` (1000)");
        assert_eq!(Owner::new(33, &names).to_string(), "33");
    }

    #[test]
    fn root_needs_no_file() {
        assert_eq!(Owner::new(0, &Names::default()).name.as_deref(), Some("root"));
    }

    #[test]
    fn an_owner_goes_by_name_and_by_number() {
        let owner = Owner::new(1000, &Names::parse(PASSWD));
        assert!(owner.is(&"app".into()) && owner.is(&"1000".into()) && !owner.is(&"alias".into()));
    }
}
