//! Writes cells as the fewest bytes that a terminal needs: the backend that ratatui draws on.
//!
//! It never asks the terminal anything (a query can stall for seconds) and writes nothing by itself: a whole frame is collected, for one write. Only the sixteen colours and
//! attributes are known; `NO_COLOR` is the theme's matter.

use std::io;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// Begins and ends a frame that the terminal shows at once (mode 2026); others ignore it.
const SYNC: (&[u8], &[u8]) = (b"\x1b[?2026h", b"\x1b[?2026l");
/// How much room a frame's buffer keeps.
const BUFFER_BYTES: usize = 64 * 1024;

/// The backend.
#[derive(Debug)]
pub struct Ansi {
    size: Size,
    bytes: Vec<u8>,
    /// Where the cursor is, as far as is known.
    at: Option<Position>,
    cursor_shown: bool,
    look: Look,
}

/// Colours and attributes, as they are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Look {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const ATTRIBUTES: [(Modifier, u8); 8] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

impl Ansi {
    /// A terminal of this size, of which nothing else is known.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self {
            size,
            bytes: Vec::with_capacity(BUFFER_BYTES),
            at: None,
            cursor_shown: false,
            look: Look::default(),
        }
    }

    /// Takes note of the terminal's size.
    pub const fn set_size(&mut self, size: Size) {
        self.size = size;
    }

    /// Forgets what is known: somebody else has written to the terminal.
    pub fn forget(&mut self) {
        self.at = None;
        self.cursor_shown = false;
        self.look = Look::default();
        self.bytes.clear();
        self.bytes.extend_from_slice(b"\x1b[m\x1b[?25l");
    }

    /// Takes the frame that was drawn; `None` if nothing has changed.
    pub fn take_frame(&mut self) -> Option<Vec<u8>> {
        if self.bytes.is_empty() {
            return None;
        }
        let mut frame = Vec::with_capacity(self.bytes.len() + SYNC.0.len() + SYNC.1.len());
        frame.extend_from_slice(SYNC.0);
        frame.append(&mut self.bytes);
        frame.extend_from_slice(SYNC.1);
        Some(frame)
    }

    fn go_to(&mut self, to: Position) {
        let text = match self.at {
            Some(at) if at == to => return,
            Some(at) if at.y == to.y && to.x == at.x + 1 => "\x1b[C".to_owned(),
            Some(at) if at.y == to.y && to.x > at.x => format!("\x1b[{}C", to.x - at.x),
            _ if to.x == 0 => format!("\x1b[{}H", to.y + 1),
            _ => format!("\x1b[{};{}H", to.y + 1, to.x + 1),
        };
        self.bytes.extend_from_slice(text.as_bytes());
        self.at = Some(to);
    }

    fn set_look(&mut self, look: Look) {
        if look == self.look {
            return;
        }
        let mut codes: Vec<u8> = Vec::new();
        let mut from = self.look;
        if !look.modifier.contains(from.modifier) || (look == Look::default()) {
            // An attribute can be taken away alone, but not everywhere: all are.
            codes.push(0);
            from = Look::default();
        }
        let added = look.modifier.difference(from.modifier);
        codes.extend(
            ATTRIBUTES
                .iter()
                .filter(|(modifier, _)| added.contains(*modifier))
                .map(|(_, code)| *code),
        );
        if look.fg != from.fg {
            codes.push(colour_code(look.fg, 30));
        }
        if look.bg != from.bg {
            codes.push(colour_code(look.bg, 40));
        }
        let codes: Vec<_> = codes.iter().map(u8::to_string).collect();
        let codes = if codes == ["0"] { String::new() } else { codes.join(";") };
        self.bytes.extend_from_slice(format!("\x1b[{codes}m").as_bytes());
        self.look = look;
    }

    fn write_cell(&mut self, position: Position, cell: &Cell) {
        self.go_to(position);
        self.set_look(Look {
            fg: cell.fg,
            bg: cell.bg,
            modifier: cell.modifier,
        });
        self.bytes.extend_from_slice(cell.symbol().as_bytes());
        let width = u16::try_from(cell.symbol().width()).unwrap_or(1);
        let x = position.x + width;
        // Behind the last column the cursor's place depends on the terminal.
        self.at = (x < self.size.width).then_some(Position { x, ..position });
    }
}

