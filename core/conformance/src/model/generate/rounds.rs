//! Scenarios with storage: managers that mostly do what `poll` says, in rounds of a `poll` and what follows from it.

use super::super::storage::{Owed, Task};
use super::{Generator, Next, Replay};
use serde_json::{Map, Value, json};

/// A scenario that is being made.
struct Script<'r, 's> {
    replay: &'r mut Replay<'s>,
    steps: Vec<Value>,
}

impl Script<'_, '_> {
    /// Does a step of the manager whose turn it is.
    fn act(&mut self, mut step: Value, spelled: bool) {
        let name = self.replay.name().to_owned();
        if step["do"] != "tamper" && step["do"] != "make" && (name != "a" || spelled) {
            step["manager"] = json!(name);
        }
        self.replay.step(&step);
        self.replay.turn_to(&name);
        self.steps.push(step);
    }
}

impl Generator {
    pub(super) fn scenario_with_storage(mut self) -> Value {
        let mut scenario = self.setting();
        if self.dice.percent(92) {
            scenario["storage"] = self.storage();
        }
        if self.dice.percent(60) {
            scenario["source"] = json!(self.dice.pick(&["none", "person", "program", "program"]));
        }
        self.failing = self.dice.pick(&[0, 5, 10, 30, 60]);
        self.tampering = self.dice.pick(&[0, 3, 3, 6, 25]);
        self.disobeying = self.dice.pick(&[0, 2, 5, 10, 30]);

        let head = scenario.clone();
        let mut replay = Replay::new(&head);
        let count = self.dice.between(20, 150).max(self.dice.between(20, 150));
        let mut script = Script { replay: &mut replay, steps: Vec::new() };
        let shared = head["storage"]["kind"] == "shared";
        let others = if shared { self.dice.pick(&[0, 1, 1, 2]) } else { self.dice.pick(&[0, 0, 0, 1]) };
        for name in ["b", "c"].iter().take(others) {
            self.make(&mut script, name);
        }
        if self.dice.percent(15) {
            // Before storage has been read.
            for _ in 0..self.dice.between(1, 5) {
                let kind = self.dice.weighted(&[
                    ("install", 40),
                    ("rejected", 30),
                    ("clear", 6),
                    ("renew", 6),
                    ("reload", 6),
                    ("poll", 12),
                ]);
                let at = self.when(script.replay);
                self.at = self.at.max(at);
                self.call(&mut script, kind, at);
            }
        }
        while (script.steps.len() as u64) < count {
            self.round(&mut script);
        }
        scenario["steps"] = Value::Array(script.steps);
        scenario
    }

    fn storage(&mut self) -> Value {
        let mut storage = Map::new();
        let kind = self.dice.weighted(&[("own", 42), ("shared", 58)]);
        storage.insert("kind".into(), json!(kind));
        if self.dice.percent(35) {
            storage
                .insert("stored".into(), json!(self.dice.pick(&["all", "refresh_token", "refresh_token"])));
        }
        if self.dice.percent(60) {
            storage.insert("slots".into(), json!(self.dice.pick(&[1, 2, 2, 2, 3, 4])));
        }
        if self.dice.percent(15) {
            storage.insert("floor".into(), json!(self.dice.pick(&[1, 7, 1000])));
        }
        if self.dice.percent(if kind == "own" { 45 } else { 10 }) {
            storage.insert("prove_room".into(), json!(true));
        }
        Value::Object(storage)
    }

    /// Another manager on the same storage, or one made again.
    fn make(&mut self, script: &mut Script<'_, '_>, name: &str) {
        let mut step = self.made(script.replay, self.at);
        step.insert("manager".into(), json!(name));
        script.act(Value::Object(step), false);
        script.replay.turn_to(name);
    }

    /// Whose turn it is: mostly whose it was, above all while it holds the lock.
    fn choose(&mut self, replay: &mut Replay<'_>) {
        if self.stays > 0 {
            self.stays -= 1;
            return;
        }
        let locked = replay.manager().storage.as_ref().is_some_and(|s| s.lock_held);
        if self.dice.percent(if locked { 90 } else { 60 }) {
            return;
        }
        let names = replay.names();
        replay.turn_to(&self.dice.pick(&names));
        if self.dice.percent(30) {
            self.stays = self.dice.between(3, 9);
        }
    }

