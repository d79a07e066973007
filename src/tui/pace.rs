//! When a frame may be drawn: at once when nothing was drawn lately, else so many times a second, and more rarely for what nobody waits for on a slow line.

use crate::domain::time::Tick;

/// How often frames may be drawn, in milliseconds between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two frames that somebody waits for, because a key was pressed.
    pub asked_ms: u64,
    /// Between two frames that only show what happened.
    pub unasked_ms: u64,
    /// How long a frame waits for the answers that belong to the same key.
    pub gather_ms: u64,
    /// How long a frame that nobody waits for waits for the rest of what happened, which is told in several answers.
    pub rest_ms: u64,
}

/// For a terminal that is near: thirty frames a second.
pub const NEAR: Pace = Pace {
    asked_ms: 33,
    unasked_ms: 33,
    gather_ms: 0,
    rest_ms: 20,
};
/// For a terminal over SSH: five frames a second, and one in two seconds for what happens by itself.
pub const REMOTE: Pace = Pace {
    asked_ms: 200,
    unasked_ms: 2_000,
    gather_ms: 15,
    rest_ms: 0,
};

/// For how long after a key what comes is taken for its answer, in milliseconds.
const ANSWER_MS: u64 = 1_000;

/// Keeps the pace.
#[derive(Debug)]
pub struct Metronome {
    pace: Pace,
    /// When a frame last went out.
    drawn_at: Option<Tick>,
    /// When a frame was last drawn, whether or not anything of it was new.
    looked_at: Option<Tick>,
    pressed_at: Option<Tick>,
    /// Since when there is something to draw.
    stale_since: Option<Tick>,
}

impl Metronome {
    /// Starts: the first frame may be drawn at once.
    #[must_use]
    pub const fn new(pace: Pace) -> Self {
        Self {
            pace,
            drawn_at: None,
            looked_at: None,
            pressed_at: None,
            stale_since: None,
        }
    }

    /// Takes note of a key.
    pub const fn pressed(&mut self, now: Tick) {
        self.pressed_at = Some(now);
    }

    /// Takes note that there is something to draw.
    pub fn stale(&mut self, now: Tick) {
        self.stale_since.get_or_insert(now);
    }

    /// Takes note that a frame was drawn, and whether anything of it was new. One in which nothing was costs the terminal nothing: the answer to a key, which may come the
    /// moment after, doesn't wait behind it.
    pub const fn drawn(&mut self, now: Tick, new: bool) {
        if new {
            self.drawn_at = Some(now);
        }
        self.looked_at = Some(now);
        self.stale_since = None;
    }

    /// When the next frame is due; `None` if there is nothing to draw.
    #[must_use]
    pub fn due_at(&self) -> Option<Tick> {
        let since = self.stale_since?;
        let asked = self.pressed_at.is_some_and(|pressed| since.since(pressed) < ANSWER_MS);
        let (last, between, gather) = if asked {
            (self.drawn_at, self.pace.asked_ms, self.pace.gather_ms)
        } else {
            // The very first frame waits for nothing.
            let rest = if self.looked_at.is_some() { self.pace.rest_ms } else { 0 };
            (self.looked_at, self.pace.unasked_ms, rest)
        };
        let free = last.map_or(since, |last| last.plus(between));
        Some(free.max(since.plus(gather)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_changes_is_one_frame() {
        let mut metronome = Metronome::new(NEAR);
        assert_eq!(metronome.due_at(), None);
        metronome.stale(Tick(10));
        assert_eq!(metronome.due_at(), Some(Tick(10)));
        metronome.drawn(Tick(10), true);
        metronome.stale(Tick(12));
        metronome.stale(Tick(40));
        assert_eq!(metronome.due_at(), Some(Tick(43)));
    }

    #[test]
    fn what_happens_by_itself_is_one_frame_though_it_is_told_in_several_answers() {
        let mut metronome = Metronome::new(NEAR);
        metronome.stale(Tick(0));
        metronome.drawn(Tick(0), true);
        metronome.stale(Tick(60_000));
        metronome.stale(Tick(60_008));
        assert_eq!(metronome.due_at(), Some(Tick(60_020)));
        // A key is answered at once all the same.
        metronome.pressed(Tick(60_009));
        metronome.drawn(Tick(60_009), true);
        metronome.stale(Tick(60_100));
        assert_eq!(metronome.due_at(), Some(Tick(60_100)));
    }

    #[test]
    fn an_answer_does_not_wait_behind_a_frame_in_which_nothing_was_new() {
        let mut metronome = Metronome::new(NEAR);
        metronome.pressed(Tick(100));
        metronome.stale(Tick(100));
        metronome.drawn(Tick(100), false);
        metronome.stale(Tick(103));
        assert_eq!(metronome.due_at(), Some(Tick(103)));
        // What nobody waits for is looked at no more often for that.
        metronome.drawn(Tick(5_000), false);
        metronome.stale(Tick(5_001));
        assert_eq!(metronome.due_at(), Some(Tick(5_033)));
    }

    #[test]
    fn on_a_slow_line_keys_are_answered_before_what_happens_by_itself_is_shown() {
        let mut metronome = Metronome::new(REMOTE);
        metronome.stale(Tick(0));
        metronome.drawn(Tick(0), true);
        metronome.stale(Tick(100));
        assert_eq!(metronome.due_at(), Some(Tick(2_000)));
        metronome.drawn(Tick(2_000), true);
        metronome.pressed(Tick(5_000));
        metronome.stale(Tick(5_000));
        assert_eq!(metronome.due_at(), Some(Tick(5_015)));
    }
}
