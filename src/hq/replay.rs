//! Taking a message out of the quarantine: judged again as if it had just come, once its reason is gone.

use crate::domain::time::UtcMillis;
use crate::protocol::identity::Policy;
use crate::protocol::message::Outcome;
use crate::store::StoreError;
use crate::store::hq::{HqDb, Incoming, Question};
use crate::transport::Delivery;
use crate::wire::{Flaw, decode_uplink};

use super::intake::Heard;

/// Why a message stays in the quarantine.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is none with this number.
    #[error("the quarantine has no message {0}: `branchline quarantine list` shows those it has")]
    NoMessage(i64),
    /// What was wrong with it still is.
    #[error("message {id} stays in the quarantine: {reason}")]
    StillRefused {
        /// Its number.
        id: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes a message of the quarantine if it can be taken now (HQ was upgraded, or started with `--trial`), and removes it there. The branch learns of it when it
/// sends its rows again: they are stored already, and count as applied from then on.
///
/// # Errors
/// When it still can't be taken; then it stays.
pub fn replay(db: &mut HqDb, id: i64, trial: bool, now: UtcMillis) -> Result<(), ReplayError> {
    let suspect = db.quarantined_message(id)?.ok_or(ReplayError::NoMessage(id))?.suspect;
    let delivery = Delivery {
        tag: 0,
        user_id: suspect.user_id,
        routing_key: suspect.routing_key,
        redelivered: 0,
        headers: suspect.headers,
        dead_letter: None,
        body: suspect.bytes,
    };
    let heard = Heard::of(delivery, decode_uplink, |envelope, numbers| {
        db.product_names(&envelope.branch, envelope.ledger, numbers)
    })?;
    let branches: Vec<_> = heard.branch().into_iter().collect();
    let had_own_login = !db.with_own_login(&branches)?.is_empty();
    match heard.judge(Policy { trial, had_own_login }) {
        message @ Incoming::Message { .. } => {
            db.commit_kept(now, &message)?;
            db.discard_quarantined(id)?;
            Ok(())
        }
        Incoming::Unread(unread) => Err(ReplayError::StillRefused {
            id,
            reason: match (unread.suspect, unread.question) {
                (Some(suspect), _) => suspect.reason,
                (None, Question::Batch(_, Outcome::UnknownProducts)) => Flaw::Products.to_string(),
                (None, _) => "it is newer than this program".to_owned(),
            },
        }),
        Incoming::Refused(suspect) => Err(ReplayError::StillRefused {
            id,
            reason: suspect.reason,
        }),
    }
}
