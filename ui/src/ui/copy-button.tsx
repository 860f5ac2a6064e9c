import { Check, Copy } from "lucide-react";
import { useState } from "react";

import { IconButton } from "./button";

/** Copies `value`, and says so in its own name so that a screen reader hears it too. */
export function CopyButton({ value, what }: { value: string; what: string }) {
  const [copied, setCopied] = useState(false);

  async function copy() {
    await navigator.clipboard.writeText(value);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  }

  return (
    <IconButton label={copied ? `Copied ${what}` : `Copy ${what}`} onClick={() => void copy()} className="size-7">
      {copied ? <Check aria-hidden className="size-3.5 text-good" /> : <Copy aria-hidden className="size-3.5" />}
    </IconButton>
  );
}
