//! `oci-layout`: the file that says a layout is one, and which version.

use serde::Deserialize;

/// The version of the layout that is read and written here.
pub(crate) const VERSION: &str = "1.0.0";

/// The version that an `oci-layout` file says.
pub(crate) fn read(text: &[u8]) -> Result<String, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        image_layout_version: String,
    }
    let version: Version = serde_json::from_slice(text)?;
    Ok(version.image_layout_version)
}

/// An `oci-layout` file.
pub(crate) fn text() -> String {
    format!(r#"{{"imageLayoutVersion":"{VERSION}"}}"#)
}
