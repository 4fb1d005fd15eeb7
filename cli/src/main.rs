//! The `ocitag` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ocitag::main()
}
