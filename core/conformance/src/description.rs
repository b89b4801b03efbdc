//! Providers as JSON: the one object that scenarios, `--provider-file` and `tokenward providers --json` share, and the
//! presets by name. Nothing else converts between JSON and the core's provider.

use bumpalo::Bump;
use serde_json::{Map, Value, json};
use tokenward::parts::{AnswerFormat, BodyFormat, ClientAuthentication, DevicePkce, LoopbackHttp, SitePath};
use tokenward::storage::{Source, Storage};
use tokenward::{
    Exposure, Grant, Identity, MissingLifetime, Nested, Options, OwnMembers, Parameter, Provider,
    RefreshLife, RefreshPolicy, Requests, Revision, Route, Routes, SnapshotScope, Target, TokenAlphabet,
    TokenHeader, ZeroLifetime, providers,
};

use crate::members::{integer, list, optional, pair, required, text};

/// A service of the core: one value, or several that differ by environment or by who issues the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset(&'static str);

/// What a preset leaves to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `sandbox` or `production`.
    Environment,
    /// Scheme, host and port of the token endpoint.
    BaseUrl,
    /// The site that the token is for.
    Site,
    /// Who obtains the site token: `client_token` or `backend`.
    IssuedBy,
}

impl Need {
    const ALL: [Self; 4] = [Self::Environment, Self::BaseUrl, Self::Site, Self::IssuedBy];

    /// The member of a scenario that gives it.
    #[must_use]
    pub const fn member(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::BaseUrl => "base_url",
            Self::Site => "site",
            Self::IssuedBy => "issued_by",
        }
    }
}

impl Preset {
    /// All of them, in the order of [`providers::ALL`].
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all: Vec<_> = providers::ALL.iter().map(|provider| Self(provider.name)).collect();
        all.dedup();
        all
    }

    /// Its name in scenarios.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The preset of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|preset| preset.name() == name)
    }

    /// What its user must give.
    #[must_use]
    pub fn needs(self) -> Vec<Need> {
        let values = self.values();
        let any = |has: fn(&Provider<'_>) -> bool| values.iter().any(|value| has(value));
        let needed = |need: &Need| match need {
            Need::Environment => any(|value| value.environment.is_some()),
            Need::BaseUrl => any(|value| value.base_url.is_none()),
            Need::Site => any(|value| value.site.is_some()),
            Need::IssuedBy => any(|value| value.site.is_some()) && values.len() > 1,
        };
        Need::ALL.into_iter().filter(needed).collect()
    }

    /// One value for each environment or issuer.
    #[must_use]
    pub fn values(self) -> Vec<&'static Provider<'static>> {
        providers::ALL.iter().copied().filter(|provider| provider.name == self.0).collect()
    }

    /// The value of this environment and issuer; what the preset does not take is ignored.
    ///
    /// # Errors
    /// A sentence, where there is none.
    pub fn choose(
        self,
        environment: Option<&str>,
        issued_by: Option<&str>,
    ) -> Result<&'static Provider<'static>, String> {
        let mut values = self.values();
        if self.needs().contains(&Need::Environment) {
            values.retain(|value| value.environment == environment);
            let wanted = environment.unwrap_or_default();
            return values.pop().ok_or_else(|| format!("no environment {wanted:?}"));
        }
        match issued_by {
            _ if values.len() == 1 => {}
            Some("client_token") => values.retain(|value| value.primary_grant.is_some()),
            Some("backend") => values.retain(|value| value.primary_grant.is_none()),
            other => return Err(format!("no issuer {:?}", other.unwrap_or_default())),
        }
        values.pop().ok_or_else(|| format!("no preset {:?}", self.0))
    }

    /// A value that reads this preset's answers: environment and issuer do not matter to that.
    #[must_use]
    pub fn reader(self) -> &'static Provider<'static> {
        self.values().first().copied().unwrap_or(&providers::FLUME)
    }
}

/// A provider from its object, the numbers of its policy included; what it leaves out has the default of a custom
/// provider.
///
/// # Errors
/// A sentence, where the object describes no provider, or one that cannot work ([`Provider::fault`]).
pub fn read<'a>(object: &'a Map<String, Value>, arena: &'a Bump) -> Result<Provider<'a>, String> {
    let mut policy = RefreshPolicy::DEFAULT;
    override_policy(&mut policy, object.get("policy"))?;
    let provider = Provider { policy: Some(arena.alloc(policy)), ..unchecked(object, arena)? };
    match provider.fault() {
        Some(fact) => Err(format!("`{fact}` cannot work")),
        None => Ok(provider),
    }
}

