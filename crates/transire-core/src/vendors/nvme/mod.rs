//! nvme: NVMe controllers, local ones and such as stand for a store on the network.
//!
//! Four layouts of a controller's state are public, and neither of the current ones names the device: no PCI id, no driver
//! version, no namespaces, no checksum. So everything that is compared here has to come from a profile.
//!
//! Facts: NVMe Base Specification 2.1 (August 2024), host managed live migration; the Linux RFCs "nvme-vfio" (December
//! 2022) and "vfio-nvme" (August 2025); SPDK's vfio-user target until September 2025; and the discussion of July to September 2020
//! in which the remote URL was the example of a value that the target can be given before the state is loaded.
//!
//! **Unconfirmed** is what each rule's origin calls so: the specification says how a state is carried, and little of which
//! two controllers go together.

#![allow(clippy::doc_markdown, reason = "NVMe is a name, no code")]

pub mod foreign;
pub mod queues;
pub mod rfc;
pub mod state;
pub mod url;

use crate::attribute::{
    AttributeId, Attributes, Constraint, DEVICE_API, DRIVER, DRIVER_VERSION, Definition, Dictionary, Map, PCI_ID,
    SOFTWARE_VERSION, SUBSYSTEM_ID, Text, Type, Value, row,
};
use crate::format::Vendor;
use crate::rule::{
    Absent, Compare, Comparison, Mismatch, Origin, OriginKind, Pair, Rule, RuleTable, When, derives_nothing, rule,
};
use crate::verdict::reasons as shared;
use url::{Fault, Url};

/// `remote_url`: the store that the controller stands for.
pub const REMOTE_URL: AttributeId = AttributeId(0x8100);
/// `subnqn`: the qualified name of the NVM subsystem.
pub const SUBNQN: AttributeId = AttributeId(0x0101);
/// `namespaces`: what is attached to the controller, by namespace id.
pub const NAMESPACES: AttributeId = AttributeId(0x8102);
/// `state_layout`: which of the four public layouts the state has.
pub const STATE_LAYOUT: AttributeId = AttributeId(0x8103);
/// `state_version`: the version of the NVMe part of the state.
pub const STATE_VERSION: AttributeId = AttributeId(0x8104);
/// `state_formats`: the versions that the controller lists, by index.
pub const STATE_FORMATS: AttributeId = AttributeId(0x8105);
/// `state_index`: the source's index of `state_version`.
pub const STATE_INDEX: AttributeId = AttributeId(0x0106);
/// `vendor_format`: the UUID of the vendor's part of the state.
pub const VENDOR_FORMAT: AttributeId = AttributeId(0x8107);
/// `vendor_formats`: the UUIDs that the controller lists, by index.
pub const VENDOR_FORMATS: AttributeId = AttributeId(0x8108);
/// `vendor_index`: the source's index of `vendor_format`.
pub const VENDOR_INDEX: AttributeId = AttributeId(0x0109);
/// `hmlms`: whether the controller supports host managed live migration.
pub const HMLMS: AttributeId = AttributeId(0x010a);
/// `max_io_queues`: I/O queue pairs that the controller offers.
pub const MAX_IO_QUEUES: AttributeId = AttributeId(0x010b);
/// `io_queues`: I/O queue pairs that the guest has created.
pub const IO_QUEUES: AttributeId = AttributeId(0x010c);
/// `max_queue_entries`: entries that a queue may have.
pub const MAX_QUEUE_ENTRIES: AttributeId = AttributeId(0x010d);
/// `queue_entries`: entries of the guest's longest queue.
pub const QUEUE_ENTRIES: AttributeId = AttributeId(0x010e);
/// `mdts`: the largest transfer, as a power of two of the smallest page; 0 for no limit.
pub const MDTS: AttributeId = AttributeId(0x010f);
/// `page_size`: the memory page size that the guest has set, in bytes.
pub const PAGE_SIZE: AttributeId = AttributeId(0x0110);
/// `page_sizes`: the memory page sizes that the controller supports, in bytes.
pub const PAGE_SIZES: AttributeId = AttributeId(0x0111);
/// `doorbell_stride`: distance of the doorbell registers, as the controller's CAP.DSTRD.
pub const DOORBELL_STRIDE: AttributeId = AttributeId(0x0112);
/// `contiguous_queues`: whether the controller requires queues to be physically contiguous.
pub const CONTIGUOUS_QUEUES: AttributeId = AttributeId(0x0113);
/// `arbitration`: arbitration mechanisms, as the controller's CAP.AMS.
pub const ARBITRATION: AttributeId = AttributeId(0x0114);
/// `firmware_revision`: the controller's firmware.
pub const FIRMWARE_REVISION: AttributeId = AttributeId(0x0115);
/// `controller_id`: the controller's id in its subsystem.
pub const CONTROLLER_ID: AttributeId = AttributeId(0x0116);
/// `serial_number`: the controller's serial number.
pub const SERIAL_NUMBER: AttributeId = AttributeId(0x0117);

