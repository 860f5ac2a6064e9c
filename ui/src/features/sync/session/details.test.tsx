import { screen } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";

import { syncState } from "~/sync/test-world";
import { nodeClock } from "~/sync/window";
import { renderPart } from "~/test-render";

import { Details } from "./details";

describe("what is told of a session and of this machine's clock", () => {
  it("shows how far the clock is from the node's, and how far it drifted", async () => {
    const reading = { offsetMs: -73_000, roundTripMs: 20, driftMs: 18 };
    vi.spyOn(nodeClock, "reading").mockReturnValue(reading);
    renderPart(<Details state={syncState()} />);
    const told = await screen.findByText(/ahead of the node's, and corrected, to ±10 ms; drifted 18 ms since the last comparison/);
    expect(told).toBeInTheDocument();
  });
});
