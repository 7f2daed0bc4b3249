// SPDX-License-Identifier: GPL-2.0-only
//! What each user makes the daemon hold, and how much of it a user may.
//!
//! Whoever takes something on behalf of a user charges it here and keeps the [`Charge`] together with what was taken:
//! both go at the same moment, so nothing can be released twice or not at all. A limit is checked in one place and in
//! one way, for the user and for all users together.
//!
//! Nothing here knows what is charged for, and nothing here acts on a limit: who is refused decides what that means.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::rc::Rc;

/// What can run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Connections of applications, registered or about to be. Each application makes two, and has a pipe once there was
    /// a trigger on events; the memory in which a user's applications count what they can't tell takes some, too.
    Applications,
    /// Connections of agents, which anybody can make who can open a local connection.
    Agents,
    /// Connections of clients.
    Connections,
    /// Descriptors that clients have sent and that are still open here.
    Descriptors,
    /// Bytes of memory: what has not arrived whole, waits to be sent, is being listed, or is described in metadata.
    Memory,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Resource; 5] = [
        Resource::Applications,
        Resource::Agents,
        Resource::Connections,
        Resource::Descriptors,
        Resource::Memory,
    ];

    /// What it is called in messages.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Applications => "connections of applications",
            Resource::Agents => "connections of agents",
            Resource::Connections => "connections of clients",
            Resource::Descriptors => "descriptors",
            Resource::Memory => "bytes of memory",
        }
    }
}

/// One value for each resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct PerResource<T> {
    applications: T,
    agents: T,
    connections: T,
    descriptors: T,
    memory: T,
}

impl<T> PerResource<T> {
    fn of(&self, resource: Resource) -> &T {
        match resource {
            Resource::Applications => &self.applications,
            Resource::Agents => &self.agents,
            Resource::Connections => &self.connections,
            Resource::Descriptors => &self.descriptors,
            Resource::Memory => &self.memory,
        }
    }

    fn of_mut(&mut self, resource: Resource) -> &mut T {
        match resource {
            Resource::Applications => &mut self.applications,
            Resource::Agents => &mut self.agents,
            Resource::Connections => &mut self.connections,
            Resource::Descriptors => &mut self.descriptors,
            Resource::Memory => &mut self.memory,
        }
    }
}

/// How much more memory than others the user may have that the daemon belongs to.
const OWNERS_SHARE: u64 = 16;

/// How much of a resource there may be, in the resource's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// For one user.
    pub user: u64,
    /// For all users together.
    pub all: u64,
}

/// How much there may be of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    of: PerResource<Limit>,
    /// Who the daemon belongs to: this user's memory has a limit of its own, and leaves the others theirs.
    owner: Option<u32>,
}

impl Limits {
    /// The limits of a daemon that takes so many applications of all users together, and so many of one of them.
    ///
    /// What else costs descriptors is derived from that. What costs memory has limits that nobody meets who means well.
    pub fn for_applications(all: usize, user: usize) -> Self {
        const MIB: u64 = 1 << 20;
        /// A small number of applications must not lock out the only client.
        const FEWEST_CONNECTIONS: u64 = 64;
        /// More than clients may send with one request.
        const FEWEST_DESCRIPTORS: u64 = 512;
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let (all, user) = (wide(all), wide(user));
        let at_least = |fewest: u64| Limit { user: user.max(fewest), all: all.max(fewest) };
        // A quarter of the programs may have an agent. Whoever can connect can come as one, also where there is but one user
        // who may use the daemon: nobody may take all places.
        let agents = (all / 4).max(FEWEST_CONNECTIONS);
        let of = PerResource {
            applications: Limit { user: user.saturating_mul(2), all: all.saturating_mul(2) },
            agents: Limit { user: agents / 2, all: agents },
            connections: at_least(FEWEST_CONNECTIONS),
            descriptors: at_least(FEWEST_DESCRIPTORS),
            memory: Limit { user: 64 * MIB, all: 256 * MIB },
        };
        Limits { of, owner: None }
    }

    /// The limit of one resource.
    pub fn of(&self, resource: Resource) -> Limit {
        *self.of.of(resource)
    }

    /// How much one user may have of a resource.
    pub fn for_user(&self, uid: u32, resource: Resource) -> u64 {
        let user = self.of(resource).user;
        if self.is_apart(uid, resource) { user.saturating_mul(OWNERS_SHARE) } else { user }
    }

