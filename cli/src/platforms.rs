//! `--require-platforms`: an image that lacks one is not released.

use plimsoll_registry::{CopySource, Platform, Selector, platforms};

use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// Fails when the image at `selector` is there and does not have all of `required`. One that is
/// not there is left to whoever looks for it next.
pub(crate) async fn check(
    source: &dyn CopySource,
    name: &str,
    selector: &Selector,
    required: &[Platform],
) -> Result<(), Failure> {
    if required.is_empty() {
        return Ok(());
    }
    let Some(offered) = platforms(source, selector).await? else { return Ok(()) };
    let missing: Vec<_> =
        required.iter().filter(|own| !offered.iter().any(|other| own.accepts(other))).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let has = match offered.is_empty() {
        true => "no platform".to_owned(),
        false => joined(&offered),
    };
    Err(Failure {
        message: format!(
            "cannot tag {name}: {selector} is not for {}, but for {has}",
            joined(missing)
        ),
        remedy: Some(
            "build it for every platform, or leave that one out of --require-platforms".to_owned(),
        ),
        exit_code: ExitCode::Conflict,
    })
}

fn joined<'p>(platforms: impl IntoIterator<Item = &'p Platform>) -> String {
    let platforms: Vec<_> = platforms.into_iter().map(ToString::to_string).collect();
    platforms.join(", ")
}
