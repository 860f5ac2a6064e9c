import { Check, Monitor, Moon, Sun } from "lucide-react";
import { DropdownMenu } from "radix-ui";

import { IconButton } from "~/ui/button";

import { type ThemeChoice, useTheme } from "./theme";

const CHOICES = [
  { choice: "system", title: "As the system", Icon: Monitor },
  { choice: "light", title: "Light", Icon: Sun },
  { choice: "dark", title: "Dark", Icon: Moon },
] as const satisfies readonly { choice: ThemeChoice; title: string; Icon: typeof Sun }[];

export function ThemeMenu() {
  const [theme, setTheme] = useTheme();
  const Icon = CHOICES.find(({ choice }) => choice === theme)?.Icon ?? Monitor;
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>
        <IconButton label="Theme">
          <Icon aria-hidden className="size-4" />
        </IconButton>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="start"
          sideOffset={6}
          className="z-50 min-w-44 rounded-xl border border-line-strong bg-panel p-1 shadow-raised"
        >
          <DropdownMenu.RadioGroup
            value={theme}
            onValueChange={(value) => {
              const chosen = CHOICES.find(({ choice }) => choice === value);
              if (chosen !== undefined) setTheme(chosen.choice);
            }}
          >
            {CHOICES.map(({ choice, title, Icon: ItemIcon }) => (
              <DropdownMenu.RadioItem
                key={choice}
                value={choice}
                className="flex cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-2 text-[13px] outline-none data-[highlighted]:bg-hover pointer-coarse:py-3"
              >
                <ItemIcon aria-hidden className="size-4 text-ink-faint" />
                <span className="flex-1">{title}</span>
                <DropdownMenu.ItemIndicator>
                  <Check aria-hidden className="size-3.5 text-accent" />
                </DropdownMenu.ItemIndicator>
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
