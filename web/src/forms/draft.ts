// A draft that is saved as one goes: what was typed is sent soon, one save after the other, and never over somebody else's in silence.
import { useEffect, useRef, useState } from 'preact/hooks';
import { answer, freshKey, NetworkError, ProblemError, upload } from '../api/client';
import type { CaseView, FileView } from '../api/types';
import { isWithin, patchOf, withValue, type Form, type Value } from './schema';

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
  files: FileView[]; // handed over here, though the case may not have told of them yet
  conflict: Form | null; // what somebody else saved meanwhile, of the same answers
}

export const faultsOf = (error: ProblemError): Record<string, Fault> =>
  Object.fromEntries(error.problem.errors.map((one) => [one.pointer, { code: one.code, detail: one.detail }]));

/** Everything that was said of this pointer or below it is said no more. */
const without = (faults: Record<string, Fault>, pointer: string) =>
  Object.fromEntries(Object.entries(faults).filter(([one]) => one !== pointer && !one.startsWith(pointer + '/')));

export function useDraft(id: string) {
  const [draft, setDraft] = useState<Draft>({ view: undefined, form: {}, error: null, how: 'saved', faults: {}, files: [], conflict: null });
  const etag = useRef(''), newest = useRef(''), both = useRef<string[]>([]), dirty = useRef(new Map<string, Value>()), chain = useRef<Promise<boolean>>(Promise.resolve(true));
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined), alive = useRef(true), kept = useRef(true), wrong = useRef<Draft['faults']>({});
  const set = (change: Partial<Draft>) => alive.current && setDraft((was) => ({ ...was, ...change }));

  /** Known at once, and not only when it is drawn: who goes on asks whether anything is wrong. */
  const setFaults = (faults: Draft['faults']) => set({ faults: (wrong.current = faults) });

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
      const faults = Object.entries(faultsOf(error)), touch = (one: string, other: string) => isWithin(one, [other]) || isWithin(other, [one]);
      const blamed = [...sent.keys()].filter((pointer) => faults.some(([one]) => touch(one, pointer)));
      const stands = blamed.filter((pointer) => dirty.current.get(pointer) === sent.get(pointer)); // The others were answered anew meanwhile.
      for (const pointer of stands) dirty.current.delete(pointer);
      set({ how: 'apart' });
      setFaults({ ...wrong.current, ...Object.fromEntries(faults.filter(([one]) => !blamed.some((pointer) => touch(one, pointer) && !stands.includes(pointer)))) });
      if (blamed.length && dirty.current.size) await send();
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
      setDraft((was) => ({ ...was, form: withValue(was.form, pointer, value), how: kept.current ? 'waiting' : was.how }));
      setFaults(without(wrong.current, pointer));
      if (kept.current) later(soon ? 0 : SAVE_MS);
    },
    save,
    /** The question has to be asked there first; then the file goes, and the form may name it. */
    async attach(pointer: string, file: File, progress: (share: number) => void, signal: AbortSignal): Promise<FileView> {
      await save();
      const kept = await upload<FileView>(`/api/v1/services/cases/${id}/files`, file, { query: { field: pointer }, name: file.name, key: freshKey(), progress, signal });
      setDraft((was) => ({ ...was, files: [...was.files, kept] }));
      return kept;
    },
    said: setFaults,
    /** What is wrong now, by what was saved last. */
    wrong: (): Draft['faults'] => wrong.current,
    took,
    /** Answers that were changed and are not with the server. */
    changes: () => patchOf(dirty.current),
    /** Of the answers that were given twice the other one stands; what was answered only here is still sent. */
    async takeNewer() {
      for (const pointer of both.current.length ? both.current : [...dirty.current.keys()]) dirty.current.delete(pointer);
      set({ conflict: null });
      setFaults({});
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
