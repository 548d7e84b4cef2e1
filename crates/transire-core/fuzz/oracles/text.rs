//! Profiles, targets and the forms of 2019 and 2020 as text: what must hold of any bytes.

use std::sync::LazyLock;

use transire_core::profile::Profile;
use transire_core::vendors::VENDORS;
use transire_text::history::{COMBINATIONS_MAX, PAGE_MAX};
use transire_text::{
    ErrorKind, Place, Syntax, TextError, expand_compatible, load_profile, load_target, profile_from_migration_version,
    profile_from_self, profile_to_json, profile_to_line, profile_to_toml, sniff, targets_from_compatible,
};

/// Longest message: the keys that lead to the deepest value, each cut to 48 characters, and a list of what is known.
const MESSAGE_MAX: usize = 16 << 10;

/// Longest part of an unfolded text: deep enough for any stack, and read in a moment.
const UNFOLDED_MAX: usize = 64 << 10;

/// A device for `compatible` files.
static DEVICE: LazyLock<Profile> = LazyLock::new(|| {
    profile_from_self("mdev_type=i915-GVTg_V5_2\ndevice_id=8086591d\nsoftware_version=1.0.0\n", VENDORS)
        .expect("a device")
});

/// The input as every form of text. One that begins with 0xFF, which is no text, is first unfolded: see [`unfolded`].
pub(crate) fn text(input: &[u8]) {
    match input {
        [0xff, times, length, rest @ ..] => read(&unfolded(*times, *length, rest)),
        _ => read(input),
    }
}

/// A beginning, and what follows it up to 2^15 times and 64 KiB: long and deeply nested texts from short inputs.
pub(crate) fn unfolded(times: u8, length: u8, rest: &[u8]) -> Vec<u8> {
    let (head, unit) = rest.split_at(usize::from(length).min(rest.len()));
    let times = (1_usize << (times % 16)).min(UNFOLDED_MAX.checked_div(unit.len()).unwrap_or(0));
    [head, &unit.repeat(times)].concat()
}

fn read(bytes: &[u8]) {
    let profile = load_profile(bytes, VENDORS);
    let target = load_target(bytes, VENDORS);
    match &profile {
        Ok(profile) => {
            round_trip(profile);
            match &target {
                Ok(target) => assert_eq!(target.profile().to_bytes(), profile.to_bytes()),
                Err(error) => {
                    let ought = [ErrorKind::Contradiction, ErrorKind::BadValue];
                    assert!(ought.contains(&error.kind), "a profile is a target: {error}");
                }
            }
        }
        Err(error) => check(error, bytes),
    }
    match &target {
        Ok(target) => round_trip(target.profile()),
        Err(error) => {
            // What no device can be is told by its place in the text, or else in the canonical bytes.
            if matches!(sniff(bytes), Syntax::Toml | Syntax::Json) || !is_of_device(error) {
                check(error, bytes);
            }
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match profile_from_migration_version(text, VENDORS) {
        Ok(profile) => {
            assert_eq!(profile.vendor(), "gvt-g");
            round_trip(&profile);
        }
        Err(error) => check(&error, bytes),
    }
    compatible(text, bytes);
}

/// Whether the error is that no device can be what the profile says, told by the offset in its canonical bytes.
fn is_of_device(error: &TextError) -> bool {
    matches!(error.kind, ErrorKind::Contradiction | ErrorKind::BadValue)
        && error.line.is_none()
        && error.offset.is_some()
}

fn compatible(text: &str, bytes: &[u8]) {
    let itself = profile_from_self(text, VENDORS);
    match &itself {
        Ok(profile) => round_trip(profile),
        Err(error) => check(error, bytes),
    }
    match expand_compatible(text) {
        Ok(expansion) => {
            let members = expansion.members.len();
            assert!((1..=COMBINATIONS_MAX).contains(&(members + expansion.dropped.len())));
            for member in &expansion.members {
                let length: usize = member.fields.iter().map(|field| field.value.len()).sum();
                assert!(length <= PAGE_MAX, "{length} bytes");
                member.fields.iter().for_each(|field| inside(field.at, bytes));
            }
            expansion.dropped.iter().for_each(|dropped| inside(dropped.at, bytes));
            if itself.is_ok() {
                assert_eq!((members, expansion.dropped.len()), (1, 0), "a self has no templates");
            }
            if members <= 64 {
                let device = itself.as_ref().unwrap_or(&DEVICE);
                match targets_from_compatible(device, text, VENDORS) {
                    Ok(compatible) => assert_eq!(compatible.targets.len(), members),
                    Err(error) if is_of_device(&error) => {}
                    Err(error) => check(&error, bytes),
                }
            }
        }
        Err(error) => {
            check(&error, bytes);
            assert!(itself.is_err(), "a self is a compatible without templates: {error}");
        }
    }
}

/// A profile goes through all its forms and comes back as it was.
fn round_trip(profile: &Profile) {
    let canonical = profile.to_bytes();
    let back = |form: &[u8], syntax| {
        assert_eq!(sniff(form), syntax, "{}", String::from_utf8_lossy(form));
        let back =
            load_profile(form, VENDORS).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(form)));
        assert_eq!(back.to_bytes(), canonical, "{}", String::from_utf8_lossy(form));
        back
    };
    let toml = back(profile_to_toml(profile).as_bytes(), Syntax::Toml);
    let json = back(profile_to_json(&toml).as_bytes(), Syntax::Json);
    let line = back(profile_to_line(&json).as_bytes(), Syntax::Line);
    back(&line.to_bytes(), Syntax::Canonical);
}

/// An error names a place in the text, or a byte of it, and stays short.
fn check(error: &TextError, bytes: &[u8]) {
    let shown = error.to_string();
    assert!(!error.message.is_empty() && shown.len() <= MESSAGE_MAX, "{} bytes: {shown}", shown.len());
    assert!(!shown.contains('\n') && !shown.contains('\r'), "one line: {shown:?}");
    assert_eq!(error.line.is_some(), error.column.is_some(), "{error:?}");
    assert!(error.line.is_some() || error.offset.is_some(), "no place: {error:?}");
    if let (Some(line), Some(column)) = (error.line, error.column) {
        inside(Place { line, column }, bytes);
    }
    if let Some(offset) = error.offset {
        assert!(offset <= bytes.len() as u64, "{error:?}");
    }
}

/// Whether the place is one of the text's: a character of it, or the end of a line.
fn inside(at: Place, bytes: &[u8]) {
    assert!(at.line > 0 && at.column > 0, "{at}");
    let line = bytes.split(|&byte| byte == b'\n').nth(at.line as usize - 1);
    let line = line.unwrap_or_else(|| panic!("{at} in a text of {} lines", bytes.split(|&byte| byte == b'\n').count()));
    // Characters begin with any byte but those that continue one.
    let characters = line.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
    assert!(at.column as usize <= characters + 1, "{at} in a line of {characters} characters");
}
