//! Age keys that people bring: recipients to encrypt to, and identity files to decrypt with.
//!
//! A key is either native (X25519) or belongs to an age plugin, a program `age-plugin-NAME` on the
//! `PATH` that speaks for a hardware key. What a plugin wants of a person goes through [`Talk`].

use std::fmt;
use std::sync::Arc;

use age::secrecy::SecretString;

use super::wrap::WrapError;
use crate::secret::{Passphrase, SecretBytes};

/// The most bytes of an identity file.
pub const MAX_IDENTITY_FILE_BYTES: u64 = 64 << 10;

/// The most keys that an identity file may hold.
pub const MAX_IDENTITIES: usize = 64;

/// The most characters of a recipient: post-quantum ones have about 2000.
const MAX_RECIPIENT_CHARS: usize = 8192;

/// The most characters of what a plugin says that an error repeats.
const MAX_TOLD_CHARS: usize = 400;

/// What a plugin may want of a person while it works. `None` says that nobody can be asked.
pub trait Talk: Send + Sync + fmt::Debug {
    /// Shows a message, such as the request to touch a key.
    fn tell(&self, message: &str);
    /// Asks for one of two things; `true` is the first.
    fn choose(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool>;
    /// Asks for something that is no secret.
    fn ask(&self, what: &str) -> Option<String>;
    /// Asks for a secret, such as a PIN.
    fn ask_secret(&self, what: &str) -> Option<Passphrase>;
}

/// Why a recipient or an identity file was refused. None of these quotes a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `age1…`, or mistyped.
    #[error("is no age recipient: those begin with age1, and a mistyped one is noticed")]
    Recipient,
    /// A secret key where a public one belongs.
    #[error("is an age identity, which is secret; give the recipient (age1…) that belongs to it")]
    SecretRecipient,
    /// Not UTF-8.
    #[error("is no age identity file: it is not text")]
    NotText,
    /// A line that is no identity.
    #[error("is no age identity file: line {0} is neither a comment nor an age identity")]
    Line(usize),
    /// A file of an age identity that is itself encrypted.
    #[error("is encrypted; decrypt it first with `age --decrypt`")]
    Encrypted,
    /// No identity at all.
    #[error("holds no age identity")]
    Empty,
    /// More than [`MAX_IDENTITIES`].
    #[error("holds more than {MAX_IDENTITIES} age identities")]
    TooMany,
}

/// A recipient: what something is encrypted to.
#[derive(Clone)]
pub enum Recipient {
    /// An X25519 key.
    Native(age::x25519::Recipient),
    /// A plugin's.
    Plugin(age::plugin::Recipient),
}

impl std::str::FromStr for Recipient {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let upper = text.get(..4).unwrap_or_default().to_ascii_uppercase();
        if upper == "AGE-" {
            return Err(KeyError::SecretRecipient);
        }
        if text.len() > MAX_RECIPIENT_CHARS {
            return Err(KeyError::Recipient);
        }
        text.parse()
            .map(Self::Native)
            .or_else(|_| text.parse().map(Self::Plugin))
            .map_err(|_| KeyError::Recipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native(recipient) => recipient.fmt(f),
            Self::Plugin(recipient) => recipient.fmt(f),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

impl Recipient {
    /// The program that speaks for it, unless it is native.
    pub fn plugin(&self) -> Option<String> {
        match self {
            Self::Native(_) => None,
            Self::Plugin(recipient) => Some(format!("age-plugin-{}", recipient.plugin())),
        }
    }

    /// What encrypts to it.
    pub(super) fn encryptor(
        &self,
        talk: &Arc<dyn Talk>,
    ) -> Result<Box<dyn age::Recipient>, age::EncryptError> {
        Ok(match self {
            Self::Native(recipient) => Box::new(recipient.clone()),
            Self::Plugin(recipient) => Box::new(age::plugin::RecipientPluginV1::new(
                recipient.plugin(),
                std::slice::from_ref(recipient),
                &[],
                Callbacks(Arc::clone(talk)),
            )?),
        })
    }
}

/// The keys of an identity file.
pub struct Identities {
    native: Vec<age::x25519::Identity>,
    plugins: Vec<age::plugin::Identity>,
    talk: Arc<dyn Talk>,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identities(<secret>)")
    }
}

impl Identities {
    /// Reads an identity file as `age-keygen` and the plugins write it: one identity a line, beside
    /// comments and blank lines.
    pub fn parse(file: &SecretBytes, talk: Arc<dyn Talk>) -> Result<Self, KeyError> {
        let mut keys = Self {
            native: Vec::new(),
            plugins: Vec::new(),
            talk,
        };
        file.expose(|bytes| {
            if bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE") {
                return Err(KeyError::Encrypted);
            }
            let text = std::str::from_utf8(bytes).map_err(|_| KeyError::NotText)?;
            for (number, line) in (1..).zip(text.lines()) {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                if let Ok(key) = line.parse() {
                    keys.native.push(key);
                } else {
                    let key = line.parse().map_err(|_| KeyError::Line(number))?;
                    keys.plugins.push(key);
                }
                if keys.native.len().saturating_add(keys.plugins.len()) > MAX_IDENTITIES {
                    return Err(KeyError::TooMany);
                }
            }
            Ok(())
        })?;
        if keys.native.is_empty() && keys.plugins.is_empty() {
            return Err(KeyError::Empty);
        }
        Ok(keys)
    }

