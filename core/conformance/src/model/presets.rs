//! Token services as data: the presets, and provider objects read from a scenario.

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    ClientCredentials,
    Password,
    SiteToken,
    RefreshToken,
    Extension,
}

impl Grant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Grant::ClientCredentials => "client_credentials",
            Grant::Password => "password",
            Grant::SiteToken => "site_token",
            Grant::RefreshToken => "refresh_token",
            Grant::Extension => "extension",
        }
    }

    fn named(name: &str) -> Grant {
        match name {
            "client_credentials" => Grant::ClientCredentials,
            "password" => Grant::Password,
            "site_token" => Grant::SiteToken,
            "extension" => Grant::Extension,
            _ => Grant::RefreshToken,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    Basic,
    BasicRaw,
    Post,
    Bearer,
    None,
    BasicId,
    Nobody,
    ClientSecretJwt,
    PrivateKeyJwt,
    /// Of a preset without a grant.
    Unnamed,
}

impl Authentication {
    /// 9: the client signs its requests.
    pub(crate) fn asserts(self) -> bool {
        matches!(self, Self::ClientSecretJwt | Self::PrivateKeyJwt)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingLifetime {
    JwtExpiryElse(u64),
    Assume(u64),
    Never,
    Refuse,
}

#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    /// `client` or `site`.
    pub(crate) token: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) environment: String,
    /// Scheme and authority of the token endpoint, and what follows them.
    pub(crate) base_url: String,
    pub(crate) token_path: String,
    pub(crate) api_origins: Vec<String>,
    pub(crate) any_https_origin: bool,
    pub(crate) grants: Vec<Grant>,
    pub(crate) authentication: Authentication,
    pub(crate) json_body: bool,
    pub(crate) form_answer: bool,
    pub(crate) scope: String,
    pub(crate) member_path: String,
    pub(crate) error_path: String,
    /// Names of RFC 6749 and the service's own.
    pub(crate) members: Vec<(String, String)>,
    /// The member that says when a token ends, and how many of its units a second has.
    pub(crate) expires_at: Option<(String, u64)>,
    /// Members that say how long a refresh token lives, where a description has them.
    pub(crate) refresh_lives: Option<Vec<String>>,
    pub(crate) refresh_idle_s: u64,
    pub(crate) error_codes: Vec<(String, String)>,
    pub(crate) token_type_aliases: Vec<String>,
    pub(crate) authorization_url: String,
    pub(crate) device_path: String,
    pub(crate) device_pkce: bool,
    pub(crate) revocation_path: String,
    pub(crate) issuer: String,
    pub(crate) visible_alphabet: bool,
    pub(crate) missing_lifetime: MissingLifetime,
    pub(crate) zero_is_never: bool,
    pub(crate) routes: Vec<Route>,
    pub(crate) refresh_path: String,
    pub(crate) extension_grant: String,
    /// From the RFC's to the service's own.
    pub(crate) request_names: Vec<(String, String)>,
    /// Name, value, and what each is sent with.
    pub(crate) parameters: Vec<[String; 3]>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) scope_on_refresh: bool,
    /// The name and the scheme of the field that carries a token.
    pub(crate) header: (String, String),
    pub(crate) expired_status: Vec<u64>,
}

impl Provider {
    /// Where its tokens may go: the listed origins, or that of the base URL.
    pub(crate) fn origins(&self) -> Vec<String> {
        if self.api_origins.is_empty() { vec![self.base_url.clone()] } else { self.api_origins.clone() }
    }

    /// What the service calls a member of RFC 6749.
    pub(crate) fn called<'a>(&'a self, standard: &'a str) -> &'a str {
        self.members.iter().find(|(name, _)| name == standard).map_or(standard, |(_, own)| own)
    }

    /// Whether something is known of a refresh token's life.
    pub(crate) fn knows_refresh_life(&self) -> bool {
        self.refresh_lives.is_some() || self.refresh_idle_s > 0
    }

    pub(crate) fn refreshes(&self) -> bool {
        self.grants.contains(&Grant::RefreshToken)
    }

    pub(crate) fn primary(&self) -> Option<Grant> {
        self.grants.iter().copied().find(|g| *g != Grant::RefreshToken)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) fraction_permille: u64,
    pub(crate) margin_ms: u64,
    pub(crate) min_interval_ms: u64,
    pub(crate) jitter_permille: u64,
    pub(crate) startup_spread_ms: u64,
    pub(crate) response_timeout_ms: u64,
    pub(crate) first_backoff_ms: u64,
    pub(crate) max_backoff_ms: u64,
    pub(crate) max_lifetime_s: u64,
    pub(crate) refresh_attempts: u64,
    pub(crate) recheck: bool,
}

