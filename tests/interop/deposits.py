"""The executable consensus specification, with py_ecc beside it, checks deposits and builder registrations.

    python tests/interop/deposits.py DIRECTORY...

A directory is an operator's: deposit_data-*.json, builder_registrations-*.json and the plan in record/. What has to be
deposited is read from the plan, by its documented fields (docs/formats.md), and nothing of conclave's code.
"""

import functools
import json
import sys
from pathlib import Path

from eth_consensus_specs.electra import mainnet as spec
from eth_consensus_specs.utils import bls
from eth_consensus_specs.utils.ssz.ssz_typing import Bytes20, Bytes48, Container, Uint64
from py_ecc.bls import G2ProofOfPossession

bls.bls_active = True
DOMAIN_APPLICATION_BUILDER = spec.DomainType("0x00000001")


class ValidatorRegistrationV1(Container):
    """builder-specs, "Containers"."""

    fee_recipient: Bytes20
    gas_limit: Uint64
    timestamp: Uint64
    pubkey: Bytes48


def unhex(text):
    return bytes.fromhex(text.removeprefix("0x"))


@functools.cache
def verifies(pubkey, root, signature):
    """Whether a signature is right, as the specification's arkworks and py_ecc say, which share no code.

    py_ecc takes most of a second: what is wrong for the one already is not asked of the other.
    """
    return bls.Verify(
        spec.BLSPubkey(pubkey), spec.Root(root), spec.BLSSignature(signature)
    ) and G2ProofOfPossession.Verify(pubkey, root, signature)


def signed(item, domain, pubkey, signature):
    return verifies(bytes(pubkey), bytes(spec.compute_signing_root(item, domain)), bytes(signature))


def deposit_faults(entry, fork_version):
    """Returns what the specification has against one entry of a deposit file."""
    message = spec.DepositMessage(
        pubkey=unhex(entry["pubkey"]),
        withdrawal_credentials=unhex(entry["withdrawal_credentials"]),
        amount=entry["amount"],
    )
    data = spec.DepositData(
        pubkey=message.pubkey,
        withdrawal_credentials=message.withdrawal_credentials,
        amount=message.amount,
        signature=unhex(entry["signature"]),
    )
    domain = spec.compute_domain(spec.DOMAIN_DEPOSIT, fork_version=spec.Version(fork_version))
    faults = []
    if bytes(spec.hash_tree_root(message)) != unhex(entry["deposit_message_root"]):
        faults.append("deposit_message_root")
    if bytes(spec.hash_tree_root(data)) != unhex(entry["deposit_data_root"]):
        faults.append("deposit_data_root")
    if unhex(entry["fork_version"]) != fork_version:
        faults.append("fork_version")
    if not signed(message, domain, message.pubkey, data.signature):
        faults.append("signature")
    return faults


def registration_faults(entry, fork_version):
    """Returns what builder-specs has against one registration."""
    message = entry["message"]
    registration = ValidatorRegistrationV1(
        fee_recipient=unhex(message["fee_recipient"]),
        gas_limit=int(message["gas_limit"]),
        timestamp=int(message["timestamp"]),
        pubkey=unhex(message["pubkey"]),
    )
    domain = spec.compute_domain(DOMAIN_APPLICATION_BUILDER, fork_version=spec.Version(fork_version))
    valid = signed(registration, domain, unhex(message["pubkey"]), unhex(entry["signature"]))
    return [] if valid else ["signature"]


def credentials(validator):
    return unhex(validator["credentials"]) + bytes(11) + unhex(validator["withdrawal_address"])


def check(directory):
    """Returns how many objects were right, and sentences about the others."""
    plan = json.loads((directory / "record" / "plan.json").read_text(encoding="utf-8"))
    cluster = json.loads((directory / "cluster.json").read_text(encoding="utf-8"))
    fork_version = unhex(plan["network"]["fork_version"])
    keys = [validator["public_key"] for validator in cluster["validators"]]
    passed, wrong = 0, []

    entries = []
    for path in sorted(directory.glob("deposit_data-*.json")):
        entries += json.loads(path.read_text(encoding="utf-8"))
    planned = sorted(
        (key, credentials(validator).hex(), int(amount))
        for key, validator in zip(keys, plan["validators"], strict=True)
        for amount in validator["deposits"]
    )
    found = sorted((entry["pubkey"], entry["withdrawal_credentials"], entry["amount"]) for entry in entries)
    if planned != found:
        wrong.append(f"{directory.name}: the deposits are not those of the plan")
    registrations = []
    for path in sorted(directory.glob("builder_registrations-*.json")):
        registrations += json.loads(path.read_text(encoding="utf-8"))
    if len(registrations) != sum("registration" in validator for validator in plan["validators"]):
        wrong.append(f"{directory.name}: the registrations are not those of the plan")

    for entry in entries:
        faults = deposit_faults(entry, fork_version)
        # A check that cannot fail shows nothing: another amount must break both roots and the signature.
        other = dict(entry, amount=entry["amount"] + 1)
        if deposit_faults(other, fork_version) != ["deposit_message_root", "deposit_data_root", "signature"]:
            faults.append("the changed amount goes unnoticed")
        passed += not faults
        wrong += [f"{directory.name}: deposit of {entry['pubkey'][:16]}: {fault}" for fault in faults]
    for entry in registrations:
        faults = registration_faults(entry, fork_version)
        limit = str(int(entry["message"]["gas_limit"]) + 1)
        other = dict(entry, message=dict(entry["message"], gas_limit=limit))
        if registration_faults(other, fork_version) != ["signature"]:
            faults.append("the changed gas limit goes unnoticed")
        passed += not faults
        wrong += [f"{directory.name}: registration of {entry['message']['pubkey'][:18]}: {fault}" for fault in faults]
    return passed, wrong


def main():
    passed, wrong = 0, []
    for directory in map(Path, sys.argv[1:]):
        now, faults = check(directory)
        passed += now
        wrong += faults
    for fault in wrong:
        print(f"WRONG {fault}", file=sys.stderr)
    print(f"consensus spec: {passed} passed, {len(wrong)} failed")
    raise SystemExit(bool(wrong) or passed == 0)


if __name__ == "__main__":
    main()
