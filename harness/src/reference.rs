//! An image's name in the two parts that testcontainers wants.

/// Splits at the colon of the tag, or at the one inside the digest: put together again with a
/// colon, both come out as they went in. A port is not a tag.
pub(crate) fn name_and_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_a_tag() {
        assert_eq!(name_and_tag("redis"), ("redis", "latest"));
        assert_eq!(name_and_tag("redis:7"), ("redis", "7"));
        assert_eq!(name_and_tag("localhost:5000/a/b"), ("localhost:5000/a/b", "latest"));
        assert_eq!(name_and_tag("localhost:5000/a/b:1"), ("localhost:5000/a/b", "1"));
    }

    #[test]
    fn a_digest_survives_the_round_trip() {
        let image = "a/b@sha256:0123";
        let (name, tag) = name_and_tag(image);
        assert_eq!(format!("{name}:{tag}"), image);
    }
}
