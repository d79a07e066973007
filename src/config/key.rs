//! The table of options: each one's name, and what it may be. Names serve the flag, the environment and the file alike.

macro_rules! keys {
    ($($key:ident $name:literal: $allowed:literal,)*) => {
        /// One option.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key {
            $(#[doc = concat!("`", $name, "`: ", $allowed, ".")] $key,)*
        }

        impl Key {
            /// All options.
            pub const ALL: &'static [Self] = &[$(Self::$key),*];

            /// The name: as a flag behind `--`, and in a file as it is.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)* }
            }

            /// What is allowed, in words that follow "use".
            #[must_use]
            pub const fn allowed(self) -> &'static str {
                match self { $(Self::$key => $allowed,)* }
            }
        }
    };
}

keys! {
    Branch "branch": "1 to 32 of A-Z, 0-9, `-` and `_`, e.g. TUNIS-01",
    Db "db": "the path of a file, e.g. /var/lib/branchline/TUNIS-01.db (this version keeps head office in SQLite too)",
    Amqp "amqp": "amqp://USER@HOST:5672 or amqps://USER@HOST:5671/VHOST, with special characters of a password as %XX",
    AmqpCa "amqp-ca": "the path of a PEM file",
    AmqpPasswordFile "amqp-password-file": "the path of a file with the password in its first line",
    Linger "linger": "a time from 1s to 24h, e.g. 60s or 5m",
    Cap "cap": "a whole number of kB (1,000 bytes) a second from 1 to 1000000",
    Hours "hours": "times of the day with commas between them, e.g. 12:30-13:15,22:00-06:00",
    Headless "headless": "`branch` or `hq`",
    Create "create": "true or false",
    Trial "trial": "true or false",
    Replaces "replaces": "a store id: the 32 hexadecimal digits that the branches' screens and logs show",
    LogFormat "log-format": "`human` or `json`",
    Lang "lang": "a language, e.g. en or fr",
    Ascii "ascii": "true or false",
    Theme "theme": "`dark`, `light` or `mono`",
    Mouse "mouse": "`on`, `off` or `auto` (off over SSH)",
    ScannerPrefix "scanner-prefix": "a key that does nothing else, e.g. f12",
    ReadOnly "read-only": "true or false",
    Region "region": "a region's name of at most 100 characters",
    TaxRate "tax-rate": "a percentage from 0 to 100 with at most four decimals, e.g. 20 or 5.5",
    Product "product": "a product's name",
    Qty "qty": "a whole number from 1 to 4294967295",
    Cost "cost": "an amount of money, e.g. 3.39",
    Tax "tax": "an amount of money, e.g. 3.39",
    Date "date": "a date such as 2026-11-22 or 2026-11-22 14:07:31",
    Map "map": "FIELD=COLUMN pairs with commas between them, where FIELD is one of product, qty, cost, tax, date, region, each at most once",
    Again "again": "true or false",
    Format "format": "`csv` or `jsonl`",
    From "from": "a day such as 2026-11-22",
    To "to": "a day such as 2026-11-22, not before --from",
    Output "output": "the path of a file",
    Json "json": "true or false",
}

impl Key {
    /// The option with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.name() == name)
    }

    /// The name in the environment: `tax-rate` is `BRANCHLINE_TAX_RATE`.
    #[must_use]
    pub fn variable(self) -> String {
        format!("BRANCHLINE_{}", self.name().replace('-', "_").to_ascii_uppercase())
    }

    /// Whether the value may hold a password, so that no message repeats it.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Amqp)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cli::Cli;

    fn long_options(command: &clap::Command, into: &mut BTreeSet<String>) {
        into.extend(
            command
                .get_arguments()
                .filter_map(|arg| arg.get_long().map(str::to_owned)),
        );
        for sub in command.get_subcommands() {
            long_options(sub, into);
        }
    }

    #[test]
    fn every_flag_is_an_option_of_the_table_and_the_other_way_round() {
        let mut flags = BTreeSet::new();
        long_options(&Cli::definition(), &mut flags);
        // Where to look for the file can't stand in the file.
        flags.remove("config");
        let names: BTreeSet<_> = Key::ALL.iter().map(|key| key.name().to_owned()).collect();
        assert_eq!(flags, names);
    }

    #[test]
    fn the_environment_spells_a_name_in_capitals() {
        assert_eq!(Key::AmqpPasswordFile.variable(), "BRANCHLINE_AMQP_PASSWORD_FILE");
    }
}
