//! Reading the headers of a tar file, one after the other.

use std::fs::File;
use std::io;
use std::ops::Range;

use crate::archive::tar::header::{BLOCK, Header};
use crate::archive::tar::path::{self, PathError};
use crate::archive::tar::pax::Pax;
use crate::archive::tar::{Entry, Kind, TarError};
use crate::blob::read_at;

/// More than any name has: names longer than a header are read into memory.
const LONGEST_NAME: u64 = 64 << 10;

/// Bytes that can be read anywhere.
pub(in crate::archive) trait ReadAt {
    /// How many there are.
    fn length(&self) -> io::Result<u64>;

    /// Reads from `offset` on; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fills `buffer` from `offset` on.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    buffer = &mut buffer[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl ReadAt for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Reads one header after the other.
pub(super) struct Reader<'a, R: ?Sized> {
    file: &'a R,
    length: u64,
    at: u64,
}

/// What headers said about the entry that is still to come.
#[derive(Default)]
struct Ahead {
    start: Option<u64>,
    name: Option<String>,
    link: Option<String>,
    pax: Option<Pax>,
}

impl<'a, R: ReadAt + ?Sized> Reader<'a, R> {
    /// A reader of `file`, which has that many bytes.
    pub(super) fn new(file: &'a R, length: u64) -> Self {
        Self { file, length, at: 0 }
    }

    /// The next entry; `None` at the mark that ends the archive.
    pub(super) fn entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut ahead = Ahead::default();
        loop {
            let at = self.at;
            let Some(header) = self.header()? else {
                return match ahead.start {
                    None => Ok(None),
                    // It describes an entry that does not come.
                    Some(start) => Err(TarError::Header(start)),
                };
            };
            let mut size = header.size().ok_or(TarError::Header(at))?;
            let flag = header.flag();
            if let b'L' | b'K' | b'x' | b'g' = flag {
                let content = self.content(at, size)?;
                if flag != b'g' {
                    ahead.start.get_or_insert(at);
                }
                ahead.take(at, flag, &content)?;
                continue;
            }
            if let Some(promised) = ahead.pax.as_ref().and_then(|pax| pax.size) {
                size = promised;
            }
            return self.complete(&header, at, size, &ahead).map(Some);
        }
    }

    /// The header here, and on behind it; `None` at the mark that ends the archive.
    fn header(&mut self) -> Result<Option<Header>, TarError> {
        let at = self.at;
        let header = self.block(at)?;
        self.at += BLOCK;
        if !header.is_zero() {
            if !header.is_sound() {
                return Err(if at == 0 { TarError::NoTar } else { TarError::Header(at) });
            }
            return Ok(Some(header));
        }
        // The mark is two blocks of zeros; a file that ends behind the first is fine as well.
        if self.length > self.at && !self.block(self.at)?.is_zero() {
            return Err(TarError::Header(at));
        }
        Ok(None)
    }

    fn block(&self, at: u64) -> Result<Header, TarError> {
        let end = at.saturating_add(BLOCK);
        if end > self.length {
            let what = String::from("the mark that ends it");
            return Err(TarError::Truncated { what, end, length: self.length });
        }
        let mut block = [0; BLOCK as usize];
        self.file.read_exact_at(&mut block, at)?;
        Ok(Header::from(block))
    }

    /// The content of a header that extends another.
    fn content(&mut self, at: u64, size: u64) -> Result<Vec<u8>, TarError> {
        if size > LONGEST_NAME {
            return Err(TarError::LongName { at, size });
        }
        let data = self.data(String::from("an extended header"), size)?;
        let mut content = vec![0; usize::try_from(size).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut content, data.start)?;
        Ok(content)
    }

    /// Where the content lies that starts here, and on behind it.
    fn data(&mut self, what: String, size: u64) -> Result<Range<u64>, TarError> {
        let start = self.at;
        // Far beyond what a file can have, a sum would be too large to say so.
        let end = start.saturating_add(size);
        let padded = size.checked_next_multiple_of(BLOCK).and_then(|size| start.checked_add(size));
        match padded {
            Some(padded) if padded <= self.length => {
                self.at = padded;
                Ok(start..end)
            }
            _ => Err(TarError::Truncated { what, end, length: self.length }),
        }
    }

    fn complete(
        &mut self,
        header: &Header,
        at: u64,
        size: u64,
        ahead: &Ahead,
    ) -> Result<Entry, TarError> {
        let bad = |source| TarError::Path { at, source };
        let (name, link, sparse) = ahead.names(header, at)?;
        let path = path::normal(&name).map_err(bad)?;
        let kind = match header.flag() {
            b'\0' if name.ends_with('/') => Kind::Directory,
            b'\0' | b'0' | b'7' => Kind::File,
            b'1' => Kind::Hard(link),
            b'2' => Kind::Symbolic(link),
            b'5' => Kind::Directory,
            _ => Kind::Other,
        };
        if header.flag() == b'S' || sparse {
            return Err(TarError::Sparse(path));
        }
        // Whether content follows such an entry is what readers disagree on.
        if size != 0 && matches!(header.flag(), b'1'..=b'6') {
            return Err(TarError::Content(path));
        }
        if path.is_empty() && kind != Kind::Directory {
            return Err(bad(PathError::Empty));
        }
        let start = ahead.start.unwrap_or(at);
        let data = self.data(format!("{path:?}"), size)?;
        Ok(Entry { path, kind, header: at, span: start..self.at, data })
    }
}

impl Ahead {
    fn take(&mut self, at: u64, flag: u8, content: &[u8]) -> Result<(), TarError> {
        let name = || {
            let name = content.split(|byte| *byte == 0).next().unwrap_or_default();
            path::text(name).map_err(|source| TarError::Path { at, source })
        };
        let twice = match flag {
            b'L' => self.name.replace(name()?).is_some(),
            b'K' => self.link.replace(name()?).is_some(),
            b'x' => {
                let pax = Pax::parse(content).map_err(|source| TarError::Pax { at, source })?;
                self.pax.replace(pax).is_some()
            }
            _ => {
                let pax = Pax::parse(content).map_err(|source| TarError::Pax { at, source })?;
                // What all entries have in common is no name and no size.
                pax.path.is_some() || pax.link.is_some() || pax.size.is_some() || pax.sparse
            }
        };
        if twice { Err(TarError::TwoNames(at)) } else { Ok(()) }
    }

    /// Name, target of a link, and whether the file is sparse.
    fn names(&self, header: &Header, at: u64) -> Result<(String, String, bool), TarError> {
        let bad = |source| TarError::Path { at, source };
        let pax = self.pax.as_ref();
        let choose = |long: Option<&String>, pax: Option<&String>, short: Vec<u8>| match (long, pax)
        {
            (Some(_), Some(_)) => Err(TarError::TwoNames(at)),
            (Some(name), None) | (None, Some(name)) => Ok(name.clone()),
            (None, None) => path::text(&short).map_err(bad),
        };
        let name =
            choose(self.name.as_ref(), pax.and_then(|pax| pax.path.as_ref()), header.path())?;
        let link =
            choose(self.link.as_ref(), pax.and_then(|pax| pax.link.as_ref()), header.link())?;
        Ok((name, link, pax.is_some_and(|pax| pax.sparse)))
    }
}
