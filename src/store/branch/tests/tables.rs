//! Pages, filters, totals, names and exports, against the same asked of a list.

use proptest::prelude::*;

use super::super::fixture::{Fixture, at, batch_id, id, lantern, lantern_on, receipt, revision};
use crate::domain::ids::Run;
use crate::domain::money::{Money, MoneySum};
use crate::domain::read::{Anchor, Filter, PageRequest, SaleRow, Sort, SortKey, Totals};
use crate::domain::sale::SaleContent;
use crate::domain::sync_state::{Refusal, SyncKind};
use crate::domain::time::parse_day;
use crate::protocol::journal::Journal;
use crate::protocol::message::{Outcome, Taken};

/// Forty sales in every state, with names, days and sums that repeat.
fn shop() -> Fixture {
    let mut branch = Fixture::new();
    let sales: Vec<SaleContent> = (0..40_u32)
        .map(|number| SaleContent {
            product: ["PENS", "Café table", "WHITE LANTERN", "pencil"][number as usize % 4].into(),
            region: ["East", "West"][number as usize % 2].into(),
            qty: number % 5 + 1,
            cost: Money::parse(["3.39", "1.5", "0.0001"][number as usize % 3]).unwrap(),
            ..lantern_on(&format!("2026-11-{:02} 1{}:00:00", 20 + number % 3, number % 4))
        })
        .collect();
    branch.db.import_chunk(&[1; 32], &sales, 40, true, at(1).wall).unwrap();
    let first = branch.db.form_batch(batch_id(1), 15, at(10)).unwrap().unwrap();
    let rows: Vec<_> = first.batch.sales.iter().map(|sale| (sale.id, sale.revision)).collect();
    let (refused, stored) = rows.split_at(3);
    let theirs = crate::domain::sale::Sale {
        content: lantern(),
        revision: revision(3),
        ..first.batch.sales[0].clone()
    };
    let outcome = Outcome::Taken(Taken {
        stored: Run::group(stored.iter().copied()),
        refused: refused[1..]
            .iter()
            .map(|(id, revision)| (*id, *revision, Refusal::Storage))
            .collect(),
        held: vec![theirs],
    });
    branch.settle(&receipt(&first, 0, outcome));
    branch.db.form_batch(batch_id(2), 8, at(30)).unwrap().unwrap();
    let parked = branch.db.form_batch(batch_id(3), 5, at(31)).unwrap().unwrap();
    branch.db.park(parked.batch.id, "broker", at(32)).unwrap();
    branch.db.void_sale(id(40), revision(1), at(33).wall).unwrap();
    branch.check();
    branch
}

fn everything(branch: &mut Fixture) -> Vec<SaleRow> {
    let mut rows = Vec::new();
    let count = branch
        .db
        .export(None, None, &mut |row| {
            rows.push(row);
            Ok(())
        })
        .unwrap();
    assert_eq!(count, 40);
    rows
}

fn shows(filter: &Filter, row: &SaleRow) -> bool {
    let content = &row.sale.content;
    let day = content.date.date();
    filter
        .product
        .as_ref()
        .is_none_or(|text| content.product.to_lowercase().contains(&text.to_lowercase()))
        && filter
            .region
            .as_ref()
            .is_none_or(|region| content.region.eq_ignore_ascii_case(region))
        && filter.from.is_none_or(|from| day >= from)
        && filter.to.is_none_or(|to| day <= to)
        && filter.state.is_none_or(|state| row.sync.kind() == state)
}

fn table(all: &[SaleRow], filter: &Filter, sort: Sort) -> Vec<SaleRow> {
    let mut rows: Vec<SaleRow> = all.iter().filter(|row| shows(filter, row)).cloned().collect();
    rows.sort_by(|one, other| {
        let (a, b) = (&one.sale, &other.sale);
        let by_key = match sort.key {
            SortKey::Id => std::cmp::Ordering::Equal,
            SortKey::Date => a.content.date.cmp(&b.content.date),
            SortKey::Product => a.content.product.cmp(&b.content.product),
            SortKey::Total => a.content.total().cmp(&b.content.total()),
            SortKey::State => one.sync.kind().urgency().cmp(&other.sync.kind().urgency()),
        };
        by_key.then(a.id.cmp(&b.id))
    });
    if sort.descending {
        rows.reverse();
    }
    rows
}

