// Paths to pages: one table for each area, pages loaded when they are first seen.
import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';

export interface PageProps {
  params: Record<string, string>;
  query: URLSearchParams;
}
export interface Route {
  path: string; // '/sites/:site'; the server answers these, and no others, with the page
  load: () => Promise<{ default: ComponentType<PageProps> }>;
  who?: 'person' | 'operator' | 'city' | 'staff'; // others are asked to log in
  desk?: boolean; // dense pages with the desk's bar
  bare?: boolean; // the page brings its own bars
}

export const here = signal({ path: location.pathname, query: location.search, hash: location.hash });

export function go(to: string, how: { replace?: boolean; keep?: boolean } = {}): void {
  history[how.replace ? 'replaceState' : 'pushState'](null, '', to);
  settle();
  if (!how.keep) scrollTo(0, 0);
}

const settle = () => (here.value = { path: location.pathname, query: location.search, hash: location.hash });
addEventListener('popstate', settle);

document.addEventListener('click', (event) => {
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname === location.pathname && link.search === location.search && link.hash) return; // A place on this page.
  if (!match(link.pathname)) return; // The reference, a file: not ours to draw.
  event.preventDefault();
  if (link.href !== location.href) go(link.pathname + link.search + link.hash);
});

let table: Route[] = [];
export const setRoutes = (routes: Route[]): void => void (table = routes);

export function match(path: string): { route: Route; params: Record<string, string> } | null {
  const parts = path.split('/').filter(Boolean);
  for (const route of table) {
    const wanted = route.path.split('/').filter(Boolean);
    if (wanted.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((want, i) => {
      if (!want.startsWith(':')) return want === parts[i];
      try {
        params[want.slice(1)] = decodeURIComponent(parts[i]!);
      } catch {
        return false;
      }
      return true;
    });
    if (fits) return { route, params };
  }
  return null;
}
