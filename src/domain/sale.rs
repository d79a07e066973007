//! A sale, its content, and the digest that tells two contents apart.

use std::sync::Arc;

use chrono::NaiveDateTime;

use super::ids::{BranchCode, LedgerId, Revision, SaleId};
use super::money::{Money, MoneySum};
use super::time::UtcMillis;

/// The most characters of a product's name.
pub const MAX_PRODUCT_CHARS: usize = 200;
/// The most characters of a region's name.
pub const MAX_REGION_CHARS: usize = 100;

/// What an operator enters: the part of a sale that an edit can change.
///
/// Valid by construction where it comes from [`super::draft::Draft::check`] or [`SaleContent::validate`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SaleContent {
    /// The branch's wall-clock time of the sale, to the second; its date part is the business day.
    pub date: NaiveDateTime,
    /// What was sold. Many sales share one name, so it is counted and not copied.
    pub product: Arc<str>,
    /// Where it was sold.
    pub region: Arc<str>,
    /// How many: 1 or more.
    pub qty: u32,
    /// The price of one.
    pub cost: Money,
    /// The tax on all of them.
    pub tax: Money,
}

/// What is wrong with a sale's content; the sentence for it is in [`crate::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentProblem {
    /// No product is named.
    ProductMissing,
    /// The product's name is over [`MAX_PRODUCT_CHARS`].
    ProductTooLong,
    /// The text has control or direction-changing characters, or white space around it.
    Unclean,
    /// No region is named.
    RegionMissing,
    /// The region's name is over [`MAX_REGION_CHARS`].
    RegionTooLong,
    /// The quantity is zero.
    QtyZero,
    /// Quantity times cost is over [`Money::MAX`].
    AmountTooLarge,
}

impl SaleContent {
    /// Quantity times cost.
    #[must_use]
    pub fn amount(&self) -> Money {
        self.cost.times(self.qty).unwrap_or(Money::MAX)
    }

    /// Amount and tax.
    #[must_use]
    pub fn total(&self) -> MoneySum {
        MoneySum::from(self.amount()) + MoneySum::from(self.tax)
    }

    /// Checks every rule that a content from outside this process must keep.
    ///
    /// # Errors
    /// Names the first rule that is broken.
    pub fn validate(&self) -> Result<(), ContentProblem> {
        if self.product.is_empty() {
            Err(ContentProblem::ProductMissing)
        } else if is_longer(&self.product, MAX_PRODUCT_CHARS) {
            Err(ContentProblem::ProductTooLong)
        } else if self.region.is_empty() {
            Err(ContentProblem::RegionMissing)
        } else if is_longer(&self.region, MAX_REGION_CHARS) {
            Err(ContentProblem::RegionTooLong)
        } else if !is_clean(&self.product) || !is_clean(&self.region) {
            Err(ContentProblem::Unclean)
        } else if self.qty == 0 {
            Err(ContentProblem::QtyZero)
        } else {
            self.cost
                .times(self.qty)
                .map(|_| ())
                .map_err(|_| ContentProblem::AmountTooLarge)
        }
    }
}

/// One row of the product sales table, at one revision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sale {
    /// The branch's row number.
    pub id: SaleId,
    /// The ledger that the row belongs to.
    pub ledger: LedgerId,
    /// How often the row has been written.
    pub revision: Revision,
    /// What was sold.
    pub content: SaleContent,
    /// When the sale was entered.
    pub created_at: UtcMillis,
    /// When this revision was written.
    pub updated_at: UtcMillis,
    /// When the sale was voided, if it was.
    pub deleted_at: Option<UtcMillis>,
}

impl Sale {
    /// Whether the sale was voided; a voided sale counts in no total.
    #[must_use]
    pub const fn is_void(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// What the sale adds to a total: nothing if it was voided.
    #[must_use]
    pub fn counted_total(&self) -> MoneySum {
        if self.is_void() {
            MoneySum::ZERO
        } else {
            self.content.total()
        }
    }

    /// The digest of this sale of this branch.
    ///
    /// BLAKE3 over these bytes, cut to 16: branch code, ledger (16), id (8), revision (4), date in seconds (8), qty (4), cost (8), tax (8),
    /// `created_at` (8), `updated_at` (8), `deleted_at` (8, or -1), product, region. Numbers are big-endian; texts are UTF-8 behind their length in bytes (4).
    ///
    /// # Panics
    /// When a text is over 4 GiB, which no sale's is.
    #[must_use]
    pub fn digest(&self, branch: &BranchCode) -> Digest {
        let mut hasher = blake3::Hasher::new();
        let text = |hasher: &mut blake3::Hasher, text: &str| {
            let length = u32::try_from(text.len()).expect("a text of a sale is at most some hundred bytes");
            hasher.update(&length.to_be_bytes()).update(text.as_bytes());
        };
        text(&mut hasher, branch.as_str());
        hasher.update(self.ledger.as_bytes());
        hasher.update(&self.id.get().to_be_bytes());
        hasher.update(&self.revision.get().to_be_bytes());
        hasher.update(&self.content.date.and_utc().timestamp().to_be_bytes());
        hasher.update(&self.content.qty.to_be_bytes());
        hasher.update(&self.content.cost.units().to_be_bytes());
        hasher.update(&self.content.tax.units().to_be_bytes());
        hasher.update(&self.created_at.0.to_be_bytes());
        hasher.update(&self.updated_at.0.to_be_bytes());
        hasher.update(&self.deleted_at.map_or(-1, |at| at.0).to_be_bytes());
        text(&mut hasher, &self.content.product);
        text(&mut hasher, &self.content.region);
        let mut digest = [0; 16];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Digest(digest)
    }
}

/// A hash over everything that makes a sale what it is: the same key and revision with another digest is a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 16]);

/// Makes a text fit to store and to show: control and direction-changing characters become spaces, runs of white space one space, the ends are trimmed.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for word in text
        .split(|c: char| c.is_whitespace() || is_unsafe(c))
        .filter(|word| !word.is_empty())
    {
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.push_str(word);
    }
    cleaned
}

