//! Whole command lines against a real database in a folder of their own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use clap::Parser;
use tempfile::TempDir;

use super::*;
use crate::cli::Cli;
use crate::config::{self, Places, Task};
use crate::domain::draft::Draft;
use crate::shutdown;
use crate::store::hq::{Incoming, Suspect};

/// A branch's machine: a folder in which commands are run one after another.
struct Machine {
    folder: TempDir,
    environment: BTreeMap<String, String>,
}

/// What came of one command line.
struct Ran {
    result: Result<Exit, CommandError>,
    out: String,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        Self {
            folder,
            environment: [("HOME".to_owned(), home)].into(),
        }
    }

    /// A machine whose branch has a database.
    fn with_branch() -> Self {
        let mut machine = Self::new();
        for (name, text) in [("BRANCH", "TUNIS-01"), ("REGION", "East"), ("TAX_RATE", "20")] {
            machine
                .environment
                .insert(format!("BRANCHLINE_{name}"), text.to_owned());
        }
        machine.done(&["status", "--create"]);
        machine
    }

    fn settings(&self, line: &[&str]) -> Settings {
        let cli = Cli::try_parse_from([&["branchline"], line].concat()).unwrap();
        let mut places = Places::of(&self.environment);
        places.system_config = self.path("etc");
        places.system_data = self.path("lib");
        config::resolve(&cli, &self.environment, None, &places, &places.shared()).unwrap()
    }

    fn run_with(&self, line: &[&str], ask: Option<Ask<'_>>, stop: bool) -> Ran {
        let settings = self.settings(line);
        let Task::Errand(errand) = &settings.task else {
            panic!("{line:?} is no command");
        };
        let (trigger, shutdown) = shutdown::channel();
        if stop {
            trigger.request();
        }
        let mut out = Vec::new();
        let result = run(
            errand,
            &settings,
            &mut Console {
                out: &mut out,
                ask,
                progress: false,
                shutdown: Some(shutdown),
            },
        );
        let out = String::from_utf8(out).unwrap();
        Ran { result, out }
    }

    fn run(&self, line: &[&str]) -> Ran {
        self.run_with(line, None, false)
    }

    /// Runs a command that must not fail, and gives what it said.
    fn done(&self, line: &[&str]) -> String {
        let ran = self.run(line);
        if let Err(error) = ran.result {
            panic!("{line:?}: {error}");
        }
        ran.out
    }

    /// Runs a command that must fail, and gives its error.
    fn fails(&self, line: &[&str]) -> String {
        let ran = self.run(line);
        ran.result.expect_err(&ran.out).to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn exported(&self) -> Vec<serde_json::Value> {
        let out = self.done(&["export", "--format", "jsonl"]);
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn sales(&self) -> usize {
        self.exported().len()
    }
}

const PENS: [&str; 7] = ["add", "--product", "PENS", "--qty", "14", "--cost", "2.19"];
/// As many lines as need several transactions.
const MANY: usize = 1_000;

/// A file of [`MANY`] sales in which every tenth line is none.
fn many_lines() -> String {
    let line = |number: usize| match number % 10 {
        0 => format!("2010-12-01,\"PENS, {number}\",none,1.00\n"),
        _ => format!("2010-12-01,\"PENS, {number}\",{number},1.00\n"),
    };
    "date,product,qty,cost\n".to_owned() + &(1..=MANY).map(line).collect::<String>()
}

fn refused_numbers(path: &str) -> Vec<usize> {
    let mut reader = csv::Reader::from_path(format!("{path}.refused.csv")).unwrap();
    reader
        .records()
        .map(|record| record.unwrap()[0].parse().unwrap())
        .collect()
}

#[test]
fn without_a_database_a_command_says_so_and_how_to_make_one() {
    let machine = Machine::new();
    for command in ["status", "export", "resend"] {
        let says = machine.fails(&["--branch", "TUNIS-01", command]);
        assert!(
            says.starts_with("no database here: ") && says.contains("TUNIS-01.db"),
            "{says}"
        );
        assert!(says.contains("--create"), "{says}");
    }
    let says = machine.fails(&["status"]);
    assert!(says.starts_with("no branch is named"), "{says}");
    assert!(!machine.path(".local").exists(), "nothing was made");
}

#[test]
fn a_file_is_made_only_for_a_branch_that_is_named() {
    let machine = Machine::new();
    let db = machine.path("x.db");
    let says = machine.fails(&["--db", db.to_str().unwrap(), "--create", "status"]);
    assert!(says.starts_with("no branch is named"), "{says}");
    machine.done(&["--db", db.to_str().unwrap(), "--create", "--branch", "A", "status"]);
    let says = machine.fails(&["--db", db.to_str().unwrap(), "--branch", "B", "status"]);
    assert!(says.contains('A') && says.contains('B'), "{says}");
}

#[test]
fn a_sale_is_entered_changed_and_voided() {
    let machine = Machine::with_branch();
    let said = machine.done(&PENS);
    assert!(
        said.starts_with("Saved sale 1: ")
            && said.contains("14 x PENS at 2.19, tax 6.13, total 36.79, East (revision 1)"),
        "{said}"
    );
    let said = machine.done(&["edit", "1", "--qty", "10", "--tax", ""]);
    assert!(
        said.contains("10 x PENS at 2.19, tax 4.38, total 26.28, East (revision 2)"),
        "{said}"
    );
    let said = machine.done(&["edit", "1", "--qty", "10"]);
    assert!(said.starts_with("Nothing changed: sale 1"), "{said}");
    let said = machine.done(&["void", "1"]);
    assert!(
        said.starts_with("Voided sale 1") && said.contains("(revision 3)"),
        "{said}"
    );
    assert!(machine.fails(&["edit", "1", "--qty", "3"]).contains("void"));
    let row = &machine.exported()[0];
    assert_eq!(
        (row["revision"].as_u64(), row["sync"].as_str()),
        (Some(3), Some("pending"))
    );
    assert!(row["deleted_at"].is_string());
}

#[test]
fn a_wrong_field_is_named_with_its_remedy_and_nothing_is_saved() {
    let machine = Machine::with_branch();
    let says = machine.fails(&["add", "--qty", "0", "--cost", "-1"]);
    for part in ["nothing is saved", "product: ", "qty: ", "cost: "] {
        assert!(says.contains(part), "{says}");
    }
    assert!(
        machine
            .fails(&["edit", "7", "--qty", "3"])
            .contains("there is no sale 7")
    );
    machine.done(&PENS);
    assert!(machine.fails(&["edit", "1"]).contains("nothing to change"));
    assert_eq!(machine.sales(), 1);
}

#[test]
fn read_only_changes_nothing() {
    let machine = Machine::with_branch();
    assert!(
        machine
            .fails(&[&PENS[..], &["--read-only"]].concat())
            .contains("--read-only")
    );
    machine.done(&["status", "--read-only"]);
    assert_eq!(machine.sales(), 0);
}

#[test]
fn status_tells_in_step_from_ahead_by_its_exit_code() {
    let machine = Machine::with_branch();
    assert_eq!(machine.run(&["status"]).result.unwrap(), Exit::Done);
    machine.done(&PENS);
    let ran = machine.run(&["status", "--json"]);
    assert_eq!(ran.result.unwrap(), Exit::Attention);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["ahead_amount"], "36.79");
    assert_eq!(
        (&report["sales"], &report["pending"], &report["acked"]),
        (&1.into(), &1.into(), &0.into())
    );
}

