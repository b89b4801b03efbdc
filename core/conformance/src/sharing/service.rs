//! The token service: it rotates refresh tokens, and ends a family of them when an old one comes back.

/// When something comes that never does.
pub(super) const NEVER: u64 = u64::MAX / 4;

/// The refresh tokens of one sign-in.
pub(super) struct Family {
    pub(super) alive: bool,
    /// The number of the token that is good now, and of the one before it; 0 is none.
    pub(super) current: u32,
    previous: u32,
    /// The act of a person that it came from.
    pub(super) act: usize,
    pub(super) rotated_at: u64,
    /// Who was sent the current token: a process, and which of its lives.
    pub(super) receiver: Option<(usize, u32)>,
    /// When the answer with it arrives.
    pub(super) arrives_at: u64,
    /// When the receiver waits no longer.
    pub(super) given_up_at: u64,
    /// When the receiver had it.
    pub(super) arrived_at: u64,
    /// A process that lived had it, and has it no more.
    pub(super) dropped: bool,
}

/// What becomes of a refresh token that is presented.
pub(super) enum Presented {
    /// Its family is dead.
    Refused,
    /// Here is the next one.
    Rotated { token: u32, early: bool },
    /// It had been used: its family has died.
    Reused,
}

pub(super) struct Service {
    grace_ms: u64,
    life_ms: u64,
    pub(super) families: Vec<Family>,
    /// The family of each token, by its number.
    of_token: Vec<usize>,
}

impl Service {
    pub(super) fn new(life_ms: u64, grace_ms: u64) -> Self {
        Self { grace_ms, life_ms, families: Vec::new(), of_token: vec![usize::MAX] }
    }

    pub(super) fn lifetime_s(&self) -> u64 {
        self.life_ms / 1000
    }

    pub(super) fn family(&mut self, token: u32) -> &mut Family {
        let family = self.of_token[token as usize];
        &mut self.families[family]
    }

    pub(super) fn act(&self, token: u32) -> usize {
        self.families[self.of_token[token as usize]].act
    }

    /// A sign-in, or a primary grant.
    pub(super) fn grant(&mut self, now: u64, act: usize) -> u32 {
        self.families.push(Family {
            alive: true,
            current: 0,
            previous: 0,
            act,
            rotated_at: now,
            receiver: None,
            arrives_at: 0,
            given_up_at: 0,
            arrived_at: now,
            dropped: false,
        });
        self.next(self.families.len() - 1)
    }

    fn next(&mut self, family: usize) -> u32 {
        self.of_token.push(family);
        let token = self.of_token.len() as u32 - 1;
        let family = &mut self.families[family];
        (family.previous, family.current) = (family.current, token);
        token
    }

    pub(super) fn present(&mut self, now: u64, token: u32) -> Presented {
        let number = self.of_token[token as usize];
        let (life_ms, grace_ms) = (self.life_ms, self.grace_ms);
        let family = &mut self.families[number];
        if !family.alive {
            return Presented::Refused;
        }
        let since = now - family.rotated_at;
        let again = token == family.previous && since < grace_ms;
        if token != family.current && !again {
            family.alive = false;
            return Presented::Reused;
        }
        let early = since < life_ms / 2 && family.previous != 0;
        let previous = family.previous;
        family.rotated_at = now;
        family.dropped = false;
        family.arrived_at = NEVER;
        let next = self.next(number);
        if again {
            self.families[number].previous = previous;
        }
        Presented::Rotated { token: next, early }
    }
}