/// The layouts of a state that are public: that of the standard, of the RFC of 2025, of the RFC of 2022 (Intel IPU), of
/// SPDK's vfio-user target.
pub const LAYOUTS: [&str; 4] = ["nvme-2.1", "rfc-2025", "ipu-2022", "spdk"];

/// What `remote_url` is where nothing is configured.
pub const UNSET: &str = "unset";
/// What the index 0 of a list of formats stands for, and `vendor_format` where the state has no vendor's part.
pub const NONE: &str = "none";

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "NVMe controllers, local or remote",
    rules: &RULES,
    formats: &[&state::FORMAT, &rfc::FORMAT, &foreign::SPDK, &foreign::BLOB],
    reasons: &[reasons::CATALOGUE, queues::reasons::CATALOGUE],
};

/// The kinds of reasons that only these rules give: notes, all of them.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        RESPELLED: ".respelled", Compatible,
            "source and target have the same value in two spellings",
            "nothing; one spelling on both sides takes the note away";
        OTHER_INDEX: ".other-index", Compatible,
            "the target lists the source's format under another index",
            "name the target's own index, not the source's, in the command that sets the state";
        REDUCED: ".reduced", Compatible,
            "the target has less than the source, but as much as is in use",
            "nothing, if the guest can live with the difference";
        REWRITTEN: ".rewritten", Compatible,
            "source and target differ; loading is expected to give the target the source's value",
            "look at the device after loading if the guest depends on the value";
    }
}

const fn between(least: u64, most: u64, row: Definition) -> Definition {
    Definition { constraint: Constraint::Between(least, most), ..row }
}

const LISTED: &str = "Identify Controller, CNS 20h, index from 1; { \"0\" = \"none\" } where the list is empty";
const USED: &str = "Migration Receive, with which the state was fetched";
const CAP: &str = "register CAP of the controller: nvme show-regs";
const GUEST: &str = "the guest: nvme get-feature, or the queues in the state";

