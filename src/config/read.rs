// SPDX-License-Identifier: GPL-2.0-only
//! From a file's bytes to what it says, by the rules of the schema of lttng-tools 2.13 (`session.xsd`): what must be
//! there, what may be there once, and nothing else.
//!
//! It is stricter where the schema accepts what the original's loader then refuses, and accepts the contexts that the
//! original writes but does not read.

use super::configuration::{
    Buffers, ChannelConfiguration, Configuration, ContextConfiguration, Destination, DomainConfiguration,
    EventConfiguration, EventType, LevelType, OutputConfiguration, ProgramProbe, Schedule,
    SessionConfiguration, SnapshotConfiguration, TrackerConfiguration,
};
use super::context;
use super::document::{Element, Fault, Fields, with_root};
use crate::model::tracker::Value;
use crate::model::{Context, Domain, KernelContext, ProbePlace, ProcessAttribute, ProgramPlace};
use crate::text::Text;

/// Bytes of texts, as the fields of clients' requests have room for them.
const NAME: usize = 254;
const SYMBOL: usize = 255;
const PATH: usize = 4095;
const FILTER: usize = 65_535;
/// Microseconds of the longest time that an application may wait for room.
const LONGEST_WAIT: i64 = 2_147_483_648_000;

const DOMAINS: [(&str, Domain); 5] = [
    ("KERNEL", Domain::Kernel),
    ("UST", Domain::UserSpace),
    ("JUL", Domain::Jul),
    ("LOG4J", Domain::Log4j),
    ("PYTHON", Domain::Python),
];
const BUFFERS: [(&str, Buffers); 3] =
    [("PER_PID", Buffers::PerPid), ("PER_UID", Buffers::PerUid), ("GLOBAL", Buffers::Global)];
const EVENTS: [(&str, EventType); 10] = [
    ("ALL", EventType::All),
    ("TRACEPOINT", EventType::Tracepoint),
    ("PROBE", EventType::Probe),
    ("USERSPACE_PROBE", EventType::UserspaceProbe),
    ("FUNCTION", EventType::Function),
    ("FUNCTION_ENTRY", EventType::FunctionEntry),
    ("NOOP", EventType::Noop),
    ("SYSCALL", EventType::Syscall),
    ("KPROBE", EventType::Kprobe),
    ("KRETPROBE", EventType::Kretprobe),
];
const LEVELS: [(&str, LevelType); 3] =
    [("ALL", LevelType::All), ("RANGE", LevelType::Range), ("SINGLE", LevelType::Single)];
/// How a place in a program is looked for: the kind of place says that, too.
const LOOKUPS: [(&str, ()); 3] = [("DEFAULT", ()), ("ELF", ()), ("SDT", ())];
/// Trackers with the names of their values.
const TRACKERS: [(&str, &str, ProcessAttribute); 6] = [
    ("pid_process_attr_tracker", "pid", ProcessAttribute::Pid),
    ("vpid_process_attr_tracker", "vpid", ProcessAttribute::Vpid),
    ("uid_process_attr_tracker", "uid", ProcessAttribute::Uid),
    ("vuid_process_attr_tracker", "vuid", ProcessAttribute::Vuid),
    ("gid_process_attr_tracker", "gid", ProcessAttribute::Gid),
    ("vgid_process_attr_tracker", "vgid", ProcessAttribute::Vgid),
];

/// Reads a file.
///
/// # Errors
/// The first fault that is found. Nothing of such a file is of use.
pub fn read(bytes: &[u8]) -> Result<Configuration, Fault> {
    with_root(bytes, |root| {
        if root.name() != "sessions" {
            return Err(root.fault("not expected here"));
        }
        let sessions: Vec<_> =
            root.list("session")?.into_iter().map(session).collect::<Result<_, Fault>>()?;
        if sessions.is_empty() { Err(root.fault("no session")) } else { Ok(Configuration { sessions }) }
    })
}

