import { Plus, X } from "lucide-react";

import { isList, text } from "~/json";
import { Button, IconButton } from "~/ui/button";

import { useFormScope } from "./errors";
import { Group } from "./group";
import { SchemaField, type SchemaFieldProps, useFieldWords } from "./schema-field";
import { initialValue, resolve, type Shape } from "./shape";

/** The items of a list, which a person adds and removes. */
export function ListField({ shape, ...props }: SchemaFieldProps & { shape: Extract<Shape, { shape: "list" }> }) {
  const { value, pointer, onChange, required } = props;
  const { root } = useFormScope();
  const { id, label, hint, messages } = useFieldWords(props);
  const items = isList(value) ? value : [];
  const itemTitle = text(resolve(shape.item, root)["title"]);
  const itemName = itemTitle ?? label;

  function put(next: unknown[], at: string) {
    onChange(next.length === 0 && !required ? undefined : next, at);
  }

  return (
    <Group id={id} label={label} required={required} hint={hint} errors={messages}>
      {items.map((item, index) => (
        <div key={index} className="flex items-start gap-2">
          <div className="min-w-0 flex-1">
            <SchemaField
              schema={shape.item}
              name={`${itemName} ${index + 1}`}
              required={false}
              pointer={`${pointer}/${index}`}
              value={item}
              // An item that was emptied stays an item until it is removed.
              onChange={(next, at) => put(items.map((old, place) => (place === index ? (next ?? "") : old)), at)}
            />
          </div>
          <IconButton
            label={`Remove ${itemName} ${index + 1}`}
            onClick={() => put(items.filter((_, place) => place !== index), pointer)}
            className="mt-6"
          >
            <X aria-hidden className="size-4" />
          </IconButton>
        </div>
      ))}
      <Button
        disabled={shape.most !== undefined && items.length >= shape.most}
        onClick={() => put([...items, initialValue(shape.item, root) ?? ""], pointer)}
      >
        <Plus aria-hidden className="size-3.5" />
        {itemTitle === undefined ? (
          <span>
            Add item<span className="sr-only"> to {label}</span>
          </span>
        ) : (
          `Add ${itemTitle.toLowerCase()}`
        )}
      </Button>
    </Group>
  );
}