#[test]
fn nothing_that_is_not_acked_is_sent_again() {
    let machine = Machine::with_branch();
    machine.done(&PENS);
    assert!(machine.done(&["resend"]).contains("nothing to send again"));
}

#[test]
fn a_file_is_taken_in_and_what_is_no_sale_is_written_down() {
    let machine = Machine::with_branch();
    let file = machine.write("sales.csv", many_lines());
    let ran = machine.run(&["import", &file]);
    assert_eq!(ran.result.unwrap(), Exit::Done);
    assert_eq!(
        ran.out,
        format!("900 sales taken, 100 lines refused; see {file}.refused.csv.\n")
    );
    assert_eq!(machine.sales(), 900);
    assert_eq!(refused_numbers(&file), (11..=MANY + 1).step_by(10).collect::<Vec<_>>());
    let refused = fs::read_to_string(format!("{file}.refused.csv")).unwrap();
    assert!(
        refused.starts_with("line,reason,date,product,qty,cost\n11,"),
        "{refused}"
    );
    assert!(refused.contains(",\"PENS, 10\",none,1.00\n"), "{refused}");
    assert_eq!(machine.exported()[0]["product"], "PENS, 1");
}

#[test]
fn an_interrupted_import_goes_on_and_neither_loses_nor_doubles_a_line() {
    let machine = Machine::with_branch();
    let file = machine.write("sales.csv", many_lines());
    let mut runs = 0;
    loop {
        runs += 1;
        let ran = machine.run_with(&["import", &file], None, true);
        if ran.result.unwrap() == Exit::Done {
            break;
        }
        assert!(ran.out.starts_with("Stopped after line "), "{}", ran.out);
        // As if a power cut had come between the refused lines of the next transaction and the transaction itself.
        let path = format!("{file}.refused.csv");
        let torn = fs::read_to_string(&path).unwrap() + "999,torn,\"2010";
        fs::write(&path, torn).unwrap();
    }
    assert!(runs > 1);
    assert_eq!(machine.sales(), 900);
    assert_eq!(refused_numbers(&file), (11..=MANY + 1).step_by(10).collect::<Vec<_>>());
}

