// The one way to the server: typed answers, problems as errors that name their fields, and the header that says we are its own page.
import type { Problem } from './types';

export class ProblemError extends Error {
  constructor(readonly problem: Problem, readonly retryAfter: number | null) {
    super(problem.detail || problem.title);
  }
  get status(): number {
    return this.problem.status;
  }
  /** What is wrong with which field: its JSON pointer, `?name` for a query. */
  get fields(): Record<string, string> {
    return Object.fromEntries(this.problem.errors.map((one) => [one.pointer, one.detail]));
  }
  code(pointer?: string): string | undefined {
    return this.problem.errors.find((one) => pointer === undefined || one.pointer === pointer)?.code;
  }
}

/** Nobody answered at all. */
export class NetworkError extends Error {}

export interface Asked {
  query?: Record<string, string | number | boolean | null | undefined>;
  body?: unknown;
  key?: string; // Idempotency-Key: make one for each thing the person does, and send it again when trying again.
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

const onLoggedOut = new Set<() => void>();
export const whenLoggedOut = (then: () => void): void => void onLoggedOut.add(then);

export async function ask<T>(method: string, path: string, asked: Asked = {}): Promise<T> {
  return (await answer(method, path, asked)).body as T;
}

/** With the headers, for those who need the ETag. */
export async function answer(method: string, path: string, asked: Asked = {}): Promise<{ body: unknown; headers: Headers }> {
  const headers: Record<string, string> = { Accept: 'application/json', 'X-OneLot': 'page', ...asked.headers };
  if (asked.body !== undefined) headers['Content-Type'] ??= 'application/json';
  if (asked.key) headers['Idempotency-Key'] = asked.key;
  let response: Response;
  try {
    response = await fetch(path + queryOf(asked.query), {
      method, headers, cache: 'no-store', credentials: 'same-origin', signal: asked.signal,
      body: asked.body === undefined ? undefined : JSON.stringify(asked.body),
    });
  } catch (error) {
    if (asked.signal?.aborted) throw error;
    throw new NetworkError(String(error));
  }
  const text = await response.text();
  if (!response.ok) throw problemOf(response.status, response.statusText, response.headers, text);
  return { body: text ? JSON.parse(text) : undefined, headers: response.headers };
}

function queryOf(query: Asked['query']): string {
  const said = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return said.length ? '?' + new URLSearchParams(said.map(([name, value]) => [name, String(value)])) : '';
}

interface Sent {
  query: Asked['query'];
  name: string; // Stands in no address: it may say as much as the file.
  key: string;
  progress: (share: number) => void;
  signal: AbortSignal;
}

/** A file as it is, with how much of it is there already: `fetch` does not tell. */
export function upload<T>(path: string, file: Blob, { query, name, key, progress, signal }: Sent): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path + queryOf(query));
    const headers = { Accept: 'application/json', 'X-OneLot': 'page', 'Content-Type': 'application/octet-stream', 'Idempotency-Key': key, 'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}` };
    for (const [header, value] of Object.entries(headers)) request.setRequestHeader(header, value);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(new NetworkError(name));
    request.onabort = () => reject(signal.reason);
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as T);
      reject(problemOf(request.status, request.statusText, { get: (header) => request.getResponseHeader(header) }, request.responseText));
    };
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

function problemOf(status: number, title: string, headers: { get(name: string): string | null }, text: string): ProblemError {
  let problem: Problem = { type: 'about:blank', title, status, detail: '', errors: [] };
  if (headers.get('Content-Type')?.includes('json')) {
    try {
      problem = { ...problem, ...JSON.parse(text) };
    } catch {
      // Cut short on its way: the status says enough.
    }
  }
  if (status === 401) for (const then of onLoggedOut) then();
  const after = headers.get('Retry-After');
  return new ProblemError(problem, after === null ? null : Number(after) || null);
}

export const get = <T>(path: string, query?: Asked['query'], signal?: AbortSignal): Promise<T> => ask<T>('GET', path, { query, signal });

export const freshKey = (): string => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