    fn when(&mut self, replay: &Replay<'_>) -> u64 {
        let now = self.at;
        let manager = replay.manager();
        let (next, _) = manager.next_at(now);
        let busy = match next {
            Next::Load | Next::Store(_) | Next::Request(_) => 86,
            Next::Await(_) => 76,
            Next::Supply(_) => 60,
            _ => 5,
        };
        if self.dice.percent(busy) {
            return now
                + match self.dice.below(10) {
                    0..=4 => 0,
                    5..=8 => self.dice.below(300),
                    _ => self.dice.below(2000),
                };
        }
        let t = match self.dice.below(100) {
            0..=51 => manager.poll_at(now).unwrap_or(now + self.dice.below(4000)),
            52..=63 => manager.poll_at(now).map_or(now, |t| (t + self.dice.below(3)).saturating_sub(1)),
            64..=81 => {
                let ahead: Vec<u64> = manager.instants().into_iter().filter(|t| *t + 1 >= now).collect();
                let t = if ahead.is_empty() { now } else { self.dice.pick(&ahead) };
                (t + self.dice.below(3)).saturating_sub(1)
            }
            82..=87 => now + self.dice.below(5000),
            88..=92 => now + self.dice.below(60_000),
            93 => now + self.dice.below(36_000_000),
            94 | 95 => now.saturating_sub(self.dice.below(4000)),
            _ => now,
        };
        t.clamp(replay.here().made_at, now + 400_000_000)
    }

    /// A `poll`, and what follows from it.
    fn round(&mut self, script: &mut Script<'_, '_>) {
        self.choose(script.replay);
        if self.dice.percent(self.signing) {
            let step = self.sign_in_step(script.replay);
            self.at = self.at.max(step["at"].as_u64().unwrap_or(0));
            return script.act(step, false);
        }
        let at = self.when(script.replay);
        self.at = self.at.max(at);
        if self.dice.percent(self.disobeying) {
            let kind = self.dice.weighted(&[
                ("begin", 8),
                ("answer", 8),
                ("rejected", 8),
                ("install", 6),
                ("renew", 6),
                ("retry", 5),
                ("clear", 4),
                ("answer_revocation", 2),
                ("reload", 6),
                ("took", 6),
                ("read", 4),
                ("loaded", 10),
                ("load_failed", 5),
                ("write", 10),
                ("stored", 8),
                ("store_failed", 5),
                ("supplied", 8),
                ("supply_failed", 6),
                ("make", 4),
                ("tamper", 4),
            ]);
            return self.call(script, kind, at);
        }
        script.act(json!({"at": at, "do": "poll"}), self.dice.percent(10));
        let (next, _) = script.replay.manager().next_at(at);
        match next {
            Next::Load => {
                if self.dice.percent(10) {
                    script.act(json!({"at": at, "do": "took", "what": "load"}), false);
                }
                self.finish_load(script, at);
            }
            Next::Store(_) => {
                if self.dice.percent(10) {
                    script.act(json!({"at": at, "do": "took", "what": "store"}), false);
                }
                self.finish_store(script, at);
            }
            Next::Request(_) => self.call(script, "begin", at),
            Next::Await(_) => self.finish(script, at),
            Next::Supply(_) => {
                if self.dice.percent(12) {
                    script.act(json!({"at": at, "do": "took", "what": "supply"}), false);
                }
                let kind = self.dice.weighted(&[
                    ("supplied", 58),
                    ("supply_failed", 16),
                    ("", 10),
                    ("retry", 6),
                    ("rejected", 6),
                    ("install", 4),
                ]);
                self.call(script, kind, at);
            }
            Next::Nothing | Next::Wait => {
                let late = script.replay.manager().out.is_some() && self.dice.percent(30);
                let kind = self.dice.weighted(&[
                    ("", 40),
                    ("renew", 16),
                    ("rejected", 12),
                    ("authorize", 6),
                    ("reload", 6),
                    ("make", 6),
                    ("tamper", self.tampering),
                    ("retry", 3),
                    ("install", 3),
                    ("clear", 3),
                ]);
                self.call(script, if late { "answer" } else { kind }, at);
            }
        }
    }

    fn fails(&mut self) -> bool {
        self.dice.percent(self.failing)
    }

    fn finish_load(&mut self, script: &mut Script<'_, '_>, at: u64) {
        if self.fails() {
            return self.call(script, "load_failed", at);
        }
        if self.dice.percent(15) {
            script.act(json!({"at": at, "do": "read"}), false);
            if self.dice.percent(40) {
                // Somebody else comes between.
                return;
            }
        }
        self.call(script, "loaded", at);
    }

    fn finish_store(&mut self, script: &mut Script<'_, '_>, at: u64) {
        self.call(script, "write", at);
        if self.dice.percent(5) {
            return;
        }
        if self.dice.percent(4) {
            let kind = self.dice.pick(&["install", "clear", "renew", "retry", "rejected"]);
            self.call(script, kind, at);
        }
        let storage = script.replay.manager().storage.as_ref();
        let unheard =
            storage.is_some_and(|s| s.shared && s.owed == Some(Owed::Install)) && self.dice.percent(12);
        let kind = if unheard || self.fails() { "store_failed" } else { "stored" };
        let later = at + if self.dice.percent(70) { 0 } else { self.dice.below(600) };
        self.at = self.at.max(later);
        self.call(script, kind, later);
        if kind == "store_failed" && (unheard || self.dice.percent(30)) {
            // It may have been stored after all, and others go on from it.
            let own = script.replay.name().to_owned();
            let others: Vec<String> = script.replay.names().into_iter().filter(|name| *name != own).collect();
            if !others.is_empty() {
                script.replay.turn_to(&self.dice.pick(&others));
                self.stays = self.dice.between(4, 12);
            }
        }
    }

