//! What the tests that need Docker or a real registry run on: images that are built where none
//! can be pulled, and CNCF distribution in a container.

pub mod base;
pub mod browser;
pub mod certificate;
pub mod distribution;
pub mod image;

/// The Rust in the README is compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
