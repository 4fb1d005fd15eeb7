//! `#[plimsoll_harness::test]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, FnArg, Ident, ItemFn, LitStr, Pat, Result, ReturnType, Token, Type, bracketed};

/// What the attribute can be given.
const ARGUMENTS: &str =
    "the arguments are `scope = \"test\" | \"process\" | \"run\"` and `clean = [node, …]`";

/// The arguments of the attribute.
#[derive(Default)]
struct Arguments {
    /// The literal, and the function that starts a stack for this scope.
    scope: Option<(LitStr, Ident)>,
    clean: Option<(Ident, Vec<Ident>)>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            let name: Ident = input.parse().map_err(|error| Error::new(error.span(), ARGUMENTS))?;
            let twice = match name.to_string().as_str() {
                "scope" => arguments.scope.is_some(),
                "clean" => arguments.clean.is_some(),
                _ => return Err(Error::new_spanned(name, ARGUMENTS)),
            };
            if twice {
                return Err(Error::new_spanned(&name, format!("`{name}` is given twice")));
            }
            input.parse::<Token![=]>()?;
            if name == "scope" {
                arguments.scope = Some(scope(input)?);
            } else {
                let list;
                bracketed!(list in input);
                let nodes = Punctuated::<Ident, Token![,]>::parse_terminated(&list)?;
                arguments.clean = Some((name, nodes.into_iter().collect()));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

fn scope(input: ParseStream<'_>) -> Result<(LitStr, Ident)> {
    let literal: LitStr = input.parse()?;
    match literal.value().as_str() {
        scope @ ("test" | "process" | "run") => Ok((literal, format_ident!("{scope}_stack"))),
        _ => {
            let reason = "a scope is \"test\", \"process\" or \"run\"";
            Err(Error::new_spanned(literal, reason))
        }
    }
}

/// The stack a test takes.
struct Parameter<'a> {
    pattern: &'a Pat,
    live: &'a Type,
}

pub(crate) fn expand(arguments: TokenStream, function: &ItemFn) -> Result<TokenStream> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let parameter = parameter(function)?;
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (name, output) = (&sig.ident, &sig.output);
    let case = quote! { ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)) };
    let body = match (sig.asyncness, parameter) {
        (Some(_), Some(parameter)) => with_stack(&arguments, &parameter, function, &case),
        (None, Some(Parameter { pattern, .. })) => {
            let reason = "a test that takes a stack is async: write `async fn`";
            return Err(Error::new_spanned(pattern, reason));
        }
        (asyncness, None) => {
            no_stack(&arguments)?;
            match asyncness {
                None => {
                    let judged = judged(&quote! { test() });
                    quote! {
                        fn test() #output #block
                        ::plimsoll_harness::attribute::run_plain(#case, || #judged)
                    }
                }
                Some(_) => {
                    let judged = judged(&quote! { test().await });
                    quote! {
                        async fn test() #output #block
                        ::plimsoll_harness::attribute::run(#case, async { #judged })
                    }
                }
            }
        }
    };
    // Whether a test returns nothing has to be seen by other attributes, such as `should_panic`.
    let (output, body) = match output {
        ReturnType::Default => {
            (quote! {}, quote! { ::plimsoll_harness::attribute::end({ #body }) })
        }
        ReturnType::Type(..) => (quote! { -> impl ::std::process::Termination }, body),
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

/// What a test returns, with its errors made readable.
fn judged(outcome: &TokenStream) -> TokenStream {
    quote! {
        {
            #[allow(unused_imports)]
            use ::plimsoll_harness::attribute::{OfAnything, OfError, OfFailure, OfLocalError};
            (&mut ::plimsoll_harness::attribute::Outcome(::core::option::Option::Some(#outcome)))
                .judged()
        }
    }
}

fn parameter(function: &ItemFn) -> Result<Option<Parameter<'_>>> {
    let mut inputs = function.sig.inputs.iter();
    let Some(input) = inputs.next() else { return Ok(None) };
    if let Some(more) = inputs.next() {
        let reason = "a test takes one stack: make what it needs the nodes of one";
        return Err(Error::new_spanned(more, reason));
    }
    let by_reference = "a test takes a running stack by reference, such as `app: &AppLive`";
    let FnArg::Typed(typed) = input else { return Err(Error::new_spanned(input, by_reference)) };
    match &*typed.ty {
        Type::Reference(reference) if reference.mutability.is_none() => {
            Ok(Some(Parameter { pattern: &typed.pat, live: &reference.elem }))
        }
        other => Err(Error::new_spanned(other, by_reference)),
    }
}

/// A test without a stack has nothing that the arguments could be about.
fn no_stack(arguments: &Arguments) -> Result<()> {
    let reason = "this is about a stack, and the test takes none: add `app: &AppLive`";
    match arguments {
        Arguments { scope: Some((scope, _)), .. } => Err(Error::new_spanned(scope, reason)),
        Arguments { clean: Some((clean, _)), .. } => Err(Error::new_spanned(clean, reason)),
        Arguments { scope: None, clean: None } => Ok(()),
    }
}

fn with_stack(
    arguments: &Arguments,
    parameter: &Parameter<'_>,
    function: &ItemFn,
    case: &TokenStream,
) -> TokenStream {
    let (Parameter { pattern, live }, block) = (parameter, &function.block);
    let output = &function.sig.output;
    let start = match &arguments.scope {
        Some((_, start)) => start.clone(),
        None => format_ident!("test_stack"),
    };
    let nodes = arguments.clean.iter().flat_map(|(_, nodes)| nodes);
    let clean = nodes.map(|node| {
        // What is wrong with a node is reported where it is named.
        quote_spanned! { node.span() =>
            ::plimsoll_harness::attribute::cleaned(stack.#node.clean().await)?;
        }
    });
    let clean: Vec<_> = clean.collect();
    let alone = !clean.is_empty();
    let judged = judged(&quote! { test(&stack).await });
    quote! {
        async fn test(#pattern: &#live) #output #block
        ::plimsoll_harness::attribute::run(#case, async {
            let stack = ::plimsoll_harness::attribute::#start::<#live>(#alone).await?;
            #(#clean)*
            ::plimsoll_harness::attribute::with_stack::<#live, _>(&stack, async { #judged }).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(arguments: &str, function: &str) -> String {
        let function = syn::parse_str(function).unwrap();
        match syn::parse_str(arguments).and_then(|arguments| expand(arguments, &function)) {
            Ok(expanded) => panic!("it is fine: {expanded}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn wrong_arguments_are_refused_with_the_right_ones() {
        let test = "async fn t(app: &AppLive) {}";
        let scopes = "a scope is \"test\", \"process\" or \"run\"";
        for (arguments, expected) in [
            ("scpoe = \"run\"", ARGUMENTS),
            ("\"run\"", ARGUMENTS),
            ("scope = \"suite\"", scopes),
            ("scope = run", "expected string literal"),
            ("scope = \"run\", scope = \"run\"", "`scope` is given twice"),
            ("clean = db", "expected square brackets"),
            ("clean = [\"db\"]", "expected identifier"),
        ] {
            assert_eq!(refusal(arguments, test), expected, "{arguments}");
        }
    }

    #[test]
    fn wrong_functions_are_refused_with_a_remedy() {
        let by_reference = "a test takes a running stack by reference, such as `app: &AppLive`";
        let about_a_stack = "this is about a stack, and the test takes none: add `app: &AppLive`";
        for (arguments, function, expected) in [
            ("", "async fn t(app: AppLive) {}", by_reference),
            ("", "async fn t(app: &mut AppLive) {}", by_reference),
            ("", "async fn t(&self) {}", by_reference),
            (
                "",
                "async fn t(app: &A, other: &B) {}",
                "a test takes one stack: make what it needs the nodes of one",
            ),
            ("", "fn t(app: &A) {}", "a test that takes a stack is async: write `async fn`"),
            ("scope = \"run\"", "async fn t() {}", about_a_stack),
            ("clean = [db]", "fn t() {}", about_a_stack),
        ] {
            assert_eq!(refusal(arguments, function), expected, "{function}");
        }
    }

    #[test]
    fn a_stack_is_started_in_its_scope_and_cleaned_alone() {
        let function = syn::parse_str("async fn t(app: &AppLive) {}").unwrap();
        let expand = |arguments: &str| {
            expand(syn::parse_str(arguments).unwrap(), &function).unwrap().to_string()
        };
        assert!(expand("").contains("test_stack :: < AppLive > (false)"), "{}", expand(""));
        let run = expand("scope = \"run\", clean = [db, web,]");
        assert!(run.contains("run_stack :: < AppLive > (true)"), "{run}");
        assert!(run.contains("stack . db . clean ()") && run.contains("stack . web . clean ()"));
    }
}
