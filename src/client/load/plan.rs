// SPDX-License-Identifier: GPL-2.0-only
//! From what a configuration says of a session to the commands that make it, one after the other: a pure function.
//!
//! Commands, their order and what a failure of each counts as: `protocol/doc/session-config.md`, section 6. Different
//! here: a channel of user space that is disabled stays so; of rules about loggers, those are disabled that are to be, since
//! whoever enables the one about all loggers enables all; a filter of an agent's domain that says already which logger
//! it is about is not made to say it once more; contexts of Python's channel are added. So loading and saving leaves a
//! file as it is.

use std::collections::{BTreeMap, VecDeque};

use lttng_protocol::client::{ErrorCode, OutputUrl};
use lttng_protocol::filter::{self, agent};

use crate::client::action::{
    AddContext, ChannelName, CreateSession, DisableEvent, EnableChannel, EnableEvent, EventKind, Nothing,
    RequestedOutput, ScheduleKind, SetOutput, SetPolicy, SetSchedule, SetShmPath, SnapshotTarget,
    TrackerValue,
};
use crate::client::event_rule::compiled_filter;
use crate::client::table::Action;
use crate::client::uri::target;
use crate::config::{
    Buffers, ChannelConfiguration, Destination, DomainConfiguration, EventConfiguration, EventType,
    LevelType, OutputConfiguration, Schedule, SessionConfiguration, SnapshotConfiguration,
    TrackerConfiguration,
};
use crate::model::tracker::Policy;
use crate::model::{
    Attributes, BufferingScheme, Domain, Filter, LogLevels, LoggerDomain, ProbePlace, SessionKind, Target,
};
use crate::text::Text;
use crate::turn::output::SharedFd;

/// The programs that were opened for probes, by their paths.
pub type Programs = BTreeMap<String, SharedFd>;

/// What makes one session.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The session's name.
    pub session: String,
    pub steps: VecDeque<Step>,
}

/// One command.
#[derive(Debug, Clone)]
pub struct Step {
    /// The domain that it names.
    pub domain: Option<Domain>,
    pub command: Command,
    /// What a failure counts as.
    pub part: Part,
    /// What goes with it.
    pub program: Option<SharedFd>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// What a client may ask for.
    Serve(Action),
    /// The session records to this relay daemon, whose hosts may have names that are to be looked up.
    Connect(OutputUrl),
    /// This rule about loggers is disabled, and no other one.
    SwitchOff(EnableEvent),
}

/// What a command is about, which decides what is said when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A session that is in the way is ended. There need not be one.
    Old,
    /// The session itself.
    Frame,
    /// What is in it, and its start.
    Content,
    /// An event rule in it, by its name.
    Event(Text),
}

/// A session that can't be made as it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmakeable {
    pub code: ErrorCode,
    pub part: Part,
    /// What the code does not say, for people; often nothing.
    pub why: Option<String>,
}

fn unmakeable(code: ErrorCode, part: Part) -> Unmakeable {
    Unmakeable { code, part, why: None }
}

/// Plans a session. `page` is the size of a page in bytes.
///
/// # Errors
/// Something in it can't be had anywhere. Whether the rest can be had here is for the commands to find out.
pub fn plan(session: SessionConfiguration, programs: &Programs, page: u64) -> Result<Plan, Unmakeable> {
    let mut steps = Steps { steps: VecDeque::new(), programs, page };
    let domains = &session.domains;
    let twice = |(at, of): (usize, &DomainConfiguration)| {
        domains.iter().take(at).any(|other| other.domain == of.domain)
    };
    if domains.iter().enumerate().any(twice) {
        return Err(unmakeable(ErrorCode::LoadInvalidConfig, Part::Frame));
    }
    steps.push(None, Part::Old, Action::DestroySession(Nothing));
    steps.create(&session)?;
    if let Some(path) = session.shm_path {
        steps.push(None, Part::Frame, Action::SetShmPath(SetShmPath(path)));
    }
    for domain in session.domains {
        steps.domain(domain)?;
    }
    steps.schedules(&session.schedules)?;
    if session.started.unwrap_or(true) {
        steps.push(None, Part::Content, Action::StartTrace(Nothing));
    }
    Ok(Plan { session: session.name, steps: steps.steps })
}

/// A plan that is being made.
struct Steps<'a> {
    steps: VecDeque<Step>,
    programs: &'a Programs,
    page: u64,
}

