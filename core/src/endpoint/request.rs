//! A request to send.

#[cfg(feature = "heapless")]
use crate::error::Error;
#[cfg(feature = "heapless")]
use crate::secret::wipe;

/// A request to send: it borrows the buffer that it was written to.
#[derive(Clone, Copy)]
pub struct Request<'b> {
    pub(crate) url: &'b [u8],
    pub(crate) authorization: &'b [u8],
    /// Lines of the service's own fields.
    pub(crate) fields: &'b [u8],
    pub(crate) content_type: &'static str,
    pub(crate) body: &'b [u8],
}

impl<'b> Request<'b> {
    /// None.
    #[doc(hidden)]
    pub const NONE: Self = Self { url: b"", authorization: b"", fields: b"", content_type: "", body: b"" };
    /// The value of the `Accept` field.
    pub const ACCEPT: &'static str = "application/json";
    /// The value of the `Accept-Encoding` field: a body that is compressed cannot be read.
    pub const ACCEPT_ENCODING: &'static str = "identity";

    /// The method: always `POST`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        "POST"
    }

    /// The URL of the token endpoint; never a secret in it.
    #[must_use]
    pub fn url(&self) -> &'b str {
        text(self.url)
    }

    /// The `Authorization` field, if the client authenticates by it.
    #[must_use]
    pub fn authorization(&self) -> Option<&'b str> {
        (!self.authorization.is_empty()).then(|| text(self.authorization))
    }

    /// The `Content-Type` field, if there is a body.
    #[must_use]
    pub fn content_type(&self) -> Option<&'static str> {
        (!self.content_type.is_empty()).then_some(self.content_type)
    }

    /// All header fields.
    pub fn headers(&self) -> impl Iterator<Item = (&'b str, &'b str)> {
        let authorization = self.authorization().map(|value| ("Authorization", value));
        let content_type = self.content_type().map(|value| ("Content-Type", value));
        let accepted = [("Accept", Self::ACCEPT), ("Accept-Encoding", Self::ACCEPT_ENCODING)];
        authorization.into_iter().chain(content_type).chain(accepted).chain(lines(self.fields))
    }

    /// URL, value of the `Authorization` field, lines of the service's own fields (`name: value`, each ended by CR and
    /// LF), and body, as bytes; empty if there is none.
    #[must_use]
    pub const fn parts(&self) -> [&'b [u8]; 4] {
        [self.url, self.authorization, self.fields, self.body]
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &'b [u8] {
        self.body
    }
}

#[cfg(feature = "heapless")]
impl Request<'_> {
    /// The same in memory of its own, for a caller that hands it to another task or keeps it for a second try.
    ///
    /// ```
    /// use tokenward::{Credentials, Grant, Identity, OwnedRequest, TokenRequest, providers};
    ///
    /// fn request() -> OwnedRequest<256> {
    ///     let provider = &providers::FLIP_UTILITY_SANDBOX;
    ///     let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    ///     let mut out = [0; 256];
    ///     TokenRequest::new(provider, Identity::CLIENT, Grant::ClientCredentials, &credentials)
    ///         .write(&mut out)
    ///         .and_then(|request| request.to_heapless())
    ///         .unwrap()
    /// }
    ///
    /// let request = request();
    /// assert_eq!(request.as_request().url(), "https://oauth.flip.energy/token");
    /// ```
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: `N` is too small.
    pub fn to_heapless<const N: usize>(&self) -> Result<OwnedRequest<N>, Error> {
        let parts = self.parts();
        let needed = parts.iter().fold(0_usize, |len, part| len.saturating_add(part.len()));
        let mut owned = OwnedRequest {
            bytes: heapless::Vec::new(),
            url_len: self.url.len(),
            authorization_len: self.authorization.len(),
            fields_len: self.fields.len(),
            content_type: self.content_type,
        };
        for part in parts {
            owned.bytes.extend_from_slice(part).map_err(|_| Error::BufferTooSmall { needed })?;
        }
        Ok(owned)
    }
}

/// A [`Request`] in memory of its own, wiped when it is dropped.
#[cfg(feature = "heapless")]
pub struct OwnedRequest<const N: usize> {
    bytes: heapless::Vec<u8, N>,
    url_len: usize,
    authorization_len: usize,
    fields_len: usize,
    content_type: &'static str,
}

#[cfg(feature = "heapless")]
impl<const N: usize> OwnedRequest<N> {
    /// The request, borrowed.
    #[must_use]
    pub fn as_request(&self) -> Request<'_> {
        let (url, rest) = self.bytes.split_at_checked(self.url_len).unwrap_or_default();
        let (authorization, rest) = rest.split_at_checked(self.authorization_len).unwrap_or_default();
        let (fields, body) = rest.split_at_checked(self.fields_len).unwrap_or_default();
        Request { url, authorization, fields, content_type: self.content_type, body }
    }
}

#[cfg(feature = "heapless")]
impl<const N: usize> Drop for OwnedRequest<N> {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

#[cfg(feature = "heapless")]
impl<const N: usize> core::fmt::Debug for OwnedRequest<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OwnedRequest(..)")
    }
}

impl core::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Request(..)")
    }
}

/// Bytes that were text before they were written.
pub(crate) fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// Lines of `name: value`, each ended by CR and LF.
fn lines(written: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    // Bytes: the searches of `str` keep paths to a panic.
    written.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        Some((text(name), text(value.strip_prefix(b": ")?.strip_suffix(b"\r")?)))
    })
}
