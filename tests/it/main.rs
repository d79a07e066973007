//! Tests of the whole against real parts: one binary, so that all of them share one broker.

mod amqp_branch;
mod amqp_hq;
mod amqp_leaks;
mod amqp_meter;
mod amqp_rights;
mod architecture;
mod faults;
mod main_job;
mod model;
mod power_cut;
mod readme;
mod simulation;
mod support;
mod terminal;
mod upgrades;
