//! The tables of head office's database as diesel sees them; `migrations/hq/sqlite` makes them.

diesel::table! {
    hq (one) {
        one -> Integer,
        store -> Binary,
        made_at -> BigInt,
        newest_received_at -> BigInt,
    }
}

diesel::table! {
    replaced_stores (store) {
        store -> Binary,
        since -> BigInt,
    }
}

diesel::table! {
    branches (branch) {
        branch -> Text,
        had_own_login -> Integer,
        first_seen_at -> BigInt,
        last_seen_at -> BigInt,
        clock_skew_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    ledgers (branch, ledger) {
        branch -> Text,
        ledger -> Binary,
        applied -> BigInt,
        chain -> Binary,
        highest_id -> BigInt,
        first_seen_at -> BigInt,
        hello_at -> Nullable<BigInt>,
        first_id -> Nullable<BigInt>,
        hello_sales -> Nullable<BigInt>,
        hello_amount -> Nullable<Text>,
    }
}

diesel::table! {
    ledger_marks (branch, ledger, applied) {
        branch -> Text,
        ledger -> Binary,
        applied -> BigInt,
        chain -> Binary,
    }
}

diesel::table! {
    sales (branch, ledger, external_id) {
        branch -> Text,
        ledger -> Binary,
        external_id -> BigInt,
        revision -> BigInt,
        date -> Text,
        product -> Text,
        region -> Text,
        qty -> BigInt,
        cost -> BigInt,
        tax -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        received_at -> BigInt,
    }
}

diesel::table! {
    replayed (branch, ledger, external_id) {
        branch -> Text,
        ledger -> Binary,
        external_id -> BigInt,
        revision -> BigInt,
    }
}

diesel::table! {
    quarantine (id) {
        id -> BigInt,
        at -> BigInt,
        last_at -> BigInt,
        count -> BigInt,
        reason -> Text,
        routing_key -> Text,
        user_id -> Nullable<Text>,
        headers -> Text,
        bytes -> Binary,
        digest -> Binary,
    }
}

diesel::table! {
    tries (digest) {
        digest -> Binary,
        count -> BigInt,
        last_at -> BigInt,
    }
}
