//! A branch: the sync worker, with or without the screen.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::clerk::Clerk;
use super::screen_name;
use crate::clock;
use crate::config::{self, Settings, Theme as Colours, Warning};
use crate::domain::ids::BranchCode;
use crate::protocol::uplink::Limits;
use crate::shutdown::{self, Shutdown};
use crate::store::OpenError;
use crate::store::branch::BranchDb;
use crate::sync::service::{Handle, Lookout, Service};
use crate::telemetry;
use crate::text::Text;
use crate::transport::amqp::BranchAmqp;
use crate::tui::desk;
use crate::tui::keymap::Keymap;
use crate::tui::model;
use crate::tui::screen::Screen;
use crate::tui::terminal::NoScreen;
use crate::tui::theme::{Palette, Surroundings, Theme};
use crate::wire;

/// Runs the sync worker until the program is asked to stop.
pub(super) async fn worker(settings: &Settings) -> anyhow::Result<u8> {
    let path = settings.database()?.to_owned();
    let db = open(settings, &path, settings.create)?;
    let (trigger, shutdown) = shutdown::channel();
    let branch = db.branch().clone();
    drop(db);
    tracing::info!(%branch, broker = %settings.broker, database = %path.display(), "the branch is served");
    let service = start(settings, path, branch, Lookout::Own, shutdown)?;
    let signal = shutdown::signalled().await.context("signals can't be waited for")?;
    tracing::info!(signal, "stopping");
    trigger.request();
    end(service).await?;
    Ok(0)
}

/// Shows the branch's screen, with the sync worker inside, until the person leaves.
pub(super) async fn screen(mut settings: Settings) -> anyhow::Result<u8> {
    let surroundings = Surroundings::read(|name| std::env::var(name).ok());
    let mut screen = Screen::open(&surroundings, settings.mouse).map_err(|why| no_screen(why, &settings.text))?;
    let theme = Theme::choose(Some(palette(settings.theme)), settings.ascii, &surroundings);
    let mut asked = false;
    if settings.branch.is_none() && settings.db.is_none() {
        let file = settings.places.own_config_file();
        let question = screen
            .ask_branch(settings.text.clone(), theme, &file.display().to_string())
            .await?;
        let Some(given) = question else { return Ok(0) };
        if given.write {
            config::write_initial(&file, &given.branch)?;
        }
        settings.take_branch(given.branch);
        asked = true;
    }
    let path = settings.database()?.to_owned();
    let db = open(&settings, &path, settings.create || asked)?;
    if let Some(log_file) = settings.log_file() {
        telemetry::to_file(&log_file)?;
    }
    show(&settings, &mut screen, theme, surroundings.remote, db).await
}

/// Why there is no screen, in the language that the screen would have spoken.
fn no_screen(why: NoScreen, text: &Text) -> anyhow::Error {
    let said = why.in_words(text);
    match why {
        NoScreen::Io(source) => anyhow::Error::new(source).context(said),
        NoScreen::NotATerminal | NoScreen::Dumb(_) => anyhow::Error::msg(said),
    }
}

async fn show(
    settings: &Settings,
    screen: &mut Screen,
    theme: Theme,
    remote: bool,
    mut db: BranchDb,
) -> anyhow::Result<u8> {
    let branch = db.branch().clone();
    let keymap = Keymap::with(&settings.keys).context("the keys of the configuration can't be used")?;
    let prefix = settings.scanner_prefix.as_ref();
    let scanner_prefix = prefix.map(|given| keymap.scanner_prefix(&given.text)).transpose()?;
    let looks = model::Settings {
        branch: branch.clone(),
        text: settings.text.clone(),
        theme,
        keymap,
        remote,
        read_only: settings.read_only,
        region: settings.home_region(&branch),
        tax_rate: settings.tax_rate,
        knows_codes: db.knows_products()?,
        scanner_prefix,
        log_file: settings.log_file().map(|path| path.display().to_string()),
        plain_line: settings
            .warnings
            .iter()
            .any(|warning| matches!(warning, Warning::Overheard { .. })),
        hours: settings.hours.clone(),
        local: clock::local_of,
    };
    let (trigger, shutdown) = shutdown::channel();
    let service = if settings.read_only {
        None
    } else {
        Some(start(settings, db.path().to_owned(), branch, Lookout::Told, shutdown)?)
    };
    let clerk = Clerk {
        db,
        screen: screen_name::own(),
        unsaved: None,
        text: settings.text.clone(),
        nudges: service.as_ref().map(|service| service.nudges.clone()),
        changed: service.as_ref().map(|service| service.changed.clone()),
        is_alive: screen_name::is_alive,
    };
    let (ends, executor) = desk::desk();
    let serving = tokio::task::spawn_blocking(|| clerk.serve(executor));
    let shown = screen.show(looks, ends).await;
    // What was typed last is written before anything else ends.
    serving.await.context("the database's clerk failed")?;
    trigger.request();
    if let Some(service) = service {
        end(service).await?;
    }
    shown.context("the terminal failed")?;
    Ok(0)
}

const fn palette(colours: Colours) -> Palette {
    match colours {
        Colours::Dark => Palette::Dark,
        Colours::Light => Palette::Light,
        Colours::Mono => Palette::Mono,
    }
}

/// Starts the sync service.
fn start(
    settings: &Settings,
    path: PathBuf,
    branch: BranchCode,
    lookout: Lookout,
    shutdown: Shutdown,
) -> anyhow::Result<Handle> {
    let address = settings.broker.address(branch.as_str())?;
    let transport = BranchAmqp::new(address, branch.clone(), clock::wall(), settings.cap);
    let limits = Limits {
        linger_ms: settings.linger_ms,
        ..Limits::real(wire::WRITES.to_vec())
    };
    let service = Service {
        path,
        branch,
        transport,
        limits,
        hours: settings.hours.clone(),
        lookout,
    };
    Ok(service.start(shutdown))
}

async fn end(service: Handle) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(|| service.join())
        .await
        .context("the sync worker can't be waited for")
}

/// Opens the branch's database, or makes it if that was asked for.
fn open(settings: &Settings, path: &Path, create: bool) -> anyhow::Result<BranchDb> {
    let branch = settings.branch.as_ref();
    let opened = if settings.read_only {
        BranchDb::open_read_only(path, branch)
    } else {
        BranchDb::open(path, branch)
    };
    match opened {
        Err(OpenError::NoDatabase { .. }) if create && !settings.read_only => {
            let Some(branch) = branch else {
                bail!(settings.no_branch())
            };
            Ok(BranchDb::create(path, branch, clock::random(), clock::wall())?)
        }
        opened => Ok(opened?),
    }
}