#[test]
fn a_finished_file_is_doubled_only_on_request() {
    let machine = Machine::with_branch();
    let file = machine.write("sales.csv", "date,product,qty,cost\n2010-12-01,PENS,1,1\n");
    machine.done(&["import", &file]);
    let renamed = machine.write("renamed.csv", fs::read(&file).unwrap());
    let says = machine.fails(&["import", &renamed]);
    assert!(says.contains("imported before") && says.contains("--again"), "{says}");

    let mut questions = Vec::new();
    let mut answer = |wanted: bool| {
        let ask = |question: &str| {
            questions.push(question.to_owned());
            Ok(wanted)
        };
        machine
            .run_with(&["import", &file], Some(Box::new(ask)), false)
            .result
            .unwrap()
    };
    assert_eq!([answer(false), answer(true)], [Exit::Attention, Exit::Done]);
    assert!(
        questions.len() == 2 && questions[0].contains("there twice"),
        "{questions:?}"
    );
    assert_eq!(machine.sales(), 2);
    machine.done(&["import", &file, "--again"]);
    assert_eq!(machine.sales(), 3);
}

#[test]
fn a_file_that_is_no_table_of_sales_is_refused_whole() {
    let machine = Machine::with_branch();
    let says = |text: &[u8], line: &[&str]| {
        let file = machine.write("bad.csv", text);
        machine.fails(&[&["import", &file], line].concat())
    };
    assert!(says(b"", &[]).contains("is empty"));
    assert!(says(b"\xff\xfed\0a\0", &[]).contains("UTF-16"));
    assert!(says(b"a,b\n1,2\n", &["--map", "date=day"]).contains("its columns are `a`, `b`"));
    assert!(
        machine
            .fails(&["import", "/no/such/file.csv"])
            .contains("/no/such/file.csv can't be read")
    );
    assert_eq!(machine.sales(), 0);
}

