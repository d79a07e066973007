//! The one table of keys: it feeds what keys do, the footer, the help, the README's table and the names that the configuration may change.
//!
//! What an action does is in [`super::update`]; what a key is called is in [`super::key`].

mod table;

use std::collections::BTreeMap;

use super::key::{Code, Press};
use super::model::field::Field;
use crate::domain::sale::clean;
use crate::text::{Key, Text};
pub use table::{Action, Context};

/// Why a configuration's keys can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKeymap {
    /// No action has this name.
    #[error("there is no action `{name}` to give a key to; there are {}", names().join(", "))]
    UnknownAction {
        /// What stands there.
        name: String,
    },
    /// No key has this name.
    #[error("`{key}` for `{action}` is no key; write e.g. `a`, `ctrl+s`, `alt+u`, `f2`, `enter`, `pgup`")]
    UnknownKey {
        /// The action.
        action: String,
        /// What stands there.
        key: String,
    },
    /// The action would have no key at all.
    #[error("`{action}` would have no key; give it at least one")]
    NoKey {
        /// The action.
        action: String,
    },
    /// The key is text where this action is.
    #[error(
        "`{key}` for `{action}` would be typed as text there; use it with ctrl or alt, or a key that types nothing"
    )]
    TypesText {
        /// The action.
        action: String,
        /// The key.
        key: String,
    },
    /// A terminal sends another key for it, or none.
    #[error("`{key}` for `{action}` {}; use another key", arrives(*sent))]
    NeverComes {
        /// The action.
        action: String,
        /// The key.
        key: String,
        /// What the terminal sends instead, if anything.
        sent: Option<Press>,
    },
    /// The key edits the text where this action is.
    #[error("`{key}` for `{action}` is needed there to edit what is typed; use another key")]
    EditsText {
        /// The action.
        action: String,
        /// The key.
        key: String,
    },
    /// Two actions would have the same key.
    #[error("`{key}` can't be both `{first}` and `{second}`")]
    Clash {
        /// The key.
        key: String,
        /// An action.
        first: String,
        /// Another one.
        second: String,
    },
}

/// Why a key can't be a scanner's prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPrefix {
    /// No key has this name.
    #[error("scanner-prefix: `{0}` is not the name of a key; use e.g. F12")]
    UnknownKey(String),
    /// A terminal sends another key for it, or none.
    #[error("scanner-prefix: `{key}` {}; use e.g. F12", arrives(*sent))]
    NeverComes {
        /// The key.
        key: Press,
        /// What the terminal sends instead, if anything.
        sent: Option<Press>,
    },
    /// It types or edits text.
    #[error("scanner-prefix: `{0}` is for typing; use a key that types nothing, e.g. F12")]
    Types(Press),
    /// It does something already.
    #[error("scanner-prefix: `{key}` is the key of `{action}`; use another key, e.g. F12")]
    Bound {
        /// The key.
        key: Press,
        /// What it does.
        action: String,
    },
}

fn arrives(sent: Option<Press>) -> String {
    sent.map_or_else(
        || "is a key that no terminal sends".into(),
        |sent| format!("comes from a terminal as `{sent}`"),
    )
}

/// Whether a key types or edits a field's text.
fn is_for_typing(press: Press) -> bool {
    Field::default().press(press)
}

/// The keys of one action in one context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// What is done.
    pub action: Action,
    /// The keys that do it, the one to be shown first.
    pub keys: Vec<Press>,
    /// Its place in the footer, from 1; 0 for none.
    pub footer: u8,
}

impl Binding {
    /// The name by which the configuration calls it: `table.new_sale`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.context.name(), self.action.name())
    }

    /// The name of the key that is shown.
    #[must_use]
    pub fn key(&self) -> String {
        self.keys.first().map_or_else(String::new, Press::to_string)
    }
}

/// What each key does in each context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        let binding = |row: &table::Row| Binding {
            context: row.context,
            action: row.action,
            keys: row.keys.iter().filter_map(|name| Press::parse(name)).collect(),
            footer: row.footer,
        };
        Self {
            bindings: table::ROWS.iter().map(binding).collect(),
        }
    }
}

/// The names of all actions that the configuration may give keys to.
fn names() -> Vec<String> {
    Keymap::default().bindings.iter().map(Binding::name).collect()
}

impl Keymap {
    /// The keys as they are, but for those that the configuration gives: action to keys, several of them with spaces between.
    ///
    /// # Errors
    /// Names the action or the key that is unknown, that would be text, or that two actions would share.
    pub fn with(changes: &BTreeMap<String, String>) -> Result<Self, BadKeymap> {
        let mut keymap = Self::default();
        for (name, keys) in changes {
            let bound = keymap.bindings.iter_mut().find(|binding| binding.name() == *name);
            let bound = bound.ok_or_else(|| BadKeymap::UnknownAction { name: name.clone() })?;
            bound.keys = parse_keys(name, keys, bound.context)?;
        }
        keymap.check()?;
        Ok(keymap)
    }

