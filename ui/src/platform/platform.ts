/** What the GUI needs of the home it runs in. Each home implements it once; nothing else asks where it runs. */
export interface Platform {
  /** Names the home in the list of sessions, such as `Firefox on Linux`. */
  deviceName(): string;
  /** Where the node answers; no slash at the end. */
  nodeUrl(): string;
  /**
   * Whether the browser takes the way to the node for a safe one: HTTPS, or this machine itself. Elsewhere it gives pages
   * no cryptography, and so no key of their own, and not the clipboard.
   */
  isSecure: boolean;
  /** Takes the pairing code out of the address, so that it is neither seen, bookmarked nor shared. */
  takePairingCode(): string | undefined;
  /** Calls back when a pairing link is opened over the running page. Returns what stops that. */
  onPairingLink(listener: () => void): () => void;
  /** Runs `task` while no other window of this home runs one of the same name. */
  exclusively<T>(name: string, task: () => Promise<T>): Promise<T>;
  /** Keeps one secret across restarts, and says when another window changed it. */
  secret: SecretSlot;
  /** Keeps the key that this home signs in with by itself. */
  deviceKey: DeviceKeySlot;
  /** Hands a file to the person, as a download. */
  saveFile(name: string, content: Blob): void;
  /** Keeps a harmless preference across restarts. */
  preference: { read(name: string): string | undefined; write(name: string, value: string): void };
  /** The app whose window this is; `undefined` in a browser. */
  desktop: DesktopApp | undefined;
}

/** What only the desktop app can do for its window. */
export interface DesktopApp {
  version: string;
  /** Asks the app to sign this window in. It answers with a pairing link, or not at all. */
  signIn: () => void;
  /** Shows the settings of the app, in a window of their own. */
  openSettings: () => void;
}

/** A place for one secret. */
export interface SecretSlot {
  read(): string | undefined;
  write(value: string | undefined): void;
  onOtherWindow(listener: () => void): () => void;
}

/** A key of this home: what it signs proves that it is the same home as before. */
export interface DeviceKey {
  /** The account it signs for, with its checksum. */
  address: string;
  /** Signs as a wallet's `personal_sign` does. */
  sign: (message: string) => Promise<string>;
}

/** A key that is not kept yet, and is gone with the page unless somebody keeps it. */
export interface NewDeviceKey extends DeviceKey {
  keep: () => Promise<void>;
}

/** A place for one device key, whose secret nothing can read back. All of it fails where a browser allows no such place. */
export interface DeviceKeySlot {
  read(): Promise<DeviceKey | undefined>;
  make(): Promise<NewDeviceKey>;
  forget(): Promise<void>;
}