static DICTIONARY: Dictionary = Dictionary {
    vendor: "nvme",
    attributes: &[
        row(
            REMOTE_URL,
            "remote_url",
            Type::Text,
            "the store that the controller stands for, without user and password; \"unset\" where none is configured",
            "the vendor's configuration of the device",
            "\"nvme+tcp://stor1/nqn.2014-08.org.example:vol7\"",
        ),
        row(
            SUBNQN,
            "subnqn",
            Type::Text,
            "qualified name of the NVM subsystem",
            "the file subsysnqn of the controller, or nvme id-ctrl",
            "\"nqn.2014-08.org.example:vol7\"",
        ),
        row(
            NAMESPACES,
            "namespaces",
            Type::Map,
            "attached namespaces: the id, and identity and LBA format in one text, written alike on all hosts",
            "nvme list-ns and nvme id-ns",
            "{ \"1\" = \"nguid 00112233445566778899aabbccddeeff lba 4096+0\" }",
        ),
        row(
            STATE_LAYOUT,
            "state_layout",
            Type::Text,
            "layout of the state: nvme-2.1, rfc-2025, ipu-2022 or spdk",
            "the documentation of the driver",
            "\"nvme-2.1\"",
        ),
        between(
            0,
            0xffff,
            row(
                STATE_VERSION,
                "state_version",
                Type::Uint,
                "version of the NVMe part of the state, by value",
                USED,
                "0",
            ),
        ),
        row(
            STATE_FORMATS,
            "state_formats",
            Type::Map,
            "versions of the NVMe part that the controller takes, by their index in its list",
            LISTED,
            "{ \"1\" = \"0\" }",
        ),
        between(
            1,
            0xff,
            row(STATE_INDEX, "state_index", Type::Uint, "the source's own index of state_version (CSVI)", USED, "1"),
        ),
        row(
            VENDOR_FORMAT,
            "vendor_format",
            Type::Text,
            "UUID of the vendor's part of the state; \"none\" where it has none",
            USED,
            "\"0b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11\"",
        ),
        row(
            VENDOR_FORMATS,
            "vendor_formats",
            Type::Map,
            "UUIDs of the vendor's parts that the controller takes, by their index in its list",
            LISTED,
            "{ \"1\" = \"0b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11\" }",
        ),
        between(
            1,
            0xff,
            row(
                VENDOR_INDEX,
                "vendor_index",
                Type::Uint,
                "the source's own index of vendor_format (CSUUIDI)",
                USED,
                "1",
            ),
        ),
        row(
            HMLMS,
            "hmlms",
            Type::Bool,
            "host managed live migration is supported",
            "Identify Controller, OACS bit 11: nvme id-ctrl",
            "true",
        ),
        row(MAX_IO_QUEUES, "max_io_queues", Type::Uint, "I/O queue pairs that the controller offers", GUEST, "64"),
        row(IO_QUEUES, "io_queues", Type::Uint, "I/O queue pairs that the guest has created", GUEST, "16"),
        between(
            1,
            0x1_0000,
            row(MAX_QUEUE_ENTRIES, "max_queue_entries", Type::Uint, "entries that a queue may have", CAP, "1024"),
        ),
        between(
            1,
            0x1_0000,
            row(QUEUE_ENTRIES, "queue_entries", Type::Uint, "entries of the guest's longest queue", GUEST, "1024"),
        ),
        between(
            0,
            0xff,
            row(
                MDTS,
                "mdts",
                Type::Uint,
                "largest transfer, as a power of two of the smallest page; 0 for no limit",
                "Identify Controller, MDTS: nvme id-ctrl",
                "5",
            ),
        ),
        row(PAGE_SIZE, "page_size", Type::Uint, "memory page size that the guest has set, in bytes", "CC.MPS", "4096"),
        row(
            PAGE_SIZES,
            "page_sizes",
            Type::Range,
            "memory page sizes that are supported, in bytes",
            CAP,
            "[4096, 65536]",
        ),
        between(
            0,
            15,
            row(DOORBELL_STRIDE, "doorbell_stride", Type::Uint, "distance of the doorbells, as CAP.DSTRD", CAP, "0"),
        ),
        row(
            CONTIGUOUS_QUEUES,
            "contiguous_queues",
            Type::Bool,
            "queues are required to be physically contiguous (CAP.CQR)",
            CAP,
            "true",
        ),
        row(ARBITRATION, "arbitration", Type::Mask, "arbitration mechanisms, the bits of CAP.AMS", CAP, "1"),
        row(
            FIRMWARE_REVISION,
            "firmware_revision",
            Type::Text,
            "firmware of the controller; not compared",
            "the file firmware_rev of the controller",
            "\"1.0\"",
        ),
        between(
            0,
            0xffff,
            row(
                CONTROLLER_ID,
                "controller_id",
                Type::Uint,
                "id of the controller in its subsystem",
                "the file cntlid of the controller",
                "1",
            ),
        ),
        row(
            SERIAL_NUMBER,
            "serial_number",
            Type::Text,
            "serial number of the controller",
            "the file serial of the controller",
            "\"S0\"",
        ),
    ],
};

