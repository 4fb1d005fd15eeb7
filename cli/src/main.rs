//! ocitag.
fn main() {}
