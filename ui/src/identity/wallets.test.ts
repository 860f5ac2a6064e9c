import { afterEach, describe, expect, it, vi } from "vitest";

import { chooseAccount, discoverWallets, type Wallet, type WalletProvider } from "./wallets";

function announcing(id: string, name: string, icon = "data:image/svg+xml,<svg/>") {
  const provider = { request: vi.fn() };
  const announce = () => {
    window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info: { uuid: id, name, icon, rdns: "test" }, provider } }));
  };
  window.addEventListener("eip6963:requestProvider", announce);
  return { announce, end: () => window.removeEventListener("eip6963:requestProvider", announce) };
}

function walletThat(answer: (method: string, params: readonly unknown[] | undefined) => unknown): Wallet {
  const provider: WalletProvider = {
    request: async ({ method, params }) => {
      await Promise.resolve();
      return answer(method, params);
    },
  };
  return { id: "w", name: "Test", icon: undefined, provider };
}

function refusal(code: number): Error {
  return Object.assign(new Error("no"), { code });
}

afterEach(() => void Reflect.deleteProperty(window, "ethereum"));

describe("the wallets of a browser", () => {
  it("are all that announce themselves, each once, also the late ones", () => {
    const first = announcing("1", "First");
    const second = announcing("2", "Second");
    const wallets = discoverWallets(window);
    const onChange = vi.fn();
    const stop = wallets.subscribe(onChange);
    first.announce();
    const late = announcing("3", "Late");
    late.announce();
    expect(wallets.list().map(({ name }) => name)).toEqual(["First", "Second", "Late"]);
    expect(onChange).toHaveBeenCalledTimes(3);
    stop();
    for (const { end } of [first, second, late]) end();
  });

  it("are the one in the old place only where none announces itself", () => {
    Reflect.set(window, "ethereum", { request: vi.fn() });
    const wallets = discoverWallets(window);
    wallets.subscribe(vi.fn())();
    expect(wallets.list().map(({ id }) => id)).toEqual(["window.ethereum"]);
    const modern = announcing("1", "Modern");
    const stop = wallets.subscribe(vi.fn());
    expect(wallets.list().map(({ name }) => name)).toEqual(["Modern"]);
    stop();
    modern.end();
  });

  it("show no picture that would be fetched from elsewhere", () => {
    const wallet = announcing("1", "Spy", "https://spy.test/seen.png");
    const wallets = discoverWallets(window);
    wallets.subscribe(vi.fn())();
    expect(wallets.list()).toMatchObject([{ name: "Spy", icon: undefined }]);
    wallet.end();
  });
});

describe("the account of a wallet", () => {
  it("signs the message as hex, and tells the network", async () => {
    const asked: unknown[] = [];
    const wallet = walletThat((method, params) => {
      asked.push([method, params]);
      if (method === "eth_requestAccounts") return ["0xabc"];
      return method === "eth_chainId" ? "0x89" : "0xsigned";
    });
    const signer = await chooseAccount(wallet);
    expect(signer).toMatchObject({ address: "0xabc", chainId: 137 });
    expect(await signer.sign("hi")).toBe("0xsigned");
    expect(asked).toEqual([
      ["eth_requestAccounts", undefined],
      ["eth_chainId", undefined],
      ["personal_sign", ["0x6869", "0xabc"]],
    ]);
  });

  it("can be chosen anew", async () => {
    const asked: string[] = [];
    await chooseAccount(
      walletThat((method) => {
        asked.push(method);
        return method === "eth_requestAccounts" ? ["0xdef"] : null;
      }),
      { another: true },
    );
    expect(asked[0]).toBe("wallet_requestPermissions");
  });

  it("tells a person who refused from a wallet that asks already, has no account, or is broken", async () => {
    const failures = { 4001: "refused", [-32002]: "busy", 4100: "no_account", [-32603]: "failed" };
    for (const [code, failure] of Object.entries(failures)) {
      const wallet = walletThat(() => {
        throw refusal(Number(code));
      });
      await expect(chooseAccount(wallet)).rejects.toMatchObject({ failure });
    }
    await expect(chooseAccount(walletThat(() => []))).rejects.toMatchObject({ failure: "no_account" });
  });
});
