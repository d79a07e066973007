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
//!    its rows, and only then [`wire`] encodes it and [`transport`] publishes it. A product's name goes with it only if HQ does not hold it yet
//!    ([`protocol::dictionary`]). The sales are *sent*: a lease with a deadline.
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
//! # Which tests defend what is promised
//!
//! Each promise has tests that try to break it. The model (`tests/it/model.rs`) explores every order of events of a small world, the simulation (`tests/it/simulation.rs`) walks through
//! thousands of seeded branch-days and checks all promises after each step, the faults (`tests/it/faults.rs`) are done to the real programs and a real broker. Where one of them is
//! the defence as a whole it stands in the first line.
//!
//! | promise | tests |
//! | --- | --- |
//! | all of 2 to 8 | `many_seeds`, `a_fleet_under_random_faults_ends_with_the_same_books_on_both_sides`, `whoever_is_killed_at_whatever_moment_both_sides_end_with_the_same_sales` |
//! | 1 what was called saved survives | `what_was_called_saved_is_there_after_a_power_cut_at_any_moment`, `what_add_calls_saved_survives_being_killed_at_any_moment`, `commits_are_on_the_disk_before_they_are_told`, `a_sale_that_finds_the_disk_full_is_not_saved_at_all_and_says_so`, `what_is_typed_is_kept_whenever_the_screen_dies` |
//! | 2 each sale reaches HQ once in effect | `a_repeated_batch_is_receipted_again_and_stored_once`, `kills_of_both_sides_in_mid_transfer_lose_and_double_nothing`, `batches_that_lay_in_a_broker_that_was_wiped_go_again`, `a_line_that_breaks_in_mid_frame_again_and_again_still_drains`, `a_batch_that_leans_is_read_only_with_the_very_names_that_it_means` |
//! | 3 acked only by HQ's receipt, after its commit | `a_batch_is_committed_then_answered_then_acked`, `a_receipt_for_another_revision_acks_nothing`, `receipts_of_other_databases_ack_nothing`, `a_receipt_cannot_ack_what_its_batch_did_not_carry`, `nothing_is_acked_while_the_database_fails_and_all_is_taken_when_it_works_again`, `head_office_with_a_full_disk_acks_nothing_that_it_has_not_stored_and_goes_on_by_itself` |
//! | 4 late, repeated and disordered receipts | `late_receipt_leaves_the_edit_pending`, `a_repeated_receipt_changes_nothing`, `an_old_timer_cannot_undo_an_ack`, `a_late_receipt_of_a_batch_that_was_given_up_still_counts` |
//! | 5 one bad sale holds up nobody | `a_refused_sale_says_why_holds_up_nobody_and_flows_once_mended`, `a_row_that_the_database_refuses_is_refused_alone`, `an_unreadable_batch_is_halved_down_to_the_row_that_is_rejected`, `a_row_that_ends_head_office_each_time_is_found_by_halving_and_all_others_are_stored`, `what_cannot_be_read_is_kept_once_with_a_count_and_answered` |
//! | 6 one key, two contents: a conflict | `another_content_under_one_revision_is_a_conflict_that_is_kept_once`, `two_edits_of_one_acked_sale_are_a_conflict_for_a_person`, `a_conflict_is_settled_by_choosing_a_side`, `a_conflict_of_two_edits_is_open_until_a_revision_above_both_comes`, `a_conflict_is_settled_when_the_branch_has_taken_what_head_office_holds`, `a_sale_whose_key_was_taken_is_settled_when_it_comes_in_another_ledger` |
//! | 7 copied, restored, replaced, doubled | `an_hq_that_was_restored_is_noticed_though_its_count_has_caught_up`, `a_copied_branch_and_a_restored_hq_at_once_are_told_apart`, `a_branch_restored_from_an_old_copy_begins_a_ledger_of_its_own`, `two_boxes_that_sell_with_copies_of_one_database_are_told_and_neither_loses_a_sale`, `what_a_restored_head_office_has_forgotten_is_sent_again`, `an_empty_head_office_acks_nothing_until_it_says_whom_it_replaces`, `a_second_head_office_on_one_queue_is_refused_in_one_sentence`, `a_message_let_in_late_makes_no_branch_a_copy_and_counts_once_the_branch_is_told` |
//! | 8 no false green | `what_hq_forgot_of_an_older_ledger_goes_again`, `a_large_ledger_that_hq_forgot_goes_again_part_by_part_and_is_never_in_step_meanwhile`, `the_database_does_what_the_model_does`, `one_ack_makes_no_forecast_and_what_is_not_acked_is_never_in_step`, `what_cannot_be_read_is_said_and_never_green`, `words_say_what_is_ahead_or_that_all_is_in_step`, `a_broker_short_of_memory_is_shown_as_blocked_selling_goes_on_and_it_drains_afterwards` |
//! | 9 nothing waits for the network | `a_branch_sells_on_without_a_broker_and_catches_up_by_itself`, `a_line_that_goes_dead_without_a_word_is_noticed_and_what_it_swallowed_goes_again`, `a_slow_disk_delays_no_key`, `a_blocked_terminal_holds_nothing_up` |
//! | 10 no branch as another, nobody's terminal | `a_branch_can_not_publish_anywhere_else_or_as_anybody_else`, `a_branch_can_not_read_declare_bind_or_empty_anything_else`, `nobody_speaks_for_another_branch`, `data_cannot_move_the_cursor`, `cleaning_leaves_nothing_that_moves_a_cursor`, `a_void_moves_no_cursor_and_comes_again_as_what_it_was`, `a_content_in_conflict_moves_no_cursor` |
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
