//! Lines out of bytes that arrive cut anywhere.

/// A line longer than this is delivered in pieces, so that a program that never writes a
/// newline cannot fill the memory twice.
const MAX_LINE: usize = 1 << 20;

/// Puts the lines of one stream together.
#[derive(Debug, Default)]
pub(crate) struct LineAssembler {
    partial: Vec<u8>,
}

impl LineAssembler {
    /// Takes the next bytes and hands out the lines they complete, without their line ends.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.fill(&bytes[..end], &mut lines);
            lines.push(strip_return(std::mem::take(&mut self.partial)));
            bytes = &bytes[end + 1..];
        }
        self.fill(bytes, &mut lines);
        lines
    }

    /// What has arrived since the last line end.
    pub(crate) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// The last line, if the stream ended without a newline.
    pub(crate) fn finish(&mut self) -> Option<Vec<u8>> {
        let rest = std::mem::take(&mut self.partial);
        (!rest.is_empty()).then(|| strip_return(rest))
    }

    fn fill(&mut self, mut bytes: &[u8], lines: &mut Vec<Vec<u8>>) {
        while self.partial.len() + bytes.len() > MAX_LINE {
            let (now, later) = bytes.split_at(MAX_LINE - self.partial.len());
            self.partial.extend_from_slice(now);
            lines.push(std::mem::take(&mut self.partial));
            bytes = later;
        }
        self.partial.extend_from_slice(bytes);
    }
}

fn strip_return(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn assemble<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let mut assembler = LineAssembler::default();
        let mut lines: Vec<_> =
            chunks.into_iter().flat_map(|chunk| assembler.push(chunk)).collect();
        lines.extend(assembler.finish());
        lines
    }

    fn split_whole(text: &[u8]) -> Vec<Vec<u8>> {
        let mut lines: Vec<_> =
            text.split(|byte| *byte == b'\n').map(|line| strip_return(line.to_vec())).collect();
        // A text that ends in a newline has no line after it.
        if text.is_empty() || text.ends_with(b"\n") {
            lines.pop();
        }
        lines
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_lines_of_the_whole(
            text in vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), any::<u8>()], 0..200),
            cuts in vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]);
            prop_assert_eq!(assemble(chunks), split_whole(&text));
        }
    }

    #[test]
    fn a_line_longer_than_a_frame_is_one_line() {
        let text = [vec![b'x'; 40_000], b"needle\r\n".to_vec()].concat();
        let lines = assemble(text.chunks(16 * 1024));
        assert_eq!(lines, [text[..text.len() - 2].to_vec()]);
    }

    #[test]
    fn an_endless_line_is_delivered_in_pieces() {
        let lines = assemble([&vec![b'x'; MAX_LINE + 5][..], b"y\n"]);
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_LINE, 6]);
    }

    #[test]
    fn the_unterminated_tail_is_visible() {
        let mut assembler = LineAssembler::default();
        assert_eq!(assembler.push(b"one\npassword: "), [b"one".to_vec()]);
        assert_eq!(assembler.partial(), b"password: ");
    }
}
