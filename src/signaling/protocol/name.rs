//! Names of users: what is a name, and when two names are the same.
//!
//! RFC 8265, profile UsernameCasePreserved, with bounds and a few characters kept back. Names are
//! compared by their [`Fold`], so that `Alice` and `alice` cannot both exist.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use precis_profiles::UsernameCasePreserved;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

use super::MAX_NAME;

/// Kept back: `@` for names on other servers, `#` for rooms, `/` for parts of either.
const RESERVED: [char; 3] = ['@', '#', '/'];

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a name cannot be empty")]
    Empty,
    /// More than 64 bytes of UTF-8.
    #[error("a name has at most {MAX_NAME} bytes of UTF-8")]
    TooLong,
    /// `@`, `#` or `/`.
    #[error("a name cannot contain U+{:04X}: '@', '#' and '/' are kept back", u32::from(*.0))]
    Reserved(char),
    /// A character that RFC 8265 or this protocol does not allow in a name.
    #[error("a name cannot contain U+{0:04X} (control, space, symbol, invisible or bidi character)")]
    Character(u32),
    /// Right-to-left and left-to-right mixed against RFC 5893.
    #[error("a name cannot mix writing directions like this (RFC 5893)")]
    Direction,
}

/// A valid name, in the spelling its owner chose. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Arc<str>);

/// A name as it is compared: lower case, normalised. Cheap to clone; ordered by code points.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fold(Arc<str>);

impl Name {
    /// Checks and normalises a name.
    ///
    /// # Errors
    /// [`NameError`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Name, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        // Twice the limit leaves room for full-width letters, which shrink.
        if text.len() > 2 * MAX_NAME {
            return Err(NameError::TooLong);
        }
        if let Some(c) = text.chars().find(|c| invisible(*c)) {
            return Err(NameError::Character(c.into()));
        }
        let name = if text.bytes().all(|b| b.is_ascii_graphic()) {
            // ASCII7 (RFC 8264 section 9.11) is allowed as it is.
            Cow::Borrowed(text)
        } else {
            let once = enforce(text)?;
            // The rules are applied until nothing changes (RFC 8265 section 3.4.3).
            let twice = enforce(&once)?;
            if once != twice {
                return Err(NameError::Direction);
            }
            Cow::Owned(once)
        };
        if name.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        if let Some(c) = name.chars().find(|c| RESERVED.contains(c)) {
            return Err(NameError::Reserved(c));
        }
        Ok(Name(name.as_ref().into()))
    }

    /// The spelling its owner chose.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it is compared.
    pub fn fold(&self) -> Fold {
        if self.0.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
            return Fold(Arc::clone(&self.0));
        }
        Fold(fold_text(&self.0).into())
    }
}

impl Fold {
    /// A place in the order of folded names: any text, folded.
    pub(crate) fn cursor(text: &str) -> Fold {
        Fold(fold_text(text).into())
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The folding used for names, for any text (a search, for instance).
pub(crate) fn fold_text(text: &str) -> String {
    // Final sigma is the same letter; lower-casing a whole word would tell them apart.
    text.nfc().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).nfc().collect()
}

fn enforce(text: &str) -> Result<String, NameError> {
    use precis_profiles::precis_core::Error;
    match UsernameCasePreserved::enforce(text) {
        Ok(name) if name.is_empty() => Err(NameError::Empty),
        Ok(name) => Ok(name.into_owned()),
        Err(Error::BadCodepoint(info)) => Err(NameError::Character(info.cp)),
        Err(_) => Err(NameError::Direction),
    }
}

/// Characters that draw nothing or steer the direction of others, joiners included: RFC 8264 allows
/// the joiners in some scripts, but two names must never look the same.
fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Name, NameError> {
        Name::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Debug for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Name, E> {
                Name::new(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_NAME,
            "description": "a name: RFC 8265 UsernameCasePreserved, at most 64 bytes of UTF-8"
        })
    }
}
