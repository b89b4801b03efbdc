//! The authorization code grant with PKCE: somebody signs in in a browser (RFC 6749 section 4.1, RFC 7636, RFC 8252,
//! RFC 9207).

use crate::ascii::{Class, eq_ignore_case, split_class};
use crate::endpoint::credentials::{Additions, Credentials};
use crate::endpoint::loopback::is_secure;
use crate::endpoint::parameter::Target;
use crate::endpoint::pkce;
use crate::endpoint::provider::{Provider, TokenRequest};
use crate::endpoint::request::{Request, text};
use crate::error::Error;
use crate::manager::seal::{HmacSha256, Seal};
use crate::manager::sign_in::SignIn;
use crate::manager::snapshot;
use crate::manager::{Outcome, ParsedAnswer, TokenManager};
use crate::secret::{check_random, wipe};
use crate::time::{Instant, UnixTime};
use crate::wire::base64::base64url;
use crate::wire::form::{FormStr, is_well_formed, pairs};
use crate::wire::url::Url;
use crate::wire::writer::Writer;

/// What a sealed sign-in begins with.
const NAME: [u8; 3] = *b"TWP";
/// A stored sign-in is good for so many seconds.
const LIFE_S: u64 = 600;
/// Two readings of one wall clock are apart by so many seconds at most.
const CLOCKS_APART_S: u64 = 6;

/// One sign-in in a browser, from its random bytes to its token (RFC 6749 section 4.1) with PKCE (RFC 7636).
///
/// ```
/// use tokenward::grants::{AuthorizationCode, Callback};
/// use tokenward::parts::ClientAuthentication;
/// use tokenward::{Credentials, Identity, Instant, ParsedAnswer, Provider, Slots, TokenManager};
///
/// const ACME: Provider<'static> = Provider {
///     name: "acme",
///     base_url: Some("https://login.acme.example"),
///     token_path: Some("/token"),
///     authorization_url: Some("https://login.acme.example/authorize"),
///     authentication: Some(ClientAuthentication::NONE),
///     refresh_grant: true,
///     ..Provider::custom()
/// };
/// let at = Instant::from_millis;
/// let slots = Slots::new([0; 512], 256);
/// let mut manager = TokenManager::new(at(0), &ACME, Identity::CLIENT, slots, 42).unwrap();
/// let app = Credentials { client_id: "app", ..Credentials::default() };
/// let mut out = [0; 512];
///
/// // 1. Open this URL in a browser. The random bytes come from the system's generator, anew for each sign-in.
/// let random = core::array::from_fn(|n| n as u8);
/// let mut sign_in = AuthorizationCode::new(random, "http://127.0.0.1:49152/callback").unwrap();
/// let url = sign_in.url(&manager, &app, &mut out).unwrap();
/// assert!(url.starts_with("https://login.acme.example/authorize?response_type=code&client_id=app&"));
/// # let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap();
/// # let callback = format!("http://127.0.0.1:49152/callback?code=SplxlOBeZQQYbYS6WxSbIA&state={state}");
/// // 2. The browser comes back to the redirect URI.
/// let Callback::Code(code) = sign_in.callback(&manager, &callback).unwrap() else { panic!() };
/// // 3. Send the code, and hand in what came back.
/// let request = sign_in.begin(at(0), &manager, &app, &[], &code, &mut out).unwrap();
/// assert_eq!(request.url(), "https://login.acme.example/token");
/// let body = br#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600}"#;
/// let answer = ParsedAnswer { status: 200, retry_after: None, body, wall: None };
/// sign_in.answer(at(250), &mut manager, &answer).unwrap();
/// assert!(manager.poll(at(250)).usable);
/// ```
pub struct AuthorizationCode<'a> {
    random: [u8; 32],
    redirect_uri: &'a str,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// The browser is to come back.
    Waits,
    /// The same, and what survives a restart is in storage.
    Stored,
    /// The code was sent.
    Sent(SignIn),
    /// There is nothing more to come.
    Over,
}

impl<'a> AuthorizationCode<'a> {
    /// A sign-in that comes back to `redirect_uri`: `https`, `http` to the loopback interface, or a scheme of the app's
    /// own (RFC 8252 section 7). `random` is from a generator that nobody can predict, and never used again.
    ///
    /// # Errors
    /// - [`Error::NotRandom`]: the bytes are all alike.
    /// - [`Error::BadUrl`]: the redirect URI is none, or has a fragment.
    /// - [`Error::OriginNotAllowed`]: it is `http` to another machine.
    pub fn new(random: [u8; 32], redirect_uri: &'a str) -> Result<Self, Error> {
        check_random(&random)?;
        check_redirect_uri(redirect_uri.as_bytes())?;
        Ok(Self { random, redirect_uri, state: State::Waits })
    }