    /// The same limits, but for one resource.
    #[must_use]
    pub fn with(mut self, resource: Resource, limit: Limit) -> Self {
        *self.of.of_mut(resource) = limit;
        self
    }

    /// The same limits for a daemon that belongs to this user, who may have as much memory as 16 users, and
    /// whose memory does not count as that of all users.
    #[must_use]
    pub fn owned_by(mut self, uid: u32) -> Self {
        self.owner = Some(uid);
        self
    }

    /// Whether this is memory of the user that the daemon belongs to.
    fn is_apart(&self, uid: u32, resource: Resource) -> bool {
        resource == Resource::Memory && self.owner == Some(uid)
    }
}

/// How much is held of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage(PerResource<u64>);

impl Usage {
    /// How much of one resource.
    pub fn of(&self, resource: Resource) -> u64 {
        *self.0.of(resource)
    }
}

/// Whose limit it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The user has had its share.
    User,
    /// All users together have had everything.
    Daemon,
}

/// There is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// Who wanted more.
    pub uid: u32,
    /// Of what.
    pub resource: Resource,
    /// Whose limit forbids it.
    pub whose: Whose,
    /// The limit, in the resource's own unit.
    pub limit: u64,
}

impl Exhausted {
    /// How there can be more.
    fn remedy(&self) -> &'static str {
        match (self.resource, self.whose) {
            (Resource::Memory, Whose::User) => {
                "LTTNG_SESSIOND_USER_MEMORY in the daemon's environment raises that limit"
            }
            (Resource::Memory, Whose::Daemon) => {
                "LTTNG_SESSIOND_ALL_MEMORY in the daemon's environment raises that limit"
            }
            _ => {
                "That is a share of the files that the daemon may have open: LimitNOFILE= in its systemd unit raises that \
                 limit, or ulimit -n in the shell that starts it"
            }
        }
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, uid, limit, remedy) = (self.resource.name(), self.uid, self.limit, self.remedy());
        match self.whose {
            Whose::User => {
                write!(f, "user {uid} has as many {name} as one user may have ({limit}). {remedy}")
            }
            Whose::Daemon => {
                write!(
                    f,
                    "no more {name} for user {uid}: all users together have too many ({limit}). {remedy}"
                )
            }
        }
    }
}

impl Error for Exhausted {}

/// How much of everything is charged at the moment.
type Ledger = PerResource<Cell<u64>>;

impl Ledger {
    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for resource in Resource::ALL {
            *usage.0.of_mut(resource) = self.of(resource).get();
        }
        usage
    }
}

/// What all users have together.
#[derive(Debug)]
struct Common {
    limits: Limits,
    charged: Ledger,
    /// Memory of the user that the daemon belongs to, which is a part of what is charged.
    of_owner: Cell<u64>,
}

/// What one user has.
#[derive(Debug)]
struct Account {
    uid: u32,
    charged: Ledger,
    common: Rc<Common>,
}

impl Account {
    fn add(&self, resource: Resource, amount: u64) -> Result<(), Exhausted> {
        let mut limit = self.common.limits.of(resource);
        let (own, all) = (self.charged.of(resource), self.common.charged.of(resource));
        let apart = self.common.limits.is_apart(self.uid, resource);
        if apart {
            limit = Limit { user: self.common.limits.for_user(self.uid, resource), all: u64::MAX };
        } else if resource == Resource::Memory {
            limit.all = limit.all.saturating_add(self.common.of_owner.get());
        }
        let sum = |charged: &Cell<u64>, limit, whose| {
            let sum = charged.get().checked_add(amount).filter(|&sum| amount == 0 || sum <= limit);
            sum.ok_or(Exhausted { uid: self.uid, resource, whose, limit })
        };
        let sums = (sum(own, limit.user, Whose::User)?, sum(all, limit.all, Whose::Daemon)?);
        own.set(sums.0);
        all.set(sums.1);
        if apart {
            self.common.of_owner.set(sums.0);
        }
        Ok(())
    }

    fn subtract(&self, resource: Resource, amount: u64) {
        if self.common.limits.is_apart(self.uid, resource) {
            self.common.of_owner.set(self.common.of_owner.get().saturating_sub(amount));
        }
        for charged in [self.charged.of(resource), self.common.charged.of(resource)] {
            charged.set(charged.get().saturating_sub(amount));
        }
    }
}

/// Something held for a user. It is released when this is dropped: keep it where what it is for is kept.
#[must_use = "what is charged is released at once if the charge is not kept"]
pub struct Charge {
    account: Rc<Account>,
    resource: Resource,
    amount: u64,
}

