// SPDX-License-Identifier: GPL-2.0-only
//! The report for people: what needs attention first, and the rest in as much as there is room for.

use std::cmp::Reverse;

use super::page::{Cell, Page, Room, Style, Table};
use super::{Application, Channel, Life, Progress, Report, Rotation, Session, SessionKind};

/// The report as text. `name_of` has the names of users.
pub fn text(report: &Report, name_of: &dyn Fn(u32) -> Option<String>, room: Room) -> String {
    let user = |uid: u32| name_of(uid).unwrap_or_else(|| uid.to_string());
    let mut page = Page::default();
    daemon(&mut page, report, &user);
    sessions(&mut page, report, &user);
    applications(&mut page, report, &user);
    agents(&mut page, report, &user);
    consumers(&mut page, report);
    relays(&mut page, report);
    triggers(&mut page, report, &user);
    users(&mut page, report, &user);
    commands(&mut page, report);
    refused(&mut page, report, &user);
    messages(&mut page, report);
    page.text(room)
}

/// Bytes, as people say it.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes.saturating_mul(10) >> 10;
    for unit in UNITS {
        if tenths < 10_240 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths >>= 10;
    }
    format!("{bytes} B")
}

/// A stretch of time.
pub fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

fn milliseconds(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { duration(ms / 1000) }
}

fn microseconds(us: u64) -> String {
    if us < 1000 { format!("{us} us") } else { milliseconds(us / 1000) }
}

fn heading(page: &mut Page, name: &str, rest: String) {
    page.line(vec![Cell::new(name).with(Style::Heading), Cell::new(rest)]);
}

fn daemon(page: &mut Page, report: &Report, user: &dyn Fn(u32) -> String) {
    let daemon = &report.daemon;
    let whose = format!(
        ", {}'s, process {}, up {}, in {}",
        user(daemon.uid),
        daemon.pid,
        duration(daemon.uptime),
        daemon.run_directory
    );
    heading(page, &format!("lttng-sessiond {}", daemon.version), whose);
    let near = daemon.descriptors.saturating_mul(10) >= daemon.descriptors_limit.saturating_mul(9);
    let descriptors = format!("{} of {} descriptors", daemon.descriptors, daemon.descriptors_limit);
    page.line(vec![
        Cell::new(format!(
            "  {} of memory ({} of its own), ",
            bytes(daemon.memory_resident),
            bytes(daemon.memory_anonymous)
        )),
        Cell::new(descriptors).with(if near { Style::Bad } else { Style::Plain }),
        Cell::new(format!(
            ", {} turns, the longest {}",
            report.counters.turns,
            microseconds(report.counters.longest_turn_us)
        )),
    ]);
    let kernel = &report.kernel;
    let (words, style) = match kernel.state.as_str() {
        "ready" => {
            let version = kernel.version.as_deref().unwrap_or("?");
            (format!("LTTng-modules {version}"), Style::Good)
        }
        "looking" => ("being looked for".to_owned(), Style::Plain),
        "absent" => ("not there: its modules are missing or can't be loaded".to_owned(), Style::Notable),
        "unfit" => ("of a version that is not served".to_owned(), Style::Bad),
        "off" => ("switched off (--no-kernel)".to_owned(), Style::Faint),
        "not_root" => ("for root's daemon only".to_owned(), Style::Faint),
        other => (other.to_owned(), Style::Plain),
    };
    page.line(vec![Cell::new("  Kernel tracer: "), Cell::new(words).with(style)]);
}

fn life(life: Life) -> (&'static str, Style) {
    match life {
        Life::New => ("new", Style::Plain),
        Life::Active => ("active", Style::Good),
        Life::Stopped => ("stopped", Style::Plain),
        Life::Ending => ("ending", Style::Notable),
        Life::Unknown => ("?", Style::Plain),
    }
}

fn kind(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Regular => "regular",
        SessionKind::Snapshot => "snapshot",
        SessionKind::Live => "live",
        SessionKind::Unknown => "?",
    }
}

fn rotation(rotation: Rotation) -> Cell {
    match rotation {
        Rotation::None => Cell::new("-"),
        Rotation::Ongoing => Cell::new("ongoing"),
        Rotation::Completed => Cell::new("completed"),
        Rotation::Expired => Cell::new("expired"),
        Rotation::Error => Cell::new("failed").with(Style::Bad),
        Rotation::Unknown => Cell::new("?"),
    }
}

