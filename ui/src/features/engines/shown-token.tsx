import { platform } from "~/platform";
import { CopyButton } from "~/ui/copy-button";
import { ShownOnce } from "~/ui/dialog";
import { SecretField } from "~/ui/secret-field";
import { At } from "~/ui/time";

interface ShownTokenProps {
  engineName: string;
  token: string;
  /** Until when the token before works as well; `null` where it has ended, `undefined` where there was none. */
  oldEndsAt?: string | null | undefined;
  onSaved: () => void;
}

/** The token of an engine, this once. */
export function ShownToken({ engineName, token, oldEndsAt, onSaved }: ShownTokenProps) {
  const command = `flowork engine run --gateway ${platform.nodeUrl()}`;
  return (
    <ShownOnce
      title={`The token of ${engineName}`}
      detail="Only this engine should have it. The node keeps nothing but a hash, so it can't be shown again."
      onSaved={onSaved}
    >
      <SecretField value={token} label="Token" />
      {oldEndsAt === null && <p className="text-[13px] text-ink-soft">The token before has ended.</p>}
      {oldEndsAt && (
        <p className="text-[13px] text-ink-soft">
          The token before works until <At at={oldEndsAt} />.
        </p>
      )}
      <div className="space-y-1.5 text-[13px] text-ink-soft">
        <p>
          On the other machine, hand it to <code className="font-mono">flowork engine set-token</code>, which keeps it in
          the vault there, and run:
        </p>
        <div className="flex items-center justify-between gap-2 rounded-lg border border-line bg-sunken py-1 pr-1 pl-3">
          <code className="font-mono [overflow-wrap:anywhere]">{command}</code>
          <CopyButton value={command} what="the command" />
        </div>
      </div>
    </ShownOnce>
  );
}