impl Steps<'_> {
    fn push(&mut self, domain: Option<Domain>, part: Part, action: Action) {
        self.steps.push_back(Step { domain, command: Command::Serve(action), part, program: None });
    }

    /// The session and where it records to.
    fn create(&mut self, session: &SessionConfiguration) -> Result<(), Unmakeable> {
        let kind = match (session.snapshot_mode, session.live_timer) {
            (true, _) => SessionKind::Snapshot,
            (false, 0) => SessionKind::Regular,
            (false, timer) => SessionKind::Live { timer: timer.into() },
        };
        let create = |output| {
            let name = Some(session.name.clone());
            Action::CreateSessionExt(CreateSession { home: None, kind, name, output })
        };
        if session.name.is_empty() {
            return Err(unmakeable(ErrorCode::Invalid, Part::Frame));
        }
        let continuous = match (&session.output, kind) {
            (Some(OutputConfiguration::Snapshots(outputs)), SessionKind::Snapshot) => {
                self.push(None, Part::Frame, create(RequestedOutput::None));
                for output in outputs {
                    self.push(None, Part::Frame, Action::SnapshotAddOutput(snapshot_target(output)));
                }
                return Ok(());
            }
            (None, _) => None,
            (Some(OutputConfiguration::Continuous(destination)), SessionKind::Regular) => Some(destination),
            (
                Some(OutputConfiguration::Continuous(network @ Destination::Network { .. })),
                SessionKind::Live { .. },
            ) => Some(network),
            (Some(OutputConfiguration::Continuous(_)), SessionKind::Snapshot) => {
                return Err(unmakeable(ErrorCode::Invalid, Part::Frame));
            }
            (Some(_), _) => return Err(unmakeable(ErrorCode::LoadInvalidConfig, Part::Frame)),
        };
        if continuous.is_none() && matches!(kind, SessionKind::Live { .. }) {
            return Err(unmakeable(ErrorCode::LoadInvalidConfig, Part::Frame));
        }
        match continuous {
            None => self.push(None, Part::Frame, create(RequestedOutput::None)),
            Some(Destination::Path(path)) if path.is_empty() => {
                self.push(None, Part::Frame, create(RequestedOutput::None));
            }
            Some(Destination::Path(path)) => {
                let OutputUrl::Path(path) = url(path, "")? else {
                    return Err(unmakeable(ErrorCode::Invalid, Part::Frame));
                };
                self.push(None, Part::Frame, create(RequestedOutput::Local(Some(path))));
            }
            Some(Destination::Network { control, data }) => {
                let command = Command::Connect(url(control, data)?);
                self.push(None, Part::Frame, create(RequestedOutput::None));
                self.steps.push_back(Step { domain: None, command, part: Part::Frame, program: None });
            }
        }
        Ok(())
    }

    /// What a domain has. The original looks at nothing of one that says nothing of channels.
    fn domain(&mut self, of: DomainConfiguration) -> Result<(), Unmakeable> {
        let DomainConfiguration { domain, buffers, channels, trackers } = of;
        let Some(channels) = channels else { return Ok(()) };
        for channel in channels {
            self.channel(domain, buffers, channel)?;
        }
        for TrackerConfiguration { attribute, values } in trackers {
            let policy = if values.is_empty() { Policy::ExcludeAll } else { Policy::IncludeSet };
            let (attribute, policy) = (Some(attribute), Some(policy));
            self.push(Some(domain), Part::Content, Action::TrackerSetPolicy(SetPolicy { attribute, policy }));
            for value in values {
                self.push(
                    Some(domain),
                    Part::Content,
                    Action::TrackerAddValue(TrackerValue { attribute, value }),
                );
            }
        }
        Ok(())
    }

    fn channel(
        &mut self,
        domain: Domain,
        buffers: Buffers,
        channel: ChannelConfiguration,
    ) -> Result<(), Unmakeable> {
        let scheme = match (buffers, domain) {
            (Buffers::Global, Domain::Kernel) => None,
            (Buffers::PerUid, of) if of != Domain::Kernel => Some(BufferingScheme::PerUser),
            (Buffers::PerPid, of) if of != Domain::Kernel => Some(BufferingScheme::PerProcess),
            _ => return Err(unmakeable(ErrorCode::LoadInvalidConfig, Part::Content)),
        };
        let wanted = self.wanted(&channel, scheme);
        self.push(Some(domain), Part::Content, Action::EnableChannel(wanted));
        let ChannelConfiguration { name, enabled, events, contexts, .. } = channel;
        self.events(domain, scheme, &name, events)?;
        // Nobody may add a context in Python's domain. Its channel is one of user space like any other.
        let where_contexts_are = if domain == Domain::Python { Domain::UserSpace } else { domain };
        for context in contexts {
            let (context, of_kernel) = (context.of_user_space, context.of_kernel);
            let add = AddContext { channel: name.clone(), context, of_kernel };
            self.push(Some(where_contexts_are), Part::Content, Action::AddContext(add));
        }
        // Of the kernel's, the original writes whether a client asked for it by name, which says nothing of that.
        if domain != Domain::Kernel && enabled == Some(false) {
            self.push(Some(domain), Part::Content, Action::DisableChannel(ChannelName(name)));
        }
        Ok(())
    }

    fn wanted(&self, channel: &ChannelConfiguration, scheme: Option<BufferingScheme>) -> EnableChannel {
        let usual = match scheme {
            Some(scheme) => Attributes::default_for(scheme, false, self.page),
            None => Attributes::default_of_kernel(false, self.page),
        };
        EnableChannel {
            name: channel.name.clone(),
            scheme,
            overwrite: channel.overwrite,
            spliced: channel.spliced,
            live_timer: channel.live_timer.unwrap_or(0),
            attributes: Attributes {
                overwrite: false,
                subbuf_size: channel.subbuf_size.unwrap_or(usual.subbuf_size),
                num_subbuf: channel.num_subbuf.unwrap_or(usual.num_subbuf),
                switch_timer: channel.switch_timer.unwrap_or(usual.switch_timer),
                read_timer: channel.read_timer,
                monitor_timer: channel.monitor_timer.unwrap_or(usual.monitor_timer),
                tracefile_size: channel.tracefile_size.unwrap_or(usual.tracefile_size),
                tracefile_count: channel.tracefile_count.unwrap_or(usual.tracefile_count),
                blocking_timeout: channel.blocking_timeout.unwrap_or(usual.blocking_timeout),
            },
        }
    }

    /// All are enabled, so that all are there in their order. If some are to be disabled, all are disabled then, and those
    /// are enabled that are to be; of rules about loggers, each that is to be disabled is.
    fn events(
        &mut self,
        domain: Domain,
        scheme: Option<BufferingScheme>,
        channel: &str,
        events: Vec<EventConfiguration>,
    ) -> Result<(), Unmakeable> {
        let (mut enabled, mut disabled) = (Vec::new(), Vec::new());
        for event in events {
            let of_kind = if event.enabled == Some(true) { &mut enabled } else { &mut disabled };
            let step = self.event(domain, scheme, channel, event)?;
            of_kind.push(step.clone());
            self.steps.push_back(step);
        }
        if LoggerDomain::of(domain).is_some() {
            self.steps.extend(disabled.into_iter().map(switched_off));
        } else if !disabled.is_empty() {
            let all =
                DisableEvent { channel: channel.to_owned(), name: Text::default(), kind: EventKind::All };
            self.push(Some(domain), Part::Content, Action::DisableEvent(all));
            self.steps.extend(enabled);
        }
        Ok(())
    }

    fn event(
        &self,
        domain: Domain,
        scheme: Option<BufferingScheme>,
        channel: &str,
        event: EventConfiguration,
    ) -> Result<Step, Unmakeable> {
        let name = event.name.unwrap_or_else(|| "*".into());
        let level = event.level.unwrap_or_else(|| usual_level(domain));
        let levels = levels(event.levels, level);
        let refused = |why: String| {
            let part = Part::Event(name.clone());
            Unmakeable { code: ErrorCode::LoadInvalidConfig, part, why: Some(why) }
        };
        let compiled = match domain {
            Domain::Kernel | Domain::UserSpace => event.filter.map(compiled).transpose(),
            Domain::Jul | Domain::Log4j | Domain::Python => of_loggers(&name, levels, event.filter),
        };
        let filter = compiled.map_err(|error| {
            refused(format!("The filter of event rule {name} can't be compiled: {error}"))
        })?;
        let mut program = None;
        let place =
            event.place.unwrap_or_else(|| ProbePlace { symbol: String::new(), address: 0, offset: 0 });
        let kind = match event.kind.unwrap_or(EventType::Tracepoint) {
            EventType::All => EventKind::All,
            EventType::Tracepoint => EventKind::Tracepoint,
            EventType::Syscall => EventKind::Syscall,
            EventType::Noop => EventKind::Noop,
            EventType::Probe => EventKind::Probe(place),
            EventType::Function => EventKind::Function(place),
            EventType::FunctionEntry => EventKind::FunctionEntry,
            EventType::UserspaceProbe => {
                let probe =
                    event.program.ok_or_else(|| refused("It is not said where a probe sits".to_owned()))?;
                program = self.programs.get(probe.binary()).cloned();
                if program.is_none() {
                    let why = format!("{} can't be opened, or is no regular file", probe.binary());
                    return Err(refused(why));
                }
                EventKind::UserspaceProbe { place: probe.0, findable: true }
            }
            // Names without a meaning.
            EventType::Kprobe | EventType::Kretprobe => {
                return Err(unmakeable(ErrorCode::LoadInvalidConfig, Part::Content));
            }
        };
        let part = Part::Event(name.clone());
        let (channel, levels, exclusions) = (channel.to_owned(), Some(levels), event.exclusions);
        let action = Action::EnableEvent(EnableEvent {
            channel,
            scheme,
            name,
            kind,
            levels,
            level,
            filter,
            exclusions,
        });
        Ok(Step { domain: Some(domain), command: Command::Serve(action), part, program })
    }

    fn schedules(&mut self, schedules: &[Schedule]) -> Result<(), Unmakeable> {
        for schedule in schedules {
            let (kind, value) = match schedule {
                Schedule::Periodic(time) => (ScheduleKind::Periodic, time),
                Schedule::Size(bytes) => (ScheduleKind::Size, bytes),
            };
            let value = value.ok_or_else(|| unmakeable(ErrorCode::LoadInvalidConfig, Part::Frame))?;
            let set = SetSchedule { kind: Some(kind), set: true, value };
            self.push(None, Part::Frame, Action::RotationSetSchedule(set));
        }
        Ok(())
    }
}

