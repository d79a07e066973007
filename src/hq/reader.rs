//! Who reads deliveries, part by part, while the part before is committed. Nothing is written here, and nobody is judged: who may speak for a branch can change with the part that is
//! being committed.

use std::collections::VecDeque;

use super::Options;
use super::intake::{self, Decode, Heard};
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
}

impl Reader {
    pub(super) fn new(options: Options) -> Self {
        Self { decode: options.decode }
    }

    /// Reads one delivery.
    pub(super) fn hear(&mut self, delivery: Delivery) -> Heard {
        Heard::of(delivery, self.decode)
    }

    /// Takes the next part off what waits, in order; `None` if nothing does.
    pub(super) fn read(&mut self, waiting: &mut VecDeque<Delivery>) -> Option<Part> {
        let first = waiting.front()?;
        if intake::is_suspicious(first) {
            let delivery = waiting.pop_front()?;
            return Some(Part {
                tags: vec![delivery.tag],
                content: Content::Alone(delivery),
            });
        }
        let (mut tags, mut together, mut rows) = (Vec::new(), Vec::new(), 0);
        while rows < PART_ROWS
            && waiting.front().is_some_and(|next| !intake::is_suspicious(next))
            && let Some(delivery) = waiting.pop_front()
        {
            tags.push(delivery.tag);
            if !intake::is_expired_hello(&delivery) {
                let heard = self.hear(delivery);
                rows += heard.rows();
                together.push(heard);
            }
        }
        Some(Part {
            tags,
            content: Content::Together(together),
        })
    }
}