const fn origin(citation: &'static str, scope: &'static str) -> Origin {
    Origin { kind: OriginKind::Specification, citation, scope, date: "2026-04" }
}

/// The standard.
const fn standard(citation: &'static str) -> Origin {
    origin(citation, "NVMe 2.1, August 2024")
}

/// What was proposed for devices of every kind, and never merged.
const fn proposal(citation: &'static str) -> Origin {
    origin(citation, "proposals of July to September 2020, never merged")
}

/// Nobody's word but ours.
const fn unconfirmed(citation: &'static str) -> Origin {
    origin(citation, "unconfirmed")
}

const ROW: Rule = Rule {
    source: AttributeId::NONE,
    target: AttributeId::NONE,
    compare: Compare::Equal,
    when: None,
    mismatch: Mismatch::Refuse,
    source_absent: Absent::Ignore,
    target_absent: Absent::Ignore,
    origin: standard(""),
};

/// What the source uses, held against what the target lists.
const fn listed(used: AttributeId, list: AttributeId, compare: Compare, origin: Origin) -> Rule {
    Rule { source: used, target: list, compare, target_absent: Absent::Unknown, origin, ..ROW }
}

/// The target offers less than the source: left to an administrator where the guest does not use more.
const fn policy(attribute: AttributeId, compare: Compare) -> Rule {
    Rule {
        mismatch: Mismatch::Administrator,
        ..rule(attribute, compare, Absent::Ignore, unconfirmed("a guest that was promised more may ask for it later"))
    }
}

/// What is in use, held against what the target offers: a state says nothing of what its source offers.
const fn in_use(used: AttributeId, most: AttributeId) -> Rule {
    let citation = "the queues of the state are created again on the target, as many and as long as they were";
    Rule { source: used, target: most, compare: Compare::AtLeast, origin: unconfirmed(citation), ..ROW }
}

const VFIO_PCI: Value<'static> = Value::Text(Text::constant("vfio-pci"));
const NO_URL: Value<'static> = Value::Text(Text::constant(UNSET));

/// A target that requires what the source did not.
static NEWLY_REQUIRED: &[(Value<'static>, Value<'static>)] = &[(Value::Bool(false), Value::Bool(true))];

const BOTH_HAVE_AN_INTERFACE_VERSION: When = When::BothHave(SOFTWARE_VERSION);

