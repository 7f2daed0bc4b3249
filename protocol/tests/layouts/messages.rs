// SPDX-License-Identifier: GPL-2.0-only
//! What clients and their daemon said on a little-endian machine, as it would have been said on this one.
//!
//! Which structure follows which is written down here once more, by the references alone: the crate's decoders are
//! what is tested with the outcome.

use crate::table::Table;
use crate::turn;

/// A recording, read from front to back. Numbers are taken from the bytes as they were recorded.
struct Recording {
    table: &'static Table,
    old: Vec<u8>,
    new: Vec<u8>,
    at: usize,
}

/// A whole request: head and what follows it.
pub fn request(bytes: &[u8]) -> Vec<u8> {
    turned(bytes, Recording::request)
}

/// A whole reply.
pub fn reply(bytes: &[u8]) -> Vec<u8> {
    turned(bytes, Recording::reply)
}

/// A trigger.
pub fn trigger(bytes: &[u8]) -> Vec<u8> {
    turned(bytes, Recording::trigger)
}

fn turned(bytes: &[u8], read: fn(&mut Recording)) -> Vec<u8> {
    let mut recording = Recording { table: Table::shared(), old: bytes.to_vec(), new: bytes.to_vec(), at: 0 };
    read(&mut recording);
    assert_eq!(recording.at, bytes.len(), "bytes are left");
    recording.new
}

impl Recording {
    /// A number of the structure that comes next.
    fn number(&self, structure: &str, member: &str) -> usize {
        let members = &self.table.structure(structure).members;
        let member = members.iter().find(|other| other.name == member).unwrap_or_else(|| panic!("{member}"));
        let start = self.at + member.offset;
        let bytes = &self.old[start..start + Table::width(&member.kind).unwrap()];
        bytes.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
    }

    /// The structure that comes next.
    fn structure(&mut self, structure: &str, arm: &str) {
        let end = self.at + self.table.structure(structure).size;
        turn::structure(self.table, structure, arm, &mut self.new[self.at..end]);
        self.at = end;
    }

    /// The structure that comes next, and as many bytes of text behind it as these members say.
    fn with_texts(&mut self, structure: &str, lengths: &[&str]) {
        let length: usize = lengths.iter().map(|length| self.number(structure, length)).sum();
        self.structure(structure, "");
        self.at += length;
    }

    fn is_at_end(&self) -> bool {
        self.at == self.old.len()
    }

    fn request(&mut self) {
        let command = self.number("lttcomm_session_msg", "cmd_type");
        let arm = match command {
            0 => "context",
            2 | 12 => "list",
            3 => "disable",
            5 => "channel",
            6 => "enable",
            21 => "uri",
            25 | 26 => "snapshot_output",
            28 => "snapshot_record",
            31 => "save_session",
            32 | 33 => "process_attr_tracker_add_remove_include_value",
            34 => "process_attr_tracker_get_tracking_policy",
            35 => "process_attr_tracker_set_tracking_policy",
            36 => "process_attr_tracker_get_inclusion_set",
            43 | 44 => "trigger",
            46 => "get_rotation_info",
            47 => "rotation_set_schedule",
            49 => "create_session",
            52 => "error_query",
            _ => "",
        };
        // Of a tracker's value: numbers have a sign or none in the same place.
        let start = self.at;
        self.structure("lttcomm_session_msg", arm);
        let union = start + self.table.structure("lttcomm_session_msg").members[3].offset;
        if arm.ends_with("include_value") {
            turn::number(&mut self.new[union + 8..union + 16]);
        }
        match command {
            0 => self.context(),
            3 | 6 => self.event(),
            5 => self.with_texts("lttng_channel_comm", &["name_len"]),
            21 => self.each(|recording| recording.structure("lttng_uri", "")),
            // A home directory comes first, which is text.
            49 => {
                self.at += usize::from(u16::from_le_bytes([self.old[union], self.old[union + 1]]));
                self.descriptor();
            }
            32 | 33 => self.at = self.old.len(),
            43 | 44 => self.trigger(),
            _ => {}
        }
    }

