// SPDX-License-Identifier: GPL-2.0-only
//! The names of contexts, all that the original writes: its own schema refuses those that came after 2.11.

use super::configuration::ContextConfiguration;
use crate::model::{Context as User, KernelContext as Kernel};

/// The context of a name.
pub fn named(name: &str) -> Option<ContextConfiguration> {
    let (of_user_space, of_kernel) = match name {
        "PID" => (None, Some(Kernel::Pid)),
        "PROCNAME" => (Some(User::Procname), Some(Kernel::Procname)),
        "PRIO" => (None, Some(Kernel::Prio)),
        "NICE" => (None, Some(Kernel::Nice)),
        "VPID" => (Some(User::Vpid), Some(Kernel::Vpid)),
        "TID" => (None, Some(Kernel::Tid)),
        "VTID" => (Some(User::Vtid), Some(Kernel::Vtid)),
        "PPID" => (None, Some(Kernel::Ppid)),
        "VPPID" => (None, Some(Kernel::Vppid)),
        "PTHREAD_ID" => (Some(User::PthreadId), None),
        "HOSTNAME" => (None, Some(Kernel::Hostname)),
        "IP" => (Some(User::Ip), None),
        "INTERRUPTIBLE" => (None, Some(Kernel::Interruptible)),
        "PREEMPTIBLE" => (None, Some(Kernel::Preemptible)),
        "NEED_RESCHEDULE" => (None, Some(Kernel::NeedReschedule)),
        "MIGRATABLE" => (None, Some(Kernel::Migratable)),
        "CALLSTACK_USER" => (None, Some(Kernel::CallstackUser)),
        "CALLSTACK_KERNEL" => (None, Some(Kernel::CallstackKernel)),
        "CGROUP_NS" => (Some(User::CgroupNs), Some(Kernel::CgroupNs)),
        "IPC_NS" => (Some(User::IpcNs), Some(Kernel::IpcNs)),
        "MNT_NS" => (Some(User::MntNs), Some(Kernel::MntNs)),
        "NET_NS" => (Some(User::NetNs), Some(Kernel::NetNs)),
        "PID_NS" => (Some(User::PidNs), Some(Kernel::PidNs)),
        "TIME_NS" => (Some(User::TimeNs), Some(Kernel::TimeNs)),
        "USER_NS" => (Some(User::UserNs), Some(Kernel::UserNs)),
        "UTS_NS" => (Some(User::UtsNs), Some(Kernel::UtsNs)),
        "UID" => (None, Some(Kernel::Uid)),
        "EUID" => (None, Some(Kernel::Euid)),
        "SUID" => (None, Some(Kernel::Suid)),
        "GID" => (None, Some(Kernel::Gid)),
        "EGID" => (None, Some(Kernel::Egid)),
        "SGID" => (None, Some(Kernel::Sgid)),
        "VUID" => (Some(User::Vuid), Some(Kernel::Vuid)),
        "VEUID" => (Some(User::Veuid), Some(Kernel::Veuid)),
        "VSUID" => (Some(User::Vsuid), Some(Kernel::Vsuid)),
        "VGID" => (Some(User::Vgid), Some(Kernel::Vgid)),
        "VEGID" => (Some(User::Vegid), Some(Kernel::Vegid)),
        "VSGID" => (Some(User::Vsgid), Some(Kernel::Vsgid)),
        _ => return None,
    };
    Some(ContextConfiguration { of_user_space, of_kernel })
}
