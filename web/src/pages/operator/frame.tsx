// What all pages of the console share: its sections, and lists that are read to their end.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../../api/client';
import { number } from '../../i18n';
import { t } from '../../i18n/operator';
import { t as frame } from '../../i18n/shell';
import { ActButton } from '../../kit/controls';
import { LiveBanner, say, wordsOf } from '../../kit/say';
import { here } from '../../router';
import './operator.css';

const SECTIONS = [
  { path: '/operator', key: 'nav.sites' }, { path: '/operator/stays', key: 'nav.stays' }, { path: '/operator/devices', key: 'nav.devices' },
  { path: '/operator/refused', key: 'nav.refused' }, { path: '/operator/bills', key: 'nav.bills' },
] as const;

export function Console({ title, area, children }: { title: string; area?: string; children: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · ${frame('app.name')}`;
  }, [title]);
  return (
    <main id="main" class={`deskmain op ${area ?? 'plain'}`} tabIndex={-1}>
      <h1 class="sr">{title}</h1>
      <nav class="sections" aria-label={t('nav.sections')}>
        {SECTIONS.map((one) => <a key={one.path} href={one.path} aria-current={here.value.path === one.path ? 'page' : undefined}>{t(one.key)}</a>)}
      </nav>
      <LiveBanner />
      {children}
    </main>
  );
}

interface PageOf<Row> {
  items: Row[];
  next_cursor?: string | null;
}

/** A list and what follows it, page by page as somebody asks for more. */
export function useRows<Row>(first: PageOf<Row> | undefined, path: string, query: Record<string, string | number>): { rows: Row[]; more: ComponentChildren } {
  const [later, setLater] = useState<PageOf<Row>>({ items: [] });
  const [cursor, setCursor] = useState<string | null>(null);
  useEffect(() => {
    if (!cursor) setCursor(first?.next_cursor ?? null);
  }, [first]);
  const load = async () => {
    try {
      const page = await ask<PageOf<Row>>('GET', path, { query: { ...query, cursor } });
      setLater((was) => ({ items: [...was.items, ...page.items] }));
      setCursor(page.next_cursor ?? 'end');
    } catch (error) {
      say(wordsOf(error));
    }
  };
  const more = cursor && cursor !== 'end' && <div class="pad"><ActButton act={load}>{t('more', { n: number(Number(query.limit)) })}</ActButton></div>;
  return { rows: [...(first?.items ?? []), ...later.items], more };
}