impl Policy {
    /// The defaults, but for the jitter: a scenario has none unless it says so.
    pub(crate) fn in_scenarios() -> Policy {
        Policy {
            fraction_permille: 800,
            margin_ms: 10_000,
            min_interval_ms: 30_000,
            jitter_permille: 0,
            startup_spread_ms: 0,
            response_timeout_ms: 30_000,
            first_backoff_ms: 2_000,
            max_backoff_ms: 300_000,
            max_lifetime_s: 315_360_000,
            refresh_attempts: 3,
            recheck: true,
        }
    }

    pub(crate) fn override_with(&mut self, numbers: &Value) {
        let set = |name: &str, slot: &mut u64| {
            if let Some(value) = super::number(&numbers[name]) {
                *slot = value;
            }
        };
        set("fraction_permille", &mut self.fraction_permille);
        set("margin_ms", &mut self.margin_ms);
        set("min_interval_ms", &mut self.min_interval_ms);
        set("jitter_permille", &mut self.jitter_permille);
        set("startup_spread_ms", &mut self.startup_spread_ms);
        set("response_timeout_ms", &mut self.response_timeout_ms);
        set("first_backoff_ms", &mut self.first_backoff_ms);
        set("max_backoff_ms", &mut self.max_backoff_ms);
        set("max_lifetime_s", &mut self.max_lifetime_s);
        set("refresh_attempts", &mut self.refresh_attempts);
        if let Some(recheck) = numbers["recheck"].as_bool() {
            self.recheck = recheck;
        }
    }
}

fn custom_default(name: &str, environment: &str, base_url: &str, token_path: &str) -> Provider {
    Provider {
        name: name.to_owned(),
        environment: environment.to_owned(),
        base_url: base_url.to_owned(),
        token_path: token_path.to_owned(),
        api_origins: Vec::new(),
        any_https_origin: false,
        grants: Vec::new(),
        authentication: Authentication::Basic,
        json_body: false,
        form_answer: false,
        scope: String::new(),
        member_path: String::new(),
        error_path: String::new(),
        members: Vec::new(),
        expires_at: None,
        refresh_lives: None,
        refresh_idle_s: 0,
        error_codes: Vec::new(),
        token_type_aliases: Vec::new(),
        authorization_url: String::new(),
        device_path: String::new(),
        device_pkce: false,
        revocation_path: String::new(),
        issuer: String::new(),
        visible_alphabet: false,
        missing_lifetime: MissingLifetime::JwtExpiryElse(3600),
        zero_is_never: false,
        routes: Vec::new(),
        refresh_path: String::new(),
        extension_grant: String::new(),
        request_names: Vec::new(),
        parameters: Vec::new(),
        headers: Vec::new(),
        scope_on_refresh: false,
        header: ("Authorization".to_owned(), "Bearer".to_owned()),
        expired_status: Vec::new(),
    }
}

/// The route table of Flip Energy. `{siteId}` stands where a client token may name any site.
const FLIP_ENERGY_ROUTES: [(&str, &str, &str); 24] = [
    ("POST", "/v1/auth/site/{siteId}", "client"),
    ("POST", "/v1/commission", "client"),
    ("GET", "/v1/commands", "client"),
    ("PATCH", "/v1/command/{commandId}", "client"),
    ("POST", "/v1/telemetry/BATTERY", "client"),
    ("POST", "/v1/telemetry/BATTERY_COUNTER", "client"),
    ("PATCH", "/v1/settings/{settingsRequestId}", "client"),
    ("POST", "/v1/supplements", "client"),
    ("GET", "/v1/sites", "client"),
    ("GET", "/v1/programs", "client"),
    ("GET", "/v1/site/{site}", "site"),
    ("PATCH", "/v1/site/{site}", "site"),
    ("GET", "/v1/site/{site}/devices", "site"),
    ("GET", "/v1/site/{site}/device/{deviceId}", "site"),
    ("PATCH", "/v1/site/{site}/device/{deviceId}", "site"),
    ("DELETE", "/v1/site/{site}/device/{deviceId}", "site"),
    ("POST", "/v1/site/{site}/enrollments", "site"),
    ("GET", "/v1/site/{site}/enrollments", "site"),
    ("DELETE", "/v1/site/{site}/enrollment/{enrollmentId}", "site"),
    ("GET", "/v1/site/{site}/programs", "site"),
    ("GET", "/v1/site/{site}/program/{programId}", "site"),
    ("GET", "/v1/site/{site}/events", "site"),
    ("GET", "/v1/site/{site}/event/{eventId}", "site"),
    ("PATCH", "/v1/site/{site}/event/{eventId}", "site"),
];

