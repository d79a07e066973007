//! Keys, pastes and clicks as values of ours, and the names of keys that the configuration and the help write. How bytes become keys is in
//! [`super::decode`]; what a key does is in [`super::keymap`].

use std::fmt;

/// One press of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Press {
    /// Which key. Shift is part of it: `A`, not shift and `a`.
    pub code: Code,
    /// With Ctrl held.
    pub ctrl: bool,
    /// With Alt held.
    pub alt: bool,
}

/// Which key was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A character.
    Char(char),
    /// Enter: CR, LF or the keypad's.
    Enter,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Esc, alone.
    Esc,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Insert.
    Insert,
    /// The arrow up.
    Up,
    /// The arrow down.
    Down,
    /// The arrow to the left.
    Left,
    /// The arrow to the right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// A function key.
    F(u8),
}

/// What comes from the keyboard or the mouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(Press),
    /// A text was pasted: data, never commands.
    Paste(String),
    /// The left button went down at this column and row, from 0.
    Click {
        /// The column.
        x: u16,
        /// The row.
        y: u16,
    },
    /// The wheel was turned: up or down.
    Wheel {
        /// Whether towards the top.
        up: bool,
    },
}

impl Press {
    /// A key without Ctrl or Alt.
    #[must_use]
    pub const fn plain(code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
        }
    }

    /// A character with Ctrl held.
    #[must_use]
    pub const fn ctrl(c: char) -> Self {
        Self {
            code: Code::Char(c),
            ctrl: true,
            alt: false,
        }
    }

    /// The character that the key types into a field, if it types one.
    #[must_use]
    pub const fn types(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// The key that a terminal sends when this one is pressed: often itself, sometimes another one, and `None` where it sends none that could be known.
    #[must_use]
    pub const fn sent_as(self) -> Option<Self> {
        Some(match (self.code, self.ctrl) {
            // Alt is an Esc before the key, and these begin a sequence.
            (Code::Char('[' | 'O'), false) if self.alt => return None,
            (Code::Esc, _) => Self::plain(Code::Esc),
            (Code::Char('a'..='g' | 'k' | 'l' | 'n'..='z' | ' ' | '\\' | ']' | '^' | '_'), true) => self,
            (Code::Char('i'), true) => self.without_ctrl(Code::Tab),
            (Code::Char('j' | 'm'), true) => self.without_ctrl(Code::Enter),
            (Code::Char('h' | '?'), true) => self.without_ctrl(Code::Backspace),
            (Code::Char('['), true) => self.without_ctrl(Code::Esc),
            (Code::Char(_), true) => return None,
            (Code::Enter | Code::Tab | Code::Backspace, true) => self.without_ctrl(self.code),
            _ => self,
        })
    }

    const fn without_ctrl(self, code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: self.alt,
        }
    }

    /// Reads a key's name: `a`, `?`, `enter`, `ctrl+s`, `alt+u`, `f1`; `None` if there is no such key.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut key = Self::plain(Code::Esc);
        let mut rest = name.trim();
        loop {
            let lower = rest.to_ascii_lowercase();
            if lower.starts_with("ctrl+") && rest.len() > 5 {
                key.ctrl = true;
                rest = &rest[5..];
            } else if lower.starts_with("alt+") && rest.len() > 4 {
                key.alt = true;
                rest = &rest[4..];
            } else {
                break;
            }
        }
        key.code = Code::parse(rest)?;
        if let (Code::Char(c), true) = (key.code, key.ctrl) {
            key.code = Code::Char(c.to_ascii_lowercase());
        }
        Some(key)
    }
}

/// The keys with a name of their own, as the configuration and the screen write them.
const NAMED: [(Code, &str); 16] = [
    (Code::Enter, "Enter"),
    (Code::Tab, "Tab"),
    (Code::BackTab, "Shift+Tab"),
    (Code::Esc, "Esc"),
    (Code::Backspace, "Backspace"),
    (Code::Delete, "Del"),
    (Code::Insert, "Ins"),
    (Code::Up, "Up"),
    (Code::Down, "Down"),
    (Code::Left, "Left"),
    (Code::Right, "Right"),
    (Code::Home, "Home"),
    (Code::End, "End"),
    (Code::PageUp, "PgUp"),
    (Code::PageDown, "PgDn"),
    (Code::Char(' '), "Space"),
];

impl Code {
    fn parse(name: &str) -> Option<Self> {
        if let Some((code, _)) = NAMED.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)) {
            return Some(*code);
        }
        let mut chars = name.chars();
        match (chars.next()?, chars.as_str()) {
            (c, "") if !c.is_control() && !c.is_whitespace() => Some(Self::Char(c)),
            ('f' | 'F', number) => number
                .parse()
                .ok()
                .filter(|number| (1..=12).contains(number))
                .map(Self::F),
            _ => None,
        }
    }
}

impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("Ctrl+")?;
        }
        if self.alt {
            f.write_str("Alt+")?;
        }
        match self.code {
            Code::F(number) => write!(f, "F{number}"),
            Code::Char(c) if self.ctrl => write!(f, "{}", c.to_ascii_uppercase()),
            code => match NAMED.iter().find(|(named, _)| *named == code) {
                Some((_, name)) => f.write_str(name),
                None => match code {
                    Code::Char(c) => write!(f, "{c}"),
                    _ => Ok(()),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_sends_for_a_key_is_known() {
        let sent = |name| Press::parse(name).unwrap().sent_as().map(|key| key.to_string());
        for own in [
            "a",
            "Ctrl+A",
            "Ctrl+Z",
            "Ctrl+_",
            "Alt+u",
            "Alt+Enter",
            "F12",
            "Ctrl+Right",
            "Shift+Tab",
        ] {
            assert_eq!(sent(own).as_deref(), Some(own));
        }
        for (key, other) in [
            ("ctrl+i", "Tab"),
            ("ctrl+m", "Enter"),
            ("ctrl+j", "Enter"),
            ("ctrl+h", "Backspace"),
        ] {
            assert_eq!(sent(key).as_deref(), Some(other));
        }
        for none in ["ctrl+1", "ctrl+.", "alt+[", "alt+O"] {
            assert_eq!(sent(none), None, "{none}");
        }
    }

    #[test]
    fn a_key_survives_its_name() {
        for name in [
            "a",
            "A",
            "?",
            "Enter",
            "Ctrl+S",
            "Alt+u",
            "F12",
            "Space",
            "Shift+Tab",
            "+",
            "Ctrl++",
            "Ctrl+Alt+x",
        ] {
            let key = Press::parse(name).unwrap_or_else(|| panic!("{name} is a key"));
            assert_eq!(Press::parse(&key.to_string()), Some(key), "{name}");
        }
        assert_eq!(Press::parse("ctrl+s"), Some(Press::ctrl('s')));
        for bad in ["", "f0", "f13", "hyper+x", "ab", "ctrl+"] {
            assert_eq!(Press::parse(bad), None, "{bad}");
        }
    }
}
