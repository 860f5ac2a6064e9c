import guide from "../../../../../docs/remote-access.md?raw";

/** What the documentation says about reaching a node from elsewhere, as it is written there. */
export default function RemoteAccess() {
  return <pre className="font-mono text-xs leading-relaxed whitespace-pre-wrap text-ink-soft [overflow-wrap:anywhere]">{guide}</pre>;
}
