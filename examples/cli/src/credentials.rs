//! Credentials: from files, the environment or a prompt without echo; never required in an argument.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use clap::Args;
use tokenward::parts::ClientAuthentication;
use tokenward::{Assertion, Credentials, Error, Grant, Provider, UnixTime};

use crate::client_key::{ClientKey, RsaAlgorithm};
use crate::clock;
use crate::failure::Failure;

/// Where the credentials are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Credentials")]
pub(crate) struct Sources {
    /// The client's id; else TOKENWARD_CLIENT_ID
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,

    /// A file with the client's secret; else TOKENWARD_CLIENT_SECRET
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,

    /// The user's name; else TOKENWARD_USERNAME
    #[arg(long, value_name = "NAME")]
    username: Option<String>,

    /// A file with the user's password; else TOKENWARD_PASSWORD
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// A file with a token that someone else issued: an API key, a client token; else TOKENWARD_BEARER
    #[arg(long, value_name = "FILE")]
    bearer_file: Option<PathBuf>,

    /// A file with the private key that the client signs its requests with, in PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Which of its keys that is, if the client has several
    #[arg(long, value_name = "ID", requires = "key")]
    key_id: Option<String>,

    /// How the key signs, if it is one of RSA [default: RS256]
    #[arg(long, value_name = "ALGORITHM", requires = "key")]
    key_algorithm: Option<RsaAlgorithm>,

    /// A file with the key's certificate in PEM, for a service that wants its thumbprint
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,

    /// What stands for {NAME} in the provider's parameters and header fields, if it is no secret; may be given again
    #[arg(long = "value", value_name = "NAME=VALUE", value_parser = pair)]
    values: Vec<(String, String)>,

    /// A file with what stands for {NAME}; else TOKENWARD_VALUE_NAME
    #[arg(long = "value-file", value_name = "NAME=FILE", value_parser = pair)]
    value_files: Vec<(String, String)>,
}

/// A name and what belongs to it.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The environment variables that hold secrets.
const SECRET_VARIABLES: [&str; 4] =
    ["TOKENWARD_CLIENT_SECRET", "TOKENWARD_PASSWORD", "TOKENWARD_BEARER", crate::token::KEY_VARIABLE];
/// What the variable of a value begins with.
const VALUE_VARIABLE: &str = "TOKENWARD_VALUE_";

/// Lets a program inherit no secret of ours.
pub(crate) fn withhold_secrets(from: &mut Command) {
    for variable in SECRET_VARIABLES {
        from.env_remove(variable);
    }
    for (variable, _) in env::vars_os() {
        if variable.to_string_lossy().starts_with(VALUE_VARIABLE) {
            from.env_remove(variable);
        }
    }
}

/// Bytes of the system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut random = [0; N];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::unavailable(format!("cannot draw random numbers: {error}")))?;
    Ok(random)
}

/// What a request presents; wiped when it is dropped.
#[derive(Clone, Default)]
pub(crate) struct Presented {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) bearer: String,
    /// What the client signs with.
    pub(crate) key: Option<Arc<ClientKey>>,
    /// Names and what stands for them.
    pub(crate) values: Vec<(String, String)>,
}

impl Presented {
    pub(crate) fn values(&self) -> Vec<(&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials {
            client_id: &self.client_id,
            client_secret: &self.client_secret,
            username: &self.username,
            password: &self.password,
            bearer: &self.bearer,
            assertion: None,
        }
    }

    /// The same, where the client may authenticate by an assertion.
    pub(crate) fn asserting<'a>(&'a self, assertion: &'a Assertion<'a>) -> Credentials<'a> {
        Credentials { assertion: Some(assertion), ..self.credentials() }
    }

    /// What an assertion is made of, anew for each request; `input` writes what a key signs, if the service wants that.
    pub(crate) fn sign(
        &self,
        input: impl for<'b> FnOnce(&Credentials<'_>, &'b mut [u8]) -> Result<&'b [u8], Error>,
    ) -> Result<Signed, Failure> {
        let mut signed = Signed {
            random: random()?,
            wall: clock::wall().unwrap_or_default(),
            key: self.key.clone(),
            signature: None,
        };
        if let Some(key) = &self.key {
            let mut out = vec![0; 64 << 10];
            // What is missing the request is refused for.
            if let Ok(input) = input(&self.asserting(&signed.assertion()), &mut out) {
                signed.signature = Some(key.sign(input)?);
            }
        }
        Ok(signed)
    }
}

