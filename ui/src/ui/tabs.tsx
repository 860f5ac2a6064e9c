import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";

interface TabsProps<Name extends string> {
  label: string;
  value: Name;
  onChange: (value: Name) => void;
  tabs: readonly { name: Name; title: string }[];
  children: ReactNode;
}

/** A few views of the same thing. The caller holds which one is shown, and renders a [`TabPanel`] for each. */
export function Tabs<Name extends string>({ label, value, onChange, tabs, children }: TabsProps<Name>) {
  return (
    <Radix.Root
      value={value}
      onValueChange={(chosen) => {
        const tab = tabs.find(({ name }) => name === chosen);
        if (tab !== undefined) onChange(tab.name);
      }}
      className="space-y-4"
    >
      <Radix.List aria-label={label} className="inline-flex gap-0.5 rounded-lg border border-line bg-sunken p-0.5">
        {tabs.map(({ name, title }) => (
          <Radix.Trigger
            key={name}
            value={name}
            className="rounded-md px-3 py-1 text-[13px] text-ink-soft transition-colors hover:text-ink data-[state=active]:bg-panel data-[state=active]:font-medium data-[state=active]:text-ink data-[state=active]:shadow-raised pointer-coarse:py-2.5"
          >
            {title}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {children}
    </Radix.Root>
  );
}

export const TabPanel = Radix.Content;
