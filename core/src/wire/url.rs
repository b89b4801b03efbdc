//! Absolute URLs that mean one thing only (RFC 3986).

use crate::ascii::{Class, decimal, eq_ignore_case, hexadecimal, split_class};

/// An absolute URL with an authority (RFC 3986 section 3), as far as an origin and a route need it.
pub(crate) struct Url<'a> {
    /// Scheme and authority, as spelled.
    pub(crate) origin: &'a [u8],
    /// As spelled.
    scheme: &'a [u8],
    /// As spelled; an IPv6 address with its brackets.
    host: &'a [u8],
    /// `None` if the URL names no port.
    port: Option<u16>,
    /// As spelled, without query and fragment; may be empty.
    path: &'a [u8],
}

impl<'a> Url<'a> {
    /// Reads an absolute URL, in one pass: each part ends where its characters do.
    ///
    /// `None` for what two readers could understand differently: no scheme, no host, user info, a control byte, white
    /// space, a backslash, a byte that is not ASCII, a host of anything but letters, digits, `.`, `-`, `_` (or an IPv6
    /// address in brackets), no port up to 65535, or one of ``"<>^`{|}`` in the path.
    #[inline(never)]
    pub(crate) fn parse(url: &'a [u8]) -> Option<Self> {
        let (scheme, rest) = split_class(url, Class::SCHEME);
        let [b':', b'/', b'/', authority @ ..] = rest else { return None };
        let (host, rest) = match authority {
            [b'[', ..] => split_ipv6(authority)?,
            _ => split_class(authority, Class::HOST),
        };
        host.first()?;
        let (port, rest) = match rest {
            [b':', rest @ ..] => port_number(rest)?,
            _ => (None, rest),
        };
        let origin = url.get(..url.len().checked_sub(rest.len())?)?;
        let (path, rest) = split_class(rest, Class::PATH);
        let good = scheme.first()?.is_ascii_alphabetic()
            && matches!(path, [] | [b'/', ..])
            && matches!(rest, [] | [b'?' | b'#', ..])
            && split_class(rest, Class::URL).1.is_empty();
        good.then_some(Self { origin, scheme, host, port, path })
    }

    /// As spelled, without query and fragment; `/` if there is none.
    pub(crate) const fn path(&self) -> &'a [u8] {
        if self.path.is_empty() { b"/" } else { self.path }
    }

    pub(crate) fn is_https(&self) -> bool {
        eq_ignore_case(self.scheme, b"https")
    }

    /// `http` to this very machine: `localhost`, 127.0.0.0/8 as four decimal numbers, or `[::1]`.
    #[inline(never)]
    pub(crate) fn is_loopback_http(&self) -> bool {
        let named = self.host == b"[::1]" || eq_ignore_case(self.host, b"localhost");
        eq_ignore_case(self.scheme, b"http") && (named || is_loopback_quad(self.host).is_some())
    }

    /// Whether scheme, host and port are those of the URL `other` (RFC 6454 section 5); a default port equals none.
    pub(crate) fn is_of_origin(&self, other: &[u8]) -> bool {
        self.origin == other || self.has_origin_of(other)
    }

    #[inline(never)]
    fn has_origin_of(&self, other: &[u8]) -> bool {
        Url::parse(other).is_some_and(|other| {
            eq_ignore_case(self.scheme, other.scheme)
                && eq_ignore_case(self.host, other.host)
                && self.effective_port() == other.effective_port()
        })
    }

    /// Hands out the bytes of the origin, the same for each of its spellings.
    #[cfg(feature = "snapshot")]
    pub(crate) fn normal_origin(&self, mut byte: impl FnMut(u8)) {
        let port = self.effective_port().unwrap_or_default().to_be_bytes();
        for part in [self.scheme, b":", self.host, b":"] {
            part.iter().for_each(|letter| byte(letter.to_ascii_lowercase()));
        }
        port.iter().for_each(|half| byte(*half));
    }

    fn effective_port(&self) -> Option<u16> {
        let default = || match self {
            _ if self.is_https() => Some(443),
            _ if eq_ignore_case(self.scheme, b"http") => Some(80),
            _ => None,
        };
        self.port.or_else(default)
    }
}

/// Whether a server could take the path of a URL for another one: a dot segment, with parameters or without, a percent
/// sign that starts no escape, or an escape that hides a control character or what is acted on by who decodes first.
#[inline(never)]
pub(crate) fn is_ambiguous(path: &[u8]) -> bool {
    let mut rest = path;
    while let [first, behind @ ..] = rest {
        match first {
            b'%' => match next_decoded(&mut rest) {
                None | Some(0..=0x1F | b'#' | b'%' | b'.' | b'/' | b';' | b'?' | b'\\' | 0x7F) => {
                    return true;
                }
                Some(_) => {}
            },
            b'/' if is_dot_segment(behind) => return true,
            _ => rest = behind,
        }
    }
    false
}

/// Whether a path goes on with a segment that is `.` or `..`, as some servers read it: without its parameters.
fn is_dot_segment(path: &[u8]) -> bool {
    let [b'.', rest @ ..] = path else { return false };
    matches!(rest, [] | [b'.'] | [b'/' | b';', ..] | [b'.', b'/' | b';', ..])
}

/// An IPv6 address in brackets, and what follows it.
fn split_ipv6(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let [b'[', inner @ ..] = text else { return None };
    let (address, _) = split_class(inner, Class::IPV6);
    address.iter().filter(|byte| **byte == b':').nth(1)?;
    let (host, rest) = text.split_at_checked(address.len().checked_add(2)?)?;
    matches!(host, [.., b']']).then_some((host, rest))
}

/// Digits, and what follows them; `None` where they are none up to 65535.
#[inline(never)]
fn port_number(text: &[u8]) -> Option<(Option<u16>, &[u8])> {
    let (mut port, mut rest) = (None, text);
    while let [first, behind @ ..] = rest
        && let Some(digit) = decimal(*first)
    {
        let number = u32::from(port.unwrap_or(0)).wrapping_mul(10).wrapping_add(u32::from(digit));
        port = Some(u16::try_from(number).ok()?);
        rest = behind;
    }
    Some((port, rest))
}

/// `127.` and three numbers up to 255 without leading zeros, which some readers take for octal.
fn is_loopback_quad(host: &[u8]) -> Option<()> {
    let mut rest = host.strip_prefix(b"127")?;
    for _ in 0..3 {
        let octet = rest.strip_prefix(b".")?;
        let (number, behind) = port_number(octet)?;
        if number? > 255 || matches!(octet, [b'0', b'0'..=b'9', ..]) {
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
