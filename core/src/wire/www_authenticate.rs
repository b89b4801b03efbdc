//! The challenges of a WWW-Authenticate field (RFC 9110 section 11.6.1).

use core::fmt;

use crate::ascii::{eq_ignore_case, is_alphanumeric_or};
use crate::error::Error;

/// The challenges of one `WWW-Authenticate` field, read where they stand (RFC 9110 section 11.6.1).
///
/// The whole field is checked first, so that iterating cannot fail. An empty field is an empty list.
///
/// ```
/// use tokenward::wire::Challenges;
///
/// let field = br#"Bearer realm="example", error="invalid_token", Basic realm="\"other\"""#;
/// let mut challenges = Challenges::parse(field)?;
///
/// let bearer = challenges.next().filter(|challenge| challenge.scheme() == b"Bearer");
/// let error = bearer.and_then(|challenge| challenge.param("error"));
/// assert!(error.is_some_and(|error| error.eq_str("invalid_token")));
///
/// let realm = challenges.next().and_then(|challenge| challenge.param("realm"));
/// assert!(realm.is_some_and(|realm| realm.eq_str("\"other\"")));
/// assert!(challenges.next().is_none());
/// # Ok::<(), tokenward::Error>(())
/// ```
#[derive(Clone)]
pub struct Challenges<'a>(Cursor<'a>);

impl<'a> Challenges<'a> {
    /// Checks a whole field. For several field lines call it several times, or once with the lines joined by commas.
    ///
    /// A challenge may have 32 parameters: more than any scheme defines, and few enough to compare each
    /// name with each other.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidChallenge`]: not the grammar of RFC 9110 section 11.6.1, a parameter twice in one
    ///   challenge (section 11.2; names compare without case), or more than 32 in one.
    pub fn parse(field: &'a [u8]) -> Result<Self, Error> {
        let challenges = Self(Cursor(field));
        let mut unread = challenges.clone();
        let repeated = unread.any(|challenge| Params(challenge.params).are_too_many_or_repeat_a_name());
        // Iterating stops where no challenge starts: at the end, or at what is none.
        if repeated || !unread.0.0.is_empty() { Err(Error::InvalidChallenge) } else { Ok(challenges) }
    }
}

impl<'a> Iterator for Challenges<'a> {
    type Item = Challenge<'a>;

    fn next(&mut self) -> Option<Challenge<'a>> {
        self.0.skip(COMMA_OR_SPACE);
        let mut ahead = self.0;
        let challenge = ahead.challenge()?;
        self.0 = ahead;
        Some(challenge)
    }
}

impl fmt::Debug for Challenges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenges(..)")
    }
}

/// One challenge: a scheme, and either a token68 or parameters (RFC 9110 section 11.3).
///
/// ```
/// use tokenward::wire::Challenges;
///
/// let mut challenges = Challenges::parse(b"Negotiate a87421000492aa874209af8bc028==")?;
/// let token68 = challenges.next().and_then(|challenge| challenge.token68());
/// assert_eq!(token68, Some(&b"a87421000492aa874209af8bc028=="[..]));
/// # Ok::<(), tokenward::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Challenge<'a> {
    scheme: &'a [u8],
    token68: Option<&'a [u8]>,
    params: Cursor<'a>,
}

impl<'a> Challenge<'a> {
    /// The scheme as spelled; schemes compare without case (RFC 9110 section 11.1).
    #[must_use]
    pub const fn scheme(&self) -> &'a [u8] {
        self.scheme
    }

    /// The token68, if the challenge has one; then it has no parameters.
    #[must_use]
    pub const fn token68(&self) -> Option<&'a [u8]> {
        self.token68
    }

    /// The names as spelled and the values of the parameters, in order (RFC 9110 section 11.2).
    pub fn params(&self) -> impl Iterator<Item = (&'a [u8], ParamValue<'a>)> + use<'a> {
        Params(self.params)
    }

    /// The value of the parameter `name`, whose case does not matter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<ParamValue<'a>> {
        self.params().find(|(other, _)| eq_ignore_case(other, name.as_bytes())).map(|(_, value)| value)
    }
}

impl fmt::Debug for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(..)")
    }
}

