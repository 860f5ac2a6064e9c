// A session bus of a test's own: nothing of the machine is on it, and it ends with the test.
import { once } from "node:events";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { eventually, run, start, within } from "../harness/process.mjs";

/** Where Debian and its relatives keep what a session bus can start. */
const ACTIVATABLE = "/usr/share/dbus-1/services";

/**
 * Starts a bus. Only the services named in `activatable` can be started by it, so what a test finds on it is what the
 * test put there.
 */
export async function startBus(t, environment, { home, activatable = [] }) {
  const folder = join(home, "bus");
  const services = join(folder, "services");
  await mkdir(services, { recursive: true });
  await Promise.all(
    activatable.map((name) => copyFile(join(ACTIVATABLE, `${name}.service`), join(services, `${name}.service`))),
  );
  const config = join(folder, "bus.conf");
  await writeFile(config, configuration(join(folder, "socket"), services));
  const { child, said } = start(t, "dbus-daemon", ["--nofork", "--print-address", `--config-file=${config}`], {
    env: environment,
  });
  await within(Promise.race([once(child.stdout, "data"), once(child, "exit")]), "starting the session bus");
  const address = said.out.trim().split("\n")[0];
  if (!address) {
    throw new Error(`the session bus did not start: ${said.err}`);
  }
  return busAt(t, address, { ...environment, DBUS_SESSION_BUS_ADDRESS: address, DBUS_SYSTEM_BUS_ADDRESS: address });
}

function configuration(socket, services) {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${socket}</listen>
  <servicedir>${services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`;
}

function busAt(t, address, env) {
  const busctl = (...words) => run(t, "busctl", [`--address=${address}`, "--json=short", ...words], { env });
  const answer = async (...words) => {
    const out = await busctl(...words);
    return out.trim() === "" ? undefined : plain(JSON.parse(out));
  };
  const daemon = (method, ...names) => {
    const place = ["org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"];
    return answer("call", ...place, method, ...names.flatMap((name) => ["s", name]));
  };
  return {
    address,
    /** What a program needs to find this bus. */
    env,
    /** Calls a method and returns the list of what it answers. `types` and `values` are in busctl's words. */
    call: (service, path, face, method, types = "", values = []) =>
      answer("call", service, path, face, method, ...(types === "" ? [] : ["--", types, ...values.map(String)])),
    /** Reads a property. */
    property: (service, path, face, name) => answer("get-property", service, path, face, name),
    /** Waits until somebody has a name. */
    until: (name) => eventually(`${name} on the bus`, async () => (await daemon("NameHasOwner", name))[0]),
    /** Every name that somebody has. */
    names: async () => (await daemon("ListNames"))[0],
    /** The process behind a name. */
    pid: async (name) => (await daemon("GetConnectionUnixProcessID", name))[0],
  };
}

/** Takes away the types that busctl writes beside each value. */
function plain(value) {
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  if (Object.keys(value).length === 2 && typeof value.type === "string" && "data" in value) {
    return plain(value.data);
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