/// The attributes and rules.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        rule(
            DEVICE_API,
            Compare::Is(VFIO_PCI),
            Absent::Default(VFIO_PCI),
            proposal("text of 19 August 2020: device_api equal; a controller is a PCI function"),
        ),
        rule(
            PCI_ID,
            Compare::Equal,
            Absent::Unknown,
            proposal("text of 19 August 2020: pci_id equal, or in the list that the target publishes"),
        ),
        rule(
            SUBSYSTEM_ID,
            Compare::Equal,
            Absent::Ignore,
            proposal("text of 19 August 2020: pci_id equal, with its subsystem"),
        ),
        rule(
            DRIVER,
            Compare::Equal,
            Absent::Ignore,
            proposal("JSON of 14 July 2020: vendor, the name of the driver, equal"),
        ),
        Rule {
            when: Some(BOTH_HAVE_AN_INTERFACE_VERSION),
            ..rule(
                SOFTWARE_VERSION,
                Compare::Version,
                Absent::Unknown,
                proposal("text of 19 August 2020: major equal, target's minor not below the source's, bugfix ignored"),
            )
        },
        // The driver's version stands in where no version of the interface is known, as the discussion had it for NVMe.
        Rule {
            when: Some(When::Not(&BOTH_HAVE_AN_INTERFACE_VERSION)),
            ..rule(
                DRIVER_VERSION,
                Compare::Version,
                Absent::Unknown,
                proposal("discussion of July 2020: an NVMe device by PCI id, driver version and remote URL"),
            )
        },
        // A target that does not say has none configured, and can be told what to set; a source that does not say may have.
        Rule {
            when: Some(When::EitherHas(REMOTE_URL)),
            target_absent: Absent::Default(NO_URL),
            ..rule(
                REMOTE_URL,
                Compare::Own(same_url),
                Absent::Unknown,
                proposal(
                    "discussion of July 2020: the configured remote URL, which the target can be given before loading",
                ),
            )
        },
        rule(SUBNQN, Compare::Equal, Absent::Ignore, unconfirmed("the guest knows the subsystem by its name")),
        rule(
            NAMESPACES,
            Compare::Own(same_namespaces),
            Absent::Ignore,
            unconfirmed("the state names no namespaces: those of the source must be there"),
        ),
        rule(
            HMLMS,
            Compare::Is(Value::Bool(true)),
            Absent::Note,
            standard(
                "NVMe Base Specification 2.1, Identify Controller, OACS bit 11: the migration commands are supported",
            ),
        ),
        rule(
            STATE_LAYOUT,
            Compare::Equal,
            Absent::Note,
            origin(
                "four layouts, no common magic: a reader of one can take a state of another and restore nothing",
                "NVMe 2.1, the Linux RFCs of 2022 and 2025, SPDK until September 2025",
            ),
        ),
        listed(
            STATE_VERSION,
            STATE_FORMATS,
            Compare::Own(listed_version),
            standard(
                "NVMe Base Specification 2.1, Supported Controller State Formats: an unknown CSVI is an Invalid Field",
            ),
        ),
        listed(
            VENDOR_FORMAT,
            VENDOR_FORMATS,
            Compare::Own(listed_uuid),
            standard(
                "NVMe Base Specification 2.1, Supported Controller State Formats: an unknown CSUUIDI is an Invalid Field",
            ),
        ),
        rule(
            MAX_IO_QUEUES,
            Compare::Own(as_many_queues),
            Absent::Ignore,
            unconfirmed("as many I/O queues as the source has, or at least as the guest has created"),
        ),
        policy(MAX_IO_QUEUES, Compare::Own(no_fewer_queues)),
        rule(
            MAX_QUEUE_ENTRIES,
            Compare::Own(as_many_entries),
            Absent::Ignore,
            unconfirmed("as many entries as the source has, or at least as the guest's longest queue"),
        ),
        policy(MAX_QUEUE_ENTRIES, Compare::Own(no_fewer_entries)),
        rule(
            MDTS,
            Compare::Own(as_large_transfers),
            Absent::Ignore,
            unconfirmed("the guest goes on with the limit that it has read; 0 is no limit"),
        ),
        Rule {
            source: PAGE_SIZE,
            target: PAGE_SIZES,
            compare: Compare::InRange,
            origin: unconfirmed("the guest has set its page size once; the target must support it"),
            ..ROW
        },
        rule(
            DOORBELL_STRIDE,
            Compare::Equal,
            Absent::Ignore,
            unconfirmed("the guest goes on writing where it found the doorbells"),
        ),
        rule(
            CONTIGUOUS_QUEUES,
            Compare::NotPair(NEWLY_REQUIRED),
            Absent::Ignore,
            unconfirmed("queues that need not be contiguous on the source may not be"),
        ),
        rule(
            ARBITRATION,
            Compare::Subset,
            Absent::Ignore,
            unconfirmed("the guest may have selected any mechanism that the source offers"),
        ),
        rule(
            FIRMWARE_REVISION,
            Compare::Ignore,
            Absent::Ignore,
            unconfirmed("says nothing of the state, unless the vendor says so"),
        ),
        in_use(IO_QUEUES, MAX_IO_QUEUES),
        in_use(QUEUE_ENTRIES, MAX_QUEUE_ENTRIES),
        rule(CONTROLLER_ID, Compare::Own(rewritten), Absent::Ignore, unconfirmed("expected to be rewritten on load")),
        rule(SERIAL_NUMBER, Compare::Own(rewritten), Absent::Ignore, unconfirmed("expected to be rewritten on load")),
    ],
    derive: derives_nothing,
    statable: &[&queues::STATABLE],
    contradiction,
    impossible,
};

