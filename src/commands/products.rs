//! `branchline products import`: takes in the products that a scanner knows by their codes.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use csv::ByteRecord;

use super::records::{Content, Records, TableError};
use super::{CommandError, Console, Exit};
use crate::domain::money::Money;
use crate::domain::read::ProductCode;
use crate::domain::sale::{MAX_PRODUCT_CHARS, clean};
use crate::store::branch::BranchDb;
use crate::text::Text;

/// The columns of the file.
const COLUMNS: [&str; 3] = ["code", "name", "cost"];
/// The most characters of a code.
const MAX_CODE_CHARS: usize = 100;
/// How many products one transaction takes.
const AT_ONCE: usize = 500;

pub(super) fn run(db: &mut BranchDb, path: &Path, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let unreadable = TableError::unreadable(path);
    let file = File::open(path).map_err(&unreadable)?;
    let mut records = Records::new(BufReader::new(file)).map_err(&unreadable)?;
    let places = places(&records.header(path)?)?;
    let (mut products, mut taken, mut refused) = (Vec::new(), 0, 0_u64);
    while let Some(piece) = records.next().map_err(&unreadable)? {
        match product(&piece.content, places) {
            Ok(product) => products.push(product),
            Err(reason) => {
                refused += 1;
                console.say(&format!("Line {} is no product: {reason}.", piece.line))?;
            }
        }
        if products.len() == AT_ONCE {
            taken += db.import_products(&products)?;
            products.clear();
        }
    }
    taken += db.import_products(&products)?;
    let count = |count: u64| Text::english().count(count.into());
    console.say(&format!(
        "{} products taken, {} lines refused.",
        count(taken),
        count(refused)
    ))?;
    Ok(if refused == 0 { Exit::Done } else { Exit::Attention })
}

fn places(header: &ByteRecord) -> Result<[usize; 3], CommandError> {
    let mut places = [0; 3];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let is_it = |name: &[u8]| name.trim_ascii().eq_ignore_ascii_case(column.as_bytes());
        *place = header.iter().position(is_it).ok_or(CommandError::NoColumn(column))?;
    }
    Ok(places)
}

fn product(content: &Content, [code, name, cost]: [usize; 3]) -> Result<ProductCode, String> {
    let Content::Record(record) = content else {
        return Err("a quote is not closed, or the line is too long".to_owned());
    };
    let text = |place: usize| {
        let field = record.get(place).ok_or("a field is missing")?;
        std::str::from_utf8(field).map(clean).map_err(|_| "it is not UTF-8")
    };
    let within = |text: String, what: &str, most: usize| match text.chars().count() {
        0 => Err(format!("it has no {what}")),
        length if length > most => Err(format!("its {what} has more than {most} characters")),
        _ => Ok(text),
    };
    Ok(ProductCode {
        code: within(text(code)?, "code", MAX_CODE_CHARS)?,
        name: within(text(name)?, "name", MAX_PRODUCT_CHARS)?,
        cost: Money::parse(&text(cost)?).map_err(|error| format!("its cost can't be taken: {error}"))?,
    })
}
