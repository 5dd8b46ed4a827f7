//! The chain of records: each holds the HMAC of the one before it, so that an edit or a gap shows.
//!
//! Only whole records are links. What a cut write leaves behind is none, and its record is written again or counted as lost.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value};

use crate::audit::target::AuditTarget;
use crate::audit::username::{UsernameKey, UsernameKeyError};

/// What the key of usernames is asked for, to become the key of a chain.
const DERIVATION: &[u8] = b"mfagate audit chain";

/// How far from the end of a file the last record is looked for, in bytes. The longest record has less than a tenth of it.
const MAX_TAIL_BYTES: u64 = 1 << 20;

/// The key of a chain. It is never printed.
#[derive(Clone)]
pub struct ChainKey(hmac::Key);

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainKey([redacted])")
    }
}

impl ChainKey {
    /// The key in the file, in the form of a key for usernames.
    pub fn read(path: &Path) -> Result<Self, UsernameKeyError> {
        Ok(Self(UsernameKey::read(path)?.into_hmac()))
    }

    /// The key that follows from the key for usernames: HMAC-SHA-256 of the text `mfagate audit chain`.
    pub fn derived_from(key: UsernameKey) -> Self {
        let derived = hmac::sign(&key.into_hmac(), DERIVATION);
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The link to a record: the HMAC-SHA-256 of its line without the line break, in hexadecimal.
    pub fn link(&self, line: &[u8]) -> String {
        self.digits(line).escape_ascii().to_string()
    }

    fn digits(&self, line: &[u8]) -> Digits {
        let mut digits = [0; LINK_DIGITS];
        HEXLOWER.encode_mut(hmac::sign(&self.0, line).as_ref(), &mut digits);
        digits
    }
}

/// Why a chain starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChainStart {
    /// The file is new or empty.
    NewFile,
    /// What was written before cannot be read back: standard output, or a device.
    Stream,
    /// The file has no record that could be continued.
    Unreadable,
}

impl ChainStart {
    const fn name(self) -> &'static str {
        match self {
            Self::NewFile => "new_file",
            Self::Stream => "stream",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The digits of a link, two for each byte of the HMAC.
const LINK_DIGITS: usize = 64;

type Digits = [u8; LINK_DIGITS];

/// A chain that is being written.
#[derive(Debug)]
pub(super) struct Chain {
    key: ChainKey,
    next: Next,
}

/// What the next record says of the one before it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    Starts(ChainStart),
    Follows(Digits),
}

impl Chain {
    /// Continues the chain of the target, or starts anew.
    pub(super) fn resume(key: ChainKey, target: &AuditTarget) -> Self {
        let next = match last_record(target) {
            Ok(Some(line)) => Next::Follows(key.digits(&line)),
            Ok(None) => Next::Starts(match target {
                AuditTarget::File(path) if path.is_file() => ChainStart::NewFile,
                AuditTarget::File(_) | AuditTarget::Stdout => ChainStart::Stream,
            }),
            Err(_) => Next::Starts(ChainStart::Unreadable),
        };
        Self { key, next }
    }

