//! Turns a terminal's bytes into keys, pastes and clicks: a machine that is fed bytes with their time and says when it wants to be woken.
//!
//! On a slow line an escape sequence comes in pieces. A lone Esc therefore waits before it counts, a sequence that has begun waits longer, and one
//! whose head came so late that its Esc has already counted is still not taken for typed letters. Reading the bytes is [`super::terminal`]'s work.

mod sequence;

use super::key::{Code, Input, Press};
use crate::domain::time::Tick;
use sequence::Sequence;

/// How long a lone Esc waits at a keyboard that is near, in milliseconds.
pub const ESC_WAIT_MS: u64 = 50;
/// How long a lone Esc waits over SSH, in milliseconds.
pub const REMOTE_ESC_WAIT_MS: u64 = 150;
/// How long the rest of a sequence or of a character is waited for: nobody types these by hand.
const REST_WAIT_MS: u64 = 2_000;
/// How long a paste that stalls is waited for before what has come of it is told; on a poor line it stalls for seconds.
const PASTE_WAIT_MS: u64 = 5_000;
/// How long a paste whose end never comes keeps what is typed from being keys.
const LOST_PASTE_MS: u64 = 60_000;
/// For how long after an Esc that counted the rest of a sequence is still known as one.
const LATE_MS: u64 = 1_000;
/// The longest paste that is taken; the rest of it is dropped.
pub const MAX_PASTE_BYTES: usize = 64 * 1024;
/// The longest sequence; what is longer is none.
const MAX_SEQUENCE_BYTES: usize = 64;
const PASTE_END: &[u8] = b"\x1b[201~";
const ESC: u8 = 0x1b;

/// The machine.
#[derive(Debug)]
pub struct Decoder {
    esc_wait_ms: u64,
    /// Whether characters are UTF-8; else each byte is one, of Latin-1.
    utf8: bool,
    /// Bytes that can't be understood without those that follow.
    held: Vec<u8>,
    /// When the last bytes came.
    fed_at: Tick,
    /// The paste that is under way.
    paste: Option<Paste>,
    /// Until when the rest of a sequence may come whose Esc has counted.
    late_until: Option<Tick>,
    /// Whether the Esc at the head of `held` has counted, and stands there again for the rest that may have come late.
    late: bool,
    /// Whether the Esc at the head of `held` came in an earlier piece.
    esc_is_old: bool,
}

/// A paste whose end has not come.
#[derive(Debug, Default)]
struct Paste {
    bytes: Vec<u8>,
    /// Whether it has been told already: what follows before its end is neither text nor keys.
    told: bool,
}

/// What the head of some bytes is.
enum Head {
    /// So many bytes are understood, and this is what they say.
    Taken(usize, Option<Input>),
    /// A paste begins behind so many bytes.
    Paste(usize),
    /// More bytes are needed.
    Partial,
}

impl Decoder {
    /// Makes the machine; a lone Esc waits that long. Characters are UTF-8 or, if not, Latin-1.
    #[must_use]
    pub const fn new(esc_wait_ms: u64, utf8: bool) -> Self {
        Self {
            esc_wait_ms,
            utf8,
            held: Vec::new(),
            fed_at: Tick(0),
            paste: None,
            late_until: None,
            late: false,
            esc_is_old: false,
        }
    }

    /// Takes bytes that came at this moment, and gives what they say.
    pub fn feed(&mut self, at: Tick, bytes: &[u8]) -> Vec<Input> {
        let mut said = self.wake(at);
        self.esc_is_old = !self.held.is_empty();
        self.fed_at = at;
        if self.held.is_empty() {
            self.late = self.is_late_rest(at, bytes);
            if self.late {
                // The Esc of this sequence has counted already; its rest is a sequence all the same.
                self.held.push(ESC);
            }
        }
        self.late_until = None;
        self.held.extend_from_slice(bytes);
        self.take_all(&mut said);
        said
    }

    fn is_late_rest(&self, at: Tick, bytes: &[u8]) -> bool {
        self.late_until.is_some_and(|until| at <= until) && matches!(bytes.first(), Some(b'[' | b'O'))
    }

