//! An age plugin for the tests: it behaves as a hardware key's does, and protects nothing.
//!
//! An identity's first byte says how its key behaves; the bytes after it are the key, and the
//! recipient.

use std::collections::{HashMap, HashSet};
use std::io;

use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret as _;
use age_plugin::{
    Callbacks, PluginHandler, identity, identity::IdentityPluginV1, recipient,
    recipient::RecipientPluginV1, run_state_machine,
};
use sha2::{Digest as _, Sha256};

const TAG: &str = "conclavetest";

const WANTS_TOUCH: u8 = 0;
const WANTS_PIN: u8 = 1;
const NEVER_TOUCHED: u8 = 2;
const DIES: u8 = 3;
const WANTS_YES: u8 = 4;

const PIN: &str = "123456";

/// Turns a file key into a stanza's body, and back.
fn masked(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mask = Sha256::digest(key);
    bytes.iter().zip(mask).map(|(a, b)| a ^ b).collect()
}

fn name_of(key: &[u8]) -> String {
    let digest = Sha256::digest([b"name", key].concat());
    digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[derive(Default)]
struct Recipients(Vec<Vec<u8>>);

impl RecipientPluginV1 for Recipients {
    fn add_recipient(&mut self, _: usize, _: &str, bytes: &[u8]) -> Result<(), recipient::Error> {
        self.0.push(bytes.to_vec());
        Ok(())
    }

    fn add_identity(&mut self, index: usize, _: &str, _: &[u8]) -> Result<(), recipient::Error> {
        Err(recipient::Error::Identity {
            index,
            message: "only recipients are encrypted to".to_owned(),
        })
    }

    fn labels(&mut self) -> HashSet<String> {
        HashSet::new()
    }

    fn wrap_file_keys(
        &mut self,
        file_keys: Vec<FileKey>,
        _: impl Callbacks<recipient::Error>,
    ) -> io::Result<Result<Vec<Vec<Stanza>>, Vec<recipient::Error>>> {
        let stanza = |file_key: &FileKey, key: &Vec<u8>| Stanza {
            tag: TAG.to_owned(),
            args: vec![name_of(key)],
            body: masked(key, file_key.expose_secret()),
        };
        let all = file_keys.iter().map(|file_key| {
            let recipients = self.0.iter();
            recipients.map(|key| stanza(file_key, key)).collect()
        });
        Ok(Ok(all.collect()))
    }
}

#[derive(Default)]
struct Identities(Vec<(u8, Vec<u8>)>);

/// Waits for the person as the key does; `Err` says why the key gave up.
fn waited(
    behaviour: u8,
    callbacks: &mut impl Callbacks<identity::Error>,
) -> io::Result<Result<(), String>> {
    Ok(match behaviour {
        WANTS_TOUCH => {
            let _ = callbacks.message("please touch the key")?;
            Ok(())
        }
        WANTS_PIN => match callbacks.request_secret("PIN of the key:")? {
            Ok(pin) if pin.expose_secret() == PIN => Ok(()),
            Ok(_) => Err("the PIN is wrong".to_owned()),
            Err(_) => Err("no PIN was given".to_owned()),
        },
        WANTS_YES => match callbacks.confirm("Use the key?", "use it", Some("leave it"))? {
            Ok(true) => Ok(()),
            _ => Err("the key was left alone".to_owned()),
        },
        NEVER_TOUCHED => {
            let _ = callbacks.message("please touch the key")?;
            Err("the key was not touched in time".to_owned())
        }
        DIES => std::process::abort(),
        _ => Err("no such key".to_owned()),
    })
}

impl IdentityPluginV1 for Identities {
    fn add_identity(&mut self, index: usize, _: &str, bytes: &[u8]) -> Result<(), identity::Error> {
        let Some((behaviour, key)) = bytes.split_first() else {
            return Err(identity::Error::Identity {
                index,
                message: "the identity is empty".to_owned(),
            });
        };
        self.0.push((*behaviour, key.to_vec()));
        Ok(())
    }

    fn unwrap_file_keys(
        &mut self,
        files: Vec<Vec<Stanza>>,
        mut callbacks: impl Callbacks<identity::Error>,
    ) -> io::Result<HashMap<usize, Result<FileKey, Vec<identity::Error>>>> {
        let mut opened = HashMap::new();
        for (file, stanzas) in files.iter().enumerate() {
            for (index, (behaviour, key)) in self.0.iter().enumerate() {
                let own = |stanza: &&Stanza| stanza.tag == TAG && stanza.args == [name_of(key)];
                let Some(stanza) = stanzas.iter().find(own) else {
                    continue;
                };
                let result = match waited(*behaviour, &mut callbacks)? {
                    Ok(()) => FileKey::try_init_with_mut(|file_key| {
                        let plain = masked(key, &stanza.body);
                        if plain.len() != file_key.len() {
                            return Err(vec![]);
                        }
                        file_key.copy_from_slice(&plain);
                        Ok(())
                    }),
                    Err(message) => Err(vec![identity::Error::Identity { index, message }]),
                };
                opened.insert(file, result);
            }
        }
        Ok(opened)
    }
}

struct Handler;

impl PluginHandler for Handler {
    type RecipientV1 = Recipients;
    type IdentityV1 = Identities;

    fn recipient_v1(self) -> io::Result<Recipients> {
        Ok(Recipients::default())
    }

    fn identity_v1(self) -> io::Result<Identities> {
        Ok(Identities::default())
    }
}

fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let machine = argument.strip_prefix("--age-plugin=");
    run_state_machine(machine.unwrap_or_default(), Handler)
}
