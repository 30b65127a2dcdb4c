// Asking inside of a component: what was known stays on the screen while it is asked again, and goes on when the way is mended.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, NetworkError, ProblemError } from './client';

export interface Loaded<T> {
  data: T | undefined;
  error: Error | undefined;
  loading: boolean;
  fresh: boolean; // the data is of what is asked now, not of what was asked before
  again: () => void;
  set: (data: T) => void;
}

const RETRY_MS_MAX = 15_000;

/** `path` null: not yet. `every`: ask again after so many ms while the page is seen. */
export function useGet<T>(path: string | null, options: { query?: Record<string, string | number | null | undefined>; every?: number } = {}): Loaded<T> {
  const [state, setState] = useState<{ data?: T; of?: string | null; error?: Error; loading: boolean }>({ loading: path !== null });
  const [round, setRound] = useState(0);
  const tries = useRef(0);
  const asked = path === null ? null : path + '?' + JSON.stringify(options.query ?? {});
  useEffect(() => {
    if (path === null) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = (ms: number) => (timer = setTimeout(() => (document.hidden ? later(ms) : void load()), ms));
    const load = async () => {
      try {
        const data = await get<T>(path, options.query, stop.signal);
        tries.current = 0;
        setState({ data, of: asked, loading: false });
        if (options.every) later(options.every);
      } catch (error) {
        if (stop.signal.aborted) return;
        setState((was) => ({ data: was.data, of: was.of, error: error as Error, loading: false }));
        const mends = error instanceof NetworkError || (error instanceof ProblemError && (error.status === 503 || error.status === 429));
        if (mends) later(Math.min(RETRY_MS_MAX, 1000 * 2 ** tries.current++));
      }
    };
    setState((was) => ({ ...was, loading: true }));
    void load();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [asked, round]);
  return { data: state.data, error: state.error, loading: state.loading, fresh: state.of === asked, again: () => setRound((n) => n + 1), set: (data) => setState({ data, of: asked, loading: false }) };
}