    /// When [`Self::wake`] wants to be called, if nothing comes before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Tick> {
        if let Some(paste) = &self.paste {
            let wait = if paste.told { LOST_PASTE_MS } else { PASTE_WAIT_MS };
            return Some(self.fed_at.plus(wait));
        }
        match self.held.as_slice() {
            [] => None,
            [ESC] => Some(self.fed_at.plus(self.esc_wait_ms)),
            // As likely a key by hand as the rest of a sequence: a sequence's next byte comes soon.
            [ESC, _] if self.late => Some(self.fed_at.plus(self.esc_wait_ms)),
            _ => Some(self.fed_at.plus(REST_WAIT_MS)),
        }
    }

    /// Gives what the passing of time has decided.
    pub fn wake(&mut self, now: Tick) -> Vec<Input> {
        let mut said = Vec::new();
        if self.wake_at().is_none_or(|due| now < due) {
            return said;
        }
        if let Some(paste) = self.paste.as_mut().filter(|paste| !paste.told) {
            paste.told = true;
            said.push(pasted(&std::mem::take(&mut paste.bytes)));
            return said;
        }
        let is_key = self.paste.take().is_none();
        match self.held.as_slice() {
            [ESC] if is_key => {
                self.late_until = Some(now.plus(LATE_MS));
                said.push(Input::Key(Press::plain(Code::Esc)));
            }
            [ESC, byte] if is_key && self.late => said.push(Input::Key(Press::plain(Code::Char(char::from(*byte))))),
            // What has not come by now never comes: it was no key.
            _ => {}
        }
        self.held.clear();
        said
    }

    fn take_all(&mut self, said: &mut Vec<Input>) {
        loop {
            said.extend(self.take_paste());
            if self.paste.is_some() {
                return;
            }
            match head(&self.held, self.esc_is_old, self.utf8) {
                Head::Partial => return,
                Head::Taken(bytes, input) => {
                    self.held.drain(..bytes);
                    said.extend(input);
                }
                Head::Paste(bytes) => {
                    self.held.drain(..bytes);
                    self.paste = Some(Paste::default());
                }
            }
            self.esc_is_old = false;
        }
    }

    /// Moves what has come into the paste, but for what may be the beginning of its end; gives the paste once its end has come, unless it has been told already.
    fn take_paste(&mut self) -> Option<Input> {
        let paste = self.paste.as_mut()?;
        let end = self
            .held
            .windows(PASTE_END.len())
            .position(|window| window == PASTE_END);
        let begun = || {
            (1..PASTE_END.len())
                .rev()
                .find(|length| self.held.ends_with(&PASTE_END[..*length]))
        };
        let moved = end.unwrap_or_else(|| self.held.len() - begun().unwrap_or(0));
        let room = if paste.told {
            0
        } else {
            MAX_PASTE_BYTES.saturating_sub(paste.bytes.len())
        };
        paste.bytes.extend(self.held.drain(..moved).take(room));
        end?;
        self.held.drain(..PASTE_END.len());
        self.paste
            .take()
            .filter(|paste| !paste.told)
            .map(|paste| pasted(&paste.bytes))
    }
}

fn pasted(paste: &[u8]) -> Input {
    Input::Paste(String::from_utf8_lossy(paste).into_owned())
}

fn head(bytes: &[u8], esc_is_old: bool, utf8: bool) -> Head {
    match bytes {
        [] | [ESC] => Head::Partial,
        [ESC, ESC, ..] => Head::Taken(1, Some(Input::Key(Press::plain(Code::Esc)))),
        [ESC, b'[' | b'O', ..] => sequence_head(bytes),
        // An Esc and a key in one piece are Alt and the key; in two pieces a hand has pressed both.
        [ESC, ..] if esc_is_old => Head::Taken(1, Some(Input::Key(Press::plain(Code::Esc)))),
        [ESC, rest @ ..] => match character(rest, utf8) {
            None => Head::Partial,
            Some((length, key)) => Head::Taken(1 + length, key.map(|key| Input::Key(Press { alt: true, ..key }))),
        },
        _ => match character(bytes, utf8) {
            None => Head::Partial,
            Some((length, key)) => Head::Taken(length, key.map(Input::Key)),
        },
    }
}

fn sequence_head(bytes: &[u8]) -> Head {
    match sequence::read(bytes) {
        Sequence::Partial if bytes.len() <= MAX_SEQUENCE_BYTES => Head::Partial,
        // Too long to be one: its head is dropped, the rest is looked at afresh.
        Sequence::Partial => Head::Taken(2, None),
        Sequence::Unknown(length) => Head::Taken(length, None),
        Sequence::Says(length, input) => Head::Taken(length, Some(input)),
        Sequence::PasteBegins(length) => Head::Paste(length),
    }
}

