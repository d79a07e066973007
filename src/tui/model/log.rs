//! The log pane: which lines are shown, whether it follows what happens or holds still. Its sentences are the catalogue's.

use std::collections::VecDeque;

use super::board::Asking;
use crate::domain::event::{Level, LogEvent, LogLine};
use crate::domain::ids::SaleId;
use crate::domain::time::UtcMillis;

/// The most lines that are kept in memory.
pub const MAX_LINES: usize = 1_000;

/// The log pane.
#[derive(Debug)]
pub struct LogPane {
    lines: VecDeque<LogLine>,
    /// Whether lines are being asked for.
    pub asking: Asking,
    /// The least level that is shown.
    pub level: Level,
    /// The only sale that is shown, if it is one.
    pub of_sale: Option<SaleId>,
    /// The last line that is shown while the pane holds still; `None` while it follows.
    pub held: Option<i64>,
    /// The line that is chosen.
    pub chosen: Option<i64>,
    /// How many entries are out of sight above.
    pub scroll: usize,
    /// Whether lines went by that are not in memory.
    pub missed: bool,
}

/// One entry of the pane: a line, and how often it was repeated before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The newest line's number.
    pub seq: i64,
    /// When it happened last.
    pub at: UtcMillis,
    /// What happened.
    pub event: &'a LogEvent,
    /// How often.
    pub times: u32,
}

impl Default for LogPane {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            asking: Asking::Idle,
            level: Level::Info,
            of_sale: None,
            held: None,
            chosen: None,
            scroll: 0,
            missed: false,
        }
    }
}

impl LogPane {
    /// The number of the last line that is known.
    #[must_use]
    pub fn last(&self) -> Option<i64> {
        self.lines.back().map(|line| line.seq)
    }

    /// Takes lines that come after `after`, oldest first. While the pane holds still, nothing that it may show is dropped.
    pub fn take(&mut self, after: Option<i64>, lines: Vec<LogLine>) {
        if after.is_none() {
            self.lines.clear();
            self.missed = false;
        }
        for line in lines {
            if self.last().is_some_and(|last| line.seq <= last) {
                continue;
            }
            if self.lines.len() >= MAX_LINES {
                if self.held.is_some() {
                    self.missed = true;
                    return;
                }
                self.lines.pop_front();
            }
            self.lines.push_back(line);
        }
    }

    /// What is shown, newest first.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let shown = move |line: &&LogLine| {
            line.event.level() >= self.level
                && self.held.is_none_or(|held| line.seq <= held)
                && self.of_sale.is_none_or(|sale| concerns(&line.event, sale))
        };
        let mut lines = self.lines.iter().rev().filter(shown).peekable();
        std::iter::from_fn(move || {
            let line = lines.next()?;
            let mut times = 1;
            while lines.next_if(|older| alike(&older.event, &line.event)).is_some() {
                times += 1;
            }
            Some(Entry {
                seq: line.seq,
                at: line.at,
                event: &line.event,
                times,
            })
        })
    }

    /// Shows all levels of all sales.
    pub const fn show_all(&mut self) {
        self.level = Level::Info;
        self.of_sale = None;
    }

    /// Follows what happens again.
    pub fn follow(&mut self) {
        self.held = None;
        self.chosen = None;
        self.scroll = 0;
    }

    /// Holds still.
    pub fn hold(&mut self) {
        self.held = self.held.or_else(|| self.last());
    }

    /// The place of the chosen entry.
    #[must_use]
    pub fn chosen_place(&self) -> usize {
        let chosen = |chosen: i64| self.entries().position(|entry| entry.seq <= chosen);
        self.chosen.and_then(chosen).unwrap_or(0)
    }

    /// Chooses an entry so many places further down, and holds still; `height` entries are visible.
    pub fn choose(&mut self, by: isize, height: usize) {
        self.hold();
        let count = self.entries().count();
        let place = self
            .chosen_place()
            .saturating_add_signed(by)
            .min(count.saturating_sub(1));
        let chosen = self.entries().nth(place).map(|entry| entry.seq);
        self.chosen = chosen;
        let lowest_top = (place + 1).saturating_sub(height.max(1));
        self.scroll = self.scroll.clamp(lowest_top, place);
    }
}

/// Whether an event is about a sale, alone or among others.
fn concerns(event: &LogEvent, sale: SaleId) -> bool {
    let among = match event {
        LogEvent::Stored { sales, .. }
        | LogEvent::TimedOut { sales, .. }
        | LogEvent::Imported { sales }
        | LogEvent::Unreadable { sales } => sales.first <= sale && sale <= sales.last,
        _ => false,
    };
    among || event.sale() == Some(sale)
}

/// Whether two events say the same to the person who reads them.
fn alike(older: &LogEvent, newer: &LogEvent) -> bool {
    match (older, newer) {
        (LogEvent::LinkDown { trouble: a, .. }, LogEvent::LinkDown { trouble: b, .. }) => a == b,
        (LogEvent::HqAnswered { .. }, LogEvent::HqAnswered { .. }) => true,
        (older, newer) => older == newer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::LinkTrouble;

    fn line(seq: i64, event: LogEvent) -> LogLine {
        LogLine {
            seq,
            at: UtcMillis(seq),
            event,
        }
    }

    fn saved(seq: i64) -> LogLine {
        line(seq, LogEvent::Saved(SaleId::new(seq).unwrap()))
    }

    fn down(seq: i64, retry_s: u32) -> LogLine {
        let trouble = LinkTrouble::Unreachable;
        line(seq, LogEvent::LinkDown { trouble, retry_s })
    }

    fn shown(pane: &LogPane) -> Vec<(i64, u32)> {
        pane.entries().map(|entry| (entry.seq, entry.times)).collect()
    }

    #[test]
    fn repeats_collapse_and_the_newest_is_first() {
        let mut pane = LogPane::default();
        pane.take(None, vec![saved(1), down(2, 1), down(3, 2), down(4, 4), saved(5)]);
        assert_eq!(shown(&pane), [(5, 1), (4, 3), (1, 1)]);
    }

    #[test]
    fn a_held_log_does_not_move() {
        let mut pane = LogPane::default();
        pane.take(None, (1..=10).map(saved).collect());
        pane.choose(2, 3);
        let before = shown(&pane);
        pane.take(Some(10), (11..=5_000).map(saved).collect());
        assert_eq!(shown(&pane), before);
        assert!(pane.missed);
        pane.follow();
        assert_eq!(pane.entries().count(), MAX_LINES);
    }

    #[test]
    fn levels_and_one_sale_narrow_the_log() {
        let mut pane = LogPane::default();
        pane.take(None, vec![saved(1), saved(2), down(3, 1)]);
        pane.level = Level::Warning;
        assert_eq!(shown(&pane), [(3, 1)]);
        pane.level = Level::Info;
        pane.of_sale = SaleId::new(2);
        assert_eq!(shown(&pane), [(2, 1)]);
    }

    #[test]
    fn memory_is_bounded_and_lines_come_once() {
        let mut pane = LogPane::default();
        pane.take(None, (1..=3_000).map(saved).collect());
        pane.take(Some(2_999), vec![saved(2_999), saved(3_000)]);
        assert_eq!(pane.entries().count(), MAX_LINES);
        assert_eq!(pane.last(), Some(3_000));
    }
}
