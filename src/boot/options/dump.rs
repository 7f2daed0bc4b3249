// SPDX-License-Identifier: GPL-2.0-only
//! The configuration as the daemon shows it when it is verbose: the items of the original, in its order and words, so that
//! the two can be compared, and then our own. (lttng-tools 2.13: `src/bin/lttng-sessiond/sessiond-config.c`)

use std::path::Path;
use std::time::Duration;

use super::{Consumer, Options, VERSION};

impl Options {
    /// A line for each item.
    pub fn dump(&self) -> Vec<String> {
        let (first, last) = (self.agent_tcp_ports.start(), self.agent_tcp_ports.end());
        let ports = if first == last { first.to_string() } else { format!("[{first}, {last}]") };
        let seconds = |time: Option<Duration>| time.map_or(0, |time| time.as_secs()).to_string();
        let shm = if self.uid == 0 { String::new() } else { format!("-{}", self.uid) };
        let probes = |list: &Option<String>| list.clone().unwrap_or_else(|| "None".to_owned());
        let mut lines = vec!["[sessiond configuration]".to_owned(), item("version", VERSION)];
        lines.extend([
            item("verbose:", &self.verbose.to_string()),
            item("verbose consumer:", &u8::from(self.verbose_consumer).to_string()),
            item("quiet mode:", flag(self.quiet)),
            item("agent_tcp_port:", &ports),
            item("application socket timeout:", &seconds(self.app_socket_timeout)),
            item("no-kernel:", flag(self.no_kernel)),
            item("background:", flag(self.background)),
            item("daemonize:", flag(self.daemonize)),
            item("signal parent on start:", flag(self.sig_parent)),
            item("tracing group name:", &self.group),
            item("kmod_probe_list:", &probes(&self.kmod_probes)),
            item("kmod_extra_probe_list:", &probes(&self.extra_kmod_probes)),
            path("rundir:", Some(&self.rundir), ""),
            path("application socket path:", Some(&self.apps_sock), ""),
            path("client socket path:", Some(&self.client_sock), ""),
            item("wait shm path:", &format!("/lttng-ust-wait-8{shm}")),
            path("health socket path:", Some(&self.health_sock), ""),
            path("LTTNG_UST_CLOCK_PLUGIN:", self.clock_plugin.as_deref(), "None"),
            path("pid file path:", Some(&self.pidfile), ""),
            path("lock file path:", Some(&self.lockfile), ""),
            path("session load path:", self.load.as_deref(), "None"),
            path("agent port file path:", Some(&self.agent_port_file), ""),
        ]);
        for (name, consumer) in [("consumerd32", &self.ustconsumerd32), ("consumerd64", &self.ustconsumerd64)]
        {
            lines.extend([
                path(&format!("{name} path:"), Some(&consumer.directory), ""),
                path(&format!("{name} bin path:"), consumer.path.as_deref(), "Unknown"),
                path(&format!("{name} lib dir:"), consumer.libdir.as_deref(), "Unknown"),
            ]);
            lines.extend(sockets(name, consumer));
        }
        lines.push(path("kconsumerd path:", Some(&self.kconsumerd.directory), ""));
        lines.extend(sockets("kconsumerd", &self.kconsumerd));
        let milliseconds = self.network_timeout.map_or(0, |time| time.as_millis());
        lines.extend([
            item("error counters, kernel:", &self.event_notifier_slots_kernel.to_string()),
            item("error counters, applications:", &self.event_notifier_slots_user.to_string()),
            item("network timeout (ms):", &milliseconds.to_string()),
            item("memory of one user (bytes):", &self.user_memory.to_string()),
            item("memory of all users (bytes):", &self.all_memory.to_string()),
        ]);
        lines
    }
}

fn sockets(name: &str, consumer: &Consumer) -> [String; 2] {
    [("err", &consumer.err_sock), ("cmd", &consumer.cmd_sock)]
        .map(|(which, socket)| path(&format!("{name} {which} unix sock path:"), Some(socket), ""))
}

fn item(name: &str, value: &str) -> String {
    format!("\t{name:<31}{value}")
}

fn path(name: &str, value: Option<&Path>, without: &str) -> String {
    value.map_or_else(|| item(name, without), |value| item(name, &value.to_string_lossy()))
}

fn flag(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}
