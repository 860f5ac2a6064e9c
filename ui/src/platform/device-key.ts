import type { DeviceKey, DeviceKeySlot, NewDeviceKey } from "./platform";

const DATABASE = "flowork";
const STORE = "device_key";
/** There is one key in one browser. */
const SLOT = "current";
const CIPHER = "AES-GCM";
const WRAPPING_KEY_BITS = 256;
/** What AES-GCM takes. */
const NONCE_BYTES = 12;

/** A key at rest: the secret encrypted by another key that the browser never gives out, not even to this page. */
interface SealedKey {
  address: string;
  wrapping: CryptoKey;
  nonce: Uint8Array<ArrayBuffer>;
  sealed: ArrayBuffer;
}

/**
 * Keeps the key that proves that this is the same browser as before.
 *
 * Browsers have no secp256k1 of their own, so the secret is encrypted at rest by a key that can't be exported, and is in
 * memory only while it signs. This keeps it out of other people's reach and of what is exported or synced; it does not
 * keep it from a script that runs on this page, which the content policy has to keep away.
 */
export function storedDeviceKey(): DeviceKeySlot {
  return {
    async read() {
      const kept = await inStore<unknown>("readonly", (store) => store.get(SLOT));
      return isSealedKey(kept) ? deviceKey(kept) : undefined;
    },
    make,
    async forget() {
      await inStore("readwrite", (store) => store.delete(SLOT));
    },
  };
}

async function make(): Promise<NewDeviceKey> {
  const { addressOf, makeSecret } = await import("~/identity/signing");
  const wrapping = await crypto.subtle.generateKey({ name: CIPHER, length: WRAPPING_KEY_BITS }, false, ["encrypt", "decrypt"]);
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const secret = makeSecret();
  try {
    const address = addressOf(secret);
    const sealed = await crypto.subtle.encrypt({ name: CIPHER, iv: nonce }, wrapping, secret);
    const key: SealedKey = { address, wrapping, nonce, sealed };
    return {
      ...deviceKey(key),
      async keep() {
        await inStore("readwrite", (store) => store.put(key, SLOT));
      },
    };
  } finally {
    secret.fill(0);
  }
}

function deviceKey({ address, wrapping, nonce, sealed }: SealedKey): DeviceKey {
  return {
    address,
    async sign(message) {
      const { personalSign } = await import("~/identity/signing");
      const secret = new Uint8Array(await crypto.subtle.decrypt({ name: CIPHER, iv: nonce }, wrapping, sealed));
      try {
        return personalSign(message, secret);
      } finally {
        secret.fill(0);
      }
    },
  };
}

function isSealedKey(value: unknown): value is SealedKey {
  return (
    typeof value === "object" &&
    value !== null &&
    "address" in value &&
    typeof value.address === "string" &&
    "wrapping" in value &&
    "nonce" in value &&
    "sealed" in value
  );
}

async function inStore<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await openDatabase();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error("The browser's storage gave up."));
    });
  } finally {
    database.close();
  }
}

function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("The browser's storage can't be opened."));
  });
}
