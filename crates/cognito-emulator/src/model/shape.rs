//! The vocabulary of the model: kinds, bounds, members.

/// What a value must be, apart from its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A string of any text.
    Text,
    /// A string that is one of these.
    OneOf(&'static [&'static str]),
    /// A whole number.
    Integer,
    /// A boolean.
    Boolean,
    /// A list of values of one shape.
    List(&'static Shape),
    /// A map from strings of one shape to values of another.
    Map(&'static Shape, &'static Shape),
    /// An object with these members.
    Structure(&'static [Member]),
    /// An object that the model leaves open.
    Document,
}

/// What a value must be. Bounds apply to the characters of a string, the items of a list or map, or the number itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// What kind of value it is.
    pub(crate) kind: Kind,
    /// The minimum length or value.
    pub(crate) min: Option<i64>,
    /// The maximum length or value.
    pub(crate) max: Option<i64>,
    /// The pattern that the whole of a string must match, in Java's dialect, as the model has it.
    pub(crate) pattern: Option<&'static str>,
    /// Whether error texts omit the value.
    pub(crate) sensitive: bool,
}

/// One member of a structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// The name on the wire.
    pub(crate) name: &'static str,
    /// What its value must be.
    pub(crate) shape: &'static Shape,
    /// Whether it must be present.
    pub(crate) required: bool,
}

impl Shape {
    const fn new(kind: Kind) -> Self {
        Self { kind, min: None, max: None, pattern: None, sensitive: false }
    }

    pub(super) const fn at_least(mut self, min: i64) -> Self {
        self.min = Some(min);
        self
    }

    pub(super) const fn at_most(mut self, max: i64) -> Self {
        self.max = Some(max);
        self
    }

    pub(super) const fn matching(mut self, pattern: &'static str) -> Self {
        self.pattern = Some(pattern);
        self
    }

    pub(super) const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }
}

pub(super) const fn text() -> Shape {
    Shape::new(Kind::Text)
}

pub(super) const fn one_of(values: &'static [&'static str]) -> Shape {
    Shape::new(Kind::OneOf(values))
}

pub(super) const fn integer() -> Shape {
    Shape::new(Kind::Integer)
}

pub(super) const fn boolean() -> Shape {
    Shape::new(Kind::Boolean)
}

pub(super) const fn list_of(item: &'static Shape) -> Shape {
    Shape::new(Kind::List(item))
}

pub(super) const fn map_of(key: &'static Shape, value: &'static Shape) -> Shape {
    Shape::new(Kind::Map(key, value))
}

pub(super) const fn structure(members: &'static [Member]) -> Shape {
    Shape::new(Kind::Structure(members))
}

pub(super) const fn document() -> Shape {
    Shape::new(Kind::Document)
}

pub(super) const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, required: true }
}

pub(super) const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, required: false }
}
