//! Nothing is lost between a profile's bytes and its texts.

use proptest::prelude::*;
use proptest::sample::select;
use transire_core::attribute::{
    AttributeId, Constraint, OwnedValue, PciId, Ratio, Text, Type, VENDOR, Value, Version, is_shown,
};
use transire_core::profile::{Profile, ProfileBuilder};
use transire_text::{load_profile, load_target, profile_to_json, profile_to_line, profile_to_toml};

use crate::toy::{REGISTRY, dictionary};

/// Numbers on and beside the boundaries, and any other.
fn number() -> impl Strategy<Value = u64> {
    let edges = vec![0, 1, 15, 16, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, i64::MAX as u64, 1 << 63, u64::MAX];
    prop_oneof![select(edges), any::<u64>(), 1..=16_u64]
}

fn text() -> impl Strategy<Value = String> {
    let awkward = select(vec!['"', '\\', '\'', '#', '=', ' ', '.', '[', '{', '/', 'ä', '値', '🦀', '\u{301}', '0']);
    let character =
        prop_oneof![awkward, any::<char>().prop_map(|character| if is_shown(character) { character } else { '?' })];
    let free = prop::collection::vec(character, 1..20).prop_map(String::from_iter);
    let fixed = select(vec!["0x12", "8086:4941", "unknown", "true", "1", "transire1.", "type", "value", " "]);
    prop_oneof![3 => free, 1 => fixed.prop_map(str::to_owned)]
}

fn set_of(member: Type) -> BoxedStrategy<OwnedValue> {
    let unique = |mut values: Vec<OwnedValue>| {
        values.sort_by(|a, b| a.bytes().cmp(b.bytes()));
        values.dedup();
        let members: Vec<Value<'_>> = values.iter().map(OwnedValue::value).collect();
        OwnedValue::set(members[0].kind(), &members).unwrap()
    };
    prop::collection::vec(value(member), 1..8).prop_map(unique).boxed()
}

fn value(kind: Type) -> BoxedStrategy<OwnedValue> {
    match kind {
        Type::Bool => any::<bool>().prop_map(|value| Value::Bool(value).to_owned()).boxed(),
        Type::Uint => number().prop_map(|number| Value::Uint(number).to_owned()).boxed(),
        Type::Text => text().prop_map(|text| Value::Text(Text::new(&text).unwrap()).to_owned()).boxed(),
        Type::Bytes => {
            let bytes = prop::collection::vec(any::<u8>(), 1..40);
            bytes.prop_map(|bytes| OwnedValue::new(Type::Bytes, bytes).unwrap()).boxed()
        }
        Type::Version => any::<(u32, u32, u32)>()
            .prop_map(|(major, minor, patch)| Value::Version(Version { major, minor, patch }).to_owned())
            .boxed(),
        Type::Range => (number(), number()).prop_map(|(a, b)| Value::Range(a.min(b), a.max(b)).to_owned()).boxed(),
        Type::Mask => {
            prop::collection::vec(any::<u8>(), 0..33).prop_map(|bytes| OwnedValue::mask(&bytes).unwrap()).boxed()
        }
        Type::Set => select(vec![Type::Uint, Type::Text, Type::PciId]).prop_flat_map(set_of).boxed(),
        Type::Ratio => any::<(u32, u32)>()
            .prop_map(|(a, b)| Ratio::new(a, b).or_else(|| Ratio::new(a, 1)).unwrap())
            .prop_map(|ratio| Value::Ratio(ratio).to_owned())
            .boxed(),
        Type::PciId => {
            any::<(u16, u16)>().prop_map(|(vendor, device)| Value::PciId(PciId { vendor, device }).to_owned()).boxed()
        }
        Type::Map => prop::collection::btree_map(text(), text(), 1..6)
            .prop_map(|map| {
                let pairs: Vec<(&str, &str)> = map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                OwnedValue::map(&pairs).unwrap()
            })
            .boxed(),
        Type::Unknown => Just(Value::Unknown.to_owned()).boxed(),
    }
}

type Raw = (AttributeId, u8, Vec<u8>);

fn raw(id: AttributeId, value: &OwnedValue) -> Raw {
    (id, value.kind().code(), value.bytes().to_vec())
}

