//! Any sales, and bytes that nobody sent: whatever can be read is sound, and comes back as it was read.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::seal::Sections;
use super::*;

#[test]
fn products_with_numbers_have_distinct_names_and_numbers() {
    let Uplink::Batch(mut batch) = numbered(&[true; 5]) else {
        unreachable!("it is a batch")
    };
    let with_one_name_twice = |batch: &Batch| {
        let mut sections = v1::write_batch(batch).unwrap();
        let (from, to) = (b"LANTERN 4\n", b"LANTERN 9\n");
        let texts = sections.texts.to_mut();
        let at = texts.windows(from.len()).position(|part| part == from).unwrap();
        texts[at..at + to.len()].copy_from_slice(to);
        sealed(&sections)
    };
    let refused = |bytes: &[u8]| {
        let read = read_uplink(bytes);
        assert!(
            matches!(
                &read,
                Err(Unread::Body {
                    reason: Flaw::Columns,
                    ..
                })
            ),
            "{read:?}"
        );
    };
    refused(&with_one_name_twice(&batch));
    batch.products[2].no = batch.products[0].no;
    refused(&encode_uplink(&Uplink::Batch(batch.clone()), 1).unwrap());
    batch.products.clear();
    reads_back(&with_one_name_twice(&batch));
}

/// A batch of these sections.
fn sealed(sections: &Sections<'_>) -> Vec<u8> {
    let envelope = Envelope {
        kind: UplinkKind::Batch,
        version: 1,
        branch: branch(),
        ledger: LEDGER,
        id: [7; 16],
    };
    seal::seal(envelope.write(), sections).unwrap()
}

/// What can be read is written and read to the same message.
fn reads_back(bytes: &[u8]) {
    let mut names = |_: &Envelope, numbers: &[u16]| {
        let name = |no: &u16| {
            let held = HELD.iter().find(|(held, _)| held == no);
            held.map_or_else(|| no.to_string().into(), |(_, name)| (*name).into())
        };
        Some(numbers.iter().map(name).collect())
    };
    if let Ok(message) = decode_uplink(bytes, &mut names) {
        let written = encode_uplink(&message, 1).unwrap();
        assert_eq!(decode_uplink(&written, &mut names), Ok(message));
    }
    if let Ok(message) = decode_downlink(bytes) {
        assert_eq!(decode_downlink(&encode_downlink(&message).unwrap()), Ok(message));
    }
}

fn any_sale() -> impl Strategy<Value = Sale> {
    let number = || prop_oneof![Just(0), Just(1), -100_000_i64..100_000, any::<i64>()];
    let text = || prop_oneof!["[A-Z ]{0,12}", "\\PC{0,20}", Just("A\nB".to_owned())];
    let units = || prop_oneof![Just(0), (0..2_000_i64).prop_map(|n| n * 100), 0..=Money::MAX.units()];
    let content = (
        -2_208_988_800..253_402_300_800_i64,
        text(),
        text(),
        any::<u32>(),
        units(),
        units(),
    );
    let id = prop_oneof![1..50_i64, 1..=i64::MAX];
    (
        id,
        prop_oneof![Just(1), 1..=u32::MAX],
        content,
        number(),
        number(),
        proptest::option::of(number()),
    )
        .prop_map(
            |(id, revision, (date, product, region, qty, cost, tax), created, updated, deleted)| Sale {
                id: SaleId::new(id).unwrap(),
                ledger: LEDGER,
                revision: Revision::new(revision).unwrap(),
                content: SaleContent {
                    date: chrono::DateTime::from_timestamp(date, 0).unwrap().naive_utc(),
                    product: product.into(),
                    region: region.into(),
                    qty,
                    cost: Money::from_units(cost).unwrap(),
                    tax: Money::from_units(tax).unwrap(),
                },
                created_at: UtcMillis(created),
                updated_at: UtcMillis(updated),
                deleted_at: deleted.map(UtcMillis),
            },
        )
}

