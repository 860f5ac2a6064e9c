import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { DrainSection } from "./section";

const AT_WORK = { on: false, stopping: false, since: null, by: null, reason: null, running: 3, allowed_actions: ["start"] };
const DRAINING = { ...AT_WORK, on: true, since: "2026-01-01T00:00:00.000Z", by: "ada", reason: "new disk", allowed_actions: ["stop"] };

describe("the switch for the drain", () => {
  it("asks first, and sends the reason", async () => {
    const user = userEvent.setup({ delay: null });
    const node = fakeNode({ "GET /drain": { body: AT_WORK }, "POST /drain": { body: DRAINING } });
    renderPart(<DrainSection />);
    await user.click(await screen.findByRole("button", { name: "Drain this node…" }));
    const dialog = screen.getByRole("alertdialog", { name: "Drain this node?" });
    expect(node.bodies("POST /drain"), "nothing happens before the answer").toHaveLength(0);
    await user.type(within(dialog).getByLabelText("Reason"), "new disk");
    node.answer("GET /drain", DRAINING);
    await user.click(within(dialog).getByRole("button", { name: "Drain now" }));
    expect(await screen.findByRole("status", { name: "Jobs left" })).toHaveTextContent("3 jobs are left to finish.");
    expect(node.bodies("POST /drain")).toEqual([{ on: true, reason: "new disk" }]);
    expect(screen.getByText(/Begun by ada.*: new disk/)).toBeInTheDocument();
  });

  it("ends it with one press, and says why that did not work", async () => {
    const user = userEvent.setup({ delay: null });
    const node = fakeNode({ "GET /drain": { body: DRAINING } });
    node.answer("POST /drain", refusal("STORAGE_FULL", "the disk is full"), 507);
    renderPart(<DrainSection />);
    await user.click(await screen.findByRole("button", { name: "End the drain" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("the disk is full");
    expect(node.bodies("POST /drain")).toEqual([{ on: false }]);
  });

  it("says that a restart ends a drain that the disk did not take", async () => {
    const node = fakeNode({ "GET /drain": { body: { ...DRAINING, unstored: true } } });
    const { unmount } = renderPart(<DrainSection />);
    expect(await screen.findByText(/a restart ends this drain/)).toBeInTheDocument();
    unmount();
    node.answer("GET /drain", { ...DRAINING, unstored: false });
    renderPart(<DrainSection />);
    expect(await screen.findByRole("status", { name: "Jobs left" })).toBeInTheDocument();
    expect(screen.queryByText(/a restart ends this drain/)).not.toBeInTheDocument();
  });

  it("is for looking only where the node allows nothing", async () => {
    fakeNode({ "GET /drain": { body: { ...DRAINING, running: 0, by: null, allowed_actions: [] } } });
    renderPart(<DrainSection />);
    expect(await screen.findByRole("status", { name: "Jobs left" })).toHaveTextContent("All running jobs have finished.");
    expect(screen.queryByRole("button")).not.toBeInTheDocument();
  });
});