/// One of the attributes that the toy defines, with a value that it may have.
fn known() -> BoxedStrategy<Raw> {
    let definitions: Vec<_> = dictionary().definitions().filter(|definition| definition.id != VENDOR).collect();
    let any_of =
        |definition: &'static transire_core::attribute::Definition| {
            let value = match definition.constraint {
                Constraint::Members(member) => set_of(member),
                _ => value(definition.kind),
            };
            // Every constraint on numbers here admits 1.
            let fitting = value.prop_map(|value| {
                if definition.constraint.admits(value.value()) { value } else { Value::Uint(1).to_owned() }
            });
            let id = definition.id;
            prop_oneof![8 => fitting, 1 => value_not_reported()].prop_map(move |value| raw(id, &value))
        };
    // Values that a constraint of one length admits are rare among all: that attribute has a value of its own.
    let key = any::<[u8; 2]>().prop_map(|bytes| (AttributeId(0x0105), Type::Bytes.code(), bytes.to_vec()));
    let others: Vec<_> = definitions.into_iter().filter(|definition| definition.name != "key").collect();
    prop_oneof![20 => select(others).prop_flat_map(any_of), 1 => key].boxed()
}

fn value_not_reported() -> BoxedStrategy<OwnedValue> {
    value(Type::Unknown)
}

/// An attribute that nobody knows, of a known type or of one that nobody knows either.
fn unknown() -> BoxedStrategy<Raw> {
    let id = prop_oneof![0x0040..0x00e0_u16, 0x0200..0x7000_u16, 0x7000..0x8000_u16].prop_map(AttributeId);
    let typed = (id.clone(), select(Type::ALL.to_vec()).prop_flat_map(value)).prop_map(|(id, value)| raw(id, &value));
    let code = prop_oneof![Just(0_u8), 13..=255_u8];
    let untyped = (id, code, prop::collection::vec(any::<u8>(), 0..20));
    prop_oneof![typed, untyped].boxed()
}

fn profile() -> impl Strategy<Value = Profile> {
    prop::collection::vec(prop_oneof![known(), unknown()], 0..24).prop_map(|rows| {
        let mut builder = ProfileBuilder::new();
        builder.set(VENDOR, &Value::Text(Text::constant("toy")).to_owned());
        for (id, code, bytes) in rows {
            builder.set_raw(id, code, &bytes);
        }
        builder.build(&|name| REGISTRY.dictionary(name)).unwrap()
    })
}

/// The longest profiles still come back from their longest texts.
#[test]
fn full_headers_fit_every_form() {
    let quotes = |count: usize| (0..count).map(|at| format!("{}{at:x}", "\"".repeat(3))).collect::<Vec<_>>();
    let texts = quotes(256);
    let members: Vec<Value<'_>> = texts.iter().map(|text| Value::Text(Text::new(text).unwrap())).collect();
    let pairs: Vec<(&str, &str)> = texts.iter().map(|text| (text.as_str(), "\"")).collect();
    let rows: [(u8, Vec<u8>); 4] = [
        (200, Vec::new()),
        (Type::Set.code(), OwnedValue::set(Type::Text, &members).unwrap().bytes().to_vec()),
        (Type::Map.code(), OwnedValue::map(&pairs).unwrap().bytes().to_vec()),
        (Type::Text.code(), "\"".repeat(1024).into_bytes()),
    ];
    for (code, bytes) in rows {
        let mut builder = ProfileBuilder::new();
        builder.set(VENDOR, &Value::Text(Text::constant("toy")).to_owned());
        let count = (65_536 - 11) / (bytes.len() + 8);
        for number in (0x0200..).take(count) {
            builder.set_raw(AttributeId(number), code, &bytes);
        }
        let profile = builder.build(&|name| REGISTRY.dictionary(name)).unwrap();
        assert!(profile.header().bytes().len() > 60_000);
        for text in [profile_to_toml(&profile), profile_to_json(&profile), profile_to_line(&profile)] {
            assert_eq!(load_profile(text.as_bytes(), REGISTRY).as_ref(), Ok(&profile), "{code}, {} bytes", text.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_profile_comes_back(profile in profile()) {
        let bytes = profile.to_bytes();
        for text in [profile_to_toml(&profile), profile_to_json(&profile), profile_to_line(&profile)] {
            match load_profile(text.as_bytes(), REGISTRY) {
                Ok(back) => prop_assert_eq!(back.to_bytes(), bytes.clone(), "{}", text),
                Err(error) => prop_assert!(false, "{error}\n{text}"),
            }
        }
    }

    /// Any bytes, and any damage to a text, give a profile or an error.
    #[test]
    fn nothing_panics(profile in profile(), at in any::<prop::sample::Index>(), with in any::<u8>(), form in 0..4_u8) {
        let mut bytes = match form {
            0 => profile_to_toml(&profile).into_bytes(),
            1 => profile_to_json(&profile).into_bytes(),
            2 => profile_to_line(&profile).into_bytes(),
            _ => profile.to_bytes(),
        };
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Err(error) = load_profile(&bytes, REGISTRY) {
            prop_assert!(!error.to_string().is_empty());
        }
        drop(load_target(&bytes, REGISTRY));
        bytes.truncate(at);
        drop(load_profile(&bytes, REGISTRY));
    }
}
