//! What values that bring their code have in common.
//!
//! A part is a `static` value with a number, a name and functions. A provider points to those that it needs, so that a
//! program links a part's functions only if one of its providers names it. Addresses of constants cannot be compared:
//! parts are the same if their numbers are.

/// Lists the parts of a kind, compares them by their number and shows them by their name.
macro_rules! part {
    ($part:ty: $($(#[$only:meta])* $each:ident),+) => {
        impl $part {
            /// Every one of them.
            pub const ALL: &'static [&'static Self] = &[$($(#[$only])* Self::$each),+];

            /// Its name in descriptions.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                self.name
            }
        }

        impl PartialEq for $part {
            fn eq(&self, other: &Self) -> bool {
                self.number == other.number
            }
        }

        impl Eq for $part {}

        impl core::fmt::Debug for $part {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name)
            }
        }
    };
}