fn filters() -> impl Strategy<Value = Filter> {
    let product = prop_oneof![3 => Just(None), 1 => Just(Some("pen")), 1 => Just(Some("CAFÉ")), 1 => Just(Some("%")), 1 => Just(Some("e"))];
    let region =
        prop_oneof![3 => Just(None), 1 => Just(Some("East")), 1 => Just(Some("wEST")), 1 => Just(Some("Nowhere"))];
    let day = || prop_oneof![2 => Just(None), 1 => (20..23_u32).prop_map(Some)];
    let state = prop_oneof![2 => Just(None), 5 => prop::sample::select(SyncKind::ALL.to_vec()).prop_map(Some)];
    (product, region, day(), day(), state).prop_map(|(product, region, from, to, state)| Filter {
        product: product.map(str::to_owned),
        region: region.map(str::to_owned),
        from: from.map(|day| parse_day(&format!("2026-11-{day}")).unwrap()),
        to: to.map(|day| parse_day(&format!("2026-11-{day}")).unwrap()),
        state,
    })
}

fn sorts() -> impl Strategy<Value = Sort> {
    let keys = vec![
        SortKey::Id,
        SortKey::Date,
        SortKey::Product,
        SortKey::Total,
        SortKey::State,
    ];
    (prop::sample::select(keys), any::<bool>()).prop_map(|(key, descending)| Sort { key, descending })
}

fn check_pages(branch: &mut Fixture, all: &[SaleRow], filter: &Filter, sort: Sort, limit: u32) {
    let table = table(all, filter, sort);
    let size = limit as usize;
    let mut ask = |anchor, expected: std::ops::Range<usize>| {
        let page = branch
            .db
            .page(&PageRequest {
                filter: filter.clone(),
                sort,
                anchor,
                limit,
            })
            .unwrap();
        assert_eq!(page.rows, table[expected.clone()], "{filter:?} {sort:?} {anchor:?}");
        assert_eq!(page.more_below, expected.end < table.len(), "below {anchor:?}");
        assert_eq!(page.more_above, expected.start > 0, "above {anchor:?}");
    };
    let end = table.len();
    ask(Anchor::Top, 0..size.min(end));
    ask(Anchor::Bottom, end.saturating_sub(size)..end);
    for (at, row) in table.iter().enumerate() {
        ask(Anchor::At(row.sale.id), at..(at + size).min(end));
        ask(Anchor::After(row.sale.id), at + 1..(at + 1 + size).min(end).max(at + 1));
        ask(Anchor::Before(row.sale.id), at.saturating_sub(size)..at);
    }
}

#[test]
fn pages_of_any_table_are_the_tables_rows() {
    let mut branch = shop();
    let all = everything(&mut branch);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let branch = std::cell::RefCell::new(branch);
    runner
        .run(&(filters(), sorts(), 1..12_u32), |(filter, sort, limit)| {
            check_pages(&mut branch.borrow_mut(), &all, &filter, sort, limit);
            Ok(())
        })
        .unwrap();
}