/// From the command that makes a rule about loggers to the one that disables it.
fn switched_off(step: Step) -> Step {
    let command = match step.command {
        Command::Serve(Action::EnableEvent(rule)) => Command::SwitchOff(rule),
        other => other,
    };
    Step { command, ..step }
}

fn url(control: &str, data: &str) -> Result<OutputUrl, Unmakeable> {
    OutputUrl::parse(control, data).map_err(|error| {
        let why = format!("Unable to parse the URL {control}: {error}");
        Unmakeable { code: ErrorCode::Invalid, part: Part::Frame, why: Some(why) }
    })
}

/// The URLs of snapshot outputs go to the command as they are.
fn snapshot_target(output: &SnapshotConfiguration) -> SnapshotTarget {
    let (control_url, data_url) = match &output.destination {
        Destination::Path(path) => (path.clone(), String::new()),
        Destination::Network { control, data } => (control.clone(), data.clone()),
    };
    SnapshotTarget {
        id: 0,
        max_size: Some(output.max_size),
        name: output.name.clone(),
        control_url,
        data_url,
    }
}

/// The targets of an output, once its hosts are known.
pub fn targets(network: lttng_protocol::client::NetworkOutput) -> SetOutput {
    let targets: [Target; 2] = [target(network.control), target(network.data)];
    SetOutput(targets.into())
}

