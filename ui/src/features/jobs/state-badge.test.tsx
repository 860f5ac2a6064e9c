import { render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { JOB_STATES } from "~/api/types";

import { StateBadge } from "./state-badge";

describe("a state badge", () => {
  it("says each state in a word of its own, so that no color has to", () => {
    const words = JOB_STATES.map((state) => {
      const { container, unmount } = render(<StateBadge state={state} />);
      const word = container.textContent;
      unmount();
      return word;
    });
    expect(words).toEqual(["Scheduled", "Queued", "Running", "Completed", "Failed", "Cancelled", "Expired"]);
  });

  it("says that a running job is on its way to be cancelled", () => {
    render(<StateBadge state="leased" cancelRequested />);
    expect(screen.getByText("Cancelling")).toBeInTheDocument();
  });
});