/// The code of a colour; those beyond the sixteen are the terminal's own.
const fn colour_code(colour: Color, base: u8) -> u8 {
    match colour {
        Color::Black => base,
        Color::Red => base + 1,
        Color::Green => base + 2,
        Color::Yellow => base + 3,
        Color::Blue => base + 4,
        Color::Magenta => base + 5,
        Color::Cyan => base + 6,
        Color::Gray => base + 7,
        Color::DarkGray => base + 60,
        Color::LightRed => base + 61,
        Color::LightGreen => base + 62,
        Color::LightYellow => base + 63,
        Color::LightBlue => base + 64,
        Color::LightMagenta => base + 65,
        Color::LightCyan => base + 66,
        Color::White => base + 67,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => base + 9,
    }
}

impl Backend for Ansi {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (x, y, cell) in content {
            self.write_cell(Position { x, y }, cell);
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown {
            self.cursor_shown = false;
            self.bytes.extend_from_slice(b"\x1b[?25l");
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if !self.cursor_shown {
            self.cursor_shown = true;
            self.bytes.extend_from_slice(b"\x1b[?25h");
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.at.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.go_to(position.into());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.set_look(Look::default());
        let code: &[u8] = match clear_type {
            ClearType::All => b"\x1b[2J",
            ClearType::AfterCursor => b"\x1b[J",
            ClearType::BeforeCursor => b"\x1b[1J",
            ClearType::CurrentLine => b"\x1b[2K",
            ClearType::UntilNewLine => b"\x1b[K",
        };
        self.bytes.extend_from_slice(code);
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize {
            columns_rows: self.size,
            pixels: Size::ZERO,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::style::Style;

    use super::*;

    fn terminal() -> Terminal<Ansi> {
        Terminal::new(Ansi::new(Size::new(20, 5))).unwrap()
    }

    fn frame(terminal: &mut Terminal<Ansi>, text: &str, style: Style) -> Option<String> {
        let drawn = terminal.draw(|frame| {
            frame.buffer_mut().set_string(2, 1, text, style);
        });
        drawn.unwrap();
        let bytes = terminal.backend_mut().take_frame()?;
        let frame = String::from_utf8(bytes).unwrap();
        let inner = frame
            .strip_prefix("\x1b[?2026h")
            .unwrap()
            .strip_suffix("\x1b[?2026l")
            .unwrap();
        Some(inner.to_owned())
    }

    #[test]
    fn a_frame_without_changes_has_no_bytes() {
        let mut terminal = terminal();
        assert!(frame(&mut terminal, "pens", Style::new()).is_some());
        assert_eq!(frame(&mut terminal, "pens", Style::new()), None);
    }

    #[test]
    fn only_what_changed_is_written_in_the_fewest_bytes() {
        let mut terminal = terminal();
        assert_eq!(frame(&mut terminal, "pens", Style::new()).unwrap(), "\x1b[2;3Hpens");
        assert_eq!(frame(&mut terminal, "pins", Style::new()).unwrap(), "\x1b[2;4Hi");
        let green = Style::new().fg(Color::Green);
        assert_eq!(frame(&mut terminal, "pins", green).unwrap(), "\x1b[2;3H\x1b[32mpins");
        let bold = green.add_modifier(Modifier::BOLD);
        assert_eq!(frame(&mut terminal, "pins", bold).unwrap(), "\x1b[2;3H\x1b[1mpins");
        assert_eq!(
            frame(&mut terminal, "pins", Style::new()).unwrap(),
            "\x1b[2;3H\x1b[mpins"
        );
    }

    #[test]
    fn the_terminal_is_never_asked_anything() {
        let mut terminal = terminal();
        terminal.clear().unwrap();
        frame(&mut terminal, "x", Style::new());
        let position = terminal.get_cursor_position().unwrap();
        let bytes = terminal.backend_mut().take_frame();
        assert!(position.y <= 5 && bytes.is_none_or(|bytes| !bytes.windows(3).any(|window| window == b"[6n")));
    }
}
