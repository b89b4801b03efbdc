//! Enumerations that are the same on both sides of the bridge.

/// Gives one of ours for each value of the core's enumeration and the reverse: a value that either has alone does not
/// compile.
macro_rules! same {
    ($($Name:ident = $Core:ident { $($Value:ident),+ })+) => {$(
        impl $Name {
            pub(crate) const fn of(value: tokenward::$Core) -> Self {
                match value {
                    $(tokenward::$Core::$Value => Self::$Value,)+
                }
            }

            pub(crate) const fn core(self) -> tokenward::$Core {
                match self {
                    $(Self::$Value => tokenward::$Core::$Value,)+
                }
            }
        }
    )+};
}
