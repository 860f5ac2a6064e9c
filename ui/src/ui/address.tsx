import { CopyButton } from "./copy-button";

/** How much of either end is shown. */
const HEAD_CHARS = 6;
const TAIL_CHARS = 4;

/** Shortens an address to what people compare: `0x5aAe…eAed`. */
export function shortAddress(address: string): string {
  return `${address.slice(0, HEAD_CHARS)}…${address.slice(-TAIL_CHARS)}`;
}

/** The address of a key, by its two ends; whole in its tooltip and when it is copied. */
export function Address({ address, copy = false }: { address: string; copy?: boolean }) {
  return (
    <span className="inline-flex items-center gap-1 whitespace-nowrap">
      <code title={address} className="font-mono text-[0.95em]">
        {shortAddress(address)}
      </code>
      {copy && <CopyButton value={address} what={`the address ${shortAddress(address)}`} />}
    </span>
  );
}