fn sessions(page: &mut Page, report: &Report, user: &dyn Fn(u32) -> String) {
    heading(page, "Sessions", format!(": {}", report.sessions.len()));
    if report.sessions.is_empty() {
        return;
    }
    let mut table =
        Table::new(&["NAME", "USER", "STATE", "KIND", ">CHUNK", "ROTATION", ">WRITTEN", ">LOST", "OUTPUT"]);
    for session in &report.sessions {
        let (state, style) = life(session.life);
        let lost = Cell::number(session.lost);
        table.row(vec![
            Cell::new(&session.name),
            Cell::new(user(session.uid)),
            Cell::new(state).with(style),
            Cell::new(kind(session.kind)),
            Cell::number(session.chunk.map_or("-".to_owned(), |chunk| chunk.to_string())),
            rotation(session.rotation),
            Cell::number(bytes(session.written)),
            if session.lost > 0 { lost.with(Style::Bad) } else { lost },
            Cell::new(if session.output.is_empty() { "(none)" } else { &session.output }),
        ]);
    }
    page.table(table);
    for session in &report.sessions {
        remarks(page, session);
    }
}

/// What is worth a line of its own about a session.
fn remarks(page: &mut Page, session: &Session) {
    let mut remark = |text: String| page.line(vec![Cell::new(format!("  {text}")).with(Style::Notable)]);
    if session.left_over {
        let (name, idle) = (&session.name, duration(session.idle));
        remark(format!("{name} seems to be left over: nothing has happened to it for {idle}"));
    }
    for channel in session.channels.iter().filter(|channel| channel.lost > 0) {
        let Channel { name, lost, overwrite, subbuf_size, num_subbuf, .. } = channel;
        let what = if *overwrite { "packets overwritten" } else { "events discarded" };
        let size = bytes(*subbuf_size);
        let hint = channel.suggested_subbuf_size.map_or(String::new(), |size| {
            format!("; --subbuf-size={} would have held them", short_size(size))
        });
        remark(format!("{}, channel {name}: {lost} {what} with {num_subbuf} x {size}{hint}", session.name));
    }
}

/// A size as `lttng` takes it.
pub fn short_size(size: u64) -> String {
    for (shift, unit) in [(30, 'G'), (20, 'M'), (10, 'k')] {
        if size >> shift > 0 && size.trailing_zeros() >= shift {
            return format!("{}{unit}", size >> shift);
        }
    }
    size.to_string()
}

fn progress(progress: Progress) -> (&'static str, Style) {
    match progress {
        Progress::Converged => ("converged", Style::Good),
        Progress::Behind => ("behind", Style::Notable),
        Progress::Lagging => ("lagging", Style::Bad),
        Progress::Refused => ("refused", Style::Bad),
        Progress::Unknown => ("?", Style::Plain),
    }
}

/// What there is to be said of an application beside its state.
fn why(application: &Application) -> String {
    let mut why = Vec::new();
    if application.progress == Progress::Lagging {
        why.push("its process is suspended".to_owned());
    }
    if application.owes > 0 {
        let first = application.owes_first.as_deref().unwrap_or("?");
        let since = application.waiting_ms.map_or(String::new(), |ms| format!(" for {}", milliseconds(ms)));
        why.push(format!("owes {} answers{since}, the first about {first}", application.owes));
    }
    for session in &application.sessions {
        for what in &session.refused {
            why.push(format!("session {}: {what}", session.name));
        }
    }
    why.join("; ")
}

fn applications(page: &mut Page, report: &Report, user: &dyn Fn(u32) -> String) {
    let all = &report.applications;
    let mut counts = Vec::new();
    for which in [Progress::Converged, Progress::Behind, Progress::Lagging, Progress::Refused] {
        let count = all.iter().filter(|application| application.progress == which).count();
        if count > 0 && count < all.len() {
            counts.push(format!("{count} {}", progress(which).0));
        }
    }
    let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    heading(page, "Applications", format!(": {}{counts}", all.len()));
    if all.is_empty() {
        return;
    }
    let mut sorted: Vec<&Application> = all.iter().collect();
    sorted.sort_by_key(|application| {
        Reverse(match application.progress {
            Progress::Lagging => 4,
            Progress::Refused => 3,
            Progress::Behind => 2,
            Progress::Unknown | Progress::Converged => 0,
        })
    });
    let mut table = Table::new(&[">PID", "USER", "NAME", "UST", ">BITS", "STATE", ""]);
    for application in sorted {
        let (state, style) = progress(application.progress);
        let tracer = application.tracer.clone().unwrap_or_else(|| format!("abi {}", application.abi));
        table.row(vec![
            Cell::number(application.pid),
            Cell::new(user(application.uid)),
            Cell::new(&application.name),
            Cell::new(tracer),
            Cell::number(application.bits),
            Cell::new(state).with(style),
            Cell::new(why(application)),
        ]);
    }
    page.table(table);
}