/// The log level of a rule that names none, as stock clients say it.
fn usual_level(domain: Domain) -> i32 {
    LoggerDomain::of(domain).map_or(14, LoggerDomain::every_level)
}

fn levels(levels: Option<LevelType>, level: i32) -> LogLevels {
    match levels.unwrap_or(LevelType::All) {
        LevelType::All => LogLevels::All,
        LevelType::Range => LogLevels::AtLeast(level),
        LevelType::Single => LogLevels::Exactly(level),
    }
}

fn compiled(text: Text) -> Result<Filter, filter::CompileError> {
    let bytecode = filter::compile(&text)?;
    Ok(compiled_filter(text, bytecode))
}

/// The filter of a rule about loggers, with what picks the logger and its levels. What was saved has that in it.
fn of_loggers(
    name: &Text,
    levels: LogLevels,
    filter: Option<Text>,
) -> Result<Option<Filter>, filter::CompileError> {
    let level = match levels {
        LogLevels::All => None,
        LogLevels::AtLeast(level) => Some(agent::Level::AtLeast(level)),
        LogLevels::Exactly(level) => Some(agent::Level::Exactly(level)),
    };
    if let Some(text) = &filter
        && is_composed(text, name, level)
    {
        return compiled(text.clone()).map(Some);
    }
    let composed = agent::compile_rule(name.as_bytes(), level, filter.as_ref().map(Text::as_bytes))?;
    Ok(composed.map(|filter| compiled_filter(filter.text, filter.bytecode)))
}

/// Whether a filter is what becomes of this name, these levels and some filter, or none.
fn is_composed(text: &Text, name: &Text, level: Option<agent::Level>) -> bool {
    const MARK: &[u8] = b"\0";
    if agent::text(name.as_bytes(), level, None).as_ref() == Some(text) {
        return true;
    }
    let Some(pattern) = agent::text(name.as_bytes(), level, Some(MARK)) else { return false };
    let pattern = pattern.as_bytes();
    let Some(at) = pattern.iter().position(|byte| MARK.contains(byte)) else { return false };
    let (before, after) = (pattern.get(..at), pattern.get(at.saturating_add(MARK.len())..));
    let inner = before.zip(after).and_then(|(before, after)| {
        text.as_bytes().strip_prefix(before).and_then(|rest| rest.strip_suffix(after))
    });
    inner.is_some_and(|inner| filter::compile(inner).is_ok())
}

#[cfg(test)]
mod tests;
