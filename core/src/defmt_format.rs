//! What `defmt` logs of a value: its `Debug`, which shows no secret.

use defmt::Format;

macro_rules! format_as_debug {
    ($($Type:ty),+ $(,)?) => {
        $(impl Format for $Type {
            fn format(&self, f: defmt::Formatter<'_>) {
                defmt::Debug2Format(self).format(f);
            }
        })+
    };
}

format_as_debug!(
    crate::Answer<'_, '_>,
    crate::Bearer<'_>,
    crate::Credentials<'_>,
    crate::Error,
    crate::ErrorCode,
    crate::ErrorResponse<'_>,
    crate::Exposure,
    crate::Generation,
    crate::Grant,
    crate::Identity<'_>,
    crate::Instant,
    crate::JsonStr<'_>,
    crate::MissingLifetime<'_>,
    crate::Nested<'_>,
    crate::Next,
    crate::Options,
    crate::Outcome<'_>,
    crate::OwnMembers<'_>,
    crate::ParsedAnswer<'_>,
    crate::Poll,
    crate::Provider<'_>,
    crate::Reason,
    crate::RefreshPolicy,
    crate::Request<'_>,
    crate::RequestId,
    crate::Retry,
    crate::Revision,
    crate::Route<'_>,
    crate::Routes<'_>,
    crate::Scope<'_>,
    crate::SnapshotScope,
    crate::TokenAlphabet,
    crate::TokenAnswer<'_>,
    crate::TokenRequest<'_>,
    crate::TokenResponse<'_>,
    crate::UnixTime,
    crate::ZeroLifetime,
    crate::grants::DeviceNext,
    crate::grants::DeviceOutcome<'_>,
    crate::grants::DevicePoll,
    crate::parts::AnswerFormat,
    crate::parts::BodyFormat,
    crate::parts::ClientAuthentication,
    crate::storage::Source,
    crate::storage::Storage,
    crate::wire::Challenge<'_>,
    crate::wire::Challenges<'_>,
    crate::wire::Claims<'_>,
    crate::wire::ParamValue<'_>,
);

impl<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> Format for crate::TokenManager<'_, S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Debug2Format(self).format(f);
    }
}

impl<S> Format for crate::Slots<S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Debug2Format(self).format(f);
    }
}

#[cfg(feature = "snapshot")]
format_as_debug!(crate::grants::AuthorizationError<'_>, crate::grants::Callback<'_>, crate::storage::Found,);

#[cfg(feature = "heapless")]
impl<const N: usize> Format for crate::OwnedRequest<N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Debug2Format(self).format(f);
    }
}
