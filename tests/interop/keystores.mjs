// @chainsafe/bls-keystore opens share keystores, and @noble/curves derives their public keys.
//
//     node keystores.mjs DIRECTORY PASSPHRASE-FILE [DIRECTORY PASSPHRASE-FILE]...
//
// A passphrase file `-` stands for the generated passphrases beside the keystores. Nothing secret is printed.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Keystore } from "@chainsafe/bls-keystore";
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { expect, failed, passed } from "./expect.mjs";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const line = (path) => readFileSync(path, "utf8").replace(/\n$/, "");

const given = process.argv.slice(2);
for (let at = 0; at + 1 < given.length; at += 2) {
  const [directory, passphraseFile] = given.slice(at, at + 2);
  const cluster = JSON.parse(readFileSync(join(directory, "cluster.json"), "utf8"));
  const keys = join(directory, "validator_keys");
  const files = readdirSync(keys).filter((name) => name.endsWith(".json")).sort();
  expect(files.length === cluster.validators.length, `${directory}: ${files.length} keystores`);
  for (const name of files) {
    const path = join(keys, name);
    const passphrase = line(passphraseFile === "-" ? path.replace(/\.json$/, ".txt") : passphraseFile);
    const keystore = Keystore.parse(readFileSync(path, "utf8"));
    const secret = await keystore.decrypt(passphrase);
    const key = hex(bls12_381.longSignatures.getPublicKey(secret).toBytes());
    expect(key === keystore.pubkey, `${path}: another public key`);
    const position = Number(keystore.path.split("/")[3]);
    expect(cluster.validators[position].public_shares.includes(key), `${path}: no public share of the cluster`);
    expect(!(await keystore.verifyPassword(`${passphrase}x`)), `${path}: a wrong passphrase opens it`);
  }
}
console.log(`@chainsafe/bls-keystore: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