fn agents(page: &mut Page, report: &Report, user: &dyn Fn(u32) -> String) {
    if report.agents.is_empty() {
        return;
    }
    heading(page, "Agents", format!(": {}", report.agents.len()));
    let mut table = Table::new(&[">PID", "USER", "DOMAIN", "STATE"]);
    for agent in &report.agents {
        let (state, style) = progress(agent.progress);
        table.row(vec![
            Cell::number(agent.pid),
            Cell::new(user(agent.uid)),
            Cell::new(agent.domain.as_deref().unwrap_or("?")),
            Cell::new(state).with(style),
        ]);
    }
    page.table(table);
}

fn consumers(page: &mut Page, report: &Report) {
    heading(page, "Consumer daemons", String::new());
    let mut table = Table::new(&["KIND", "STATE", ">PID", ">DEATHS", ">OWES", "PROGRAM"]);
    for consumer in &report.consumers {
        let style = match consumer.state.as_str() {
            "ready" => Style::Good,
            "lost" => Style::Bad,
            _ => Style::Plain,
        };
        let deaths = Cell::number(consumer.deaths);
        table.row(vec![
            Cell::new(&consumer.kind),
            Cell::new(&consumer.state).with(style),
            Cell::number(consumer.pid.map_or("-".to_owned(), |pid| pid.to_string())),
            if consumer.deaths > 0 { deaths.with(Style::Bad) } else { deaths },
            Cell::number(consumer.owes),
            Cell::new(&consumer.path),
        ]);
    }
    page.table(table);
}

fn relays(page: &mut Page, report: &Report) {
    if report.relays.is_empty() {
        return;
    }
    heading(page, "Relay daemons", format!(": {}", report.relays.len()));
    let mut table = Table::new(&["SESSION", "STATE", "VERSION", "URL"]);
    for relay in &report.relays {
        let style = match relay.state.as_str() {
            "connected" => Style::Good,
            "failed" => Style::Bad,
            _ => Style::Notable,
        };
        table.row(vec![
            Cell::new(&relay.session),
            Cell::new(&relay.state).with(style),
            Cell::new(relay.version.as_deref().unwrap_or("-")),
            Cell::new(&relay.url),
        ]);
    }
    page.table(table);
}

fn triggers(page: &mut Page, report: &Report, user: &dyn Fn(u32) -> String) {
    if report.triggers.is_empty() {
        return;
    }
    heading(page, "Triggers", format!(": {}", report.triggers.len()));
    let mut table =
        Table::new(&["NAME", "USER", ">FIRED", ">DROPPED", ">DISCARDED", ">FAILED", "ACTIONS", "CONDITION"]);
    for trigger in &report.triggers {
        let failures = trigger.actions.iter().fold(0u64, |sum, action| sum.saturating_add(action.failures));
        let bad = |count: u64| {
            let cell = Cell::number(count);
            if count > 0 { cell.with(Style::Bad) } else { cell }
        };
        let actions: Vec<&str> = trigger.actions.iter().map(|action| action.kind.as_str()).collect();
        table.row(vec![
            Cell::new(trigger.name.as_deref().unwrap_or("-")),
            Cell::new(user(trigger.uid)),
            Cell::number(trigger.fired),
            bad(trigger.dropped),
            trigger.discarded.map_or_else(|| Cell::number("-"), bad),
            bad(failures),
            Cell::new(actions.join(", ")),
            Cell::new(&trigger.condition),
        ]);
    }
    page.table(table);
}