const fn when(holds: bool, otherwise: Comparison) -> Comparison {
    if holds { Comparison::Match } else { otherwise }
}

/// The same address, in whatever spelling.
fn same_url(pair: &Pair<'_>) -> Comparison {
    let (Value::Text(source), Value::Text(target)) = (pair.source, pair.target) else {
        return Comparison::Mismatch(shared::NOT_EQUAL);
    };
    let (source, target) = (source.as_str(), target.as_str());
    match (Url::parse(source), Url::parse(target)) {
        (Err(Fault::Credentials), _) | (_, Err(Fault::Credentials)) => Comparison::Mismatch(shared::REFUSED),
        _ if source == target => Comparison::Match,
        (Ok(mine), Ok(theirs)) if mine.is_same(&theirs) => Comparison::MatchWithNote(reasons::RESPELLED),
        _ => Comparison::Mismatch(shared::NOT_EQUAL),
    }
}

fn same_namespaces(pair: &Pair<'_>) -> Comparison {
    match (pair.source, pair.target) {
        (Value::Map(source), Value::Map(target)) if source.is_subset(target) => {
            when(target.is_subset(source), Comparison::MatchWithNote(shared::MORE_CAPACITY))
        }
        _ => Comparison::Mismatch(shared::NOT_SUBSET),
    }
}

/// Index is not version: a format is looked for by its value, and the index under which it is found is the target's own.
fn listed_by(pair: &Pair<'_>, index: AttributeId, is_it: impl Fn(&str) -> bool) -> Comparison {
    let Value::Map(list) = pair.target else { return Comparison::Mismatch(shared::NOT_ONE_OF) };
    let mut found = list.pairs().filter(|(_, format)| is_it(format.as_str())).map(|(index, _)| index.as_str().parse());
    let Some(first) = found.next() else { return Comparison::Mismatch(shared::NOT_ONE_OF) };
    match pair.of_source.value(index) {
        Some(Value::Uint(mine)) => {
            let same = first == Ok(mine) || found.any(|index| index == Ok(mine));
            when(same, Comparison::MatchWithNote(reasons::OTHER_INDEX))
        }
        _ => Comparison::Match,
    }
}

fn listed_version(pair: &Pair<'_>) -> Comparison {
    let Value::Uint(version) = pair.source else { return Comparison::Mismatch(shared::NOT_ONE_OF) };
    listed_by(pair, STATE_INDEX, |format| format.parse() == Ok(version))
}

fn listed_uuid(pair: &Pair<'_>) -> Comparison {
    match pair.source {
        Value::Text(uuid) if uuid.as_str() == NONE => Comparison::Match,
        Value::Text(uuid) => listed_by(pair, VENDOR_INDEX, |format| format.eq_ignore_ascii_case(uuid.as_str())),
        _ => Comparison::Mismatch(shared::NOT_ONE_OF),
    }
}

/// What a limit of the target comes to.
enum Limit {
    /// Not below the source's.
    Kept,
    /// Below the source's, but not below what is in use.
    Reduced,
    /// Below what is in use, or nobody says what that is.
    Short,
}

fn limit(pair: &Pair<'_>, used: AttributeId) -> Limit {
    match (pair.source, pair.target, pair.of_source.value(used)) {
        (Value::Uint(source), Value::Uint(target), _) if target >= source => Limit::Kept,
        (_, Value::Uint(target), Some(Value::Uint(used))) if target >= used => Limit::Reduced,
        _ => Limit::Short,
    }
}

fn refuse_short(pair: &Pair<'_>, used: AttributeId) -> Comparison {
    match limit(pair, used) {
        Limit::Kept => Comparison::Match,
        Limit::Reduced => Comparison::MatchWithNote(reasons::REDUCED),
        Limit::Short => Comparison::Mismatch(shared::NOT_AT_LEAST),
    }
}

fn ask_reduced(pair: &Pair<'_>, used: AttributeId) -> Comparison {
    when(!matches!(limit(pair, used), Limit::Reduced), Comparison::Mismatch(shared::NOT_AT_LEAST))
}

