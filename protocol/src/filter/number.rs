// SPDX-License-Identifier: GPL-2.0-only
//! Number literals: how far one reaches, and its value.
//!
//! Values are those of the stock library, which reads a limited number of digits of some integers and
//! takes the largest value for what is too large. Suffixes mean nothing.

use super::error::CompileErrorKind;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// The 64 bits of the value, of which the sign is for the tracer to see.
    Integer(u64),
    Float(f64),
}

/// Digits of a decimal integer that count.
const DECIMAL_DIGITS: usize = 20;

/// Digits of an octal integer that count, after the leading 0.
const OCTAL_DIGITS: usize = 22;

/// Digits of a hexadecimal integer that count, after the prefix.
const HEXADECIMAL_DIGITS: usize = 17;

/// The longest number at the start of `text`, and its length in bytes. `None` when there is none.
pub(super) fn scan(text: &[u8]) -> Option<(Result<Number, CompileErrorKind>, usize)> {
    if let Some((float, length)) = float(text) {
        return Some((Ok(Number::Float(float)), length));
    }
    let (value, digits_end) = integer(text)?;
    let suffix = suffix_len(text.get(digits_end..).unwrap_or_default());
    let value = if suffix > 0 && text.starts_with(b"0") && digits_end == 1 {
        Err(CompileErrorKind::SuffixOfZero)
    } else {
        value
    };
    Some((value.map(Number::Integer), digits_end + suffix))
}

/// The value of the longest integer, without suffix, and its length.
fn integer(text: &[u8]) -> Option<(Result<u64, CompileErrorKind>, usize)> {
    if let [b'0', x @ (b'x' | b'X'), rest @ ..] = text {
        let digits = leading(rest, u8::is_ascii_hexdigit);
        let counted = digits.get(..HEXADECIMAL_DIGITS).unwrap_or(digits);
        let is_sound = *x == b'x';
        if !digits.is_empty() {
            let value = is_sound.then(|| value(counted, 16)).ok_or(CompileErrorKind::HexadecimalPrefix);
            return Some((value, 2 + digits.len()));
        }
    }
    if let [b'0', rest @ ..] = text {
        let digits = leading(rest, |byte| matches!(byte, b'0'..=b'7'));
        let counted = digits.get(..OCTAL_DIGITS).unwrap_or(digits);
        return Some((Ok(value(counted, 8)), 1 + digits.len()));
    }
    let digits = leading(text, u8::is_ascii_digit);
    let counted = digits.get(..DECIMAL_DIGITS).unwrap_or(digits);
    (!digits.is_empty()).then(|| (Ok(value(counted, 10)), digits.len()))
}

/// The value of digits, or the largest one when that is too large.
fn value(digits: &[u8], radix: u32) -> u64 {
    digits
        .iter()
        .filter_map(|&digit| char::from(digit).to_digit(radix))
        .fold(0_u64, |value, digit| value.saturating_mul(radix.into()).saturating_add(digit.into()))
}

/// Length of `u`, `l`, `ll`, or one of the latter two with `u` before or after. The two letters of `ll` are
/// in the same case.
fn suffix_len(text: &[u8]) -> usize {
    let unsigned = |at: usize| usize::from(matches!(text.get(at), Some(b'u' | b'U')));
    let long = |at: usize| match text.get(at..).unwrap_or_default() {
        [b'l', b'l', ..] | [b'L', b'L', ..] => 2,
        [b'l' | b'L', ..] => 1,
        _ => 0,
    };
    match (unsigned(0), long(0)) {
        (0, length) if length > 0 => length + unsigned(length),
        (0, _) => 0,
        (length, _) => length + long(length),
    }
}

/// The value of the floating-point number at the start of `text`, and its length with its suffix. A number
/// is one if it has a point or an exponent.
fn float(text: &[u8]) -> Option<(f64, usize)> {
    let (value, length) = match text {
        [b'0', b'x' | b'X', rest @ ..] => {
            let length = float_len(rest, u8::is_ascii_hexdigit, b'p')?;
            (hexadecimal_float(rest.get(..length)?), 2 + length)
        }
        _ => {
            let length = float_len(text, u8::is_ascii_digit, b'e')?;
            let digits = std::str::from_utf8(text.get(..length)?).ok()?;
            (digits.parse().ok()?, length)
        }
    };
    let suffix = matches!(text.get(length), Some(b'f' | b'F' | b'l' | b'L'));
    Some((value, length + usize::from(suffix)))
}

/// Length of mantissa and exponent; `marker` starts the latter, in either case.
fn float_len(text: &[u8], is_digit: fn(&u8) -> bool, marker: u8) -> Option<usize> {
    let whole = leading(text, is_digit).len();
    let rest = text.get(whole..)?;
    let (fraction, point) = match rest {
        [b'.', rest @ ..] => (leading(rest, is_digit).len(), 1),
        _ => (0, 0),
    };
    if whole + fraction == 0 {
        return None;
    }
    let mantissa = whole + point + fraction;
    let exponent = exponent_len(text.get(mantissa..)?, marker);
    (point + exponent > 0).then_some(mantissa + exponent)
}

