//! What ends a session, and how it is said: once, not at every try.

use crate::domain::trouble::with_causes;
use crate::store::{OpenError, StoreError};
use crate::transport::HqTrouble;

use super::vigil::WrongClock;

/// Why a session has ended. What was not acknowledged to the broker comes again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The line broke, or could not be opened.
    #[error("no line to the broker")]
    Line(#[from] HqTrouble),
    /// The database failed; nothing is taken until it works again.
    #[error("head office's database has failed, and nothing is taken until it works again")]
    Database(#[from] StoreError),
    /// The database could not be opened: again after a fault of ours, or to read product names.
    #[error("head office's database can't be opened, and nothing is taken until it can")]
    Reopen(#[from] OpenError),
    /// The clock can't be right.
    #[error(transparent)]
    Clock(#[from] WrongClock),
    /// This program has a fault.
    #[error("head office failed at a group of messages, and tries it again")]
    Panicked(#[source] tokio::task::JoinError),
}

/// What was last said about a trouble that goes on.
#[derive(Debug, Default)]
pub(super) struct Said(Option<String>);

impl Said {
    /// Says what went wrong, unless it is what went wrong the last time.
    pub(super) fn trouble(&mut self, trouble: &Trouble, retry_ms: u64) {
        let text = with_causes(trouble);
        if self.0.as_ref() == Some(&text) {
            tracing::debug!(retry_ms, "{text}");
        } else {
            if let Trouble::Line(_) = trouble {
                tracing::warn!(retry_ms, "{text}");
            } else {
                tracing::error!(retry_ms, "{text}");
            }
            self.0 = Some(text);
        }
    }

    /// Says that a trouble is over, if there was one.
    pub(super) fn all_is_well(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("head office takes messages again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_said_with_its_cause() {
        let trouble = Trouble::from(HqTrouble::Line("the broker is away".into()));
        assert_eq!(with_causes(&trouble), "no line to the broker: the broker is away");
    }

    #[test]
    fn a_trouble_that_goes_on_is_remembered_until_it_is_over() {
        let mut said = Said::default();
        said.trouble(&Trouble::from(HqTrouble::AnotherHq), 1_000);
        assert!(said.0.is_some());
        said.all_is_well();
        assert!(said.0.is_none());
    }
}
