//! Plans and applies image tags.
