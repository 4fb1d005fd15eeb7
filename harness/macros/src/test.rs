//! `#[plimsoll_harness::test]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

pub(crate) fn expand(arguments: &TokenStream, function: &ItemFn) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "this attribute takes no arguments"));
    }
    if let Some(input) = function.sig.inputs.first() {
        let reason = "a test takes no arguments: start what it needs in it";
        return Err(Error::new_spanned(input, reason));
    }
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (name, output) = (&sig.ident, &sig.output);
    let body = match sig.asyncness {
        None => quote! { (move || #output #block)() },
        Some(_) => quote! {
            {
                async fn test() #output #block
                ::plimsoll_harness::run_test(test())
            }
        },
    };
    Ok(quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() #output {
            let _engine = ::plimsoll_harness::require_docker!();
            #body
        }
    })
}
