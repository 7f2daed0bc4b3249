// SPDX-License-Identifier: GPL-2.0-only
//! Every command number, in every domain, about every kind of session, as clients send it and damaged: what the two
//! daemons answer, and what a session is afterwards.
//!
//! Where they differ, a row of [`differences::DIFFERENCES`] says so and why. A row that fits nothing is an error.

mod differences;
mod forms;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use lttng_protocol::client::{Body, Channel, Command, Reply};

use crate::support::asker::{Asker, Came, Then};
use crate::support::daemon::{Daemon, eventually};
use crate::support::sandbox::{OTHER, User};
use crate::support::socket::REPLY_SIZE;
use crate::support::{Sandbox, Which, is_root, side_by_side, skip, version};

use differences::{DIFFERENCES, Difference};
use forms::{Form, Matter, create, enable_event, fixed_part, request, rule};

/// How long a daemon may be silent. The stock one is for ever, in some cases.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a request says its session.
const SESSION_NAME: Range<usize> = 4..259;

/// None, the kernel, user space, `java.util.logging`, log4j, Python, and two that do not exist.
const DOMAINS: &[u32] = &[0, 1, 2, 3, 4, 5, 6, 99];

/// The session that a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Situation {
    /// It is not named.
    Missing,
    /// It does not exist.
    Unknown,
    /// What should be its name is no text, and does not end.
    Garbled,
    /// There is nothing in it.
    Empty,
    /// It has a channel with a rule.
    Furnished,
    /// The same, and it records.
    Started,
    /// The same, and it has recorded.
    Stopped,
    /// It is for snapshots, and records.
    Snapshot,
}

use Situation::{Empty, Furnished, Garbled, Missing, Snapshot, Started, Stopped, Unknown};

const SITUATIONS: &[Situation] = &[Missing, Unknown, Garbled, Empty, Furnished, Started, Stopped, Snapshot];

/// Who the daemon belongs to, and who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Root,
    User,
}

impl Owner {
    fn uid(self) -> u32 {
        match self {
            Owner::Root => 0,
            Owner::User => OTHER.uid,
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    owner: Owner,
    command: u32,
    form: String,
    situation: Situation,
    domain: u32,
}

/// What came of each request.
type Outcomes = BTreeMap<Cell, String>;

/// A daemon that is asked, and started again when it has fallen.
struct World<'a> {
    sandbox: &'a Sandbox,
    owner: Owner,
    daemon: Option<Daemon>,
    asker: Asker,
    dir: String,
    number: u32,
}

impl<'a> World<'a> {
    fn new(sandbox: &'a Sandbox, owner: Owner) -> Self {
        let (user, dir): (Option<User>, _) = match owner {
            Owner::Root => (None, sandbox.home()),
            Owner::User => (Some(OTHER), sandbox.home_of(OTHER)),
        };
        let dir = dir.to_string_lossy().into_owned();
        let socket = match owner {
            Owner::Root => "/run/lttng/client-lttng-sessiond".to_owned(),
            Owner::User => format!("{dir}/.lttng/client-lttng-sessiond"),
        };
        let asker = Asker::start(sandbox, user, &socket, PATIENCE);
        let daemon = Some(Self::start(sandbox, owner));
        World { sandbox, owner, daemon, asker, dir, number: 0 }
    }

    fn start(sandbox: &Sandbox, owner: Owner) -> Daemon {
        match owner {
            Owner::Root => Daemon::start(sandbox),
            Owner::User => Daemon::start_as(sandbox, OTHER, &[]),
        }
    }

    /// Asks. A daemon that falls or falls silent is replaced.
    fn ask(&mut self, request: &[u8], then: Then) -> Result<Vec<u8>, &'static str> {
        match self.asker.ask(request, then) {
            Came::Closed(answer) if answer.len() >= REPLY_SIZE => Ok(answer),
            Came::Closed(_) | Came::Nobody if self.is_well() => Err("closed"),
            Came::Closed(_) | Came::Nobody => {
                let end = self.daemon.take().unwrap().fallen();
                assert!(end.starts_with("signal "), "{end}");
                self.restart();
                Err("died")
            }
            Came::Silent(_) => {
                self.daemon.take().unwrap().kill();
                self.restart();
                Err("silent")
            }
        }
    }

    fn restart(&mut self) {
        // One that is still about to end would remove its successor's socket.
        eventually("its consumer daemons end", || self.sandbox.processes("lttng-consumerd").is_empty());
        self.daemon = Some(Self::start(self.sandbox, self.owner));
    }

