//! Lists the languages in `src/text`, so that a language is added by adding its file.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=src/text");
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
