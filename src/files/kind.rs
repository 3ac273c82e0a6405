//! The media type of a file by the end of its name. A guess, told to a person; nothing is decided by it.

/// What is not known.
pub(super) const UNKNOWN: &str = "application/octet-stream";

/// Ends of names and their types (IANA media types).
const KINDS: &[(&str, &str)] = &[
    ("7z", "application/x-7z-compressed"),
    ("avi", "video/x-msvideo"),
    ("bz2", "application/x-bzip2"),
    ("csv", "text/csv"),
    ("deb", "application/vnd.debian.binary-package"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("html", "text/html"),
    ("iso", "application/vnd.efi.iso"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("mkv", "video/matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("sh", "application/x-sh"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("toml", "application/toml"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("xz", "application/x-xz"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

/// The type of a file of this name.
pub(super) fn of(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    KINDS.iter().find(|(known, _)| *known == end).map_or(UNKNOWN, |(_, kind)| kind)
}

/// Whether a text has the form of a media type (RFC 6838, section 4.2).
pub(super) fn is_one(text: &str) -> bool {
    let restricted = |part: &str| {
        let mut bytes = part.bytes();
        (1..=127).contains(&part.len())
            && bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.split_once('/').is_some_and(|(kind, sub)| restricted(kind) && restricted(sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_guessed_by_the_end_of_the_name() {
        assert_eq!(of("Photo.JPG"), "image/jpeg");
        assert_eq!(of("archive.tar.gz"), "application/gzip");
        for name in ["", "README", "x.", "a.unheard-of"] {
            assert_eq!(of(name), UNKNOWN);
        }
        assert!(KINDS.iter().all(|(_, kind)| is_one(kind)));
        assert!(is_one(UNKNOWN));
    }

    #[test]
    fn only_what_has_the_form_of_a_type_is_one() {
        for other in ["", "image", "image/", "/png", "image/p ng", "image/png/x", "\u{1b}[2J/x", "-a/b"] {
            assert!(!is_one(other), "{other:?}");
        }
    }
}
