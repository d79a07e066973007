//! The layers together, through [`super::resolve`] and real files.

use std::fs;

use clap::Parser;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let home = [("HOME", "/home/a"), ("LANG", "fr_TN.UTF-8")];
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    home.iter().chain(pairs).map(own).collect()
}

fn settings(line: &[&str], variables: &[(&str, &str)], file: Option<(&str, u32)>) -> Result<Settings, ConfigError> {
    let cli = Cli::try_parse_from([&["branchline"], line].concat()).unwrap();
    let environment = environment(variables);
    let file = file.map(|(text, mode)| ConfigFile::parse(Path::new("/x/b.toml"), mode, text).unwrap());
    let places = Places::of(&environment);
    resolve(&cli, &environment, file.as_ref(), &places, &Shared::default())
}

#[test]
fn defaults_need_nothing_but_a_branch() {
    let settings = settings(&["--branch", "tunis-01"], &[], None).unwrap();
    assert_eq!(settings.task, Task::Screen);
    assert_eq!(
        settings.database().unwrap(),
        Path::new("/home/a/.local/share/branchline/TUNIS-01.db")
    );
    assert_eq!(settings.broker.to_string(), "127.0.0.1:5672");
    assert_eq!(settings.home_region(settings.branch.as_ref().unwrap()), "TUNIS-01");
    assert_eq!(
        settings.log_file().unwrap(),
        Path::new("/home/a/.local/state/branchline/TUNIS-01.log")
    );
    assert!(settings.tax_rate.is_zero() && !settings.ascii && settings.warnings.is_empty());
    assert_eq!(settings.text.code(), "fr");
}

#[test]
fn head_office_has_a_database_of_its_own_and_needs_no_branch() {
    let settings = settings(&["--headless", "hq"], &[], None).unwrap();
    assert_eq!(
        settings.database().unwrap(),
        Path::new("/home/a/.local/share/branchline/hq.db")
    );
}

#[test]
fn without_a_branch_the_error_says_where_to_name_it() {
    let says = settings(&["status"], &[], None)
        .unwrap()
        .database()
        .unwrap_err()
        .to_string();
    assert!(
        says.contains("--branch") && says.contains("/home/a/.config/branchline/branchline.toml"),
        "{says}"
    );
}

#[test]
fn each_layer_is_named_when_its_value_is_bad() {
    let says =
        |line: &[&str], variables: &[(&str, &str)], file| settings(line, variables, file).unwrap_err().to_string();
    assert!(says(&["--branch", "TÜNIS"], &[], None).starts_with("--branch TÜNIS is not allowed: use 1 to 32 of A-Z"));
    assert!(
        says(&[], &[("BRANCHLINE_HEADLESS", "both")], None).starts_with("BRANCHLINE_HEADLESS=both in the environment")
    );
    assert!(
        says(&[], &[], Some(("\ntax-rate = 120", 0o644))).starts_with("/x/b.toml, line 2: tax-rate = \"120\" is not")
    );
}

#[test]
fn a_postgresql_url_is_not_taken_for_a_file() {
    let says = settings(&["--headless", "hq", "--db", "postgres://me@host/hq"], &[], None)
        .unwrap_err()
        .to_string();
    assert!(says.contains("--db") && says.contains("SQLite"), "{says}");
}

#[test]
fn a_file_with_a_password_must_be_its_owners_alone() {
    let with_password = "amqp = 'amqp://me:hunter2@127.0.0.1'";
    let says = settings(&[], &[], Some((with_password, 0o640)))
        .unwrap_err()
        .to_string();
    assert!(
        says.contains("/x/b.toml holds a password") && says.contains("chmod 600"),
        "{says}"
    );
    assert!(settings(&[], &[], Some((with_password, 0o600))).is_ok());
    assert!(settings(&[], &[], Some(("amqp = 'amqp://guest:guest@127.0.0.1'", 0o644))).is_ok());
    // A flag that overrides the file's URL makes its password irrelevant.
    assert!(settings(&["--amqp", "amqp://127.0.0.1"], &[], Some((with_password, 0o644))).is_ok());
}

