"""Recomputes the golden deal, confirm and complaint of tests/it/protocol.rs from their seeds.

A second implementation of docs/protocol.md, from its equations: it shares nothing with the Rust one.
Curve and pairing-friendly hashing come from py_ecc (PyPI, 8.0), the rest from the standard library.

    pip install py_ecc==8.0.0
    python tests/interop/deal_check.py
"""

import hashlib
import hmac
import json
import struct
from pathlib import Path

from py_ecc.bls.g2_primitives import G1_to_pubkey, G2_to_signature
from py_ecc.bls.hash_to_curve import hash_to_G2
from py_ecc.optimized_bls12_381 import G1, curve_order as ORDER, multiply

DST = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
THRESHOLD, VALIDATORS, INDICES = 3, 2, [1, 2, 3, 4]
CID = bytes([0xC1]) * 32
N = len(INDICES)


def seed(kind, position):
    return bytes([position]) + bytes([kind]) * 31


def arguments(tag, *args):
    out = b""
    for arg in (tag.encode(), *args):
        arg = arg.to_bytes(8, "big") if isinstance(arg, int) else arg
        out += len(arg).to_bytes(8, "big") + arg
    return out


def hashed(tag, *args):
    return hashlib.sha256(arguments("conclave/1/" + tag, *args)).digest()


def derived(secret, length, tag, *args):
    """HKDF-SHA256 (RFC 5869) without salt."""
    key = hmac.new(bytes(32), secret, "sha256").digest()
    info, out, block = arguments("conclave/1/" + tag, *args), b"", b""
    for counter in range(1, 256):
        if len(out) >= length:
            break
        block = hmac.new(key, block + info + bytes([counter]), "sha256").digest()
        out += block
    return out[:length]


def chacha(key, counter):
    """One block of RFC 8439 under a zero nonce."""
    start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), counter, 0, 0, 0]
    state = start[:]

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            value = state[z] ^ state[x]
            state[z] = (value << turn | value >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for a, b, c, d in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(a, b, c, d)
    return struct.pack("<16I", *((x + y) & 0xFFFFFFFF for x, y in zip(state, start)))


def scalar_at(key, number):
    return int.from_bytes(chacha(key, number), "big") % ORDER


def weights(key, count):
    stream = b"".join(chacha(key, block) for block in range(count // 4 + 1))
    return [int.from_bytes(stream[16 * i : 16 * i + 16], "big") for i in range(count)]


def to_scalar(tag, *args):
    """expand_message_xmd of RFC 9380 with SHA-256 to 48 bytes, modulo the order."""
    dst = b"conclave/1/" + tag.encode()
    dst += bytes([len(dst)])
    message = b"".join(len(a).to_bytes(8, "big") + a for a in args)
    first = hashlib.sha256(bytes(64) + message + (48).to_bytes(2, "big") + b"\0" + dst).digest()
    one = hashlib.sha256(first + b"\x01" + dst).digest()
    two = hashlib.sha256(bytes(x ^ y for x, y in zip(first, one)) + b"\x02" + dst).digest()
    return int.from_bytes((one + two)[:48], "big") % ORDER


def point(scalar):
    return bytes(G1_to_pubkey(multiply(G1, scalar)))


def number(scalar):
    return (scalar % ORDER).to_bytes(32, "big")


def wide(data):
    return int.from_bytes(data, "big") % ORDER


def digest(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest(), text.encode()


encryption = [scalar_at(seed(1, i), 0) for i in range(N)]
secrets = [seed(2, i) for i in range(N)]
cards = [point(e) for e in encryption]


def deal(j):
    key = derived(secrets[j], 32, "deal/coefficients", CID)
    r = wide(derived(secrets[j], 48, "deal/ephemeral", CID))
    ephemeral = point(r)
    rows = [[scalar_at(key, v * THRESHOLD + k) for k in range(THRESHOLD)] for v in range(VALIDATORS)]
    shares = [[sum(a * x**k for k, a in enumerate(row)) % ORDER for x in INDICES] for row in rows]
    ciphertexts = []
    for v in range(VALIDATORS):
        ciphertexts.append([])
        for i in range(N):
            shared = point(r * encryption[i] % ORDER)
            pads = derived(shared, 32, "deal/pad", CID, INDICES[j], INDICES[i], cards[i], ephemeral)
            ciphertexts[v].append(number(shares[v][i] + scalar_at(pads, v)).hex())
    commitments = [[point(a) for a in row] for row in rows]
    statement = [CID, INDICES[j], ephemeral, *sum(commitments, [])]
    everything = hashed("deal/proof", *statement)
    nonce = wide(derived(secrets[j], 48, "deal/proof-nonce", CID, everything))
    proof = point(nonce)
    logarithms = [r, *sum(rows, [])]
    challenge = weights(hashed("deal/proof", *statement, proof), len(logarithms))
    response = nonce + sum(w * x for w, x in zip(challenge, logarithms))
    payload = {
        "ephemeral": ephemeral.hex(),
        "proof": {"commitment": proof.hex(), "response": number(response).hex()},
        "commitments": [[c.hex() for c in row] for row in commitments],
        "ciphertexts": ciphertexts,
    }
    return payload, rows, r


def confirm(i, deals, hashes):
    rows = [
        [sum(d[1][v][k] for d in deals) % ORDER for k in range(THRESHOLD)] for v in range(VALIDATORS)
    ]
    share = [[sum(a * x**k for k, a in enumerate(row)) % ORDER for x in INDICES] for row in rows]
    public = [[point(row[0]), *map(point, own)] for row, own in zip(rows, share)]
    partials = []
    for v in range(VALIDATORS):
        roots = [hashed("outcome", v, bytes([u])) for u in range(1 + v % 2)]
        signed = [multiply(hash_to_G2(m, DST, hashlib.sha256), share[v][i]) for m in roots]
        partials.append([bytes(G2_to_signature(s)).hex() for s in signed])
    return {
        "transcript": hashed("transcript", CID, *hashes, *sum(public, [])).hex(),
        "deals": [{"payload": h.hex(), "signature": "00" * 64} for h in hashes],
        "partials": partials,
    }


def complaint(i, j, r, deal_hash):
    shared, ephemeral = point(r * encryption[i] % ORDER), point(r)
    nonce = wide(
        derived(
            secrets[i], 48, "complaint/nonce", CID, deal_hash, INDICES[i], INDICES[j], cards[i],
            ephemeral, shared,
        )
    )
    one, two = point(nonce), point(nonce * r % ORDER)
    places = [INDICES[i].to_bytes(8, "big"), INDICES[j].to_bytes(8, "big")]
    challenge = to_scalar(
        "complaint/proof", CID, deal_hash, *places, cards[i], ephemeral, shared, one, two
    )
    return {
        "shared": shared.hex(),
        "proof": {
            "commitment_generator": one.hex(),
            "commitment_base": two.hex(),
            "response": number(nonce + challenge * encryption[i]).hex(),
        },
    }


def main():
    deals = [deal(j) for j in range(N)]
    hashes = [hashed("payload", digest(d[0])[1]) for d in deals]
    found = {
        "deal": digest(deals[1][0])[0],
        "confirm": digest(confirm(1, deals, hashes))[0],
        "complaint": digest(complaint(2, 1, deals[1][2], hashes[1]))[0],
    }
    golden = (Path(__file__).parents[1] / "it" / "protocol.rs").read_text()
    wrong = [name for name, value in found.items() if f'"{value}"' not in golden]
    for name, value in found.items():
        print(value, name, "DIFFERS" if name in wrong else "agrees")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
