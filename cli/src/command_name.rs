//! A command that is misspelt: since a command that is left out means `tag`, it is taken for an
//! image, and what is missed is `--semver`.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};

use crate::args::Cli;

/// How many letters may be wrong.
const SLIPS: usize = 2;

/// Says which command may have been meant, where that would explain the error.
pub(crate) fn suggest(mut error: Error, first: Option<&str>) -> Error {
    let missing = error.kind() == ErrorKind::MissingRequiredArgument;
    if let Some(command) = first.filter(|_| missing).and_then(nearest) {
        let tip = StyledStr::from(format!("there is a command `ocitag {command}`"));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

fn nearest(word: &str) -> Option<String> {
    let commands = Cli::command();
    let names = commands.get_subcommands().map(|command| command.get_name().to_owned());
    let near = names.map(|name| (strsim::damerau_levenshtein(&name, word), name));
    // A name itself is no mistake: something else is missing.
    near.filter(|(slips, _)| (1..=SLIPS).contains(slips)).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn message(args: &[&str]) -> String {
        let error = Cli::try_parse_from([&["ocitag"], args].concat()).unwrap_err();
        suggest(error, args.first().copied()).to_string()
    }

    #[test]
    fn a_misspelt_command_is_named() {
        for (word, command) in [("promot", "promote"), ("unatg", "untag"), ("aplly", "apply")] {
            let message = message(&[word, "registry.example/a", "registry.example/b"]);
            let tip = format!("tip: there is a command `ocitag {command}`");
            assert!(message.contains(&tip) && message.contains("--semver"), "{message}");
        }
    }

    #[test]
    fn an_image_is_an_image() {
        for args in
            [&["registry.example/cake"][..], &["cake"], &["promote"], &["--semver", "1.2.3"]]
        {
            assert!(!message(args).contains("tip:"), "{}", message(args));
        }
    }
}
