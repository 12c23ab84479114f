"""The executable consensus specification checks what signing ceremonies made: exits, changes, registrations, deposits.

    python tests/interop/signed.py DIRECTORY...

A directory is what `run` of a signing plan wrote. What has to be signed, and by which key, is read from the plan in its
record by the documented fields (docs/formats.md), and nothing of conclave's code.
"""

import json
import sys
from pathlib import Path

from deposits import deposit_faults, registration_faults, signed, spec, unhex

# EIP-7044: exits are signed under Capella's fork version for ever.
CAPELLA = {"mainnet": "03000000", "hoodi": "40000910"}


def exit_faults(entry, key, capella, root):
    """Returns what the specification has against one exit of a key."""
    message = spec.VoluntaryExit(
        epoch=int(entry["message"]["epoch"]), validator_index=int(entry["message"]["validator_index"])
    )
    domain = spec.compute_domain(spec.DOMAIN_VOLUNTARY_EXIT, spec.Version(capella), spec.Root(root))
    return [] if signed(message, domain, key, unhex(entry["signature"])) else ["signature"]


def change_faults(entry, version, root):
    """Returns what the specification has against one change of withdrawal credentials."""
    message = spec.BLSToExecutionChange(
        validator_index=int(entry["message"]["validator_index"]),
        from_bls_pubkey=unhex(entry["message"]["from_bls_pubkey"]),
        to_execution_address=unhex(entry["message"]["to_execution_address"]),
    )
    domain = spec.compute_domain(spec.DOMAIN_BLS_TO_EXECUTION_CHANGE, spec.Version(version), spec.Root(root))
    valid = signed(message, domain, unhex(entry["message"]["from_bls_pubkey"]), unhex(entry["signature"]))
    return [] if valid else ["signature"]


def arrays(directory, pattern):
    """Returns the entries of all files of a name."""
    entries = []
    for path in sorted(directory.glob(pattern)):
        entries += json.loads(path.read_text(encoding="utf-8"))
    return entries


def changed(entry, field):
    """Returns the entry with another number in a field of its message."""
    message = dict(entry["message"])
    message[field] = str(int(message[field]) + 1)
    return dict(entry, message=message)


def check(directory):
    """Returns how many objects were right, and sentences about the others."""
    plan = json.loads((directory / "record" / "plan.json").read_text(encoding="utf-8"))
    network = plan["network"]
    version, root = unhex(network["fork_version"]), unhex(network["genesis_validators_root"])
    capella = unhex(CAPELLA[network["name"]])
    keys = [key["polynomial"][0] for key in plan["keys"]]
    passed, wrong = 0, []

    def judge(what, faults, unnoticed):
        nonlocal passed
        if unnoticed:
            faults = [*faults, "a change goes unnoticed"]
        passed += not faults
        wrong.extend(f"{directory.name}: {what}: {fault}" for fault in faults)

    for row in plan["messages"]:
        key = keys[row["key"]]
        if "exit" in row:
            index = row["exit"]["validator_index"]
            entry = json.loads((directory / f"signed_exit-{index}.json").read_text(encoding="utf-8"))
            planned = {name: str(value) for name, value in row["exit"].items()}
            faults = exit_faults(entry, unhex(key), capella, root) + (
                [] if entry["message"] == planned else ["another message than the plan's"]
            )
            other = changed(entry, "epoch")
            judge(f"exit of {index}", faults, not exit_faults(other, unhex(key), capella, root))
    changes = arrays(directory, "bls_to_execution_change-*.json")
    planned = [
        (keys[row["key"]], str(row["bls_change"]["validator_index"]), row["bls_change"]["to_execution_address"].lower())
        for row in plan["messages"]
        if "bls_change" in row
    ]
    found = [
        (e["message"]["from_bls_pubkey"][2:], e["message"]["validator_index"], e["message"]["to_execution_address"])
        for e in changes
    ]
    if planned != found:
        wrong.append(f"{directory.name}: the changes are not those of the plan")
    for entry in changes:
        other = changed(entry, "validator_index")
        judge("change", change_faults(entry, version, root), not change_faults(other, version, root))
    registrations = arrays(directory, "builder_registrations-*.json")
    deposits = arrays(directory, "deposit_data-*.json")
    for entries, kind in ((registrations, "registration"), (deposits, "deposit")):
        if len(entries) != sum(kind in row for row in plan["messages"]):
            wrong.append(f"{directory.name}: another number of {kind}s than the plan's")
    for entry in registrations:
        other = changed(entry, "gas_limit")
        judge("registration", registration_faults(entry, version), not registration_faults(other, version))
    for entry in deposits:
        other = dict(entry, amount=entry["amount"] + 1)
        judge("deposit", deposit_faults(entry, version), not deposit_faults(other, version))
    return passed, wrong


def main():
    passed, wrong = 0, []
    for directory in map(Path, sys.argv[1:]):
        now, faults = check(directory)
        passed += now
        wrong += faults
    for fault in wrong:
        print(f"WRONG {fault}", file=sys.stderr)
    print(f"consensus spec, signing: {passed} passed, {len(wrong)} failed")
    raise SystemExit(bool(wrong) or passed == 0)


if __name__ == "__main__":
    main()
