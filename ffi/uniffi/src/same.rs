//! Enumerations that are the same on both sides of the bridge.

/// Gives one of ours for each value of the core's enumeration and the reverse: a value that either has alone does not
/// compile.
macro_rules! same {
    ($($Name:ident = $($Core:ident)::+ { $($Value:ident),+ })+) => {$(
        const _: () = {
            use tokenward::$($Core)::+ as Core;

            impl $Name {
                pub(crate) const fn of(value: Core) -> Self {
                    match value {
                        $(Core::$Value => Self::$Value,)+
                    }
                }

                pub(crate) const fn core(self) -> Core {
                    match self {
                        $(Self::$Value => Core::$Value,)+
                    }
                }
            }
        };
    )+};
}