#[test]
fn products_are_known_by_their_codes_and_the_last_one_counts() {
    let machine = Machine::with_branch();
    let file = machine.write(
        "products.csv",
        "Cost;Code;Name\n3,39;4006381;LANTERN\n1;;PENS\nx;5;PAPER\n\n2.19;77;PENS\n",
    );
    let ran = machine.run(&["products", "import", &file]);
    assert_eq!(ran.result.unwrap(), Exit::Attention);
    for part in [
        "Line 3 is no product: it has no code.",
        "Line 4 is no product: its cost",
        "2 products taken, 2 lines refused.",
    ] {
        assert!(ran.out.contains(part), "{}", ran.out);
    }
    let again = machine.write("products.csv", "code,name,cost\n4006381,WHITE LANTERN,3.49\n");
    assert_eq!(
        machine.done(&["products", "import", &again]),
        "1 products taken, 0 lines refused.\n"
    );
    let settings = machine.settings(&["status"]);
    let mut db = BranchDb::open(settings.database().unwrap(), None).unwrap();
    let found = db.product_by_code("4006381").unwrap().unwrap();
    assert_eq!(
        (found.name.as_str(), found.cost.to_string()),
        ("WHITE LANTERN", "3.49".into())
    );
    let bad = machine.write("bad.csv", "code,cost\n");
    assert!(
        machine
            .fails(&["products", "import", &bad])
            .contains("no column `name`")
    );
}

#[test]
fn an_export_can_be_imported_elsewhere() {
    let machine = Machine::with_branch();
    let file = machine.write(
        "sales.csv",
        "date,product,qty,cost,tax,region\n2010-12-01 08:26:00,\"A \"\"B\"\", C\",3,1.2345,0.10,Süd\n",
    );
    machine.done(&["import", &file]);
    let output = machine.path("out.csv");
    let said = machine.done(&["export", "--output", output.to_str().unwrap()]);
    assert_eq!(said, format!("1 sales written to {}.\n", output.display()));
    let text = fs::read_to_string(&output).unwrap();
    assert!(
        text.contains("1,1,2010-12-01 08:26:00,\"A \"\"B\"\", C\",Süd,3,1.2345,0.10,3.7035,3.8035,"),
        "{text}"
    );

    let elsewhere = Machine::with_branch();
    elsewhere.done(&["import", output.to_str().unwrap()]);
    let content = |machine: &Machine| {
        let row = machine.exported().remove(0);
        ["date", "product", "region", "qty", "cost", "tax"].map(|name| row[name].clone())
    };
    assert_eq!(content(&machine), content(&elsewhere));
}

#[test]
fn an_export_takes_the_days_that_are_asked_for() {
    let machine = Machine::with_branch();
    for date in ["2010-12-01 23:59:59", "2010-12-02", "2010-12-03"] {
        machine.done(&[&PENS[..], &["--date", date]].concat());
    }
    let out = machine.done(&["export", "--from", "2010-12-02", "--to", "2010-12-02"]);
    assert_eq!(out.lines().count(), 2);
    assert!(out.contains(",2010-12-02 00:00:00,"), "{out}");
}

#[test]
fn completions_and_manual_need_no_database() {
    let machine = Machine::new();
    assert!(machine.done(&["completions", "bash"]).contains("branchline"));
    let manual = machine.done(&["man"]);
    for part in [".TH branchline 1", "tax\\-rate", ".TH branchline-import 1"] {
        assert!(manual.contains(part), "{part}");
    }
}

/// A message that head office did not take.
fn suspect() -> Incoming {
    Incoming::Refused(Suspect {
        reason: "it is not ours".into(),
        routing_key: "SFAX-02.s".into(),
        user_id: None,
        headers: String::new(),
        bytes: b"hello".to_vec(),
    })
}

