//! The keys of all sentences: every language's file has one sentence for each.
//!
//! The sentences are in `*.lang` beside this file; how they are read is in [`super::catalogue`].

macro_rules! keys {
    ($($name:ident = $text:literal,)*) => {
        /// Names one sentence of the catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Key {
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl Key {
            /// All keys, in the order of the languages' files.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The key as the languages' files write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

keys! {
    // The language itself.
    LanguageSingular = "language.singular",
    // Numbers, dates and times.
    NumberDecimal = "number.decimal",
    NumberGroup = "number.group",
    FormatDay = "format.day",
    FormatDayShort = "format.day_short",
    FormatMoment = "format.moment",
    FormatMomentSeconds = "format.moment_seconds",
    FormatClock = "format.clock",
    FormatClockSeconds = "format.clock_seconds",
    UnitSeconds = "unit.seconds",
    UnitMinutes = "unit.minutes",
    UnitHours = "unit.hours",
    UnitDays = "unit.days",
    // Sync states.
    StatePending = "state.pending",
    StateSent = "state.sent",
    StateAcked = "state.acked",
    StateRejected = "state.rejected",
    StateConflict = "state.conflict",
    // Fields.
    FieldProduct = "field.product",
    FieldQty = "field.qty",
    FieldCost = "field.cost",
    FieldTax = "field.tax",
    FieldDate = "field.date",
    FieldRegion = "field.region",
    // What is wrong with a field.
    ProblemMissingProduct = "problem.missing_product",
    ProblemMissingQty = "problem.missing_qty",
    ProblemMissingCost = "problem.missing_cost",
    ProblemMissingRegion = "problem.missing_region",
    ProblemNotAQuantity = "problem.not_a_quantity",
    ProblemNotADate = "problem.not_a_date",
    ProblemNotANumber = "problem.not_a_number",
    ProblemNegative = "problem.negative",
    ProblemTooFine = "problem.too_fine",
    ProblemTooLarge = "problem.too_large",
    ProblemProductTooLong = "problem.product_too_long",
    ProblemRegionTooLong = "problem.region_too_long",
    ProblemUnclean = "problem.unclean",
    ProblemAmountTooLarge = "problem.amount_too_large",
    // Why HQ refused a sale, and what to do.
    RefusalDateAhead = "refusal.date_ahead",
    RefusalContent = "refusal.content",
    RefusalUnreadable = "refusal.unreadable",
    RefusalStorage = "refusal.storage",
    RemedyDateAhead = "remedy.date_ahead",
    RemedyContent = "remedy.content",
    RemedyUnreadable = "remedy.unreadable",
    RemedyStorage = "remedy.storage",
    // Why the line is down.
    LinkUnreachable = "link.unreachable",
    LinkNotABroker = "link.not_a_broker",
    LinkLoginRefused = "link.login_refused",
    LinkNotAllowed = "link.not_allowed",
    LinkCertificate = "link.certificate",
    LinkTimedOut = "link.timed_out",
    LinkNoHeadOffice = "link.no_head_office",
    LinkLost = "link.lost",
    LinkClosed = "link.closed",
    // The log.
    LogSaved = "log.saved",
    LogEdited = "log.edited",
    LogVoided = "log.voided",
    LogImported = "log.imported",
    LogLinkUp = "log.link_up",
    LogLinkDown = "log.link_down",
    LogBlocked = "log.blocked",
    LogStoredOne = "log.stored_one",
    LogStored = "log.stored",
    LogTimedOut = "log.timed_out",
    LogTimedOutSilent = "log.timed_out_silent",
    LogRefused = "log.refused",
    LogConflicted = "log.conflicted",
    LogUnreadable = "log.unreadable",
    LogHqAnswered = "log.hq_answered",
    LogHqAnsweredSkew = "log.hq_answered_skew",
    LogSkewAhead = "log.skew_ahead",
    LogSkewBehind = "log.skew_behind",
    LogHqRestored = "log.hq_restored",
    LogLedgerBegun = "log.ledger_begun",
    LogForeignStore = "log.foreign_store",
    LogStoreReplaced = "log.store_replaced",
    LogForeignReceipt = "log.foreign_receipt",
    LogHqOlder = "log.hq_older",
    LogResent = "log.resent",
    LogWorkerRestarted = "log.worker_restarted",
    LogWorkerElected = "log.worker_elected",
    LevelInfo = "level.info",
    LevelWarning = "level.warning",
    LevelProblem = "level.problem",
}

impl Key {
    /// The key with this name; `None` if there is none.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.name() == name)
    }
}
