//! Python's objects as nodes and back. One loader reads the nodes, so that a target from Python fails with the same
//! words as one from a file.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString};
use transire_text::{Node, NodeValue};

use crate::errors::usage;

/// A Python object as a node. Bytes become the hex string that a text would have.
pub(crate) fn node(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Node> {
    if depth > transire_text::DEPTH_MAX {
        return Err(usage(format!("values are nested deeper than {} levels", transire_text::DEPTH_MAX)));
    }
    let value = if object.is_instance_of::<PyBool>() {
        NodeValue::Bool(object.extract()?)
    } else if object.is_instance_of::<PyInt>() {
        NodeValue::Integer(object.extract()?)
    } else if object.is_instance_of::<PyFloat>() {
        NodeValue::Float(object.extract()?)
    } else if object.is_instance_of::<PyString>() {
        NodeValue::Text(object.extract()?)
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        NodeValue::Text(hex(bytes.as_bytes()))
    } else if let Ok(mapping) = object.cast::<PyMapping>() {
        let mut entries = Vec::new();
        for item in mapping.items()?.iter() {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            let key: String = key.extract().map_err(|_| usage(format!("a key must be text, not {key:?}")))?;
            entries.push((key.into(), node(&value, depth + 1)?));
        }
        NodeValue::Table(entries)
    } else if let Ok(sequence) = object.cast::<PySequence>() {
        let items = (0..sequence.len()?).map(|at| node(&sequence.get_item(at)?, depth + 1));
        NodeValue::Array(items.collect::<PyResult<_>>()?)
    } else {
        let kind = object.get_type().name()?;
        return Err(usage(format!("a value cannot be of type {kind}: {object:?}")));
    };
    Ok(Node::new(value))
}

/// Bytes in hex, as every text form has them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    transire_core::attribute::Value::Bytes(bytes).to_string()
}

/// A node as a Python object.
pub(crate) fn object<'py>(py: Python<'py>, node: &Node) -> PyResult<Bound<'py, PyAny>> {
    match &node.value {
        NodeValue::Bool(value) => value.into_bound_py_any(py),
        NodeValue::Integer(value) => value.into_bound_py_any(py),
        NodeValue::Float(value) => value.into_bound_py_any(py),
        NodeValue::Text(text) => text.into_bound_py_any(py),
        NodeValue::Array(items) => {
            let list = PyList::empty(py);
            items.iter().try_for_each(|item| list.append(object(py, item)?))?;
            Ok(list.into_any())
        }
        NodeValue::Table(entries) => {
            let dict = PyDict::new(py);
            entries.iter().try_for_each(|(key, value)| dict.set_item(&key.text, object(py, value)?))?;
            Ok(dict.into_any())
        }
    }
}
