//! Lines out of bytes that arrive cut anywhere.

/// A line longer than this is delivered in pieces, so that a program that never writes a
/// newline cannot fill the memory twice.
const MAX_LINE: usize = 1 << 20;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// Puts the lines of one stream together.
#[derive(Clone, Debug, Default)]
pub(crate) struct LineAssembler {
    partial: Vec<u8>,
}

impl LineAssembler {
    /// Takes the next bytes and hands out the lines they complete, without their newlines.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut complete: impl FnMut(Vec<u8>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.fill(&bytes[..end], &mut complete);
            complete(std::mem::take(&mut self.partial));
            bytes = &bytes[end + 1..];
        }
        self.fill(bytes, &mut complete);
    }

    /// What has arrived since the last newline.
    pub(crate) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// The last line, if the stream ended without a newline.
    pub(crate) fn finish(&mut self) -> Option<Vec<u8>> {
        let rest = std::mem::take(&mut self.partial);
        (!rest.is_empty()).then_some(rest)
    }

    fn fill(&mut self, mut bytes: &[u8], complete: &mut impl FnMut(Vec<u8>)) {
        while self.partial.len() + bytes.len() > MAX_LINE {
            let (now, later) = bytes.split_at(MAX_LINE - self.partial.len());
            self.partial.extend_from_slice(now);
            complete(std::mem::take(&mut self.partial));
            bytes = later;
        }
        self.partial.extend_from_slice(bytes);
    }
}

/// The line as a reader sees it, if that differs from what was written: without the returns of
/// a CRLF line end, and without the escape sequences that colour it or move the cursor.
pub(crate) fn plain(raw: &[u8]) -> Option<Vec<u8>> {
    let end = raw.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    if end == raw.len() && memchr::memchr(ESCAPE, raw).is_none() {
        return None;
    }
    let mut plain = Vec::with_capacity(end);
    let mut rest = &raw[..end];
    while let Some(start) = memchr::memchr(ESCAPE, rest) {
        plain.extend_from_slice(&rest[..start]);
        rest = &rest[start + escape_length(&rest[start..])..];
    }
    plain.extend_from_slice(rest);
    // `\r\n` after a colour's reset.
    while plain.last() == Some(&b'\r') {
        plain.pop();
    }
    Some(plain)
}

/// How long the escape sequence at the start is (ECMA-48, section 5). One that is cut off ends
/// with the line.
fn escape_length(bytes: &[u8]) -> usize {
    let after = |from: usize, wanted: fn(u8) -> bool| {
        bytes[from..].iter().position(|byte| !wanted(*byte)).map_or(bytes.len(), |at| from + at)
    };
    match bytes.get(1) {
        // CSI: parameters, intermediates, one final byte.
        Some(b'[') => {
            let middle = after(2, |byte| (0x20..0x40).contains(&byte));
            bytes.len().min(middle + 1)
        }
        // OSC, such as a window title: up to a bell or ESC \.
        Some(b']') => {
            let end = after(2, |byte| byte != BELL && byte != ESCAPE);
            match bytes.get(end..) {
                Some([ESCAPE, b'\\', ..]) => end + 2,
                _ => bytes.len().min(end + 1),
            }
        }
        // Intermediates and a final byte, such as the choice of a character set.
        Some(0x20..=0x2f) => bytes.len().min(after(1, |byte| (0x20..0x30).contains(&byte)) + 1),
        Some(0x30..=0x7e) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assemble<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let mut assembler = LineAssembler::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            assembler.push(chunk, |line| lines.push(line));
        }
        lines.extend(assembler.finish());
        lines
    }

    #[test]
    fn edge_chunks_of_a_line_are_one_line() {
        let text = [vec![b'x'; 40_000], b"needle\n".to_vec()].concat();
        let lines = assemble(text.chunks(16 * 1024));
        assert_eq!(lines, [text[..text.len() - 1].to_vec()]);
    }

    #[test]
    fn edge_chunks_an_endless_line_is_delivered_in_pieces() {
        let lines = assemble([&vec![b'x'; MAX_LINE + 5][..], b"y\n"]);
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_LINE, 6]);
    }

    #[test]
    fn edge_chunks_the_unterminated_tail_is_visible() {
        let mut assembler = LineAssembler::default();
        let mut lines = Vec::new();
        assembler.push(b"one\npassword: ", |line| lines.push(line));
        assert_eq!((lines, assembler.partial()), (vec![b"one".to_vec()], &b"password: "[..]));
    }

    #[test]
    fn edge_escapes_crlf_ansi_and_titles_are_not_part_of_the_text() {
        for (raw, expected) in [
            (&b"ready\r"[..], &b"ready"[..]),
            (b"ready\r\r", b"ready"),
            (b"\x1b[1;32mready\x1b[0m\r", b"ready"),
            (b"\x1b]0;title\x07ready", b"ready"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", b"link"),
            (b"\x1b(Bready\x1b=", b"ready"),
            (b"\x1b[?25l\x1b[2Kready", b"ready"),
            (b"10%\r20%", b"10%\r20%"),
            (b"cut \x1b[3", b"cut "),
            (b"cut \x1b", b"cut "),
            (b"\r", b""),
        ] {
            let text = plain(raw).unwrap_or_else(|| raw.to_vec());
            assert_eq!(text, expected, "{}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn edge_not_utf_8_bytes_stay_what_they_are() {
        // 0x9b is CSI in Latin-1 and the middle of a character in UTF-8.
        assert_eq!(plain(b"\xff\xfe \xe2\x9b\xb5"), None);
        assert_eq!(plain(b"\xff\x1b[0m\x9b").as_deref(), Some(&b"\xff\x9b"[..]));
    }
}
