//! Who reads deliveries, part by part, while the part before is committed. Nothing is written here, and nobody is judged: who may speak for a branch can change
//! with the part that is being committed.

use std::collections::VecDeque;
use std::path::Path;

use super::intake::{self, Heard};
use super::{Decode, Options};
use crate::store::OpenError;
use crate::store::hq::HqNames;
use crate::transport::Delivery;

/// A part is closed once this many sales are in it: more make a transaction hardly faster, and all of them are in memory. What is taken from the broker at once has mostly fewer.
const PART_ROWS: usize = 32_000;

/// Deliveries that are committed in one transaction.
#[derive(Debug)]
pub(super) struct Part {
    /// The deliveries, as the broker knows them; of some there is nothing to take.
    pub(super) tags: Vec<u64>,
    pub(super) content: Content,
}

impl Part {
    /// Whether it is a delivery that may be what ended this program before.
    pub(super) const fn is_suspicious(&self) -> bool {
        matches!(self.content, Content::Alone(_))
    }
}

#[derive(Debug)]
pub(super) enum Content {
    Together(Vec<Heard>),
    /// A delivery that may be what ended this program before: it is read only after it was written down that it is tried.
    Alone(Delivery),
}

/// Reads deliveries.
#[derive(Debug)]
pub(super) struct Reader {
    decode: Decode,
    /// The product names that messages lean on. A branch leans on none before it has heard of the commit that brought it, so none is missing because the part
    /// before is not committed yet.
    names: HqNames,
}

impl Reader {
    pub(super) fn new(database: &Path, options: Options) -> Self {
        Self {
            decode: options.decode,
            names: HqNames::at(database.to_owned()),
        }
    }

    /// Takes the next part off what waits, in order; `None` if nothing does.
    ///
    /// # Errors
    /// When the database can't be read.
    pub(super) fn read(&mut self, waiting: &mut VecDeque<Delivery>) -> Result<Option<Part>, OpenError> {
        if let Some(delivery) = next_if(waiting, intake::is_suspicious) {
            return Ok(Some(Part {
                tags: vec![delivery.tag],
                content: Content::Alone(delivery),
            }));
        }
        if waiting.is_empty() {
            return Ok(None);
        }
        let (mut tags, mut together, mut rows) = (Vec::new(), Vec::new(), 0);
        while rows < PART_ROWS
            && let Some(delivery) = next_if(waiting, |next| !intake::is_suspicious(next))
        {
            tags.push(delivery.tag);
            if !intake::is_expired_hello(&delivery) {
                let heard = Heard::of(delivery, self.decode, |envelope, numbers| {
                    self.names.of(&envelope.branch, envelope.ledger, numbers)
                })?;
                rows += heard.rows();
                together.push(heard);
            }
        }
        Ok(Some(Part {
            tags,
            content: Content::Together(together),
        }))
    }
}

fn next_if(waiting: &mut VecDeque<Delivery>, wanted: impl FnOnce(&Delivery) -> bool) -> Option<Delivery> {
    waiting
        .front()
        .is_some_and(wanted)
        .then(|| waiting.pop_front())
        .flatten()
}
