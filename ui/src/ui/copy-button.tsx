import { Check, Copy } from "lucide-react";
import { type MouseEvent, useId, useState } from "react";

import { IconButton } from "./button";
import { copyText } from "./copy";
import { Modal } from "./dialog";
import { TextArea } from "./field";

/** Copies `value`, and says so in its own name so that a screen reader hears it too. What can't be copied is shown. */
export function CopyButton({ value, what }: { value: string; what: string }) {
  const [copied, setCopied] = useState(false);
  const [failed, setFailed] = useState(false);

  async function copy(button: Element) {
    if (!(await copyText(value, button.parentElement ?? document.body))) {
      setFailed(true);
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  }

  return (
    <>
      <IconButton
        label={copied ? `Copied ${what}` : `Copy ${what}`}
        onClick={({ currentTarget }: MouseEvent) => void copy(currentTarget)}
        className="size-7"
      >
        {copied ? <Check aria-hidden className="size-3.5 text-good" /> : <Copy aria-hidden className="size-3.5" />}
      </IconButton>
      {failed && <ByHand value={value} what={what} onClose={() => setFailed(false)} />}
    </>
  );
}

/** What is left where a page is not let at the clipboard. */
function ByHand({ value, what, onClose }: { value: string; what: string; onClose: () => void }) {
  const id = useId();
  return (
    <Modal
      open
      onOpenChange={onClose}
      title={`Copy ${what} by hand`}
      detail="This page is not let at the clipboard here. The text is selected: copy it with Ctrl+C, or ⌘C on a Mac."
    >
      <label htmlFor={id} className="sr-only">
        {`To copy: ${what}`}
      </label>
      <TextArea
        id={id}
        readOnly
        value={value}
        rows={Math.min(8, value.split("\n").length + 1)}
        className="font-mono"
        ref={(field) => {
          field?.focus();
          field?.select();
        }}
      />
    </Modal>
  );
}
