//! How deep the expressions of a policy file nest, counted before Cedar's parser sees them: it recurses, as do the validator and
//! the evaluator, and a stack that overflows ends the process (cedar-policy/cedar#2383).

/// The maximum depth of brackets. The parser needs up to 100 KiB of stack for each. People write fewer than ten.
pub(super) const MAX_BRACKETS: usize = 32;

/// The maximum depth of an expression: brackets, `if`s and chained operators. A chain of `&&` nests as deep as it is long.
pub(super) const MAX_DEPTH: usize = 128;

/// Where a text nests too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooDeep {
    /// The byte at which the bound is exceeded.
    pub(super) offset: usize,
    /// What exceeds it.
    pub(super) problem: &'static str,
}

/// Scans the text of a policy file. Characters that Cedar would reject are skipped: that is for its parser to say.
pub(super) fn check(text: &str) -> Result<(), TooDeep> {
    let bytes = text.as_bytes();
    let mut frames = vec![Frame::default()];
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        let next = bytes.get(position + 1).copied();
        let start = position;
        position += 1;
        match byte {
            b'/' if next == Some(b'/') => position += length(bytes, position, |byte| !matches!(byte, b'\n' | b'\r')),
            b'"' => position = string_end(bytes, position),
            b'(' | b'[' | b'{' => frames.push(Frame::default()),
            b')' | b']' | b'}' => {
                // One without its opening is for the parser to reject.
                let closed = if frames.len() > 1 { frames.pop() } else { None };
                if let (Some(closed), Some(outer)) = (closed, frames.last_mut()) {
                    outer.inner = outer.inner.max(closed.depth() + 1);
                    outer.others += 1;
                }
            }
            b'|' | b'&' if next == Some(byte) => {
                position += 1;
                if let Some(frame) = frames.last_mut() {
                    if byte == b'|' { frame.end_or_term() } else { frame.end_and_term() }
                }
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                position += length(bytes, position, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if let (Some(word), Some(frame)) = (bytes.get(start..position), frames.last_mut()) {
                    frame.word(word);
                }
            }
            b'.' | b'!' | b'-' | b'+' | b'*' | b'<' | b'>' | b'=' => {
                position += usize::from(next == Some(b'='));
                if let Some(frame) = frames.last_mut() {
                    frame.others += 1;
                }
            }
            b',' | b';' => {
                if let Some(frame) = frames.last_mut() {
                    frame.end_expression();
                }
            }
            _ => {}
        }
        let problem = if frames.len() > MAX_BRACKETS + 1 {
            Some("nests brackets deeper than 32 levels")
        } else if depth(&frames) > MAX_DEPTH {
            Some("nests expressions deeper than 128 levels; a chain of operators counts each of them")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(TooDeep { offset: start, problem });
        }
    }
    Ok(())
}

/// The depth of the expression that the innermost of the open brackets are part of, as far as it has been read.
fn depth(frames: &[Frame]) -> usize {
    let Some((innermost, around)) = frames.split_last() else { return 0 };
    around.iter().map(|frame| frame.open() + 1).sum::<usize>() + innermost.depth()
}

fn length(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().skip(from).take_while(|byte| belongs(**byte)).count()
}

/// The position after the string whose first character is at `from`.
fn string_end(bytes: &[u8], mut from: usize) -> usize {
    while let Some(byte) = bytes.get(from) {
        match byte {
            b'"' => return from + 1,
            b'\\' => from += 2,
            _ => from += 1,
        }
    }
    from
}

/// One pair of brackets, as far as it has been read. The depth of an expression is at most that of its chain of `||`, of the
/// deepest chain of `&&` in that, and of the deepest term in that.
#[derive(Debug, Default)]
struct Frame {
    ifs: usize,
    ors: usize,
    ands: usize,
    others: usize,
    /// The depth of the deepest brackets within the term.
    inner: usize,
    /// The deepest term of the current chain of `&&` that has ended.
    and_term: usize,
    /// The deepest term of the current chain of `||` that has ended.
    or_term: usize,
    /// The deepest branch of the current `if`s that has ended.
    branch: usize,
    /// The deepest expression that has ended.
    expression: usize,
}