#[test]
fn the_quarantine_is_listed_shown_and_emptied() {
    let machine = Machine::new();
    assert!(machine.fails(&["quarantine", "list"]).starts_with("no database here: "));
    assert_eq!(
        machine.done(&["quarantine", "list", "--create"]),
        "The quarantine is empty.\n"
    );

    let mut db = HqDb::open(machine.settings(&["quarantine", "list"]).database().unwrap()).unwrap();
    db.commit_group(clock::wall(), &[1], &[suspect(), suspect()]).unwrap();
    assert!(
        machine
            .done(&["quarantine", "list"])
            .contains("SFAX-02.s: it is not ours")
    );
    assert!(machine.done(&["quarantine", "show", "1"]).contains("68 65 6c 6c 6f"));
    let status = machine.run(&["status", "--headless", "hq"]);
    assert_eq!(status.result.unwrap(), Exit::Attention);
    assert!(status.out.contains("1 messages in the quarantine"), "{}", status.out);

    assert!(
        machine
            .fails(&["quarantine", "replay", "1"])
            .contains("stays in the quarantine")
    );
    assert!(
        machine
            .fails(&["quarantine", "discard", "1", "--read-only"])
            .contains("--read-only")
    );
    machine.done(&["quarantine", "discard", "1"]);
    assert!(machine.fails(&["quarantine", "show", "1"]).contains("has no message 1"));
    assert_eq!(machine.run(&["status", "--headless", "hq"]).result.unwrap(), Exit::Done);
}

#[test]
fn an_import_and_a_till_on_one_database_both_get_through() {
    let machine = Machine::with_branch();
    let lines = "2010-12-01,PENS,1,1.00\n".repeat(20_000);
    let file = machine.write("many.csv", format!("date,product,qty,cost\n{lines}"));
    let settings = machine.settings(&["status"]);
    let mut till = BranchDb::open(settings.database().unwrap(), None).unwrap();
    let lantern = Draft {
        product: "LANTERN".into(),
        qty: "1".into(),
        cost: "3.39".into(),
        ..Draft::default()
    };
    let lantern = lantern.check(&defaults(&settings, till.branch())).unwrap();
    std::thread::scope(|scope| {
        let import = scope.spawn(|| machine.done(&["import", &file]));
        for _ in 0..50 {
            till.save_sale(&lantern, None, clock::wall()).unwrap();
        }
        assert!(import.join().unwrap().starts_with("20,000 sales taken"));
    });
    assert_eq!(till.status().unwrap().rows, 20_050);
    assert!(till.audit().unwrap().is_clean());
}

#[test]
fn a_backup_is_a_whole_database_and_is_written_over_nothing() {
    let machine = Machine::with_branch();
    machine.done(&["add", "--product", "PENS", "--qty", "2", "--cost", "1.50"]);
    let file = machine.path("friday's.db");
    let name = file.to_str().unwrap();
    let said = machine.done(&["backup", name]);
    assert!(
        said.starts_with("Backed up to ") && said.ends_with(", and checked.\n"),
        "{said}"
    );
    machine.done(&["add", "--product", "PAPER", "--qty", "1", "--cost", "2"]);
    let sales = |db: &str| machine.done(&["export", "--db", db]).lines().count() - 1;
    assert_eq!(sales(name), 1, "it is of one moment");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let refused = machine.run(&["backup", name]).result.unwrap_err();
    assert!(
        matches!(refused, CommandError::Backup(BackupError::Exists { .. })),
        "{refused:?}"
    );
    let nowhere = machine.path("none/of/these.db");
    let refused = machine.run(&["backup", nowhere.to_str().unwrap()]).result.unwrap_err();
    assert!(refused.to_string().contains("check the folder"), "{refused}");
    let left = fs::read_dir(machine.folder.path()).unwrap().flatten();
    let parts = left.filter(|entry| entry.file_name().to_string_lossy().contains(".part-"));
    assert_eq!(parts.count(), 0, "nothing half made stays behind");
}

#[test]
fn head_office_is_backed_up_while_it_is_open() {
    let machine = Machine::new();
    machine.done(&["status", "--headless", "hq", "--create"]);
    let file = machine.path("hq-backup.db");
    machine.done(&["backup", "--headless", "hq", file.to_str().unwrap()]);
    let own = HqDb::open(machine.settings(&["status", "--headless", "hq"]).database().unwrap()).unwrap();
    assert_eq!(HqDb::open(&file).unwrap().store(), own.store());
}