fn exponent_len(text: &[u8], marker: u8) -> usize {
    let [first, rest @ ..] = text else { return 0 };
    if first.to_ascii_lowercase() != marker {
        return 0;
    }
    let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
    match leading(rest.get(sign..).unwrap_or_default(), u8::is_ascii_digit).len() {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

fn leading(text: &[u8], is_wanted: impl Fn(&u8) -> bool) -> &[u8] {
    let length = text.iter().position(|byte| !is_wanted(byte)).unwrap_or(text.len());
    text.get(..length).unwrap_or_default()
}

/// No exponent beyond this changes a number of as many digits as a filter can have.
const EXPONENT_LIMIT: i64 = 1_000_000;

/// The nearest number to `text`, digits with an optional point and an optional exponent of 2.
fn hexadecimal_float(text: &[u8]) -> f64 {
    let end = text.iter().position(|byte| matches!(byte, b'p' | b'P')).unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at_checked(end).unwrap_or((text, &[]));
    let negative = exponent.get(1) == Some(&b'-');
    let exponent = i64::try_from(value(exponent, 10)).unwrap_or(i64::MAX).min(EXPONENT_LIMIT);
    let mut exponent = if negative { -exponent } else { exponent };
    let (mut bits, mut inexact, mut in_fraction) = (0_u64, false, false);
    for &byte in mantissa {
        let Some(digit) = char::from(byte).to_digit(16) else {
            in_fraction = true;
            continue;
        };
        let fits = bits >> 60 == 0;
        if fits {
            bits = bits << 4 | u64::from(digit);
        } else {
            inexact |= digit != 0;
        }
        exponent += match (fits, in_fraction) {
            (true, true) => -4,
            (false, false) => 4,
            _ => 0,
        };
    }
    scale(bits, exponent, inexact)
}

/// The nearest number to `bits` times 2 to the power of `exponent`; an even one in the middle between two,
/// if `inexact` does not say that it is a little more.
fn scale(bits: u64, exponent: i64, inexact: bool) -> f64 {
    const FRACTION_BITS: i64 = 52;
    const LOWEST: i64 = -1022;
    const HIGHEST: i64 = 1023;
    if bits == 0 {
        return 0.0;
    }
    let zeros = bits.leading_zeros();
    let bits = u128::from(bits << zeros);
    // The value is 1.something times 2 to the power of this.
    let power = exponent + 63 - i64::from(zeros);
    if power > HIGHEST {
        return f64::INFINITY;
    }
    // Below the lowest power, the leading bit moves into the fraction.
    let dropped = 63 - FRACTION_BITS + (LOWEST - power).max(0);
    let Some(unit) = u32::try_from(dropped).ok().and_then(|dropped| 1_u128.checked_shl(dropped)) else {
        return 0.0;
    };
    let (kept, rest, half) = (bits / unit, bits % unit, unit / 2);
    let up = rest > half || rest == half && (inexact || kept % 2 == 1);
    // A leading bit adds 1 to the exponent field, as does a carry out of the fraction.
    let field = u128::from((power.max(LOWEST) - LOWEST).unsigned_abs()) << FRACTION_BITS;
    f64::from_bits(u64::try_from(field + kept + u128::from(up)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<(Number, usize)> {
        scan(text.as_bytes()).map(|(number, length)| (number.unwrap(), length))
    }

    #[test]
    fn integers_have_the_values_of_the_stock_library() {
        for (text, value) in [
            ("0", 0),
            ("00", 0),
            ("42", 42),
            ("017", 15),
            ("0x1F", 31),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            // The first 20 digits.
            ("123456789012345678901234567890", 12_345_678_901_234_567_890),
            ("01777777777777777777777", u64::MAX),
            ("02000000000000000000000", u64::MAX),
            // The first 22 digits after the 0.
            ("00000000000000000000000000000012", 0),
            ("0x123456781234567812345", u64::MAX),
            // The first 17 digits after the prefix.
            ("0x0712b09d124748fc76a", 0x712b_09d1_2474_8fc7),
            ("0x00000000000000001", 1),
            ("0x000000000000000001", 0),
        ] {
            assert_eq!(number(text), Some((Number::Integer(value), text.len())), "{text}");
        }
    }

    #[test]
    fn a_number_is_as_long_as_can_be() {
        for (text, length) in [
            ("1u", 2),
            ("1ULL", 4),
            ("1llu", 4),
            ("1lLu", 2),
            ("1ULLL", 4),
            ("1LUL", 3),
            ("08", 1),
            ("09.5", 4),
            ("0x", 1),
            ("0x1p", 3),
            ("0x1.", 4),
            ("0x1.8f", 6),
            ("0x1.8lf", 6),
            ("1e", 1),
            ("1e+", 1),
            ("1e+5f", 5),
            ("1.5.5", 3),
            ("1..", 2),
            (".5", 2),
            ("1_000", 1),
        ] {
            assert_eq!(number(text).map(|(_, length)| length), Some(length), "{text}");
        }
        assert_eq!(number("."), None);
        assert_eq!(number(".e3"), None);
        assert_eq!(number("a"), None);
        assert_eq!(number(""), None);
    }

    #[test]
    fn hexadecimal_floats_are_the_nearest_ones() {
        for (text, value) in [
            ("0x1.8p1", 3.0),
            ("0X.8p0", 0.5),
            ("0x1p4", 16.0),
            ("0x1p-1074", f64::from_bits(1)),
            ("0x1p-1075", 0.0),
            ("0x1.0000000000001p-1075", f64::from_bits(1)),
            ("0x1.8p-1074", f64::from_bits(2)),
            ("0x1p-1076", 0.0),
            ("0x.fffffffffffff8p-1022", f64::MIN_POSITIVE),
            ("0x1p1024", f64::INFINITY),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1.fffffffffffff8p1023", f64::INFINITY),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000081p0", 1.0 + f64::EPSILON),
            ("0x1.000000000000080000000000000000000000001p0", 1.0 + f64::EPSILON),
            ("0x1.00000000000018p0", 1.0 + 2.0 * f64::EPSILON),
            ("0x100000000000000000000000000.p-104", 1.0),
            ("0x0p99999999999999999999", 0.0),
            ("0x1p99999999999999999999", f64::INFINITY),
            ("0x1p-99999999999999999999", 0.0),
        ] {
            assert_eq!(number(text), Some((Number::Float(value), text.len())), "{text}");
        }
    }
}
