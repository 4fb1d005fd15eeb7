//! `#[derive(Stack)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Ident, Result, Type, Visibility};

/// A field of the stack.
struct Node<'a> {
    visibility: &'a Visibility,
    field: &'a Ident,
    ty: &'a Type,
    /// Its name on the network.
    name: String,
    /// The constant that refers to it.
    constant: Ident,
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    if let Some(parameter) = input.generics.params.first() {
        let reason = "a stack has no type parameters: name the types of its nodes";
        return Err(Error::new_spanned(parameter, reason));
    }
    let nodes = nodes(input)?;
    let (checks, constants) = (checks(&nodes), constants(input, &nodes));
    let (live, stack) = (live(input, &nodes), stack(input, &nodes));
    Ok(quote! { #checks #constants #live #stack })
}

fn nodes(input: &DeriveInput) -> Result<Vec<Node<'_>>> {
    let Data::Struct(data) = &input.data else {
        let reason = "only a struct can be a stack: each of its fields is a node";
        return Err(Error::new_spanned(&input.ident, reason));
    };
    let Fields::Named(fields) = &data.fields else {
        let reason = "the fields of a stack have names: a node is found by the name of its field";
        return Err(Error::new_spanned(&input.ident, reason));
    };
    fields
        .named
        .iter()
        .map(|field| {
            let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "no name"))?;
            let plain = ident.unraw().to_string();
            let name = plain.to_lowercase().replace('_', "-");
            if name.starts_with('-') || name.ends_with('-') || name.len() > 63 || !name.is_ascii() {
                let reason = format!(
                    "`{name}` cannot be the name of a host: up to 63 letters, digits and `_`, \
                 with none of those last at either end"
                );
                return Err(Error::new_spanned(ident, reason));
            }
            let constant = Ident::new(&plain.to_uppercase(), ident.span());
            Ok(Node { visibility: &field.vis, field: ident, ty: &field.ty, name, constant })
        })
        .collect()
}

/// A type that is no node is reported where it is written, before all that follows from it.
fn checks(nodes: &[Node<'_>]) -> TokenStream {
    let checks = nodes.iter().map(|Node { ty, .. }| {
        quote_spanned! { ty.span() => node::<#ty>(); }
    });
    quote! {
        const _: fn() = || {
            fn node<N: ::plimsoll_harness::Node>() {}
            #(#checks)*
        };
    }
}

fn constants(input: &DeriveInput, nodes: &[Node<'_>]) -> TokenStream {
    let stack = &input.ident;
    let constants = nodes.iter().map(|Node { visibility, ty, name, constant, .. }| {
        let doc = format!("The node `{name}`, for definitions that read it.");
        quote! {
            #[doc = #doc]
            #[allow(dead_code)]
            #visibility const #constant: ::plimsoll_harness::Ref<#ty> =
                ::plimsoll_harness::Ref::new(#name);
        }
    });
    quote! {
        #[automatically_derived]
        impl #stack { #(#constants)* }
    }
}

fn live(input: &DeriveInput, nodes: &[Node<'_>]) -> TokenStream {
    let (visibility, live) = (&input.vis, format_ident!("{}Live", input.ident));
    let doc = format!(
        "A running [`{}`]. When it is dropped, all its nodes are removed at once.",
        input.ident
    );
    let fields = nodes.iter().map(|Node { visibility, field, ty, name, .. }| {
        let doc = format!("The node `{name}`, running.");
        quote! {
            #[doc = #doc]
            #[allow(dead_code)]
            #visibility #field: <#ty as ::plimsoll_harness::Node>::Live
        }
    });
    quote! {
        #[doc = #doc]
        #[derive(Debug)]
        #visibility struct #live {
            // First, and so dropped first: it removes all nodes together.
            __guard: ::plimsoll_harness::StackGuard,
            #(#fields,)*
        }

        #[automatically_derived]
        #[allow(dead_code)]
        impl #live {
            /// What was started.
            #visibility fn plan(&self) -> &::plimsoll_harness::StackPlan {
                self.__guard.plan()
            }

            /// Stops the containers, those first that nothing depends on. Each gets its stop
            /// signal, and is killed if it still runs after the grace period.
            ///
            /// # Errors
            ///
            /// The engine refuses.
            #visibility async fn stop(
                &self,
                grace: ::core::time::Duration,
            ) -> ::core::result::Result<(), ::plimsoll_harness::RequestError> {
                self.__guard.stop(grace).await
            }
        }
    }
}

fn stack(input: &DeriveInput, nodes: &[Node<'_>]) -> TokenStream {
    let (stack, live) = (&input.ident, format_ident!("{}Live", input.ident));
    let add = nodes.iter().map(|Node { field, name, .. }| {
        quote! { builder.node(#name, ::core::clone::Clone::clone(&self.#field)); }
    });
    let fields = nodes.iter().map(|node| node.field);
    let describe = nodes.iter().map(|Node { field, ty, .. }| {
        quote! { <#ty as ::plimsoll_harness::Node>::describe(&live.#field) }
    });
    let take = nodes.iter().map(|Node { field, constant, .. }| {
        quote! { let #field = started.must_take(&Self::#constant); }
    });
    quote! {
        #[automatically_derived]
        impl ::plimsoll_harness::Stack for #stack {
            type Live = #live;

            fn builder(&self) -> ::plimsoll_harness::StackBuilder {
                let mut builder = ::plimsoll_harness::StackBuilder::new();
                #(#add)*
                builder
            }

            fn describe(live: &#live) -> ::std::vec::Vec<::plimsoll_harness::scope::SharedNode> {
                ::std::vec![#(#describe),*]
            }

            fn live(mut started: ::plimsoll_harness::Started) -> #live {
                #(#take)*
                #live { __guard: started.into_guard(), #(#fields,)* }
            }
        }

        #[automatically_derived]
        impl ::plimsoll_harness::LiveStack for #live {
            type Stack = #stack;

            fn guard(&self) -> &::plimsoll_harness::StackGuard {
                &self.__guard
            }
        }
    }
}
