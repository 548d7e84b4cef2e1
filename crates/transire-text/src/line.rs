//! The one-line form of a profile: `transire1.` and the canonical bytes in base64url, without padding, unused bits zero.

use data_encoding::{BASE64URL_NOPAD, DecodeKind};
use transire_core::bytes::index;
use transire_core::format::Registry;
use transire_core::profile::Profile;
use transire_core::prologue::{HEADER_MAX, PROLOGUE_LEN};
use transire_core::verdict::{Verdict, reasons};

use crate::error::{ErrorKind, TextError};

/// What a line begins with. The digit is that of this form, not of the bytes in it.
pub const LINE_PREFIX: &str = "transire1.";

/// Longest line, in characters: the longest profile, four characters for three bytes.
pub const LINE_MAX: usize = LINE_PREFIX.len() + (PROLOGUE_LEN + HEADER_MAX as usize).div_ceil(3) * 4;

/// Writes the line, without a line break.
pub fn profile_to_line(profile: &Profile) -> String {
    let mut line = String::from(LINE_PREFIX);
    BASE64URL_NOPAD.encode_append(&profile.to_bytes(), &mut line);
    line
}

/// Reads a line, with or without its line break.
pub fn profile_from_line(line: &str, registry: Registry) -> Result<Profile, TextError> {
    let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
    let error = |offset, detail: &str| TextError::new(ErrorKind::Line, "", None, detail).at_offset(offset);
    let Some(digits) = line.strip_prefix(LINE_PREFIX) else {
        let same = line.bytes().zip(LINE_PREFIX.bytes()).take_while(|(mine, theirs)| mine == theirs).count();
        return Err(error(same, "a profile in one line begins with transire1."));
    };
    if line.len() > LINE_MAX {
        let detail = format!("{} characters, expected at most {LINE_MAX}", line.len());
        return Err(TextError::new(ErrorKind::Limit, "", None, &detail).at_offset(LINE_MAX));
    }
    let bytes = BASE64URL_NOPAD.decode(digits.as_bytes()).map_err(|fault| {
        // A length that no bytes have can come of one character too many: that one is named.
        let foreign = digits.char_indices().find(|(_, character)| !is_digit(*character));
        let (position, detail) = match (foreign, fault.kind) {
            (Some((at, character)), _) if character.is_whitespace() => (at, "whitespace inside"),
            (Some((at, '=')), _) => (at, "padding, which this form has not"),
            (Some((at, _)), _) => (at, "a character that is not base64url: letters, digits, - and _"),
            (None, DecodeKind::Trailing) => (fault.position, "bits that are not used are not zero"),
            (None, _) => (digits.len(), "a length that no bytes have: a character is missing or too many"),
        };
        error(LINE_PREFIX.len() + position, detail)
    })?;
    profile_from_bytes(&bytes, registry)
}

fn is_digit(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

/// Reads canonical bytes. The reason in the error has the offset in these.
pub(crate) fn profile_from_bytes(bytes: &[u8], registry: Registry) -> Result<Profile, TextError> {
    Profile::read(bytes, &|name| registry.dictionary(name), &mut Verdict::new()).map_err(|reason| {
        if reason.id != reasons::VENDOR_UNRECOGNIZED {
            return TextError::of_reason(reason, "", None, "");
        }
        let span = reason.span.map(|span| index_of(span.offset)..index_of(span.offset + u64::from(span.length)));
        let name = span.and_then(|span| bytes.get(span)).and_then(|name| std::str::from_utf8(name).ok());
        let error = TextError::unknown_vendor(name.unwrap_or_default(), None, registry);
        TextError { offset: reason.offset(), reason: Some(Box::new(reason)), ..error }
    })
}

fn index_of(offset: u64) -> usize {
    u32::try_from(offset).map_or(usize::MAX, index)
}
