// SPDX-License-Identifier: GPL-2.0-only
//! What was recorded on a little-endian machine, as this machine would have written it.

use crate::table::Table;

/// Turns a number round, if this machine is no little-endian one.
pub fn number(bytes: &mut [u8]) {
    if cfg!(target_endian = "big") {
        bytes.reverse();
    }
}

/// Turns the numbers of a structure round, if this machine is no little-endian one. Of each union, the member `arm` is
/// meant; one without it is left as it is.
pub fn structure(table: &Table, structure: &str, arm: &str, bytes: &mut [u8]) {
    let is_union = table.structure(structure).is_union;
    for member in table.structure(structure).members.iter().filter(|member| !is_union || member.name == arm) {
        let element = table.element(&member.kind);
        for part in bytes[member.offset..].chunks_exact_mut(element).take(member.count.unwrap_or(1)) {
            if Table::width(&member.kind).is_some() {
                number(part);
            } else if table.structures.contains_key(&member.kind) {
                self::structure(table, &member.kind, arm, part);
            }
        }
    }
}
