//! What becomes of rows.

use super::*;

#[test]
fn a_fresh_batch_is_stored_and_counted() {
    let mut hq = hq();
    let (stored, taken, applied) = hq.take((1..=600).map(sale).collect());
    assert_eq!(stored.len(), 600);
    assert_eq!(
        (taken.stored.len(), taken.refused.len(), taken.held.len(), applied),
        (1, 0, 0, (0, 600))
    );
    assert_eq!(
        hq.number("SELECT count(*) FROM sales WHERE branch = 'TUNIS-01' AND product = 'LANTERN ' || external_id"),
        600
    );
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 600);
    assert_eq!(hq.number("SELECT highest_id FROM ledgers"), 600);
}

#[test]
fn each_of_many_rows_keeps_its_revision_and_its_void() {
    let mut hq = hq();
    let row = |id: i64| match id % 300 {
        77 => revised(id, 4, "PENS"),
        222 => Sale {
            deleted_at: Some(UtcMillis(NOW.0 - id)),
            ..revised(id, 2, "INK")
        },
        _ => sale(id),
    };
    let (stored, ..) = hq.take((1..=831).map(row).collect());
    assert_eq!(stored.len(), 831);
    assert_eq!(
        hq.text("SELECT group_concat(external_id || '/' || revision, ' ') FROM sales WHERE revision > 1")
            .as_deref(),
        Some("77/4 222/2 377/4 522/2 677/4 822/2")
    );
    let voided = format!(
        "SELECT sum(external_id) FROM sales WHERE deleted_at = {} - external_id",
        NOW.0
    );
    assert_eq!(hq.number(&voided), 222 + 522 + 822);
    assert_eq!(
        hq.number("SELECT count(*) FROM sales WHERE deleted_at IS NULL AND received_at > 0"),
        828
    );
}

#[test]
fn a_repeated_batch_is_receipted_again_and_stored_once() {
    let mut hq = hq();
    hq.take(vec![sale(1), sale(2)]);
    let mut hq = hq.reopened();
    let (stored, _, applied) = hq.take(vec![sale(1), sale(2), sale(3)]);
    assert_eq!((stored, applied), (vec![(1, 1), (2, 1), (3, 1)], (2, 3)));
    assert_eq!(hq.number("SELECT count(*) FROM sales"), 3);
}

#[test]
fn a_newer_revision_replaces_the_older_and_keeps_it() {
    let mut hq = hq();
    hq.take(vec![sale(1), sale(2)]);
    let (stored, _, applied) = hq.take(vec![revised(1, 3, "PENS")]);
    assert_eq!((stored, applied), (vec![(1, 3)], (2, 3)));
    assert_eq!(
        hq.text("SELECT product FROM sales WHERE external_id = 1").as_deref(),
        Some("PENS")
    );
    assert_eq!(
        hq.text("SELECT revision || product FROM sale_revisions").as_deref(),
        Some("1LANTERN 1")
    );
}

#[test]
fn an_older_revision_changes_nothing_and_is_told_what_is_held() {
    let mut hq = hq();
    hq.take(vec![revised(1, 5, "PENS")]);
    let (stored, taken, applied) = hq.take(vec![revised(1, 4, "PAPER")]);
    assert_eq!((stored, applied), (vec![], (1, 1)));
    assert_eq!(taken.held, [revised(1, 5, "PENS")]);
    assert_eq!(hq.number("SELECT count(*) FROM sale_revisions"), 0);
}

#[test]
fn another_content_under_one_revision_is_a_conflict_that_is_kept_once() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    for _ in 0..2 {
        let (stored, taken, applied) = hq.take(vec![revised(1, 1, "PENS")]);
        assert_eq!((stored, applied), (vec![], (1, 1)));
        assert_eq!(taken.held, [sale(1)]);
    }
    assert_eq!(hq.text("SELECT product FROM sales").as_deref(), Some("LANTERN 1"));
    assert_eq!(
        hq.text("SELECT group_concat(product) FROM sale_conflicts").as_deref(),
        Some("PENS")
    );
}

#[test]
fn a_key_is_never_taken_from_the_sale_that_had_it_first() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    // A copy of the branch's database gave the number out again, and that sale was edited since.
    let mut other = revised(1, 2, "PENS");
    other.created_at = UtcMillis(NOW.0 + 1);
    let (stored, taken, applied) = hq.take(vec![other]);
    assert_eq!((stored, applied), (vec![], (1, 1)));
    assert_eq!(taken.held, [sale(1)]);
    assert_eq!(hq.text("SELECT product FROM sales").as_deref(), Some("LANTERN 1"));
}