fn session(element: Element<'_>) -> Result<SessionConfiguration, Fault> {
    let mut fields = element.fields()?;
    let attributes = fields.take("attributes", attributes)?;
    let (snapshot_mode, live_timer, schedules) = attributes.unwrap_or_default();
    let session = SessionConfiguration {
        name: fields.need("name", name)?,
        shm_path: fields.take("shared_memory_path", path)?.filter(|path| !path.is_empty()),
        domains: fields.take("domains", |domains| each(domains.list("domain")?, domain))?.unwrap_or_default(),
        started: fields.take("started", Element::boolean)?,
        snapshot_mode,
        live_timer,
        schedules,
        output: fields.take("output", output)?,
    };
    fields.end()?;
    Ok(session)
}

fn each<'a, T>(
    elements: Vec<Element<'a>>,
    read: impl Fn(Element<'a>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    elements.into_iter().map(read).collect()
}

fn name(element: Element<'_>) -> Result<String, Fault> {
    element.text(NAME)
}

fn symbol(element: Element<'_>) -> Result<Text, Fault> {
    element.text(SYMBOL).map(Text::from)
}

fn path(element: Element<'_>) -> Result<String, Fault> {
    element.text(PATH)
}

fn attributes(element: Element<'_>) -> Result<(bool, u32, Vec<Schedule>), Fault> {
    let mut fields = element.fields()?;
    let snapshot_mode = fields.take("snapshot_mode", Element::boolean)?.unwrap_or(false);
    let live_timer = fields.take("live_timer_interval", Element::number)?.unwrap_or(0);
    let schedules = fields.take("rotation_schedules", |schedules| {
        let all = each(schedules.elements()?, schedule)?;
        if all.is_empty() { Err(schedules.fault("no schedule")) } else { Ok(all) }
    })?;
    fields.end()?;
    Ok((snapshot_mode, live_timer, schedules.unwrap_or_default()))
}

fn schedule(element: Element<'_>) -> Result<Schedule, Fault> {
    let mut fields = element.fields()?;
    let schedule = match element.name() {
        "periodic" => Schedule::Periodic(fields.take("time_us", Element::number)?),
        "size_threshold" => Schedule::Size(fields.take("bytes", Element::number)?),
        _ => return Err(element.fault("not expected here")),
    };
    fields.end()?;
    Ok(schedule)
}

fn output(element: Element<'_>) -> Result<OutputConfiguration, Fault> {
    let of = element.only()?;
    match of.name() {
        "consumer_output" => consumer_output(of).map(OutputConfiguration::Continuous),
        "snapshot_outputs" => each(of.list("output")?, snapshot).map(OutputConfiguration::Snapshots),
        _ => Err(of.fault("not expected here")),
    }
}

fn snapshot(element: Element<'_>) -> Result<SnapshotConfiguration, Fault> {
    let mut fields = element.fields()?;
    let snapshot = SnapshotConfiguration {
        name: fields.need("name", name)?,
        max_size: fields.need("max_size", Element::number)?,
        destination: fields.need("consumer_output", consumer_output)?,
    };
    fields.end()?;
    Ok(snapshot)
}

/// Whether it is enabled means nothing.
fn consumer_output(element: Element<'_>) -> Result<Destination, Fault> {
    let mut fields = element.fields()?;
    fields.need("enabled", Element::boolean)?;
    let destination = fields.need("destination", |destination| {
        let of = destination.only()?;
        match of.name() {
            "path" => path(of).map(Destination::Path),
            "net_output" => {
                let mut fields = of.fields()?;
                let (control, data) = (fields.need("control_uri", path)?, fields.need("data_uri", path)?);
                fields.end()?;
                Ok(Destination::Network { control, data })
            }
            _ => Err(of.fault("not expected here")),
        }
    })?;
    fields.end()?;
    Ok(destination)
}

