//! What virtual machine monitors write: files and connections that hold device streams among other things.
//!
//! A container emits (device, bytes) and knows no vendor. [`qemu`] is the migration stream of QEMU in all the shapes in
//! which it is written; [`libvirt`] is the header that libvirt puts before one.

pub mod libvirt;
pub mod qemu;
