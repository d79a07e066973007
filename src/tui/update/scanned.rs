//! What becomes of a scanned product: it fills the form, counts one more, or waits as a draft for the next sale. How a scan is known from typing is in [`super::scan`].

use super::super::model::Model;
use super::super::model::drafts::Waiting;
use super::super::model::form::{Form, Purpose};
use super::super::model::layers::Layer;
use crate::domain::draft::{Draft, Field};
use crate::domain::read::ProductCode;
use crate::text::Key;

impl Model {
    /// Gives a scanned product to the form, or lets it wait. The same product once more counts one more.
    pub(super) fn take_scan(&mut self, product: &ProductCode) {
        if !self.fill_scanned(product) {
            self.let_wait(product);
            self.take_waiting_scan();
        }
        let scans = self.drafts.scans();
        if scans > 0 {
            self.notify(self.settings.text.say(Key::NoticeScansWait, &[("n", scans.into())]));
        }
    }

    /// Takes up what was scanned first, if nothing else is open or the form is empty.
    pub(super) fn take_waiting_scan(&mut self) {
        let is_free = match self.layers.last() {
            None => true,
            Some(Layer::Form(form)) => !form.saving && form.purpose == Purpose::New && form.draft().is_empty(),
            Some(_) => false,
        };
        let Some(scanned) = is_free.then(|| self.drafts.take_scanned()).flatten() else {
            return;
        };
        if let Some(Layer::Form(empty)) = self.layers.pop() {
            self.leave_draft(&empty);
        }
        let mut form = scanned.into_form();
        form.count_cost_as_brought();
        form.go_to(Field::Qty as usize);
        self.layers.push(Layer::Form(Box::new(form)));
    }

    /// Fills the form with a scanned product; tells whether the form took it.
    fn fill_scanned(&mut self, product: &ProductCode) -> bool {
        let cost = self.typed_cost(product);
        let others_wait = self.drafts.scans() > 0;
        let is_free = |form: &&mut Form| !form.saving && form.purpose == Purpose::New;
        let Some(form) = self.form_mut().filter(is_free) else {
            return false;
        };
        let draft = form.draft();
        if draft.product == product.name {
            let Some(more) = one_more(&draft) else { return false };
            form.remember(false);
            form.set(Field::Qty, more);
        } else if draft.product.trim().is_empty() && !others_wait {
            form.remember(false);
            form.set(Field::Product, product.name.clone());
            form.bring_cost(cost);
            if form.field(Field::Qty).is_blank() {
                form.set(Field::Qty, "1");
            }
            form.problems.clear();
            form.go_to(Field::Qty as usize);
        } else {
            return false;
        }
        self.touch_draft();
        true
    }

    /// Lets a scanned product wait as a draft, kept at once; one that waits already counts one more.
    fn let_wait(&mut self, product: &ProductCode) {
        let cost = self.typed_cost(product);
        let mut same = self.drafts.waiting.iter_mut().filter(|left| left.scanned);
        let same = same.find_map(|left| {
            (left.draft.product == product.name).then(|| one_more(&left.draft).map(|more| (left, more)))?
        });
        let scanned = if let Some((left, more)) = same {
            left.draft.qty = more;
            left.clone()
        } else {
            let scanned = Waiting {
                no: self.drafts.number(),
                draft: Draft {
                    product: product.name.clone(),
                    qty: "1".to_owned(),
                    cost,
                    ..Draft::default()
                },
                editing: None,
                scanned: true,
            };
            self.drafts.waiting.push(scanned.clone());
            scanned
        };
        self.keep(scanned);
    }

    fn typed_cost(&self, product: &ProductCode) -> String {
        self.settings.text.typed_money(&product.cost.to_string())
    }
}

/// The quantity and one more; `None` if it is none or as large as can be.
fn one_more(draft: &Draft) -> Option<String> {
    let qty = draft.qty.trim().parse::<u32>().ok()?;
    qty.checked_add(1).map(|more| more.to_string())
}