    fn reply(&mut self) {
        let head = "lttcomm_lttng_msg";
        let (command, code) = (self.number(head, "cmd_type"), self.number(head, "ret_code"));
        let has_number = self.number(head, "cmd_header_size") == 4;
        self.structure(head, "");
        if has_number {
            self.structure("lttcomm_list_command_header", "");
        }
        match command {
            _ if code != 10 || self.is_at_end() => {}
            9 => self.location(),
            10 => self.each(|recording| recording.with_texts("lttng_channel_comm", &["name_len"])),
            11 => self.each(|recording| recording.structure("lttng_domain", "")),
            4 | 12 | 14 => self.each(Recording::event),
            13 => {
                let (first, second) = ("lttng_session", "lttng_session_extended");
                let size = self.table.structure(first).size + self.table.structure(second).size;
                let count = (self.old.len() - self.at) / size;
                (0..count).for_each(|_| self.structure(first, ""));
                (0..count).for_each(|_| self.structure(second, ""));
            }
            18 => self.each(|recording| {
                recording.with_texts("lttng_event_field_comm", &["name_len"]);
                recording.event();
            }),
            // One byte.
            24 => self.at += 1,
            25 | 34 => self.structure("lttcomm_lttng_output_id", ""),
            27 => self.each(|recording| recording.structure("lttng_snapshot_output", "")),
            36 => {
                self.structure("process_attr_tracker_values_comm_header", "");
                self.each(|recording| {
                    let value = "process_attr_tracker_value_comm";
                    let is_name = [2, 4].contains(&recording.number(value, "type"));
                    let start = recording.at + recording.table.structure(value).members[1].offset;
                    let length = u32::from_le_bytes(recording.old[start..start + 4].try_into().unwrap());
                    recording.structure(value, if is_name { "name_len" } else { "" });
                    if is_name {
                        recording.at += length as usize;
                    } else {
                        turn::number(&mut recording.new[start..start + 8]);
                    }
                });
            }
            43 => self.trigger(),
            45 => self.structure("lttng_rotate_session_return", ""),
            46 => {
                let info = "lttng_rotation_get_info_return";
                let arm = if self.number(info, "location_type") == 2 { "relay" } else { "local" };
                self.structure(info, arm);
            }
            48 => self.structure("lttng_session_list_schedules_return", ""),
            49 => self.descriptor(),
            other => panic!("reply of {other}"),
        }
    }

    fn each(&mut self, read: fn(&mut Self)) {
        while !self.is_at_end() {
            read(self);
        }
    }

    fn context(&mut self) {
        let kind = self.number("lttng_event_context_comm", "type");
        self.structure("lttng_event_context_comm", "");
        match kind {
            1 | 13 | 14 => self.with_texts("lttng_event_context_perf_counter_comm", &["name_len"]),
            15 => self.with_texts("lttng_event_context_app_comm", &["provider_name_len", "ctx_name_len"]),
            _ => {}
        }
    }

    fn event(&mut self) {
        let number = |member: &str| self.number("lttng_event_comm", member);
        let [exclusions, filter, code] =
            ["exclusion_count", "filter_expression_len", "bytecode_len"].map(number);
        let [place, probe, function] =
            ["userspace_probe_location_len", "lttng_event_probe_attr_len", "lttng_event_function_attr_len"]
                .map(number);
        self.with_texts("lttng_event_comm", &["name_len"]);
        for _ in 0..exclusions {
            self.with_texts("lttng_event_exclusion_comm", &["len"]);
        }
        self.at += filter;
        if code > 0 {
            self.with_texts("lttng_bytecode", &["len"]);
        }
        if place > 0 {
            self.place();
        }
        if probe > 0 {
            self.with_texts("lttng_event_probe_attr_comm", &["symbol_name_len"]);
        }
        if function > 0 {
            self.with_texts("lttng_event_function_attr_comm", &["symbol_name_len"]);
        }
    }

    /// Where a probe sits in a program.
    fn place(&mut self) {
        let kind = self.number("lttng_userspace_probe_location_comm", "type");
        self.structure("lttng_userspace_probe_location_comm", "");
        if kind == 0 {
            let lengths = ["function_name_len", "binary_path_len"];
            self.with_texts("lttng_userspace_probe_location_function_comm", &lengths);
        } else {
            let lengths = ["probe_name_len", "provider_name_len", "binary_path_len"];
            self.with_texts("lttng_userspace_probe_location_tracepoint_comm", &lengths);
        }
        self.structure("lttng_userspace_probe_location_lookup_method_comm", "");
    }

    fn descriptor(&mut self) {
        let head = "lttng_session_descriptor_comm";
        let number = |member: &str| self.number(head, member);
        let (kind, name, uris) = (number("type"), number("name_len"), number("uri_count"));
        self.structure(if kind == 3 { "lttng_session_descriptor_live_comm" } else { head }, "");
        self.at += name;
        (0..uris).for_each(|_| self.structure("lttng_uri", ""));
    }