#[test]
fn a_password_on_the_command_line_warns_and_in_the_environment_does_not() {
    let url = "amqps://me:hunter2@hq.example";
    let on_line = settings(&["--amqp", url], &[], None).unwrap();
    assert_eq!(on_line.warnings, [Warning::PasswordOnCommandLine]);
    assert!(!format!("{on_line:?}").contains("hunter2"));
    assert!(
        settings(&[], &[("BRANCHLINE_AMQP", url)], None)
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn a_plain_line_that_leaves_the_machine_warns_those_who_use_it() {
    let warnings = |line: &[&str]| {
        settings(line, &[("BRANCHLINE_AMQP", "amqp://hq.example")], None)
            .unwrap()
            .warnings
    };
    assert_eq!(
        warnings(&[]),
        [Warning::Overheard {
            broker: "hq.example:5672".into()
        }]
    );
    assert!(warnings(&["status"]).is_empty());
}

#[test]
fn the_mouse_is_left_to_the_terminals_distance_unless_told() {
    let mouse = |line: &[&str]| settings(line, &[], None).map(|settings| settings.mouse);
    assert_eq!(mouse(&[]).unwrap(), None);
    assert_eq!(mouse(&["--mouse", "auto"]).unwrap(), None);
    assert_eq!(mouse(&["--mouse", "on"]).unwrap(), Some(true));
    assert_eq!(mouse(&["--mouse", "off"]).unwrap(), Some(false));
    let says = mouse(&["--mouse", "maybe"]).unwrap_err().to_string();
    assert_eq!(
        says,
        "--mouse maybe is not allowed: use `on`, `off` or `auto` (off over SSH)"
    );
}

#[test]
fn colours_and_characters_follow_the_environment_unless_told() {
    let looks = |line: &[&str], variables: &[(&str, &str)]| {
        let settings = settings(line, variables, None).unwrap();
        (settings.theme, settings.ascii)
    };
    assert_eq!(looks(&[], &[("NO_COLOR", "1")]), (Theme::Mono, false));
    assert_eq!(
        looks(&["--theme", "light"], &[("NO_COLOR", "1")]),
        (Theme::Light, false)
    );
    assert_eq!(looks(&[], &[("LC_ALL", "C")]), (Theme::Dark, true));
    assert_eq!(
        looks(&[], &[("LC_ALL", "C"), ("BRANCHLINE_ASCII", "no")]),
        (Theme::Dark, false)
    );
}

#[test]
fn files_are_looked_for_where_config_says_then_at_the_users_then_at_the_machines() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(&[]);
    let mut places = Places::of(&environment);
    places.user_config = Some(folder.path().join("user"));
    places.system_config = folder.path().join("etc");
    places.system_data = folder.path().join("lib");
    let branch = |line: &[&str]| {
        let cli = Cli::try_parse_from([&["branchline"], line].concat()).unwrap();
        load_from(&cli, &environment, &places)
            .map(|settings| (settings.branch.unwrap().to_string(), settings.db.unwrap()))
    };
    let write = |name: &str, code: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("branch = '{code}'")).unwrap();
        path
    };
    write("etc/branchline.toml", "MACHINE");
    let shared = folder.path().join("lib/MACHINE.db");
    assert_eq!(branch(&[]).unwrap(), ("MACHINE".into(), shared.clone()));
    // A technician who names the machine's branch gets the machine's database, not an empty one.
    assert_eq!(branch(&["--branch", "machine"]).unwrap().1, shared);

    write("user/branchline.toml", "USER");
    assert_eq!(branch(&[]).unwrap().0, "USER");
    let named = write("named.toml", "NAMED");
    assert_eq!(branch(&["--config", named.to_str().unwrap()]).unwrap().0, "NAMED");

    let says = branch(&["--config", "/no/such/file.toml"]).unwrap_err().to_string();
    assert!(says.contains("/no/such/file.toml"), "{says}");
}

#[test]
fn an_unknown_language_is_refused_where_it_was_asked_for_but_not_in_a_locale() {
    let says = settings(&["--lang", "xx"], &[], None).unwrap_err().to_string();
    assert!(says.starts_with("--lang xx is not allowed: use a language"), "{says}");
    assert_eq!(settings(&["--lang", "EN"], &[], None).unwrap().text.code(), "en");
    assert_eq!(
        settings(&[], &[("LC_ALL", "xx_XX.UTF-8")], None).unwrap().text.code(),
        "en"
    );
}

#[test]
fn the_line_can_be_told_when_to_rest_and_how_much_to_carry() {
    let metered = ["--linger", "5m", "--cap", "8", "--hours", "12:30-13:15"];
    let given = settings(&[&["--branch", "A"][..], &metered].concat(), &[], None).unwrap();
    assert_eq!((given.linger_ms, given.cap), (Some(300_000), Some(8_000)));
    assert_eq!(given.hours, Hours::parse("12:30-13:15"));
    let plain = settings(&["--branch", "A"], &[], None).unwrap();
    assert_eq!((plain.linger_ms, plain.cap, plain.hours), (None, None, None));
    for (option, bad) in [
        ("--linger", "60"),
        ("--linger", "0s"),
        ("--cap", "0"),
        ("--cap", "fast"),
        ("--hours", "9-17"),
    ] {
        let says = settings(&["--branch", "A", option, bad], &[], None)
            .unwrap_err()
            .to_string();
        assert!(
            says.starts_with(&format!("{option} {bad} is not allowed: use ")),
            "{says}"
        );
    }
}
