/** What a back end of the vault is, and what it protects. */
export function vaultWords(vault: string): { title: string; detail: string } {
  switch (vault) {
    case "keychain":
      return {
        title: "the system's keychain",
        detail: "It opens with your login, and other people's accounts on this machine can't read it.",
      };
    case "systemd":
      return {
        title: "systemd credentials",
        detail: "systemd decrypts them for this service alone, at its start.",
      };
    case "passphrase":
      return {
        title: "a file encrypted with a passphrase",
        detail: "Whoever has the file has nothing without the passphrase.",
      };
    case "file":
      return {
        title: "a file encrypted with a random key",
        detail:
          "The key is in a file of its own, outside the data directory. That protects copies and backups of the data, not the machine: whoever can read your files can read both.",
      };
    default:
      return { title: vault, detail: "" };
  }
}
