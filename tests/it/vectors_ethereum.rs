//! Networks, signing roots and deposits against published vectors.

use std::collections::BTreeSet;

use conclave::crypto::bls::{self, SigningRoot};
use conclave::crypto::scalar::Scalar;
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::bls_change::BlsToExecutionChange;
use conclave::ethereum::deposit::{self, DepositData, DepositEntry, DepositMessage};
use conclave::ethereum::exit::VoluntaryExit;
use conclave::ethereum::network::{Network, NetworkSpec};
use conclave::ethereum::registration::ValidatorRegistration;
use conclave::ethereum::signing_root::{DomainType, Root, compute_domain, signing_root};
use conclave::ethereum::withdrawal::WithdrawalCredentials;
use serde_json::{Value, json};

use crate::vectors::{array, folder, hex, int, load};

#[test]
fn networks_agree_with_their_published_configuration() {
    let Some(folder) = folder() else { return };
    let networks = load(folder.join("eth/networks.json"));
    for network in Network::ALL {
        let published = &networks["networks"][network.name];
        if network.life != conclave::ethereum::network::Life::Lasting {
            assert!(published.is_null(), "{} can be compared", network.name);
            continue;
        }
        let fork = |name: &str| hex::<4>(&published["forks"][name]["version"]);
        assert_eq!(
            network.genesis_fork_version,
            fork("genesis"),
            "{}",
            network.name
        );
        assert_eq!(
            network.capella_fork_version,
            fork("capella"),
            "{}",
            network.name
        );
        assert_eq!(
            network.genesis_validators_root,
            Some(hex::<32>(&published["genesis_validators_root"]))
        );
        assert_eq!(network.chain_id, Some(int(&published["deposit_chain_id"])));
        assert_eq!(
            network.deposit_contract.0,
            hex::<20>(&published["deposit_contract"])
        );
    }
    // No fork of any published network is the one of rehearsals.
    for published in networks["networks"].as_object().unwrap().values() {
        for fork in published["forks"].as_object().unwrap().values() {
            assert_ne!(hex::<4>(&fork["version"]), Network::REHEARSAL_FORK_VERSION);
        }
    }
}

fn deposit_message(message: &Value) -> DepositMessage {
    DepositMessage {
        pubkey: hex(&message["pubkey"]),
        credentials: WithdrawalCredentials(hex(&message["withdrawal_credentials"])),
        amount: Gwei(int(&message["amount"])),
    }
}

fn exit(message: &Value) -> VoluntaryExit {
    VoluntaryExit {
        epoch: int(&message["epoch"]),
        validator_index: int(&message["validator_index"]),
    }
}

fn registration(message: &Value) -> ValidatorRegistration {
    ValidatorRegistration {
        fee_recipient: Address(hex(&message["fee_recipient"])),
        gas_limit: int(&message["gas_limit"]),
        timestamp: int(&message["timestamp"]),
        pubkey: hex(&message["pubkey"]),
    }
}

/// Domain, object root and signing root of a vector of one of our four messages.
fn roots(
    kind: &str,
    message: &Value,
    fork: [u8; 4],
    genesis: &Root,
) -> Option<(DomainType, Root, SigningRoot)> {
    Some(match kind {
        "DepositMessage" => {
            let object = deposit_message(message);
            (
                DomainType::DEPOSIT,
                object.object_root(),
                object.signing_root(fork),
            )
        }
        "VoluntaryExit" => {
            let object = exit(message);
            (
                DomainType::VOLUNTARY_EXIT,
                object.object_root(),
                object.signing_root(fork, genesis),
            )
        }
        "BLSToExecutionChange" => {
            let object = BlsToExecutionChange {
                validator_index: int(&message["validator_index"]),
                from_bls_pubkey: hex(&message["from_bls_pubkey"]),
                to_execution_address: Address(hex(&message["to_execution_address"])),
            };
            (
                DomainType::BLS_TO_EXECUTION_CHANGE,
                object.object_root(),
                object.signing_root(fork, genesis),
            )
        }
        "ValidatorRegistrationV1" => {
            let object = registration(message);
            (
                DomainType::APPLICATION_BUILDER,
                object.object_root(),
                object.signing_root(fork),
            )
        }
        _ => return None,
    })
}

