// SPDX-License-Identifier: GPL-2.0-only
//! The registered triggers: names, equality, owners, the tokens by which tracers know them, and the places of their
//! error counters.
//!
//! Pure: it neither evaluates conditions nor runs actions. Nothing here walks all triggers but a listing.
//!
//! Rules and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/{cmd,notification-thread-events}.c`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use lttng_protocol::client::Domain;
use lttng_protocol::trigger::{Action, Condition, EventRule, Trigger};

use super::slots::Slots;
use crate::accounts::Charge;
use crate::text::Text;
use crate::turn::ids::TriggerId;
use crate::turn::output::SharedFd;

/// What becomes of each action of a trigger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often it was asked for.
    pub requests: u64,
    /// How often it ran and failed.
    pub failures: u64,
}

/// A place of an error counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One of those that applications have.
    Applications(u32),
    /// One of the kernel's.
    Kernel(u32),
}

/// A registered trigger.
#[derive(Debug)]
pub struct Registered {
    /// As it was registered, its name filled in.
    pub trigger: Trigger,
    /// The same as bytes: every notification has them.
    pub encoded: Rc<[u8]>,
    /// One for each of [`Action::each`].
    pub tallies: Vec<Tally>,
    /// How often its condition was met.
    pub fired: u64,
    /// How often that came to nothing, since too much was to be done.
    pub dropped: u64,
    /// Where tracers count the messages about it that were lost.
    pub slot: Option<Place>,
    /// The program that its probe is in, which goes with it wherever it is told.
    pub program: Option<SharedFd>,
    /// What its owner is charged for it.
    pub charge: Option<Charge>,
}

impl Registered {
    /// Bytes of memory that it takes, about.
    pub fn held(&self) -> u64 {
        /// Its places in the registry, and what its parts take beside their bytes.
        const BESIDE: u64 = 512;
        (self.encoded.len() as u64).saturating_mul(2).saturating_add(BESIDE)
    }
}

/// Why a trigger is not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its owner has one of this name, or the same one.
    Exists,
    /// There is no place for its error counter.
    NoSlot,
}

/// What a condition is about, so that triggers and subscriptions can be looked up by it. Equal conditions are about the
/// same; what is about the same need not be equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A session's rotations, or what it has consumed.
    Session(String),
    /// How full a channel is: the session's name, the channel's.
    Channel(String, String),
    /// Events of these names. The domain's number is the first part.
    Events(u32, Text),
}

impl Subject {
    /// What a condition is about.
    pub fn of(condition: &Condition) -> Self {
        match condition {
            Condition::SessionConsumedSize { session, .. }
            | Condition::RotationOngoing { session }
            | Condition::RotationCompleted { session } => Subject::Session(session.clone()),
            Condition::BufferUsageHigh(usage) | Condition::BufferUsageLow(usage) => {
                Subject::Channel(usage.session.clone(), usage.channel.clone())
            }
            Condition::EventRuleMatches { rule, .. } => {
                Subject::Events(rule.domain().number(), name_of(rule).clone())
            }
        }
    }
}

fn name_of(rule: &EventRule) -> &Text {
    match rule {
        EventRule::KernelSyscall { pattern, .. }
        | EventRule::KernelTracepoint { pattern, .. }
        | EventRule::UserTracepoint { pattern, .. }
        | EventRule::Logging { pattern, .. } => pattern,
        EventRule::KernelKprobe { name, .. } | EventRule::KernelUprobe { name, .. } => name,
    }
}

/// All triggers.
#[derive(Debug)]
pub struct Registry {
    all: BTreeMap<TriggerId, Registered>,
    about: BTreeMap<Subject, BTreeSet<TriggerId>>,
    names: BTreeSet<(u32, String)>,
    /// Of triggers whose events are told by applications.
    slots: Slots,
    /// Of those whose events the kernel tells.
    kernel_slots: Slots,
    next_token: u64,
    next_name: u64,
    /// How often a trigger was looked at.
    #[cfg(test)]
    looks: std::cell::Cell<usize>,
}

impl Registry {
    /// None yet, with room for the error counters of so many that applications tell events of, and the kernel.
    pub fn new(slots: u32, kernel_slots: u32) -> Self {
        Registry {
            all: BTreeMap::new(),
            about: BTreeMap::new(),
            names: BTreeSet::new(),
            slots: Slots::new(slots),
            kernel_slots: Slots::new(kernel_slots),
            next_token: 1,
            next_name: 0,
            #[cfg(test)]
            looks: std::cell::Cell::default(),
        }
    }

