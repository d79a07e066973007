//! Tests of the whole against real parts: one binary, so that all of them share one broker.

mod amqp_branch;
mod amqp_hq;
mod amqp_leaks;
mod amqp_rights;
mod architecture;
mod main_job;
mod model;
mod promises;
mod readme;
mod simulation;
mod support;
mod upgrades;
