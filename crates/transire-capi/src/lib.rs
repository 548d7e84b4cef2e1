//! The C ABI: a thin skin over the core and the text forms. `include/transire.h` is generated from here, and
//! `docs/guides/embedding.md` shows the whole use.
//!
//! | module | what it holds |
//! |---|---|
//! | [`version`] | of the product and of the binary interface |
//! | [`status`] | the codes that functions return |
//! | `call` | what every function does: no panic gets out, no pointer is believed |
//! | [`text`] | text from and to the caller |
//! | [`device`] | profiles and targets |
//! | [`verdict`] | outcomes and reasons |
//! | [`gate`] | bytes in, verdict first, payload out |
//! | [`seal`] | device bytes in, a sealed stream out |
//! | [`answer`] | what the target says back to the source |
//! | [`formats`] | what is known here |
//!
//! The core and the text forms forbid unsafe code; here it turns the caller's pointers into references and slices, and
//! does nothing else.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]
#![allow(
    clippy::missing_safety_doc,
    reason = "the contract of pointers is the same for every function, and stands once at the head of transire.h"
)]

pub mod answer;
mod call;
pub mod device;
pub mod formats;
pub mod gate;
pub mod seal;
pub mod status;
pub mod text;
pub mod verdict;
pub mod version;