    /// Registers a trigger. One without a name gets one unless it is anonymous.
    ///
    /// # Errors
    /// Why not. A token is used up all the same.
    pub fn register(&mut self, mut trigger: Trigger, anonymous: bool) -> Result<TriggerId, Refusal> {
        let id = TriggerId(self.next_token);
        self.next_token = self.next_token.saturating_add(1);
        if self.has_name(&trigger) {
            return Err(Refusal::Exists);
        }
        if trigger.name.is_none() && !anonymous {
            trigger.name = Some(self.make_name(trigger.owner));
        }
        if self.find(&trigger).is_some() {
            return Err(Refusal::Exists);
        }
        let slot = match &trigger.condition {
            Condition::EventRuleMatches { rule, .. } => {
                let place = match rule.domain() {
                    Domain::Kernel => self.kernel_slots.take().map(Place::Kernel),
                    _ => self.slots.take().map(Place::Applications),
                };
                Some(place.ok_or(Refusal::NoSlot)?)
            }
            _ => None,
        };
        if let Some(name) = &trigger.name {
            self.names.insert((trigger.owner, name.clone()));
        }
        self.about.entry(Subject::of(&trigger.condition)).or_default().insert(id);
        let encoded = trigger.encode_payload().into();
        let tallies = vec![Tally::default(); trigger.action.each().len()];
        let registered =
            Registered { trigger, encoded, tallies, fired: 0, dropped: 0, slot, program: None, charge: None };
        self.all.insert(id, registered);
        Ok(id)
    }

    /// A name that its owner has no trigger of: `trigger0`, `trigger1`… from one counter for everybody.
    fn make_name(&mut self, owner: u32) -> String {
        loop {
            let name = format!("trigger{}", self.next_name);
            self.next_name = self.next_name.saturating_add(1);
            if !self.names.contains(&(owner, name.clone())) {
                return name;
            }
        }
    }

    /// Whether its owner has a trigger of its name.
    pub fn has_name(&self, trigger: &Trigger) -> bool {
        trigger.name.as_ref().is_some_and(|name| self.names.contains(&(trigger.owner, name.clone())))
    }

    /// The registered trigger that is the same as this one.
    pub fn find(&self, trigger: &Trigger) -> Option<TriggerId> {
        let about = self.about.get(&Subject::of(&trigger.condition))?;
        about.iter().copied().find(|id| self.get(*id).is_some_and(|known| known.trigger.same_as(trigger)))
    }

    /// Forgets a trigger. Its error counter's place may be given to another one only when it is zero:
    /// [`Self::free_slot`].
    pub fn remove(&mut self, id: TriggerId) -> Option<Registered> {
        let removed = self.all.remove(&id)?;
        let subject = Subject::of(&removed.trigger.condition);
        if let Some(about) = self.about.get_mut(&subject) {
            about.remove(&id);
            if about.is_empty() {
                self.about.remove(&subject);
            }
        }
        if let Some(name) = &removed.trigger.name {
            self.names.remove(&(removed.trigger.owner, name.clone()));
        }
        Some(removed)
    }

    /// The place of an error counter is free.
    pub fn free_slot(&mut self, place: Place) {
        match place {
            Place::Applications(slot) => self.slots.give_back(slot),
            Place::Kernel(slot) => self.kernel_slots.give_back(slot),
        }
    }

    /// A trigger.
    pub fn get(&self, id: TriggerId) -> Option<&Registered> {
        #[cfg(test)]
        self.looks.update(|looks| looks.saturating_add(1));
        self.all.get(&id)
    }

    /// A trigger, to count.
    pub fn get_mut(&mut self, id: TriggerId) -> Option<&mut Registered> {
        self.all.get_mut(&id)
    }

    /// The triggers about this, oldest first.
    pub fn about(&self, subject: &Subject) -> impl Iterator<Item = (TriggerId, &Registered)> {
        let ids = self.about.get(subject).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.get(*id)?)))
    }

    /// All triggers that are not hidden, oldest first: of this user, or of all.
    pub fn list(&self, owner: Option<u32>) -> impl Iterator<Item = &Registered> {
        self.all.values().filter(move |Registered { trigger, .. }| {
            !trigger.hidden && owner.is_none_or(|owner| owner == trigger.owner)
        })
    }

    /// How many triggers there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// Whether an action tells those who have subscribed.
pub fn notifies(action: &Action) -> bool {
    action.each().iter().any(|action| matches!(action, Action::Notify { .. }))
}

