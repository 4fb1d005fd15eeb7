//! The truth of reports: what a release says of its tags, held against what the registry has.

use std::collections::BTreeMap;

use plimsoll_registry::{CopyReport, Digest, Outcome, Previous, Report, Tag, TagOutcome};
use serde_json::Value;

use crate::ocitag::Run;

/// The aliases of 1.2.4.
const ALIASES: [&str; 3] = ["1.2", "1", "latest"];

/// The tags of one repository before and after a run that was to bring `new` to some of them.
pub(crate) struct Truth<'t> {
    pub(crate) new: &'t Digest,
    pub(crate) before: &'t BTreeMap<Tag, Digest>,
    pub(crate) after: BTreeMap<Tag, Digest>,
    pub(crate) run: &'t Run,
    /// What was done to it.
    pub(crate) context: &'t str,
}

impl Truth<'_> {
    fn moved(&self, tag: &str) -> bool {
        self.after.get(tag) == Some(self.new)
    }

    /// No alias is ahead of 1.2.4, and only success is called success.
    pub(crate) fn check_order(&self) {
        let Self { after, run, context, .. } = self;
        let moved_aliases = ALIASES.into_iter().filter(|alias| self.moved(alias)).count();
        assert!(self.moved("1.2.4") || moved_aliases == 0, "{context}: ahead of 1.2.4: {run:?}");
        assert!(run.code != 0 || moved_aliases == 3, "{context}: success, and {after:?}");
    }

    /// What is printed, whose errors are those that the exit code speaks of.
    fn printed(&self) -> Value {
        let Self { run, context, .. } = self;
        let printed: Value = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|error| panic!("{context}: {error}: {run:?}"));
        let no_errors = printed["errors"].as_array().is_some_and(Vec::is_empty);
        assert_eq!(run.code == 0, no_errors, "{context}: {run:?}");
        assert!([0, 3, 4, 5, 6, 7].contains(&run.code), "{context}: {run:?}");
        printed
    }

    /// Holds a release of 1.2.4 to what it says.
    pub(crate) fn check_release(&self) {
        self.check_order();
        let Self { after, run, context, .. } = self;
        let printed = self.printed();
        let Some(reports) = printed.get("reports") else {
            assert_eq!(after, self.before, "{context}: nothing was tried, so nothing changed");
            return;
        };
        let reports: Vec<Report> = serde_json::from_value(reports.clone()).expect("reports");
        let tags = &reports[0].tags;
        for tag in tags {
            // Only what could not even be asked for afterwards may be unknown.
            let may_be_unknown =
                matches!(tag.outcome, Outcome::Failed { .. } | Outcome::Stranded { .. });
            self.check_tag(&tag.tag, &tag.now, may_be_unknown);
        }
        if run.code != 0 && run.code != 7 {
            let unknown = tags.iter().any(|tag| tag.now == Previous::NotRead);
            assert!(unknown || after == self.before, "{context}: {run:?} and {after:?}");
        }
    }

    /// Holds a copy to one tag to what it says.
    pub(crate) fn check_copy(&self) {
        let Self { after, run, context, .. } = self;
        let printed = self.printed();
        let Some(report) = printed.get("copy") else {
            assert_eq!(after, self.before, "{context}: nothing was tried, so nothing changed");
            return;
        };
        let report: CopyReport = serde_json::from_value(report.clone()).expect("a report");
        let [tag] = &report.destinations[0].tags[..] else { panic!("{context}: {report:?}") };
        self.check_tag(&tag.tag, &tag.now, matches!(tag.outcome, TagOutcome::Failed { .. }));
        let is_new = after.get(&tag.tag) == Some(self.new);
        assert!(run.code != 0 || is_new, "{context}: success, and {after:?}");
        assert_eq!(run.code == 7, tag.now.digest() == Some(self.new) && run.code != 0, "{context}");
    }

    fn check_tag(&self, tag: &Tag, now: &Previous, may_be_unknown: bool) {
        let Self { run, context, .. } = self;
        let actual = self.after.get(tag);
        match now {
            Previous::At(digest) => assert_eq!(actual, Some(digest), "{context}: {tag}: {run:?}"),
            Previous::Absent => assert_eq!(actual, None, "{context}: {tag}: {run:?}"),
            Previous::NotRead => assert!(may_be_unknown, "{context}: {tag}: {run:?}"),
        }
    }
}
