//! The block of 512 bytes that stands before the content of an entry.

use std::ops::Range;

/// Everything in a tar file starts at a multiple of this.
pub(super) const BLOCK: u64 = 512;

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const OWNER: Range<usize> = 108..116;
const GROUP: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const TIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const FLAG: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const PREFIX: Range<usize> = 345..500;

/// POSIX's magic and version; GNU's has spaces, and no prefix.
const USTAR: &[u8] = b"ustar\x0000";

/// The largest size that eleven octal digits can say.
const LARGEST_OCTAL: u64 = (1 << 33) - 1;

/// A header as it stands in the file.
#[derive(Clone)]
pub(in crate::archive) struct Header([u8; BLOCK as usize]);

impl From<[u8; BLOCK as usize]> for Header {
    fn from(block: [u8; BLOCK as usize]) -> Self {
        Self(block)
    }
}

impl Header {
    /// All headers of a new file: its own, and one before it for what does not fit into it.
    ///
    /// They say nothing but name, size and mode 0644: the same content gives the same archive.
    pub(in crate::archive) fn of_file(path: &str, size: u64) -> Vec<u8> {
        let mut records = String::new();
        if path.len() > NAME.len() {
            records += &super::pax::record("path", path);
        }
        if size > LARGEST_OCTAL {
            records += &super::pax::record("size", &size.to_string());
        }
        let mut headers = Vec::new();
        if !records.is_empty() {
            headers.extend(Self::new("PaxHeaders/file", b'x', records.len() as u64).0);
            headers.extend(records.as_bytes());
            headers.resize(headers.len().next_multiple_of(BLOCK as usize), 0);
        }
        headers.extend(Self::new(path, b'0', size).0);
        headers
    }

    fn new(path: &str, flag: u8, size: u64) -> Self {
        let mut header = Self([0; BLOCK as usize]);
        header.0[MODE].copy_from_slice(b"0000644\0");
        header.0[OWNER].copy_from_slice(b"0000000\0");
        header.0[GROUP].copy_from_slice(b"0000000\0");
        header.0[TIME].copy_from_slice(b"00000000000\0");
        header.0[FLAG] = flag;
        header.0[MAGIC].copy_from_slice(USTAR);
        header.renewed(path, size)
    }

    /// The header of another file that keeps mode, owner and time of this one's.
    pub(in crate::archive) fn renewed(mut self, path: &str, size: u64) -> Self {
        let name = path.as_bytes();
        let length = name.len().min(NAME.len());
        self.0[NAME].fill(0);
        self.0[..length].copy_from_slice(&name[..length]);
        if self.0[MAGIC] == *USTAR {
            self.0[PREFIX].fill(0);
        }
        // A size that does not fit is said by the header before this one.
        let size = if size > LARGEST_OCTAL { 0 } else { size };
        self.0[SIZE].copy_from_slice(format!("{size:011o}\0").as_bytes());
        let checksum = self.checksums().0;
        self.0[CHECKSUM].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
        self
    }

    /// The bytes.
    pub(in crate::archive) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is no header but a half of the mark that ends the archive.
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Whether it has the checksum that it says, counted in either of the two usual ways.
    pub(super) fn is_sound(&self) -> bool {
        let (unsigned, signed) = self.checksums();
        let said = octal(&self.0[CHECKSUM]);
        said.is_some_and(|said| said == unsigned || i64::try_from(said) == Ok(signed))
    }

    fn checksums(&self) -> (u64, i64) {
        let bytes = self.0.iter().enumerate();
        let counted = bytes.map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
        counted.fold((0, 0), |(unsigned, signed), byte| {
            (unsigned + u64::from(byte), signed + i64::from(byte.cast_signed()))
        })
    }

    /// The size of the content; `None` when it is no number.
    pub(super) fn size(&self) -> Option<u64> {
        let field = &self.0[SIZE];
        if field[0] & 0x80 == 0 {
            return octal(field);
        }
        // GNU's way for large numbers; 0xff is the start of a negative one.
        let start = u64::from(field[0] & 0x7f);
        field[1..]
            .iter()
            .try_fold(start, |size, byte| size.checked_mul(256).map(|size| size | u64::from(*byte)))
    }

    /// What kind of entry it is.
    pub(super) fn flag(&self) -> u8 {
        self.0[FLAG]
    }

    /// The name, with the prefix that POSIX allows.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[NAME]);
        let prefix = if self.0[MAGIC] == *USTAR { text(&self.0[PREFIX]) } else { &[] };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// The target of a link.
    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[LINK]).to_vec()
    }
}

/// What stands before the first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, among spaces and zeros; an empty field is 0.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    match text {
        "" => Some(0),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => u64::from_str_radix(text, 8).ok(),
        _ => None,
    }
}
