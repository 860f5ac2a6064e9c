import { storedDeviceKey } from "./device-key";
import type { Platform, SecretSlot } from "./platform";

const SECRET_KEY = "flowork.refresh_token";
const PREFERENCE_PREFIX = "flowork.preference.";
/** No event tells when a browser has read what it saves; a file that is made in memory is read long before this. */
const SAVING_MS_MAX = 60_000;
const PAIRING_FRAGMENT = /^#pair=(.+)$/;

/** The home that a browser is: the page comes from the node itself. */
export function browserPlatform(): Platform {
  return {
    deviceName: () => describeBrowser(navigator.userAgent),
    nodeUrl: () => location.origin,
    isSecure: "subtle" in crypto,
    takePairingCode,
    onPairingLink(listener) {
      // A link opened in a tab that shows Flowork already changes only the fragment.
      const onHashChange = () => {
        if (PAIRING_FRAGMENT.test(location.hash)) listener();
      };
      window.addEventListener("hashchange", onHashChange);
      return () => window.removeEventListener("hashchange", onHashChange);
    },
    async exclusively(name, task) {
      // Absent outside secure contexts; a lone window then still runs one task at a time by itself.
      if (!("locks" in navigator)) return await task();
      return await navigator.locks.request(`flowork.${name}`, task);
    },
    secret: storedSecret(),
    deviceKey: storedDeviceKey(),
    saveFile,
    preference: {
      read: (name) => localStorage.getItem(PREFERENCE_PREFIX + name) ?? undefined,
      write: (name, value) => localStorage.setItem(PREFERENCE_PREFIX + name, value),
    },
    desktop: undefined,
  };
}

function takePairingCode(): string | undefined {
  const code = PAIRING_FRAGMENT.exec(location.hash)?.[1];
  if (code === undefined) return undefined;
  history.replaceState(history.state, "", location.pathname + location.search);
  try {
    return decodeURIComponent(code);
  } catch {
    return code;
  }
}

function saveFile(name: string, content: Blob) {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), SAVING_MS_MAX);
}

function storedSecret(): SecretSlot {
  return {
    read: () => localStorage.getItem(SECRET_KEY) ?? undefined,
    write(value) {
      if (value === undefined) localStorage.removeItem(SECRET_KEY);
      else localStorage.setItem(SECRET_KEY, value);
    },
    onOtherWindow(listener) {
      const onStorage = (event: StorageEvent) => {
        if (event.key === SECRET_KEY || event.key === null) listener();
      };
      window.addEventListener("storage", onStorage);
      return () => window.removeEventListener("storage", onStorage);
    },
  };
}

const BROWSERS = [
  ["Edg/", "Edge"],
  ["OPR/", "Opera"],
  ["Firefox/", "Firefox"],
  ["Chrome/", "Chrome"],
  ["Safari/", "Safari"],
] as const;

const SYSTEMS = [
  ["Android", "Android"],
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Windows", "Windows"],
  ["Mac OS X", "macOS"],
  ["Linux", "Linux"],
] as const;

function describeBrowser(userAgent: string): string {
  const browser = BROWSERS.find(([mark]) => userAgent.includes(mark))?.[1] ?? "A browser";
  const system = SYSTEMS.find(([mark]) => userAgent.includes(mark))?.[1];
  return system === undefined ? browser : `${browser} on ${system}`;
}
