//! One room a vendor, and the table of them. Vendors never import each other.

pub mod ap;
pub mod ccw;
pub mod gvt_g;
pub mod hisi_acc;
pub mod mlx5;
pub mod mtty;
pub mod nvidia;
pub mod nvme;
pub mod pds;
pub mod qat;
pub mod virtio;
pub mod xe;

#[cfg(test)]
mod tests;

use crate::format::Registry;

/// Every vendor, in the order in which they are listed.
pub static VENDORS: Registry = Registry(&[
    &mtty::VENDOR,
    &gvt_g::VENDOR,
    &nvme::VENDOR,
    &qat::VENDOR,
    &ccw::VENDOR,
    &ap::VENDOR,
    &nvidia::VENDOR,
    &hisi_acc::VENDOR,
    &pds::VENDOR,
    &xe::VENDOR,
    &mlx5::VENDOR,
    &virtio::VENDOR,
]);
