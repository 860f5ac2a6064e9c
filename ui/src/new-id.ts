import { v4 } from "uuid";

/** A UUID of chance, also where a page comes over plain HTTP from another machine and has no `crypto.randomUUID`. */
export function newId(): string {
  return v4();
}
