import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { AdminTokensPage } from "./page";

describe("the page of the admin tokens", () => {
  it("makes one for what is chosen, and shows it once with how long it lives", async () => {
    const user = userEvent.setup({ delay: null });
    const expires = new Date(Date.now() + 5 * 60_000).toISOString();
    const node = fakeNode({
      "POST /v1/admin-tokens": { status: 201, body: { token: "fla_secret", scopes: ["ops:drain"], expires_at: expires } },
    });
    renderPart(<AdminTokensPage />);
    await user.click(await screen.findByRole("checkbox", { name: /Drain the node/ }));
    await user.selectOptions(screen.getByLabelText("Life"), "5 minutes");
    await user.click(screen.getByRole("button", { name: "Make token" }));
    const shown = await screen.findByRole("alertdialog", { name: "The new admin token" });
    expect(node.bodies("POST /v1/admin-tokens")).toEqual([{ scopes: ["ops:drain"], ttl_seconds: 300 }]);
    expect(within(shown).getByRole("status", { name: "Admin token" })).toHaveTextContent("fla_secret");
    expect(shown).toHaveTextContent(/May: ops:drain/);
    expect(shown).toHaveTextContent(/It lives for another/);
    // The dialog takes the pointer a moment after it is there.
    await waitFor(() => user.click(within(shown).getByRole("button", { name: "I have saved it" })));
    expect(screen.queryByText("fla_secret")).not.toBeInTheDocument();
  });

  it("asks for at least one scope", async () => {
    const user = userEvent.setup({ delay: null });
    const node = fakeNode({});
    renderPart(<AdminTokensPage />);
    await user.click(await screen.findByRole("button", { name: "Make token" }));
    expect(screen.getByText("Choose at least one.")).toBeInTheDocument();
    expect(node.bodies("POST /v1/admin-tokens")).toHaveLength(0);
  });
});