fn domain(element: Element<'_>) -> Result<DomainConfiguration, Fault> {
    let mut fields = element.fields()?;
    let domain = fields.need("type", |of| of.word(&DOMAINS))?;
    let buffers = fields.need("buffer_type", |of| of.word(&BUFFERS))?;
    let channels = fields.take("channels", |channels| each(channels.list("channel")?, channel))?;
    let trackers = fields.take("process_attr_trackers", |trackers| each(trackers.elements()?, tracker))?;
    let legacy = fields.take("trackers", |trackers| {
        each(trackers.list("pid_tracker")?, |element| legacy_tracker(element, domain))
    })?;
    fields.end()?;
    Ok(DomainConfiguration { domain, buffers, channels, trackers: trackers.or(legacy).unwrap_or_default() })
}

fn channel(element: Element<'_>) -> Result<ChannelConfiguration, Fault> {
    let mut fields = element.fields()?;
    let number = |fields: &mut Fields<'_>, name| fields.take(name, Element::number::<u64>);
    let channel = ChannelConfiguration {
        name: fields.need("name", name)?,
        enabled: fields.take("enabled", Element::boolean)?,
        overwrite: fields.take("overwrite_mode", |of| of.word(&[("DISCARD", false), ("OVERWRITE", true)]))?,
        subbuf_size: number(&mut fields, "subbuffer_size")?,
        num_subbuf: number(&mut fields, "subbuffer_count")?,
        switch_timer: fields.take("switch_timer_interval", Element::number)?,
        read_timer: fields.need("read_timer_interval", Element::number)?,
        spliced: fields.need("output_type", |of| of.word(&[("SPLICE", true), ("MMAP", false)]))?,
        blocking_timeout: fields.take("blocking_timeout", |of| {
            let timeout: i64 = of.number()?;
            if (-1..=LONGEST_WAIT).contains(&timeout) { Ok(timeout) } else { Err(of.fault("out of range")) }
        })?,
        monitor_timer: number(&mut fields, "monitor_timer_interval")?,
        tracefile_size: number(&mut fields, "tracefile_size")?,
        tracefile_count: number(&mut fields, "tracefile_count")?,
        live_timer: fields.take("live_timer_interval", Element::number)?,
        events: fields.take("events", |events| each(events.list("event")?, event))?.unwrap_or_default(),
        contexts: fields.take("contexts", |all| each(all.list("context")?, context))?.unwrap_or_default(),
    };
    fields.end()?;
    Ok(channel)
}

fn event(element: Element<'_>) -> Result<EventConfiguration, Fault> {
    let mut fields = element.fields()?;
    let (place, program) = fields.take("attributes", event_attributes)?.unwrap_or_default();
    let event = EventConfiguration {
        name: fields.take("name", symbol)?,
        enabled: fields.take("enabled", Element::boolean)?,
        kind: fields.take("type", |of| of.word(&EVENTS))?,
        levels: fields.take("loglevel_type", |of| of.word(&LEVELS))?,
        level: fields.take("loglevel", Element::number)?,
        filter: fields.take("filter", |of| of.text(FILTER).map(Text::from))?,
        exclusions: fields
            .take("exclusions", |all| each(all.list("exclusion")?, symbol))?
            .unwrap_or_default(),
        place,
        program,
    };
    fields.end()?;
    Ok(event)
}