impl Charge {
    /// Who is charged.
    pub fn uid(&self) -> u32 {
        self.account.uid
    }

    /// What for.
    pub fn resource(&self) -> Resource {
        self.resource
    }

    /// How much.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Charges more.
    ///
    /// # Errors
    /// [`Exhausted`] when there is not so much; the charge is what it was.
    pub fn grow(&mut self, by: u64) -> Result<(), Exhausted> {
        self.account.add(self.resource, by)?;
        self.amount = self.amount.saturating_add(by);
        Ok(())
    }

    /// Hands over all that is charged; nothing is left here.
    #[must_use = "what is charged is released at once if the charge is not kept"]
    pub fn take(&mut self) -> Charge {
        let amount = std::mem::take(&mut self.amount);
        Charge { account: Rc::clone(&self.account), resource: self.resource, amount }
    }

    /// Releases a part, at most all of it.
    pub fn shrink(&mut self, by: u64) {
        let by = by.min(self.amount);
        self.account.subtract(self.resource, by);
        self.amount = self.amount.saturating_sub(by);
    }

    /// Charges as much as this, whatever it was before.
    ///
    /// # Errors
    /// [`Exhausted`] when there is not so much; the charge is what it was.
    pub fn set(&mut self, amount: u64) -> Result<(), Exhausted> {
        match amount.checked_sub(self.amount) {
            Some(more) => self.grow(more),
            None => {
                self.shrink(self.amount.saturating_sub(amount));
                Ok(())
            }
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.subtract(self.resource, self.amount);
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Charge { account, resource, amount } = self;
        write!(f, "Charge({amount} {resource:?} of user {})", account.uid)
    }
}

/// The accounts of all users.
#[derive(Debug)]
pub struct Accounts {
    common: Rc<Common>,
    users: BTreeMap<u32, Rc<Account>>,
    /// With so many accounts, those that nothing is charged to are looked for.
    sweep_at: usize,
}

impl Accounts {
    /// Fewer accounts than this are not worth a look.
    const FEW: usize = 16;

    /// Nobody has anything.
    pub fn new(limits: Limits) -> Self {
        let common = Rc::new(Common { limits, charged: Ledger::default(), of_owner: Cell::new(0) });
        Accounts { common, users: BTreeMap::new(), sweep_at: Accounts::FEW }
    }

    /// Charges a user for something. Nothing can be charged, too, to let the charge grow later.
    ///
    /// # Errors
    /// [`Exhausted`] when the user, or all users together, would have too much; nothing is charged then.
    pub fn charge(&mut self, uid: u32, resource: Resource, amount: u64) -> Result<Charge, Exhausted> {
        let account = match self.users.get(&uid) {
            Some(account) => Rc::clone(account),
            None => {
                let common = Rc::clone(&self.common);
                Rc::new(Account { uid, charged: Ledger::default(), common })
            }
        };
        account.add(resource, amount)?;
        if !self.users.contains_key(&uid) {
            self.sweep();
            self.users.insert(uid, Rc::clone(&account));
        }
        Ok(Charge { account, resource, amount })
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.common.limits
    }

    /// What a user has.
    pub fn usage(&self, uid: u32) -> Usage {
        self.users.get(&uid).map(|account| account.charged.usage()).unwrap_or_default()
    }

    /// What all users have together.
    pub fn total(&self) -> Usage {
        self.common.charged.usage()
    }

    /// What each user has that has anything, by user id.
    pub fn users(&self) -> impl Iterator<Item = (u32, Usage)> {
        let usages = self.users.iter().map(|(&uid, account)| (uid, account.charged.usage()));
        usages.filter(|(_, usage)| *usage != Usage::default())
    }

