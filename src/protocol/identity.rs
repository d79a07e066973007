//! Who may speak for a branch.

use crate::domain::ids::BranchCode;

/// The user of a broker that nobody has set up; taken from branches only by an HQ on trial.
pub const TRIAL_USER: &str = "guest";

/// What a message says of its sender, in three places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The user that the broker has checked; a branch always sets it.
    pub user_id: Option<&'a str>,
    /// The first word of the routing key, which the broker's topic permission has checked.
    pub routed_as: &'a str,
    /// The branch that the envelope names.
    pub branch: &'a BranchCode,
}

/// What HQ knows of the branch, and how it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// HQ was started with `--trial`.
    pub trial: bool,
    /// The branch has once written under its own user.
    pub had_own_login: bool,
}

/// How a message's sender was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Login {
    /// Under the branch's own user.
    Own,
    /// As anybody: HQ is on trial.
    Trial,
}

/// Why a message's sender was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Mismatch {
    /// The routing key names another branch than the envelope.
    #[error("the routing key names another branch than the message")]
    Routing,
    /// The message has no `user_id`.
    #[error("the message has no user_id, so the broker has not checked who sent it")]
    NoUser,
    /// The `user_id` is another branch.
    #[error("the message was sent under another user than its branch")]
    OtherUser,
    /// The trial user speaks for a branch that has a login of its own.
    #[error("the message was sent by `guest` for a branch that has a login of its own")]
    TrialAfterOwn,
    /// The trial user speaks, and HQ is not on trial.
    #[error("the message was sent by `guest`, and head office was not started with --trial")]
    NotOnTrial,
}

/// Decides whether a message may be taken as the branch's own.
///
/// # Errors
/// Says what does not agree.
pub fn check(claims: Claims<'_>, policy: Policy) -> Result<Login, Mismatch> {
    if claims.routed_as != claims.branch.as_str() {
        return Err(Mismatch::Routing);
    }
    match claims.user_id {
        None => Err(Mismatch::NoUser),
        Some(user) if user == claims.branch.as_str() => Ok(Login::Own),
        Some(TRIAL_USER) if !policy.trial => Err(Mismatch::NotOnTrial),
        Some(TRIAL_USER) if policy.had_own_login => Err(Mismatch::TrialAfterOwn),
        Some(TRIAL_USER) => Ok(Login::Trial),
        Some(_) => Err(Mismatch::OtherUser),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_agreeing_claims_are_taken() {
        let branch = BranchCode::parse("TUNIS-01").unwrap();
        let ask = |user_id, routed_as, trial, had_own_login| {
            check(
                Claims {
                    user_id,
                    routed_as,
                    branch: &branch,
                },
                Policy { trial, had_own_login },
            )
        };
        assert_eq!(ask(Some("TUNIS-01"), "TUNIS-01", false, false), Ok(Login::Own));
        assert_eq!(ask(Some("TUNIS-01"), "SFAX-02", false, false), Err(Mismatch::Routing));
        assert_eq!(ask(None, "TUNIS-01", true, false), Err(Mismatch::NoUser));
        assert_eq!(ask(Some("SFAX-02"), "TUNIS-01", true, false), Err(Mismatch::OtherUser));
        assert_eq!(ask(Some("guest"), "TUNIS-01", false, false), Err(Mismatch::NotOnTrial));
        assert_eq!(ask(Some("guest"), "TUNIS-01", true, false), Ok(Login::Trial));
        assert_eq!(ask(Some("guest"), "TUNIS-01", true, true), Err(Mismatch::TrialAfterOwn));
    }
}
