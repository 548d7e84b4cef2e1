//! ccw: vfio-ccw, an I/O subchannel of s390 given to a guest as a mediated device.
//!
//! There is no migration stream and none is proposed: a sealed stream of this vendor identifies a device and has no
//! payload. Facts: Linux `Documentation/arch/s390/vfio-ccw.rst` (512a93a93dbe) and the thread "device compatibility
//! interface for live migration with assigned devices" on intel-gvt-dev and kvm, August 2020.
//!
//! While vfio-ccw is bound to a subchannel there is no ccw device for it, so type and model of control unit and device
//! are not in sysfs, and the volume behind them never is: those an administrator asserts.

use crate::attribute::{
    AttributeId, Attributes, DEVICE_API, Dictionary, MDEV_TYPE, SOFTWARE_VERSION, Text, Type, Value, row,
};
use crate::format::Vendor;
use crate::rule::{
    Absent, Compare, Origin, OriginKind, Rule, RuleTable, When, derives_nothing, never_contradicts, rule,
};

#[cfg(test)]
mod tests;

/// `subchannel_type`: 0 is I/O, the only one that vfio-ccw drives.
pub const SUBCHANNEL_TYPE: AttributeId = AttributeId(0x8100);
/// `chpid_type`: the type of all channel paths.
pub const CHPID_TYPE: AttributeId = AttributeId(0x8101);
/// `cu_type`: the control unit's type.
pub const CU_TYPE: AttributeId = AttributeId(0x8102);
/// `cu_model`: the control unit's model.
pub const CU_MODEL: AttributeId = AttributeId(0x8103);
/// `dev_type`: the device's type.
pub const DEV_TYPE: AttributeId = AttributeId(0x8104);
/// `dev_model`: the device's model.
pub const DEV_MODEL: AttributeId = AttributeId(0x8105);
/// `volume_uid`: the volume behind the device.
pub const VOLUME_UID: AttributeId = AttributeId(0x8106);
/// `availability`: whether the device can be used.
pub const AVAILABILITY: AttributeId = AttributeId(0x0107);
/// `subchannel`: the subchannel's address.
pub const SUBCHANNEL: AttributeId = AttributeId(0x0108);
/// `chpids`: the numbers of the channel paths.
pub const CHPIDS: AttributeId = AttributeId(0x0109);
/// `chpid_mask`: the paths that are installed.
pub const CHPID_MASK: AttributeId = AttributeId(0x010a);
/// `path_count`: how many paths there are.
pub const PATH_COUNT: AttributeId = AttributeId(0x010b);

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "vfio-ccw: s390 I/O subchannel, identified but without a stream",
    rules: &RULES,
    formats: &[],
    reasons: &[],
};

static DICTIONARY: Dictionary = Dictionary {
    vendor: "ccw",
    attributes: &[
        row(
            SUBCHANNEL_TYPE,
            "subchannel_type",
            Type::Uint,
            "type of the subchannel; 0 is I/O, the only one that can be given to a guest",
            "the file type of the subchannel, /sys/bus/css/devices/0.0.0313",
            "0",
        ),
        row(
            CHPID_TYPE,
            "chpid_type",
            Type::Text,
            "type of the channel paths, two lower-case hex digits; all paths of a subchannel have the same",
            "the file type of chp0.10 and so on, for each chpid of the subchannel",
            "\"1a\"",
        ),
        row(
            CU_TYPE,
            "cu_type",
            Type::Text,
            "type of the control unit, four lower-case hex digits",
            "the file cutype of the ccw device, before the slash: read it before vfio-ccw is bound, or inside the \
             guest",
            "\"3990\"",
        ),
        row(
            CU_MODEL,
            "cu_model",
            Type::Text,
            "model of the control unit, two lower-case hex digits",
            "the file cutype of the ccw device, behind the slash: read it before vfio-ccw is bound, or inside the \
             guest",
            "\"e9\"",
        ),
        row(
            DEV_TYPE,
            "dev_type",
            Type::Text,
            "type of the device, four lower-case hex digits; 0000 where it has none",
            "the file devtype of the ccw device, before the slash: read it before vfio-ccw is bound, or inside the \
             guest",
            "\"3390\"",
        ),
        row(
            DEV_MODEL,
            "dev_model",
            Type::Text,
            "model of the device, two lower-case hex digits; 00 where it has none",
            "the file devtype of the ccw device, behind the slash: read it before vfio-ccw is bound, or inside the \
             guest",
            "\"0c\"",
        ),
        row(
            VOLUME_UID,
            "volume_uid",
            Type::Text,
            "what tells the volume from every other: nothing checks that the target's holds the source's data",
            "nowhere at the subchannel; the file uid of the DASD, while a host has it, or the storage administrator",
            "\"IBM.750000000ABC1.0001.02\"",
        ),
        row(
            AVAILABILITY,
            "availability",
            Type::Text,
            "whether the device can be used: good, boxed, no path or no device; only the target's matters",
            "the file availability of the ccw device, before vfio-ccw is bound",
            "\"good\"",
        ),
        row(
            SUBCHANNEL,
            "subchannel",
            Type::Text,
            "address of the subchannel, which belongs to the machine",
            "the name of the subchannel below /sys/bus/css/devices",
            "\"0.0.0313\"",
        ),
        row(
            CHPIDS,
            "chpids",
            Type::Text,
            "numbers of the channel paths, which belong to the machine",
            "the file chpids of the subchannel",
            "\"10 11 00 00 00 00 00 00\"",
        ),
        row(
            CHPID_MASK,
            "chpid_mask",
            Type::Mask,
            "paths that are installed, the first byte of pimpampom",
            "the file pimpampom of the subchannel",
            "0xc0",
        ),
        row(
            PATH_COUNT,
            "path_count",
            Type::Uint,
            "how many channel paths the subchannel has",
            "the bits of the first byte of pimpampom of the subchannel",
            "2",
        ),
    ],
};

