//! Absolute URLs that mean one thing only (RFC 3986).

use crate::ascii::{decimal, eq_ignore_case, hexadecimal, is_alphanumeric_or};
use crate::error::Error;

/// An absolute URL with an authority (RFC 3986 section 3), as far as an origin and a route need it.
pub(crate) struct Url<'a> {
    /// As spelled.
    scheme: &'a [u8],
    /// As spelled; an IPv6 address with its brackets.
    host: &'a [u8],
    /// `None` where the URL names no port.
    port: Option<u16>,
    /// As spelled, without query and fragment; `/` where there is none.
    pub(crate) path: &'a [u8],
}

impl<'a> Url<'a> {
    /// Reads an absolute URL, and refuses what two readers could understand differently.
    ///
    /// # Errors
    ///
    /// - [`Error::BadUrl`]: no scheme, no host, user info, a control byte, white space, a backslash, a byte
    ///   that is not ASCII, a host of anything but letters, digits, `.`, `-`, `_` (or an IPv6 address in
    ///   brackets), no port up to 65535, or one of ``"<>^`{|}`` in the path.
    #[inline(always)]
    pub(crate) fn parse(url: &'a [u8]) -> Result<Self, Error> {
        Self::read(url).ok_or(Error::BadUrl)
    }

    #[inline(never)]
    fn read(url: &'a [u8]) -> Option<Self> {
        if !url.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\') {
            return None;
        }
        let (scheme, rest) = url.split_at_checked(find(url, b":"))?;
        let rest = rest.strip_prefix(b"://")?;
        let (authority, rest) = rest.split_at_checked(find(rest, b"/?#"))?;
        let path = rest.get(..find(rest, b"?#"))?;
        let end_of_host = match authority {
            [b'[', ..] => find(authority, b"]").checked_add(1)?,
            _ => find(authority, b":"),
        };
        let (host, port) = authority.split_at_checked(end_of_host)?;
        let port = match port {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(port_number(digits)?),
            _ => return None,
        };
        let path_is_plain = find(path, b"\"<>^`{|}") == path.len();
        let path = if path.is_empty() { b"/" } else { path };
        (is_scheme(scheme) && is_host(host) && path_is_plain).then_some(Self { scheme, host, port, path })
    }

    fn is_https(&self) -> bool {
        eq_ignore_case(self.scheme, b"https")
    }

    /// Whether secrets may be sent there: `https`, or loopback where that is allowed.
    pub(crate) fn is_secure(&self, allow_loopback_http: bool) -> bool {
        self.is_https() || (allow_loopback_http && self.is_loopback_http())
    }

    /// `http` to this very machine: `localhost`, 127.0.0.0/8 as four decimal numbers, or `[::1]`.
    #[inline(never)]
    fn is_loopback_http(&self) -> bool {
        let named = self.host == b"[::1]" || eq_ignore_case(self.host, b"localhost");
        eq_ignore_case(self.scheme, b"http") && (named || is_loopback_quad(self.host).is_some())
    }

    /// Whether scheme, host and port are the same (RFC 6454 section 5); a default port equals none.
    pub(crate) fn same_origin(&self, other: &Url<'_>) -> bool {
        eq_ignore_case(self.scheme, other.scheme)
            && eq_ignore_case(self.host, other.host)
            && (self.port == other.port || self.effective_port() == other.effective_port())
    }

    fn effective_port(&self) -> Option<u16> {
        let default = || match self {
            _ if self.is_https() => Some(443),
            _ if eq_ignore_case(self.scheme, b"http") => Some(80),
            _ => None,
        };
        self.port.or_else(default)
    }

    /// Whether a server could take the path for another one: a dot segment, `%2e`, `%2f`, `%5c`, or a
    /// percent sign that starts no escape.
    pub(crate) fn path_is_ambiguous(&self) -> bool {
        let mut rest = self.path;
        while let [first, ..] = rest {
            let escape = *first == b'%';
            match next_decoded(&mut rest) {
                None => return true,
                Some(b'.' | b'/' | b'\\') if escape => return true,
                Some(_) => {}
            }
        }
        segments(self.path).any(|segment| matches!(segment, b"." | b".."))
    }
}

/// Bytes before the first of `stops`, or all.
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn find(text: &[u8], stops: &[u8]) -> usize {
    text.iter().position(|byte| stops.iter().any(|stop| stop == byte)).unwrap_or(text.len())
}

pub(crate) fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

/// `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )` (RFC 3986 section 3.1)
fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic) && all(scheme, b"+-.")
}

fn is_host(host: &[u8]) -> bool {
    match host {
        [] => false,
        [b'[', address @ .., b']'] => {
            let colon = |byte: &&u8| **byte == b':';
            address.iter().all(|byte| hexadecimal(*byte).is_some() || matches!(byte, b':' | b'.'))
                && address.iter().filter(colon).nth(1).is_some()
        }
        name => all(name, b".-_"),
    }
}

/// Whether there are letters, digits and `others` alone.
fn all(text: &[u8], others: &[u8]) -> bool {
    text.iter().all(|byte| is_alphanumeric_or(*byte, others))
}

#[inline(never)]
fn port_number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |port, byte| port.checked_mul(10)?.checked_add(u16::from(decimal(*byte)?)))
}

/// `127.` and three numbers up to 255 without leading zeros, which some readers take for octal.
fn is_loopback_quad(host: &[u8]) -> Option<()> {
    let mut rest = host.strip_prefix(b"127")?;
    for _ in 0..3 {
        let numbers = rest.strip_prefix(b".")?;
        let (number, behind) = numbers.split_at_checked(find(numbers, b"."))?;
        let octet = number.len() <= 3 && port_number(number)? <= 255;
        if !octet || number.is_empty() || (number.starts_with(b"0") && number.len() > 1) {
            return None;
        }
        rest = behind;
    }
    rest.is_empty().then_some(())
}

/// Takes one byte, or the byte that an escape stands for. `None` at the end and at a malformed escape.
#[inline(never)]
pub(crate) fn next_decoded(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = match rest {
        [b'%', high, low, after @ ..] => (hexadecimal(*high)? << 4 | hexadecimal(*low)?, after),
        [b'%', ..] | [] => return None,
        [byte, after @ ..] => (*byte, after),
    };
    *rest = after;
    Some(byte)
}

#[cfg(test)]
mod tests;