/// A scenario's provider, a preset by its name or an object, and whose token it is. The members of `overrides`, a
/// `make`, win.
pub(crate) fn of_scenario<'a>(
    scenario: &'a Map<String, Value>,
    overrides: &'a Map<String, Value>,
    arena: &'a Bump,
) -> Result<(&'a Provider<'a>, Identity<'a>), String> {
    let given = scenario.get("provider");
    let member = |name| match optional(overrides, name, text)? {
        Some(value) => Ok(Some(value)),
        None => optional(scenario, name, text),
    };
    let mut identity = Identity {
        base_url: member("base_url")?,
        account: member("account")?,
        site: member("site")?,
        environment: None,
    };
    let provider = match given {
        Some(Value::String(name)) => {
            let preset = Preset::by_name(name).ok_or_else(|| format!("no preset {name:?}"))?;
            for need in preset.needs() {
                let name = need.member();
                if need != Need::Site && member(name)?.is_none() {
                    return Err(format!("`{name}` is missing"));
                }
            }
            *preset.choose(member("environment")?, member("issued_by")?)?
        }
        Some(Value::Object(object)) => {
            identity.environment = member("environment")?;
            unchecked(object, arena)?
        }
        _ => return Err("`provider` is a preset's name or an object".to_owned()),
    };
    let mut policy = RefreshPolicy { jitter_permille: 0, ..*provider.policy() };
    for numbers in [given.and_then(|given| given.get("policy")), scenario.get("policy")] {
        override_policy(&mut policy, numbers)?;
    }
    let loopback = scenario.get("allow_loopback_http") == Some(&Value::Bool(true));
    let provider = arena.alloc(Provider {
        policy: Some(arena.alloc(policy)),
        loopback_http: loopback.then_some(LoopbackHttp::ALLOWED),
        ..provider
    });
    Ok((provider, identity))
}

fn override_policy(policy: &mut RefreshPolicy, numbers: Option<&Value>) -> Result<(), String> {
    let Some(numbers) = numbers else { return Ok(()) };
    let numbers = numbers.as_object().ok_or("`policy` is an object")?;
    let small = |value: &Value| u32::try_from(integer(value)?).map_err(|_| "is too large".to_owned());
    for (name, value) in numbers {
        let within = |fault| format!("policy {name}: {fault}");
        match name.as_str() {
            "fraction_permille" => policy.fraction_permille = small(value).map_err(within)?,
            "margin_ms" => policy.margin_ms = integer(value).map_err(within)?,
            "min_interval_ms" => policy.min_interval_ms = integer(value).map_err(within)?,
            "jitter_permille" => policy.jitter_permille = small(value).map_err(within)?,
            "startup_spread_ms" => policy.startup_spread_ms = integer(value).map_err(within)?,
            "response_timeout_ms" => policy.response_timeout_ms = integer(value).map_err(within)?,
            "first_backoff_ms" => policy.first_backoff_ms = integer(value).map_err(within)?,
            "max_backoff_ms" => policy.max_backoff_ms = integer(value).map_err(within)?,
            "max_lifetime_s" => policy.max_lifetime_s = integer(value).map_err(within)?,
            "refresh_attempts" => policy.refresh_attempts = small(value).map_err(within)?,
            "recheck" => policy.recheck = value.as_bool().ok_or("`recheck` is a boolean")?,
            _ => return Err(format!("no policy number {name:?}")),
        }
    }
    Ok(())
}

