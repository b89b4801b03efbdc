//! What is counted.

macro_rules! tally {
    ($($name:ident: $meaning:literal)+) => {
        /// What came of runs. Durations are in milliseconds.
        #[derive(Clone, Debug, Default)]
        pub struct Tally {
            $(#[doc = $meaning] pub $name: u64,)+
        }

        impl Tally {
            #[must_use]
            pub(super) fn plus(&self, more: &Self) -> Self {
                Self { $($name: self.$name + more.$name),+ }
            }

            /// Each number with its name.
            pub fn numbers(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }
        }
    };
}

tally! {
    runs: "Runs."
    killed_though_stored: "Families of refresh tokens that died although the successor was in storage."
    killed_though_under_way: "… although the answer with it was under way to a process that lived."
    killed_though_held: "… although a process that was awake held it, and storage was in order."
    killed_though_dropped: "… because a process that lived had dropped it."
    killed_late: "Families that died of a request that was sent too late."
    lent: "Tokens lent that were not those of whom storage named when it was looked at or written."
    former_written: "Tokens of a former user written over another's."
    undone: "Tokens of a former user written over a sign-out."
    installs_lost: "Sign-ins that a process forgot before they were stored."
    sign_outs_lost: "Sign-outs that a process forgot before they were stored."
    unsaved_acts: "Sign-ins and sign-outs that were not stored within two minutes of good storage, ten where it is one process's own."
    sessions_lost: "Processes that asked for a sign-in for two minutes although storage or a process had the session."
    deadlocks: "Processes without a token for ten minutes although storage or a process had the session."
    refused_calls: "Calls in their order that the core refused, or answered otherwise than they can be."
    idle_polls: "Answers of `poll` with an instant that is not in the future and nothing to do."
    silent_changes: "Answers of `poll` that changed before the instant that it named, without a call."
    killed_inevitably: "Families that died because the answer was lost, or the process that had it."
    killed_by_sleep: "Families that died because the process that had the successor, or would have had it, slept."
    killed_by_storage: "Families that died because storage was out of order."
    killed_of_no_matter: "Families that died after their user had signed out."
    overtaken: "Sign-ins and sign-outs that were stored over a later one: the later holder of the lock wins."
    supplies: "Times a process asked for a sign-in although storage or a process had the session, for however long."
    rotations: "Refresh tokens rotated."
    early_rotations: "Those within half a lifetime of the one before."
    requests: "Requests begun."
    not_due: "Requests that were not due any more when the credentials were there."
    loads: "Loads."
    stores: "Stores."
    crashes: "Crashes."
    sign_ins: "Sign-ins."
    sign_outs: "Sign-outs."
    stale_answers: "Answers that came too late."
    refused_tokens: "Refresh tokens refused."
    good_ms: "Time of processes in which there could be a token."
    without_token_ms: "Time of these in which there was none."
}

impl Tally {
    /// Families that died although the successor was there.
    #[must_use]
    pub const fn avoidable_kills(&self) -> u64 {
        self.killed_though_stored
            + self.killed_though_under_way
            + self.killed_though_held
            + self.killed_though_dropped
    }

    /// What must not occur, and did.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, u64)> {
        self.numbers()
            .skip(1)
            .take_while(|(name, _)| *name != "killed_inevitably")
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// How many of the rotations came early, in thousandths.
    #[must_use]
    pub const fn early_permille(&self) -> u64 {
        self.early_rotations * 1000 / if self.rotations == 0 { 1 } else { self.rotations }
    }
}