#[cfg(test)]
impl Registry {
    /// How often a trigger was looked at since this was asked last.
    pub fn looks(&self) -> usize {
        self.looks.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lttng_protocol::trigger::RatePolicy;

    fn trigger(owner: u32, name: Option<&str>, session: &str) -> Trigger {
        Trigger {
            owner,
            name: name.map(str::to_owned),
            hidden: false,
            condition: Condition::RotationOngoing { session: session.to_owned() },
            action: Action::Notify { rate: RatePolicy::default() },
        }
    }

    fn matching(pattern: &str) -> Trigger {
        let rule = EventRule::UserTracepoint {
            pattern: pattern.into(),
            filter: None,
            log_level: None,
            exclusions: Vec::new(),
        };
        let condition = Condition::EventRuleMatches { rule, captures: Vec::new() };
        Trigger { condition, ..trigger(0, None, "") }
    }

    fn name(registry: &Registry, id: Result<TriggerId, Refusal>) -> Option<&str> {
        registry.get(id.unwrap()).unwrap().trigger.name.as_deref()
    }

    #[test]
    fn names_are_made_up_once_for_everybody() {
        let mut registry = Registry::new(9, 4);
        let id = registry.register(trigger(0, None, "s"), false);
        assert_eq!(name(&registry, id), Some("trigger0"));
        // The same without a name is another one.
        let id = registry.register(trigger(0, None, "s"), false);
        assert_eq!(name(&registry, id), Some("trigger1"));
        registry.register(trigger(0, Some("trigger2"), "s"), false).unwrap();
        let id = registry.register(trigger(0, None, "s"), false);
        assert_eq!(name(&registry, id), Some("trigger3"));
        let id = registry.register(trigger(1, None, "s"), false);
        assert_eq!(name(&registry, id), Some("trigger4"));
    }

    #[test]
    fn names_are_the_owners() {
        let mut registry = Registry::new(9, 4);
        let id = registry.register(trigger(0, Some("a"), "s"), false).unwrap();
        assert_eq!(registry.register(trigger(0, Some("a"), "t"), false), Err(Refusal::Exists));
        assert_eq!(registry.register(trigger(0, Some("a"), "t"), true), Err(Refusal::Exists));
        assert!(registry.register(trigger(1, Some("a"), "s"), false).is_ok());
        assert!(registry.register(trigger(0, Some("b"), "s"), false).is_ok());
        assert_eq!(registry.list(Some(0)).count(), 2);
        assert_eq!(registry.list(None).count(), 3);
        registry.remove(id);
        assert!(registry.register(trigger(0, Some("a"), "t"), false).is_ok());
    }

    #[test]
    fn anonymous_ones_have_no_name_and_are_told_apart_by_what_they_are() {
        let mut registry = Registry::new(9, 4);
        let id = registry.register(trigger(0, None, "s"), true);
        assert_eq!(name(&registry, id), None);
        assert_eq!(registry.register(trigger(0, None, "s"), true), Err(Refusal::Exists));
        assert!(registry.register(trigger(0, None, "t"), true).is_ok());
        assert!(registry.register(trigger(1, None, "s"), true).is_ok());
        assert_eq!(registry.find(&trigger(0, None, "s")), id.ok());
        let hidden = Trigger { hidden: true, ..trigger(0, None, "s") };
        assert_eq!(registry.find(&hidden), None);
        registry.register(hidden, true).unwrap();
        assert_eq!(registry.list(None).count(), 3);
    }

    /// However many there are: only those about the same are looked at.
    #[test]
    fn one_more_costs_what_it_is_about() {
        let mut registry = Registry::new(1000, 4);
        for number in 0..500 {
            registry.register(trigger(0, None, &format!("s{number}")), false).unwrap();
            registry.register(matching(&format!("a:{number}")), false).unwrap();
        }
        registry.looks();
        // About something new, without a name, with one, and anonymous; then about what one other is about.
        registry.register(matching("b"), false).unwrap();
        registry.register(trigger(0, Some("name"), "t"), false).unwrap();
        registry.register(trigger(1, None, "u"), true).unwrap();
        assert_eq!(registry.looks(), 0);
        let id = registry.register(matching("a:7"), false).unwrap();
        assert_eq!(registry.looks(), 1);
        assert_eq!(registry.find(&trigger(0, None, "s7")), None, "it has a name");
        assert_eq!(registry.looks(), 1);
        registry.remove(id);
        assert_eq!(registry.looks(), 0);
    }

    #[test]
    fn refused_ones_use_up_a_token_and_nothing_else() {
        let mut registry = Registry::new(1, 4);
        assert_eq!(registry.register(matching("a:*"), false), Ok(TriggerId(1)));
        assert_eq!(registry.register(matching("b:*"), false), Err(Refusal::NoSlot));
        assert_eq!(registry.len(), 1);
        let removed = registry.remove(TriggerId(1)).unwrap();
        assert_eq!(registry.register(matching("b:*"), false), Err(Refusal::NoSlot));
        registry.free_slot(removed.slot.unwrap());
        assert_eq!(registry.register(matching("b:*"), false), Ok(TriggerId(4)));
        assert_eq!(registry.about(&Subject::Events(Domain::Ust.number(), "b:*".into())).count(), 1);
        assert_eq!(registry.about(&Subject::Events(Domain::Ust.number(), "a:*".into())).count(), 0);
    }
}
