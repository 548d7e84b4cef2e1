//! Pairs of virtual functions.

use super::VENDOR;
use crate::vendors::tests::Term::Settable;
use crate::vendors::tests::{Case, Pairs};
use crate::verdict::Outcome::{Compatible, Fixable, Incompatible, Unknown};

const BASE: &str = "pci_id: 19e5:a251; qp_num: 64; que_iso_cfg: 3";

const PAIRS: Pairs<'_> = Pairs { vendor: &VENDOR, source: BASE, target: BASE };

#[test]
fn what_the_driver_compares() {
    let cases: &[Case<'_>] = &[
        ("the same (driver: ok)", "", "", &[], Compatible, &[]),
        ("another function (driver: EFAULT)", "", "pci_id: 19e5:a256", &[], Incompatible, &["pci_id.not-equal"]),
        ("more queue pairs (driver: EFAULT)", "", "qp_num: 65", &[], Incompatible, &["qp_num.not-equal"]),
        ("queue pairs that can be set", "", "qp_num: 65", &[Settable("qp_num")], Fixable, &["qp_num.set"]),
        ("other isolation (driver: EFAULT)", "", "que_iso_cfg: 0", &[], Incompatible, &["que_iso_cfg.not-equal"]),
        ("queue pairs that nobody states", "", "qp_num: -", &[], Unknown, &["qp_num.not-in-profile"]),
        ("V1 into V2 (driver: ok)", "stream_version: 1", "", &[], Compatible, &[]),
        ("V2 into V1", "", "stream_version: 1", &[], Incompatible, &["stream_version.not-at-least"]),
        (
            "all, in the driver's order",
            "pci_id: 19e5:a259; qp_num: 1; que_iso_cfg: 0",
            "stream_version: 1",
            &[],
            Incompatible,
            &["stream_version.not-at-least", "pci_id.not-equal", "qp_num.not-equal", "que_iso_cfg.not-equal"],
        ),
        ("another interface", "", "device_api: vfio-platform", &[], Incompatible, &["device_api.not-is"]),
    ];
    PAIRS.check(cases);
}
