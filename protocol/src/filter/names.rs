// SPDX-License-Identifier: GPL-2.0-only
//! The names that a bytecode's relocation table gives to instructions: fields, and contexts with their `$ctx.` or
//! `$app.`.

/// The names in the relocation table of `data`, which starts at `reloc_offset`, in the order of the instructions. What
/// is left of a table that is cut off is passed over.
pub fn names(data: &[u8], reloc_offset: u32) -> impl Iterator<Item = &[u8]> {
    let start = usize::try_from(reloc_offset).unwrap_or(usize::MAX);
    let mut table = data.get(start..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (_, rest) = table.split_at_checked(2)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        let (name, rest) = rest.split_at_checked(end)?;
        table = rest.get(1..).unwrap_or_default();
        Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::super::compile;
    use super::*;

    #[test]
    fn names_are_those_of_fields_and_contexts_in_order() {
        let bytecode = compile("$app.p:c == 1 && (a.b > 2 || $ctx.vpid == 3)").unwrap();
        let found: Vec<&[u8]> = names(&bytecode.data, bytecode.reloc_offset).collect();
        assert_eq!(found, [&b"$app.p:c"[..], b"a.b", b"$ctx.vpid"]);
    }

    #[test]
    fn a_table_that_is_cut_off_ends_there() {
        let bytecode = compile("a == 1 && b == 2").unwrap();
        let cut = bytecode.data.split_last().unwrap().1;
        assert_eq!(names(cut, bytecode.reloc_offset).collect::<Vec<_>>(), [b"a"]);
        assert_eq!(names(cut, u32::MAX).count(), 0);
        assert_eq!(names(&[], 0).count(), 0);
    }
}