fn users(page: &mut Page, report: &Report, user: &dyn Fn(u32) -> String) {
    if report.users.is_empty() {
        return;
    }
    heading(page, "Held for users", String::new());
    const RESOURCES: [&str; 5] = ["applications", "agents", "connections", "descriptors", "memory"];
    let mut table =
        Table::new(&["USER", ">APP CONNECTIONS", ">AGENTS", ">CLIENTS", ">DESCRIPTORS", ">MEMORY"]);
    for account in &report.users {
        let cells = RESOURCES.iter().map(|resource| {
            let held = account.holds.iter().find(|held| held.resource == *resource);
            let Some(held) = held else { return Cell::number("-") };
            let show = |amount: u64| {
                if *resource == "memory" { bytes(amount) } else { amount.to_string() }
            };
            let cell = Cell::number(format!("{} / {}", show(held.amount), show(held.limit)));
            let near = held.amount.saturating_mul(10) >= held.limit.saturating_mul(9);
            if near { cell.with(Style::Bad) } else { cell }
        });
        table.row(std::iter::once(Cell::new(user(account.uid))).chain(cells).collect());
    }
    page.table(table);
}

fn commands(page: &mut Page, report: &Report) {
    let counters = &report.counters;
    let sum = |of: fn(&super::Command) -> u64| {
        counters.commands.iter().fold(0u64, |sum, command| sum.saturating_add(of(command)))
    };
    let counts = |counts: &[super::Count]| {
        let counts: Vec<String> =
            counts.iter().map(|count| format!("{} {}", count.count, count.name)).collect();
        counts.join(", ")
    };
    let (served, failed) = (sum(|command| command.served), sum(|command| command.failed));
    let since = format!(
        ": {} applications, {} agents, {} kinds of events registered; {served} commands, {failed} failed",
        counters.applications, counters.agents, counters.events
    );
    heading(page, "Since the start", since);
    if !counters.errors.is_empty() {
        page.line(vec![Cell::new(format!("  Failures: {}", counts(&counters.errors)))]);
    }
    if !counters.refused.is_empty() {
        page.line(vec![Cell::new(format!("  Refused: {}", counts(&counters.refused))).with(Style::Bad)]);
    }
    if counters.messages_left_out > 0 {
        page.line(vec![Cell::new(format!("  Messages left out: {}", counters.messages_left_out))]);
    }
    let mut sorted: Vec<&super::Command> = counters.commands.iter().collect();
    sorted.sort_by_key(|command| Reverse(command.total_us));
    let mut table = Table::new(&["COMMAND", ">SERVED", ">FAILED", ">MEAN", ">SLOWEST UP TO"]);
    for command in sorted {
        let mean = command.total_us.checked_div(command.served).unwrap_or(0);
        let slowest = command.latency.iter().rposition(|count| *count > 0);
        let slowest = slowest.map_or("-".to_owned(), |place| match counters.latency_bounds_us.get(place) {
            Some(bound) => microseconds(*bound),
            None => "longer".to_owned(),
        });
        table.row(vec![
            Cell::new(&command.name),
            Cell::number(command.served),
            Cell::number(command.failed),
            Cell::number(microseconds(mean)),
            Cell::number(slowest),
        ]);
    }
    if !table.is_empty() {
        page.table(table);
    }
}

/// How long ago that was.
fn ago(report: &Report, at: i64) -> String {
    let seconds = u64::try_from(report.daemon.now.saturating_sub(at)).unwrap_or(0);
    format!("{} ago", duration(seconds))
}

fn refused(page: &mut Page, report: &Report, user: &dyn Fn(u32) -> String) {
    if report.refused.is_empty() {
        return;
    }
    heading(page, "Refused", String::new());
    let mut table = Table::new(&[">WHEN", ">PID", "USER", "WHY"]);
    for refused in report.refused.iter().rev() {
        table.row(vec![
            Cell::number(ago(report, refused.at)),
            Cell::number(refused.pid),
            Cell::new(user(refused.uid)),
            Cell::new(&refused.why),
        ]);
    }
    page.table(table);
}

fn messages(page: &mut Page, report: &Report) {
    if report.messages.is_empty() {
        return;
    }
    heading(page, "Messages", String::new());
    let mut table = Table::new(&[">WHEN", "LEVEL", "TEXT"]);
    for message in report.messages.iter().rev() {
        let style = if message.level == "error" { Style::Bad } else { Style::Notable };
        table.row(vec![
            Cell::number(ago(report, message.at)),
            Cell::new(&message.level).with(style),
            Cell::new(&message.text),
        ]);
    }
    page.table(table);
}

#[cfg(test)]
mod tests;
