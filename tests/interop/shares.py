"""Any t shares that the operators' keystores hold are the validator's key, and t-1 are not.

    python tests/interop/shares.py DIRECTORY PASSPHRASE-FILE [DIRECTORY PASSPHRASE-FILE]...

A passphrase file `-` stands for the generated passphrases beside the keystores. Keystores are opened by this script's own
reading of ERC-2335, with the primitives of the standard library and of the curve from arkworks; nothing secret is printed.
"""

import hashlib
import itertools
import json
import sys
import unicodedata
from pathlib import Path

from py_arkworks_bls12381 import G1Point, Scalar
from py_ecc.optimized_bls12_381 import curve_order as ORDER


def aes_128_ctr(key, iv, data):
    """AES-128-CTR of FIPS 197 and SP 800-38A, on 32 bytes: slow and short."""
    sbox, p, q = [0] * 256, 1, 1
    while True:
        p ^= ((p << 1) ^ (0x1B if p & 0x80 else 0)) & 0xFF
        for shift in (1, 2, 4):
            q ^= (q << shift) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        turned = q
        for shift in (1, 2, 3, 4):
            turned ^= ((q << shift) | (q >> (8 - shift))) & 0xFF
        sbox[p] = turned ^ 0x63
        if p == 1:
            break
    sbox[0] = 0x63

    def double(value):
        return ((value << 1) ^ (0x1B if value & 0x80 else 0)) & 0xFF

    words, constant = [list(key[i : i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = words[-1]
        if i % 4 == 0:
            word = [sbox[byte] for byte in word[1:] + word[:1]]
            word[0] ^= constant
            constant = double(constant)
        words.append([a ^ b for a, b in zip(words[i - 4], word)])
    keys = [sum(words[i : i + 4], []) for i in range(0, 44, 4)]

    def block(counter):
        state = [a ^ b for a, b in zip(counter.to_bytes(16, "big"), keys[0])]
        for number in range(1, 11):
            state = [sbox[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if number < 10:
                mixed = []
                for c in range(0, 16, 4):
                    column = state[c : c + 4]
                    for r in range(4):
                        a, b, d, e = (column[(r + k) % 4] for k in range(4))
                        mixed.append(double(a) ^ double(b) ^ b ^ d ^ e)
                state = mixed
            state = [a ^ b for a, b in zip(state, keys[number])]
        return state

    start = int.from_bytes(iv, "big")
    stream = itertools.chain.from_iterable(block((start + i) % (1 << 128)) for i in range((len(data) + 15) // 16))
    return bytes(a ^ b for a, b in zip(data, stream))


def open_keystore(keystore, passphrase):
    text = unicodedata.normalize("NFKD", passphrase)
    password = "".join(c for c in text if not (ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F)).encode()
    kdf, params = keystore["crypto"]["kdf"]["function"], keystore["crypto"]["kdf"]["params"]
    salt = bytes.fromhex(params["salt"])
    if kdf == "scrypt":
        n, r, p = params["n"], params["r"], params["p"]
        key = hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, dklen=32, maxmem=256 * n * r)
    else:
        key = hashlib.pbkdf2_hmac("sha256", password, salt, params["c"], 32)
    message = bytes.fromhex(keystore["crypto"]["cipher"]["message"])
    if hashlib.sha256(key[16:] + message).hexdigest() != keystore["crypto"]["checksum"]["message"]:
        raise ValueError("the checksum does not match")
    iv = bytes.fromhex(keystore["crypto"]["cipher"]["params"]["iv"])
    return int.from_bytes(aes_128_ctr(key[:16], iv, message), "big")


def public(secret):
    return bytes((G1Point() * Scalar(secret)).to_compressed_bytes()).hex()


def combined(shares):
    """Lagrange interpolation at zero of {index: share}."""
    total = 0
    for i, share in shares.items():
        weight = 1
        for j in shares:
            if j != i:
                weight = weight * j * pow(j - i, -1, ORDER) % ORDER
        total = (total + share * weight) % ORDER
    return total


def main():
    # FIPS 197, appendix C.1, by way of one block of counter mode.
    plain = aes_128_ctr(bytes(range(16)), bytes.fromhex("00112233445566778899aabbccddeeff"), bytes(16))
    assert plain.hex() == "69c4e0d86a7b0430d8cdb78070b4c55a", "this script's AES is wrong"

    arguments = iter(sys.argv[1:])
    held, cluster = {}, None
    for directory, passphrase_file in zip(arguments, arguments):
        cluster = json.loads((Path(directory) / "cluster.json").read_text(encoding="utf-8"))
        for path in sorted((Path(directory) / "validator_keys").glob("keystore-*.json")):
            source = path.with_suffix(".txt") if passphrase_file == "-" else Path(passphrase_file)
            passphrase = source.read_text(encoding="utf-8").removesuffix("\n")
            keystore = json.loads(path.read_text(encoding="utf-8"))
            share = open_keystore(keystore, passphrase)
            held.setdefault(int(keystore["path"].split("/")[3]), {})[keystore["pubkey"]] = share

    indices = [operator["index"] for operator in cluster["operators"]]
    t, passed, failed = cluster["threshold"], 0, 0
    for validator in cluster["validators"]:
        shares = {}
        for index, expected in zip(indices, validator["public_shares"], strict=True):
            share = held[validator["position"]][expected]
            right = public(share) == expected
            passed, failed = passed + right, failed + (not right)
            shares[index] = share
        for size, wanted in ((t, True), (t - 1, False)):
            for chosen in itertools.combinations(shares, size):
                is_key = public(combined({i: shares[i] for i in chosen})) == validator["public_key"]
                passed, failed = passed + (is_key == wanted), failed + (is_key != wanted)
    print(f"shares by ERC-2335 and arkworks: {passed} passed, {failed} failed")
    raise SystemExit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
