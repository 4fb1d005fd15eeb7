//! How much of a pattern's text a line has.

/// Three letters in a row are enough to be no accident, and survive a typo beside them.
const GRAM: usize = 3;

/// Less than half of the pattern's text is no resemblance, out of a hundred.
const LEAST: u32 = 50;

/// The text of a regular expression, to compare lines with. It only ranks lines in an error
/// message, so it need not understand every construct: what it takes for text wrongly lowers
/// a score.
#[derive(Debug)]
pub(crate) struct Likeness {
    grams: Vec<[u8; GRAM]>,
}

impl Likeness {
    pub(crate) fn to(regex: &str) -> Self {
        let words = literals(regex);
        let grams = words.iter().flat_map(|word| word.windows(GRAM));
        Self { grams: grams.map(|gram| [gram[0], gram[1], gram[2]]).collect() }
    }

    /// How much of the text the line has, out of a hundred, if it is enough to be worth a look.
    pub(crate) fn of(&self, line: &[u8]) -> Option<u32> {
        if self.grams.is_empty() {
            return None;
        }
        let line = line.to_ascii_lowercase();
        let present = |gram: &&[u8; GRAM]| memchr::memmem::find(&line, &gram[..]).is_some();
        let hits = self.grams.iter().filter(present).count();
        let score = u32::try_from(hits * 100 / self.grams.len()).unwrap_or(0);
        (score >= LEAST).then_some(score)
    }
}

/// The runs of plain characters in a regular expression, in lower case.
fn literals(regex: &str) -> Vec<Vec<u8>> {
    let mut words = vec![Vec::new()];
    let mut bytes = regex.bytes();
    while let Some(byte) = bytes.next() {
        let word = words.last_mut().expect("there is always one");
        match byte {
            b'\\' => match bytes.next() {
                // Classes, boundaries, escapes of code points.
                Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9') | None => words.push(Vec::new()),
                Some(escaped) => word.push(escaped),
            },
            b'?' | b'*' | b'{' => {
                word.pop();
                words.push(Vec::new());
                if byte == b'{' {
                    bytes.by_ref().find(|byte| *byte == b'}');
                }
            }
            b'[' => {
                bytes.by_ref().find(|byte| *byte == b']');
                words.push(Vec::new());
            }
            b'.' | b'^' | b'$' | b'|' | b'+' | b'(' | b')' => words.push(Vec::new()),
            _ => word.push(byte.to_ascii_lowercase()),
        }
    }
    words.retain(|word| word.len() >= GRAM);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_pattern_is_what_it_says_literally() {
        let words = |regex| {
            let words = literals(regex).into_iter().map(|word| String::from_utf8(word).unwrap());
            words.collect::<Vec<_>>()
        };
        assert_eq!(words(r"^Listening on http://\S+:8000"), ["listening on http://", ":8000"]);
        assert_eq!(words(r"colou?r {3}a[bc]def\.txt"), ["colo", "def.txt"]);
        assert_eq!(words(r"\d+"), Vec::<String>::new());
    }

    #[test]
    fn the_nearer_line_scores_higher() {
        let likeness = Likeness::to("Listening at: http");
        let near = likeness.of(b"[7] listening on: http://0.0.0.0").unwrap();
        assert!(likeness.of(b"Listening at: HTTP").unwrap() > near);
        assert_eq!(likeness.of(b"Booting worker"), None);
        assert_eq!(Likeness::to(".*").of(b"anything"), None);
    }
}
