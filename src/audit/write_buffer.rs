//! What is written with one call: lines, each with its link to the one before.

use crate::audit::chain::Chain;

/// What is written with one call: a line break, and the lines. Positions count its bytes.
#[derive(Debug, Default)]
pub(super) struct WriteBuffer {
    bytes: Vec<u8>,
    lines: Vec<Line>,
}

/// A line of the buffer: where it ends, its line break included, and where it is from.
#[derive(Clone, Copy, Debug)]
struct Line {
    end: usize,
    source: Source,
}

/// Where a line is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A mutation that was kept.
    Kept,
    /// What was handed over.
    Batch,
    /// That so many decisions were dropped.
    Gap(u64),
}

impl WriteBuffer {
    /// Where the lines start: a line break is before them, for what an earlier write left unfinished.
    pub(super) const START: usize = 1;

    /// Makes room for lines.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.push(b'\n');
        self.lines.clear();
    }

    /// Adds a line. It is linked now and not when it was made: a record that was kept follows those that were written meanwhile.
    pub(super) fn add(&mut self, source: Source, line: &[u8], chain: Option<&mut Chain>) {
        match chain {
            Some(chain) => chain.append(&mut self.bytes, line),
            None => self.bytes.extend_from_slice(line),
        }
        self.bytes.push(b'\n');
        self.lines.push(Line { end: self.bytes.len(), source });
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As many whole lines from this position as have at most `limit` bytes, and one at least.
    pub(super) fn part(&self, from: usize, limit: usize) -> &[u8] {
        let fitting = self.lines.partition_point(|line| line.end <= from.saturating_add(limit));
        let fitting = fitting.checked_sub(1).and_then(|last| self.lines.get(last)).map_or(0, |line| line.end);
        let next = || self.lines.iter().map(|line| line.end).find(|end| *end > from);
        let end = if fitting > from { fitting } else { next().unwrap_or(self.bytes.len()) };
        self.bytes.get(from..end).unwrap_or_default()
    }

    /// Where the lines are from that end up to this position.
    pub(super) fn whole(&self, position: usize) -> impl Iterator<Item = Source> {
        self.lines.iter().take_while(move |line| line.end <= position).map(|line| line.source)
    }

    /// The last line up to this position. One of which only the line break is missing is there.
    pub(super) fn last_line(&self, position: usize) -> Option<&[u8]> {
        let mut start = Self::START;
        let mut last = None;
        for line in self.lines.iter().take_while(|line| line.end <= position.saturating_add(1)) {
            last = self.bytes.get(start..line.end - 1);
            start = line.end;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer() -> WriteBuffer {
        let mut buffer = WriteBuffer::default();
        buffer.clear();
        for (source, line) in [(Source::Kept, "a"), (Source::Gap(2), "bcd"), (Source::Batch, "ef")] {
            buffer.add(source, line.as_bytes(), None);
        }
        buffer
    }

    #[test]
    fn parts_are_whole_lines_where_they_fit() {
        assert_eq!(buffer().bytes(), b"\na\nbcd\nef\n");
        for (from, limit, expected) in [
            (0, usize::MAX, "\na\nbcd\nef\n"),
            (1, 1, "a\n"),
            (1, 2, "a\n"),
            (1, 5, "a\n"),
            (1, 6, "a\nbcd\n"),
            (3, 3, "bcd\n"),
            (4, 3, "cd\n"),
            (7, 4096, "ef\n"),
            (10, 4096, ""),
        ] {
            assert_eq!(buffer().part(from, limit), expected.as_bytes(), "{from} {limit}");
        }
    }

    #[test]
    fn a_line_is_written_with_its_line_break_and_in_the_file_without() {
        for (position, whole, last) in [
            (0, 0, None),
            (1, 0, None),
            (2, 0, Some("a")),
            (3, 1, Some("a")),
            (5, 1, Some("a")),
            (6, 1, Some("bcd")),
            (7, 2, Some("bcd")),
            (9, 2, Some("ef")),
            (10, 3, Some("ef")),
        ] {
            assert_eq!(buffer().whole(position).count(), whole, "{position}");
            assert_eq!(buffer().last_line(position), last.map(str::as_bytes), "{position}");
        }
        assert_eq!(buffer().whole(10).collect::<Vec<_>>(), [Source::Kept, Source::Gap(2), Source::Batch]);
    }
}
