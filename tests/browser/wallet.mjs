// A wallet in the browser, as an extension would put it there: EIP-1193, announced by EIP-6963. The key stays in the test.
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

// Source: https://eips.ethereum.org/EIPS/eip-1193#provider-errors
const USER_REFUSED = 4001;
const ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E";

/** Makes an account that nobody had before. */
export function newAccount() {
  return privateKeyToAccount(generatePrivateKey());
}

/** Puts a wallet into every page that is opened from now on. What it is asked to sign comes back as `signed`. */
export async function installWallet(page, { accounts, name = "Test Wallet" }) {
  const wallet = { signed: [], refuses: false, chosen: 0 };
  await page.exposeFunction("askTestWallet", async ({ method, params }) => {
    const account = accounts[wallet.chosen];
    switch (method) {
      case "eth_requestAccounts":
        return { result: [account.address] };
      case "eth_chainId":
        return { result: "0x1" };
      case "wallet_requestPermissions":
        wallet.chosen = (wallet.chosen + 1) % accounts.length;
        return { result: [] };
      case "personal_sign": {
        if (wallet.refuses) {
          return { error: { code: USER_REFUSED, message: "User rejected the request." } };
        }
        const [raw] = params;
        wallet.signed.push(Buffer.from(raw.slice(2), "hex").toString("utf8"));
        return { result: await account.signMessage({ message: { raw } }) };
      }
      default:
        return { error: { code: 4200, message: `${method} is not there` } };
    }
  });
  await page.addInitScript(
    ({ name, icon }) => {
      const provider = {
        request: async (call) => {
          const { result, error } = await globalThis.askTestWallet(call);
          if (error) {
            throw Object.assign(new Error(error.message), { code: error.code });
          }
          return result;
        },
      };
      const detail = Object.freeze({ info: { uuid: "b6d1e5a2-0000-4000-8000-000000000001", name, icon, rdns: "test.wallet" }, provider });
      const announce = () => globalThis.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
      globalThis.addEventListener("eip6963:requestProvider", announce);
      announce();
    },
    { name, icon: ICON },
  );
  return wallet;
}
