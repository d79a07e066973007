//! How things look: named roles over the 16 ANSI colours, and the glyphs. Which role a thing has is decided where it is drawn.

use ratatui::style::{Color, Modifier, Style};

use crate::domain::event::Level;
use crate::domain::sync_state::SyncKind;

/// What a piece of the screen is, as far as its looks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Text that may be overlooked: labels, rules, what is done.
    Quiet,
    /// The name of a screen, a heading.
    Title,
    /// A key in the footer and in the help.
    Key,
    /// All is well.
    Good,
    /// Something waits and mends itself.
    Waiting,
    /// Something is on its way.
    Moving,
    /// Somebody should act.
    Bad,
    /// Two contents stand against each other.
    Conflict,
    /// The selected row.
    Selected,
    /// What is typed into a field without the focus.
    Field,
    /// What is typed into the field with the focus.
    FieldFocused,
    /// A passing message.
    Notice,
    /// A bar of a chart.
    Bar,
    /// A voided sale.
    Void,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 15] = [
        Self::Text,
        Self::Quiet,
        Self::Title,
        Self::Key,
        Self::Good,
        Self::Waiting,
        Self::Moving,
        Self::Bad,
        Self::Conflict,
        Self::Selected,
        Self::Field,
        Self::FieldFocused,
        Self::Notice,
        Self::Bar,
        Self::Void,
    ];

    /// The role of a sync state.
    #[must_use]
    pub const fn of_sync(kind: SyncKind) -> Self {
        match kind {
            SyncKind::Pending => Self::Waiting,
            SyncKind::Sent => Self::Moving,
            SyncKind::Acked => Self::Good,
            SyncKind::Rejected => Self::Bad,
            SyncKind::Conflict => Self::Conflict,
        }
    }

    /// The role of a log line.
    #[must_use]
    pub const fn of_level(level: Level) -> Self {
        match level {
            Level::Info => Self::Text,
            Level::Warning => Self::Waiting,
            Level::Problem => Self::Bad,
        }
    }
}

/// The colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Palette {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light background.
    Light,
    /// Attributes only, no colour.
    Mono,
}

impl Palette {
    /// The name by which the configuration calls it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "dark" => Some(Self::Dark),
            "light" => Some(Self::Light),
            "mono" => Some(Self::Mono),
            _ => None,
        }
    }
}

/// The glyphs of a screen.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Whether all of them are ASCII; everything that is drawn is then brought to ASCII too.
    pub ascii: bool,
    /// A horizontal rule.
    pub rule: &'static str,
    /// A vertical rule.
    pub side: &'static str,
    /// The corners of a box: top left, top right, bottom left, bottom right.
    pub corners: [&'static str; 4],
    /// Marks the selected row.
    pub marker: &'static str,
    /// Stands for text that was cut off.
    pub cut: &'static str,
    /// Between a quantity and a cost.
    pub times: &'static str,
    /// The line is up.
    pub line_up: &'static str,
    /// The line is down.
    pub line_down: &'static str,
    /// An arrow from old to new.
    pub arrow: &'static str,
    /// Marks the column that orders the table: the lowest first, the highest first.
    pub order: [&'static str; 2],
    /// The bars of a chart, from an eighth to a whole.
    pub bars: [&'static str; 8],
    sync: [&'static str; 5],
}

impl Glyphs {
    /// The glyph of a sync state.
    #[must_use]
    pub const fn sync(&self, kind: SyncKind) -> &'static str {
        self.sync[kind as usize]
    }
}

/// Glyphs for terminals that know Unicode.
pub static UNICODE: Glyphs = Glyphs {
    ascii: false,
    rule: "─",
    side: "│",
    corners: ["┌", "┐", "└", "┘"],
    marker: "▌",
    cut: "…",
    times: "×",
    line_up: "●",
    line_down: "○",
    arrow: "→",
    order: ["▴", "▾"],
    bars: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    sync: ["…", "↑", "✓", "!", "≠"],
};

/// Glyphs for terminals that don't.
pub static ASCII: Glyphs = Glyphs {
    ascii: true,
    rule: "-",
    side: "|",
    corners: ["+", "+", "+", "+"],
    marker: ">",
    cut: "~",
    times: "x",
    line_up: "*",
    line_down: "o",
    arrow: "->",
    order: ["^", "v"],
    bars: [" ", " ", " ", "=", "=", "=", "=", "="],
    sync: [".", "^", "+", "!", "#"],
};

/// Colours and glyphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// The colours.
    pub palette: Palette,
    /// The glyphs.
    pub glyphs: &'static Glyphs,
}

impl Theme {
    /// Chooses the looks for a terminal.
    ///
    /// `NO_COLOR`, set to anything, is monochrome whatever else is asked for but by flag; a locale that isn't UTF-8 has ASCII glyphs, and so has the Linux console,
    /// whose fonts lack half of the others.
    #[must_use]
    pub fn choose(palette: Option<Palette>, ascii: bool, environment: &Surroundings) -> Self {
        let palette = palette.unwrap_or(if environment.no_color {
            Palette::Mono
        } else {
            Palette::Dark
        });
        let plain = ascii || !environment.utf8 || environment.term == "linux";
        Self {
            palette,
            glyphs: if plain { &ASCII } else { &UNICODE },
        }
    }

    /// The style of a role.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        match self.palette {
            Palette::Dark => dark(role),
            Palette::Light => light(role),
            Palette::Mono => mono(role),
        }
    }
}

