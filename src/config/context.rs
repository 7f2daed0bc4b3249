// SPDX-License-Identifier: GPL-2.0-only
//! The names of contexts, all that the original writes: its own schema refuses those that came after 2.11.

use super::configuration::ContextConfiguration;
use crate::model::{Context, KernelContext};

/// The names of the contexts that consist of nothing else, for both directions.
macro_rules! names {
    ($context:ident, $name:ident, $named:ident, not $others:pat => $($variant:ident $text:literal)*) => {
        /// The name of a context that consists of nothing else.
        pub fn $name(context: &$context) -> Option<&'static str> {
            match context {
                $($context::$variant => Some($text),)*
                $others => None,
            }
        }

        fn $named(name: &str) -> Option<$context> {
            match name {
                $($text => Some($context::$variant),)*
                _ => None,
            }
        }
    };
}

names! {
    Context, name_in_user_space, named_in_user_space, not Context::Perf { .. } | Context::App { .. } =>
    Procname "PROCNAME"
    Vpid "VPID"
    Vtid "VTID"
    PthreadId "PTHREAD_ID"
    Ip "IP"
    CgroupNs "CGROUP_NS"
    IpcNs "IPC_NS"
    MntNs "MNT_NS"
    NetNs "NET_NS"
    PidNs "PID_NS"
    TimeNs "TIME_NS"
    UserNs "USER_NS"
    UtsNs "UTS_NS"
    Vuid "VUID"
    Veuid "VEUID"
    Vsuid "VSUID"
    Vgid "VGID"
    Vegid "VEGID"
    Vsgid "VSGID"
}

names! {
    KernelContext, name_in_kernel, named_in_kernel, not KernelContext::Perf { .. } =>
    Pid "PID"
    Procname "PROCNAME"
    Prio "PRIO"
    Nice "NICE"
    Vpid "VPID"
    Tid "TID"
    Vtid "VTID"
    Ppid "PPID"
    Vppid "VPPID"
    Hostname "HOSTNAME"
    Interruptible "INTERRUPTIBLE"
    Preemptible "PREEMPTIBLE"
    NeedReschedule "NEED_RESCHEDULE"
    Migratable "MIGRATABLE"
    CallstackUser "CALLSTACK_USER"
    CallstackKernel "CALLSTACK_KERNEL"
    CgroupNs "CGROUP_NS"
    IpcNs "IPC_NS"
    MntNs "MNT_NS"
    NetNs "NET_NS"
    PidNs "PID_NS"
    TimeNs "TIME_NS"
    UserNs "USER_NS"
    UtsNs "UTS_NS"
    Uid "UID"
    Euid "EUID"
    Suid "SUID"
    Gid "GID"
    Egid "EGID"
    Sgid "SGID"
    Vuid "VUID"
    Veuid "VEUID"
    Vsuid "VSUID"
    Vgid "VGID"
    Vegid "VEGID"
    Vsgid "VSGID"
}

/// The context of a name.
pub fn named(name: &str) -> Option<ContextConfiguration> {
    let (of_user_space, of_kernel) = (named_in_user_space(name), named_in_kernel(name));
    let is_known = of_user_space.is_some() || of_kernel.is_some();
    is_known.then_some(ContextConfiguration { of_user_space, of_kernel })
}
