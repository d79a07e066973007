//! Branchline keeps the sales of many branch offices in step with one head office (HQ) over links that may be up for an hour a day.
//!
//! # Bird's eye view
//!
//! A branch enters its sales in a terminal, keeps them in an SQLite file of its own, and works whether or not there is a network. A worker in the same
//! program carries them to a RabbitMQ broker; HQ takes them from there, stores each one once, and answers with a receipt. Row by row the operator sees
//! whether HQ has the sale.
//!
//! ```text
//!  branch                                     broker                     head office
//!  ┌──────────────────────────────────┐      ┌───────────────────┐      ┌─────────────────────┐
//!  │ tui ── app::clerk ── store::branch │      │ exchange `sales`  │      │ hq ── store::hq     │
//!  │                        │         │      │   queue `sales`   │      │  │     (sales,      │
//!  │ sync::service ── sync::worker    │ ───▶ │                   │ ───▶ │  │      revisions,  │
//!  │   │       protocol::uplink       │      │ queue `to.TUNIS-01`│ ◀─── │  │      quarantine) │
//!  │ transport::amqp                  │ ◀─── │                   │      │ protocol::verdict   │
//!  └──────────────────────────────────┘      └───────────────────┘      └─────────────────────┘
//! ```
//!
//! The core is functional: [`domain`] holds the words, [`protocol`] the rules, and neither knows a clock, a socket or a file. Around them is a thin shell
//! that reads clocks, moves bytes and draws. So the model checker and the simulation under `tests/` run the code that runs at a counter.
//!
//! # A sale's journey
//!
//! 1. A form's text becomes a [`domain::draft::Draft`], and the draft, if nothing is wrong with it, a [`domain::sale::SaleContent`].
//! 2. [`store::branch`] gives it the next number, writes it and an `outbox` row in one transaction, and fsyncs. Now it is *saved*, and *pending*.
//! 3. The worker asks [`protocol::uplink`] what to do. When the line is up it makes a batch: the sales leave the outbox, the batch is committed with
//!    its rows, and only then [`wire`] encodes it and [`transport`] publishes it. The sales are *sent*: a lease with a deadline.
//! 4. [`hq`] takes the message from the queue and asks [`protocol::identity`] whether it may speak for this branch and [`protocol::verdict`] what each
//!    row means. [`store::hq`] applies all of them in one transaction. After its commit the receipt goes out, and after that the broker is acked.
//! 5. The receipt names (id, revision) pairs. [`store::branch`] marks just those *acked*; an edit that was made meanwhile stays pending.
//! 6. If no receipt comes before the deadline, the sales are pending again. If the broker had confirmed the batch, HQ is silent, and sending it again would only pile
//!    up: a hello asks instead, ever more rarely, and the first answer shows what has been lost. If a receipt comes late it still counts.
//!
//! # What is guaranteed
//!
//! Delivery is at least once and storing is idempotent, by (branch, ledger, id) and revision: each saved sale reaches HQ once *in effect*. A saved sale survives `kill -9` and power
//! loss. A row is acked only by HQ's receipt for that very revision. One bad sale never holds up the others. A copied or restored database, on either side, is noticed by its
//! marks and counts ([`protocol::lineage`]) and healed. "In step" is computed from rows. Nothing at the counter waits for the network.
//!
//! What defends each promise of the README (a test holds this table to what there is). The models in `tests/it/model.rs` and the simulation in `tests/it/simulation.rs` try to break 1 to 8 all at once.
//!
//! | promise | tests made for it |
//! | --- | --- |
//! | 1 saved is saved | `what_add_calls_saved_survives_being_killed_at_any_moment`, `commits_are_on_the_disk_before_they_are_told` |
//! | 2 once in effect | `kills_of_both_sides_in_mid_transfer_lose_and_double_nothing`, `a_repeated_batch_is_receipted_again_and_stored_once`, `any_batches_come_to_what_row_by_row_comes_to` |
//! | 3 acked by a receipt alone | `a_batch_is_committed_then_answered_then_acked`, `receipts_of_other_databases_ack_nothing`, `a_receipt_cannot_ack_what_its_batch_did_not_carry` |
//! | 4 late receipts do no harm | `late_receipt_leaves_the_edit_pending`, `an_old_timer_cannot_undo_an_ack`, `a_repeated_receipt_changes_nothing` |
//! | 5 one bad sale | `one_bad_sale_does_not_hold_up_the_others_and_flows_again_when_mended`, `an_unreadable_batch_is_halved_down_to_the_row_that_is_rejected`, `what_cannot_be_read_is_answered_and_quarantined_and_what_is_too_new_only_answered` |
//! | 6 conflicts | `another_content_under_one_revision_is_a_conflict_that_is_kept_once`, `the_same_key_with_another_content_is_a_conflict_and_ends_as_the_operator_says` |
//! | 7 copied, restored, replaced | `an_hq_that_was_restored_is_noticed_though_its_count_has_caught_up`, `a_copied_branch_and_a_restored_hq_at_once_are_told_apart`, `another_store_at_hq_has_everything_sent_again`, `a_stranger_is_told_nothing_more` |
//! | 8 no false green | `the_database_does_what_the_model_does`, `hq_restored_is_noticed_though_its_count_has_caught_up`, `what_hq_forgot_of_an_older_ledger_goes_again` |
//! | 9 nothing waits for the network | `a_branch_sells_on_without_a_broker_and_catches_up_by_itself`, `an_hours_window_a_day_is_never_slept_through` |
//! | 10 nobody speaks for another | `a_branch_can_not_publish_anywhere_else_or_as_anybody_else`, `only_agreeing_claims_are_taken`, `cleaning_leaves_nothing_that_moves_a_cursor` |
//!
//! # Modules, in reading order
//!
//! [`domain`] the words · [`protocol`] the rules · [`wire`] the bytes · [`store`] the two databases · [`transport`] the line · [`sync`] the branch's shell · [`hq`] head office's shell ·
//! [`text`] every sentence a person reads · [`tui`] the screen · [`commands`] one file a command · [`cli`], [`config`], [`telemetry`], [`clock`], [`shutdown`] · [`app`] puts them together.
//!
//! Who may import whom, and which crate lives where, is a table in `tests/it/architecture.rs`; a change of the architecture changes that table in the same commit.
//! One row differs from a textbook's: `store` knows `protocol`, because what a receipt means is decided by pure functions inside the transaction that applies it.

pub mod app;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod domain;
pub mod hq;
pub mod protocol;
pub mod shutdown;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod text;
pub mod transport;
pub mod tui;
pub mod wire;