    /// What decrypts with them, the native ones first: they ask nobody.
    pub(super) fn decryptors(&self) -> Result<Vec<Box<dyn age::Identity>>, age::DecryptError> {
        let native = self.native.iter().cloned();
        let mut all: Vec<Box<dyn age::Identity>> = native
            .map(|key| Box::new(key) as Box<dyn age::Identity>)
            .collect();
        let mut names: Vec<&str> = self.plugins.iter().map(|key| key.plugin()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            all.push(Box::new(age::plugin::IdentityPluginV1::new(
                name,
                &self.plugins,
                Callbacks(Arc::clone(&self.talk)),
            )?));
        }
        Ok(all)
    }
}

/// Says what plugins reported, on one line and bounded.
pub(super) fn told<E: fmt::Display>(errors: &[E]) -> WrapError {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let line = texts.join("; ").replace(['\n', '\r'], " ");
    // The library brackets what it inserts with marks of direction.
    let line = line.replace(['\u{2068}', '\u{2069}'], "");
    WrapError::Plugin(line.trim().chars().take(MAX_TOLD_CHARS).collect())
}

#[derive(Clone)]
struct Callbacks(Arc<dyn Talk>);

impl age::Callbacks for Callbacks {
    fn display_message(&self, message: &str) {
        self.0.tell(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.0.choose(message, yes, no)
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.0.ask(description)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        let secret = self.0.ask_secret(description)?;
        Some(secret.expose(|text| SecretString::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use age::secrecy::ExposeSecret as _;

    #[derive(Debug)]
    struct Nobody;

    impl Talk for Nobody {
        fn tell(&self, _: &str) {}
        fn choose(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
            None
        }
        fn ask(&self, _: &str) -> Option<String> {
            None
        }
        fn ask_secret(&self, _: &str) -> Option<Passphrase> {
            None
        }
    }

    fn parse(text: &[u8]) -> Result<Identities, KeyError> {
        Identities::parse(&Secret::new(text.to_vec()), Arc::new(Nobody))
    }

    #[test]
    fn recipients_are_public_keys_that_were_typed_right() {
        let key = age::x25519::Identity::generate();
        let native = key.to_public().to_string();
        let parsed: Recipient = native.parse().unwrap();
        assert_eq!(parsed.to_string(), native);
        assert_eq!(parsed.plugin(), None);
        // The specification's test recipient of a plugin.
        let plugin = "age1name1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqsh4uch";
        if let Ok(parsed) = plugin.parse::<Recipient>() {
            assert_eq!(parsed.plugin().unwrap(), "age-plugin-name");
        }
        let mut typo = native.clone();
        typo.pop();
        typo.push(if native.ends_with('q') { 'p' } else { 'q' });
        for wrong in ["", "age1", "ssh-ed25519 AAAA", typo.as_str(), "äge1"] {
            assert_eq!(wrong.parse::<Recipient>().unwrap_err(), KeyError::Recipient);
        }
        let secret = key.to_string();
        let error = secret.expose_secret().parse::<Recipient>().unwrap_err();
        assert_eq!(error, KeyError::SecretRecipient);
    }

    #[test]
    fn identity_files_are_read_as_age_writes_them() {
        let key = age::x25519::Identity::generate();
        let line = key.to_string();
        let line = line.expose_secret();
        let public = key.to_public();
        let file = format!("# created: today\r\n# public key: {public}\n\n  {line}\r\n");
        assert_eq!(parse(file.as_bytes()).unwrap().native.len(), 1);
        assert_eq!(
            parse(&line.as_bytes()[..40]).unwrap_err(),
            KeyError::Line(1)
        );
        assert_eq!(
            parse(format!("\n{line}\nage1x\n").as_bytes()).unwrap_err(),
            KeyError::Line(3)
        );
        assert_eq!(parse(b"# nothing\n").unwrap_err(), KeyError::Empty);
        assert_eq!(parse(b"\xff").unwrap_err(), KeyError::NotText);
        let many = format!("{line}\n").repeat(MAX_IDENTITIES + 1);
        assert_eq!(parse(many.as_bytes()).unwrap_err(), KeyError::TooMany);
        let sealed = b"age-encryption.org/v1\n-> scrypt x 18\n";
        assert_eq!(parse(sealed).unwrap_err(), KeyError::Encrypted);
        assert_eq!(
            format!("{:?}", parse(line.as_bytes()).unwrap()),
            "Identities(<secret>)"
        );
    }

    #[test]
    fn what_a_plugin_reports_is_one_bounded_line() {
        let error = format!("no\n\u{2068}key\u{2069}{}", "!".repeat(1000));
        let WrapError::Plugin(text) = told(&[error]) else {
            panic!()
        };
        assert!(text.starts_with("no key!"));
        assert_eq!(text.chars().count(), MAX_TOLD_CHARS);
    }
}