    /// Appends the line of a record to `lines`, with its link to the one before as its last member. The next one follows it.
    pub(super) fn append(&mut self, lines: &mut Vec<u8>, line: &[u8]) {
        let start = lines.len();
        if let Some(members) = line.strip_suffix(b"}") {
            lines.extend_from_slice(members);
            let comma: &[u8] = if members == b"{" { b"" } else { b"," };
            lines.extend_from_slice(comma);
            match &self.next {
                Next::Starts(start) => {
                    lines.extend_from_slice(br#""chain_start":""#);
                    lines.extend_from_slice(start.name().as_bytes());
                }
                Next::Follows(digits) => {
                    lines.extend_from_slice(br#""prev":""#);
                    lines.extend_from_slice(digits);
                }
            }
            lines.extend_from_slice(br#""}"#);
        } else {
            lines.extend_from_slice(line);
        }
        self.follow(lines.get(start..).unwrap_or_default());
    }

    /// The next record follows this line.
    pub(super) fn follow(&mut self, line: &[u8]) {
        self.next = Next::Follows(self.key.digits(line));
    }

    /// What the next record says of the one before it.
    pub(super) fn position(&self) -> Next {
        self.next
    }

    /// Nothing that was appended since then is in the target.
    pub(super) fn rewind(&mut self, position: Next) {
        self.next = position;
    }
}

/// The line of the last record in the target, `None` if nothing is in it or nothing can be.
fn last_record(target: &AuditTarget) -> io::Result<Option<Vec<u8>>> {
    let AuditTarget::File(path) = target else { return Ok(None) };
    if !path.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(None);
    }
    let start = length.saturating_sub(MAX_TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(MAX_TAIL_BYTES).read_to_end(&mut tail)?;
    // The beginning of the tail may be the middle of a line, which is no record.
    let found = tail.rsplit(|byte| *byte == b'\n').find(|line| record(line).is_some());
    found.map(|line| Some(line.to_owned())).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The members of a record; `None` for what a cut write left behind.
fn record(line: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(line).ok()
}

/// What the check of a chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainFinding {
    /// Something that happens without anybody's doing.
    Note(String),
    /// A record was changed, removed or added.
    Break(String),
}

/// Checks a chain, line by line.
#[derive(Debug)]
pub struct ChainCheck {
    key: ChainKey,
    /// The link to the last record.
    last: Option<String>,
    /// Whether the last record was in a chain.
    chained: bool,
    records: u64,
    unchained: u64,
}

impl ChainCheck {
    /// Checks with this key.
    pub fn new(key: ChainKey) -> Self {
        Self { key, last: None, chained: false, records: 0, unchained: 0 }
    }

    /// Checks the next line, the first of its file or a later one.
    pub fn line(&mut self, line: &[u8], is_first: bool) -> Option<ChainFinding> {
        let Some(members) = record(line) else {
            return Some(ChainFinding::Note("the rest of a write that was cut; it is not a record".to_owned()));
        };
        self.records += 1;
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let finding = match (text("prev"), text("chain_start"), self.last.as_deref()) {
            (Some(prev), _, Some(last)) if prev == last => None,
            (Some(_), _, Some(_)) => Some(ChainFinding::Break(
                "prev is not that of the record before: a record was changed, removed or added here".to_owned(),
            )),
            (Some(_), _, None) => {
                Some(ChainFinding::Note("continues an earlier file: give that before this one".to_owned()))
            }
            (None, Some(start), None) => Some(ChainFinding::Note(format!("the chain starts ({start})"))),
            (None, Some(start), Some(_)) if is_first || start == "stream" => Some(ChainFinding::Note(format!(
                "the chain starts anew ({start}): what was removed before it does not show"
            ))),
            (None, Some(start), Some(_)) => Some(ChainFinding::Break(format!(
                "the chain starts anew ({start}) in the middle of a file: what was removed before it does not show"
            ))),
            (None, None, _) if self.chained => Some(ChainFinding::Break("the record is not in the chain".to_owned())),
            (None, None, _) => None,
        };
        if text("prev").is_some() || text("chain_start").is_some() {
            self.chained = true;
        } else {
            self.unchained += 1;
        }
        self.last = Some(self.key.link(line));
        finding
    }

    /// The number of records so far, and of those that are in no chain.
    pub fn records(&self) -> (u64, u64) {
        (self.records, self.unchained)
    }

    /// The link to the last record: what the next record's `prev` must be.
    pub fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ChainKey {
        ChainKey::derived_from(UsernameKey::new(b"0123456789abcdef0123456789abcdef").unwrap())
    }

    /// Lines of a new chain.
    fn lines(numbers: std::ops::Range<u32>) -> Vec<Vec<u8>> {
        let mut chain = Chain { key: key(), next: Next::Starts(ChainStart::NewFile) };
        numbers
            .map(|number| {
                let mut line = Vec::new();
                chain.append(&mut line, format!(r#"{{"n":{number}}}"#).as_bytes());
                line
            })
            .collect()
    }

    /// The numbers of the lines at which the chain is broken.
    fn breaks(lines: &[Vec<u8>]) -> Vec<usize> {
        let mut check = ChainCheck::new(key());
        let broken = |(number, line): (usize, &Vec<u8>)| {
            matches!(check.line(line, number == 0), Some(ChainFinding::Break(_))).then_some(number)
        };
        lines.iter().enumerate().filter_map(broken).collect()
    }

    #[test]
    fn an_edit_a_gap_an_addition_and_another_order_show_at_the_next_record() {
        let whole = lines(0..6);
        assert_eq!(breaks(&whole), Vec::<usize>::new());
        let mut edited = whole.clone();
        edited[2] = String::from_utf8(edited[2].clone()).unwrap().replace("\"n\":2", "\"n\":9").into_bytes();
        assert_eq!(breaks(&edited), [3]);
        let mut shorter = whole.clone();
        shorter.remove(2);
        assert_eq!(breaks(&shorter), [2]);
        let mut longer = whole.clone();
        longer.insert(2, whole[1].clone());
        assert_eq!(breaks(&longer), [2]);
        let mut unchained = whole.clone();
        unchained.insert(2, b"{}".to_vec());
        assert_eq!(breaks(&unchained), [2, 3]);
        let mut swapped = whole.clone();
        swapped.swap(2, 3);
        assert_eq!(breaks(&swapped), [2, 3, 4]);
        // The records of another chain cannot take the place of ours.
        let mut joined = whole[..3].to_vec();
        joined.extend(lines(0..2));
        assert_eq!(breaks(&joined), [3]);
    }

    #[test]
    fn what_a_cut_write_leaves_is_no_link() {
        let mut torn = lines(0..4);
        let rest = torn[2][..5].to_vec();
        torn.insert(2, rest);
        assert_eq!(breaks(&torn), Vec::<usize>::new());
    }

    #[test]
    fn another_key_fits_nothing() {
        let mut check = ChainCheck::new(ChainKey(hmac::Key::new(hmac::HMAC_SHA256, &[1; 32])));
        let [first, second] = lines(0..2).try_into().unwrap();
        assert!(matches!(check.line(&first, true), Some(ChainFinding::Note(_))));
        assert!(matches!(check.line(&second, false), Some(ChainFinding::Break(_))));
    }

    #[test]
    fn a_chain_is_resumed_after_the_last_whole_record() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let target = AuditTarget::File(path.clone());
        let next = || {
            let mut line = Vec::new();
            Chain::resume(key(), &target).append(&mut line, b"{}");
            String::from_utf8(line).unwrap()
        };
        assert_eq!(next(), r#"{"chain_start":"stream"}"#, "nothing is there");
        for (content, expected) in [
            ("", r#"{"chain_start":"new_file"}"#.to_owned()),
            ("{\"cu", r#"{"chain_start":"unreadable"}"#.to_owned()),
            ("{\"n\":1}\n", format!(r#"{{"prev":"{}"}}"#, key().link(br#"{"n":1}"#))),
            ("{\"n\":1}\n{\"cu", format!(r#"{{"prev":"{}"}}"#, key().link(br#"{"n":1}"#))),
            // Only the line break was cut off.
            ("{\"n\":1}\n{\"n\":2}", format!(r#"{{"prev":"{}"}}"#, key().link(br#"{"n":2}"#))),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(next(), expected, "{content:?}");
        }
    }
}