const THREAD: Origin = Origin {
    kind: OriginKind::Specification,
    citation: "device compatibility interface for live migration, intel-gvt-dev and kvm",
    scope: "proposal for vfio-ccw, never merged",
    date: "2026-11",
};

const fn thread(citation: &'static str) -> Origin {
    Origin { citation, ..THREAD }
}

/// Never compared: it belongs to the machine.
const fn of_the_machine(id: AttributeId) -> Rule {
    rule(
        id,
        Compare::Ignore,
        Absent::Ignore,
        thread(
            "device compatibility interface, Eric Farman, Aug 2020: numbers and count of paths differ between \
             machines and are not compared",
        ),
    )
}

/// What sysfs does not show while vfio-ccw is bound: equal where both sides say it, else an administrator's matter.
const fn asserted(id: AttributeId, citation: &'static str) -> Rule {
    rule(id, Compare::Equal, Absent::Administrator, thread(citation))
}

const SENSE_ID: &str = "device compatibility interface, Aug 2020: control unit and device come from Sense ID, which \
                        is not available at the subchannel; what differs is another device to the guest";

const VFIO_CCW: Value<'static> = Value::Text(Text::constant("vfio-ccw"));
const IO: Value<'static> = Value::Text(Text::constant("vfio_ccw-io"));
const GOOD: Value<'static> = Value::Text(Text::constant("good"));

/// The attributes and rules.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        rule(
            DEVICE_API,
            Compare::Is(VFIO_CCW),
            Absent::Default(VFIO_CCW),
            Origin {
                kind: OriginKind::Driver,
                citation: "drivers/s390/cio/vfio_ccw_ops.c: the only type has the device_api vfio-ccw",
                scope: "",
                date: "2026-11",
            },
        ),
        rule(
            MDEV_TYPE,
            Compare::Is(IO),
            Absent::Default(IO),
            Origin {
                kind: OriginKind::Driver,
                citation: "drivers/s390/cio/vfio_ccw_ops.c: vfio_ccw-io is the only type, one device a subchannel",
                scope: "",
                date: "2026-11",
            },
        ),
        rule(
            SOFTWARE_VERSION,
            Compare::Version,
            Absent::Ignore,
            thread(
                "device compatibility interface, Cornelia Huck, Aug 2020: the common part has a software_version, \
                 1.0.0",
            ),
        ),
        rule(
            SUBCHANNEL_TYPE,
            Compare::Equal,
            Absent::Unknown,
            thread("device compatibility interface, Cornelia Huck, Aug 2020: subchannel_type is compared"),
        ),
        rule(
            CHPID_TYPE,
            Compare::Equal,
            Absent::Unknown,
            thread(
                "device compatibility interface, Cornelia Huck and Eric Farman, Aug 2020: the same chpid type, \
                 mixtures do not occur",
            ),
        ),
        asserted(CU_TYPE, SENSE_ID),
        asserted(CU_MODEL, SENSE_ID),
        asserted(DEV_TYPE, SENSE_ID),
        asserted(DEV_MODEL, SENSE_ID),
        asserted(
            VOLUME_UID,
            "device compatibility interface, Aug 2020: the DASD's uid is not available at the subchannel; that \
             nothing else tells whether the target's volume holds the source's data is our reading",
        ),
        // The target's alone matters: a source that has lost its paths may well be moved.
        Rule {
            when: Some(When::Not(&When::TargetIs(AVAILABILITY, GOOD))),
            source_absent: Absent::Default(GOOD),
            ..rule(
                AVAILABILITY,
                Compare::Is(GOOD),
                Absent::Unknown,
                Origin {
                    kind: OriginKind::Specification,
                    citation: "Documentation/arch/s390/driver-model.rst: availability is good, boxed, no path or no \
                               device; only one that is good takes I/O",
                    scope: "",
                    date: "2026-11",
                },
            )
        },
        of_the_machine(SUBCHANNEL),
        of_the_machine(CHPIDS),
        of_the_machine(CHPID_MASK),
        of_the_machine(PATH_COUNT),
    ],
    derive: derives_nothing,
    statable: &[],
    contradiction: never_contradicts,
    impossible,
};

/// Hex digits in another form than sysfs has them would never be equal, and an availability that is none is a slip.
fn impossible(target: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    let wrong = |id, digits: usize| match target.value(id) {
        Some(Value::Text(text)) => {
            let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            text.as_str().len() != digits || !text.as_str().bytes().all(hex)
        }
        _ => false,
    };
    for id in [CU_TYPE, DEV_TYPE] {
        if wrong(id, 4) {
            return Some((id, "four lower-case hex digits"));
        }
    }
    for id in [CHPID_TYPE, CU_MODEL, DEV_MODEL] {
        if wrong(id, 2) {
            return Some((id, "two lower-case hex digits"));
        }
    }
    match target.value(AVAILABILITY) {
        Some(Value::Text(text)) if !["good", "boxed", "no path", "no device"].contains(&text.as_str()) => {
            Some((AVAILABILITY, "good, boxed, no path or no device"))
        }
        _ => None,
    }
}