/// The value of a parameter, a token or a quoted-string: the same value either way (RFC 9110 section 11.2).
///
/// ```
/// use tokenward::wire::Challenges;
///
/// let mut challenges = Challenges::parse(br#"Bearer realm="a \"b\"", scope=openid"#)?;
/// let bearer = challenges.next();
/// let realm = bearer.and_then(|bearer| bearer.param("Realm"));
/// assert!(realm.is_some_and(|realm| realm.bytes().eq(*b"a \"b\"")));
/// let scope = bearer.and_then(|bearer| bearer.param("scope"));
/// assert!(scope.is_some_and(|scope| scope.eq_str("openid")));
/// # Ok::<(), tokenward::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct ParamValue<'a> {
    /// Without the quotes. A token holds no backslash, so that both forms are read alike.
    escaped: &'a [u8],
}

impl<'a> ParamValue<'a> {
    /// The bytes of the value, without quotes and with each quoted-pair replaced (RFC 9110 section 5.6.4).
    pub fn bytes(&self) -> impl Iterator<Item = u8> + use<'a> {
        let mut escaped = self.escaped.iter().copied();
        core::iter::from_fn(move || {
            escaped.next().and_then(|byte| if byte == b'\\' { escaped.next() } else { Some(byte) })
        })
    }

    /// Whether the value is `text`, byte for byte.
    #[must_use]
    pub fn eq_str(&self, text: &str) -> bool {
        self.bytes().eq(text.bytes())
    }
}

impl fmt::Debug for ParamValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParamValue(..)")
    }
}

/// Whether a Bearer challenge says `error="insufficient_scope"` (RFC 6750 section 3.1). Each line, with a line feed
/// between them, is a list of challenges; one that is none says nothing.
pub(crate) fn is_insufficient_scope(lines: &[u8]) -> bool {
    lines.split(|byte| *byte == b'\n').filter_map(|line| Challenges::parse(line).ok()).flatten().any(
        |challenge| {
            eq_ignore_case(challenge.scheme, b"bearer")
                && challenge.param("error").is_some_and(|error| error.eq_str("insufficient_scope"))
        },
    )
}

/// Parameters of one challenge.
const MAX_PARAMS: usize = 32;

/// The parameters of one challenge; what follows them is left alone.
struct Params<'a>(Cursor<'a>);

impl Params<'_> {
    fn are_too_many_or_repeat_a_name(mut self) -> bool {
        let mut left = MAX_PARAMS;
        while let Some((name, _)) = self.next() {
            let mut later = Self(self.0);
            if left == 0 || later.any(|(other, _)| eq_ignore_case(other, name)) {
                return true;
            }
            left = left.wrapping_sub(1);
        }
        false
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = (&'a [u8], ParamValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut ahead = self.0;
        ahead.skip(COMMA_OR_SPACE);
        let param = ahead.param()?;
        self.0 = ahead;
        Some(param)
    }
}

const SPACE: &[u8] = b" \t";

/// Elements of a list may be empty (RFC 9110 section 5.6.1.2).
const COMMA_OR_SPACE: &[u8] = b" \t,";

