//! Lists the languages in `src/text`, so that a language is added by adding its file; and notes when the program is built, by which head office knows a clock that is late.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=src/text");
    println!("cargo:rerun-if-env-changed={EPOCH}");
    println!("cargo:rustc-env=BRANCHLINE_BUILT_MS={}", built_ms()?);
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let mut languages = Vec::new();
    for entry in fs::read_dir(Path::new(&root).join("src/text"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "lang") {
            languages.push(path);
        }
    }
    languages.sort();
    let mut list = String::from("&[\n");
    for path in &languages {
        let code = path.file_stem().unwrap_or_default().to_string_lossy();
        // Writing to a String cannot fail.
        let _ = writeln!(list, "    ({code:?}, include_str!({:?})),", path.display().to_string());
    }
    list.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("languages.rs"), list)
}

/// Says when a build that must come out the same each time is said to happen, in seconds since 1970.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// When the program is built, in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "nobody else can tell when it was built")]
fn built_ms() -> io::Result<u128> {
    if let Ok(seconds) = env::var(EPOCH) {
        let seconds: u32 = seconds.parse().map_err(io::Error::other)?;
        return Ok(u128::from(seconds) * 1_000);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    Ok(now.as_millis())
}
