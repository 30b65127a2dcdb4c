// A draft that is saved as one goes: what was typed is sent soon, one save after the other, and never over somebody else's in silence.
import { useEffect, useRef, useState } from 'preact/hooks';
import { answer, NetworkError, ProblemError } from '../api/client';
import type { CaseView } from '../api/types';
import { patchOf, withValue, type Form, type Value } from './schema';

const SAVE_MS = 900, RETRY_MS = 4000;

export interface Fault {
  code: string;
  detail: string;
}
export interface Draft {
  view: CaseView | undefined;
  form: Form;
  error: unknown; // why it could not be loaded, or sent
  how: 'saved' | 'waiting' | 'saving' | 'apart';
  faults: Record<string, Fault>; // what the server says of an answer, by pointer
  conflict: Form | null; // what somebody else saved meanwhile, of the same answers
}

export const faultsOf = (error: ProblemError): Record<string, Fault> =>
  Object.fromEntries(error.problem.errors.map((one) => [one.pointer, { code: one.code, detail: one.detail }]));

/** Everything that was said of this pointer or below it is said no more. */
const without = (faults: Record<string, Fault>, pointer: string) =>
  Object.fromEntries(Object.entries(faults).filter(([one]) => one !== pointer && !one.startsWith(pointer + '/')));

export function useDraft(id: string) {
  const [draft, setDraft] = useState<Draft>({ view: undefined, form: {}, error: null, how: 'saved', faults: {}, conflict: null });
  const etag = useRef(''), newest = useRef(''), both = useRef<string[]>([]), dirty = useRef(new Map<string, Value>()), chain = useRef<Promise<boolean>>(Promise.resolve(true));
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined), alive = useRef(true), kept = useRef(true);
  const set = (change: Partial<Draft>) => alive.current && setDraft((was) => ({ ...was, ...change }));

  /** What the server holds, with what is not there yet laid over it. */
  const took = (view: CaseView, headers: Headers) => {
    etag.current = headers.get('ETag') ?? '';
    kept.current = view.state === 'draft' || view.state === 'supplement'; // A supplement lies beside the application until it is sent.
    let form = view.form;
    for (const [pointer, value] of dirty.current) form = withValue(form, pointer, value);
    set({ view, form, error: null, how: dirty.current.size && kept.current ? 'waiting' : 'saved' });
  };
  const load = async () => {
    try {
      const { body, headers } = await answer('GET', `/api/v1/services/cases/${id}`);
      took(body as CaseView, headers);
    } catch (error) {
      set({ error });
      if (error instanceof NetworkError) timer.current = setTimeout(load, RETRY_MS);
    }
  };
  const later = (ms: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void save(), ms);
  };

  const send = async (): Promise<boolean> => {
    if (!dirty.current.size || !kept.current) return true;
    const sent = new Map(dirty.current);
    set({ how: 'saving' });
    try {
      const { body, headers } = await answer('PATCH', `/api/v1/services/cases/${id}`, { body: { form: patchOf(sent) }, headers: { 'If-Match': etag.current } });
      for (const [pointer, value] of sent) if (dirty.current.get(pointer) === value) dirty.current.delete(pointer);
      took(body as CaseView, headers);
      return true;
    } catch (error) {
      return refused(error, sent);
    }
  };
  /** One wrong answer keeps the others from nothing: they are sent again without it. */
  const refused = async (error: unknown, sent: Map<string, Value>): Promise<boolean> => {
    if (error instanceof ProblemError && error.status === 409) {
      const { current, etag: newer } = error.problem as unknown as { current?: Form; etag?: string };
      if (!newer) await load(); // It was handed in elsewhere: there is no draft to save any more.
      else set({ conflict: current ?? {}, how: 'apart' });
      newest.current = newer ?? '';
      both.current = Object.keys(faultsOf(error));
      return false;
    }
    if (error instanceof ProblemError && error.status === 422) {
      const faults = faultsOf(error);
      const wrong = [...sent.keys()].filter((pointer) => Object.keys(faults).some((one) => one === pointer || one.startsWith(pointer + '/') || pointer.startsWith(one + '/')));
      for (const pointer of wrong) dirty.current.delete(pointer);
      setDraft((was) => ({ ...was, faults: { ...was.faults, ...faults }, how: 'apart' }));
      if (wrong.length && dirty.current.size) await send();
      return false;
    }
    set({ how: 'apart', error: error instanceof NetworkError ? null : error });
    if (alive.current) later(RETRY_MS);
    return false;
  };
  const save = (): Promise<boolean> => {
    clearTimeout(timer.current);
    return (chain.current = chain.current.then(send));
  };

  useEffect(() => {
    alive.current = true;
    void load();
    const seen = () => !document.hidden && !dirty.current.size && void load(); // Another device may have gone on meanwhile.
    const leaving = (event: BeforeUnloadEvent) => dirty.current.size && kept.current && event.preventDefault();
    document.addEventListener('visibilitychange', seen);
    addEventListener('beforeunload', leaving);
    return () => {
      alive.current = false;
      clearTimeout(timer.current);
      void send();
      document.removeEventListener('visibilitychange', seen);
      removeEventListener('beforeunload', leaving);
    };
  }, [id]);

  return {
    ...draft,
    change(pointer: string, value: Value, { soon = false } = {}) {
      dirty.current.set(pointer, value);
      setDraft((was) => ({ ...was, form: withValue(was.form, pointer, value), how: kept.current ? 'waiting' : was.how, faults: without(was.faults, pointer) }));
      if (kept.current) later(soon ? 0 : SAVE_MS);
    },
    save,
    said: (faults: Record<string, Fault>) => set({ faults }),
    took,
    /** Answers that were changed and are not with the server. */
    changes: () => patchOf(dirty.current),
    /** Of the answers that were given twice the other one stands; what was answered only here is still sent. */
    async takeNewer() {
      for (const pointer of both.current.length ? both.current : [...dirty.current.keys()]) dirty.current.delete(pointer);
      set({ conflict: null, faults: {} });
      await load();
      return save();
    },
    keepMine() {
      etag.current = newest.current;
      set({ conflict: null });
      return save();
    },
  };
}
export type DraftInHand = ReturnType<typeof useDraft>;
