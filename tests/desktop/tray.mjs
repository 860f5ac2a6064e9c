// The tray as a desktop has it: a panel with a StatusNotifier host, and the app's item as any panel reads it.
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { eventually, run, start } from "../harness/process.mjs";

const WATCHER = "org.kde.StatusNotifierWatcher";
const ITEM = "org.kde.StatusNotifierItem";
const MENU = "com.canonical.dbusmenu";
/** What the panel needs to be started by the bus: where it keeps its settings. */
export const PANEL_NEEDS = ["org.xfce.Xfconf"];

/** Starts Xfce's panel with nothing on it but the tray, and waits until it watches for items. */
export async function startPanel(t, { bus, env, home }, { dark = false } = {}) {
  const folder = join(home, "config/xfce4/xfconf/xfce-perchannel-xml");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "xfce4-panel.xml"), panelOf(dark));
  const panel = start(t, "xfce4-panel", ["--disable-wm-check"], { env });
  await bus.until(WATCHER);
  return panel;
}

const panelOf = (dark) => `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="${dark}"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=8;x=640;y=884"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
`;

/** What tells the picture of a state from another: the one that was drawn for it, as a panel gets it. */
export async function iconOf(t, state) {
  const text = await run(t, "convert", [`assets/icons/tray/${state}-64.png`, "-depth", "8", "txt:-"]);
  const bytes = [...text.matchAll(/#([0-9A-F]{2})([0-9A-F]{2})([0-9A-F]{2})([0-9A-F]{2})\b/g)].flatMap(
    ([, red, green, blue, alpha]) => [alpha, red, green, blue].map((part) => Number.parseInt(part, 16)),
  );
  return toldApart([[64, 64, bytes]]);
}

function toldApart(pixmaps) {
  return createHash("sha256").update(JSON.stringify(pixmaps)).digest("hex").slice(0, 12);
}

/** Starts what should watch over tray icons, and answers nobody. */
export async function startHungWatcher(desk) {
  const script = `import dbus, os, signal
bus = dbus.bus.BusConnection(os.environ["DBUS_SESSION_BUS_ADDRESS"])
bus.request_name("${WATCHER}")
signal.pause()`;
  start(desk.t, "/usr/bin/python3", ["-c", script], { env: desk.env });
  await desk.bus.until(WATCHER);
}

/** Waits for the item that the process `pid` has put into the tray. */
export async function trayItem(bus, pid) {
  const [service, path] = await eventually(`an item of process ${pid} in the tray`, () => itemOf(bus, pid));
  return itemAt(bus, service, path);
}

/** Says whether the process `pid` has an item in the tray. */
export async function isInTray(bus, pid) {
  return (await itemOf(bus, pid)) !== undefined;
}

async function itemOf(bus, pid) {
  const items = await bus.property(WATCHER, "/StatusNotifierWatcher", WATCHER, "RegisteredStatusNotifierItems");
  for (const item of items) {
    // A service and the path of its object, in one text.
    const [, service, path] = /^([^/]+)(\/.*)$/.exec(item);
    const owner = await bus.pid(service).catch(() => undefined);
    if (owner === pid) {
      return [service, path];
    }
  }
  return undefined;
}

function itemAt(bus, service, path) {
  const property = (name) => bus.property(service, path, ITEM, name);
  const menuCall = async (method, types, values) =>
    bus.call(service, await property("Menu"), MENU, method, types, values);
  const menu = async () => {
    const [, root] = await menuCall("GetLayout", "iias", [0, -1, 0]);
    return entryOf(root).children;
  };
  const entry = async (label) => {
    const entries = (await menu()).flatMap((entry) => [entry, ...entry.children]);
    const found = entries.filter((entry) => matches(entry.label, label));
    if (found.length !== 1) {
      const all = entries.map((entry) => entry.label).join(", ");
      throw new Error(`${found.length} entries of the menu are called ${label}; there are: ${all}`);
    }
    return found[0];
  };
  const line = async () => (await menu())[0].label;
  const icon = async () => {
    const pixmaps = await property("IconPixmap");
    if (pixmaps.length === 0) {
      throw new Error("the item has no picture");
    }
    return toldApart(pixmaps);
  };
  return {
    property,
    /** Every entry: `{ id, label, enabled, separator, checked, children }`. */
    menu,
    /** The one entry of this label. */
    entry,
    /** The line at the top of the menu, which says in words what the icon shows. */
    line,
    /** Waits until that line satisfies a condition, and returns it. */
    untilLine: (what, holds) =>
      eventually(`the tray says ${what}`, async () => {
        const said = await line();
        if (!matches(said, holds)) {
          throw new Error(`it says ${JSON.stringify(said)}`);
        }
        return said;
      }),
    /** What tells one picture from another. */
    icon,
    /** Waits until the picture is the one of a state, which `iconOf` tells. */
    untilIcon: (what, wanted) =>
      eventually(`the picture in the tray says ${what}`, async () => {
        const shown = await icon();
        if (shown !== wanted) {
          throw new Error(`it is ${shown} and not ${wanted}`);
        }
        return true;
      }),
    /** Waits until an entry can be clicked and clicks it, as a panel does. */
    click: (label) =>
      eventually(`clicking ${label} in the tray's menu`, async () => {
        const { id, enabled } = await entry(label);
        if (!enabled) {
          throw new Error("it cannot be clicked");
        }
        // The numbers change with every change of the menu; a click on an old one is refused, and tried again.
        await menuCall("Event", "isvu", [id, "clicked", "i", 0, 0]);
        return true;
      }),
    /** Clicks on the icon itself. */
    activate: () => bus.call(service, path, ITEM, "Activate", "ii", [0, 0]),
  };
}

function matches(text, wanted) {
  return wanted instanceof RegExp ? wanted.test(text) : wanted === text;
}

/** Makes an entry of what dbusmenu calls a layout. */
function entryOf([id, properties, children]) {
  return {
    id,
    // One underscore marks the letter to press; two are one.
    label: (properties.label ?? "").replace(/_(.?)/g, "$1"),
    enabled: properties.enabled ?? true,
    separator: properties.type === "separator",
    checked: properties["toggle-state"] === 1,
    children: children.map(entryOf),
  };
}
