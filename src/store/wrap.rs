//! The home key: one age X25519 key to which everything secret in a home is encrypted, itself
//! wrapped once by a passphrase or by an age recipient (format: <https://c2sp.org/age>).
//!
//! The `age` crate draws home keys, file keys and salts from the operating system's randomness by
//! itself; they are the only random bytes that do not pass through [`crate::ambient`]. The one
//! public thing they decide is the home key's recipient in `home.json`. Every file made here opens with the `age` command as well.

use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::Arc;

use age::secrecy::{ExposeSecret as _, SecretString};

use super::keys::{self, Identities, Talk};
use crate::secret::{Passphrase, Secret, SecretBytes};

/// The cost of turning a passphrase into a key: scrypt with N = 2^log_n, r = 8, p = 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkFactor(u8);

impl WorkFactor {
    /// N = 2^18: about a second and 256 MiB.
    pub const DEFAULT: Self = Self(18);
    /// N = 2^20: the most that is ever accepted or made; 1 GiB.
    pub const MAX: Self = Self(20);

    /// Takes `log_n` from 1 to 20.
    pub fn new(log_n: u8) -> Option<Self> {
        (1..=Self::MAX.0).contains(&log_n).then_some(Self(log_n))
    }

    /// The binary logarithm of N.
    pub const fn log_n(self) -> u8 {
        self.0
    }
}

/// What a new home key is wrapped by.
#[derive(Debug)]
pub enum Wrap {
    /// A passphrase, at this cost.
    Passphrase(Passphrase, WorkFactor),
    /// Somebody's age key.
    Recipient(age::x25519::Recipient),
    /// Any age recipient, a plugin's included, which may talk to the person.
    Key(keys::Recipient, Arc<dyn Talk>),
}

impl Wrap {
    /// The recipient, unless it is a passphrase.
    pub fn recipient(&self) -> Option<String> {
        match self {
            Self::Passphrase(..) => None,
            Self::Recipient(recipient) => Some(recipient.to_string()),
            Self::Key(recipient, _) => Some(recipient.to_string()),
        }
    }

    fn encryptor(&self) -> Result<Box<dyn age::Recipient>, WrapError> {
        Ok(match self {
            Self::Passphrase(passphrase, work) => {
                let mut recipient = age::scrypt::Recipient::new(secret_string(passphrase));
                recipient.set_work_factor(work.0);
                Box::new(recipient)
            }
            Self::Recipient(recipient) => Box::new(recipient.clone()),
            Self::Key(recipient, talk) => recipient.encryptor(talk).map_err(explain_encryption)?,
        })
    }
}

/// What opens a home key.
pub enum Unlock {
    /// The passphrase that it was wrapped by.
    Passphrase(Passphrase),
    /// The age key that it was wrapped to.
    Identity(age::x25519::Identity),
    /// The keys of an identity file, one of which it was wrapped to.
    Keys(Identities),
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unlock::Passphrase(_) => "Unlock::Passphrase(<secret>)",
            Unlock::Identity(_) => "Unlock::Identity(<secret>)",
            Unlock::Keys(_) => "Unlock::Keys(<secret>)",
        })
    }
}

/// Why something did not encrypt or decrypt; the caller adds the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// The passphrase does not open the home key.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The file is encrypted to another age key, or to a passphrase instead of a key or the reverse.
    #[error("is not encrypted to this key")]
    WrongKey,
    /// The file asks for more than [`WorkFactor::MAX`].
    #[error("asks for scrypt work 2^{0}; at most 2^{max} is accepted", max = WorkFactor::MAX.0)]
    ExcessiveWork(u8),
    /// The file was changed, cut or never was an age file.
    #[error("is damaged or not an age file")]
    Damaged,
    /// Encryption failed.
    #[error("could not be encrypted")]
    Encryption,
    /// The age plugin with this name is not on the `PATH`.
    #[error("needs the program {0}, which is not installed (not on the PATH)")]
    NoPlugin(String),
    /// An age plugin gave up, for this reason.
    #[error("was not opened or made, as its age plugin reports: {0}")]
    Plugin(String),
}

/// A home key in memory.
pub struct HomeKey {
    identity: age::x25519::Identity,
    recipient: age::x25519::Recipient,
}

impl fmt::Debug for HomeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HomeKey(<secret>)")
    }
}

impl HomeKey {
    /// Makes a fresh home key, from the operating system's randomness.
    pub fn generate() -> Self {
        Self::from_identity(age::x25519::Identity::generate())
    }

    /// The public form: `age1…`, 62 characters.
    pub fn recipient(&self) -> String {
        self.recipient.to_string()
    }

    /// Encrypts `secret` to the home key.
    pub fn encrypt(&self, secret: &SecretBytes) -> Result<Vec<u8>, WrapError> {
        secret.expose(|bytes| encrypt_to(std::iter::once(&self.recipient as _), bytes))
    }

    /// Decrypts what [`Self::encrypt`] made.
    pub fn decrypt(&self, file: &[u8]) -> Result<SecretBytes, WrapError> {
        decrypt_with(std::iter::once(&self.identity as _), file)
    }

