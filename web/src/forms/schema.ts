// What a form asks, read from its schema as the server reads it: which questions there are, which are asked now, what lies where. Pure.
import type { Words } from '../i18n';

export type Value = unknown; // What a JSON document may hold.
export type Form = Record<string, Value>;

export interface Schema {
  type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  enum?: (string | number)[];
  oneOf?: { const: string; 'x-label': Words }[];
  const?: boolean;
  format?: 'date' | 'email' | 'uri';
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  'x-label'?: Words;
  'x-hint'?: Words;
  'x-basis'?: string;
  'x-choices'?: Record<string, Words>;
  'x-plate'?: boolean;
  'x-pii'?: string;
  'x-file'?: { types: ('pdf' | 'jpeg' | 'png')[]; bytes_max: number };
  'x-place'?: { kinds?: string[]; point?: boolean };
  'x-ask'?: { if: Record<string, Value>; ask: string[] }[];
}

export interface Question {
  pointer: string;
  schema: Schema;
  required: boolean; // by every object above it, too
}

/** What stands on one page of the form: an object of the schema, or questions that stand alone beside each other. */
export interface Group {
  label: Words | null;
  pointers: string[]; // what is drawn, in order
}

/** What a place is written as: one of the city's, or any point of it. */
export interface PlaceValue {
  place?: string | null; // null in an answer that takes a former one's away
  name?: Words | null;
  lon: number;
  lat: number;
}

/** An object of questions; a place is one answer, though it is written as an object. */
export const isGroup = (part: Schema | undefined): boolean => part?.type === 'object' && !part['x-place'];
export const idOf = (pointer: string): string => 'f' + pointer.replaceAll('/', '-');
export const isWithin = (pointer: string, places: Iterable<string>): boolean => [...places].some((place) => pointer === place || pointer.startsWith(place + '/'));

export function questionsOf(schema: Schema, at = '', required = true): Question[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, part]) => {
    const pointer = `${at}/${name}`, must = required && (schema.required ?? []).includes(name);
    return isGroup(part) ? questionsOf(part, pointer, must) : [{ pointer, schema: part, required: must }];
  });
}

export function partAt(schema: Schema, pointer: string): Schema | undefined {
  let part: Schema | undefined = schema;
  for (const name of pointer.split('/').slice(1)) part = /^\d+$/.test(name) ? part?.items : part?.properties?.[name];
  return part;
}

const isObject = (value: Value): value is Record<string, Value> => typeof value === 'object' && value !== null && !Array.isArray(value);

export function valueAt(form: Value, pointer: string): Value {
  let value: Value = form;
  for (const name of pointer.split('/').slice(1)) {
    if (Array.isArray(value)) value = value[Number(name)];
    else value = isObject(value) ? value[name] : undefined;
  }
  return value;
}

export const isEmpty = (value: Value): boolean => value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);

/** A copy that holds the value there; undefined takes it away. */
export function withValue(form: Form, pointer: string, value: Value): Form {
  const [name, ...rest] = pointer.split('/').slice(1) as [string, ...string[]];
  const copy: Form = { ...form };
  if (rest.length) copy[name] = withValue(isObject(form[name]) ? form[name] : {}, '/' + rest.join('/'), value);
  else if (value === undefined) delete copy[name];
  else copy[name] = value;
  return copy;
}

/** A merge patch (RFC 7386) out of answers by pointer: what was taken away is null. */
export function patchOf(answers: Iterable<[string, Value]>): Form {
  let patch: Form = {};
  for (const [pointer, value] of answers) patch = withValue(patch, pointer, value === undefined ? null : value);
  return patch;
}

/** What is not asked; judged on answers that are themselves asked, as the server does. */
export function hidden(schema: Schema, form: Form): Set<string> {
  const rules = schema['x-ask'] ?? [];
  const byRule = new Set(rules.flatMap((rule) => rule.ask));
  let closed = byRule;
  for (;;) {
    const met = rules.filter((rule) => Object.entries(rule.if).every(([pointer, wanted]) =>
      !isWithin(pointer, closed) && (Array.isArray(wanted) ? wanted : [wanted]).includes(valueAt(form, pointer))));
    const opened = new Set(met.flatMap((rule) => rule.ask));
    const left = new Set([...byRule].filter((pointer) => !opened.has(pointer)));
    if (left.size === closed.size && [...left].every((pointer) => closed.has(pointer))) return closed;
    closed = left;
  }
}

/** One page a group: an object has its own, questions between two objects share one; what is hidden whole has none. */
export function groupsOf(schema: Schema, form: Form): Group[] {
  const closed = hidden(schema, form), groups: Group[] = [];
  let loose: Group | null = null;
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    const pointer = '/' + name;
    if (isWithin(pointer, closed)) continue;
    if (isGroup(part)) {
      loose = null;
      if (questionsOf(part, pointer).some((one) => !isWithin(one.pointer, closed))) groups.push({ label: part['x-label'] ?? null, pointers: [pointer] });
    } else if (loose) {
      loose.pointers.push(pointer);
      loose.label = null;
    } else {
      loose = { label: part['x-label'] ?? null, pointers: [pointer] };
      groups.push(loose);
    }
  }
  return groups;
}

/** The questions of a group that are asked now. */
export function asked(schema: Schema, form: Form, group: Group): Question[] {
  const closed = hidden(schema, form);
  return questionsOf(schema).filter((one) => isWithin(one.pointer, group.pointers) && !isWithin(one.pointer, closed));
}

/** The answers offered, with what people read. */
export function offered(schema: Schema): { value: string | number; label: Words }[] | null {
  if (schema.oneOf) return schema.oneOf.map((one) => ({ value: one.const, label: one['x-label'] }));
  return schema.enum?.map((value) => ({ value, label: schema['x-choices']?.[String(value)] ?? { zh: String(value), en: String(value) } })) ?? null;
}