impl Frame {
    fn depth(&self) -> usize {
        let and_term = self.and_term.max(self.others + self.inner);
        let or_term = self.or_term.max(self.ands + and_term);
        let branch = self.branch.max(self.ors + or_term);
        self.expression.max(self.ifs + branch)
    }

    /// The depth at which what is read next stands, as seen from the brackets.
    fn open(&self) -> usize {
        self.ifs + self.ors + self.ands + self.others
    }

    fn word(&mut self, word: &[u8]) {
        match word {
            // Nothing follows the last branch but the end of the brackets, so all that are open end together.
            b"if" => {
                self.end_branch();
                self.ifs += 1;
            }
            b"then" | b"else" => self.end_branch(),
            b"when" | b"unless" => self.end_expression(),
            b"has" | b"like" | b"in" | b"is" => self.others += 1,
            _ => {}
        }
    }

    fn end_and_term(&mut self) {
        self.and_term = self.and_term.max(self.others + self.inner);
        self.ands += 1;
        (self.others, self.inner) = (0, 0);
    }

    fn end_or_term(&mut self) {
        self.end_and_term();
        self.or_term = self.or_term.max(self.ands - 1 + self.and_term);
        self.ors += 1;
        (self.ands, self.and_term) = (0, 0);
    }

    fn end_branch(&mut self) {
        self.end_or_term();
        self.branch = self.branch.max(self.ors - 1 + self.or_term);
        (self.ors, self.or_term) = (0, 0);
    }

    fn end_expression(&mut self) {
        let expression = self.depth();
        *self = Self { expression, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(condition: &str) -> Option<&'static str> {
        check(&format!("permit (principal, action, resource) when {{ {condition} }};")).err().map(|deep| deep.problem)
    }

    fn nested(open: &str, close: &str, levels: usize) -> String {
        format!("{}true{}", open.repeat(levels), close.repeat(levels))
    }

    #[test]
    fn brackets_of_any_kind_are_counted() {
        for (open, close) in [("(", ")"), ("[", "]"), ("{a:", "}"), ("[(", ")]")] {
            assert_eq!(problem(&nested(open, close, MAX_BRACKETS / 2 - 1)), None, "{open}");
            assert!(
                problem(&nested(open, close, MAX_BRACKETS)).is_some_and(|deep| deep.contains("brackets")),
                "{open}"
            );
        }
    }

    #[test]
    fn chains_of_operators_are_counted() {
        for operator in [" && ", " || ", " + ", " == ", ".a", "!", " - ", " * ", " in ", " has ", "[\"a\"]", " like "] {
            assert_eq!(problem(&operator.repeat(100)), None, "{operator}");
            let deep = problem(&operator.repeat(300));
            assert!(deep.is_some_and(|deep| deep.contains("expressions")), "{operator}");
        }
        assert!(problem(&"if true then true else ".repeat(300)).is_some());
        assert!(problem(&"if ".repeat(300)).is_some());
        // Eight levels of brackets with forty operators each.
        assert!(problem(&nested(&format!("({}", "true && ".repeat(40)), ")", 8)).is_some());
    }

    #[test]
    fn what_stands_beside_each_other_is_not_nested() {
        let clause = "context.weakens_mfa && principal.scopes.contains(\"a\")";
        assert_eq!(problem(&[clause; 100].join(" || ")), None);
        let members = ["[[1, 2], [3, 4 + 5]]"; 1000].join(", ");
        assert_eq!(problem(&format!("[{members}].contains([])")), None);
        let policies = format!("permit (principal, action, resource) when {{ {clause} }};\n").repeat(1000);
        assert_eq!(check(&policies), Ok(()));
    }

    #[test]
    fn strings_and_comments_do_not_count() {
        let opening = "(".repeat(100);
        assert_eq!(problem(&format!("context.a like \"{opening}\\\"{opening}\"")), None);
        assert_eq!(problem(&format!("true // {opening}\"\n")), None);
        assert!(problem(&format!("true // \"\n {opening}")).is_some());
        assert!(problem(&format!("\"\\\\\" {opening}")).is_some());
        assert_eq!(problem(&format!("\"{opening}")), None);
    }

    #[test]
    fn closing_brackets_alone_do_not_hide_opening_ones() {
        assert!(problem(&format!("{}{}", ")".repeat(100), "(".repeat(100))).is_some());
    }
}
