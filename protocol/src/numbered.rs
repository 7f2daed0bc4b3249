// SPDX-License-Identifier: GPL-2.0-only
//! Enumerations of the C interfaces: a Rust `enum` whose values have numbers on the wire.
//!
//! Each number is written once, so that reading and writing can't come to differ. Values that carry data are not for
//! this macro.

/// Makes an `enum` with `from_number` and `number`, and a list of all values if it is asked for.
///
/// ```ignore
/// numbered! {
///     /// A colour. `enum colour`.
///     #[derive(Debug, Clone, Copy, PartialEq, Eq)]
///     pub enum Colour: u32 {
///         /// Like blood.
///         Red = 1,
///         /// Like grass.
///         Green = 2,
///     }
///     /// The colour with this number; 0 has none.
///     from_number;
///     /// Every colour, in the order of the numbers.
///     ALL;
/// }
/// ```
///
/// The type behind the name is that of the number, and the representation of the `enum`. Which numbers there are is
/// decided here; what a wrong one means is the decoder's business.
macro_rules! numbered {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $repr:ident {
            $($(#[$value_meta:meta])* $value:ident = $number:literal,)*
        }
        $(#[$from_meta:meta])*
        from_number;
        $(#[$all_meta:meta])*
        ALL;
    ) => {
        numbered! {
            $(#[$meta])*
            pub enum $name: $repr {
                $($(#[$value_meta])* $value = $number,)*
            }
            $(#[$from_meta])*
            from_number;
        }

        impl $name {
            $(#[$all_meta])*
            pub const ALL: &'static [$name] = &[$($name::$value,)*];
        }
    };
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $repr:ident {
            $($(#[$value_meta:meta])* $value:ident = $number:literal,)*
        }
        $(#[$from_meta:meta])*
        from_number;
    ) => {
        $(#[$meta])*
        #[repr($repr)]
        pub enum $name {
            $($(#[$value_meta])* $value = $number,)*
        }

        impl $name {
            $(#[$from_meta])*
            pub fn from_number(number: $repr) -> Option<$name> {
                match number {
                    $($number => Some($name::$value),)*
                    _ => None,
                }
            }

            /// The number on the wire.
            pub fn number(self) -> $repr {
                self as $repr
            }
        }
    };
}

pub(crate) use numbered;

#[cfg(test)]
mod tests {
    numbered! {
        /// Nothing in particular.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Signed: i8 {
            /// Below zero.
            Below = -1,
            /// Far above.
            Above = 100,
        }
        /// The value with this number.
        from_number;
        /// Both.
        ALL;
    }

    #[test]
    fn numbers_lead_to_values_and_back() {
        assert_eq!(Signed::ALL, [Signed::Below, Signed::Above]);
        for number in i8::MIN..=i8::MAX {
            let value = Signed::from_number(number);
            assert_eq!(value.is_some(), [-1, 100].contains(&number));
            assert!(value.is_none_or(|value| value.number() == number));
        }
    }
}
