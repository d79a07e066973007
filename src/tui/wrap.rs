//! Texts and the columns that they take: cut to a width, and broken into lines of a width. What is measured here is what is drawn, so that what scrolls and what draws agree.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A text cut to so many columns; its end then says so.
#[must_use]
pub fn cut<'t>(text: &'t str, width: usize, mark: &str) -> Cow<'t, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(mark.width());
    let mut taken = 0;
    let mut kept = String::new();
    for c in text.chars() {
        taken += c.width().unwrap_or(0);
        if taken > room {
            break;
        }
        kept.push(c);
    }
    if mark.width() <= width {
        kept.push_str(mark);
    }
    Cow::Owned(kept)
}

/// Breaks a text into lines of at most so many columns, between words where it can; all lines are indented as the text is.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let body = text.trim_start_matches(' ');
    let indent = " ".repeat((text.len() - body.len()).min(width / 2));
    let lines = wrap_body(body, (width - indent.len()).max(1));
    lines.into_iter().map(|line| format!("{indent}{line}")).collect()
}

fn wrap_body(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word.to_owned();
        loop {
            let line = lines.last_mut().expect("there is always a line");
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= width {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(&word);
                break;
            }
            if !line.is_empty() {
                lines.push(String::new());
                continue;
            }
            // A word longer than a line is broken.
            let head = cut(&word, width, "").into_owned();
            let head = if head.is_empty() {
                word.chars().take(1).collect()
            } else {
                head
            };
            word = word.split_off(head.len());
            line.push_str(&head);
            if word.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_says_so_and_fits() {
        assert_eq!(cut("LANTERN", 7, "…"), "LANTERN");
        assert_eq!(cut("LANTERN", 4, "…"), "LAN…");
        assert_eq!(cut("漢字漢字", 5, "…"), "漢字…");
        assert_eq!(cut("ab", 0, "…"), "");
    }

    #[test]
    fn text_wraps_between_words_and_breaks_what_is_too_long() {
        assert_eq!(
            wrap("Correct the date and save", 11),
            ["Correct the", "date and", "save"]
        );
        assert_eq!(wrap("ABCDEFGH", 3), ["ABC", "DEF", "GH"]);
        assert_eq!(wrap("漢字", 1), ["漢", "字"]);
        assert_eq!(wrap("  red lamp", 6), ["  red", "  lamp"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