    fn check(&self) -> Result<(), BadKeymap> {
        for (place, first) in self.bindings.iter().enumerate() {
            for second in &self.bindings[place + 1..] {
                let meet =
                    first.context == second.context || [first.context, second.context].contains(&Context::Global);
                let shared = first.keys.iter().find(|key| second.keys.contains(key));
                // The same action may have a key everywhere and another one in some context.
                if let (true, true, Some(key)) = (meet, first.action != second.action, shared) {
                    return Err(BadKeymap::Clash {
                        key: key.to_string(),
                        first: first.name(),
                        second: second.name(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Reads the key that a scanner sends before a code.
    ///
    /// # Errors
    /// When there is no such key, or it means something else already.
    pub fn scanner_prefix(&self, name: &str) -> Result<Press, BadPrefix> {
        let press = Press::parse(name).ok_or_else(|| BadPrefix::UnknownKey(clean(name)))?;
        let sent = press.sent_as();
        if sent != Some(press) {
            return Err(BadPrefix::NeverComes { key: press, sent });
        }
        if is_for_typing(press) {
            return Err(BadPrefix::Types(press));
        }
        match self.bindings.iter().find(|binding| binding.keys.contains(&press)) {
            Some(binding) => Err(BadPrefix::Bound {
                key: press,
                action: binding.name(),
            }),
            None => Ok(press),
        }
    }

    /// What a key does in a context.
    #[must_use]
    pub fn action(&self, context: Context, press: Press) -> Option<Action> {
        let within = |context| {
            let bound = self.bindings.iter().filter(move |binding| binding.context == context);
            bound
                .clone()
                .find(|binding| binding.keys.contains(&press))
                .map(|binding| binding.action)
        };
        within(context).or_else(|| within(Context::Global))
    }

    /// All bindings of a context, then those that hold everywhere.
    pub fn bindings(&self, context: Context) -> impl Iterator<Item = &Binding> {
        let own = self.bindings.iter().filter(move |binding| binding.context == context);
        let everywhere = move |binding: &&Binding| binding.context == Context::Global && context != Context::Global;
        own.chain(self.bindings.iter().filter(everywhere))
    }

    /// The bindings of a context's footer, in their order.
    #[must_use]
    pub fn footer(&self, context: Context) -> Vec<&Binding> {
        let mut shown: Vec<_> = self.bindings(context).filter(|binding| binding.footer > 0).collect();
        shown.sort_by_key(|binding| binding.footer);
        shown
    }

    /// The name of the key to press for an action in a context, e.g. in a message.
    #[must_use]
    pub fn key_for(&self, context: Context, action: Action) -> String {
        let found = self.bindings(context).find(|binding| binding.action == action);
        found.map_or_else(String::new, Binding::key)
    }

    /// The README's table of keys, in Markdown.
    #[must_use]
    pub fn markdown(&self, text: &Text) -> String {
        let mut table = String::from("| where | key | what it does |\n| --- | --- | --- |\n");
        for binding in &self.bindings {
            let keys: Vec<_> = binding.keys.iter().map(|key| format!("`{key}`")).collect();
            let (place, what) = (text.word(binding.context.label()), text.word(binding.action.label()));
            table.extend(["| ", place, " | ", &keys.join(" "), " | ", what, " |\n"]);
        }
        table
    }
}

impl Context {
    /// Whether characters are text here, so that none of them can be a hotkey.
    #[must_use]
    pub const fn takes_text(self) -> bool {
        matches!(self, Self::Form | Self::Find | Self::Filter | Self::Help)
    }

    /// The word for it.
    #[must_use]
    pub const fn label(self) -> Key {
        match self {
            Self::Global => Key::ContextGlobal,
            Self::Table => Key::ContextTable,
            Self::Log => Key::ContextLog,
            Self::Form => Key::ContextForm,
            Self::Confirm => Key::ContextConfirm,
            Self::Story => Key::ContextStory,
            Self::Find => Key::ContextFind,
            Self::Filter => Key::ContextFilter,
            Self::Help => Key::ContextHelp,
            Self::Totals => Key::ContextTotals,
            Self::Conflict => Key::ContextConflict,
        }
    }
}

fn parse_keys(action: &str, keys: &str, context: Context) -> Result<Vec<Press>, BadKeymap> {
    let action = action.to_owned();
    let mut pressed = Vec::new();
    for name in keys.split_whitespace() {
        let key = name.to_owned();
        let Some(press) = Press::parse(name) else {
            return Err(BadKeymap::UnknownKey { action, key });
        };
        if (context.takes_text() || context == Context::Global) && press.types().is_some() {
            return Err(BadKeymap::TypesText { action, key });
        }
        let sent = press.sent_as();
        if sent != Some(press) {
            return Err(BadKeymap::NeverComes { action, key, sent });
        }
        if context.takes_text() && is_for_typing(press) && !is_free(context, press) {
            return Err(BadKeymap::EditsText { action, key });
        }
        pressed.push(press);
    }
    if pressed.is_empty() {
        return Err(BadKeymap::NoKey { action });
    }
    Ok(pressed)
}

/// Whether a key that edits text elsewhere does not here: the filter's days and states are chosen with the arrows.
fn is_free(context: Context, press: Press) -> bool {
    context == Context::Filter && [Code::Left, Code::Right].map(Press::plain).contains(&press)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(action: &str, keys: &str) -> Result<Keymap, BadKeymap> {
        Keymap::with(&BTreeMap::from([(action.to_owned(), keys.to_owned())]))
    }

    #[test]
    fn every_key_of_the_table_is_a_key_and_none_clash() {
        let written: usize = table::ROWS.iter().map(|row| row.keys.len()).sum();
        let keymap = Keymap::default();
        assert_eq!(
            keymap.bindings.iter().map(|binding| binding.keys.len()).sum::<usize>(),
            written
        );
        assert_eq!(keymap.check(), Ok(()));
        for binding in keymap.bindings.iter().filter(|binding| binding.context.takes_text()) {
            let keys: Vec<_> = binding.keys.iter().map(Press::to_string).collect();
            let as_configured = parse_keys(&binding.name(), &keys.join(" "), binding.context);
            assert_eq!(
                as_configured.as_ref(),
                Ok(&binding.keys),
                "what is there may be configured"
            );
        }
    }

    #[test]
    fn function_keys_have_another_way() {
        for binding in &Keymap::default().bindings {
            let other = binding
                .keys
                .iter()
                .any(|key| !matches!(key.code, crate::tui::key::Code::F(_)));
            assert!(other, "{} needs a function key", binding.name());
        }
    }

    #[test]
    fn keys_can_be_changed_and_mistakes_are_named() {
        let keymap = with("table.new_sale", "n ctrl+n").unwrap();
        assert_eq!(
            keymap.action(Context::Table, Press::parse("n").unwrap()),
            Some(Action::NewSale)
        );
        assert_eq!(keymap.action(Context::Table, Press::parse("a").unwrap()), None);
        assert_eq!(keymap.key_for(Context::Table, Action::NewSale), "n");
        assert!(matches!(with("table.dance", "n"), Err(BadKeymap::UnknownAction { name }) if name == "table.dance"));
        assert!(matches!(with("table.edit", "hyper+n"), Err(BadKeymap::UnknownKey { key, .. }) if key == "hyper+n"));
        assert!(matches!(with("form.save", "s"), Err(BadKeymap::TypesText { .. })));
        assert!(matches!(with("form.save", " "), Err(BadKeymap::NoKey { .. })));
        for key in ["backspace", "del", "left", "home", "ctrl+w"] {
            assert!(
                matches!(with("form.save", key), Err(BadKeymap::EditsText { .. })),
                "{key}"
            );
        }
        let tab = with("table.edit", "e ctrl+i").unwrap_err().to_string();
        assert_eq!(
            tab,
            "`ctrl+i` for `table.edit` comes from a terminal as `Tab`; use another key"
        );
        for key in ["ctrl+m", "ctrl+j", "ctrl+h", "ctrl+1", "alt+["] {
            assert!(
                matches!(with("form.save", key), Err(BadKeymap::NeverComes { .. })),
                "{key}"
            );
        }
        let clash = with("table.edit", "a").unwrap_err().to_string();
        assert_eq!(clash, "`a` can't be both `table.new_sale` and `table.edit`");
    }

    #[test]
    fn a_scanners_prefix_is_a_key_that_means_nothing_else() {
        let prefix = |name| Keymap::default().scanner_prefix(name);
        assert_eq!(prefix("f12"), Ok(Press::plain(Code::F(12))));
        assert_eq!(prefix("alt+x").map(|key| key.to_string()), Ok("Alt+x".into()));
        for bound in ["enter", "esc", "f1", "ctrl+b", "tab", "ctrl+c"] {
            assert!(matches!(prefix(bound), Err(BadPrefix::Bound { .. })), "{bound}");
        }
        for typing in ["a", "7", "space", "backspace", "left", "ctrl+w"] {
            assert!(matches!(prefix(typing), Err(BadPrefix::Types(_))), "{typing}");
        }
        assert!(matches!(prefix("ctrl+i"), Err(BadPrefix::NeverComes { .. })));
        assert!(matches!(prefix("f13"), Err(BadPrefix::UnknownKey(_))));
        let said = prefix("f1").unwrap_err().to_string();
        assert_eq!(
            said,
            "scanner-prefix: `F1` is the key of `everywhere.help`; use another key, e.g. F12"
        );
    }

    #[test]
    fn a_key_that_holds_everywhere_holds_in_a_form() {
        let keymap = Keymap::default();
        assert_eq!(keymap.action(Context::Form, Press::ctrl('c')), Some(Action::Quit));
        assert_eq!(keymap.action(Context::Form, Press::parse("q").unwrap()), None);
    }
}