fn flip_energy_routes() -> Vec<Route> {
    FLIP_ENERGY_ROUTES
        .iter()
        .map(|(method, path, token)| Route {
            method: (*method).to_owned(),
            path: (*path).to_owned(),
            token: (*token).to_owned(),
        })
        .collect()
}

/// The provider of a scenario, with what a restart may name instead.
pub(crate) fn provider(scenario: &Value, environment: &str, base_url: &str) -> Provider {
    let mut provider = described(scenario, environment, base_url);
    if !base_url.is_empty() {
        provider.base_url = base_url.to_owned();
    }
    provider
}

fn described(scenario: &Value, environment: &str, base_url: &str) -> Provider {
    let Some(preset) = scenario["provider"].as_str() else {
        return custom(&scenario["provider"], environment);
    };
    let sandbox = environment == "sandbox";
    let flip_utility_origin =
        if sandbox { "https://api-utility-sandbox.flip.energy" } else { "https://api-utility.flip.energy" };
    match preset {
        "flip_utility" => Provider {
            api_origins: vec![flip_utility_origin.to_owned()],
            grants: vec![Grant::ClientCredentials],
            authentication: Authentication::Post,
            ..custom_default(preset, environment, "https://oauth.flip.energy", "/token")
        },
        "flip_utility_api_key" => Provider {
            api_origins: vec![flip_utility_origin.to_owned()],
            authentication: Authentication::Unnamed,
            missing_lifetime: MissingLifetime::Never,
            ..custom_default(preset, environment, "https://oauth.flip.energy", "/token")
        },
        "flip_energy_client" => Provider {
            authentication: Authentication::Unnamed,
            missing_lifetime: MissingLifetime::Never,
            routes: flip_energy_routes(),
            ..custom_default(preset, "", base_url, "")
        },
        "flip_energy_site" => Provider {
            grants: if scenario["issued_by"] == "client_token" { vec![Grant::SiteToken] } else { Vec::new() },
            authentication: Authentication::Bearer,
            missing_lifetime: MissingLifetime::Assume(3600),
            routes: flip_energy_routes(),
            ..custom_default(preset, "", base_url, "/v1/auth/site/{site}")
        },
        "flume" => Provider {
            grants: vec![Grant::Password, Grant::RefreshToken],
            authentication: Authentication::Post,
            json_body: true,
            member_path: "data[0]".to_owned(),
            error_path: "detailed[0]".to_owned(),
            error_codes: vec![("Refresh token is invalid.".to_owned(), "invalid_grant".to_owned())],
            ..custom_default(preset, "", "https://api.flumewater.com", "/oauth/token")
        },
        "opower" => Provider {
            grants: vec![Grant::ClientCredentials],
            authentication: Authentication::BasicRaw,
            missing_lifetime: MissingLifetime::Assume(3600),
            ..custom_default(preset, "", base_url, "/apis/authorization-v1/oauth2/token")
        },
        "flute" => {
            let (own, origin) = if sandbox {
                ("https://sandbox.oauth.api.flute.com", "https://sandbox.api.flute.com")
            } else {
                ("https://oauth.api.flute.com", "https://api.flute.com")
            };
            Provider {
                api_origins: vec![origin.to_owned()],
                grants: vec![Grant::ClientCredentials, Grant::RefreshToken],
                authentication: Authentication::BasicRaw,
                scope: "offline_access".to_owned(),
                missing_lifetime: MissingLifetime::Assume(3600),
                ..custom_default(preset, environment, own, "/oauth2/token")
            }
        }
        other => panic!("no such preset: {other}"),
    }
}

