// A desktop's notifications, as python3-dbusmock has them: what is shown is written down, and can be clicked.
import { eventually, start } from "../harness/process.mjs";

const NAME = "org.freedesktop.Notifications";
const PATH = "/org/freedesktop/Notifications";
const MOCK = "org.freedesktop.DBus.Mock";

/** Starts what shows notifications on the bus of a desk. */
export async function startNotifications({ t, bus, env }) {
  start(t, "/usr/bin/python3", ["-m", "dbusmock", "--template", "notification_daemon"], { env });
  await bus.until(NAME);
  const all = async () => {
    const [calls] = await bus.call(NAME, PATH, MOCK, "GetMethodCalls", "s", ["Notify"]);
    return calls.map(([, [app, , icon, summary, body, actions]]) => ({ app, icon, summary, body, actions }));
  };
  return {
    /** Every notification that was shown. */
    all,
    /** Waits until there is one at this place, and returns it. */
    next: (index) => eventually("a notification", async () => (await all())[index]),
    /** Clicks on the notification of this number. */
    click: (id) => {
      const signal = [NAME, "ActionInvoked", "us", 2, "u", id, "s", "default"];
      return bus.call(NAME, PATH, MOCK, "EmitSignal", "sssav", signal);
    },
  };
}