fn open_conflicts(hq: &mut Hq) -> u64 {
    let counted = hq.db.overview().unwrap().branches[0].conflicts;
    assert_eq!(
        hq.number("SELECT count(*) FROM sale_conflicts"),
        1,
        "nothing is forgotten"
    );
    counted
}

#[test]
fn a_conflict_of_two_edits_is_open_until_a_revision_above_both_comes() {
    let mut hq = hq();
    hq.take(vec![sale(1), sale(2), revised(1, 2, "PENS")]);
    hq.take(vec![revised(1, 2, "INK")]);
    assert_eq!(open_conflicts(&mut hq), 1);
    hq.take(vec![revised(2, 3, "INK"), sale(3)]);
    assert_eq!(open_conflicts(&mut hq), 1, "those are other sales");
    hq.take(vec![revised(1, 3, "INK")]);
    assert_eq!(open_conflicts(&mut hq), 0);
    // The old message once more: it is stale now.
    hq.take(vec![revised(1, 2, "INK")]);
    assert_eq!(open_conflicts(&mut hq), 0);
}

#[test]
fn a_conflict_is_settled_when_the_branch_has_taken_what_head_office_holds() {
    let mut hq = hq();
    hq.take(vec![sale(1), revised(1, 2, "PENS")]);
    hq.take(vec![revised(1, 2, "INK")]);
    hq.take(vec![sale(1)]);
    assert_eq!(open_conflicts(&mut hq), 1, "an older revision says nothing");
    hq.take(vec![revised(1, 2, "PENS")]);
    assert_eq!(open_conflicts(&mut hq), 0);
}

/// A sale that a copied database entered under the id 7, which the other box had given to another one.
fn doubled() -> Sale {
    let mut other = revised(7, 1, "PENS");
    other.created_at = UtcMillis(NOW.0 + 1);
    other
}

#[test]
fn a_sale_whose_key_was_taken_is_settled_when_it_comes_in_another_ledger() {
    let mut hq = hq();
    hq.take(vec![sale(7)]);
    hq.take(vec![doubled()]);
    assert_eq!(open_conflicts(&mut hq), 1);
    hq.take(vec![revised(7, 2, "INK")]);
    assert_eq!(
        open_conflicts(&mut hq),
        1,
        "the sale that had the key first goes its own way"
    );
    let annex = LedgerId::from_random(8);
    let moved = Sale {
        ledger: annex,
        ..doubled()
    };
    let neighbour = Sale {
        ledger: annex,
        ..sale(6)
    };
    hq.commit(&[batch(vec![neighbour])]);
    assert_eq!(open_conflicts(&mut hq), 1);
    hq.commit(&[batch(vec![moved])]);
    assert_eq!(open_conflicts(&mut hq), 0);
    // The old message once more.
    hq.take(vec![doubled()]);
    assert_eq!(open_conflicts(&mut hq), 0);
}

#[test]
fn a_message_that_comes_after_its_sale_has_moved_opens_nothing() {
    let mut hq = hq();
    let moved = Sale {
        ledger: LedgerId::from_random(8),
        ..doubled()
    };
    hq.commit(&[batch(vec![moved])]);
    hq.take(vec![sale(7)]);
    hq.take(vec![doubled()]);
    assert_eq!(open_conflicts(&mut hq), 0);
}

#[test]
fn a_content_in_conflict_moves_no_cursor() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    hq.take(vec![revised(1, 1, "PENS\u{1b}[2J")]);
    assert_eq!(
        hq.text("SELECT product FROM sale_conflicts").as_deref(),
        Some("PENS [2J")
    );
}

#[test]
fn a_sale_too_far_ahead_is_refused_and_the_others_are_not() {
    let mut hq = hq();
    let mut ahead = sale(2);
    ahead.content.date = parse_wall("2027-01-01").unwrap();
    let (stored, taken, _) = hq.take(vec![sale(1), ahead.clone(), sale(3)]);
    assert_eq!(stored, [(1, 1), (3, 1)]);
    assert_eq!(
        taken.refused,
        [(ahead.id, Revision::FIRST, Refusal::DateAhead { days: 40 })]
    );
    assert_eq!(hq.number("SELECT count(*) FROM sales"), 2);
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 2);
}

#[test]
fn what_is_stored_is_no_longer_refused_when_the_clock_goes_back() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    let earlier = UtcMillis(NOW.0 - 100 * 86_400_000);
    let answers = hq.db.commit_group(earlier, &[1], &[batch(vec![sale(1)])]).unwrap();
    let Some(Downlink::Receipt(Receipt {
        outcome: Outcome::Taken(taken),
        ..
    })) = &answers[0]
    else {
        panic!("no receipt");
    };
    assert_eq!((taken.stored.len(), taken.refused.len()), (1, 0));
}

