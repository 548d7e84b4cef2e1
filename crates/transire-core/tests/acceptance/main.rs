//! What was recorded of real drivers, against the models of them, row by row; and what `strict` makes of the same
//! streams. One file a vendor, and what they share in `harness`.

mod harness;
#[path = "../support/mod.rs"]
mod support;

mod hisi_acc;
mod mlx5;
mod mtty;
mod qat;
mod records;
mod virtio;
mod xe;
