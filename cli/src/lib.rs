//! The `ocitag` command.