/// A provider from its object without its policy; whether it can work is not asked.
///
/// # Errors
/// A sentence, where the object describes no provider.
pub fn unchecked<'a>(object: &'a Map<String, Value>, arena: &'a Bump) -> Result<Provider<'a>, String> {
    const KNOWN: &[&str] = &[
        "name",
        "environment",
        "token_url",
        "api_origins",
        "any_https_origin",
        "grants",
        "authentication",
        "body",
        "answer",
        "scope",
        "member_path",
        "error_path",
        "members",
        "expires_at",
        "refresh_expires_in",
        "refresh_idle_s",
        "error_codes",
        "token_type_aliases",
        "authorization_url",
        "device_path",
        "device_pkce",
        "revocation_path",
        "issuer",
        "token_alphabet",
        "missing_lifetime",
        "zero_lifetime",
        "routes",
        "exposure",
        "policy",
        "refresh_path",
        "extension_grant",
        "request_names",
        "parameters",
        "headers",
        "scope_on_refresh",
        "header",
        "expired_status",
        "comment",
    ];
    if let Some(unknown) = object.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("a provider has no {unknown:?}"));
    }
    let string = |name| filled(object, name);
    let strings = |name| {
        let list = list(object, name)?.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, String>((!list.is_empty()).then(|| &*arena.alloc_slice_copy(&list)))
    };
    let pairs = |name| table(object, name, arena);
    let refresh_expires_in = strings("refresh_expires_in")?;
    let refresh_idle_s = optional(object, "refresh_idle_s", integer)?.unwrap_or(0);
    let default = Provider::custom();
    let grants = list(object, "grants")?.iter().map(|value| {
        let name = text(value)?;
        grant(name).ok_or_else(|| format!("no grant {name:?}"))
    });
    let grants = grants.collect::<Result<Vec<_>, String>>()?;
    let (base_url, token_path) = string("token_url")?.map_or((None, None), divided);
    let (member_path, error_path) = (string("member_path")?, string("error_path")?);
    let routes = list(object, "routes")?.iter().map(route).collect::<Result<Vec<_>, _>>()?;
    Ok(Provider {
        name: string("name")?.unwrap_or_default(),
        environment: string("environment")?,
        base_url,
        token_path,
        site: token_path.filter(|path| path.contains("{site}")).map(|_| SitePath::SEGMENT),
        api_origins: strings("api_origins")?,
        any_https_origin: object.get("any_https_origin") == Some(&Value::Bool(true)),
        primary_grant: grants.iter().copied().find(|grant| *grant != Grant::RefreshToken),
        refresh_grant: grants.contains(&Grant::RefreshToken),
        authentication: named(object, "authentication", ClientAuthentication::ALL, |part| part.name())?
            .or(default.authentication),
        body: named(object, "body", BodyFormat::ALL, |part| part.name())?,
        answer: match optional(object, "answer", text)? {
            None | Some("json") => None,
            Some(_) => named(object, "answer", AnswerFormat::ALL, |part| part.name())?,
        },
        scope: string("scope")?,
        nested: match (member_path, error_path) {
            (None, None) => Nested::NONE,
            (member_path, error_path) => Nested::at(member_path, error_path),
        },
        members: {
            let names = pairs("members")?;
            let (expires_at, expires_at_in_ms) = expires_at(object)?;
            let is_found = names.is_some() || expires_at.is_some() || refresh_expires_in.is_some();
            let base = if is_found { OwnMembers::FOUND } else { OwnMembers::NONE };
            OwnMembers { names, expires_at, expires_at_in_ms, refresh_expires_in, ..base }
        },
        refresh_life: RefreshLife {
            idle_s: refresh_idle_s,
            ..if object.get("refresh_expires_in").is_some_and(|names| !names.is_null()) || refresh_idle_s != 0
            {
                RefreshLife::KNOWN
            } else {
                RefreshLife::NONE
            }
        },
        error_codes: pairs("error_codes")?,
        token_type_aliases: strings("token_type_aliases")?,
        authorization_url: string("authorization_url")?,
        device_path: string("device_path")?,
        device_pkce: (object.get("device_pkce") == Some(&Value::Bool(true))).then_some(DevicePkce::S256),
        revocation_path: string("revocation_path")?,
        issuer: string("issuer")?,
        token_alphabet: match optional(object, "token_alphabet", text)? {
            None | Some("b64token") => TokenAlphabet::B64Token,
            Some("visible") => TokenAlphabet::Visible,
            Some(other) => return Err(format!("no alphabet {other:?}")),
        },
        missing_lifetime: match object.get("missing_lifetime") {
            None => default.missing_lifetime,
            Some(Value::String(policy)) if policy == "never" => MissingLifetime::Never,
            Some(Value::String(policy)) if policy == "refuse" => MissingLifetime::Refuse,
            Some(Value::Object(policy)) => {
                if let Some(else_seconds) = optional(policy, "jwt_expiry_else", integer)? {
                    MissingLifetime::jwt_expiry(else_seconds)
                } else {
                    MissingLifetime::Assume(required(policy, "assume", integer)?)
                }
            }
            Some(other) => return Err(format!("no missing_lifetime {other}")),
        },
        zero_lifetime: match optional(object, "zero_lifetime", text)? {
            None | Some("expired") => ZeroLifetime::Expired,
            Some("never") => ZeroLifetime::Never,
            Some(other) => return Err(format!("no zero_lifetime {other:?}")),
        },
        routes: if routes.is_empty() { Routes::NONE } else { Routes::table(arena.alloc_slice_copy(&routes)) },
        exposure: match optional(object, "exposure", text)? {
            None | Some("server_only") => Exposure::ServerOnly,
            Some("app_allowed") => Exposure::AppAllowed,
            Some(other) => return Err(format!("no exposure {other:?}")),
        },
        loopback_http: None,
        policy: None,
        requests: requests(object, arena)?,
        header: header(object, arena)?,
        expired_status: match list(object, "expired_status")? {
            [] => None,
            statuses => {
                let status =
                    |value| u16::try_from(integer(value)?).map_err(|_| format!("{value} is no status"));
                let statuses = statuses.iter().map(status).collect::<Result<Vec<_>, _>>()?;
                Some(arena.alloc_slice_copy(&statuses))
            }
        },
    })
}