/// Whether a text has more characters than this.
fn is_longer(text: &str, max_chars: usize) -> bool {
    // A text never has more characters than bytes.
    text.len() > max_chars && text.chars().count() > max_chars
}

/// Whether [`clean`] would leave a text as it is. Head office asks this of every sale, so nothing is copied, and the usual text is judged by its bytes.
#[must_use]
pub fn is_clean(text: &str) -> bool {
    if text.is_ascii() {
        let bytes = text.as_bytes();
        let at_end = bytes.first() == Some(&b' ') || bytes.last() == Some(&b' ');
        // Without a way out in the middle, so that many bytes are looked at with one instruction.
        let control = bytes.iter().fold(false, |any, byte| any | byte.is_ascii_control());
        let pairs = bytes.iter().zip(bytes.iter().skip(1));
        let doubled = pairs.filter(|pair| *pair == (&b' ', &b' ')).count() > 0;
        return !at_end && !control && !doubled;
    }
    // As if a space came before the text, and the text must not end behind one.
    let mut behind_space = true;
    for c in text.chars() {
        let space = c == ' ';
        if (space && behind_space) || (!space && (c.is_whitespace() || is_unsafe(c))) {
            return false;
        }
        behind_space = space;
    }
    text.is_empty() || !behind_space
}

/// Whether a character could move the cursor, change a colour, reverse the reading direction or hide itself.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale() -> Sale {
        Sale {
            id: SaleId::new(7).unwrap(),
            ledger: LedgerId::from_random(1),
            revision: Revision::FIRST,
            content: SaleContent {
                date: super::super::time::parse_wall("2010-12-01 08:26:00").unwrap(),
                product: "WHITE METAL LANTERN".into(),
                region: "East".into(),
                qty: 6,
                cost: Money::parse("3.39").unwrap(),
                tax: Money::parse("4.07").unwrap(),
            },
            created_at: UtcMillis(1),
            updated_at: UtcMillis(1),
            deleted_at: None,
        }
    }

    #[test]
    fn each_field_changes_the_digest() {
        let branch = BranchCode::parse("A").unwrap();
        let original = sale();
        let changes: [fn(&mut Sale); 12] = [
            |s| s.id = SaleId::new(8).unwrap(),
            |s| s.ledger = LedgerId::from_random(2),
            |s| s.revision = s.revision.next(),
            |s| s.content.date += chrono::Duration::seconds(1),
            |s| s.content.product = "RED METAL LANTERN".into(),
            |s| s.content.region = "West".into(),
            |s| s.content.qty += 1,
            |s| s.content.cost = Money::ZERO,
            |s| s.content.tax = Money::ZERO,
            |s| s.created_at = UtcMillis(2),
            |s| s.updated_at = UtcMillis(2),
            |s| s.deleted_at = Some(UtcMillis(2)),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut other = original.clone();
            change(&mut other);
            assert_ne!(other.digest(&branch), original.digest(&branch), "change {number}");
        }
        assert_ne!(
            original.digest(&BranchCode::parse("B").unwrap()),
            original.digest(&branch)
        );
    }

    #[test]
    fn the_digest_never_changes_between_releases() {
        let digest = sale().digest(&BranchCode::parse("TUNIS-01").unwrap());
        assert_eq!(u128::from_be_bytes(digest.0), 0x0196_69f9_4026_9174_42de_bf67_cc0b_6843);
    }

    #[test]
    fn cleaning_leaves_nothing_that_moves_a_cursor() {
        assert_eq!(clean("  RED\x1b[2J \t LANTERN\u{202e}X\n"), "RED [2J LANTERN X");
        assert_eq!(clean("\u{7}\u{9b}"), "");
        assert_eq!(clean("CAFÉ"), "CAFÉ");
    }

    #[test]
    fn clean_is_what_cleaning_leaves_alone() {
        let dirty = [
            "",
            " ",
            "A",
            "A B",
            "A  B",
            " A",
            "A ",
            "A\tB",
            "A\u{a0}B",
            "A\u{202e}B",
            "\u{7}",
            "A\u{7f}B",
            "CAFÉ 12",
            "É ",
            "A\u{3000}",
        ];
        for text in dirty {
            assert_eq!(is_clean(text), clean(text) == text, "{text:?}");
        }
    }

    #[test]
    fn a_voided_sale_counts_for_nothing() {
        let mut sale = sale();
        assert_eq!(sale.counted_total().to_string(), "24.41");
        sale.deleted_at = Some(UtcMillis(3));
        assert_eq!(sale.counted_total(), MoneySum::ZERO);
    }
}