    /// What was begun or taken up comes to an end.
    fn finish(&mut self, script: &mut Script<'_, '_>, at: u64) {
        let manager = script.replay.manager();
        let storage = manager.storage.as_ref();
        let taken_up = storage.and_then(|s| s.taken_up);
        if self.dice.percent(4) {
            self.call(script, "took", at);
        } else if taken_up == Some(Task::Load) {
            self.finish_load(script, at);
        } else if taken_up == Some(Task::Store) {
            self.finish_store(script, at);
        } else if manager.out.is_some() {
            let kind = self.dice.weighted(&[
                ("answer", 84),
                ("failed", 5),
                ("reload", 3),
                ("install", 2),
                ("clear", 2),
                ("", 4),
            ]);
            self.call(script, kind, at);
        } else {
            let kind = self.dice.weighted(&[("supplied", 70), ("supply_failed", 20), ("clear", 4), ("", 6)]);
            self.call(script, kind, at);
        }
    }

    fn call(&mut self, script: &mut Script<'_, '_>, kind: &str, at: u64) {
        let mut step = Map::new();
        step.insert("at".into(), json!(at));
        step.insert("do".into(), json!(kind));
        let replay: &Replay<'_> = script.replay;
        let stored = replay.manager().storage.is_some();
        match kind {
            "" => return,
            "loaded" | "load_failed" | "write" | "stored" | "store_failed" | "read" if !stored => return,
            "begin" => self.begin(&mut step, replay),
            "answer" | "failed" => {
                let names = replay.here().request_names();
                if names.is_empty() {
                    return;
                }
                if self.dice.percent(10) {
                    let name = self.dice.pick(&names);
                    step.insert("request".into(), json!(name));
                }
                if kind == "answer" {
                    self.answer_body(&mut step, replay, at);
                }
            }
            "answer_revocation" => self.answer_body(&mut step, replay, at),
            "clear" => self.sign_out(&mut step),
            "rejected" => self.rejected(&mut step, replay),
            "authorize" => self.authorize(&mut step, replay),
            "install" | "supplied" => self.install(&mut step, replay, at, false),
            "supply_failed" if self.dice.percent(60) => {
                let retryable = self.dice.percent(60);
                step.insert("retryable".into(), json!(retryable));
            }
            "took" => {
                let what = self.dice.pick(&["load", "store", "supply"]);
                if what != "supply" && !stored {
                    return;
                }
                step.insert("what".into(), json!(what));
            }
            "write" => {
                // A torn tombstone is a person who is still signed in.
                let tombstone = replay
                    .manager()
                    .storage
                    .as_ref()
                    .is_some_and(|s| matches!(s.owed, Some(Owed::Tombstone(_))));
                if self.dice.percent(if tombstone { 15 } else { 6 }) {
                    let kept = if self.dice.percent(20) { 0 } else { self.dice.below(60) };
                    step.insert("torn".into(), json!(kept));
                } else if self.dice.percent(5) {
                    step.insert("lost".into(), json!(true));
                }
            }
            "make" => {
                let mut names = replay.names();
                if stored && names.len() < 3 {
                    let free = ["b", "c"].iter().find(|n| !names.iter().any(|have| have == *n));
                    names.extend(free.map(|n| (*n).to_owned()));
                }
                let name = self.dice.pick(&names);
                return self.make(script, &name);
            }
            "tamper" if !self.tamper(&mut step, replay) => return,
            _ => {}
        }
        let spelled = self.dice.percent(10);
        script.act(Value::Object(step), spelled);
    }

    /// Somebody changes what is in a slot; false where there is nothing to change.
    fn tamper(&mut self, step: &mut Map<String, Value>, replay: &Replay<'_>) -> bool {
        let count = replay.slots.len() as u64;
        if count == 0 {
            return false;
        }
        let slot = self.dice.below(count);
        let Some(bytes) = &replay.slots[slot as usize] else { return false };
        step.insert("slot".into(), json!(slot));
        match self.dice.below(10) {
            0..=2 if bytes.is_whole() => {
                let bit = if self.dice.percent(50) { self.dice.below(66) } else { self.dice.below(400) };
                step.insert("flip".into(), json!(bit));
            }
            3 | 4 => {
                let kept = if self.dice.percent(50) { self.dice.below(9) } else { self.dice.below(60) };
                step.insert("cut".into(), json!(kept));
            }
            5 | 6 if count > 1 => {
                let from = self.dice.below(count);
                step.insert("from".into(), json!(from));
            }
            _ => _ = step.insert("erase".into(), json!(true)),
        }
        true
    }
}
