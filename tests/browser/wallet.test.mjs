// Members sign in with a wallet; strangers do not.
import assert from "node:assert/strict";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { openBrowser, openPage, section, signIn } from "./gui.mjs";
import { installWallet, newAccount } from "./wallet.mjs";

test("member whom the owner added goes in with a wallet, and sees what the role allows", async (t) => {
  const node = await startNode(t);
  const account = newAccount();
  const owner = await openBrowser(t);
  await signIn(owner, node.link);
  await addMember(owner, { name: "Ada", address: account.address, role: "Viewer" });

  const page = await openBrowser(t);
  const wallet = await installWallet(page, { accounts: [account] });
  await page.goto(node.url);
  await page.getByRole("button", { name: "Sign in with Test Wallet" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  assert.match(wallet.signed[0], new RegExp(account.address), "the message names the account");
  assert.match(wallet.signed[0], new RegExp(new URL(node.url).host), "and the place it is for");

  const menu = page.getByRole("navigation", { name: "Main" });
  await menu.getByRole("link", { name: "Devices" }).waitFor();
  assert.equal(await menu.getByRole("link", { name: "Members" }).count(), 0, "a viewer is not offered the members");
  assert.equal(await page.getByRole("link", { name: "New job" }).count(), 0, "nor a new job");
  await page.goto(`${node.url}/members`);
  await page.getByRole("alert").filter({ hasText: /owner/ }).first().waitFor();

  await openPage(owner, "Devices");
  await openPage(owner, "Members");
  await section(owner, "All members").getByRole("listitem", { name: "Ada" }).filter({ hasText: /1 key · 1 open session/ }).waitFor();
});

test("account of a stranger is named, and another one can be chosen", async (t) => {
  const node = await startNode(t);
  const [stranger, member] = [newAccount(), newAccount()];
  const owner = await openBrowser(t);
  await signIn(owner, node.link);
  await addMember(owner, { name: "Grace", address: member.address, role: "Operator" });

  const page = await openBrowser(t);
  await installWallet(page, { accounts: [stranger, member] });
  await page.goto(node.url);
  await page.getByRole("button", { name: "Sign in with Test Wallet" }).click();
  const refusal = page.getByRole("alert").filter({ hasText: "does not let this account in" });
  await refusal.filter({ hasText: stranger.address.slice(0, 6) }).waitFor();
  await refusal.getByRole("button", { name: "Use another account" }).click();
  await page.getByRole("link", { name: "New job" }).first().waitFor();
});

test("refusing in the wallet signs nothing and can be made good", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  const wallet = await installWallet(page, { accounts: [newAccount()] });
  wallet.refuses = true;
  await page.goto(node.url);
  await page.getByRole("button", { name: "Sign in with Test Wallet" }).click();
  await page.getByRole("alert").filter({ hasText: "You refused in the wallet" }).waitFor();
  assert.deepEqual(wallet.signed, []);
  assert.equal(await page.getByRole("link", { name: "New job" }).count(), 0);
});

test("guest sees that the node runs, and nothing of its jobs", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await page.goto(node.url);
  await page.getByRole("button", { name: "Look around as a guest" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await section(page, "Node").getByText("Accepted").waitFor();
  const menu = page.getByRole("navigation", { name: "Main" });
  assert.deepEqual(await menu.getByRole("link").allInnerTexts(), ["Overview", "Status", "API reference"]);
  assert.deepEqual(page.complaints, [], "nothing was asked for that a guest may not have");
  await page.goto(`${node.url}/jobs`);
  await page.getByText(/flowork link/).first().waitFor();
});

async function addMember(page, { name, address, role }) {
  await openPage(page, "Members");
  await page.getByRole("button", { name: "Add member" }).click();
  const form = page.getByRole("form", { name: "New member" });
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Wallet address").fill(address);
  await form.getByRole("radio", { name: role }).check();
  await form.getByRole("button", { name: "Add member" }).click();
  await section(page, "All members").getByRole("listitem", { name }).waitFor();
}
