//! Linux programs small enough to commit, which say one line and end.

/// What a program runs on.
#[derive(Clone, Copy)]
pub(crate) enum Machine {
    /// `linux/amd64`.
    Amd64,
    /// `linux/arm64`.
    Arm64,
}

/// Where the program lies in memory; the ELF header and one program header come first.
const BASE: u64 = 0x40_0000;
const HEADERS: u16 = 64 + 56;

impl Machine {
    /// Its name in an image's configuration.
    pub(crate) fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Its number in an ELF header.
    fn number(self) -> u16 {
        match self {
            Self::Amd64 => 62,
            Self::Arm64 => 183,
        }
    }

    /// `write(1, line, length); exit(0)`, where the line follows the code.
    fn code(self, length: u8) -> Vec<u8> {
        match self {
            Self::Amd64 => [
                &[0xb8, 1, 0, 0, 0][..],          // mov eax, 1 (write)
                &[0xbf, 1, 0, 0, 0],              // mov edi, 1
                &[0x48, 0x8d, 0x35, 16, 0, 0, 0], // lea rsi, [rip + 16]
                &[0xba, length, 0, 0, 0],         // mov edx, length
                &[0x0f, 0x05],                    // syscall
                &[0xb8, 60, 0, 0, 0],             // mov eax, 60 (exit)
                &[0x31, 0xff],                    // xor edi, edi
                &[0x0f, 0x05],                    // syscall
            ]
            .concat(),
            Self::Arm64 => [
                0xd280_0020_u32,                      // mov x0, #1
                0x1000_00e1,                          // adr x1, . + 28
                0xd280_0002 | u32::from(length) << 5, // mov x2, #length
                0xd280_0808,                          // mov x8, #64 (write)
                0xd400_0001,                          // svc #0
                0xd280_0000,                          // mov x0, #0
                0xd280_0ba8,                          // mov x8, #93 (exit)
                0xd400_0001,                          // svc #0
            ]
            .iter()
            .flat_map(|instruction| instruction.to_le_bytes())
            .collect(),
        }
    }
}

/// An ELF executable that writes `line` to standard output; no libc, no linker.
pub(crate) fn say(machine: Machine, line: &str) -> Vec<u8> {
    let length = u8::try_from(line.len()).expect("one short line");
    let mut body = machine.code(length);
    body.extend(line.as_bytes());
    let size = u64::from(HEADERS) + body.len() as u64;

    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(); // 64 bits, little-endian
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    let long = |file: &mut Vec<u8>, value: u64| file.extend(value.to_le_bytes());
    half(&mut file, 2); // an executable
    half(&mut file, machine.number());
    word(&mut file, 1); // version
    long(&mut file, BASE + u64::from(HEADERS)); // entry point
    long(&mut file, 64); // program headers start here
    long(&mut file, 0); // no section headers
    word(&mut file, 0); // flags
    for value in [64, 56, 1, 0, 0, 0] {
        half(&mut file, value); // sizes and numbers of the headers
    }
    word(&mut file, 1); // load
    word(&mut file, 5); // to read and execute
    for value in [0, BASE, BASE, size, size, 0x1_0000] {
        long(&mut file, value); // from offset 0, the whole file, aligned to any page size
    }
    file.extend(body);
    file
}
