//! Words for fields and sync states, and sentences for what is wrong with a sale and why HQ refused it.

use super::{Key, Text};
use crate::domain::draft::{Field, FieldError, FieldProblem, MoneyProblem};
use crate::domain::event::{Level, LinkTrouble};
use crate::domain::money::Money;
use crate::domain::sale::{ContentProblem, MAX_PRODUCT_CHARS, MAX_REGION_CHARS};
use crate::domain::sync_state::{Refusal, SyncKind};
use crate::domain::trouble::DatabaseTrouble;

impl Text {
    /// The name of a field.
    #[must_use]
    pub fn field(&self, field: Field) -> &str {
        self.word(match field {
            Field::Product => Key::FieldProduct,
            Field::Qty => Key::FieldQty,
            Field::Cost => Key::FieldCost,
            Field::Tax => Key::FieldTax,
            Field::Date => Key::FieldDate,
            Field::Region => Key::FieldRegion,
        })
    }

    /// The word for a sync state.
    #[must_use]
    pub fn sync_state(&self, kind: SyncKind) -> &str {
        self.word(match kind {
            SyncKind::Pending => Key::StatePending,
            SyncKind::Sent => Key::StateSent,
            SyncKind::Acked => Key::StateAcked,
            SyncKind::Rejected => Key::StateRejected,
            SyncKind::Conflict => Key::StateConflict,
        })
    }

    /// The words for the least level that a log shows.
    #[must_use]
    pub fn level(&self, level: Level) -> &str {
        self.word(match level {
            Level::Info => Key::LevelInfo,
            Level::Warning => Key::LevelWarning,
            Level::Problem => Key::LevelProblem,
        })
    }

    /// Why the database would not, and what to do: the second half of a sentence.
    #[must_use]
    pub fn database_trouble(&self, trouble: DatabaseTrouble) -> &str {
        self.word(match trouble {
            DatabaseTrouble::Busy => Key::DatabaseBusy,
            DatabaseTrouble::Full => Key::DatabaseFull,
            DatabaseTrouble::Disk => Key::DatabaseDisk,
            DatabaseTrouble::ReadOnly => Key::DatabaseReadOnly,
            DatabaseTrouble::Damaged => Key::DatabaseDamaged,
            DatabaseTrouble::Nonsense => Key::DatabaseNonsense,
            DatabaseTrouble::Other => Key::DatabaseOther,
        })
    }

    /// What is wrong with a field and how to mend it.
    #[must_use]
    pub fn field_problem(&self, error: &FieldError) -> String {
        let example = self.typed_money("2.50");
        match error.problem {
            FieldProblem::Missing => match error.field {
                Field::Product => self.word(Key::ProblemMissingProduct).to_owned(),
                Field::Qty => self.word(Key::ProblemMissingQty).to_owned(),
                Field::Cost | Field::Tax => self.say(Key::ProblemMissingCost, &[("example", (&example).into())]),
                Field::Region => self.word(Key::ProblemMissingRegion).to_owned(),
                Field::Date => self.not_a_date(),
            },
            FieldProblem::NotAQuantity => self.say(Key::ProblemNotAQuantity, &[("most", u32::MAX.into())]),
            FieldProblem::NotMoney(problem) => self.money_problem(problem),
            FieldProblem::NotADate => self.not_a_date(),
            FieldProblem::Content(problem) => self.content_problem(problem),
        }
    }