/// What is still to be read. A method that answers `None` may have advanced.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Reads a challenge and its parameters, up to the end of the last one.
    fn challenge(&mut self) -> Option<Challenge<'a>> {
        let scheme = self.token()?;
        let spaced = matches!(self.0, [b' ', ..]);
        self.skip(b" ");
        let mut challenge = Challenge { scheme, token68: None, params: Cursor(b"") };
        match (spaced, self.ends_element()) {
            (false, true) => return Some(challenge),
            (false, false) => return None,
            // The list of parameters starts with an empty element, or is empty.
            (true, true) => {}
            (true, false) => {
                challenge.token68 = self.token68();
                if challenge.token68.is_some() {
                    return Some(challenge);
                }
                // The first parameter follows the spaces at once: no tab stands here.
                let mut ahead = *self;
                ahead.param()?;
            }
        }
        challenge.params = *self;
        let mut params = Params(*self);
        while params.next().is_some() {}
        *self = params.0;
        Some(challenge)
    }

    /// `token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, advancing only over one.
    fn token68(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let characters = ahead.take_alphanumeric_or(b"-._~+/");
        ahead.skip(b"=");
        if characters.is_empty() || !ahead.ends_element() {
            return None;
        }
        let length = self.0.len().checked_sub(ahead.0.len())?;
        let token68 = self.0.get(..length)?;
        *self = ahead;
        Some(token68)
    }

    /// `auth-param = token BWS "=" BWS ( token / quoted-string )`, and nothing else up to the next comma.
    fn param(&mut self) -> Option<(&'a [u8], ParamValue<'a>)> {
        let name = self.token()?;
        self.skip(SPACE);
        self.0 = self.0.strip_prefix(b"=")?;
        self.skip(SPACE);
        let escaped = if let [b'"', ..] = self.0 { self.quoted_string() } else { self.token() }?;
        self.ends_element().then_some((name, ParamValue { escaped }))
    }

    /// What stands between the quotes (RFC 9110 section 5.6.4).
    fn quoted_string(&mut self) -> Option<&'a [u8]> {
        let is_text = |byte: u8| byte == b'\t' || !byte.is_ascii_control();
        let content = self.0.strip_prefix(b"\"")?;
        let mut rest = content;
        loop {
            rest = match rest {
                [b'"', after @ ..] => {
                    self.0 = after;
                    return content.get(..content.len().checked_sub(rest.len())?);
                }
                [b'\\', escaped, after @ ..] if is_text(*escaped) => after,
                [byte, after @ ..] if is_text(*byte) && *byte != b'\\' => after,
                _ => return None,
            };
        }
    }

    /// `token = 1*tchar` (RFC 9110 section 5.6.2)
    fn token(&mut self) -> Option<&'a [u8]> {
        let token = self.take_alphanumeric_or(b"!#$%&'*+-.^_`|~");
        (!token.is_empty()).then_some(token)
    }

    #[inline(never)]
    fn take_alphanumeric_or(&mut self, others: &[u8]) -> &'a [u8] {
        let wanted = |byte: &u8| is_alphanumeric_or(*byte, others);
        let length = self.0.iter().position(|byte| !wanted(byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or((self.0, b""));
        self.0 = rest;
        taken
    }

    #[inline(never)]
    fn skip(&mut self, bytes: &[u8]) {
        while let [first, rest @ ..] = self.0
            && bytes.iter().any(|byte| byte == first)
        {
            self.0 = rest;
        }
    }

    fn ends_element(mut self) -> bool {
        self.skip(SPACE);
        matches!(self.0, [] | [b',', ..])
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use super::{Challenges, is_insufficient_scope};
    use crate::Error;

    fn text(bytes: impl IntoIterator<Item = u8>) -> String {
        bytes.into_iter().map(char::from).collect()
    }

    /// The challenges in a form that shows all that was read: `scheme token68 name=[value]…; …`.
    fn read(field: &[u8]) -> Result<String, Error> {
        let challenges: Vec<String> = Challenges::parse(field)?
            .map(|challenge| {
                let mut shown = text(challenge.scheme().iter().copied());
                if let Some(token68) = challenge.token68() {
                    shown = format!("{shown} {}", text(token68.iter().copied()));
                }
                for (name, value) in challenge.params() {
                    shown = format!("{shown} {}=[{}]", text(name.iter().copied()), text(value.bytes()));
                }
                shown
            })
            .collect();
        Ok(challenges.join("; "))
    }

    fn assert_read(field: &str, expected: &str) {
        assert_eq!(read(field.as_bytes()).as_deref(), Ok(expected), "{field}");
    }

    fn assert_refused(field: &str) {
        assert_eq!(read(field.as_bytes()), Err(Error::InvalidChallenge), "{field}");
    }

    #[test]
    fn the_examples_of_the_rfcs_are_read() {
        assert_read(
            r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#,
            r#"Basic realm=[simple]; Newauth realm=[apps] type=[1] title=[Login to "apps"]"#,
        );
        assert_read(
            r#"Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple""#,
            r#"Newauth realm=[apps] type=[1] title=[Login to "apps"]; Basic realm=[simple]"#,
        );
        assert_read(
            r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#,
            "Bearer realm=[example] error=[invalid_token] error_description=[The access token expired]",
        );
        assert_read("Negotiate a87421000492aa874209af8bc028==", "Negotiate a87421000492aa874209af8bc028==");
    }

    #[test]
    fn an_empty_field_and_empty_elements_are_an_empty_list() {
        for field in ["", " ", "\t", ",", " , ,\t,"] {
            assert_read(field, "");
        }
    }

    #[test]
    fn empty_elements_stand_anywhere_in_both_lists() {
        assert_read(" ,, Basic ,, a=b ,\t, c=d,,Bearer , ", "Basic a=[b] c=[d]; Bearer");
        assert_read("Basic , a=b", "Basic a=[b]");
        assert_read("Basic \t, a=b", "Basic a=[b]");
    }

    #[test]
    fn a_scheme_may_stand_alone() {
        assert_read("Negotiate", "Negotiate");
        assert_read("Negotiate \t", "Negotiate");
        assert_read("Negotiate, NTLM,Basic a=b,Bearer", "Negotiate; NTLM; Basic a=[b]; Bearer");
        assert_read("a , b , c", "a; b; c");
    }

    #[test]
    fn a_token68_stands_alone_in_its_challenge() {
        assert_read("N a", "N a");
        assert_read("N a=", "N a=");
        assert_read("N   a+/-._~0== , M b===", "N a+/-._~0==; M b===");
        assert_read("N a=, M b=c", "N a=; M b=[c]");
        for wrong in
            ["N a, b=c", "N a=, b=c", "N a b", "N =", "N a!", "N a=b=", "N a==b", "N a==,b=c", "N a= ="]
        {
            assert_refused(wrong);
        }
    }

    #[test]
    fn white_space_may_surround_an_equals_sign() {
        assert_read("N a = b,c\t=\t\"d\" , e= f", "N a=[b] c=[d] e=[f]");
    }

    #[test]
    fn only_spaces_stand_between_a_scheme_and_what_follows() {
        assert_read("N   a=b", "N a=[b]");
        assert_refused("N\ta=b");
        assert_refused("N \ta=b");
        assert_refused("N\ta");
    }

    #[test]
    fn a_quoted_string_holds_commas_equals_signs_and_quoted_pairs() {
        assert_read(r#"N a="b, M c=\"d\"\\", e="""#, r#"N a=[b, M c="d"\] e=[]"#);
        assert_read("N a=\"\t \\\t\\ \"", "N a=[\t \t ]");
        assert_eq!(read(b"N a=\"\x80\\\xFF\"").as_deref(), Ok("N a=[\u{80}\u{FF}]"));
    }

    #[test]
    fn an_unterminated_quoted_string_is_refused() {
        for wrong in [r#"N a=""#, r#"N a="b"#, r#"N a="b\""#, r#"N a="b\"#, r#"N a="b, c="d""#] {
            assert_refused(wrong);
        }
    }

    #[test]
    fn control_bytes_are_refused_everywhere() {
        for control in (0..=0x1F_u8).chain([0x7F]).filter(|byte| *byte != b'\t') {
            for pattern in [
                "?",
                "?N",
                "N?",
                "N ?",
                "N a?",
                "N a?=b",
                "N a=?",
                "N a=b?",
                "N a=\"?\"",
                "N a=\"\\?\"",
                "N a=b,?",
            ] {
                assert_refused(&pattern.replace('?', &String::from(char::from(control))));
            }
        }
    }

    #[test]
    fn a_parameter_twice_in_one_challenge_is_refused() {
        assert_refused("N a=b, a=b");
        assert_refused("N a=b, c=d, A=\"e\"");
        assert_refused("M, N c=d, Realm=1, x=y, rEALM=2");
        assert_read("N a=b, M a=b", "N a=[b]; M a=[b]");
    }

    #[test]
    fn a_challenge_has_at_most_32_parameters() {
        let field = |count: usize| {
            let params: Vec<String> = (0..count).map(|n| format!("p{n}=v")).collect();
            format!("N {}", params.join(", "))
        };
        assert!(Challenges::parse(field(32).as_bytes()).is_ok());
        assert_refused(&field(33));
        assert_refused(&field(100_000));
    }

    #[test]
    fn a_parameter_needs_a_name_a_value_and_a_challenge() {
        for wrong in [
            "a=b",
            "N, a=b",
            "N =b",
            "N a=b, =c",
            "N a=b, c=",
            "N a =",
            "N a=b, c =,",
            "N a=b c",
            "N a=b c=d",
        ] {
            assert_refused(wrong);
        }
    }

    #[test]
    fn junk_after_a_value_is_refused() {
        for wrong in [
            "N a=\"b\"c",
            "N a=\"b\" c",
            "N a=b\"c\"",
            "N a=b;c=d",
            "N a='b c'",
            "N/1",
            "\"N\"",
            "N (a)",
            "N a=b@c",
            "N;",
        ] {
            assert_refused(wrong);
        }
        assert_eq!(read(b"N \xC3\xA9=b"), Err(Error::InvalidChallenge));
    }

    #[test]
    fn a_parameter_is_found_by_its_name_without_case() {
        let challenge = Challenges::parse(b"N Realm=\"x\", ERROR=y").ok().and_then(|mut list| list.next());
        let equals = |name, expected: &str| {
            challenge.and_then(|challenge| challenge.param(name)).map(|value| value.eq_str(expected))
        };
        assert_eq!(equals("realm", "x"), Some(true));
        assert_eq!(equals("REALM", "X"), Some(false));
        assert_eq!(equals("error", "y"), Some(true));
        assert_eq!(equals("error", "yy"), Some(false));
        assert_eq!(equals("error", ""), Some(false));
        assert_eq!(equals("err", "y"), None);
    }

    #[test]
    fn insufficient_scope_is_an_error_of_a_bearer_challenge() {
        for field in [
            "Bearer error=insufficient_scope",
            r#"bEARER realm="r", Error="insufficient\_scope""#,
            r#"Basic realm="r", Bearer scope="a b", error="insufficient_scope""#,
            r#"Bearer error="invalid_token", Bearer error="insufficient_scope""#,
            "Basic realm=Restricted Area\nBearer error=insufficient_scope",
            "Bearer error=insufficient_scope\n\nBasic realm=Restricted Area",
        ] {
            assert!(is_insufficient_scope(field.as_bytes()), "{field}");
        }
        for field in [
            "",
            "Bearer",
            r#"Bearer error="invalid_token""#,
            r#"Bearer error="INSUFFICIENT_SCOPE""#,
            r#"DPoP error="insufficient_scope""#,
            r#"Bearer realm="error=insufficient_scope""#,
            r#"Bearer error_description="insufficient_scope""#,
            r#"Bearer error="insufficient_scope", error="insufficient_scope""#,
            r#"Bearer error="insufficient_scope", x"y"#,
            r#"Bearer error="insufficient_scope" realm="r""#,
        ] {
            assert!(!is_insufficient_scope(field.as_bytes()), "{field}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let challenges = Challenges::parse(b"N a=\"hidden\"").ok();
        let challenge = challenges.clone().and_then(|mut list| list.next());
        let value = challenge.and_then(|challenge| challenge.param("a"));
        assert_eq!(
            format!("{challenges:?} {challenge:?} {value:?}"),
            "Some(Challenges(..)) Some(Challenge(..)) Some(ParamValue(..))"
        );
    }

    #[test]
    fn any_byte_anywhere_is_read_or_refused() {
        for field in [&br#"Bearer realm="a\"b", error = x , Basic, N ab=="#[..], b", a b=c,,d"] {
            for position in 0..=field.len() {
                let (before, after) = field.split_at(position);
                let _ = (read(before), read(after));
                for byte in 0..=u8::MAX {
                    let replaced: Vec<u8> =
                        before.iter().copied().chain([byte]).chain(after.iter().skip(1).copied()).collect();
                    let _ = (read(&replaced), is_insufficient_scope(&replaced));
                    let inserted: Vec<u8> =
                        before.iter().copied().chain([byte]).chain(after.iter().copied()).collect();
                    let _ = (read(&inserted), is_insufficient_scope(&inserted));
                }
            }
        }
    }

    #[test]
    fn every_short_field_is_the_same_list_when_it_is_written_again() {
        let alphabet = b"a= ,\"\\\t";
        let mut fields: Vec<Vec<u8>> = Vec::from([Vec::new()]);
        for _ in 0..6 {
            fields = fields
                .iter()
                .flat_map(|field| alphabet.iter().map(|byte| [field.as_slice(), &[*byte]].concat()))
                .collect();
            for field in &fields {
                let Ok(challenges) = Challenges::parse(field) else { continue };
                let again: Vec<Vec<u8>> = challenges
                    .map(|challenge| {
                        let mut again =
                            [challenge.scheme(), b" ", challenge.token68().unwrap_or(b"")].concat();
                        for (name, value) in challenge.params() {
                            let quoted = value.bytes().flat_map(|byte| [b'\\', byte]);
                            again.push(b',');
                            again.extend_from_slice(name);
                            again.extend(b"=\"".iter().copied().chain(quoted).chain(*b"\""));
                        }
                        again
                    })
                    .collect();
                assert_eq!(read(&again.join(&b","[..])), read(field), "{field:?}");
            }
        }
    }
}
