// SPDX-License-Identifier: GPL-2.0-only
//! Why nothing, or not all, of a registered application is recorded.

use super::super::evidence::{Daemon, Process, Scene};
use super::super::finding::{About, Finding, Verdict, Weight, count, quoted, some_of};
use super::super::pattern;
use super::asker::capital;
use super::registration;
use crate::report::{Application, Channel, Life, Report, Rule, Session, SessionKind};

/// Seconds by which the start of a process may be told too early.
const ROUNDED: i64 = 2;
/// Names of providers that are in every application, or for loggers.
const BUILT_IN: &[&str] = &["lttng_ust_", "lttng_jul:", "lttng_log4j:", "lttng_python:"];
/// Those among them whose events a program makes on purpose.
const CALLED: &[&str] = &["lttng_ust_tracef:", "lttng_ust_tracelog:"];

/// A tracepoint of the application, with its log level as far as that is known.
pub struct Point<'a> {
    pub name: &'a str,
    pub level: Option<i32>,
}

/// A registered application.
pub struct Subject<'a> {
    pub scene: &'a Scene,
    pub daemon: &'a Daemon,
    pub report: &'a Report,
    pub app: &'a Application,
    pub process: &'a Process,
    /// None: it is not known what there is.
    pub points: Option<Vec<Point<'a>>>,
}

/// What one daemon does with the application.
pub fn examine(scene: &Scene, daemon: &Daemon, app: &Application, process: &Process) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(report) = &daemon.report else { return verdict };
    let subject = Subject { scene, daemon, report, app, process, points: points(daemon, app, process) };
    let mut others = Vec::new();
    let mut recorded = Vec::new();
    for session in subject.sessions() {
        match subject.session(session) {
            Ok(found) => {
                recorded.push(session.name.clone());
                verdict.findings.extend(found);
            }
            Err(found) => others.extend(found),
        }
    }
    verdict.findings.extend(subject.conduct(!recorded.is_empty()));
    if recorded.is_empty() {
        verdict.findings.extend(subject.no_session());
        verdict.findings.extend(others);
    } else {
        // Something else is not recorded on purpose, maybe.
        verdict.findings.extend(others.into_iter().map(|finding| finding.at_most(Weight::Note)));
    }
    verdict.recorded_by = recorded;
    verdict
}

/// What the application offers: as the daemon lists it, or else what its files call.
fn points<'a>(daemon: &'a Daemon, app: &Application, process: &'a Process) -> Option<Vec<Point<'a>>> {
    let offered: Vec<Point<'_>> = daemon
        .offers
        .iter()
        .flatten()
        .filter(|offer| offer.pid == app.pid)
        .map(|offer| Point { name: &offer.name, level: Some(offer.level) })
        .collect();
    if !offered.is_empty() {
        return Some(offered);
    }
    let maps = process.maps.known()?;
    (!maps.tracepoints.is_empty() && maps.unread == 0)
        .then(|| maps.tracepoints.iter().map(|name| Point { name, level: None }).collect())
}