fn as_many_queues(pair: &Pair<'_>) -> Comparison {
    refuse_short(pair, IO_QUEUES)
}

fn no_fewer_queues(pair: &Pair<'_>) -> Comparison {
    ask_reduced(pair, IO_QUEUES)
}

fn as_many_entries(pair: &Pair<'_>) -> Comparison {
    refuse_short(pair, QUEUE_ENTRIES)
}

fn no_fewer_entries(pair: &Pair<'_>) -> Comparison {
    ask_reduced(pair, QUEUE_ENTRIES)
}

fn as_large_transfers(pair: &Pair<'_>) -> Comparison {
    let holds = match (pair.source, pair.target) {
        (_, Value::Uint(0)) => true,
        (Value::Uint(source), Value::Uint(target)) => source != 0 && target >= source,
        _ => false,
    };
    when(holds, Comparison::Mismatch(shared::NOT_AT_LEAST))
}

fn rewritten(pair: &Pair<'_>) -> Comparison {
    when(pair.source == pair.target, Comparison::MatchWithNote(reasons::REWRITTEN))
}

fn contradiction(side: &dyn Attributes) -> Option<(AttributeId, AttributeId)> {
    let contradict = |one: AttributeId, other: AttributeId| match (side.value(one), side.value(other)) {
        (Some(Value::Uint(most)), Some(Value::Uint(used))) => used > most,
        (Some(Value::Uint(used)), Some(Value::Range(low, high))) => !(low..=high).contains(&used),
        _ => false,
    };
    [(MAX_IO_QUEUES, IO_QUEUES), (MAX_QUEUE_ENTRIES, QUEUE_ENTRIES), (PAGE_SIZE, PAGE_SIZES)]
        .into_iter()
        .find(|&(one, other)| contradict(one, other))
}

fn impossible(side: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    if matches!(side.value(REMOTE_URL), Some(Value::Text(url)) if Url::parse(url.as_str()).err() == Some(Fault::Credentials))
    {
        return Some((REMOTE_URL, "an address without user and password"));
    }
    if matches!(side.value(STATE_LAYOUT), Some(Value::Text(name)) if !LAYOUTS.contains(&name.as_str())) {
        return Some((STATE_LAYOUT, "nvme-2.1, rfc-2025, ipu-2022 or spdk"));
    }
    let list = |id, is_format: fn(&str) -> bool| match side.value(id) {
        Some(Value::Map(list)) => is_list(list, is_format),
        _ => true,
    };
    if !list(STATE_FORMATS, is_version) {
        return Some((STATE_FORMATS, "versions from 0 to 65535 by index from 1 to 255, or { \"0\" = \"none\" }"));
    }
    if !list(VENDOR_FORMATS, is_uuid) {
        return Some((VENDOR_FORMATS, "UUIDs by index from 1 to 255, or { \"0\" = \"none\" }"));
    }
    None
}

fn is_list(list: Map<'_>, is_format: fn(&str) -> bool) -> bool {
    let mut pairs = list.pairs().map(|(index, format)| (index.as_str(), format.as_str()));
    let empty = pairs.next() == Some(("0", NONE)) && pairs.next().is_none();
    let is_index = |text: &str| plain_number(text).is_some_and(|number| (1..=0xff).contains(&number));
    empty || list.pairs().all(|(index, format)| is_index(index.as_str()) && is_format(format.as_str()))
}

fn is_version(text: &str) -> bool {
    plain_number(text).is_some_and(|number| number <= 0xffff)
}

/// A decimal number without sign or leading zeros.
fn plain_number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// 32 hex digits in groups of 8, 4, 4, 4 and 12.
fn is_uuid(text: &str) -> bool {
    let is_group =
        |(group, length): (&str, usize)| group.len() == length && group.bytes().all(|digit| digit.is_ascii_hexdigit());
    text.split('-').count() == 5 && text.split('-').zip([8, 4, 4, 4, 12]).all(is_group)
}

#[cfg(test)]
mod tests;
