//! The model of product numbers: a number is one name's for good.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::protocol::dictionary::ProductNo;
use crate::protocol::message::Batch;

/// The names that batches have told so far, by number.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<ProductNo, Arc<str>>);

impl Names {
    /// A batch tells the names of its sales in the order in which they first appear, each once, under the number that it had before.
    pub(super) fn check(&mut self, batch: &Batch) {
        let mut names: Vec<&Arc<str>> = Vec::new();
        for sale in &batch.sales {
            if !names.contains(&&sale.content.product) {
                names.push(&sale.content.product);
            }
        }
        let told: Vec<_> = batch.products.iter().map(|product| &product.name).collect();
        assert_eq!(told, names);
        assert!(batch.products.iter().all(|product| product.told));
        for product in &batch.products {
            let known = self.0.entry(product.no).or_insert_with(|| product.name.clone());
            assert_eq!(*known, product.name, "number {}", product.no);
        }
        let names: BTreeSet<_> = self.0.values().collect();
        assert_eq!(names.len(), self.0.len(), "a name has two numbers in {:?}", self.0);
    }
}