impl<'a> Subject<'a> {
    /// The sessions that have to do with applications.
    fn sessions(&self) -> impl Iterator<Item = &'a Session> {
        self.report.sessions.iter().filter(|session| session.life != Life::Ending)
    }

    /// There is nothing that could record.
    fn no_session(&self) -> Option<Finding> {
        if self.sessions().next().is_some() {
            return None;
        }
        let title = self.daemon.title(&self.scene.machine);
        let (asker, owner) = (self.report.daemon.asker, self.report.daemon.uid);
        let all = asker == 0 || asker == owner;
        let what = if all {
            format!("{} has no recording session.", capital(&title))
        } else {
            format!("{} has no recording session of yours.", capital(&title))
        };
        let name = self
            .own_names()
            .first()
            .and_then(|name| name.split_once(':'))
            .map_or("*".to_owned(), |(provider, _)| format!("{provider}:*"));
        Some(
            Finding::new(About::NoSession, Weight::Decisive, what)
                .seen(if all {
                    "The program has registered, and waits for one."
                } else {
                    "The program has registered. Sessions of other users are not shown to you."
                })
                .todo("Make one, say which events it is to record, and start it.")
                .run("lttng create")
                .run(format!("lttng enable-event --userspace {}", quoted(&name)))
                .run("lttng start"),
        )
    }

    /// The names of the events that it brought along.
    pub fn own_names(&self) -> Vec<&'a str> {
        own_names(self.points.as_deref().unwrap_or_default())
    }

    /// `Ok`: it is recorded by this session, with what is not. `Err`: it isn't, and why.
    fn session(&self, session: &Session) -> Result<Vec<Finding>, Vec<Finding>> {
        let (name, word) = (&session.name, quoted(&session.name));
        let channels: Vec<&Channel> =
            session.channels.iter().filter(|channel| channel.domain == "user_space").collect();
        let rules: Vec<(&Channel, &Rule)> = channels
            .iter()
            .flat_map(|channel| channel.rules.iter().map(|rule| (*channel, rule)))
            .filter(|(_, rule)| rule.kind == "tracepoint")
            .collect();
        let mut against = Vec::new();
        against.extend(self.tracker(session));
        let picked = if rules.is_empty() {
            against.push(self.no_rule(session, &channels));
            None
        } else {
            match self.pick(session, &rules) {
                Ok(picked) => Some(picked),
                Err(found) => {
                    against.extend(found);
                    None
                }
            }
        };
        match session.life {
            Life::New => against.push(
                Finding::new(
                    About::NotStarted,
                    Weight::Decisive,
                    format!("Session {name} was never started."),
                )
                .todo("Start it.")
                .run(format!("lttng start {word}")),
            ),
            Life::Stopped => against.push(
                Finding::new(About::NotStarted, Weight::Decisive, format!("Session {name} is stopped."))
                    .todo("Start it again; or make a new one for a new trace.")
                    .run(format!("lttng start {word}")),
            ),
            Life::Active | Life::Ending | Life::Unknown => {}
        }
        // Losses are known for certain when it has stopped.
        if session.life == Life::Stopped {
            against.extend(picked.as_ref().and_then(|picked| self.lost(session, picked)));
        }
        match picked {
            Some(picked) if against.is_empty() => {
                if self.consumer().is_some() {
                    return Err(Vec::new());
                }
                Ok(self.shortcomings(session, &picked))
            }
            _ => Err(against),
        }
    }

    fn tracker(&self, session: &Session) -> Option<Finding> {
        let word = quoted(&session.name);
        let trackers = session.trackers.iter().filter(|tracker| tracker.domain == "user_space");
        for tracker in trackers {
            let own = match tracker.attribute.as_str() {
                "vpid" | "pid" => u32::try_from(self.app.pid).unwrap_or(0),
                "vuid" | "uid" => self.app.uid,
                "vgid" | "gid" => self.app.gid,
                _ => continue,
            };
            if tracker.values.contains(&own) {
                continue;
            }
            let attribute = &tracker.attribute;
            let values: Vec<String> = tracker.values.iter().map(u32::to_string).collect();
            let followed = if values.is_empty() { "none".to_owned() } else { some_of(&values, 6) };
            let what =
                format!("Session {} follows only some processes, and this is not one of them.", session.name);
            return Some(
                Finding::new(About::Tracker, Weight::Decisive, what)
                    .seen(format!(
                        "Its tracker for {attribute} has {followed}; that of the program is {own}."
                    ))
                    .todo("Add it, or follow all again.")
                    .run(format!("lttng track --userspace --session {word} --{attribute}={own}"))
                    .run(format!("lttng track --userspace --session {word} --{attribute} --all")),
            );
        }
        None
    }

    fn no_rule(&self, session: &Session, channels: &[&Channel]) -> Finding {
        let word = quoted(&session.name);
        let provider = self
            .own_names()
            .first()
            .and_then(|name| name.split_once(':'))
            .map_or("*".to_owned(), |(provider, _)| format!("{provider}:*"));
        let kinds: Vec<String> = {
            let mut kinds: Vec<String> = session
                .channels
                .iter()
                .flat_map(|channel| &channel.rules)
                .filter(|rule| rule.kind != "tracepoint" || channels.is_empty())
                .map(|rule| rule.kind.clone())
                .collect();
            kinds.dedup();
            kinds
        };
        let seen = match (channels.is_empty(), kinds.is_empty()) {
            (true, true) => "It has no channel yet.".to_owned(),
            (_, false) => format!("Its rules are about others: {}.", some_of(&kinds, 4)),
            (false, true) => {
                "It has a channel for applications, and no rule in it. A channel alone records nothing."
                    .to_owned()
            }
        };
        let what = format!("Session {} has no event rule about tracepoints of programs.", session.name);
        Finding::new(About::NoRule, Weight::Decisive, what)
            .seen(seen)
            .todo("Say which events it is to record.")
            .run(format!("lttng enable-event --userspace --session {word} {}", quoted(&provider)))
    }

    /// The channels and rules that pick something of the program.
    fn pick<'s>(
        &self,
        session: &Session,
        rules: &[(&'s Channel, &'s Rule)],
    ) -> Result<Vec<(&'s Channel, &'s Rule)>, Vec<Finding>> {
        let Some(points) = &self.points else {
            // Nobody knows what it offers: what follows from names can't be said.
            let on: Vec<_> =
                rules.iter().copied().filter(|(channel, rule)| channel.enabled && rule.enabled).collect();
            if on.is_empty() {
                return Err(vec![disabled(session, rules)]);
            }
            let what = "Which tracepoints the program offers could not be found out.";
            let why = match &self.daemon.offers {
                Err(why) => why.clone(),
                Ok(_) => "The daemon lists none of it.".to_owned(),
            };
            return Err(vec![
                Finding::new(About::Unseen, Weight::Likely, what)
                    .seen(why)
                    .todo("See yourself, and compare with the rules.")
                    .run("lttng list --userspace"),
            ]);
        };
        let wanted: Vec<&Point<'_>> = points.iter().filter(|point| is_own(point.name)).collect();
        let picks = |rule: &Rule| {
            wanted
                .iter()
                .any(|point| names(rule, point) && !excludes(rule, point) && is_of_level(rule, point))
        };
        let picked: Vec<_> = rules.iter().copied().filter(|(_, rule)| picks(rule)).collect();
        let on: Vec<_> =
            picked.iter().copied().filter(|(channel, rule)| channel.enabled && rule.enabled).collect();
        if !on.is_empty() {
            return Ok(on);
        }
        if !picked.is_empty() {
            return Err(vec![disabled(session, &picked)]);
        }
        Err(self.mismatch(session, rules, &wanted))
    }

    /// No rule picks anything of the program.
    fn mismatch(
        &self,
        session: &Session,
        rules: &[(&Channel, &Rule)],
        points: &[&Point<'_>],
    ) -> Vec<Finding> {
        let word = quoted(&session.name);
        let in_channel = |channel: &Channel| format!("--session {word} --channel {}", quoted(&channel.name));
        let mut found = Vec::new();
        for (channel, rule) in rules {
            let named: Vec<&&Point<'_>> = points.iter().filter(|point| names(rule, point)).collect();
            let Some(first) = named.first() else { continue };
            if named.iter().any(|point| !excludes(rule, point)) {
                let what = format!(
                    "Event rule {} of session {} leaves out the log levels of this program's events.",
                    rule.name, session.name
                );
                let level = first.level.unwrap_or(0);
                found.push(
                    Finding::new(About::LogLevel, Weight::Decisive, what)
                        .seen(format!("It takes {}; {} has {}.", levels(rule), first.name, level_name(level)))
                        .todo("Make a rule with a less severe level, or without one.")
                        .run(format!(
                            "lttng enable-event --userspace {} {} --loglevel={}",
                            in_channel(channel),
                            quoted(&rule.name),
                            level_name(level)
                        )),
                );
            } else {
                let what = format!(
                    "Event rule {} of session {} leaves out by name what this program offers.",
                    rule.name, session.name
                );
                found.push(
                    Finding::new(About::Exclusion, Weight::Decisive, what)
                        .seen(format!(
                            "It excludes {}; the program offers {}.",
                            some_of(&rule.exclusions, 4),
                            shown(&named)
                        ))
                        .todo("Make a rule with fewer exclusions.")
                        .run(format!(
                            "lttng enable-event --userspace {} {}",
                            in_channel(channel),
                            quoted(first.name)
                        )),
                );
            }
        }
        if found.is_empty() {
            found.push(self.no_match(session, rules, points));
        }
        found
    }

    fn no_match(&self, session: &Session, rules: &[(&Channel, &Rule)], points: &[&Point<'_>]) -> Finding {
        let word = quoted(&session.name);
        let offered: Vec<&str> = own_names(points.iter().copied());
        let patterns: Vec<&str> = rules.iter().map(|(_, rule)| rule.name.as_str()).collect();
        if offered.is_empty() {
            let what = format!(
                "The program offers no events of its own, and the rules of session {} name none of LTTng-UST's.",
                session.name
            );
            return Finding::new(About::NoProvider, Weight::Decisive, what)
                .seen(format!("The rules are about {}. No tracepoint provider of the program is loaded.", some_of(&patterns, 5)))
                .todo("Have the library of its tracepoint provider loaded (linked, preloaded, or with dlopen(3)); the program then tells the daemon by itself.");
        }
        let what = format!("No event rule of session {} matches an event of this program.", session.name);
        let seen = format!(
            "The rules are about {}; the program offers {}.",
            some_of(&patterns, 5),
            some_of(&offered, 5)
        );
        let finding = Finding::new(About::NoMatch, Weight::Decisive, what);
        for (channel, rule) in rules {
            if let Some((meant, wrong)) = pattern::meant(&rule.name, &offered) {
                return finding
                    .seen(format!("{seen} Maybe {meant} was meant by {}: {wrong}.", rule.name))
                    .todo("Make a rule with that name.")
                    .run(format!(
                        "lttng enable-event --userspace --session {word} --channel {} {}",
                        quoted(&channel.name),
                        quoted(&meant)
                    ));
            }
        }
        let provider = offered
            .first()
            .and_then(|name| name.split_once(':'))
            .map_or("*".to_owned(), |(provider, _)| format!("{provider}:*"));
        let channel = rules
            .first()
            .map_or(String::new(), |(channel, _)| format!(" --channel {}", quoted(&channel.name)));
        finding
            .seen(seen)
            .todo("Make a rule for events that it has.")
            .run(format!("lttng enable-event --userspace --session {word}{channel} {}", quoted(&provider)))
    }

    /// It is recorded; what may be missing all the same.
    fn shortcomings(&self, session: &Session, picked: &[(&Channel, &Rule)]) -> Vec<Finding> {
        let mut found = Vec::new();
        let name = &session.name;
        if session.kind == SessionKind::Snapshot {
            found.push(
                Finding::new(
                    About::Snapshot,
                    Weight::Note,
                    format!(
                        "Session {name} is in snapshot mode: it writes nothing until a snapshot is taken."
                    ),
                )
                .seen(format!(
                    "There {} so far.",
                    match session.snapshots {
                        0 => "was none".to_owned(),
                        1 => "was one".to_owned(),
                        n => format!("were {n}"),
                    }
                ))
                .todo("Take one when there is something to be seen.")
                .run(format!("lttng snapshot record --session {}", quoted(name))),
            );
        }
        if picked.iter().all(|(_, rule)| rule.filter.is_some()) {
            let filters: Vec<&str> = picked.iter().filter_map(|(_, rule)| rule.filter.as_deref()).collect();
            found.push(
                Finding::new(
                    About::Filter,
                    Weight::Note,
                    format!("All event rules of session {name} that match this program have a filter."),
                )
                .seen(format!("Recorded is only what is so: {}.", some_of(&filters, 3)))
                .todo("If events are missing, try without the filter."),
            );
        }
        found.extend(self.lost(session, picked));
        if let Some(started) = self.process.started {
            // Both are rounded to seconds.
            if started.saturating_add(ROUNDED) < session.created {
                found.push(
                    Finding::new(
                        About::Early,
                        Weight::Note,
                        format!("The program is older than session {name}."),
                    )
                    .seen(format!(
                        "It was started {} before the session was made; what it did then is in no trace.",
                        registration::ago(session.created - started)
                    ))
                    .todo("To see its beginning, start the session first."),
                );
            } else {
                found.extend(self.register_timeout(session));
            }
        }
        found.extend(self.strays(session));
        found
    }

    fn lost(&self, session: &Session, picked: &[(&Channel, &Rule)]) -> Option<Finding> {
        let mut losing: Vec<&Channel> =
            picked.iter().map(|(channel, _)| *channel).filter(|channel| channel.lost > 0).collect();
        losing.dedup_by_key(|channel| &channel.name);
        let channel = losing.into_iter().max_by_key(|channel| channel.lost)?;
        let what = if channel.overwrite {
            format!(
                "In channel {} of session {}, {} were overwritten before they were read.",
                channel.name,
                session.name,
                count(usize::try_from(channel.lost).unwrap_or(usize::MAX), "packet", "packets")
            )
        } else {
            format!(
                "In channel {} of session {}, {} were discarded, since the buffers were full.",
                channel.name,
                session.name,
                count(usize::try_from(channel.lost).unwrap_or(usize::MAX), "event", "events")
            )
        };
        let size = channel.suggested_subbuf_size.unwrap_or_else(|| channel.subbuf_size.saturating_mul(4));
        Some(
            Finding::new(About::Lost, if channel.overwrite { Weight::Note } else { Weight::Partial }, what)
                .seen(format!("It has {} sub-buffers of {} for each CPU. The events may be of any program that it records.", channel.num_subbuf, bytes(channel.subbuf_size)))
                .todo("Record less, or make a channel with larger buffers in a new session; buffers of a channel that exists can't be changed.")
                .run(format!("lttng enable-channel --userspace --subbuf-size={size} --num-subbuf={} CHANNEL", channel.num_subbuf.max(4))),
        )
    }

    /// Its start did not wait for the daemon.
    fn register_timeout(&self, session: &Session) -> Option<Finding> {
        let environment = self.process.environment.known()?;
        let value = environment.get("LTTNG_UST_REGISTER_TIMEOUT")?;
        (value.trim() == "0").then(|| {
            let what = "The program was started with LTTNG_UST_REGISTER_TIMEOUT=0: it does not wait until it is traced.";
            Finding::new(About::RegisterTimeout, Weight::Partial, what)
                .seen(format!("Events of its first moments may be missing in session {}.", session.name))
                .todo("Start it without that variable (it waits 3 seconds at most), or with a number of milliseconds.")
        })
    }

    /// Rules that no application has an event for, and that look like a slip.
    fn strays(&self, session: &Session) -> Option<Finding> {
        let own = self.own_names();
        let offered: Vec<&str> =
            self.daemon.offers.iter().flatten().map(|offer| offer.name.as_str()).collect();
        let channels = session.channels.iter().filter(|channel| channel.domain == "user_space");
        let rules = channels
            .flat_map(|channel| &channel.rules)
            .filter(|rule| rule.enabled && rule.kind == "tracepoint");
        for rule in rules {
            if offered.iter().chain(&own).any(|name| pattern::fits(&rule.name, name)) {
                continue;
            }
            if let Some((meant, wrong)) = pattern::meant(&rule.name, &own) {
                // The mistake was seen, and the rule that was meant made.
                let mended = session.channels.iter().flat_map(|channel| &channel.rules).any(|other| {
                    other.enabled && (other.name == meant || pattern::fits(&other.name, &meant))
                });
                if mended {
                    continue;
                }
                let what = format!(
                    "Event rule {} of session {} matches no event of any program.",
                    rule.name, session.name
                );
                return Some(
                    Finding::new(About::NoMatch, Weight::Partial, what)
                        .seen(format!("Maybe {meant} was meant: {wrong}."))
                        .todo("Make a rule with that name.")
                        .run(format!(
                            "lttng enable-event --userspace --session {} {}",
                            quoted(&session.name),
                            quoted(&meant)
                        )),
                );
            }
        }
        None
    }
}

/// Rules that would pick it are switched off.
fn disabled(session: &Session, rules: &[(&Channel, &Rule)]) -> Finding {
    let word = quoted(&session.name);
    if let Some((channel, rule)) = rules.iter().find(|(channel, _)| channel.enabled) {
        let what = format!("Event rule {} of session {} is disabled.", rule.name, session.name);
        return Finding::new(About::RuleDisabled, Weight::Decisive, what)
            .seen(format!("It is in channel {}, and would match.", channel.name))
            .todo("Enable it.")
            .run(format!(
                "lttng enable-event --userspace --session {word} --channel {} {}",
                quoted(&channel.name),
                quoted(&rule.name)
            ));
    }
    let channel = rules.first().map_or("", |(channel, _)| channel.name.as_str());
    let what = format!("Channel {channel} of session {} is disabled.", session.name);
    Finding::new(About::ChannelDisabled, Weight::Decisive, what)
        .seen("It has a rule that would match.")
        .todo("Enable it.")
        .run(format!("lttng enable-channel --userspace --session {word} {}", quoted(channel)))
}

fn is_own(name: &str) -> bool {
    CALLED.iter().any(|prefix| name.starts_with(prefix))
        || !BUILT_IN.iter().any(|prefix| name.starts_with(prefix))
}

/// Names to be shown: those that the program brought along, each once.
fn own_names<'a, 'p>(points: impl IntoIterator<Item = &'p Point<'a>>) -> Vec<&'a str>
where
    'a: 'p,
{
    let mut names: Vec<&str> = points
        .into_iter()
        .map(|point| point.name)
        .filter(|name| !BUILT_IN.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn shown(points: &[&&Point<'_>]) -> String {
    let names: Vec<&str> = points.iter().map(|point| point.name).collect();
    some_of(&names, 4)
}

fn names(rule: &Rule, point: &Point<'_>) -> bool {
    pattern::fits(&rule.name, point.name)
        && (CALLED.iter().all(|prefix| !point.name.starts_with(prefix))
            || rule.name.starts_with("lttng_ust_trace"))
}

fn excludes(rule: &Rule, point: &Point<'_>) -> bool {
    rule.exclusions.iter().any(|exclusion| pattern::fits(exclusion, point.name))
}

/// The lower a level, the more severe.
fn is_of_level(rule: &Rule, point: &Point<'_>) -> bool {
    let Some(level) = point.level else { return true };
    rule.level_at_least.is_none_or(|least| level <= least)
        && rule.level_exactly.is_none_or(|exactly| level == exactly)
}

fn levels(rule: &Rule) -> String {
    match (rule.level_at_least, rule.level_exactly) {
        (_, Some(level)) => format!("{} only", level_name(level)),
        (Some(level), None) => format!("{} and what is more severe", level_name(level)),
        (None, None) => "all".to_owned(),
    }
}

/// Names of log levels, the most severe first (lttng-ust 2.13: `include/lttng/tracepoint.h`).
const LEVELS: [&str; 15] = [
    "EMERG",
    "ALERT",
    "CRIT",
    "ERR",
    "WARNING",
    "NOTICE",
    "INFO",
    "DEBUG_SYSTEM",
    "DEBUG_PROGRAM",
    "DEBUG_PROCESS",
    "DEBUG_MODULE",
    "DEBUG_UNIT",
    "DEBUG_FUNCTION",
    "DEBUG_LINE",
    "DEBUG",
];

fn level_name(level: i32) -> String {
    let name = usize::try_from(level).ok().and_then(|level| LEVELS.get(level));
    name.map_or_else(|| level.to_string(), |name| (*name).to_owned())
}

fn bytes(number: u64) -> String {
    match number {
        0..1024 => format!("{number} bytes"),
        1024..1_048_576 => format!("{} KiB", number >> 10),
        _ => format!("{} MiB", number >> 20),
    }
}
