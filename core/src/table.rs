//! One table for each enumeration that other languages see: a row has a value's number, name and sentence.

/// Defines an enumeration by one row for each value, so that no list of it can miss one.
///
/// A row's sentence documents the value; what documentation stands above the row is added to it. C takes numbers,
/// names and sentences from here when it is compiled, `tokenward.h` and `docs/ERRORS.md` when they are written.
macro_rules! named {
    (
        $(#[$about:meta])*
        pub enum $Enumeration:ident: $Number:ty {
            $(
                $(#[$more:meta])*
                $Value:ident $(($($carried:tt)+))? $({$($detail:tt)+})?
                    = $number:literal, $name:literal, $sentence:literal;
            )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Enumeration {
            $(
                #[doc = $sentence]
                ///
                $(#[$more])*
                $Value $(($($carried)+))? $({$($detail)+})?,
            )+
        }

        impl $Enumeration {
            /// The numbers, ascending.
            #[doc(hidden)]
            pub const NUMBERS: &'static [$Number] = &[$($number),+];
            /// The names in the order of the numbers, a NUL behind each: as C reads them.
            #[doc(hidden)]
            pub const NAMES: &'static str = concat!($($name, "\0"),+);
            /// The sentences in the order of the numbers, a NUL behind each: as C reads them.
            #[doc(hidden)]
            pub const SENTENCES: &'static str = concat!($($sentence, "\0"),+);

            /// The stable number, never given to another value.
            #[must_use]
            pub const fn code(self) -> $Number {
                match self {
                    $(Self::$Value { .. } => $number,)+
                }
            }

            /// The snake_case name, the same in every language.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Value { .. } => $name,)+
                }
            }

            /// One sentence for people: what is wrong and, if something can be done, what to do.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$Value { .. } => $sentence,)+
                }
            }
        }
    };
}
pub(crate) use named;

/// The same where a value says at most a number beside its name: then there is a list of the values too.
macro_rules! table {
    (
        $(#[$about:meta])*
        pub enum $Enumeration:ident: $Number:ty {
            $(
                $(#[$more:meta])*
                $Value:ident $({ $(#[$detail:meta])* $field:ident })? = $number:literal, $name:literal, $sentence:literal;
            )+
        }
    ) => {
        named! {
            $(#[$about])*
            pub enum $Enumeration: $Number {
                $(
                    $(#[$more])*
                    $Value $({ $(#[$detail])* $field: usize })? = $number, $name, $sentence;
                )+
            }
        }

        impl $Enumeration {
            /// Every value, in the order of the numbers; what a value says beside its name is 0 here.
            pub const ALL: &'static [Self] = &[$(Self::$Value $({ $field: 0 })?),+];
        }
    };
}
pub(crate) use table;