/// What the assertion of one request is made of.
pub(crate) struct Signed {
    random: [u8; 16],
    wall: UnixTime,
    key: Option<Arc<ClientKey>>,
    signature: Option<Vec<u8>>,
}

impl Signed {
    pub(crate) fn assertion(&self) -> Assertion<'_> {
        let key = self.key.as_deref();
        Assertion {
            random: self.random,
            wall: self.wall,
            key_id: key.and_then(|key| key.id.as_deref()),
            certificate_thumbprint: key.and_then(|key| key.certificate_thumbprint.as_deref()),
            algorithm: key.map(|key| key.algorithm),
            signature: self.signature.as_deref(),
        }
    }
}

impl Drop for Presented {
    fn drop(&mut self) {
        let values = self.values.iter_mut().map(|(_, value)| value);
        for secret in
            [&mut self.client_secret, &mut self.password, &mut self.bearer].into_iter().chain(values)
        {
            let mut bytes = std::mem::take(secret).into_bytes();
            tokenward::wipe(&mut bytes);
        }
    }
}

/// What a prompt may ask for, or that nobody is there to answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// On a terminal, by a prompt.
    Prompt,
    /// Never: a missing credential stays empty.
    Never,
}

impl Sources {
    /// Whether a token that someone else issued stands where a newer one may be put.
    pub(crate) const fn can_be_read_again(&self) -> bool {
        self.bearer_file.is_some()
    }

    /// Reads what `provider` needs for its grants.
    pub(crate) fn read(&self, provider: &Provider<'_>, ask: Ask) -> Result<Presented, Failure> {
        let needs = Needs::of(provider);
        let read = |needed: bool, credential: Credential<'_>| -> Result<String, Failure> {
            if needed { credential.read(ask) } else { Ok(String::new()) }
        };
        let id = |value, variable, option, asked| Credential {
            value,
            file: None,
            variable,
            option,
            asked,
            secret: false,
        };
        let secret = |file, variable, option, asked| Credential {
            value: None,
            file,
            variable,
            option,
            asked,
            secret: true,
        };
        Ok(Presented {
            client_id: read(
                needs.client_id,
                id(self.client_id.as_deref(), "TOKENWARD_CLIENT_ID", "--client-id ID", "Client id"),
            )?,
            client_secret: read(
                needs.client_secret,
                secret(
                    self.client_secret_file.as_deref(),
                    "TOKENWARD_CLIENT_SECRET",
                    "--client-secret-file FILE",
                    "Client secret",
                ),
            )?,
            username: read(
                needs.user,
                id(self.username.as_deref(), "TOKENWARD_USERNAME", "--username NAME", "User name"),
            )?,
            password: read(
                needs.user,
                secret(
                    self.password_file.as_deref(),
                    "TOKENWARD_PASSWORD",
                    "--password-file FILE",
                    "Password",
                ),
            )?,
            bearer: read(
                needs.bearer,
                secret(self.bearer_file.as_deref(), "TOKENWARD_BEARER", "--bearer-file FILE", "Token"),
            )?,
            key: self.client_key(needs.key && ask == Ask::Prompt)?,
            values: places(provider)
                .into_iter()
                .map(|name| Ok((name.to_owned(), self.value(name, ask)?)))
                .collect::<Result<_, Failure>>()?,
        })
    }

    fn client_key(&self, needed: bool) -> Result<Option<Arc<ClientKey>>, Failure> {
        match &self.key {
            Some(file) => {
                let id = self.key_id.clone();
                let key = ClientKey::read(file, self.key_algorithm, id, self.certificate.as_deref())?;
                Ok(Some(Arc::new(key)))
            }
            None if needed => {
                Err(Failure::usage("the client signs its requests: give --key FILE with its private key"))
            }
            None => Ok(None),
        }
    }

    /// What stands for `{name}`.
    fn value(&self, name: &str, ask: Ask) -> Result<String, Failure> {
        let given = |pairs: &[(String, String)]| {
            pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone())
        };
        let file = given(&self.value_files).map(PathBuf::from);
        Credential {
            value: given(&self.values).as_deref(),
            file: file.as_deref(),
            variable: &format!("{VALUE_VARIABLE}{}", name.to_ascii_uppercase()),
            option: &format!("--value-file {name}=FILE"),
            asked: &format!("{{{name}}}"),
            secret: true,
        }
        .read(ask)
    }

    /// Whether a value was given where everybody may read it.
    pub(crate) fn is_told(&self, name: &str) -> bool {
        self.values.iter().any(|(told, _)| told == name)
    }
}