    fn is_well(&mut self) -> bool {
        let request = request(&Body::ListSessions, "", 0);
        matches!(self.asker.ask(&request, Then::Wait), Came::Closed(answer) if answer.len() >= REPLY_SIZE)
    }

    /// Demands that this is done.
    fn have(&mut self, what: &str, request: &[u8]) -> Result<(), &'static str> {
        let answer = self.ask(request, Then::Wait)?;
        assert_eq!(word(&answer, 4), 10, "{what} on the {:?} daemon", self.sandbox.which());
        Ok(())
    }

    /// Makes a session, and says how it is called.
    fn session(&mut self, situation: Situation) -> Result<String, &'static str> {
        let name = match situation {
            Missing | Garbled => return Ok(String::new()),
            Unknown => return Ok("unknown".to_owned()),
            _ => format!("s{}", self.number),
        };
        let output = format!("{}/{name}", self.dir);
        let output = (situation != Snapshot).then_some(output.as_str());
        self.have("create", &request(&create(&name, output), "", 0))?;
        if situation == Empty {
            return Ok(name);
        }
        self.have("enable-channel", &request(&Body::EnableChannel(forms::channel("c")), &name, 2))?;
        self.have("enable-event", &request(&enable_event("c", rule("a:b")), &name, 2))?;
        if matches!(situation, Started | Stopped | Snapshot) {
            self.have("start", &request(&Body::StartTrace, &name, 0))?;
        }
        if situation == Stopped {
            self.have("stop", &request(&Body::StopTrace, &name, 0))?;
        }
        Ok(name)
    }

    /// What comes of one request.
    fn visit(&mut self, cell: &Cell) -> String {
        let seen = self.try_once(cell);
        // The stock daemon may also fall because of what else it has to do, such as sessions that end meanwhile: what it
        // falls of twice is the request.
        let expected = DIFFERENCES.iter().any(|row| row.stock == "died" && row.is_about(cell));
        match (self.sandbox.which(), seen) {
            (Which::Stock, Err(_)) if !expected => self.try_once(cell).unwrap_or_else(str::to_owned),
            (_, seen) => seen.unwrap_or_else(str::to_owned),
        }
    }

    /// One request from the beginning to the end, with what is left of its session.
    fn try_once(&mut self, cell: &Cell) -> Result<String, &'static str> {
        self.number += 1;
        let (command, fresh) = (cell.command, format!("new{}", self.number));
        let known = Command::from_number(command);
        let matter = Matter { dir: &self.dir, fresh: &fresh, uid: self.owner.uid() };
        let all = forms::all(command, matter);
        let form = all.into_iter().find(|form| form.name == cell.form).unwrap();
        if known == Some(Command::SaveSession) {
            // What is saved, if all are, is what there is.
            self.wait_for_ends()?;
        }
        let session = self.session(cell.situation)?;
        if matches!(known, Some(Command::UnregisterTrigger | Command::ExecuteErrorQuery)) {
            let trigger =
                forms::known_trigger(self.owner.uid()).request(Command::RegisterTrigger.number(), "", 2);
            self.have("add-trigger", &trigger)?;
        }
        let mut request_bytes = form.request(command, &session, cell.domain);
        if cell.situation == Garbled {
            request_bytes[SESSION_NAME].fill(0xff);
        }
        let mut text = match self.ask(&request_bytes, form.then) {
            Ok(answer) => describe(command, &answer),
            Err("closed") => "closed".to_owned(),
            Err(fallen) => return Err(fallen),
        };
        if !matches!(cell.situation, Missing | Unknown | Garbled) {
            text.push_str(&self.state_of(&session)?);
            self.asker.ask(&request(&Body::DestroySession, &session, 0), Then::Leave);
        }
        self.tidy_up(known, &form, &fresh, cell.domain)?;
        Ok(text)
    }

    /// Waits until the sessions of requests before this one are gone.
    fn wait_for_ends(&mut self) -> Result<(), &'static str> {
        let list = fixed_part(Command::ListSessions.number(), "", 0);
        let mut outcome = Ok(());
        eventually("no session is left", || match self.ask(&list, Then::Wait) {
            Ok(answer) => word(&answer, 16) == 0,
            Err(fallen) => {
                outcome = Err(fallen);
                true
            }
        });
        outcome
    }

    /// Removes what is in no session.
    fn tidy_up(
        &mut self,
        command: Option<Command>,
        form: &Form,
        fresh: &str,
        domain: u32,
    ) -> Result<(), &'static str> {
        let unregister = Command::UnregisterTrigger.number();
        match command {
            Some(Command::CreateSessionExt) => {
                self.asker.ask(&request(&Body::DestroySession, fresh, 0), Then::Leave);
            }
            Some(Command::RegisterTrigger) if form.then == Then::Wait => {
                self.ask(&form.request(unregister, "", domain), Then::Wait)?;
            }
            Some(Command::UnregisterTrigger | Command::ExecuteErrorQuery) => {
                self.ask(&forms::known_trigger(self.owner.uid()).request(unregister, "", 2), Then::Wait)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What can be seen of a session.
    fn state_of(&mut self, session: &str) -> Result<String, &'static str> {
        let views = [
            (Command::ListDomains, 0),
            (Command::SessionListRotationSchedules, 0),
            (Command::SnapshotListOutput, 0),
            (Command::ListChannels, 2),
        ];
        let mut text = String::from(" |");
        for (command, domain) in views {
            let answer = self.ask(&fixed_part(command.number(), session, domain), Then::Wait)?;
            text.push(' ');
            text.push_str(&match (command, word(&answer, 4)) {
                (Command::ListChannels, 10) => channels_of(&answer),
                // Paths are not the same for both.
                (Command::SnapshotListOutput, _) => describe(command.number(), &answer),
                (_, 10) => digest(&answer[REPLY_SIZE..]),
                _ => describe(command.number(), &answer),
            });
        }
        Ok(text)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Length and a sum of what is there.
fn digest(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0_u32, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{}:{sum:08x}", bytes.len())
}

/// Channels, which are in no order, in one.
fn channels_of(answer: &[u8]) -> String {
    let mut channels = Reply::decode(answer).unwrap().elements(Channel::decode).unwrap();
    channels.sort_by(|one, other| one.name.cmp(&other.name));
    let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
    format!("{} {}", names.join(","), digest(format!("{channels:?}").as_bytes()))
}

/// `CODE`, `CODE HEADER+DATA`, and what is unusual.
fn describe(command: u32, answer: &[u8]) -> String {
    let [kind, code, pid, header, data, descriptors] = [0, 4, 8, 12, 16, 20].map(|at| word(answer, at));
    let mut text = code.to_string();
    if header != 0 || data != 0 {
        text.push_str(&format!(" {header}+{data}"));
    }
    if answer.len() != REPLY_SIZE + (header + data) as usize {
        text.push_str(&format!(" in {} bytes", answer.len()));
    }
    if kind != command {
        text.push_str(&format!(" as {kind}"));
    }
    if pid != 0 {
        text.push_str(&format!(" pid {:x}", pid as i32));
    }
    if descriptors != 0 {
        text.push_str(&format!(" with {descriptors} descriptors"));
    }
    text
}

/// Which requests of a command are made.
fn cells(owner: Owner, command: u32) -> Vec<Cell> {
    let forms = forms::all(command, Matter::default()).into_iter();
    // What is wrong with a request is the same for all.
    let names = forms.filter(|form| owner == Owner::Root || !form.damaged).map(|form| form.name);
    let situations: &[Situation] = match Command::from_number(command) {
        None => &[Missing, Empty, Furnished],
        // These are about none.
        Some(
            Command::CreateSessionExt
            | Command::ExecuteErrorQuery
            | Command::ListSessions
            | Command::ListSyscalls
            | Command::ListTracepointFields
            | Command::ListTracepoints
            | Command::ListTriggers
            | Command::RegisterTrigger
            | Command::SaveSession
            | Command::UnregisterTrigger,
        ) => &[Missing, Furnished],
        Some(_) if owner == Owner::User => &[Missing, Empty, Started],
        Some(_) => SITUATIONS,
    };
    let mut cells = Vec::new();
    for form in names {
        for &situation in situations {
            for &domain in DOMAINS {
                cells.push(Cell { owner, command, form: form.clone(), situation, domain });
            }
        }
    }
    cells
}

/// Asks both daemons and compares.
fn sweep(owner: Owner, commands: &[u32]) {
    let both: Mutex<Vec<Outcomes>> = Mutex::default();
    side_by_side(|s| {
        if owner == Owner::User && !is_root() {
            return skip("only root can be another user");
        }
        let mut world = World::new(s, owner);
        let mut outcomes = Outcomes::new();
        for &command in commands {
            for cell in cells(owner, command) {
                let outcome = world.visit(&cell);
                outcomes.insert(cell, outcome);
            }
        }
        both.lock().unwrap().push(outcomes);
        match s.which() {
            Which::Ours => world.daemon.take().unwrap().stop(),
            // It may wait for something of what it was asked.
            Which::Stock => world.daemon.take().unwrap().kill(),
        }
    });
    if let [stock, ours] = &both.into_inner().unwrap()[..] {
        compare(stock, ours);
    }
}

fn compare(stock: &Outcomes, ours: &Outcomes) {
    let version = version::stock();
    let differences: Vec<&Difference> =
        DIFFERENCES.iter().filter(|row| row.until.is_none_or(|until| version < until)).collect();
    let mut used = BTreeSet::new();
    // Like outcomes of a form are said together.
    let mut unexpected: BTreeMap<(u32, &str, &str, &str), Vec<String>> = BTreeMap::new();
    for (cell, stock) in stock {
        let ours = &ours[cell];
        if stock == ours {
            continue;
        }
        match differences.iter().position(|row| row.fits(cell, stock, ours)) {
            Some(row) => drop(used.insert(row)),
            None => unexpected
                .entry(group(cell, stock, ours))
                .or_default()
                .push(format!("{:?}/{}", cell.situation, cell.domain)),
        }
    }
    let mut report = String::new();
    for ((command, form, stock, ours), cells) in unexpected {
        let name = Command::from_number(command).map_or("nothing".to_owned(), |known| format!("{known:?}"));
        let cells = cells.join(" ");
        report.push_str(&format!("{command} {name}, {form}: {stock} / {ours}: {cells}\n"));
    }
    for (at, row) in differences.iter().enumerate() {
        if !used.contains(&at) && stock.keys().any(|cell| cell.owner == Owner::Root && row.is_about(cell)) {
            report.push_str(&format!("never seen: {}\n", row.why));
        }
    }
    assert!(report.is_empty(), "stock / ours: session/domain\n{report}");
}

/// What is said of a difference. The session afterwards is left out where it is the same, or not known.
fn group<'a>(cell: &'a Cell, stock: &'a str, ours: &'a str) -> (u32, &'a str, &'a str, &'a str) {
    let (stock_answer, stock_state) = stock.split_once(" | ").unwrap_or((stock, ""));
    let (answer, state) = ours.split_once(" | ").unwrap_or((ours, ""));
    let (stock, ours) =
        if stock_state == state || stock_state.is_empty() { (stock_answer, answer) } else { (stock, ours) };
    (cell.command, &cell.form, stock, ours)
}

impl Difference {
    fn is_about(&self, cell: &Cell) -> bool {
        let form = cell.form.as_str();
        (self.commands.is_empty() || self.commands.contains(&cell.command))
            && (self.domains.is_empty() || self.domains.contains(&cell.domain))
            && (self.situations.is_empty() || self.situations.contains(&cell.situation))
            && (self.forms.is_empty() || self.forms.contains(&form))
    }

    fn fits(&self, cell: &Cell, stock: &str, ours: &str) -> bool {
        self.is_about(cell) && stock.starts_with(self.stock) && ours.starts_with(self.ours)
    }
}

#[test]
fn numbers() {
    let numbers: Vec<u32> = (0..=60).filter(|number| Command::from_number(*number).is_none()).collect();
    sweep(Owner::Root, &[&numbers[..], &[255, 1 << 31, u32::MAX]].concat());
}

#[test]
fn listings() {
    sweep(Owner::Root, &[4, 10, 11, 12, 13, 14, 18]);
}

#[test]
fn life() {
    sweep(Owner::Root, &[9, 16, 17, 24, 49]);
}

#[test]
fn channels() {
    sweep(Owner::Root, &[0, 2, 5]);
}

#[test]
fn rules() {
    sweep(Owner::Root, &[3, 6]);
}

#[test]
fn outputs() {
    sweep(Owner::Root, &[15, 19, 20, 21, 25, 26, 27, 28, 31, 40]);
}

#[test]
fn trackers() {
    sweep(Owner::Root, &[32, 33, 34, 35, 36]);
}

#[test]
fn rotations() {
    sweep(Owner::Root, &[41, 42, 45, 46, 47, 48, 50]);
}

#[test]
fn triggers() {
    sweep(Owner::Root, &[43, 44, 51, 52]);
}

#[test]
fn of_a_user() {
    let commands: Vec<u32> = Command::ALL.iter().map(|command| command.number()).collect();
    sweep(Owner::User, &commands);
}