/// Numbers some of the products of these sales, each with the next of `numbers` that is not taken yet, if there is one.
fn numbering(sales: &[Sale], numbers: Vec<Option<(u16, bool)>>) -> Vec<Product> {
    let mut products: Vec<Product> = Vec::new();
    let mut seen = HashSet::new();
    let firsts = sales.iter().filter(|sale| seen.insert(&sale.content.product));
    for (sale, number) in firsts.zip(numbers) {
        if let Some((no, told)) = number
            && products.iter().all(|product| product.no != no)
        {
            let name = sale.content.product.clone();
            products.push(Product { no, name, told });
        }
    }
    products
}

proptest! {
    #[test]
    fn any_sales_read_back(
        sales in proptest::collection::vec(any_sale(), 1..40),
        numbers in proptest::collection::vec(proptest::option::of((1..=u16::MAX, any::<bool>())), 40),
    ) {
        let Uplink::Batch(mut numbered) = batch(sales.clone()) else { unreachable!("it is a batch") };
        numbered.products = numbering(&sales, numbers);
        let held: Vec<(u16, String)> = numbered.products.iter().filter(|product| !product.told)
            .map(|product| (product.no, product.name.to_string())).collect();
        let held: Vec<_> = held.iter().map(|(no, name)| (*no, name.as_str())).collect();
        let message = Uplink::Batch(numbered);
        prop_assert_eq!(decode_uplink(&encode_uplink(&message, 1).unwrap(), &mut holds(&held)), Ok(message));
        let message = receipt(Outcome::Taken(Taken { held: sales, ..Taken::default() }));
        prop_assert_eq!(decode_downlink(&encode_downlink(&message).unwrap()), Ok(message));
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read_uplink(&bytes).is_err());
        prop_assert!(decode_downlink(&bytes).is_err());
    }

    /// Behind a sound envelope and under a right checksum, so that the bytes reach the innermost reader.
    #[test]
    fn hostile_bodies_are_refused_or_sound(
        numbers in proptest::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..80),
        texts in proptest::collection::vec(any::<u8>(), 0..20),
        bits in proptest::collection::vec(any::<u8>(), 0..9),
        kind in 1..=4_u8,
    ) {
        let kind = [Kind::Hello, Kind::Batch, Kind::Answer, Kind::Receipt][usize::from(kind - 1)];
        let up = |kind| Envelope { kind, version: 1, branch: branch(), ledger: LEDGER, id: [7; 16] }.write();
        let down = Head { kind, version: 1, id: [7; 16] }.write();
        let envelope = match kind {
            Kind::Hello => up(UplinkKind::Hello),
            Kind::Batch => up(UplinkKind::Batch),
            Kind::Answer => [&down, LEDGER.as_bytes().as_slice()].concat(),
            Kind::Receipt => down,
        };
        let sections = Sections { numbers: numbers.into(), texts: texts.into(), bits: bits.into() };
        reads_back(&seal::seal(envelope, &sections).unwrap());
    }

    /// A batch that was changed in one place of its body, with the checksum mended.
    #[test]
    fn a_forged_batch_is_refused_or_sound(which in 2..5_usize, at in any::<proptest::sample::Index>(), flip in 1..=255_u8) {
        let Uplink::Batch(original) = &uplinks()[which] else { unreachable!("from the second on they are batches") };
        let mut sections = v1::write_batch(original).unwrap();
        let (numbers, texts) = (sections.numbers.to_mut(), sections.texts.to_mut());
        let at = at.index(numbers.len() + texts.len());
        *numbers.iter_mut().chain(texts).nth(at).unwrap() ^= flip;
        reads_back(&sealed(&sections));
    }
}

#[test]
fn no_truncated_or_damaged_message_is_taken() {
    let up = uplinks().into_iter().map(|message| encode_uplink(&message, 1).unwrap());
    let down = downlinks()
        .into_iter()
        .map(|message| encode_downlink(&message).unwrap());
    for bytes in up.chain(down) {
        for at in 0..bytes.len() {
            let short = &bytes[..at];
            assert!(
                read_uplink(short).is_err() && decode_downlink(short).is_err(),
                "cut at {at}"
            );
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(
                    read_uplink(&flipped).is_err() && decode_downlink(&flipped).is_err(),
                    "byte {at} bit {bit}"
                );
            }
        }
    }
}
