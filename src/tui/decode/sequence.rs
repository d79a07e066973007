//! The grammar of escape sequences: which bytes belong to one, and which key or click they mean. Waiting for missing bytes is [`super`]'s work.

use crate::tui::key::{Code, Input, Press};

/// What some bytes that begin with `ESC [` or `ESC O` are.
pub(super) enum Sequence {
    /// The beginning of a sequence.
    Partial,
    /// A sequence of so many bytes that means nothing here.
    Unknown(usize),
    /// A sequence of so many bytes, and what it means.
    Says(usize, Input),
    /// The head of a paste, of so many bytes.
    PasteBegins(usize),
}

/// Reads the sequence at the head of the bytes.
pub(super) fn read(bytes: &[u8]) -> Sequence {
    match bytes {
        [_, b'O', letter, ..] => says(3, keypad(*letter)),
        // The Linux console's F1 to F5.
        [_, b'[', b'[', letter @ b'A'..=b'E', ..] => says(4, Some(Press::plain(Code::F(letter - b'A' + 1)))),
        [_, b'[', b'['] => Sequence::Partial,
        [_, b'[', rest @ ..] => control(rest),
        _ => Sequence::Partial,
    }
}

fn says(length: usize, key: Option<Press>) -> Sequence {
    key.map_or(Sequence::Unknown(length), |key| Sequence::Says(length, Input::Key(key)))
}

fn keypad(letter: u8) -> Option<Press> {
    let code = match letter {
        b'M' => Code::Enter,
        b'P'..=b'S' => Code::F(letter - b'P' + 1),
        b'p'..=b'y' => Code::Char(char::from(letter - b'p' + b'0')),
        b'j' => Code::Char('*'),
        b'k' => Code::Char('+'),
        b'l' => Code::Char(','),
        b'm' => Code::Char('-'),
        b'n' => Code::Char('.'),
        b'o' => Code::Char('/'),
        _ => arrow(letter)?,
    };
    Some(Press::plain(code))
}

const fn arrow(letter: u8) -> Option<Code> {
    Some(match letter {
        b'A' => Code::Up,
        b'B' => Code::Down,
        b'C' => Code::Right,
        b'D' => Code::Left,
        b'H' => Code::Home,
        b'F' => Code::End,
        b'Z' => Code::BackTab,
        _ => return None,
    })
}

/// Reads what follows `ESC [`: parameters, then one letter or `~`.
fn control(rest: &[u8]) -> Sequence {
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return Sequence::Partial;
    };
    let (parameters, letter) = (&rest[..end], rest[end]);
    let length = 2 + end + 1;
    if !(0x40..=0x7e).contains(&letter) {
        // Not a sequence after all: what follows may be one.
        return Sequence::Unknown(2 + end);
    }
    if let Some(click) = parameters.strip_prefix(b"<") {
        return mouse(click, letter).map_or(Sequence::Unknown(length), |input| Sequence::Says(length, input));
    }
    let numbers = numbers(parameters);
    if letter == b'~' && numbers.first() == Some(&200) {
        return Sequence::PasteBegins(length);
    }
    let code = match letter {
        b'~' => numbers.first().and_then(|number| numbered(*number)),
        b'P'..=b'S' => Some(Code::F(letter - b'P' + 1)),
        _ => arrow(letter),
    };
    // 1 and a bit each for Shift, Alt and Ctrl.
    let held = numbers.get(1).map_or(0, |number| number.saturating_sub(1));
    let key = code.map(|code| Press {
        code,
        alt: held & 2 != 0,
        ctrl: held & 4 != 0,
    });
    says(length, key)
}

fn numbered(number: u16) -> Option<Code> {
    let function = |offset: u16| u8::try_from(number - offset).ok().map(Code::F);
    Some(match number {
        1 | 7 => Code::Home,
        2 => Code::Insert,
        3 => Code::Delete,
        4 | 8 => Code::End,
        5 => Code::PageUp,
        6 => Code::PageDown,
        11..=15 => return function(10),
        17..=21 => return function(11),
        23 | 24 => return function(12),
        _ => return None,
    })
}

fn mouse(parameters: &[u8], letter: u8) -> Option<Input> {
    let numbers = numbers(parameters);
    let [button, x, y] = numbers.as_slice() else {
        return None;
    };
    match (*button, letter) {
        (0, b'M') => Some(Input::Click {
            x: x.saturating_sub(1),
            y: y.saturating_sub(1),
        }),
        (64, b'M') => Some(Input::Wheel { up: true }),
        (65, b'M') => Some(Input::Wheel { up: false }),
        _ => None,
    }
}

fn numbers(parameters: &[u8]) -> Vec<u16> {
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse().ok();
    parameters
        .split(|byte| *byte == b';')
        .map(|digits| number(digits).unwrap_or(0))
        .collect()
}
