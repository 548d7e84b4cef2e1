//! The module `transire._native`: a thin skin over the core. What is decided is decided there; here are Python's types,
//! and the loops over files and pipes, which run without the interpreter lock.
#![allow(clippy::doc_markdown, reason = "the documentation is Python's")]
#![allow(clippy::needless_pass_by_value, reason = "Python's arguments are extracted, and then owned")]
#![allow(clippy::struct_field_names, reason = "fields have the names of Python's properties")]

mod answer;
mod container;
mod convert;
mod errors;
mod gate;
mod inspect;
mod judge;
mod migration;
mod profile;
mod run;
mod source;
mod tables;
mod verdict;

use pyo3::prelude::*;

/// The compiled part of transire. Import these names from `transire`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::answer::Answer;
    #[pymodule_export]
    use crate::container::{Contents, Part};
    #[pymodule_export]
    use crate::gate::Gate;
    #[pymodule_export]
    use crate::inspect::{Field, Inspection, Structure, decode_records, encode_records, extract, inspect};
    #[pymodule_export]
    use crate::judge::{Prediction, check, predict, profile_of, verify};
    #[pymodule_export]
    use crate::migration::{Device, Machine, container_of};
    #[pymodule_export]
    use crate::profile::{Profile, Target, targets_from_compatible};
    #[pymodule_export]
    use crate::run::{gate, seal, unseal};
    #[pymodule_export]
    use crate::tables::{
        AttributeInfo, Explanation, FormatInfo, VendorInfo, explain, formats, reason_ids, template, vendors,
    };
    #[pymodule_export]
    use crate::verdict::{Origin, Reason, Verdict};

    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
