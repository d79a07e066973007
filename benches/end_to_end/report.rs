//! The table: one line for each figure, as Markdown for people and as JSON for programs.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

/// How a figure is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// It should be at least this.
    AtLeast(f64),
    /// It should be at most this.
    AtMost(f64),
    /// It is shown beside the others.
    None,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// The figure.
    pub(crate) value: f64,
    /// What it is counted in; nothing for a ratio.
    pub(crate) unit: &'static str,
    /// What it should come to.
    pub(crate) target: Target,
    /// What it is compared with, in words.
    pub(crate) baseline: String,
    /// Where it comes from: how much was done, and how.
    pub(crate) source: String,
}

/// All figures of a run.
pub(crate) struct Report {
    machine: Value,
    /// Each with the machine's load when it was taken.
    figures: Vec<(Figure, String)>,
}

impl Report {
    pub(crate) const fn new(machine: Value) -> Self {
        Self {
            machine,
            figures: Vec::new(),
        }
    }

    /// Adds a figure, and tells it at once.
    pub(crate) fn add(&mut self, figure: Figure) {
        let load = load();
        eprintln!("{figure}   ({}; load {load})", figure.source);
        self.figures.push((figure, load));
    }

    /// Prints the table and writes the JSON.
    pub(crate) fn finish(self) {
        println!("| what | target | measured | baseline | verdict |\n| --- | --- | --- | --- | --- |");
        for (figure, _) in &self.figures {
            println!("{figure}");
        }
        let named = |name: &str| match &self.machine[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        println!(
            "\nMeasured by `make bench` on {} cores ({}), Linux {}, RabbitMQ {}, with a backlog of {} sales, from a load of {} on.",
            named("cores"),
            named("cpu"),
            named("kernel"),
            named("rabbitmq"),
            thousands(named("sales_of_the_backlog").parse().unwrap_or(0.0)),
            named("load_before"),
        );
        let figures: Vec<Value> = self.figures.iter().map(|(figure, load)| figure.json(load)).collect();
        let all = json!({ "machine": self.machine, "figures": figures });
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/bench.json");
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder for the report");
        let text = serde_json::to_string_pretty(&all).expect("it is plain data");
        std::fs::write(&path, text).expect("the report is written");
        eprintln!("written to {}", path.display());
    }
}

impl Figure {
    /// `None` where there is no target.
    fn is_met(&self) -> Option<bool> {
        match self.target {
            Target::AtLeast(least) => Some(self.value >= least),
            Target::AtMost(most) => Some(self.value <= most),
            Target::None => None,
        }
    }

    fn json(&self, load: &str) -> Value {
        let (sense, target) = match self.target {
            Target::AtLeast(least) => (Some("at least"), Some(least)),
            Target::AtMost(most) => (Some("at most"), Some(most)),
            Target::None => (None, None),
        };
        json!({
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "sense": sense,
            "target": target,
            "met": self.is_met(),
            "baseline": self.baseline,
            "source": self.source,
            "load": load,
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: f64| match self.unit {
            "" => thousands(value),
            unit => format!("{} {unit}", thousands(value)),
        };
        let target = match self.target {
            Target::AtLeast(least) => format!("≥ {}", shown(least)),
            Target::AtMost(most) => format!("≤ {}", shown(most)),
            Target::None => String::new(),
        };
        let verdict = match self.is_met() {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        write!(
            f,
            "| {} | {target} | {} | {} | {verdict} |",
            self.what,
            shown(self.value),
            self.baseline
        )
    }
}

/// How many programs wanted a core, on average over the last minute.
pub(crate) fn load() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or_default().to_owned()
}

/// A number with about three digits that matter, in groups of three.
pub(crate) fn thousands(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        small if small < 1.0 => 3,
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && digit != '-' && (whole.len() - at).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction.trim_end_matches('0') {
        "" => grouped,
        fraction => format!("{grouped}.{fraction}"),
    }
}

/// The value below which this share of all values is.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index below the length"
    )]
    let at = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len()) - 1;
    values[at]
}
