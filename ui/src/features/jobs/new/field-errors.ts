import { ApiError } from "~/api/error";
import type { FieldError } from "~/api/types";

/** Moves errors from within a value to where that value is in the whole request. */
export function under(prefix: string, errors: readonly FieldError[]): FieldError[] {
  return errors.map(({ field, message }) => ({ field: prefix + field, message }));
}

/** Takes a prefix off again, for the fields that only know their own value. */
export function within(prefix: string, errors: readonly FieldError[]): FieldError[] {
  return errors
    .filter(({ field }) => field === prefix || field.startsWith(`${prefix}/`))
    .map(({ field, message }) => ({ field: field.slice(prefix.length), message }));
}

/** The fields that the node refused; none where it refused for another reason. */
export function fieldErrorsOf(error: unknown): FieldError[] {
  return error instanceof ApiError ? error.fieldErrors() : [];
}