    /// Wraps the key. The plaintext is an age identity file of one line, so that
    /// `age --decrypt home-key.age` gives what `age --decrypt --identity` takes.
    pub fn wrap(&self, by: &Wrap) -> Result<Vec<u8>, WrapError> {
        let text = self.identity.to_string();
        let text = text.expose_secret().as_bytes();
        // Made long enough at once: a vector that grows leaves its old bytes behind.
        let mut line = Secret::new(Vec::with_capacity(text.len().saturating_add(1)));
        line.expose_mut(|line| {
            line.extend_from_slice(text);
            line.push(b'\n');
        });
        line.expose(|line| seal(std::slice::from_ref(by), line))
    }

    /// Unwraps a key that [`Self::wrap`] wrapped.
    pub fn unwrap(file: &[u8], by: &Unlock) -> Result<Self, WrapError> {
        unseal(file, by)?.expose(|line| {
            let text = std::str::from_utf8(line).map_err(|_| WrapError::Damaged)?;
            let identity = text.trim_end().parse().map_err(|_| WrapError::Damaged)?;
            Ok(Self::from_identity(identity))
        })
    }

    /// Checks that a file of [`Self::wrap`] opens with the passphrase.
    pub fn check_passphrase(file: &[u8], passphrase: &Passphrase) -> Result<(), WrapError> {
        open_with_passphrase(file, passphrase).map(|_| ())
    }

    fn from_identity(identity: age::x25519::Identity) -> Self {
        let recipient = identity.to_public();
        Self {
            identity,
            recipient,
        }
    }
}

/// Encrypts bytes to one passphrase, or to one or several recipients.
pub fn seal(by: &[Wrap], bytes: &[u8]) -> Result<Vec<u8>, WrapError> {
    let recipients = by
        .iter()
        .map(Wrap::encryptor)
        .collect::<Result<Vec<_>, _>>()?;
    encrypt_to(recipients.iter().map(|recipient| &**recipient), bytes)
}

/// Decrypts what [`seal`] made.
pub fn unseal(file: &[u8], by: &Unlock) -> Result<SecretBytes, WrapError> {
    match by {
        Unlock::Passphrase(passphrase) => open_with_passphrase(file, passphrase),
        Unlock::Identity(identity) => decrypt_with(std::iter::once(identity as _), file),
        Unlock::Keys(keys) => {
            // Before a plugin is started: a passphrase's file opens by none of them.
            if is_passphrase_file(file) {
                return Err(WrapError::WrongKey);
            }
            let keys = keys.decryptors().map_err(explain)?;
            decrypt_with(keys.iter().map(|key| &**key), file)
        }
    }
}

/// Says whether a file is an age file, whoever can open it.
pub fn is_age_file(file: &[u8]) -> bool {
    age::Decryptor::new_buffered(file).is_ok()
}

/// Says whether a file is an age file that a passphrase opens.
pub fn is_passphrase_file(file: &[u8]) -> bool {
    age::Decryptor::new_buffered(file).is_ok_and(|decryptor| decryptor.is_scrypt())
}

fn encrypt_to<'r>(
    recipients: impl Iterator<Item = &'r dyn age::Recipient>,
    bytes: &[u8],
) -> Result<Vec<u8>, WrapError> {
    let encryptor = age::Encryptor::with_recipients(recipients).map_err(explain_encryption)?;
    let mut file = Vec::new();
    encryptor
        .wrap_output(&mut file)
        .and_then(|mut writer| {
            writer.write_all(bytes)?;
            writer.finish()
        })
        .map_err(|_| WrapError::Encryption)?;
    Ok(file)
}

fn decrypt_with<'i>(
    identities: impl Iterator<Item = &'i dyn age::Identity>,
    file: &[u8],
) -> Result<SecretBytes, WrapError> {
    let mut reader = age::Decryptor::new_buffered(file)
        .and_then(|decryptor| decryptor.decrypt(identities))
        .map_err(explain)?;
    // A plaintext is shorter than its file, so the buffer never moves and leaves no copy behind.
    let mut plain = Secret::new(Vec::with_capacity(file.len()));
    plain
        .expose_mut(|plain| reader.read_to_end(plain))
        .map_err(|_| WrapError::Damaged)?;
    Ok(plain)
}

fn open_with_passphrase(file: &[u8], passphrase: &Passphrase) -> Result<SecretBytes, WrapError> {
    let mut identity = age::scrypt::Identity::new(secret_string(passphrase));
    identity.set_max_work_factor(WorkFactor::MAX.0);
    decrypt_with(std::iter::once(&identity as _), file).map_err(|error| match error {
        WrapError::WrongKey if is_passphrase_file(file) => WrapError::WrongPassphrase,
        other => other,
    })
}

