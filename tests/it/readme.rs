//! The README says what the program does: its tables are held against the program's own.

use branchline::cli::Cli;
use branchline::text::Text;
use branchline::tui::keymap::Keymap;
use clap::CommandFactory;

const README: &str = include_str!("../../README.md");

#[test]
fn the_key_table_is_the_keymap() {
    let table = Keymap::default().markdown(&Text::english());
    assert!(
        README.contains(&table),
        "put this table between the key marks of README.md:\n{table}"
    );
}

#[test]
fn every_command_is_in_the_command_table() {
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(README.contains(&format!("`{name}")), "README.md does not name `{name}`");
    }
}

#[test]
fn both_commands_of_a_fresh_machine_are_named() {
    assert!(README.contains("make demo") && README.contains("make test"));
}
