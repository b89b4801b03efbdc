//! What values that bring their code have in common.
//!
//! A part is a `static` value with a number, a name and functions. A provider points to those that it needs, so that a
//! program links a part's functions only if one of its providers names it. Addresses of constants cannot be compared:
//! parts are the same if their numbers are.

/// Compares a part by its number and shows it by its name.
macro_rules! part {
    ($part:ty) => {
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
