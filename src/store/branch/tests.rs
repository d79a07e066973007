//! Truths of the branch's database, each by name.

mod ages;
mod history;
mod keeping;
mod names;
mod opening;
mod receipts;
mod tables;
mod till;
