import type { Signer } from "~/api/session";
import { isList, isRecord, text } from "~/json";

/** What a wallet puts into a page. Source: https://eips.ethereum.org/EIPS/eip-1193 */
export interface WalletProvider {
  request(call: { method: string; params?: readonly unknown[] }): Promise<unknown>;
}

/** A wallet of this browser. */
export interface Wallet {
  id: string;
  name: string;
  /** A picture as a `data:` address. */
  icon: string | undefined;
  provider: WalletProvider;
}

/** Why a wallet did not do what was asked. */
export type WalletFailure = "refused" | "busy" | "no_account" | "failed";

/** The wallet, or the person behind it, said no. */
export class WalletError extends Error {
  readonly failure: WalletFailure;

  constructor(failure: WalletFailure, cause: unknown) {
    super(isRecord(cause) ? text(cause["message"]) ?? failure : failure, { cause });
    this.name = "WalletError";
    this.failure = failure;
  }
}

// Source: https://eips.ethereum.org/EIPS/eip-1193#provider-errors; the last one is the wallets' own custom.
const USER_REFUSED = 4001;
const NOT_AUTHORIZED = 4100;
const ASKED_ALREADY = -32002;

const ANNOUNCE = "eip6963:announceProvider";
const REQUEST = "eip6963:requestProvider";

/**
 * Finds the wallets of this browser: those that announce themselves, of which there may be several, and else the one
 * that has put itself in the place where wallets were before.
 * Source: https://eips.ethereum.org/EIPS/eip-6963
 */
export function discoverWallets(page: Window) {
  let announced: readonly Wallet[] = [];
  const legacy = legacyWallet(page);
  const lone = legacy === undefined ? [] : [legacy];
  const listeners = new Set<() => void>();

  function onAnnounce(event: Event) {
    const wallet = readAnnouncement(event);
    if (wallet === undefined || announced.some(({ id }) => id === wallet.id)) return;
    announced = [...announced, wallet];
    for (const listener of listeners) listener();
  }

  return {
    list: () => (announced.length > 0 ? announced : lone),
    subscribe: (listener: () => void) => {
      if (listeners.size === 0) page.addEventListener(ANNOUNCE, onAnnounce);
      listeners.add(listener);
      page.dispatchEvent(new Event(REQUEST));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) page.removeEventListener(ANNOUNCE, onAnnounce);
      };
    },
  };
}

/** Asks the wallet which account to use. With `another`, it lets the person choose anew. */
export async function chooseAccount(wallet: Wallet, { another = false } = {}): Promise<Signer> {
  if (another) await ask(wallet, "wallet_requestPermissions", [{ eth_accounts: {} }]);
  const accounts = await ask(wallet, "eth_requestAccounts");
  const address = isList(accounts) ? text(accounts[0]) : undefined;
  if (address === undefined) throw new WalletError("no_account", accounts);
  const chainId = Number(await ask(wallet, "eth_chainId"));
  return {
    address,
    ...(Number.isSafeInteger(chainId) ? { chainId } : {}),
    async sign(message) {
      const { hexOf } = await import("./signing");
      const signature = text(await ask(wallet, "personal_sign", [hexOf(message), address]));
      if (signature === undefined) throw new WalletError("failed", undefined);
      return signature;
    },
  };
}

async function ask({ provider }: Wallet, method: string, params?: readonly unknown[]): Promise<unknown> {
  try {
    return await provider.request(params === undefined ? { method } : { method, params });
  } catch (error) {
    throw new WalletError(failureOf(error), error);
  }
}

function failureOf(error: unknown): WalletFailure {
  switch (isRecord(error) || error instanceof Error ? Reflect.get(error, "code") : undefined) {
    case USER_REFUSED:
      return "refused";
    case ASKED_ALREADY:
      return "busy";
    case NOT_AUTHORIZED:
      return "no_account";
    default:
      return "failed";
  }
}

function readAnnouncement(event: Event): Wallet | undefined {
  const detail: unknown = event instanceof CustomEvent ? event.detail : undefined;
  if (!isRecord(detail) || !isRecord(detail["info"]) || !isProvider(detail["provider"])) return undefined;
  const { uuid, name, icon } = detail["info"];
  if (typeof uuid !== "string" || typeof name !== "string") return undefined;
  // Anything but a picture in place would be a request to somewhere else.
  const picture = text(icon)?.startsWith("data:image/") === true ? text(icon) : undefined;
  return { id: uuid, name, icon: picture, provider: detail["provider"] };
}

function legacyWallet(page: Window): Wallet | undefined {
  const provider: unknown = Reflect.get(page, "ethereum");
  return isProvider(provider) ? { id: "window.ethereum", name: "Wallet of this browser", icon: undefined, provider } : undefined;
}

function isProvider(value: unknown): value is WalletProvider {
  return typeof value === "object" && value !== null && "request" in value && typeof value.request === "function";
}
