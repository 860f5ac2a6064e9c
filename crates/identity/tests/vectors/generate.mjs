// Makes `vectors.json`: sign-in messages and signatures by siwe, viem and ethers, and keystore files by ethers.
//
//   npm ci && npm run generate
//
// What two of them can make both is made by both and compared here, so that the file holds what they agree on. Keys are
// hashes of counted names and signatures are deterministic (RFC 6979); a second run changes only the keystore files.

import { writeFileSync } from "node:fs";
import { Wallet, encryptKeystoreJson } from "ethers";
import { SiweMessage } from "siwe";
import { keccak256, toBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { createSiweMessage } from "viem/siwe";

const PASSPHRASE = "correct horse battery staple";
const ISSUED = Date.UTC(2026, 0, 31, 8, 0, 0, 120);

function expectSame(first, second, what) {
  if (first !== second) throw new Error(`${what} differ:\n${first}\n---\n${second}`);
}

const secretOf = (name) => keccak256(toBytes(`flowork vector ${name}`));

async function sign(secret, text) {
  const signature = await privateKeyToAccount(secret).signMessage({ message: text });
  expectSame(signature, await new Wallet(secret).signMessage(text), "signatures");
  return signature;
}

function pick(list, index) {
  return list[index % list.length];
}

async function signIn(index) {
  const secret = secretOf(`key ${index}`);
  const { address } = privateKeyToAccount(secret);
  const issuedAt = new Date(ISSUED + index * 86_400_123);
  const fields = {
    scheme: pick([undefined, "https", "http", undefined, "app+local"], index),
    domain: pick(["flowork.example", "127.0.0.1:7717", "localhost:5173", "gui.example.org:8443", "[::1]:7717"], index),
    address,
    statement: pick([undefined, "Sign in to Flowork.", "I accept: https://example.org/terms (v1.2), all of it!"], index),
    uri: pick(["http://127.0.0.1:7717", "https://flowork.example/sign-in?next=%2Fjobs#top", "urn:flowork:node"], index),
    version: "1",
    chainId: pick([1, 10, 137, 8453, 11155111, 42161], index),
    nonce: keccak256(toBytes(`nonce ${index}`)).slice(2, 2 + 8 + ((index * 7) % 57)),
    issuedAt,
    expirationTime: index % 2 === 0 ? new Date(issuedAt.getTime() + 300_000) : undefined,
    notBefore: index % 3 === 0 ? new Date(issuedAt.getTime() - 1_000) : undefined,
    requestId: index % 4 === 0 ? `request-${index}` : undefined,
    resources:
      index % 5 === 0
        ? ["ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/", "https://example.org/claim.json"]
        : undefined,
  };
  const iso = (date) => date?.toISOString();
  const given = Object.fromEntries(
    Object.entries({
      ...fields,
      issuedAt: iso(issuedAt),
      expirationTime: iso(fields.expirationTime),
      notBefore: iso(fields.notBefore),
    }).filter(([, value]) => value !== undefined),
  );
  const message = new SiweMessage(given).prepareMessage();
  // viem's schemes are letters only, and its URIs have an authority.
  if (fields.scheme !== "app+local" && fields.domain !== "[::1]:7717" && !fields.uri.startsWith("urn:")) {
    expectSame(message, createSiweMessage(fields), "messages");
  }
  return { secret, address, fields: given, message, signature: await sign(secret, message) };
}

async function text(index, value) {
  const secret = secretOf(`text ${index}`);
  const { address } = privateKeyToAccount(secret);
  return { address, secret, text: value, signature: await sign(secret, value) };
}

async function keystore(index) {
  const privateKey = secretOf(`keystore ${index}`);
  const { address } = new Wallet(privateKey);
  const scrypt = { N: 1 << (4 + index), r: pick([8, 1, 4], index), p: pick([1, 2], index) };
  const file = await encryptKeystoreJson({ address, privateKey }, PASSPHRASE, { scrypt });
  return { address, secret: privateKey, file };
}

const texts = ["", "a", "hello", "grüße, 世界", "line\nline", "\u0019Ethereum Signed Message:\n0", "x".repeat(5_000)];
const count = (length, make) => Promise.all(Array.from({ length }, (_, index) => make(index)));

const vectors = {
  made_with: { ethers: "6.17.0", siwe: "3.0.0", viem: "2.57.20" },
  passphrase: PASSPHRASE,
  sign_in: await count(60, signIn),
  texts: await Promise.all(texts.map((value, index) => text(index, value))),
  keystores: await count(6, keystore),
};
writeFileSync(new URL("vectors.json", import.meta.url), `${JSON.stringify(vectors, null, 1)}\n`);