    /// Writes the URL to open in a browser (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
    ///
    /// # Errors
    /// - [`Error::NotDue`]: the browser has come back already.
    /// - [`Error::InvalidProvider`]: it has no authorization URL, or one whose query says what a sign-in says itself.
    /// - [`Error::WrongCredentials`]: there is no client id.
    /// - [`Error::BadUrl`], [`Error::OriginNotAllowed`]: the authorization URL is no `https` URL (loopback `http` if the
    ///   provider allows it).
    /// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
    pub fn url<'b, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &self,
        manager: &TokenManager<'_, S>,
        credentials: &Credentials<'_>,
        out: &'b mut [u8],
    ) -> Result<&'b str, Error> {
        let url = self.url_bytes(manager, credentials, out)?;
        Ok(text(url))
    }

    /// The same as bytes: for C, where text is bytes.
    #[doc(hidden)]
    pub fn url_bytes<'b, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &self,
        manager: &TokenManager<'_, S>,
        credentials: &Credentials<'_>,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], Error> {
        let (provider, _) = manager.service();
        self.waits()?;
        let url = provider.authorization_url.ok_or(Error::InvalidProvider)?;
        match Url::parse(url.as_bytes()) {
            Some(parsed)
                if is_secure(provider.loopback_http, &parsed) && !url.bytes().any(|byte| byte == b'#') => {}
            Some(parsed) if !is_secure(provider.loopback_http, &parsed) => {
                return Err(Error::OriginNotAllowed);
            }
            _ => return Err(Error::BadUrl),
        }
        if credentials.client_id.is_empty() {
            return Err(Error::WrongCredentials);
        }
        let question = url.bytes().position(|byte| byte == b'?');
        let query = question.and_then(|place| url.as_bytes().get(place..)?.get(1..));
        // A URL holds no secret: what is sent with it are words of the description.
        let parameters = provider.requests.and_then(|told| told.parameters).unwrap_or_default();
        let added = || parameters.iter().filter(|parameter| Target::Authorization.covers(parameter.target));
        let names =
            || Provider::AUTHORIZATION_PARAMETERS.into_iter().chain(added().map(|parameter| parameter.name));
        let own = |name: FormStr<'_>| names().any(|own| name.bytes().eq(own.bytes()));
        if added().any(|parameter| parameter.value.bytes().any(|byte| byte == b'{')) {
            return Err(Error::InvalidProvider);
        }
        if query.is_some_and(|query| pairs(query).any(|(name, _)| own(name))) {
            return Err(Error::InvalidProvider);
        }
        let (mut state, mut challenge) = ([0; 44], [0; 44]);
        let values: [&[u8]; 7] = [
            b"code",
            credentials.client_id.as_bytes(),
            self.redirect_uri.as_bytes(),
            provider.scope.unwrap_or_default().as_bytes(),
            self.state(&mut state),
            pkce::challenge(&self.random, &mut challenge),
            b"S256",
        ];
        let mut out = Writer::new(out);
        out.bytes(url.as_bytes());
        let mut between: &[u8] = match query {
            None => b"?",
            Some([]) => b"",
            Some(_) => b"&",
        };
        let added = added().map(|parameter| parameter.value.as_bytes());
        for (name, value) in names().zip(values.into_iter().chain(added)) {
            if !value.is_empty() {
                out.bytes(between);
                out.bytes(name.as_bytes());
                out.bytes(b"=");
                out.form(value);
                between = b"&";
            }
        }
        Ok(out.finish()?)
    }

    /// Writes what survives a restart between browser and callback. Store it before the browser is opened; it is good
    /// for ten minutes. From then on it must be deleted before the code is sent: [`AuthorizationCode::deleted`].
    ///
    /// # Errors
    /// - [`Error::NotDue`]: the browser has come back already.
    /// - [`Error::NoWallClock`]: the time of day is not known.
    /// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
    ///
    /// # Security
    /// What is written is sealed and not encrypted, and as secret as a token.
    pub fn seal<'b, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &mut self,
        manager: &TokenManager<'_, S>,
        wall: Option<UnixTime>,
        seal: &dyn Seal,
        key: &[u8; 32],
        out: &'b mut [u8],
    ) -> Result<&'b [u8], Error> {
        let (provider, identity) = manager.service();
        self.waits()?;
        let wall = wall.ok_or(Error::NoWallClock)?;
        let mut out = snapshot::begin(NAME, seal, key, out);
        out.bytes(&self.random);
        out.bytes(&wall.as_secs().to_le_bytes());
        // At least one block of the hash follows the secret: none of it is left in its buffer.
        out.bytes(&snapshot::identity(seal, key, provider, identity));
        out.bytes(self.redirect_uri.as_bytes());
        let written = snapshot::finish(out, seal, key)?;
        self.state = State::Stored;
        Ok(written)
    }

    /// Takes a sign-in up again that was stored before a restart.
    ///
    /// # Errors
    /// Delete what is refused.
    /// - [`Error::InvalidSnapshot`], [`Error::OtherSnapshotVersion`], [`Error::OtherSnapshotKey`],
    ///   [`Error::ForeignSnapshot`]: as [`TokenManager::loaded`] says of what is stored.
    /// - [`Error::NoWallClock`]: the time of day is not known.
    /// - [`Error::SignInExpired`]: it is older than ten minutes, or from the future.
    pub fn open<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        manager: &TokenManager<'_, S>,
        wall: Option<UnixTime>,
        seal: &dyn Seal,
        key: &[u8; 32],
        stored: &'a [u8],
    ) -> Result<Self, Error> {
        let (provider, identity) = manager.service();
        let mut rest = snapshot::open(NAME, seal, key, stored)?;
        let (random, began, whose) = (rest.take(), rest.number(), rest.take());
        let (Some(random), Some(began), Some(whose)) = (random, began, whose) else {
            return Err(Error::InvalidSnapshot);
        };
        let redirect_uri = core::str::from_utf8(rest.0).map_err(|_| Error::InvalidSnapshot)?;
        let sign_in = Self { random, redirect_uri, state: State::Stored };
        if snapshot::identity(seal, key, provider, identity) != whose {
            return Err(Error::ForeignSnapshot);
        }
        let wall = wall.ok_or(Error::NoWallClock)?.as_secs();
        if began > wall.saturating_add(CLOCKS_APART_S) || wall.saturating_sub(began) >= LIFE_S {
            return Err(Error::SignInExpired);
        }
        Ok(sign_in)
    }

    /// What was stored of it is gone, or was never stored: its code may be sent.
    pub fn deleted(&mut self) {
        if let State::Stored = self.state {
            self.state = State::Waits;
        }
    }

    /// Reads what the browser came back with: the whole URL. What is refused changes nothing; somebody else may have made
    /// it up. An error of the service ends the sign-in.
    ///
    /// # Errors
    /// The first fault wins.
    /// - [`Error::StaleRequest`]: the browser has come back already.
    /// - [`Error::OtherRedirectUri`]: it is not the redirect URI with a query.
    /// - [`Error::BadUrl`]: it has a byte that no URL has, or an escape that is none.
    /// - [`Error::DuplicateParameter`]: one that is read stands twice.
    /// - [`Error::OtherState`]: it belongs to another sign-in, or to none.
    /// - [`Error::OtherIssuer`]: `iss` is not the provider's issuer, if that is known.
    /// - [`Error::InvalidCallback`]: it has neither a code nor an error, or both.
    pub fn callback<'u, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &mut self,
        manager: &TokenManager<'_, S>,
        url: &'u str,
    ) -> Result<Callback<'u>, Error> {
        let (provider, _) = manager.service();
        if self.waits().is_err() {
            return Err(Error::StaleRequest);
        }
        let callback = self.read(provider.issuer, url.as_bytes())?;
        if let Callback::Error(_) = callback {
            self.ends_as(State::Over);
        }
        Ok(callback)
    }

    fn read<'u>(&self, issuer: Option<&str>, url: &'u [u8]) -> Result<Callback<'u>, Error> {
        let query = self.query(url).ok_or(Error::OtherRedirectUri)?;
        if !split_class(query, Class::URL).1.is_empty() || !is_well_formed(query) {
            return Err(Error::BadUrl);
        }
        let mut found = [None; PARAMETERS.len()];
        for (name, value) in pairs(query) {
            let place = PARAMETERS.iter().position(|known| name.bytes().eq(known.bytes()));
            if let Some(place) = place.and_then(|place| found.get_mut(place))
                && place.replace(value).is_some()
            {
                return Err(Error::DuplicateParameter);
            }
        }
        let [code, state, error, error_description, error_uri, iss] =
            found.map(|value| value.filter(|value| !value.is_empty()));
        let mut room = [0; 44];
        if !state.is_some_and(|state| state.ct_eq(self.state(&mut room))) {
            return Err(Error::OtherState);
        }
        if issuer.is_some_and(|issuer| !iss.is_some_and(|iss| iss.bytes().eq(issuer.bytes()))) {
            return Err(Error::OtherIssuer);
        }
        match (code, error) {
            (Some(code), None) if code.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                Ok(Callback::Code(Code(code)))
            }
            (None, Some(error)) => {
                Ok(Callback::Error(AuthorizationError { error, error_description, error_uri }))
            }
            _ => Err(Error::InvalidCallback),
        }
    }

    /// What a URL says behind the redirect URI, without a fragment.
    fn query<'u>(&self, url: &'u [u8]) -> Option<&'u [u8]> {
        let redirect_uri = self.redirect_uri.as_bytes();
        let rest = url.strip_prefix(redirect_uri)?;
        let end = rest.iter().position(|byte| *byte == b'#').unwrap_or(rest.len());
        let rest = rest.get(..end)?;
        if redirect_uri.contains(&b'?') {
            return rest.strip_prefix(b"&");
        }
        // A browser adds the path that the redirect URI lacks.
        let has_path = Url::parse(redirect_uri).is_none_or(|url| url.origin != redirect_uri);
        let rest = if has_path { rest } else { rest.strip_prefix(b"/").unwrap_or(rest) };
        rest.strip_prefix(b"?")
    }

    /// Writes the request that presents the code, once (RFC 6749 section 4.1.3, RFC 7636 section 4.5). The token's
    /// lifetime counts from here. `values` stand for `{name}` in the provider's parameters and header fields.
    ///
    /// # Errors
    /// A refused call changes nothing.
    /// - [`Error::NotDue`]: the code was sent before, or what was stored of the sign-in is not deleted.
    /// - [`Error::InvalidProvider`], [`Error::WrongCredentials`], [`Error::BufferTooSmall`], [`Error::BadUrl`],
    ///   [`Error::OriginNotAllowed`]: as [`TokenRequest::write`].
    ///
    /// # Security
    /// `out` holds secrets afterwards: [`crate::wipe`] it when the request is sent.
    pub fn begin<'b, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &mut self,
        now: Instant,
        manager: &TokenManager<'_, S>,
        credentials: &Credentials<'_>,
        values: &[(&str, &str)],
        code: &Code<'_>,
        out: &'b mut [u8],
    ) -> Result<Request<'b>, Error> {
        let State::Waits = self.state else { return Err(Error::NotDue) };
        let (provider, identity) = manager.service();
        let mut verifier = [0; 44];
        pkce::verifier(&self.random, &mut verifier);
        let additions = Additions { values, parameters: &[] };
        let request =
            TokenRequest::beside(provider, *identity, Target::Code, credentials).with_additions(&additions);
        let request = request.write_beside(provider.token_path.unwrap_or_default(), out, |body| {
            body.parameter("grant_type", b"authorization_code");
            body.bytewise("code", code.0.bytes());
            body.parameter("redirect_uri", self.redirect_uri.as_bytes());
            body.parameter("code_verifier", verifier.get(..VERIFIER_LEN).unwrap_or_default());
        });
        wipe(&mut verifier);
        if request.is_ok() {
            self.ends_as(State::Sent(manager.begin_sign_in(now)));
        }
        request
    }

    /// The same by the whole URL that brought the code, for a caller that kept nothing of what it read.
    ///
    /// # Errors
    /// As [`AuthorizationCode::callback`] and [`AuthorizationCode::begin`].
    /// - [`Error::NotDue`]: also if the browser has come back already, or with an error.
    #[inline(always)]
    pub fn begin_by_callback<'b, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &mut self,
        now: Instant,
        manager: &TokenManager<'_, S>,
        credentials: &Credentials<'_>,
        values: &[(&str, &str)],
        url: &str,
        out: &'b mut [u8],
    ) -> Result<Request<'b>, Error> {
        let code = match self.callback(manager, url) {
            Ok(Callback::Code(code)) => code,
            Ok(Callback::Error(_)) | Err(Error::StaleRequest) => return Err(Error::NotDue),
            Err(error) => return Err(error),
        };
        self.begin(now, manager, credentials, values, &code, out)
    }

    /// Reads the answer to that request. Its token is kept as by [`TokenManager::install`], but for its lifetime; an error
    /// changes nothing. Either way the sign-in is over.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: no code is out, or somebody has signed out or in meanwhile.
    /// - those of [`crate::token_answer`].
    /// - [`Error::UnsupportedTokenType`], [`Error::MissingLifetime`], [`Error::TooLong`],
    ///   [`Error::RefreshTokenTooLong`], [`Error::AlreadyExpired`]: a token that cannot be used.
    pub fn answer<'b, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &mut self,
        now: Instant,
        manager: &mut TokenManager<'_, S>,
        answer: &ParsedAnswer<'b>,
    ) -> Result<Outcome<'b>, Error> {
        let State::Sent(sign_in) = self.state else { return Err(Error::StaleRequest) };
        self.state = State::Over;
        manager.answer_sign_in(now, sign_in, answer)
    }

    /// Nobody needs the random bytes any more.
    fn ends_as(&mut self, state: State) {
        self.state = state;
        wipe(&mut self.random);
    }

    fn waits(&self) -> Result<(), Error> {
        match self.state {
            State::Waits | State::Stored => Ok(()),
            State::Sent(_) | State::Over => Err(Error::NotDue),
        }
    }

    /// The first half of an HMAC: nobody who sees it learns the verifier.
    #[inline(never)]
    fn state<'r>(&self, room: &'r mut [u8; 44]) -> &'r [u8] {
        let tag = HmacSha256.hmac_sha256(&self.random, &mut |add| add(b"state"));
        base64url(tag.first_chunk::<16>().map_or(&[], |half| half), room)
    }
}

