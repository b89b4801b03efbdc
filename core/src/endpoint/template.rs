//! Values with places that the caller of a request fills: `{name}`.

use crate::error::Error;

/// What the places may stand for.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    /// By name, from the caller.
    pub(crate) given: &'a [(&'a str, &'a str)],
    /// `{access_token}`: the one that is held; empty if there is none.
    pub(crate) access_token: &'a [u8],
}

/// A value piece by piece: text as it stands, and what stands for each place.
#[derive(Clone, Copy)]
pub(crate) struct Template<'a> {
    rest: &'a [u8],
    values: Values<'a>,
}

impl<'a> Template<'a> {
    pub(crate) const fn new(text: &'a str, values: Values<'a>) -> Self {
        Self { rest: text.as_bytes(), values }
    }

    /// Whether something stands for each place, of bytes that may be sent there.
    pub(crate) fn check(self, allows: fn(u8) -> bool) -> Result<(), Error> {
        for piece in self {
            if !piece?.iter().all(|byte| allows(*byte)) {
                return Err(Error::WrongCredentials);
            }
        }
        Ok(())
    }

    /// Whether there is something to send: there is nothing where the value is empty, or where it names an access token
    /// and none is held.
    pub(crate) fn is_sent(self) -> bool {
        !self.rest.is_empty() && self.pieces().all(|piece| !piece.is_empty())
    }

    /// Its bytes.
    pub(crate) fn pieces(self) -> impl Iterator<Item = &'a [u8]> {
        self.filter_map(Result::ok)
    }
}

impl<'a> Iterator for Template<'a> {
    /// Empty only where the access token is named and none is held.
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest;
        let Some(named) = text.strip_prefix(b"{") else {
            let len = text.iter().position(|byte| *byte == b'{').unwrap_or(text.len());
            let (text, rest) = text.split_at_checked(len)?;
            self.rest = rest;
            return (!text.is_empty()).then_some(Ok(text));
        };
        let len = named.iter().position(|byte| *byte == b'}').unwrap_or(named.len());
        let (name, rest) = named.split_at_checked(len)?;
        self.rest = rest.get(1..).unwrap_or_default();
        if rest.is_empty() {
            return Some(Err(Error::InvalidProvider));
        }
        if name == b"access_token" {
            return Some(Ok(self.values.access_token));
        }
        let given = self.values.given.iter().find(|(given, _)| given.as_bytes() == name);
        Some(match given {
            Some((_, value)) if !value.is_empty() => Ok(value.as_bytes()),
            _ => Err(Error::WrongCredentials),
        })
    }
}

/// Whether the places of a value are whole: `{`, a name of letters, digits and `_`, and `}`.
pub(crate) const fn is_template(mut text: &[u8]) -> bool {
    let mut named = 0_usize;
    let mut is_open = false;
    while let [first, rest @ ..] = text {
        match (*first, is_open) {
            (b'{', false) => (is_open, named) = (true, 0),
            (b'}', true) if named > 0 => is_open = false,
            (b'{' | b'}', _) => return false,
            (byte, true) if !(byte.is_ascii_alphanumeric() || byte == b'_') => return false,
            _ => named = named.saturating_add(1),
        }
        text = rest;
    }
    !is_open
}