/// What a terminal's environment says about its looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// `TERM`.
    pub term: String,
    /// Whether `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// Whether the locale's characters are UTF-8.
    pub utf8: bool,
    /// Whether the terminal is at the other end of an SSH session.
    pub remote: bool,
}

impl Surroundings {
    /// Reads the environment through `variable`.
    #[must_use]
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name));
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self {
            term: set("TERM").unwrap_or_default(),
            no_color: set("NO_COLOR").is_some(),
            utf8,
            remote: ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| set(name).is_some()),
        }
    }

    /// Whether the terminal can't place a cursor at all.
    #[must_use]
    pub fn is_dumb(&self) -> bool {
        self.term.is_empty() || self.term == "dumb"
    }
}

fn dark(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Text | Role::Field => plain,
        Role::Quiet => plain.fg(Color::DarkGray),
        Role::Title => plain.add_modifier(Modifier::BOLD),
        Role::Key => plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::Good => plain.fg(Color::Green),
        Role::Waiting => plain.fg(Color::Yellow),
        Role::Moving => plain.fg(Color::LightBlue),
        Role::Bad => plain.fg(Color::LightRed).add_modifier(Modifier::BOLD),
        Role::Conflict => plain.fg(Color::LightMagenta).add_modifier(Modifier::BOLD),
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::FieldFocused => plain.add_modifier(Modifier::UNDERLINED),
        Role::Notice => plain.fg(Color::LightCyan).add_modifier(Modifier::BOLD),
        Role::Bar => plain.fg(Color::Cyan),
        Role::Void => plain.fg(Color::DarkGray).add_modifier(Modifier::CROSSED_OUT),
    }
}

fn light(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Key | Role::Notice => plain.fg(Color::Blue).add_modifier(Modifier::BOLD),
        Role::Waiting => plain.fg(Color::Magenta),
        Role::Moving | Role::Bar => plain.fg(Color::Blue),
        Role::Bad => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Conflict => plain.fg(Color::Red).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        other => dark(other),
    }
}

fn mono(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Text | Role::Field | Role::Bar | Role::Moving => plain,
        Role::Quiet | Role::Good => plain.add_modifier(Modifier::DIM),
        Role::Title | Role::Key | Role::Notice | Role::Waiting => plain.add_modifier(Modifier::BOLD),
        Role::Bad => plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
        Role::Conflict => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::FieldFocused => plain.add_modifier(Modifier::UNDERLINED),
        Role::Void => plain.add_modifier(Modifier::DIM | Modifier::CROSSED_OUT),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn sync_states_differ_without_colour() {
        for glyphs in [&UNICODE, &ASCII] {
            let distinct: HashSet<_> = SyncKind::ALL.iter().map(|kind| glyphs.sync(*kind)).collect();
            assert_eq!(distinct.len(), SyncKind::ALL.len());
        }
        for palette in [Palette::Mono, Palette::Dark, Palette::Light] {
            let theme = Theme {
                palette,
                glyphs: &ASCII,
            };
            let styles = SyncKind::ALL.iter().map(|kind| theme.style(Role::of_sync(*kind)));
            let distinct: HashSet<_> = styles.collect();
            assert_eq!(distinct.len(), SyncKind::ALL.len(), "and by style alone: {palette:?}");
        }
    }

    #[test]
    fn mono_has_no_colour_and_the_others_only_the_sixteen() {
        for palette in [Palette::Dark, Palette::Light, Palette::Mono] {
            for role in Role::ALL {
                let style = Theme {
                    palette,
                    glyphs: &UNICODE,
                }
                .style(role);
                for colour in [style.fg, style.bg].into_iter().flatten() {
                    assert_ne!(palette, Palette::Mono);
                    assert!(!matches!(colour, Color::Rgb(..) | Color::Indexed(_)));
                }
            }
        }
    }

    #[test]
    fn ascii_glyphs_are_ascii() {
        let glyphs = [
            ASCII.rule,
            ASCII.side,
            ASCII.marker,
            ASCII.cut,
            ASCII.times,
            ASCII.arrow,
            ASCII.line_up,
            ASCII.line_down,
        ];
        let all = glyphs
            .iter()
            .chain(&ASCII.bars)
            .chain(&ASCII.corners)
            .chain(&ASCII.sync);
        assert!(all.into_iter().all(|glyph| glyph.is_ascii()));
    }

    #[test]
    fn the_environment_chooses_the_looks() {
        let read = |pairs: &'static [(&str, &str)]| {
            Surroundings::read(|name| {
                pairs
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        let kitty = read(&[("TERM", "xterm-kitty"), ("LANG", "fr_TN.UTF-8")]);
        assert_eq!(
            Theme::choose(None, false, &kitty),
            Theme {
                palette: Palette::Dark,
                glyphs: &UNICODE
            }
        );
        let bare = read(&[
            ("TERM", "xterm"),
            ("LANG", "en_US.UTF-8"),
            ("LC_ALL", "C"),
            ("NO_COLOR", "1"),
        ]);
        assert_eq!(
            Theme::choose(None, false, &bare),
            Theme {
                palette: Palette::Mono,
                glyphs: &ASCII
            }
        );
        assert_eq!(
            Theme::choose(Some(Palette::Light), false, &bare).palette,
            Palette::Light
        );
        assert!(read(&[("SSH_TTY", "/dev/pts/1")]).remote && read(&[]).is_dumb());
    }
}
