//! Sentences for what happened at a branch: the lines of the log pane.

use super::{Key, Text};
use crate::domain::event::{LinkTrouble, LogEvent, Sales};
use crate::domain::ids::{Revision, SaleId};

/// From how many milliseconds on a difference between two clocks is worth a word.
pub const NOTABLE_SKEW_MS: u64 = 60_000;

impl Text {
    /// What happened, as a sentence for the people at a counter.
    #[must_use]
    pub fn log_event(&self, event: &LogEvent) -> String {
        let sales = |key, n: u64| self.say(key, &[("n", n.into())]);
        let store = |key, store: String| self.say(key, &[("store", store.get(..8).unwrap_or(&store).into())]);
        match event {
            LogEvent::Saved(id) => self.say(Key::LogSaved, &[("id", (&id.to_string()).into())]),
            LogEvent::Edited(id, revision) => self.revised(Key::LogEdited, *id, *revision),
            LogEvent::Voided(id, revision) => self.revised(Key::LogVoided, *id, *revision),
            LogEvent::Imported { sales } => self.say(
                Key::LogImported,
                &[("n", sales.count.into()), ("range", (&range(sales)).into())],
            ),
            LogEvent::LinkUp => self.word(Key::LogLinkUp).to_owned(),
            LogEvent::LineRests => self.word(Key::LogLineRests).to_owned(),
            LogEvent::HoursOver => self.word(Key::LogHoursOver).to_owned(),
            LogEvent::LinkDown { trouble, retry_s } => self.link_down(*trouble, *retry_s),
            LogEvent::BrokerBlocked => self.word(Key::LogBlocked).to_owned(),
            LogEvent::Stored { sales, took_ms } => self.stored(sales, *took_ms),
            LogEvent::TimedOut {
                sales,
                after_s,
                next_try,
                retry_s,
            } => self.timed_out(sales, *after_s, *next_try, *retry_s),
            LogEvent::Refused(id, refusal) => {
                let values = [("id", &id.to_string()), ("why", &self.refusal(refusal))];
                self.say(Key::LogRefused, &values.map(|(slot, value)| (slot, value.into())))
            }
            LogEvent::Conflicted(id) => self.say(Key::LogConflicted, &[("id", (&id.to_string()).into())]),
            LogEvent::Unreadable { sales: some } => sales(Key::LogUnreadable, some.count.into()),
            LogEvent::HqAnswered { skew_ms } => self.answered(*skew_ms),
            LogEvent::HqRestored { sales: n } => sales(Key::LogHqRestored, *n),
            LogEvent::LedgerBegun { ledger: _, moved } => sales(Key::LogLedgerBegun, *moved),
            LogEvent::ForeignStore { store: id } => store(Key::LogForeignStore, id.to_string()),
            LogEvent::StoreReplaced { store: id } => store(Key::LogStoreReplaced, id.to_string()),
            LogEvent::ForeignReceipt => self.word(Key::LogForeignReceipt).to_owned(),
            LogEvent::HqOlder => self.word(Key::LogHqOlder).to_owned(),
            LogEvent::Resent { sales: n } => sales(Key::LogResent, *n),
            LogEvent::WorkerRestarted => self.word(Key::LogWorkerRestarted).to_owned(),
            LogEvent::WorkerElected => self.word(Key::LogWorkerElected).to_owned(),
        }
    }

    fn revised(&self, key: Key, id: SaleId, revision: Revision) -> String {
        let values = [("id", &id.to_string()), ("revision", &revision.to_string())];
        self.say(key, &values.map(|(slot, value)| (slot, value.into())))
    }

    fn link_down(&self, trouble: LinkTrouble, retry_s: u32) -> String {
        let wait = self.duration(u64::from(retry_s) * 1_000);
        let values = [("why", self.link_trouble(trouble).into()), ("wait", (&wait).into())];
        self.say(Key::LogLinkDown, &values)
    }

    fn stored(&self, sales: &Sales, took_ms: u32) -> String {
        let (range, took) = (range(sales), self.brief_duration(took_ms.into()));
        let key = if sales.count == 1 {
            Key::LogStoredOne
        } else {
            Key::LogStored
        };
        let values = [
            ("range", (&range).into()),
            ("n", sales.count.into()),
            ("took", (&took).into()),
        ];
        self.say(key, &values)
    }

    fn timed_out(&self, sales: &Sales, after_s: u32, next_try: u32, retry_s: Option<u32>) -> String {
        let key = if retry_s.is_some() {
            Key::LogTimedOut
        } else {
            Key::LogTimedOutSilent
        };
        let after = self.duration(u64::from(after_s) * 1_000);
        let wait = self.duration(u64::from(retry_s.unwrap_or(0)) * 1_000);
        let values = [
            ("n", sales.count.into()),
            ("after", (&after).into()),
            ("try", next_try.into()),
            ("wait", (&wait).into()),
        ];
        self.say(key, &values)
    }

