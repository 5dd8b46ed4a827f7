//! Changes to paths, as made by somebody who looks for another way to what is served.

use std::fmt;
use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::known;

/// One change to a path. Positions are relative, so that they fit any path.
#[derive(Clone, Debug)]
enum Change {
    /// Something before the path.
    Before(&'static [u8]),
    /// Something after the path.
    After(&'static [u8]),
    /// Something within the path.
    Within(Index, &'static [u8]),
    /// Something after one of the slashes.
    AfterSlash(Index, &'static [u8]),
    /// Something instead of one of the slashes.
    ForSlash(Index, &'static [u8]),
    /// A character as a percent escape, nested this often, in upper case or not.
    Escaped(Index, u8, bool),
    /// A character left out.
    Without(Index),
    /// A letter in the other case.
    OtherCase(Index),
    /// All letters in upper case, or in lower case.
    Capitals(bool),
}

/// What normalisers, URL parsers and file systems treat as nothing, as an end, or as something else.
const ODD: [&[u8]; 38] = [
    b"/",
    b"//",
    b".",
    b"./",
    b"../",
    b"/..",
    b"%2e%2E/",
    b"x/../",
    b"\\",
    b"%5c",
    b"%2F",
    b"%252f",
    b"%00",
    b"\0",
    b"%0a",
    b"\n",
    b"%c3%a9",
    "é".as_bytes(),
    b"%ef%bc%8f",
    "\u{ff0f}".as_bytes(),
    b"\xff",
    b" ",
    b"%20",
    b"\t",
    b"+",
    b"*",
    b"s",
    b";",
    b";a=b",
    b"?",
    b"?x",
    b"#",
    b"#x",
    b"/x",
    b"/v1",
    b".json",
    b"mfagate",
    b"http://mfagate",
];

fn change() -> impl Strategy<Value = Change> {
    let odd = || select(ODD.to_vec());
    let at = any::<Index>;
    prop_oneof![
        odd().prop_map(Change::Before),
        odd().prop_map(Change::After),
        (at(), odd()).prop_map(|(at, odd)| Change::Within(at, odd)),
        (at(), odd()).prop_map(|(at, odd)| Change::AfterSlash(at, odd)),
        (at(), odd()).prop_map(|(at, odd)| Change::ForSlash(at, odd)),
        (at(), 1..3_u8, any::<bool>()).prop_map(|(at, often, capitals)| Change::Escaped(at, often, capitals)),
        at().prop_map(Change::Without),
        at().prop_map(Change::OtherCase),
        any::<bool>().prop_map(Change::Capitals),
    ]
}

impl Change {
    fn apply(&self, path: &mut Vec<u8>) {
        if let Some((range, text)) = self.edit(path) {
            path.splice(range, text);
        }
    }

    /// The range to replace and its replacement; `None` if there is nothing to change.
    fn edit(&self, path: &[u8]) -> Option<(Range<usize>, Vec<u8>)> {
        let some = |index: &Index, wanted: fn(u8) -> bool| {
            let places: Vec<_> = (0..path.len()).filter(|at| wanted(path[*at])).collect();
            (!places.is_empty()).then(|| *index.get(&places))
        };
        let slash = |byte: u8| byte == b'/';
        Some(match self {
            Self::Before(text) => (0..0, text.to_vec()),
            Self::After(text) => (path.len()..path.len(), text.to_vec()),
            Self::Within(index, text) => {
                let at = index.index(path.len() + 1);
                (at..at, text.to_vec())
            }
            Self::AfterSlash(index, text) => {
                let at = some(index, slash)? + 1;
                (at..at, text.to_vec())
            }
            Self::ForSlash(index, text) => {
                let at = some(index, slash)?;
                (at..at + 1, text.to_vec())
            }
            Self::Escaped(index, often, capitals) => {
                let at = some(index, |_| true)?;
                let hex = if *capitals { format!("{:02X}", path[at]) } else { format!("{:02x}", path[at]) };
                (at..at + 1, format!("%{}{hex}", "25".repeat(usize::from(often - 1))).into_bytes())
            }
            Self::Without(index) => {
                let at = some(index, |_| true)?;
                (at..at + 1, Vec::new())
            }
            Self::OtherCase(index) => {
                let at = some(index, |byte| byte.is_ascii_alphabetic())?;
                (at..at + 1, vec![path[at] ^ b' '])
            }
            Self::Capitals(true) => (0..path.len(), path.to_ascii_uppercase()),
            Self::Capitals(false) => (0..path.len(), path.to_ascii_lowercase()),
        })
    }
}

/// The path with one odd thing before it, after it, after each slash and instead of each slash.
pub(super) fn single_changes(path: &str) -> Vec<Vec<u8>> {
    let slashes: Vec<_> = path.match_indices('/').map(|(at, _)| at).collect();
    let after = slashes.iter().map(|at| (at + 1, at + 1));
    let instead = slashes.iter().map(|at| (*at, at + 1));
    let places: Vec<_> = after.chain(instead).chain([(0, 0), (path.len(), path.len())]).collect();
    let with =
        |odd: &[u8], (from, to): (usize, usize)| [&path.as_bytes()[..from], odd, &path.as_bytes()[to..]].concat();
    let changed = ODD.iter().flat_map(|odd| places.iter().map(|place| with(odd, *place)));
    changed.filter(|changed| changed != path.as_bytes()).collect()
}

/// A path as it is sent, shown with escapes where it is not text.
#[derive(Clone)]
pub(super) struct Path(pub(super) Vec<u8>);

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// A known path with some changes; now and then something else altogether.
pub(super) fn changed_path() -> impl Strategy<Value = Path> {
    let changed = (select(known()), prop::collection::vec(change(), 1..4)).prop_map(|(path, changes)| {
        let mut path = path.as_bytes().to_vec();
        for change in changes {
            change.apply(&mut path);
        }
        path
    });
    prop_oneof![15 => changed, 1 => prop::collection::vec(any::<u8>(), 0..200)].prop_map(Path)
}
