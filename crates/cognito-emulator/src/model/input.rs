//! Typed access to the members of a checked request.

use serde_json::{Map, Value};

use crate::protocol::Failure;

/// The members of a request, or of a structure in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Input<'a> {
    /// A required string; that it is absent is a bug of the model.
    pub(crate) fn text(self, name: &str) -> Result<&'a str, Failure> {
        self.optional_text(name).ok_or_else(|| Failure::internal("a required member is missing"))
    }

    pub(crate) fn optional_text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    pub(crate) fn boolean(self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    pub(crate) fn integer(self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    pub(crate) fn structure(self, name: &str) -> Option<Input<'a>> {
        self.0.get(name)?.as_object().map(Input)
    }

    pub(crate) fn value(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The items of a list of strings, empty if it is absent.
    pub(crate) fn texts(self, name: &str) -> Vec<&'a str> {
        self.items(name).filter_map(Value::as_str).collect()
    }

    /// The items of a list of structures, empty if it is absent.
    pub(crate) fn structures(self, name: &str) -> Vec<Input<'a>> {
        self.items(name).filter_map(Value::as_object).map(Input).collect()
    }

    fn items(self, name: &str) -> impl Iterator<Item = &'a Value> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten()
    }
}