fn custom(object: &Value, environment: &str) -> Provider {
    let text = |name: &str| object[name].as_str().unwrap_or("").to_owned();
    let list = |name: &str| -> Vec<String> {
        object[name]
            .as_array()
            .map(|items| items.iter().filter_map(|v| v.as_str()).map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let environment = if environment.is_empty() { text("environment") } else { environment.to_owned() };
    let token_url = text("token_url");
    let behind_scheme = token_url.find("://").map_or(0, |at| at + 3);
    let authority = token_url[behind_scheme..].split(['/', '?', '#']).next().unwrap_or("");
    let (base, path) = token_url.split_at(behind_scheme + authority.len());
    let (base, path) = if path.starts_with('/') { (base, path) } else { (&token_url[..], "") };
    let mut provider = custom_default(&text("name"), &environment, base, path);
    provider.api_origins = list("api_origins");
    provider.any_https_origin = object["any_https_origin"] == true;
    provider.grants = list("grants").iter().map(|g| Grant::named(g)).collect();
    provider.authentication = match object["authentication"].as_str() {
        Some("basic_raw") => Authentication::BasicRaw,
        Some("post") => Authentication::Post,
        Some("bearer") => Authentication::Bearer,
        Some("none") => Authentication::None,
        Some("basic_id") => Authentication::BasicId,
        Some("nobody") => Authentication::Nobody,
        Some("client_secret_jwt") => Authentication::ClientSecretJwt,
        Some("private_key_jwt") => Authentication::PrivateKeyJwt,
        _ => Authentication::Basic,
    };
    provider.json_body = object["body"] == "json";
    provider.form_answer = object["answer"] == "form";
    provider.scope = text("scope");
    provider.member_path = text("member_path");
    provider.error_path = text("error_path");
    if let Some(names) = object["members"].as_object() {
        for (standard, own) in names {
            provider.members.push((standard.clone(), own.as_str().unwrap_or("").to_owned()));
        }
    }
    provider.refresh_lives = object["refresh_expires_in"].as_array().map(|_| list("refresh_expires_in"));
    provider.refresh_idle_s = super::number(&object["refresh_idle_s"]).unwrap_or(0);
    if let Some(name) = object["expires_at"]["member"].as_str() {
        let in_a_second = if object["expires_at"]["unit"] == "ms" { 1000 } else { 1 };
        provider.expires_at = Some((name.to_owned(), in_a_second));
    }
    if let Some(codes) = object["error_codes"].as_object() {
        for (code, standard) in codes {
            provider.error_codes.push((code.clone(), standard.as_str().unwrap_or("").to_owned()));
        }
    }
    provider.token_type_aliases = list("token_type_aliases");
    provider.authorization_url = text("authorization_url");
    provider.device_path = text("device_path");
    provider.device_pkce = object["device_pkce"] == true;
    provider.revocation_path = text("revocation_path");
    provider.issuer = text("issuer");
    provider.visible_alphabet = object["token_alphabet"] == "visible";
    let missing = &object["missing_lifetime"];
    if let Some(seconds) = super::number(&missing["jwt_expiry_else"]) {
        provider.missing_lifetime = MissingLifetime::JwtExpiryElse(seconds);
    } else if let Some(seconds) = super::number(&missing["assume"]) {
        provider.missing_lifetime = MissingLifetime::Assume(seconds);
    } else if missing == "never" {
        provider.missing_lifetime = MissingLifetime::Never;
    } else if missing == "refuse" {
        provider.missing_lifetime = MissingLifetime::Refuse;
    }
    provider.zero_is_never = object["zero_lifetime"] == "never";
    if let Some(routes) = object["routes"].as_array() {
        for route in routes {
            provider.routes.push(Route {
                method: route["method"].as_str().unwrap_or("").to_owned(),
                path: route["path"].as_str().unwrap_or("").to_owned(),
                token: route["token"].as_str().unwrap_or("client").to_owned(),
            });
        }
    }
    provider.refresh_path = text("refresh_path");
    provider.extension_grant = text("extension_grant");
    if let Some(names) = object["request_names"].as_object() {
        for (standard, own) in names {
            provider.request_names.push((standard.clone(), own.as_str().unwrap_or("").to_owned()));
        }
    }
    for parameter in object["parameters"].as_array().into_iter().flatten() {
        let member = |name: &str| parameter[name].as_str().unwrap_or("token").to_owned();
        provider.parameters.push([member("name"), member("value"), member("on")]);
    }
    provider.headers = pairs(&object["headers"]);
    provider.scope_on_refresh = object["scope_on_refresh"] == true;
    if let Some(name) = object["header"]["name"].as_str() {
        provider.header.0 = name.to_owned();
    }
    if let Some(scheme) = object["header"]["scheme"].as_str() {
        provider.header.1 = scheme.to_owned();
    }
    let statuses = object["expired_status"].as_array();
    provider.expired_status = statuses.into_iter().flatten().filter_map(Value::as_u64).collect();
    provider
}

/// A list of lists of two texts.
pub(crate) fn pairs(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    list.as_array().into_iter().flatten().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}
