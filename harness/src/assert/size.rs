//! How many bytes, for people.

use std::fmt;

/// A number of bytes: exactly, and in MiB where nobody could count the digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1 << 20;
        let Self(bytes) = *self;
        write!(f, "{bytes} {}", if bytes == 1 { "byte" } else { "bytes" })?;
        if bytes < MIB {
            return Ok(());
        }
        // In tenths, rounded down: what is over a limit by less must not look equal to it by more.
        let tenths = bytes / (MIB / 10);
        write!(f, " ({}.{} MiB)", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bytes_are_mebibytes_too() {
        let texts = [0, 1, 1023, 1 << 20, 3 << 19, 200 << 20].map(|bytes| Size(bytes).to_string());
        insta::assert_snapshot!(texts.join("\n"), @r"
        0 bytes
        1 byte
        1023 bytes
        1048576 bytes (1.0 MiB)
        1572864 bytes (1.5 MiB)
        209715200 bytes (200.0 MiB)
        ");
    }
}