fn event_attributes(element: Element<'_>) -> Result<(Option<ProbePlace>, Option<ProgramProbe>), Fault> {
    let of = element.only()?;
    let mut fields = of.fields()?;
    let found = match of.name() {
        "probe_attributes" => {
            let symbol = fields.take("symbol_name", |of| of.text(SYMBOL))?.unwrap_or_default();
            let address = fields.take("address", Element::number)?.unwrap_or(0);
            let offset = fields.take("offset", Element::number)?.unwrap_or(0);
            // An address is a place by itself.
            let symbol = if address == 0 { symbol } else { String::new() };
            (Some(ProbePlace { symbol, address, offset }), None)
        }
        "function_attributes" => {
            let symbol = fields.need("symbol_name", |of| of.text(SYMBOL))?;
            (Some(ProbePlace { symbol, address: 0, offset: 0 }), None)
        }
        "userspace_probe_function_attributes" => {
            fields.need("lookup_method", |of| of.word(&LOOKUPS))?;
            let binary = fields.need("binary_path", path)?;
            let function = fields.need("function_name", |of| of.text(SYMBOL))?;
            (None, Some(ProgramPlace::Function { binary, function }))
        }
        "userspace_probe_tracepoint_attributes" => {
            fields.need("lookup_method", |of| of.word(&LOOKUPS))?;
            let binary = fields.need("binary_path", path)?;
            let provider = fields.need("provider_name", |of| of.text(SYMBOL))?;
            let probe = fields.need("probe_name", |of| of.text(SYMBOL))?;
            (None, Some(ProgramPlace::Tracepoint { binary, provider, probe }))
        }
        _ => return Err(of.fault("not expected here")),
    };
    fields.end()?;
    Ok((found.0, found.1.map(ProgramProbe)))
}

fn context(element: Element<'_>) -> Result<ContextConfiguration, Fault> {
    let of = element.only()?;
    match of.name() {
        "type" => context::named(&of.text(SYMBOL)?).ok_or_else(|| of.fault("a context that is not known")),
        "perf" => {
            let mut fields = of.fields()?;
            let kind = fields.need("type", Element::number)?;
            let config = fields.need("config", Element::number)?;
            let name = fields.need("name", symbol)?;
            fields.end()?;
            Ok(ContextConfiguration {
                of_user_space: Some(Context::Perf { kind, config, name: name.clone() }),
                of_kernel: Some(KernelContext::Perf { kind, config, name }),
            })
        }
        "app" => {
            let mut fields = of.fields()?;
            let provider = fields.need("provider_name", symbol)?;
            let name = fields.need("ctx_name", symbol)?;
            fields.end()?;
            Ok(ContextConfiguration { of_user_space: Some(Context::App { provider, name }), of_kernel: None })
        }
        _ => Err(of.fault("not expected here")),
    }
}

fn tracker(element: Element<'_>) -> Result<TrackerConfiguration, Fault> {
    let known = TRACKERS.iter().find(|(name, ..)| *name == element.name());
    let &(_, value_name, attribute) = known.ok_or_else(|| element.fault("not expected here"))?;
    let mut fields = element.fields()?;
    let read = |value: Element<'_>| tracked(value, attribute);
    let values = fields.need("process_attr_values", |values| each(values.list(value_name)?, read))?;
    fields.end()?;
    Ok(TrackerConfiguration { attribute, values })
}

fn tracked(element: Element<'_>, attribute: ProcessAttribute) -> Result<Value, Fault> {
    use ProcessAttribute::{Gid, Pid, Uid, Vgid, Vpid, Vuid};
    let of = element.only()?;
    let id = || of.number::<u32>();
    match (of.name(), attribute) {
        ("id", Pid | Vpid) => id().map(|id| Value::Pid(id.into())),
        ("id", Uid | Vuid) => id().map(|id| Value::Uid(id.into())),
        ("id", Gid | Vgid) => id().map(|id| Value::Gid(id.into())),
        ("name", Uid | Vuid) => name(of).map(Value::UserName),
        ("name", Gid | Vgid) => name(of).map(Value::GroupName),
        _ => Err(of.fault("not expected here")),
    }
}

/// As it was written before 2.12, when there was one tracker.
fn legacy_tracker(element: Element<'_>, domain: Domain) -> Result<TrackerConfiguration, Fault> {
    let mut fields = element.fields()?;
    let values = fields.need("targets", |targets| {
        each(targets.list("pid_target")?, |target| {
            let mut fields = target.fields()?;
            let pid: u32 = fields.need("pid", Element::number)?;
            fields.end()?;
            Ok(Value::Pid(pid.into()))
        })
    })?;
    fields.end()?;
    let attribute = if domain == Domain::Kernel { ProcessAttribute::Pid } else { ProcessAttribute::Vpid };
    Ok(TrackerConfiguration { attribute, values })
}