/// Characters of a verifier.
const VERIFIER_LEN: usize = 43;

impl Drop for AuthorizationCode<'_> {
    fn drop(&mut self) {
        wipe(&mut self.random);
    }
}

impl core::fmt::Debug for AuthorizationCode<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AuthorizationCode(..)")
    }
}

/// What a callback is read for (RFC 6749 section 4.1.2, RFC 9207 section 2).
const PARAMETERS: [&str; 6] = ["code", "state", "error", "error_description", "error_uri", "iss"];

/// What the browser came back with.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub enum Callback<'u> {
    /// The code to send.
    Code(Code<'u>),
    /// The service or the user said no.
    Error(AuthorizationError<'u>),
}

/// An authorization code (RFC 6749 section 4.1.2): a secret that is good for one request.
#[derive(Clone, Copy)]
pub struct Code<'u>(FormStr<'u>);

impl<'u> Code<'u> {
    /// What the token endpoint is told.
    #[must_use]
    pub const fn text(&self) -> FormStr<'u> {
        self.0
    }
}

impl core::fmt::Debug for Code<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Code(..)")
    }
}

/// An error that came by the browser (RFC 6749 section 4.1.2.1).
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationError<'u> {
    error: FormStr<'u>,
    error_description: Option<FormStr<'u>>,
    error_uri: Option<FormStr<'u>>,
}