#[test]
fn signing_vectors_of_the_executable_specification() {
    let Some(folder) = folder() else { return };
    let file = load(folder.join("eth/signing_vectors.json"));
    let secret = Scalar::from_bytes(&hex(&file["secret_key"])).unwrap();
    let public = bls::public_key(&secret).unwrap();
    assert_eq!(public.to_bytes(), hex::<48>(&file["public_key"]));
    let (mut ran, mut kinds, mut others) = (0, BTreeSet::new(), BTreeSet::new());
    for vector in array(&file["vectors"]) {
        let kind = vector["type"].as_str().unwrap();
        let fork = hex::<4>(&vector["fork_version"]);
        let genesis = hex::<32>(&vector["genesis_validators_root"]);
        let Some((domain_type, object_root, root)) =
            roots(kind, &vector["message"], fork, &genesis)
        else {
            others.insert(kind.to_owned());
            continue;
        };
        // The vectors' fork is the network's own: exits the Capella one, all else genesis'.
        let network = Network::known(vector["network"].as_str().unwrap()).unwrap();
        let own = match kind {
            "VoluntaryExit" => network.spec().exit_fork_version().unwrap(),
            _ => network.genesis_fork_version,
        };
        assert_eq!(fork, own, "{kind}");
        let domain = compute_domain(domain_type, fork, &genesis);
        assert_eq!(domain.0, hex::<32>(&vector["domain"]), "{kind}");
        assert_eq!(object_root, hex::<32>(&vector["object_root"]), "{kind}");
        assert_eq!(root, signing_root(&object_root, &domain), "{kind}");
        assert_eq!(root.0, hex::<32>(&vector["signing_root"]), "{kind}");
        let signature = bls::sign(&secret, &root).unwrap();
        assert_eq!(
            signature.to_bytes(),
            hex::<96>(&vector["signature"]),
            "{kind}"
        );
        assert!(bls::verify(&public, &root, &signature));
        if kind == "DepositMessage" {
            let message = deposit_message(&vector["message"]);
            let data = DepositData {
                message,
                signature: signature.to_bytes(),
            };
            assert_eq!(data.object_root(), hex::<32>(&vector["deposit_data_root"]));
        }
        ran += 1;
        kinds.insert(kind.to_owned());
    }
    println!("{ran} signing vectors of {kinds:?} ran; not signed by this program: {others:?}");
    assert_eq!((ran, kinds.len()), (16, 4));
}

#[test]
fn signing_roots_of_remote_signer_examples() {
    let Some(folder) = folder() else { return };
    let file = load(folder.join("eth/web3signer/signing-root-vectors.json"));
    let mut ran = 0;
    for example in array(&file) {
        let request = &example["request"];
        let fork_info = &request["fork_info"];
        // These examples sign exits under their current fork and all else under 0x00000001.
        let (kind, message, fork, genesis) = match request["type"].as_str().unwrap() {
            "DEPOSIT" => {
                let fork = hex(&request["deposit"]["genesis_fork_version"]);
                ("DepositMessage", &request["deposit"], fork, [0; 32])
            }
            "VALIDATOR_REGISTRATION" => (
                "ValidatorRegistrationV1",
                &request["validator_registration"],
                [0, 0, 0, 1],
                [0; 32],
            ),
            "VOLUNTARY_EXIT" => (
                "VoluntaryExit",
                &request["voluntary_exit"],
                hex(&fork_info["fork"]["current_version"]),
                hex(&fork_info["genesis_validators_root"]),
            ),
            _ => continue,
        };
        let (domain_type, object_root, root) = roots(kind, message, fork, &genesis).unwrap();
        assert_eq!(
            compute_domain(domain_type, fork, &genesis).0,
            hex::<32>(&example["domain"]),
            "{kind}"
        );
        assert_eq!(object_root, hex::<32>(&example["object_root"]), "{kind}");
        assert_eq!(root.0, hex::<32>(&request["signingRoot"]), "{kind}");
        ran += 1;
    }
    println!(
        "{ran} of {} remote-signer examples are of our messages",
        array(&file).len()
    );
    assert_eq!(ran, 3);
}

