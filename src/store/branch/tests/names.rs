//! The names of products in a batch: in which order they are numbered, and which have no number that can travel.

use diesel::connection::SimpleConnection;

use super::super::fixture::{Fixture, at, lantern};
use crate::domain::sale::SaleContent;
use crate::protocol::dictionary::ProductNo;
use crate::protocol::journal::Formed;

fn named(product: &str) -> SaleContent {
    SaleContent {
        product: product.into(),
        ..lantern()
    }
}

fn numbered(formed: &Formed) -> Vec<(ProductNo, &str)> {
    let products = formed.batch.products.iter();
    products.map(|product| (product.no, &*product.name)).collect()
}

#[test]
fn the_products_of_a_file_are_numbered_in_the_order_in_which_it_has_them() {
    let mut branch = Fixture::new();
    let sales = ["ZINC", "ACORN", "ZINC", "MUGS"].map(named);
    branch.db.import_chunk(&[1; 32], &sales, 4, true, at(1).wall).unwrap();
    assert_eq!(numbered(&branch.form(1)), [(1, "ZINC"), (2, "ACORN"), (3, "MUGS")]);
}

#[test]
fn a_product_with_a_number_too_high_to_travel_is_sold_and_sent_all_the_same() {
    let mut branch = Fixture::new();
    let products = ["MUGS", "PENS", "VASE"];
    for product in &products[..2] {
        branch.db.save_sale(&named(product), None, at(1).wall).unwrap();
    }
    branch
        .db
        .conn
        .batch_execute(
            "BEGIN; PRAGMA defer_foreign_keys = ON; UPDATE products SET no = 70000 WHERE name = 'PENS'; \
             UPDATE sales SET product_no = 70000 WHERE id = 2; COMMIT",
        )
        .unwrap();
    branch.db.save_sale(&named("VASE"), None, at(1).wall).unwrap();
    let formed = branch.form(1);
    assert_eq!(numbered(&formed), [(1, "MUGS")]);
    let sold: Vec<_> = formed.batch.sales.iter().map(|sale| &*sale.content.product).collect();
    assert_eq!(sold, products);
    branch.check();
}
