//! What `strace` wrote down of a program, as changes to a disk and announcements to a person.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::disk::Change;

/// All threads, all bytes of all writes, files by their names, everything as hexadecimal digits.
pub(super) const OPTIONS: [&str; 7] = [
    "-f",
    "-y",
    "-xx",
    "-s",
    "10000000",
    "-e",
    "trace=openat,write,writev,pwrite64,pwritev,fsync,fdatasync,ftruncate,fallocate,unlink,unlinkat,rename,renameat,renameat2,link,linkat,mkdir,mkdirat,sync_file_range",
];

/// One step of a program.
#[derive(Debug)]
pub(super) enum Step {
    /// It said something to the person.
    Said,
    /// It changed something on the disk, or had it synced.
    Disk(Change),
}

/// The steps of a program, in their order.
pub(super) fn steps(log: &str) -> Vec<Step> {
    log.lines().filter_map(step).collect()
}

fn step(line: &str) -> Option<Step> {
    let (_, call) = line.split_once(' ')?;
    let (name, rest) = call.trim_start().split_once('(')?;
    assert!(!line.contains("<unfinished"), "two threads at once: {name}");
    let (arguments, result) = rest.rsplit_once(") = ")?;
    if result.starts_with('-') {
        return None;
    }
    let change = match name {
        "mkdir" => Change::MakeFolder(text(arguments)),
        "openat" if arguments.contains("O_CREAT") => Change::MakeFile(file(result)?),
        "write" if arguments.starts_with("1<") => return Some(Step::Said),
        // Files that are only opened; the lock file's line for people, and what goes to other files than ours.
        "openat" | "write" => return None,
        "pwrite64" => {
            let (bytes, place) = arguments.rsplit_once("\", ").expect("bytes, then length and offset");
            let (_, offset) = place.split_once(", ").expect("length, then offset");
            let (_, bytes) = bytes.split_once(", \"").expect("a file, then bytes");
            Change::Write {
                path: file(arguments)?,
                offset: offset.parse().expect("an offset"),
                bytes: unhex(bytes),
            }
        }
        "fsync" | "fdatasync" => Change::Sync(file(arguments)?),
        "ftruncate" => {
            let (_, length) = arguments.rsplit_once(", ").expect("a file, then a length");
            Change::Truncate {
                path: file(arguments)?,
                length: length.parse().expect("a length"),
            }
        }
        "unlink" => Change::Remove(text(arguments)),
        other => panic!("a way to change a disk that is not simulated: {other}"),
    };
    Some(Step::Disk(change))
}

/// The name of the file behind a descriptor: `4<...>`.
fn file(descriptor: &str) -> Option<PathBuf> {
    let (_, named) = descriptor.split_once('<')?;
    let (name, _) = named.split_once('>')?;
    Some(path(name))
}

/// A name in quotes.
fn text(arguments: &str) -> PathBuf {
    let name = arguments.split('"').nth(1).expect("a name in quotes");
    path(name)
}

fn path(hex: &str) -> PathBuf {
    OsString::from_vec(unhex(hex)).into()
}

/// Reads `\x2f\x74`.
fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.split("\\x").skip(1);
    digits
        .map(|pair| u8::from_str_radix(pair, 16).expect("two digits"))
        .collect()
}
