//! `branchline quarantine`: looks after the messages that head office could not read or would not take.

use super::{CommandError, Console, Exit};
use crate::clock;
use crate::config::{QuarantineTask, Settings};
use crate::domain::sale::clean;
use crate::hq;
use crate::store::hq::{HqDb, Quarantined};

/// How many messages are read at a time.
const PAGE: u32 = 100;
/// How many bytes a line of a message's content shows.
const BYTES_A_LINE: usize = 16;

pub(super) fn run(
    db: &mut HqDb,
    task: QuarantineTask,
    settings: &Settings,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    match task {
        QuarantineTask::List => list(db, console)?,
        QuarantineTask::Show(id) => {
            let message = db.quarantined_message(id)?.ok_or(CommandError::NoMessage(id))?;
            for line in in_full(&message) {
                console.say(&line)?;
            }
        }
        QuarantineTask::Replay(_) | QuarantineTask::Discard(_) if settings.read_only => {
            return Err(CommandError::ReadOnly);
        }
        QuarantineTask::Replay(id) => {
            hq::replay(db, id, settings.trial, clock::wall())?;
            console.say(&format!("Message {id} is taken and has left the quarantine."))?;
        }
        QuarantineTask::Discard(id) => {
            if !db.discard_quarantined(id)? {
                return Err(CommandError::NoMessage(id));
            }
            console.say(&format!("Message {id} is thrown away."))?;
        }
    }
    Ok(Exit::Done)
}

fn list(db: &mut HqDb, console: &mut Console<'_>) -> Result<(), CommandError> {
    let mut after = 0;
    loop {
        let page = db.quarantined(after, PAGE)?;
        let Some(last) = page.last() else { break };
        if after == 0 {
            console.say("    No  last came (UTC)      times     bytes  key and reason")?;
        }
        after = last.id;
        for message in &page {
            console.say(&in_one_line(message))?;
        }
    }
    if after == 0 {
        console.say("The quarantine is empty.")?;
    }
    Ok(())
}

/// What others have written is cleaned before it is shown.
fn in_one_line(message: &Quarantined) -> String {
    format!(
        "{:>6}  {}  {:>5}  {:>8}  {}: {}",
        message.id,
        message.last_at.to_utc().format("%Y-%m-%d %H:%M:%S"),
        message.count,
        message.suspect.bytes.len(),
        clean(&message.suspect.routing_key),
        clean(&message.suspect.reason),
    )
}

fn in_full(message: &Quarantined) -> Vec<String> {
    let suspect = &message.suspect;
    let mut lines = vec![
        format!("Message {}: {}", message.id, clean(&suspect.reason)),
        format!("  first came   {}", message.at.to_utc().format("%Y-%m-%d %H:%M:%S UTC")),
        format!(
            "  last came    {}",
            message.last_at.to_utc().format("%Y-%m-%d %H:%M:%S UTC")
        ),
        format!("  times        {}", message.count),
        format!("  routing key  {}", clean(&suspect.routing_key)),
        format!(
            "  user         {}",
            suspect.user_id.as_deref().map_or_else(|| "none".to_owned(), clean)
        ),
        format!("  headers      {}", clean(&suspect.headers)),
        format!("  {} bytes:", suspect.bytes.len()),
    ];
    lines.extend(
        suspect
            .bytes
            .chunks(BYTES_A_LINE)
            .enumerate()
            .map(|(row, bytes)| dumped(row * BYTES_A_LINE, bytes)),
    );
    lines
}

/// One line of bytes: where it begins, each byte in two digits, and the ASCII characters among them.
fn dumped(offset: usize, bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let shown = |byte: &u8| {
        if byte.is_ascii_graphic() {
            char::from(*byte)
        } else {
            '.'
        }
    };
    let text: String = bytes.iter().map(shown).collect();
    format!("  {offset:08x}  {:<47}  {text}", digits.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::UtcMillis;
    use crate::store::hq::Suspect;

    fn message() -> Quarantined {
        Quarantined {
            id: 7,
            at: UtcMillis(1_795_356_451_250),
            last_at: UtcMillis(1_795_356_459_250),
            count: 3,
            suspect: Suspect {
                reason: "it is not ours".into(),
                routing_key: "TUNIS-01\x1b[2J.s".into(),
                user_id: None,
                headers: "{}".into(),
                bytes: b"hello \x1b[31m world".to_vec(),
            },
        }
    }

    #[test]
    fn what_others_have_written_moves_nobodys_cursor() {
        let lines = [vec![in_one_line(&message())], in_full(&message())].concat();
        assert!(lines.iter().all(|line| !line.contains('\x1b')), "{lines:?}");
    }

    #[test]
    fn a_message_is_shown_with_all_its_bytes() {
        let lines = in_full(&message());
        assert_eq!(
            lines[8],
            "  00000000  68 65 6c 6c 6f 20 1b 5b 33 31 6d 20 77 6f 72 6c  hello..[31m.worl"
        );
        assert_eq!(
            lines[9].trim_end(),
            "  00000010  64                                               d"
        );
    }
}