fn findings(file: &Value, expected: Option<&NetworkSpec>) -> Vec<deposit::DepositFinding> {
    let entries = deposit::parse_entries(&serde_json::to_vec(file).unwrap()).unwrap();
    let mut findings = deposit::check_entries(&entries, expected, &[7; 32]);
    // Their own versions are lower than those that launchpads once asked for.
    findings.retain(|finding| !finding.problem.is_warning());
    findings
}

#[test]
fn deposit_files_of_other_tools_pass_and_are_reproduced() {
    let Some(folder) = folder() else { return };
    let mut entries = 0;
    for (name, network) in [
        ("ethstaker-hoodi-c1.json", "hoodi"),
        ("ethstaker-hoodi-s5.json", "hoodi"),
        ("gnosis-chiado.json", "chiado"),
        (
            "lighthouse-mainnet_first_0_count_2_eth1_true.json",
            "mainnet",
        ),
    ] {
        let file = load(folder.join("eth/deposits").join(name));
        let spec = Network::known(network).unwrap().spec();
        assert_eq!(findings(&file, None), [], "{name}");
        assert_eq!(findings(&file, Some(&spec)), [], "{name}");
        for entry in array(&file) {
            let data = DepositData {
                message: deposit_message(entry),
                signature: hex(&entry["signature"]),
            };
            let mut ours = serde_json::to_value(DepositEntry::new(&data, &spec)).unwrap();
            ours["deposit_cli_version"] = entry["deposit_cli_version"].clone();
            assert_eq!(&ours, entry, "{name}");
            entries += 1;
        }
    }
    // Two ceremonies of another distributed key generation.
    for ceremony in ["n4-1validator", "n7-1validator"] {
        let folder = folder.join("ssv/ssv-dkg/ceremonies").join(ceremony);
        for validator in std::fs::read_dir(folder).unwrap() {
            let file = load(validator.unwrap().path().join("deposit_data.json"));
            assert_eq!(findings(&file, None), [], "{ceremony}");
            entries += array(&file).len();
        }
    }
    println!("{entries} deposits of six files");
}

#[test]
fn one_changed_digit_anywhere_in_a_deposit_is_found() {
    let Some(folder) = folder() else { return };
    let file = load(folder.join("eth/deposits/ethstaker-hoodi-s5.json"));
    for field in [
        "pubkey",
        "withdrawal_credentials",
        "signature",
        "deposit_message_root",
        "deposit_data_root",
        "fork_version",
        "network_name",
    ] {
        let length = file[3][field].as_str().unwrap().len();
        for at in [0, length / 2, length - 1] {
            let mut changed = file.clone();
            let mut text = changed[3][field].as_str().unwrap().as_bytes().to_vec();
            text[at] = if text[at] == b'1' { b'2' } else { b'1' };
            changed[3][field] = json!(String::from_utf8(text).unwrap());
            let found = findings(&changed, None);
            assert!(!found.is_empty(), "{field} {at}");
            assert!(
                found.iter().all(|finding| finding.spot.entry == 4),
                "{field} {at}: {found:?}"
            );
        }
    }
    let mut changed = file.clone();
    changed[3]["amount"] = json!(31_999_999_999u64);
    assert!(!findings(&changed, None).is_empty());
    let mut swapped = file.clone();
    swapped[3]["signature"] = file[2]["signature"].clone();
    swapped[2]["signature"] = file[3]["signature"].clone();
    let entries: BTreeSet<usize> = findings(&swapped, None)
        .iter()
        .map(|f| f.spot.entry)
        .collect();
    assert_eq!(entries, BTreeSet::from([3, 4]));
}
