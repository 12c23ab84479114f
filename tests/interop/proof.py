"""A share proof holds for the public shares of the cluster, by the equations of docs/protocol.md, section 21.

    python tests/interop/proof.py CLUSTER PROOF [PROOF]...

A second implementation: hashing is that of deal_check.py, the curve that of py_ecc. The identity's signature is not its
subject.
"""

import copy
import json
import sys
from pathlib import Path

from deal_check import hashed, weights
from py_ecc.bls.g2_primitives import pubkey_to_G1
from py_ecc.optimized_bls12_381 import G1, add, multiply, normalize

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def identity_bytes(text):
    """The 32 bytes of a Bech32m string; its checksum is not looked at."""
    values = [CHARSET.index(c) for c in text.rsplit("1", 1)[1][:-6]]
    number = 0
    for value in values:
        number = number << 5 | value
    return (number >> (5 * len(values) - 256)).to_bytes(32, "big")


def holds(proof, cluster):
    position = [o["index"] for o in cluster["operators"]].index(proof["index"])
    shares = [bytes.fromhex(v["public_shares"][position]) for v in cluster["validators"]]
    commitment = bytes.fromhex(proof["commitment"])
    statement = [
        proof["version"], bytes.fromhex(proof["cid"]), bytes.fromhex(proof["outcome"]), proof["epoch"],
        proof["index"], identity_bytes(proof["identity"]), proof["created"],
        proof.get("challenge", "").encode(), proof["validators"], *shares, commitment,
    ]
    right = pubkey_to_G1(commitment)
    for weight, share in zip(weights(hashed("share-proof", *statement), len(shares)), shares):
        right = add(right, multiply(pubkey_to_G1(share), weight))
    left = multiply(G1, int.from_bytes(bytes.fromhex(proof["response"]), "big"))
    return normalize(left) == normalize(right) and len(shares) == proof["validators"]


def main():
    cluster = json.loads(Path(sys.argv[1]).read_text())
    passed = failed = 0

    def expect(right, what):
        nonlocal passed, failed
        passed, failed = passed + bool(right), failed + (not right)
        if not right:
            print(what)

    for path in sys.argv[2:]:
        proof = json.loads(Path(path).read_text())
        expect((proof["cid"], proof["outcome"]) == (cluster["cid"], cluster["outcome"]), f"{path}: another cluster")
        expect(holds(proof, cluster), f"{path}: does not hold")
        for field, value in (("created", proof["created"] + 1), ("challenge", "another"), ("epoch", 1)):
            changed = copy.deepcopy(proof)
            changed[field] = value
            expect(not holds(changed, cluster), f"{path}: holds for another {field}")
    print(f"share proofs by py_ecc: {passed} passed, {failed} failed")
    raise SystemExit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