    fn not_a_date(&self) -> String {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 22).expect("the day exists");
        let example = self.moment(day.and_hms_opt(14, 7, 0).expect("the time exists"));
        self.say(Key::ProblemNotADate, &[("example", (&example).into())])
    }

    /// What is wrong with a sum of money.
    #[must_use]
    pub fn money_problem(&self, problem: MoneyProblem) -> String {
        match problem {
            MoneyProblem::NotANumber => self.say(
                Key::ProblemNotANumber,
                &[("example", (&self.typed_money("2.50")).into())],
            ),
            MoneyProblem::Negative => self.word(Key::ProblemNegative).to_owned(),
            MoneyProblem::TooFine => self.word(Key::ProblemTooFine).to_owned(),
            MoneyProblem::TooLarge => self.say(Key::ProblemTooLarge, &[("most", (&self.money(Money::MAX)).into())]),
        }
    }

    /// What is wrong with a sale's content.
    #[must_use]
    pub fn content_problem(&self, problem: ContentProblem) -> String {
        let most = |key, most: usize| self.say(key, &[("most", (&most.to_string()).into())]);
        match problem {
            ContentProblem::ProductMissing => self.word(Key::ProblemMissingProduct).to_owned(),
            ContentProblem::ProductTooLong => most(Key::ProblemProductTooLong, MAX_PRODUCT_CHARS),
            ContentProblem::Unclean => self.word(Key::ProblemUnclean).to_owned(),
            ContentProblem::RegionMissing => self.word(Key::ProblemMissingRegion).to_owned(),
            ContentProblem::RegionTooLong => most(Key::ProblemRegionTooLong, MAX_REGION_CHARS),
            ContentProblem::QtyZero => self.say(Key::ProblemNotAQuantity, &[("most", u32::MAX.into())]),
            ContentProblem::AmountTooLarge => self.say(
                Key::ProblemAmountTooLarge,
                &[("most", (&self.money(Money::MAX)).into())],
            ),
        }
    }

    /// Why HQ refused a sale, as the end of a sentence.
    #[must_use]
    pub fn refusal(&self, refusal: &Refusal) -> String {
        match refusal {
            Refusal::DateAhead { days } => self.say(Key::RefusalDateAhead, &[("n", (*days).into())]),
            Refusal::Content(problem) => {
                let why = self.content_problem(*problem);
                self.say(Key::RefusalContent, &[("why", why.trim_end_matches('.').into())])
            }
            Refusal::Unreadable => self.word(Key::RefusalUnreadable).to_owned(),
            Refusal::Storage => self.word(Key::RefusalStorage).to_owned(),
        }
    }

    /// What a person can do about a refused sale.
    #[must_use]
    pub fn remedy(&self, refusal: &Refusal) -> &str {
        self.word(match refusal {
            Refusal::DateAhead { .. } => Key::RemedyDateAhead,
            Refusal::Content(_) => Key::RemedyContent,
            Refusal::Unreadable => Key::RemedyUnreadable,
            Refusal::Storage => Key::RemedyStorage,
        })
    }

    /// Why the line is down, as the end of a sentence.
    #[must_use]
    pub fn link_trouble(&self, trouble: LinkTrouble) -> &str {
        self.word(match trouble {
            LinkTrouble::Unreachable => Key::LinkUnreachable,
            LinkTrouble::NotABroker => Key::LinkNotABroker,
            LinkTrouble::LoginRefused => Key::LinkLoginRefused,
            LinkTrouble::NotAllowed => Key::LinkNotAllowed,
            LinkTrouble::Certificate => Key::LinkCertificate,
            LinkTrouble::TimedOut => Key::LinkTimedOut,
            LinkTrouble::NoHeadOffice => Key::LinkNoHeadOffice,
            LinkTrouble::Lost => Key::LinkLost,
            LinkTrouble::Closed => Key::LinkClosed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: [ContentProblem; 7] = [
        ContentProblem::ProductMissing,
        ContentProblem::ProductTooLong,
        ContentProblem::Unclean,
        ContentProblem::RegionMissing,
        ContentProblem::RegionTooLong,
        ContentProblem::QtyZero,
        ContentProblem::AmountTooLarge,
    ];

    #[test]
    fn every_problem_is_a_whole_sentence_in_every_language() {
        let money = [
            MoneyProblem::NotANumber,
            MoneyProblem::Negative,
            MoneyProblem::TooFine,
            MoneyProblem::TooLarge,
        ];
        let problems = [
            FieldProblem::Missing,
            FieldProblem::NotAQuantity,
            FieldProblem::NotADate,
        ]
        .into_iter()
        .chain(money.map(FieldProblem::NotMoney))
        .chain(CONTENT.map(FieldProblem::Content));
        for problem in problems {
            for (field, code) in Field::ALL
                .into_iter()
                .flat_map(|f| super::super::languages().map(move |c| (f, c)))
            {
                let said = Text::named(code).unwrap().field_problem(&FieldError { field, problem });
                assert!(said.ends_with('.') && !said.contains('{'), "{code}: {said}");
            }
        }
    }

    #[test]
    fn every_refusal_says_why_and_what_to_do() {
        let refusals = [Refusal::DateAhead { days: 1 }, Refusal::Unreadable, Refusal::Storage]
            .into_iter()
            .chain(CONTENT.map(Refusal::Content));
        for refusal in refusals {
            for code in super::super::languages() {
                let text = Text::named(code).unwrap();
                let why = text.refusal(&refusal);
                assert!(
                    !why.is_empty() && !why.contains('{') && !why.ends_with('.'),
                    "{code}: {why}"
                );
                assert!(text.remedy(&refusal).ends_with('.'));
            }
        }
        assert_eq!(
            Text::english().refusal(&Refusal::DateAhead { days: 40 }),
            "the date is 40 days ahead"
        );
    }

    #[test]
    fn what_the_database_refuses_has_its_words_in_every_language() {
        for code in ["en", "fr"] {
            let text = Text::named(code).unwrap();
            let said: std::collections::BTreeSet<_> = DatabaseTrouble::ALL
                .iter()
                .map(|trouble| text.database_trouble(*trouble))
                .collect();
            assert_eq!(said.len(), DatabaseTrouble::ALL.len());
            let ends = |said: &&str| said.ends_with('.');
            assert!(!said.iter().any(ends), "they end within a sentence");
        }
    }
}
