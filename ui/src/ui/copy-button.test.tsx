import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";

import { CopyButton } from "./copy-button";
import { ShownOnce } from "./dialog";

const LINK = "http://127.0.0.1:7717/spectate/1";

/** A browser that lets a page at the clipboard in the ways that are given; says what got there. */
function browser({ modern, older }: { modern?: "works" | "refuses"; older: boolean }) {
  const got: string[] = [];
  if (modern === undefined) {
    Reflect.deleteProperty(navigator, "clipboard");
  } else {
    const writeText = vi.fn((text: string) => {
      if (modern === "refuses") return Promise.reject(new DOMException("no", "NotAllowedError"));
      got.push(text);
      return Promise.resolve();
    });
    Object.defineProperty(navigator, "clipboard", { configurable: true, value: { writeText } });
  }
  const execCommand = (command: string) => {
    const { activeElement: field } = document;
    if (!older || command !== "copy" || !(field instanceof HTMLTextAreaElement)) return false;
    got.push(field.value.slice(field.selectionStart, field.selectionEnd));
    return true;
  };
  Object.defineProperty(document, "execCommand", { configurable: true, value: execCommand });
  return got;
}

afterEach(() => {
  Reflect.deleteProperty(navigator, "clipboard");
  Reflect.deleteProperty(document, "execCommand");
});

describe("the button that copies", () => {
  it("copies in whichever way the browser allows, and says so", async () => {
    for (const ways of [{ modern: "works", older: false }, { modern: "refuses", older: true }, { older: true }] as const) {
      const got = browser(ways);
      const { unmount } = render(<CopyButton value={LINK} what="link" />);
      const button = screen.getByRole("button", { name: "Copy link" });
      button.focus();
      fireEvent.click(button);
      expect(await screen.findByRole("button", { name: "Copied link" })).toHaveFocus();
      expect(got).toEqual([LINK]);
      expect(screen.queryByRole("textbox")).not.toBeInTheDocument();
      unmount();
    }
  });

  it("copies out of a dialog that keeps the focus to itself", async () => {
    const got = browser({ older: true });
    render(
      <ShownOnce title="Token" detail="" onSaved={() => undefined}>
        <CopyButton value="secret" what="token" />
      </ShownOnce>,
    );
    fireEvent.click(screen.getByRole("button", { name: "Copy token" }));
    await screen.findByRole("button", { name: "Copied token" });
    expect(got).toEqual(["secret"]);
  });

  it("shows the text, selected, where no way works", async () => {
    for (const modern of ["refuses", undefined] as const) {
      browser({ ...(modern === undefined ? {} : { modern }), older: false });
      const { unmount } = render(<CopyButton value={LINK} what="link" />);
      fireEvent.click(screen.getByRole("button", { name: "Copy link" }));
      await screen.findByRole("dialog", { name: "Copy link by hand" });
      const field = screen.getByRole<HTMLTextAreaElement>("textbox", { name: "To copy: link" });
      expect(field).toHaveValue(LINK);
      await waitFor(() => expect(field).toHaveFocus());
      expect([field.selectionStart, field.selectionEnd]).toEqual([0, LINK.length]);
      fireEvent.click(screen.getByRole("button", { name: "Close" }));
      expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
      expect(screen.getByRole("button", { name: "Copy link" })).toBeInTheDocument();
      unmount();
    }
  });
});
