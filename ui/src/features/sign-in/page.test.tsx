import { cleanup, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";

import { session } from "~/api/client";
import { ApiError } from "~/api/error";
import { platform } from "~/platform";
import { refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { SignInPage } from "./page";

const ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

afterEach(() => {
  Reflect.deleteProperty(window, "ethereum");
  platform.desktop = undefined;
  platform.isSecure = true;
});

function open({ kept }: { kept?: string } = {}) {
  const key = kept === undefined ? undefined : { address: kept, sign: () => Promise.resolve("0x") };
  const read = vi.spyOn(platform.deviceKey, "read").mockResolvedValue(key);
  const signIn = vi.spyOn(session, "signIn").mockResolvedValue();
  renderPart(<SignInPage session={{ name: "signed_out", reason: "no_link" }} />);
  return { read, signIn };
}

/** Puts a wallet into the page that gives this answer to each question. */
function install(answer: (method: string) => unknown) {
  const asked: string[] = [];
  Reflect.set(window, "ethereum", {
    request: async ({ method }: { method: string }) => {
      asked.push(method);
      await Promise.resolve();
      return answer(method);
    },
  });
  return asked;
}

const wallet = () => screen.findByRole("region", { name: "With a wallet" });

describe("the sign-in page", () => {
  it("says what is missing where the page comes over plain HTTP from another machine", async () => {
    open();
    await screen.findByText(/makes a key that stays in this browser/);
    expect(screen.queryByText("This browser can keep no key here")).not.toBeInTheDocument();
    cleanup();
    platform.isSecure = false;
    open();
    await screen.findByText("This browser can keep no key here");
    expect(screen.queryByText(/makes a key that stays in this browser/)).not.toBeInTheDocument();
  });

  it("says that there is no wallet, where there is none", async () => {
    open();
    expect(await wallet()).toHaveTextContent("No wallet was found");
    expect(screen.queryByRole("region", { name: "With the key of this browser" })).not.toBeInTheDocument();
  });

  it("goes in with a wallet's account", async () => {
    const user = userEvent.setup({ delay: null });
    install((method) => (method === "eth_requestAccounts" ? [ADDRESS] : "0x1"));
    const { signIn } = open();
    await user.click(within(await wallet()).getByRole("button", { name: "Sign in with Wallet of this browser" }));
    expect(signIn).toHaveBeenCalledWith(expect.objectContaining({ address: ADDRESS, chainId: 1 }));
  });

  it("takes a refusal in the wallet for what it is", async () => {
    const user = userEvent.setup({ delay: null });
    install(() => {
      throw Object.assign(new Error("User rejected the request."), { code: 4001 });
    });
    open();
    await user.click(within(await wallet()).getByRole("button", { name: /Sign in with/ }));
    expect(await screen.findByRole("alert")).toHaveTextContent("You refused in the wallet");
  });

  it("names the account that is no member, and lets another be chosen", async () => {
    const user = userEvent.setup({ delay: null });
    const asked = install((method) => (method === "eth_requestAccounts" ? [ADDRESS] : "0x1"));
    const { signIn } = open();
    signIn.mockRejectedValueOnce(new ApiError(401, refusal("SIGN_IN_REFUSED", "this sign-in was refused"), new Headers()));
    await user.click(within(await wallet()).getByRole("button", { name: /Sign in with/ }));
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent(/does not let this account in.*0x5aAe…eAed/);
    await user.click(within(alert).getByRole("button", { name: "Use another account" }));
    expect(asked.filter((method) => method === "wallet_requestPermissions")).toHaveLength(1);
    expect(signIn).toHaveBeenCalledTimes(2);
  });

  it("offers the key that this browser has kept, and forgets it when asked to", async () => {
    const user = userEvent.setup({ delay: null });
    const { read, signIn } = open({ kept: ADDRESS });
    const forget = vi.spyOn(platform.deviceKey, "forget").mockResolvedValue();
    const way = await screen.findByRole("region", { name: "With the key of this browser" });
    await user.click(within(way).getByRole("button", { name: "Sign in again" }));
    expect(signIn).toHaveBeenCalledWith(expect.objectContaining({ address: ADDRESS }));
    read.mockResolvedValue(undefined);
    await user.click(within(way).getByRole("button", { name: "Forget this key" }));
    expect(forget).toHaveBeenCalledTimes(1);
    await vi.waitFor(() => expect(way).not.toBeInTheDocument());
  });

  it("offers in the window of the desktop app what the app can do, and nothing that only a browser can", async () => {
    const user = userEvent.setup({ delay: null });
    platform.desktop = { version: "1", signIn: vi.fn(), openSettings: vi.fn() };
    open();
    const ask = vi.spyOn(session, "signInByApp").mockReturnValue();
    const way = await screen.findByRole("region", { name: "With this app" });
    for (const name of ["With a link", "With a wallet"]) expect(screen.queryByRole("region", { name })).not.toBeInTheDocument();
    await user.click(within(way).getByRole("button", { name: "Sign in" }));
    expect(ask).toHaveBeenCalledOnce();
  });

  it("tells a guest why the door is closed, and when to come back", async () => {
    const user = userEvent.setup({ delay: null });
    open();
    const enter = vi.spyOn(session, "signInAsGuest");
    enter.mockRejectedValueOnce(new ApiError(429, refusal("RATE_LIMIT_EXCEEDED", "too many sign-ins"), new Headers({ "retry-after": "30" })));
    await user.click(await screen.findByRole("button", { name: "Look around as a guest" }));
    expect(await screen.findByRole("alert")).toHaveTextContent(/too many sign-ins.*You can try again in \d+ s/i);
  });
});