fn explain(error: age::DecryptError) -> WrapError {
    match error {
        age::DecryptError::NoMatchingKeys
        | age::DecryptError::DecryptionFailed
        | age::DecryptError::KeyDecryptionFailed => WrapError::WrongKey,
        age::DecryptError::ExcessiveWork { required, .. } => WrapError::ExcessiveWork(required),
        age::DecryptError::MissingPlugin { binary_name } => WrapError::NoPlugin(binary_name),
        age::DecryptError::Plugin(errors) => keys::told(&errors),
        age::DecryptError::Io(error) if is_dead_plugin(&error) => dead_plugin(),
        _ => WrapError::Damaged,
    }
}

fn explain_encryption(error: age::EncryptError) -> WrapError {
    match error {
        age::EncryptError::MissingPlugin { binary_name } => WrapError::NoPlugin(binary_name),
        age::EncryptError::Plugin(errors) => keys::told(&errors),
        age::EncryptError::Io(error) if is_dead_plugin(&error) => dead_plugin(),
        _ => WrapError::Encryption,
    }
}

/// A file in memory is never the other end of a broken connection.
fn is_dead_plugin(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
    )
}

fn dead_plugin() -> WrapError {
    WrapError::Plugin("it ended before it had answered".to_owned())
}

fn secret_string(passphrase: &Passphrase) -> SecretString {
    passphrase.expose(|text| SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: WorkFactor = WorkFactor(2);

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.to_owned()).unwrap()
    }

    fn secret(bytes: &[u8]) -> SecretBytes {
        Secret::new(bytes.to_vec())
    }

    #[test]
    fn the_default_cost_is_fixed() {
        assert_eq!(WorkFactor::DEFAULT.log_n(), 18);
        assert_eq!(WorkFactor::MAX.log_n(), 20);
        assert_eq!(WorkFactor::new(0), None);
        assert_eq!(WorkFactor::new(21), None);
        assert_eq!(WorkFactor::new(18), Some(WorkFactor::DEFAULT));
    }

    #[test]
    fn a_wrapped_key_opens_what_the_key_encrypted() {
        let key = HomeKey::generate();
        let sealed = key.encrypt(&secret(b"payload")).unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"payload"));

        let file = key
            .wrap(&Wrap::Passphrase(passphrase("horse"), FAST))
            .unwrap();
        let again = HomeKey::unwrap(&file, &Unlock::Passphrase(passphrase("horse"))).unwrap();
        assert!(again.decrypt(&sealed).unwrap().ct_eq(&secret(b"payload")));

        let outer = age::x25519::Identity::generate();
        let file = key.wrap(&Wrap::Recipient(outer.to_public())).unwrap();
        let again = HomeKey::unwrap(&file, &Unlock::Identity(outer)).unwrap();
        assert_eq!(again.recipient(), key.recipient());
    }

    #[test]
    fn each_reason_not_to_open_has_its_own_error() {
        let key = HomeKey::generate();
        let by_passphrase = key
            .wrap(&Wrap::Passphrase(passphrase("horse"), FAST))
            .unwrap();
        let outer = age::x25519::Identity::generate();
        let by_recipient = key.wrap(&Wrap::Recipient(outer.to_public())).unwrap();
        let open = |file: &[u8], unlock: &Unlock| HomeKey::unwrap(file, unlock).unwrap_err();
        let horse = Unlock::Passphrase(passphrase("horse"));
        let identity = Unlock::Identity(outer);

        assert_eq!(
            open(&by_passphrase, &Unlock::Passphrase(passphrase("mule"))),
            WrapError::WrongPassphrase
        );
        assert_eq!(open(&by_passphrase, &identity), WrapError::WrongKey);
        assert_eq!(open(&by_recipient, &horse), WrapError::WrongKey);
        assert_eq!(
            open(
                &by_recipient,
                &Unlock::Identity(age::x25519::Identity::generate())
            ),
            WrapError::WrongKey
        );
        for cut in [0, 1, 40, by_recipient.len() - 1] {
            assert_eq!(open(&by_recipient[..cut], &identity), WrapError::Damaged);
        }
        let mut flipped = by_recipient.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(open(&flipped, &identity), WrapError::Damaged);

        // The work is refused before it is done: 2^21 would take a noticeable time and 2 GiB.
        let text = String::from_utf8_lossy(&by_passphrase).into_owned();
        let line = text.lines().nth(1).unwrap();
        let expensive = line.replace(" 2", " 21");
        assert!(line.ends_with(" 2") && expensive.ends_with(" 21"));
        let at = by_passphrase
            .windows(line.len())
            .position(|window| window == line.as_bytes())
            .unwrap();
        let mut file = by_passphrase[..at].to_vec();
        file.extend_from_slice(expensive.as_bytes());
        file.extend_from_slice(&by_passphrase[at + line.len()..]);
        assert_eq!(open(&file, &horse), WrapError::ExcessiveWork(21));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = HomeKey::generate();
        assert_eq!(format!("{key:?}"), "HomeKey(<secret>)");
        assert!(format!("{:?}", Unlock::Passphrase(passphrase("horse"))).ends_with("(<secret>)"));
        let wrap = Wrap::Passphrase(passphrase("horse"), FAST);
        assert!(!format!("{wrap:?}").contains("horse"));
    }
}