/// The first character and its length; `None` while bytes of it are missing. Bytes that are no character are skipped.
fn character(bytes: &[u8], is_utf8: bool) -> Option<(usize, Option<Press>)> {
    let first = *bytes.first()?;
    let key = match first {
        b'\r' | b'\n' => Press::plain(Code::Enter),
        b'\t' => Press::plain(Code::Tab),
        0x7f | 0x08 => Press::plain(Code::Backspace),
        0x00 => Press::ctrl(' '),
        0x01..=0x1a => Press::ctrl(char::from(first - 1 + b'a')),
        0x1c..=0x1f => Press::ctrl(char::from(first - 0x1c + b'\\')),
        0xa0..=0xff if !is_utf8 => Press::plain(Code::Char(char::from(first))),
        _ => return utf8(bytes),
    };
    Some((1, Some(key)))
}

fn utf8(bytes: &[u8]) -> Option<(usize, Option<Press>)> {
    let length = match bytes[0] {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((1, None)),
    };
    let present = bytes.get(..length).unwrap_or(bytes);
    match std::str::from_utf8(present) {
        Ok(text) => Some((length, text.chars().next().map(|c| Press::plain(Code::Char(c))))),
        Err(error) if error.error_len().is_none() => None,
        Err(_) => Some((1, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: Code) -> Input {
        Input::Key(Press::plain(code))
    }

    fn typed(text: &str) -> Vec<Input> {
        text.chars().map(|c| key(Code::Char(c))).collect()
    }

    /// Feeds the pieces so many milliseconds apart, waits until all is decided, and gives what was said.
    fn decode(pieces: &[&[u8]], apart_ms: u64) -> Vec<Input> {
        let mut decoder = Decoder::new(ESC_WAIT_MS, true);
        let mut said = Vec::new();
        let mut now = Tick(1_000);
        for piece in pieces {
            if let Some(due) = decoder.wake_at().filter(|due| *due <= now) {
                said.extend(decoder.wake(due));
            }
            said.extend(decoder.feed(now, piece));
            now = now.plus(apart_ms);
        }
        while let Some(due) = decoder.wake_at() {
            said.extend(decoder.wake(due));
        }
        said
    }

    const SEQUENCES: [(&[u8], Code); 14] = [
        (b"\x1b[A", Code::Up),
        (b"\x1bOB", Code::Down),
        (b"\x1b[1~", Code::Home),
        (b"\x1b[4~", Code::End),
        (b"\x1b[H", Code::Home),
        (b"\x1b[5~", Code::PageUp),
        (b"\x1b[6~", Code::PageDown),
        (b"\x1b[Z", Code::BackTab),
        (b"\x1b[3~", Code::Delete),
        (b"\x1bOP", Code::F(1)),
        (b"\x1b[[A", Code::F(1)),
        (b"\x1b[15~", Code::F(5)),
        (b"\x1b[24~", Code::F(12)),
        (b"\x1bOM", Code::Enter),
    ];

    #[test]
    fn a_sequence_that_is_split_anywhere_is_still_one_key() {
        for (bytes, code) in SEQUENCES {
            for at in 1..bytes.len() {
                let (head, tail) = bytes.split_at(at);
                assert_eq!(decode(&[head, tail], 20), [key(code)], "{bytes:?} split at {at}");
            }
            let single: Vec<_> = bytes.iter().map(std::slice::from_ref).collect();
            assert_eq!(decode(&single, 40), [key(code)], "{bytes:?} byte by byte");
        }
    }

    #[test]
    fn a_sequence_whose_esc_has_counted_types_no_letters() {
        for (bytes, code) in SEQUENCES {
            let said = decode(&[&bytes[..1], &bytes[1..]], 400);
            assert_eq!(said, [key(Code::Esc), key(code)], "{bytes:?}");
        }
    }

    #[test]
    fn a_key_by_hand_behind_an_esc_is_that_key() {
        for byte in [b'O', b'['] {
            let hand = key(Code::Char(char::from(byte)));
            assert_eq!(decode(&[b"\x1b", &[byte]], 200), [key(Code::Esc), hand.clone()]);
            let said = decode(&[b"\x1b", &[byte], b"o"], 200);
            assert_eq!(said, [key(Code::Esc), hand, key(Code::Char('o'))]);
            let said = decode(&[b"\x1b", &[byte], &[byte]], 200);
            assert_eq!(said.len(), 3, "{said:?}");
        }
    }

    #[test]
    fn a_lone_esc_counts_after_its_wait() {
        let mut decoder = Decoder::new(ESC_WAIT_MS, true);
        assert_eq!(decoder.feed(Tick(0), b"\x1b"), []);
        assert_eq!(decoder.wake_at(), Some(Tick(50)));
        assert_eq!(decoder.wake(Tick(49)), []);
        assert_eq!(decoder.wake(Tick(50)), [key(Code::Esc)]);
        assert_eq!(decoder.wake_at(), None);
    }

    #[test]
    fn a_paste_is_one_text_however_it_is_split() {
        let bytes = "\x1b[200~q\rd\u{e9} \x1b[A\x1b[201~x".as_bytes();
        let expected = [Input::Paste("q\rd\u{e9} \x1b[A".into()), key(Code::Char('x'))];
        for at in 1..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(decode(&[head, tail], 20), expected, "split at {at}");
        }
        assert_eq!(decode(&[b"\x1b[200~cut off"], 0), [Input::Paste("cut off".into())]);
    }

    #[test]
    fn a_paste_that_stalls_stays_a_paste_until_its_end() {
        let mut decoder = Decoder::new(ESC_WAIT_MS, true);
        let mut at = |ms, bytes: &[u8]| decoder.feed(Tick(ms), bytes);
        assert_eq!(at(0, b"\x1b[200~abc"), []);
        assert_eq!(at(2_400, b"d"), [], "no key, however late");
        assert_eq!(at(7_399, b"e\x1b[20"), []);
        assert_eq!(
            at(12_399, b"y"),
            [Input::Paste("abcde".into())],
            "what has come is told"
        );
        assert_eq!(at(40_000, b"dy\x1b[2"), [], "and what comes then is no key either");
        assert_eq!(at(80_000, b"01~d"), typed("d"), "until the paste ends");
        assert_eq!(at(80_001, b"\x1b[200~abc"), []);
        assert_eq!(at(86_000, b"d"), [Input::Paste("abc".into())]);
        assert_eq!(at(146_001, b"d"), typed("d"), "or until nothing has come for a minute");
    }

    #[test]
    fn a_paste_without_end_is_bounded() {
        let huge = vec![b'x'; 3 * MAX_PASTE_BYTES];
        let said = decode(&[b"\x1b[200~", &huge, b"\x1b[201~"], 1);
        assert!(matches!(said.as_slice(), [Input::Paste(text)] if text.len() == MAX_PASTE_BYTES));
    }

    #[test]
    fn line_feeds_and_control_characters_are_keys() {
        assert_eq!(
            decode(&[b"\n\r\t\x08\x7f"], 0),
            [
                key(Code::Enter),
                key(Code::Enter),
                key(Code::Tab),
                key(Code::Backspace),
                key(Code::Backspace)
            ]
        );
        assert_eq!(
            decode(&[b"\x13\x1f"], 0),
            [Input::Key(Press::ctrl('s')), Input::Key(Press::ctrl('_'))]
        );
        let alt = Input::Key(Press {
            alt: true,
            ..Press::plain(Code::Char('u'))
        });
        assert_eq!(decode(&[b"\x1bu"], 0), [alt]);
        assert_eq!(decode(&[b"\x1b", b"u"], 20), [key(Code::Esc), key(Code::Char('u'))]);
    }

    #[test]
    fn text_survives_any_split() {
        let text = "Caf\u{e9} \u{20ac} \u{1f642}";
        for at in 1..text.len() {
            let (head, tail) = text.as_bytes().split_at(at);
            assert_eq!(decode(&[head, tail], 20), typed(text), "split at {at}");
        }
        assert_eq!(decode(&[b"\xff\xc3(a"], 0), typed("(a"));
    }

    #[test]
    fn where_characters_are_not_utf8_a_byte_is_one() {
        let mut decoder = Decoder::new(ESC_WAIT_MS, false);
        assert_eq!(decoder.feed(Tick(0), b"Caf\xe9"), typed("Caf\u{e9}"));
    }

    #[test]
    fn clicks_and_the_wheel_are_understood_and_unknown_sequences_are_swallowed() {
        let bytes = b"\x1b[<0;10;5M\x1b[<0;10;5m\x1b[<64;1;1M\x1b[<65;1;1M\x1b[?1;2c\x1b[I";
        let expected = [
            Input::Click { x: 9, y: 4 },
            Input::Wheel { up: true },
            Input::Wheel { up: false },
        ];
        assert_eq!(decode(&[bytes], 0), expected);
        let ctrl_right = Input::Key(Press {
            ctrl: true,
            ..Press::plain(Code::Right)
        });
        assert_eq!(decode(&[b"\x1b[1;5C"], 0), [ctrl_right]);
    }
}