    fn answered(&self, skew_ms: i64) -> String {
        let skew = skew_ms.unsigned_abs();
        if skew < NOTABLE_SKEW_MS {
            return self.word(Key::LogHqAnswered).to_owned();
        }
        let duration = self.duration(skew);
        let values = [
            ("skew", (&duration).into()),
            ("direction", self.skew_direction(skew_ms).into()),
        ];
        self.say(Key::LogHqAnsweredSkew, &values)
    }

    /// The word for where HQ's clock is, seen from here: ahead or behind.
    #[must_use]
    pub fn skew_direction(&self, skew_ms: i64) -> &str {
        self.word(if skew_ms >= 0 {
            Key::LogSkewAhead
        } else {
            Key::LogSkewBehind
        })
    }
}

/// The ids of some sales: `42101-42110`, or one number.
fn range(sales: &Sales) -> String {
    if sales.first == sales.last {
        sales.first.to_string()
    } else {
        format!("{}-{}", sales.first, sales.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{LedgerId, StoreId};
    use crate::domain::sync_state::Refusal;

    fn sales(count: u32, first: i64, last: i64) -> Sales {
        let id = |number| SaleId::new(number).unwrap();
        Sales {
            count,
            first: id(first),
            last: id(last),
        }
    }

    #[test]
    fn the_log_speaks_in_sentences() {
        let say = |event| Text::english().log_event(&event);
        let stored = LogEvent::Stored {
            sales: sales(9, 42_101, 42_110),
            took_ms: 290,
        };
        assert_eq!(say(stored), "Sales 42101-42110: 9 stored at HQ in 0.3 s");
        let refused = LogEvent::Refused(SaleId::new(42_110).unwrap(), Refusal::DateAhead { days: 40 });
        assert_eq!(say(refused), "Sale 42110 refused by HQ: the date is 40 days ahead");
        let timed_out = LogEvent::TimedOut {
            sales: sales(500, 1, 500),
            after_s: 30,
            next_try: 2,
            retry_s: Some(58),
        };
        assert_eq!(
            say(timed_out),
            "No answer from HQ for 500 sales within 30 s; they wait again (try 2 in 58 s)"
        );
        assert_eq!(
            say(LogEvent::HqAnswered { skew_ms: -180_000 }),
            "HQ answers; its clock is 3 m behind ours"
        );
    }

    #[test]
    fn every_event_has_its_sentence_in_every_language() {
        let id = SaleId::new(1).unwrap();
        let some = sales(1, 1, 1);
        let timed_out = |retry_s| LogEvent::TimedOut {
            sales: some,
            after_s: 30,
            next_try: 2,
            retry_s,
        };
        let mut events = vec![
            LogEvent::Saved(id),
            LogEvent::Edited(id, Revision::FIRST),
            LogEvent::Voided(id, Revision::FIRST),
            LogEvent::Imported { sales: some },
            LogEvent::LinkUp,
            LogEvent::LineRests,
            LogEvent::HoursOver,
            LogEvent::BrokerBlocked,
            LogEvent::Stored {
                sales: some,
                took_ms: 1,
            },
            timed_out(None),
            timed_out(Some(1)),
            LogEvent::Refused(id, Refusal::Storage),
            LogEvent::Conflicted(id),
            LogEvent::Unreadable { sales: some },
            LogEvent::HqAnswered { skew_ms: 0 },
            LogEvent::HqAnswered { skew_ms: 90_000 },
            LogEvent::HqRestored { sales: 2 },
            LogEvent::LedgerBegun {
                ledger: LedgerId::from_random(1),
                moved: 2,
            },
            LogEvent::ForeignStore {
                store: StoreId::from_random(1),
            },
            LogEvent::StoreReplaced {
                store: StoreId::from_random(1),
            },
            LogEvent::ForeignReceipt,
            LogEvent::HqOlder,
            LogEvent::Resent { sales: 1 },
            LogEvent::WorkerRestarted,
            LogEvent::WorkerElected,
        ];
        events.extend(LinkTrouble::ALL.map(|trouble| LogEvent::LinkDown { trouble, retry_s: 4 }));
        for code in super::super::languages() {
            let text = Text::named(code).unwrap();
            for event in &events {
                let said = text.log_event(event);
                assert!(said.len() > 5 && !said.contains('{'), "{code}: {said}");
            }
        }
    }
}