/// The names that a caller has to give values for.
pub(crate) fn places<'a>(provider: &Provider<'a>) -> BTreeSet<&'a str> {
    let Some(requests) = provider.requests else { return BTreeSet::new() };
    let fields = requests.headers.unwrap_or_default().iter().map(|(_, value)| *value);
    let parameters = requests.parameters.unwrap_or_default().iter().map(|parameter| parameter.value);
    let named = |value: &'a str| value.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    fields.chain(parameters).flat_map(named).filter(|name| *name != "access_token").collect()
}

/// Which credentials the provider's grants present.
struct Needs {
    client_id: bool,
    client_secret: bool,
    user: bool,
    bearer: bool,
    key: bool,
}

impl Needs {
    fn of(provider: &Provider<'_>) -> Self {
        let signs_in = provider.authorization_url.is_some() || provider.device_path.is_some();
        let asks = provider.primary_grant.is_some() || provider.refresh_grant || signs_in;
        let authentication = provider.authentication.filter(|_| asks);
        let public = authentication == Some(ClientAuthentication::NONE);
        let key = authentication == Some(ClientAuthentication::PRIVATE_KEY_JWT);
        // Without a grant the token itself comes from elsewhere.
        let bearer = !asks || authentication == Some(ClientAuthentication::BEARER);
        Self {
            client_id: !bearer,
            client_secret: !bearer && !public && !key,
            user: provider.primary_grant == Some(Grant::Password),
            bearer,
            key,
        }
    }
}

struct Credential<'a> {
    value: Option<&'a str>,
    file: Option<&'a Path>,
    variable: &'a str,
    option: &'a str,
    asked: &'a str,
    secret: bool,
}

impl Credential<'_> {
    fn read(&self, ask: Ask) -> Result<String, Failure> {
        if let Some(value) = self.value {
            return Ok(value.to_owned());
        }
        if let Some(file) = self.file {
            let text = fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}; give a readable file", file.display()))
            })?;
            // Editors end a file with a line feed.
            return Ok(text
                .strip_suffix('\n')
                .map_or(text.as_str(), |text| text.trim_end_matches('\r'))
                .to_owned());
        }
        if let Ok(value) = env::var(self.variable)
            && !value.is_empty()
        {
            return Ok(value);
        }
        let Self { variable, option, asked, .. } = self;
        if ask == Ask::Never {
            return Ok(String::new());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::usage(format!(
                "{variable} is not set: set it, give {option}, or run on a terminal to be asked"
            )));
        }
        let answered = if self.secret {
            rpassword::prompt_password(format!("{asked}: "))
        } else {
            eprint!("{asked}: ");
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|_| line.trim_end_matches(['\r', '\n']).to_owned())
        };
        match answered {
            Ok(answer) if !answer.is_empty() => Ok(answer),
            Ok(_) => Err(Failure::usage(format!("nothing was entered: set {variable} or give {option}"))),
            Err(error) => {
                Err(Failure::usage(format!("cannot ask: {error}; set {variable} or give {option}")))
            }
        }
    }
}