#[test]
fn a_void_is_stored_whatever_its_content() {
    let mut hq = hq();
    let mut voided = revised(1, 2, "");
    voided.content.qty = u32::MAX;
    voided.content.cost = Money::MAX;
    voided.deleted_at = Some(NOW);
    let (stored, _, _) = hq.take(vec![voided]);
    assert_eq!(stored, [(1, 2)]);
    assert_eq!(hq.text("SELECT amount FROM sales_report"), None);
    assert_eq!(
        hq.text("SELECT voided_utc FROM sales_report").as_deref(),
        Some("2026-11-22 14:07:31")
    );
}

#[test]
fn a_void_moves_no_cursor_and_comes_again_as_what_it_was() {
    let mut hq = hq();
    let mut voided = revised(1, 2, "PENS\u{1b}[2J\u{202e}");
    voided.content.region = "\u{9b}East".into();
    voided.deleted_at = Some(NOW);
    for _ in 0..2 {
        let (stored, taken, applied) = hq.take(vec![sale(2), voided.clone()]);
        assert_eq!((stored, taken.held.len(), applied.1), (vec![(2, 1), (1, 2)], 0, 2));
    }
    assert_eq!(
        hq.text("SELECT product || '|' || region FROM sales_report WHERE external_id = 1"),
        Some("PENS [2J|East".into())
    );
}

#[test]
fn one_id_twice_in_a_batch_is_judged_in_order() {
    let mut hq = hq();
    let rows = vec![
        sale(1),
        revised(1, 2, "PENS"),
        sale(2),
        revised(1, 2, "PAPER"),
        revised(1, 3, "INK"),
    ];
    let (stored, taken, applied) = hq.take(rows);
    assert_eq!((stored, applied), (vec![(1, 1), (1, 2), (2, 1), (1, 3)], (0, 4)));
    assert_eq!(taken.held, [revised(1, 2, "PENS")]);
    assert_eq!(
        hq.text("SELECT product FROM sales WHERE external_id = 1").as_deref(),
        Some("INK")
    );
}

fn any_rows() -> impl Strategy<Value = Vec<Sale>> {
    let row = (1..40_i64, 1..4_u32, 0..2_u8, 0..20_u8).prop_map(|(id, revision, product, kind)| {
        let mut sale = revised(id, revision, ["PENS", "INK"][usize::from(product)]);
        match kind {
            0 => sale.content.date = parse_wall("2027-06-01").unwrap(),
            1 => sale.content.qty = 0,
            2 => sale.deleted_at = Some(NOW),
            _ => {}
        }
        sale
    });
    proptest::collection::vec(row, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The verdicts, row by row over a map, are what the set-based way over the database must come to.
    #[test]
    fn any_batches_come_to_what_row_by_row_comes_to(batches in proptest::collection::vec(any_rows(), 1..6)) {
        let mut hq = hq();
        let mut model: HashMap<SaleId, Sale> = HashMap::new();
        let mut applied = 0;
        for rows in batches {
            let mut expected = Taken::default();
            let (mut stored, before) = (Vec::new(), applied);
            for row in &rows {
                match verdict::judge(&branch(), model.get(&row.id), row) {
                    Verdict::Apply => match verdict::admit(row, NOW) {
                        Ok(()) => {
                            model.insert(row.id, row.clone());
                            stored.push((row.id.get(), row.revision.get()));
                            applied += 1;
                        }
                        Err(refusal) => expected.refused.push((row.id, row.revision, refusal)),
                    },
                    Verdict::Duplicate => stored.push((row.id.get(), row.revision.get())),
                    Verdict::Conflict | Verdict::Stale => expected.held.push(model[&row.id].clone()),
                }
            }
            let (got, taken, counts) = hq.take(rows);
            prop_assert_eq!(got, stored);
            prop_assert_eq!((&taken.refused, &taken.held), (&expected.refused, &expected.held));
            prop_assert_eq!(counts, (before, applied));
        }
        prop_assert_eq!(hq.number("SELECT count(*) FROM sales"), i64::try_from(model.len()).unwrap());
        // Nothing is erased: what was applied is there, or kept beside what replaced it.
        let kept = hq.number("SELECT count(*) FROM sale_revisions");
        prop_assert_eq!(kept + i64::try_from(model.len()).unwrap(), i64::try_from(applied).unwrap());
    }
}
