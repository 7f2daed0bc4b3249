// SPDX-License-Identifier: GPL-2.0-only
//! Which of the tracer's modules are loaded, by the names that `modprobe` takes.
//!
//! Nothing here is loaded.

use super::job::Job;

/// Without these there is no tracer that can be used.
const REQUIRED: [&str; 6] = [
    "lttng-ring-buffer-client-discard",
    "lttng-ring-buffer-client-overwrite",
    "lttng-ring-buffer-metadata-client",
    "lttng-ring-buffer-client-mmap-discard",
    "lttng-ring-buffer-client-mmap-overwrite",
    "lttng-ring-buffer-metadata-mmap-client",
];

/// Event notifiers need these. Modules before 2.13 don't have them.
const NOTIFIERS: [&str; 3] = [
    "lttng-ring-buffer-event_notifier-client",
    "lttng-counter-client-percpu-64-modular",
    "lttng-counter-client-percpu-32-modular",
];

/// The tracer itself. All above depend on it, so that it comes and goes with them, unless it was in use when they went.
const TRACER: &str = "lttng-tracer";

/// What it depends on, in the order in which they are loaded. They are named only to be unloaded, too.
const DEPENDENCIES: [&str; 7] = [
    "lttng_wrapper",
    "lttng_statedump",
    "lttng_uprobes",
    "lttng_kprobes",
    "lttng_kretprobes",
    "lttng_clock",
    "lttng_lib_ring_buffer",
];

/// The names of modules with tracepoints begin with this.
const PROBE: &str = "lttng-probe-";

/// Those that are loaded if nothing else is asked for, without the beginning. Not every kernel has all of them.
const PROBES: [&str; 42] = [
    "asoc",
    "block",
    "btrfs",
    "compaction",
    "ext3",
    "ext4",
    "gpio",
    "i2c",
    "irq",
    "jbd",
    "jbd2",
    "kmem",
    "kvm",
    "kvm-x86",
    "kvm-x86-mmu",
    "lock",
    "module",
    "napi",
    "net",
    "power",
    "preemptirq",
    "printk",
    "random",
    "rcu",
    "regmap",
    "regulator",
    "rpm",
    "sched",
    "scsi",
    "signal",
    "skb",
    "sock",
    "statedump",
    "sunrpc",
    "timer",
    "udp",
    "vmscan",
    "v4l2",
    "workqueue",
    "writeback",
    "x86-irq-vectors",
    "x86-exceptions",
];

/// The modules to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modules {
    /// Those with tracepoints, in the order in which they are loaded.
    probes: Vec<String>,
}

impl Modules {
    /// With the lists of probes that were asked for, each without its beginning and behind commas: `instead` of the usual
    /// ones, where an empty list is none; and in addition to them.
    pub fn new(instead: Option<&str>, in_addition: Option<&str>) -> Modules {
        let name = |suffix: &str| format!("{PROBE}{suffix}");
        let mut probes: Vec<String> = match instead {
            Some(list) => elements(list).map(name).collect(),
            None => PROBES.into_iter().map(name).collect(),
        };
        probes.extend(in_addition.into_iter().flat_map(elements).map(name));
        Modules { probes }
    }

    /// What loads all that the tracer itself needs.
    pub fn load_control() -> Job {
        let optional = DEPENDENCIES.into_iter().chain(NOTIFIERS);
        Job::Load { required: owned(REQUIRED), optional: owned(optional) }
    }

    /// What loads the tracepoints. To be done once it is known that the tracer can be used.
    pub fn load_probes(&self) -> Job {
        Job::Load { required: Vec::new(), optional: self.probes.clone() }
    }

    /// What unloads the probes and then the rest, those first that were loaded last. Once nothing of the tracer is open.
    pub fn unload(&self) -> Job {
        let control = DEPENDENCIES.into_iter().chain([TRACER]).chain(REQUIRED).chain(NOTIFIERS).rev();
        let probes = self.probes.iter().rev().cloned();
        Job::Unload(probes.chain(owned(control)).collect())
    }

    /// What unloads all but the probes: the tracer turned out to be of no use.
    pub fn unload_control() -> Job {
        Modules { probes: Vec::new() }.unload()
    }
}

fn owned<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// The elements of a list: between commas, not empty, without the spaces before them.
fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|element| !element.is_empty()).map(|element| element.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(instead: Option<&str>, in_addition: Option<&str>) -> Vec<String> {
        let Job::Load { required, optional } = Modules::new(instead, in_addition).load_probes() else {
            panic!("nothing is loaded");
        };
        assert!(required.is_empty());
        optional
    }

    #[test]
    fn lists_take_the_place_of_the_usual_probes_or_add_to_them() {
        let usual = probes(None, None);
        assert_eq!((usual.len(), usual[0].as_str()), (42, "lttng-probe-asoc"));
        assert_eq!(
            probes(Some("sched,,x86-exceptions,"), None),
            ["lttng-probe-sched", "lttng-probe-x86-exceptions"]
        );
        assert_eq!(probes(None, Some("a,b"))[42..], ["lttng-probe-a", "lttng-probe-b"]);
        assert_eq!(probes(Some("c"), Some("a,c")), ["lttng-probe-c", "lttng-probe-a", "lttng-probe-c"]);
        // Spaces belong to a name unless they are before it.
        assert_eq!(probes(Some("  a ,b c"), None), ["lttng-probe-a ", "lttng-probe-b c"]);
        assert_eq!(probes(Some(""), None), [""; 0]);
        assert_eq!(probes(Some(""), Some("a")), ["lttng-probe-a"]);
        assert_eq!(probes(Some(","), Some(",,")), [""; 0]);
    }

    #[test]
    fn what_was_loaded_last_is_unloaded_first() {
        let Job::Load { required, optional } = Modules::load_control() else { panic!("nothing is loaded") };
        assert_eq!((required.len(), optional.len()), (6, 10));
        let Job::Unload(modules) = Modules::new(Some("a,b"), None).unload() else {
            panic!("nothing is unloaded");
        };
        assert_eq!(modules[..2], ["lttng-probe-b", "lttng-probe-a"]);
        let place = |name: &str| modules.iter().position(|module| module == name).unwrap();
        assert!(place(NOTIFIERS[0]) < place(REQUIRED[5]));
        assert!(place(REQUIRED[5]) < place(REQUIRED[0]));
        assert!(place(REQUIRED[0]) < place(TRACER) && place(TRACER) < place(DEPENDENCIES[6]));
        assert_eq!(modules.len(), 2 + 17);
        let Job::Unload(control) = Modules::unload_control() else { panic!("nothing is unloaded") };
        assert_eq!(control, modules[2..]);
    }
}