#[test]
fn totals_of_a_filter_are_those_of_its_rows() {
    let mut branch = shop();
    let all = everything(&mut branch);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let branch = std::cell::RefCell::new(branch);
    runner
        .run(&filters(), |filter| {
            let rows = table(&all, &filter, Sort::default());
            let sales: Vec<_> = rows
                .iter()
                .filter(|row| !row.sale.is_void())
                .map(|row| &row.sale.content)
                .collect();
            let expected = Totals {
                rows: rows.len() as u64,
                sales: sales.len() as u64,
                qty: sales.iter().map(|content| u128::from(content.qty)).sum(),
                amount: sales.iter().map(|content| MoneySum::from(content.amount())).sum(),
                tax: sales.iter().map(|content| MoneySum::from(content.tax)).sum(),
            };
            assert_eq!(branch.borrow_mut().db.totals(&filter).unwrap(), expected, "{filter:?}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn hours_and_days_add_up() {
    let mut branch = shop();
    let days = branch.db.days(&Filter::default()).unwrap();
    assert_eq!(days.len(), 3);
    let all = branch.db.totals(&Filter::default()).unwrap();
    let sum: MoneySum = days.iter().map(|(_, totals)| totals.total()).sum();
    assert_eq!(sum, all.total());
    let of_a_day = Filter {
        from: parse_day("2026-11-20"),
        to: parse_day("2026-11-20"),
        ..Filter::default()
    };
    let hours = branch.db.hours(&of_a_day).unwrap();
    assert_eq!(
        hours.iter().map(|(hour, _)| *hour).collect::<Vec<_>>(),
        [10, 11, 12, 13]
    );
    assert_eq!(hours.iter().map(|(_, totals)| totals.rows).sum::<u64>(), days[0].1.rows);
    let only_the_east = Filter {
        region: Some("East".into()),
        ..of_a_day
    };
    let east: u64 = branch
        .db
        .hours(&only_the_east)
        .unwrap()
        .iter()
        .map(|(_, totals)| totals.rows)
        .sum();
    assert!(0 < east && east < days[0].1.rows, "a filter counts in the chart too");
}

#[test]
fn an_export_of_some_days_hands_out_those() {
    let mut branch = shop();
    let day = parse_day("2026-11-21");
    let mut last = 0;
    let count = branch
        .db
        .export(day, day, &mut |row| {
            assert_eq!(Some(row.sale.content.date.date()), day);
            assert!(row.sale.id.get() > last);
            last = row.sale.id.get();
            Ok(())
        })
        .unwrap();
    assert_eq!(count, 13);
    let failed = branch
        .db
        .export(None, None, &mut |_| Err(std::io::Error::other("full")));
    assert!(matches!(failed, Err(super::super::ExportError::Write(_))));
}

#[test]
fn products_complete_by_their_beginning_first_and_the_latest_first() {
    let mut branch = Fixture::new();
    for product in ["RED PENS", "PENS", "PENCIL", "Éclair", "PENS"] {
        let content = SaleContent {
            product: product.into(),
            ..lantern()
        };
        branch.db.save_sale(&content, None, at(1).wall).unwrap();
    }
    let names =
        |found: Vec<crate::domain::read::KnownProduct>| found.into_iter().map(|known| known.name).collect::<Vec<_>>();
    assert_eq!(
        names(branch.db.products("pen", 10).unwrap()),
        ["PENS", "PENCIL", "RED PENS"]
    );
    assert_eq!(names(branch.db.products("éc", 10).unwrap()), ["Éclair"]);
    assert_eq!(names(branch.db.products("", 2).unwrap()), ["PENS", "Éclair"]);
    assert_eq!(branch.db.products("pens", 1).unwrap()[0].last_cost, lantern().cost);
    assert_eq!(branch.db.regions(5).unwrap(), ["East"]);
}

#[test]
fn the_report_for_people_who_come_with_sql_has_readable_decimals() {
    use diesel::prelude::*;
    use diesel::sql_types::Text;
    let mut branch = Fixture::new();
    branch.sell();
    let (product, amount, total): (String, String, String) =
        super::super::statement::sql::<(Text, Text, Text)>("SELECT product, amount, total FROM sales_report")
            .get_result(&mut branch.db.conn)
            .unwrap();
    assert_eq!(
        (product.as_str(), amount.as_str(), total.as_str()),
        ("WHITE METAL LANTERN", "20.3400", "24.4100")
    );
}