    /// Forgets the accounts that no charge refers to. As this is done whenever there are twice as many as were left the
    /// last time, a new account costs the same however many there are.
    fn sweep(&mut self) {
        if self.users.len() >= self.sweep_at {
            self.users.retain(|_, account| Rc::strong_count(account) > 1);
            self.sweep_at = self.users.len().saturating_mul(2).max(Accounts::FEW);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALICE: u32 = 1000;
    const BOB: u32 = 1001;

    fn limits(user: u64, all: u64) -> Limits {
        let none = Limits::for_applications(0, 0);
        Resource::ALL.into_iter().fold(none, |limits, resource| limits.with(resource, Limit { user, all }))
    }

    #[test]
    fn it_is_said_what_is_exhausted_and_by_whom() {
        let mut accounts = Accounts::new(limits(3, 4));
        let exhausted = |uid, whose| {
            let limit = if whose == Whose::User { 3 } else { 4 };
            Exhausted { uid, resource: Resource::Descriptors, whose, limit }
        };
        let of_alice = accounts.charge(ALICE, Resource::Descriptors, 3).unwrap();
        let more = accounts.charge(ALICE, Resource::Descriptors, 1).unwrap_err();
        assert_eq!(more, exhausted(ALICE, Whose::User));
        let text = more.to_string();
        assert!(text.starts_with("user 1000 has as many descriptors as one user may have (3). "), "{text}");
        assert!(text.contains("LimitNOFILE=") && text.contains("ulimit -n"), "{text}");
        let memory = accounts.charge(ALICE, Resource::Memory, 4).unwrap_err().to_string();
        assert!(memory.contains("LTTNG_SESSIOND_USER_MEMORY"), "{memory}");
        // Of something else there is enough, and nothing can always be had.
        drop(accounts.charge(ALICE, Resource::Memory, 3).unwrap());
        drop(accounts.charge(ALICE, Resource::Descriptors, 0).unwrap());
        let mut of_bob = accounts.charge(BOB, Resource::Descriptors, 1).unwrap();
        let more = of_bob.grow(1).unwrap_err();
        assert_eq!(more, exhausted(BOB, Whose::Daemon));
        assert_eq!(of_bob.amount(), 1);
        drop(of_alice);
        assert_eq!(of_bob.set(3), Ok(()));
        assert_eq!(of_bob.set(4), Err(exhausted(BOB, Whose::User)));
        assert_eq!(of_bob.set(u64::MAX), Err(exhausted(BOB, Whose::User)));
        assert_eq!(format!("{of_bob:?}"), "Charge(3 Descriptors of user 1001)");
        of_bob.shrink(u64::MAX);
        assert_eq!((of_bob.amount(), accounts.total()), (0, Usage::default()));
    }

    #[test]
    fn limits_follow_from_the_number_of_applications() {
        let limits = Limits::for_applications(384, 192);
        assert_eq!(limits.of(Resource::Applications), Limit { user: 384, all: 768 });
        assert_eq!(limits.of(Resource::Connections), Limit { user: 192, all: 384 });
        assert_eq!(limits.of(Resource::Descriptors), Limit { user: 512, all: 512 });
        let none = Limits::for_applications(0, 0);
        assert_eq!(none.of(Resource::Applications), Limit { user: 0, all: 0 });
        assert!(none.of(Resource::Connections).user > 0);
        let endless = Limits::for_applications(usize::MAX, usize::MAX);
        // It does not start from 0 again where a usize is as wide as this.
        let most = u64::try_from(usize::MAX).unwrap();
        assert_eq!(endless.of(Resource::Applications).all, most.saturating_mul(2));
    }

    #[test]
    fn the_owner_has_memory_apart_from_all_others() {
        const OWNER: u32 = 0;
        let mut accounts = Accounts::new(limits(3, 4).owned_by(OWNER));
        let mut of_owner = accounts.charge(OWNER, Resource::Memory, 3 * OWNERS_SHARE).unwrap();
        assert!(of_owner.grow(1).is_err());
        let of_alice = accounts.charge(ALICE, Resource::Memory, 3).unwrap();
        let mut of_bob = accounts.charge(BOB, Resource::Memory, 1).unwrap();
        assert_eq!(of_bob.grow(1).unwrap_err().whose, Whose::Daemon);
        of_owner.shrink(5);
        assert!(of_bob.grow(1).is_err(), "what the owner gives back is not for others");
        drop(of_alice);
        assert_eq!(of_bob.grow(1), Ok(()));
        assert!(
            accounts.charge(OWNER, Resource::Connections, 4).is_err(),
            "of all else it has as much as any"
        );
        drop((of_owner, of_bob));
        assert_eq!(accounts.total(), Usage::default());
    }

    #[test]
    fn a_user_without_charges_costs_nothing() {
        let mut accounts = Accounts::new(limits(9, u64::MAX));
        let kept: Vec<Charge> =
            (0..40).map(|uid| accounts.charge(uid, Resource::Connections, 1).unwrap()).collect();
        for uid in 100..10_000 {
            drop(accounts.charge(uid, Resource::Connections, 1).unwrap());
            assert!(accounts.users.len() <= 2 * kept.len() + Accounts::FEW);
        }
        assert!(
            accounts
                .users()
                .map(|(uid, usage)| (uid, usage.of(Resource::Connections)))
                .eq((0..40).map(|uid| (uid, 1)))
        );
        // Who is refused leaves nothing behind.
        let before = accounts.users.len();
        assert!(accounts.charge(20_000, Resource::Connections, 10).is_err());
        assert_eq!(accounts.users.len(), before);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Charge(u32, Resource, u64),
        Grow(usize, u64),
        Shrink(usize, u64),
        Set(usize, u64),
        Drop(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let amount = || 0..9_u64;
        let which = any::<usize>;
        prop_oneof![
            (0..4_u32, prop::sample::select(&Resource::ALL[..3]), amount())
                .prop_map(|(uid, resource, amount)| Step::Charge(uid, resource, amount)),
            (which(), amount()).prop_map(|(which, by)| Step::Grow(which, by)),
            (which(), amount()).prop_map(|(which, by)| Step::Shrink(which, by)),
            (which(), amount()).prop_map(|(which, amount)| Step::Set(which, amount)),
            which().prop_map(Step::Drop),
        ]
    }

    proptest! {
        #[test]
        fn the_books_are_right_after_any_life(steps in prop::collection::vec(step(), 0..200)) {
            const LIMIT: Limit = Limit { user: 20, all: 45 };
            let mut accounts = Accounts::new(limits(LIMIT.user, LIMIT.all));
            // The charges, and what each should be.
            let mut charges: Vec<(Charge, u64)> = Vec::new();
            for step in steps {
                let count = charges.len().max(1);
                let sum = |charges: &[(Charge, u64)], uid: Option<u32>, resource: Resource| -> u64 {
                    let of = |charge: &Charge| charge.resource() == resource && uid.is_none_or(|uid| charge.uid() == uid);
                    charges.iter().filter(|(charge, _)| of(charge)).map(|(_, amount)| amount).sum()
                };
                let fits = |charges: &[(Charge, u64)], uid, resource, more| {
                    sum(charges, Some(uid), resource) + more <= LIMIT.user && sum(charges, None, resource) + more <= LIMIT.all
                };
                match step {
                    Step::Charge(uid, resource, amount) => {
                        let charge = accounts.charge(uid, resource, amount);
                        prop_assert_eq!(charge.is_ok(), fits(&charges, uid, resource, amount));
                        charges.extend(charge.ok().map(|charge| (charge, amount)));
                    }
                    Step::Grow(which, by) => {
                        let Some((charge, _)) = charges.get(which % count) else { continue };
                        let fits = fits(&charges, charge.uid(), charge.resource(), by);
                        let (charge, amount) = &mut charges[which % count];
                        prop_assert_eq!(charge.grow(by).is_ok(), fits);
                        *amount += if fits { by } else { 0 };
                    }
                    Step::Shrink(which, by) => {
                        let Some((charge, amount)) = charges.get_mut(which % count) else { continue };
                        charge.shrink(by);
                        *amount = amount.saturating_sub(by);
                    }
                    Step::Set(which, to) => {
                        let Some((charge, amount)) = charges.get(which % count) else { continue };
                        let fits = fits(&charges, charge.uid(), charge.resource(), to.saturating_sub(*amount));
                        let (charge, amount) = &mut charges[which % count];
                        prop_assert_eq!(charge.set(to).is_ok(), fits);
                        *amount = if fits { to } else { *amount };
                    }
                    Step::Drop(which) => {
                        if !charges.is_empty() {
                            drop(charges.swap_remove(which % count));
                        }
                    }
                }
                for resource in Resource::ALL {
                    let total = accounts.total().of(resource);
                    prop_assert_eq!(total, sum(&charges, None, resource));
                    prop_assert!(total <= LIMIT.all);
                    for uid in 0..4 {
                        let of_user = accounts.usage(uid).of(resource);
                        prop_assert_eq!(of_user, sum(&charges, Some(uid), resource));
                        prop_assert!(of_user <= LIMIT.user);
                    }
                }
                prop_assert!(charges.iter().all(|(charge, amount)| charge.amount() == *amount));
            }
            charges.clear();
            prop_assert_eq!(accounts.total(), Usage::default());
            prop_assert_eq!(accounts.users().count(), 0);
            accounts.sweep_at = 0;
            accounts.sweep();
            prop_assert!(accounts.users.is_empty());
        }
    }
}