/// The member that says when a token ends, and whether in milliseconds.
fn expires_at(object: &Map<String, Value>) -> Result<(Option<&str>, bool), String> {
    let Some(given) = object.get("expires_at").filter(|given| !given.is_null()) else {
        return Ok((None, false));
    };
    let given = given.as_object().ok_or("`expires_at` is an object")?;
    let in_ms = match optional(given, "unit", text)? {
        None | Some("s") => false,
        Some("ms") => true,
        Some(other) => return Err(format!("no unit {other:?}")),
    };
    Ok((Some(required(given, "member", text)?), in_ms))
}

/// A text that is there and not empty.
fn filled<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    Ok(optional(object, name, text)?.filter(|text| !text.is_empty()))
}

/// What departs from RFC 6749 in the requests; none where nothing does.
fn requests<'a>(object: &'a Map<String, Value>, arena: &'a Bump) -> Result<Option<&'a Requests<'a>>, String> {
    let parameter = |value: &'a Value| {
        let value = value.as_object().ok_or("a parameter is an object")?;
        let on = optional(value, "on", text)?.unwrap_or("token");
        let target = Target::ALL.iter().find(|target| target.name() == on);
        Ok::<_, String>(Parameter {
            name: required(value, "name", text)?,
            value: required(value, "value", text)?,
            target: *target.ok_or_else(|| format!("no request {on:?}"))?,
        })
    };
    let parameters = list(object, "parameters")?.iter().map(parameter).collect::<Result<Vec<_>, _>>()?;
    let headers = list(object, "headers")?.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    let told = Requests {
        refresh_path: filled(object, "refresh_path")?,
        extension_grant: filled(object, "extension_grant")?,
        names: table(object, "request_names", arena)?,
        parameters: (!parameters.is_empty()).then(|| &*arena.alloc_slice_copy(&parameters)),
        headers: (!headers.is_empty()).then(|| &*arena.alloc_slice_copy(&headers)),
        scope_on_refresh: object.get("scope_on_refresh") == Some(&Value::Bool(true)),
        ..Requests::STANDARD
    };
    Ok((told != Requests::STANDARD).then(|| &*arena.alloc(told)))
}

fn header<'a>(
    object: &'a Map<String, Value>,
    arena: &'a Bump,
) -> Result<Option<&'a TokenHeader<'a>>, String> {
    let Some(header) = object.get("header") else { return Ok(None) };
    let header = header.as_object().ok_or("`header` is an object")?;
    let header = TokenHeader {
        name: optional(header, "name", text)?.unwrap_or(TokenHeader::BEARER.name),
        scheme: optional(header, "scheme", text)?.unwrap_or(TokenHeader::BEARER.scheme),
    };
    Ok((header != TokenHeader::BEARER).then(|| &*arena.alloc(header)))
}

