//! The macros of plimsoll-harness, which re-exports them: use them from there.

mod stack;
mod test;

use proc_macro::TokenStream;

/// Makes a struct a `plimsoll_harness::Stack`: each field is a node, named as the field is, with
/// `-` for `_`.
///
/// For `struct App { db: PostgreSql }` it writes
/// - `App::DB`, a `Ref<PostgreSql>`, for definitions that read the node;
/// - `struct AppLive`, with a field for each running node, a `stop` for all of them, and `plan`
///   for what was started;
/// - `impl Stack for App`.
#[proc_macro_derive(Stack)]
pub fn derive_stack(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    stack::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a function a test that needs Docker. Where there is none it is skipped and says so;
/// `PLIMSOLL_REQUIRE_DOCKER=1` makes that a failure.
///
/// An async function runs on a runtime of its own. It may return anything that implements
/// `plimsoll_harness::Skip`: nothing, or a `Result` of it.
///
/// It may take a running stack, which is `Default` before it runs. `scope` says who shares it:
/// nobody (`"test"`, which it is by default), the tests of the process (`"process"`), or those
/// of the run (`"run"`, see `plimsoll_harness::scope`). The nodes in `clean` are put back into
/// their first state before the test, as `Define::clean` says. A test that cleans has what it
/// shares for itself until it ends: other tests that take it by this attribute wait for that.
/// `plimsoll_harness::scope` has an example.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = syn::parse_macro_input!(item as syn::ItemFn);
    test::expand(arguments.into(), &function).unwrap_or_else(syn::Error::into_compile_error).into()
}