    /// Where an archived chunk is; all but the head is text.
    fn location(&mut self) {
        let location = "lttng_trace_archive_location_comm";
        let arm = if self.number(location, "type") == 1 { "local" } else { "relay" };
        self.structure(location, arm);
        self.at = self.old.len();
    }

    fn trigger(&mut self) {
        self.with_texts("lttng_trigger_comm", &["name_length"]);
        let kind = self.number("lttng_condition_comm", "condition_type");
        self.structure("lttng_condition_comm", "");
        match kind {
            100 => self.with_texts("lttng_condition_session_consumed_size_comm", &["session_name_len"]),
            101 | 102 => {
                let lengths = ["session_name_len", "channel_name_len"];
                self.with_texts("lttng_condition_buffer_usage_comm", &lengths);
            }
            103 | 104 => self.with_texts("lttng_condition_session_rotation_comm", &["session_name_len"]),
            105 => {
                self.rule();
                let count = self.counted();
                (0..count).for_each(|_| self.expression());
            }
            other => panic!("condition {other}"),
        }
        self.action();
    }

    /// A number of four bytes that stands alone.
    fn counted(&mut self) -> usize {
        let count = self.number("lttcomm_list_command_header", "count");
        self.structure("lttcomm_list_command_header", "");
        count
    }

    /// What is captured of an event: a node's kind and number, and perhaps another node.
    fn expression(&mut self) {
        let kind = self.old[self.at];
        self.at += 1;
        let number = self.counted();
        match kind {
            0 | 1 => self.at += number,
            2 => {
                self.at += number;
                self.at += self.counted();
            }
            3 => self.expression(),
            other => panic!("expression {other}"),
        }
    }

    fn rule(&mut self) {
        let kind = self.number("lttng_event_rule_comm", "event_rule_type");
        self.structure("lttng_event_rule_comm", "");
        let texts = ["pattern_len", "filter_expression_len"];
        match kind {
            0 => self.with_texts("lttng_event_rule_kernel_syscall_comm", &texts),
            1 => {
                self.with_texts("lttng_event_rule_kernel_kprobe_comm", &["name_len"]);
                let kind = self.number("lttng_kernel_probe_location_comm", "type");
                self.structure("lttng_kernel_probe_location_comm", "");
                match kind {
                    0 => self.with_texts("lttng_kernel_probe_location_symbol_comm", &["symbol_len"]),
                    _ => self.structure("lttng_kernel_probe_location_address_comm", ""),
                }
            }
            2 => self.with_texts("lttng_event_rule_kernel_tracepoint_comm", &texts),
            3 => {
                self.with_texts("lttng_event_rule_kernel_uprobe_comm", &["name_len"]);
                self.place();
            }
            4 => {
                let user = "lttng_event_rule_user_tracepoint_comm";
                let level = self.number(user, "log_level_rule_len");
                let exclusions = self.number(user, "exclusions_count");
                self.with_texts(user, &texts);
                self.level(level);
                (0..exclusions).for_each(|_| self.with_texts("lttng_event_exclusion_comm", &["len"]));
            }
            _ => {
                let level = self.number("lttng_event_rule_jul_logging_comm", "log_level_rule_len");
                self.with_texts("lttng_event_rule_jul_logging_comm", &texts);
                self.level(level);
            }
        }
    }

    fn level(&mut self, length: usize) {
        if length > 0 {
            self.structure("lttng_log_level_rule_comm", "");
        }
    }

    fn action(&mut self) {
        let kind = self.number("lttng_action_comm", "action_type");
        self.structure("lttng_action_comm", "");
        match kind {
            0 => self.rate(),
            1..=3 => {
                self.with_texts("lttng_action_start_session_comm", &["session_name_len"]);
                self.rate();
            }
            4 => {
                let snapshot = "lttng_action_snapshot_session_comm";
                let output = self.number(snapshot, "snapshot_output_len");
                self.with_texts(snapshot, &["session_name_len"]);
                if output > 0 {
                    self.structure("lttng_snapshot_output", "");
                }
                self.rate();
            }
            5 => {
                let count = self.number("lttng_action_list_comm", "action_count");
                self.structure("lttng_action_list_comm", "");
                (0..count).for_each(|_| self.action());
            }
            other => panic!("action {other}"),
        }
    }

    fn rate(&mut self) {
        self.structure("lttng_rate_policy_comm", "");
        self.structure("lttng_rate_policy_once_after_n_comm", "");
    }
}