/// A table of texts: an object.
fn table<'a>(
    object: &'a Map<String, Value>,
    name: &str,
    arena: &'a Bump,
) -> Result<Option<&'a [(&'a str, &'a str)]>, String> {
    let Some(rows) = object.get(name) else { return Ok(None) };
    let rows = rows.as_object().ok_or_else(|| format!("`{name}` is an object"))?;
    let rows = rows.iter().map(|(own, other)| Ok((own.as_str(), text(other)?)));
    let rows = rows.collect::<Result<Vec<_>, String>>()?;
    Ok((!rows.is_empty()).then(|| &*arena.alloc_slice_copy(&rows)))
}

/// A token URL as base URL and path.
fn divided(url: &str) -> (Option<&str>, Option<&str>) {
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |end| authority + end);
    let (base_url, path) = url.split_at(end);
    if path.starts_with('/') { (Some(base_url), Some(path)) } else { (Some(url), None) }
}

/// The part of this name.
fn named<T>(
    object: &Map<String, Value>,
    member: &str,
    parts: &[&'static T],
    name: impl Fn(&T) -> &'static str,
) -> Result<Option<&'static T>, String> {
    let Some(wanted) = optional(object, member, text)? else { return Ok(None) };
    let part = parts.iter().copied().find(|part| name(part) == wanted);
    part.map(Some).ok_or_else(|| format!("no {member} {wanted:?}"))
}

/// The grant of this name.
#[must_use]
pub fn grant(name: &str) -> Option<Grant> {
    Grant::ALL.iter().copied().find(|grant| grant.name() == name)
}

fn route(value: &Value) -> Result<Route<'_>, String> {
    let route = value.as_object().ok_or("a route is an object")?;
    Ok(Route {
        method: required(route, "method", text)?,
        path: required(route, "path", text)?,
        of_site: match required(route, "token", text)? {
            "client" => false,
            "site" => true,
            other => return Err(format!("no token kind {other:?}")),
        },
    })
}

