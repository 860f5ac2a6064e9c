import { createContext, use } from "react";

import type { FieldError } from "~/api/types";

import type { Schema } from "./shape";

/** What every field of a form needs to know of the whole form. */
export interface FormScope {
  /** The whole schema, for the references in it. */
  root: Schema;
  /** Stands before the pointer in the id of each control. */
  prefix: string;
  errors: readonly FieldError[];
}

export const FormScopeContext = createContext<FormScope>({ root: {}, prefix: "", errors: [] });

export function useFormScope(): FormScope {
  return use(FormScopeContext);
}

/** The id of the control for what a pointer names. */
export function controlId(prefix: string, pointer: string): string {
  return `${prefix}${pointer.replaceAll(/[^\w/.-]/g, "_")}`;
}

/** What is wrong with the value itself. */
export function errorsAt(errors: readonly FieldError[], pointer: string): string[] {
  return errors.filter(({ field }) => field === pointer).map(({ message }) => message);
}

/** What is wrong with the value or anything in it, for a control that shows all of it. */
export function errorsWithin(errors: readonly FieldError[], pointer: string): string[] {
  return errors
    .filter(({ field }) => field === pointer || field.startsWith(`${pointer}/`))
    .map(({ field, message }) => (field === pointer ? message : `${field.slice(pointer.length)}: ${message}`));
}

/** Forgets what was said about a value that has been changed since, about what is in it and what it is in. */
export function withoutErrorsAt(errors: readonly FieldError[], pointer: string): FieldError[] {
  return errors.filter(
    ({ field }) => field !== pointer && !field.startsWith(`${pointer}/`) && !pointer.startsWith(`${field}/`),
  );
}