impl<'u> AuthorizationError<'u> {
    /// The code as the server spelled it, such as `access_denied`; never empty.
    #[must_use]
    pub const fn error(&self) -> FormStr<'u> {
        self.error
    }

    /// The server's explanation for a developer.
    #[must_use]
    pub const fn error_description(&self) -> Option<FormStr<'u>> {
        self.error_description
    }

    /// A page about the error.
    #[must_use]
    pub const fn error_uri(&self) -> Option<FormStr<'u>> {
        self.error_uri
    }
}

/// RFC 8252 section 7: a scheme of the app's own, `https`, or loopback `http`; never a fragment (RFC 6749 section 3.1.2).
fn check_redirect_uri(uri: &[u8]) -> Result<(), Error> {
    let (scheme, rest) = split_class(uri, Class::SCHEME);
    let is_web = eq_ignore_case(scheme, b"http") || eq_ignore_case(scheme, b"https");
    let url = Url::parse(uri);
    let is_plain = split_class(rest, Class::URL).1.is_empty() && !rest.contains(&b'#');
    let starts_well = matches!(scheme, [first, ..] if first.is_ascii_alphabetic());
    match &url {
        _ if !is_plain || !starts_well || !matches!(rest, [b':', _, ..]) => Err(Error::BadUrl),
        None if is_web => Err(Error::BadUrl),
        Some(url) if is_web && !url.is_https() && !url.is_loopback_http() => Err(Error::OriginNotAllowed),
        _ => Ok(()),
    }
}