/// The names of a provider's grants, the primary one first.
#[must_use]
pub fn grants(provider: &Provider<'_>) -> Vec<&'static str> {
    let refresh = provider.refresh_grant.then_some(Grant::RefreshToken);
    provider.primary_grant.into_iter().chain(refresh).map(Grant::name).collect()
}

/// The object of a provider; the numbers of its policy are left out. `base_url` stands for the one that a description
/// leaves open.
#[must_use]
pub fn write(provider: &Provider<'_>, base_url: &str) -> Value {
    // Named one by one: a fact that is forgotten here does not compile.
    let Provider {
        name,
        environment,
        base_url: own_base_url,
        token_path,
        api_origins,
        scope,
        error_codes,
        token_type_aliases,
        authorization_url,
        device_path,
        revocation_path,
        issuer,
        policy: _,
        authentication,
        body,
        answer,
        site: _,
        loopback_http: _,
        device_pkce,
        nested,
        routes,
        members,
        refresh_life,
        missing_lifetime,
        zero_lifetime,
        token_alphabet,
        exposure,
        primary_grant: _,
        refresh_grant: _,
        any_https_origin,
        requests,
        header,
        expired_status,
    } = *provider;
    let Requests { writer: _, refresh_path, extension_grant, names, parameters, headers, scope_on_refresh } =
        *requests.unwrap_or(&Requests::STANDARD);
    let parameters = parameters.unwrap_or_default().iter().map(|parameter| {
        json!({ "name": parameter.name, "value": parameter.value, "on": parameter.target.name() })
    });
    let TokenHeader { name: header, scheme } = *header.unwrap_or(&TokenHeader::BEARER);
    let base_url = own_base_url.unwrap_or(base_url);
    let own_origin = [base_url];
    let origins = match api_origins {
        Some(origins) => origins,
        None if any_https_origin => &[],
        None => &own_origin,
    };
    let routes: Vec<_> = routes
        .rows
        .unwrap_or_default()
        .iter()
        .map(|route| {
            let token = if route.of_site { "site" } else { "client" };
            json!({ "method": route.method, "path": route.path, "token": token })
        })
        .collect();
    let pairs = |pairs: Option<&[(&str, &str)]>| -> Map<_, _> {
        let pairs = pairs.unwrap_or_default().iter();
        pairs.map(|(one, other)| ((*one).to_owned(), json!(other))).collect()
    };
    json!({
        "name": name,
        "environment": environment.unwrap_or_default(),
        "token_url": format!("{base_url}{}", token_path.unwrap_or_default()),
        "api_origins": origins,
        "any_https_origin": any_https_origin,
        "grants": grants(provider),
        "authentication": authentication.unwrap_or(ClientAuthentication::BASIC).name(),
        "body": body.unwrap_or(BodyFormat::FORM).name(),
        "answer": answer.map_or("json", |format| format.name()),
        "scope": scope.unwrap_or_default(),
        "member_path": nested.member_path.unwrap_or_default(),
        "error_path": nested.error_path.unwrap_or_default(),
        "members": pairs(members.names),
        "expires_at": members.expires_at.map(|member| {
            json!({ "member": member, "unit": if members.expires_at_in_ms { "ms" } else { "s" } })
        }),
        "refresh_expires_in": members
            .refresh_expires_in
            .or((refresh_life == RefreshLife::KNOWN).then_some(&[])),
        "refresh_idle_s": refresh_life.idle_s,
        "error_codes": pairs(error_codes),
        "token_type_aliases": token_type_aliases.unwrap_or_default(),
        "authorization_url": authorization_url.unwrap_or_default(),
        "device_path": device_path.unwrap_or_default(),
        "device_pkce": device_pkce.is_some(),
        "revocation_path": revocation_path.unwrap_or_default(),
        "issuer": issuer.unwrap_or_default(),
        "token_alphabet": match token_alphabet {
            TokenAlphabet::B64Token => "b64token",
            TokenAlphabet::Visible => "visible",
        },
        "missing_lifetime": match missing_lifetime {
            MissingLifetime::Told(else_seconds, _) => json!({ "jwt_expiry_else": else_seconds }),
            MissingLifetime::Assume(seconds) => json!({ "assume": seconds }),
            MissingLifetime::Never => json!("never"),
            MissingLifetime::Refuse => json!("refuse"),
        },
        "zero_lifetime": match zero_lifetime {
            ZeroLifetime::Expired => "expired",
            ZeroLifetime::Never => "never",
        },
        "routes": routes,
        "exposure": match exposure {
            Exposure::ServerOnly => "server_only",
            Exposure::AppAllowed => "app_allowed",
        },
        "refresh_path": refresh_path.unwrap_or_default(),
        "extension_grant": extension_grant.unwrap_or_default(),
        "request_names": pairs(names),
        "parameters": parameters.collect::<Vec<_>>(),
        "headers": headers.unwrap_or_default(),
        "scope_on_refresh": scope_on_refresh,
        "header": { "name": header, "scheme": scheme },
        "expired_status": expired_status.unwrap_or_default(),
    })
}

/// What the managers of a scenario have beside their slots.
pub(crate) fn options(
    scenario: &Map<String, Value>,
    overrides: &Map<String, Value>,
) -> Result<Options, String> {
    let source = match optional(scenario, "source", text)? {
        None | Some("none") => Source::None,
        Some("person") => Source::Person,
        Some("program") => Source::Program,
        Some(other) => return Err(format!("no source {other:?}")),
    };
    let Some(storage) = scenario.get("storage") else { return Ok(Options { storage: None, source }) };
    let storage = storage.as_object().ok_or("`storage` is an object")?;
    let base = match required(storage, "kind", text)? {
        "own" => Storage::OWN,
        "shared" => Storage::SHARED,
        other => return Err(format!("no storage {other:?}")),
    };
    let stored = match optional(storage, "stored", text)? {
        None | Some("all") => SnapshotScope::All,
        Some("refresh_token") => SnapshotScope::RefreshToken,
        Some(other) => return Err(format!("nothing is stored as {other:?}")),
    };
    let slots = optional(storage, "slots", integer)?.unwrap_or(1);
    let floor = optional(overrides, "floor", integer)?.or(optional(storage, "floor", integer)?);
    let storage = Storage {
        stored,
        slots: u8::try_from(slots).map_err(|_| "too many slots")?,
        floor: Revision(floor.unwrap_or(0)),
        prove_room: storage.get("prove_room") == Some(&Value::Bool(true)),
        ..base
    };
    Ok(Options { storage: Some(storage), source })
}
