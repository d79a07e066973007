//! The tables that the query builder is used on; the others are known to SQL alone. What each column means is told in `migrations/branch`.

diesel::table! {
    batches (no) {
        no -> BigInt,
        batch -> Binary,
        ledger_no -> BigInt,
        made_at -> BigInt,
        attempt -> BigInt,
        row_count -> BigInt,
        first_id -> BigInt,
        last_id -> BigInt,
        oldest_at -> BigInt,
        live -> BigInt,
        live_total -> BigInt,
        counted -> BigInt,
        cap -> Nullable<BigInt>,
        state -> Text,
        confirmed_by -> Nullable<Text>,
        given_up_at -> Nullable<BigInt>,
        answered_at -> Nullable<BigInt>,
        hq_clock -> Nullable<BigInt>,
    }
}

diesel::table! {
    branch (one) {
        one -> BigInt,
        code -> Text,
        made_at -> BigInt,
        ledger_no -> BigInt,
        store -> Nullable<Binary>,
        last_receipt_at -> Nullable<BigInt>,
        last_heard_at -> Nullable<BigInt>,
        skew_ms -> BigInt,
    }
}

diesel::table! {
    drafts (screen, no) {
        screen -> Text,
        no -> BigInt,
        kept_at -> BigInt,
        editing_id -> Nullable<BigInt>,
        editing_revision -> Nullable<BigInt>,
        product -> Text,
        qty -> Text,
        cost -> Text,
        tax -> Text,
        date -> Text,
        region -> Text,
    }
}

diesel::table! {
    events (seq) {
        seq -> BigInt,
        at -> BigInt,
        kind -> Text,
        first_id -> Nullable<BigInt>,
        last_id -> Nullable<BigInt>,
        count -> Nullable<BigInt>,
        number -> Nullable<BigInt>,
        second_number -> Nullable<BigInt>,
        word -> Nullable<Text>,
        named -> Nullable<Binary>,
    }
}

diesel::table! {
    held (id) {
        id -> BigInt,
        revision -> BigInt,
        state -> Text,
        written_at -> BigInt,
        held_at -> BigInt,
        last_acked -> BigInt,
        batch_no -> BigInt,
        refusal -> Nullable<Text>,
        refusal_days -> Nullable<BigInt>,
        hq_revision -> Nullable<BigInt>,
        hq_date -> Nullable<Text>,
        hq_product -> Nullable<Text>,
        hq_region -> Nullable<Text>,
        hq_qty -> Nullable<BigInt>,
        hq_cost -> Nullable<BigInt>,
        hq_tax -> Nullable<BigInt>,
        hq_created_at -> Nullable<BigInt>,
        hq_updated_at -> Nullable<BigInt>,
        hq_deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    imports (digest) {
        digest -> Binary,
        last_line -> BigInt,
        finished -> Bool,
        updated_at -> BigInt,
    }
}

diesel::table! {
    ledgers (no) {
        no -> BigInt,
        ledger -> Binary,
        first_id -> BigInt,
        begun_at -> BigInt,
        seen -> BigInt,
        unanswered -> BigInt,
        marks -> Binary,
        weighed -> BigInt,
    }
}

diesel::table! {
    product_codes (code) {
        code -> Text,
        name -> Text,
        cost -> BigInt,
    }
}

diesel::table! {
    totals (one) {
        one -> BigInt,
        row_count -> BigInt,
        sales -> BigInt,
        qty -> Text,
        amount -> Text,
        tax -> Text,
        pending -> BigInt,
        sent -> BigInt,
        rejected -> BigInt,
        conflicts -> BigInt,
        ahead -> Text,
    }
}

diesel::table! {
    data_used (day) {
        day -> Text,
        up -> BigInt,
        down -> BigInt,
    }
}

diesel::table! {
    worker (one) {
        one -> BigInt,
        at -> BigInt,
        pid -> BigInt,
        line -> Text,
        trial -> Bool,
    }
}

diesel::table! {
    recalls (ledger_no) {
        ledger_no -> BigInt,
        why -> Text,
        begun_at -> BigInt,
        first_id -> BigInt,
        last_id -> BigInt,
        sales -> BigInt,
    }
}
