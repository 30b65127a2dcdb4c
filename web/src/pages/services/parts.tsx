// What several pages of the services show: the state of a case in a word, its promise in a line, a row of it, pages of a list.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../../api/client';
import type { CaseRow, LicenceView, MatterRow, PromiseView } from '../../api/types';
import { useGet } from '../../api/use';
import { day, named } from '../../i18n';
import { agency, date, moment, t } from '../../i18n/services';
import { Icon, type IconName } from '../../kit/icon';
import { Pill, type Tone } from '../../kit/status';
import './services.css';

const TONES: Record<string, Tone> = { draft: 'mute', submitted: 'info', in_review: 'info', supplement: 'warn', approved: 'ok', rejected: 'bad', withdrawn: 'mute' };
type State = 'draft' | 'submitted' | 'in_review' | 'supplement' | 'approved' | 'rejected' | 'withdrawn';

export const StatePill = ({ state }: { state: string }) => <Pill tone={TONES[state] ?? 'mute'}>{t(`state.${state as State}`)}</Pill>;

/** The promise in a line: by when, how much is left, and why the clock stands still. `due_at` is the first instant that is too late. */
export function promiseLine(promise: PromiseView): string {
  if (promise.paused_at) return t('promise.paused', { n: promise.working_days_left ?? 0 });
  if (promise.late) return t('promise.late', { when: lastDay(promise) });
  if (promise.due_at === null) return '';
  return t('promise.left', { when: lastDay(promise), n: promise.working_days_left ?? 0 });
}
export const dayBefore = (due: string): string => day(new Date(Date.parse(due) - 1000));
export const lastDay = (promise: PromiseView): string => (promise.due_at ? dayBefore(promise.due_at) : '');

export function caseLine(row: CaseRow): string {
  if (row.state === 'draft') return t('row.draft', { when: moment(row.created_at) });
  if (row.state === 'supplement') return t('row.supplement');
  if (row.state === 'submitted' || row.state === 'in_review') return t('row.running', { agency: agency(row.agency), promise: promiseLine(row.promise) });
  if (row.recheck) return t('row.recheck');
  return t(row.state === 'approved' ? 'row.approved' : row.state === 'rejected' ? 'row.rejected' : 'row.withdrawn', { when: moment(row.submitted_at ?? row.created_at) });
}

export const Chevron = () => <Icon name="next" class="chev" />;

export const CaseLink = ({ row }: { row: CaseRow }) => (
  <a class="row" href={row.state === 'draft' ? `/services/cases/${row.id}/form` : `/services/cases/${row.id}`}>
    <span class="grow"><b>{named(row.name)}</b><span class="meta">{caseLine(row)}</span></span>
    <StatePill state={row.state} /><Chevron />
  </a>
);

export const LinkRow = ({ href, icon, title, children }: { href: string; icon: IconName; title: string; children?: ComponentChildren }) => (
  <a class="row" href={href}><Icon name={icon} /><span class="grow">{title}{children && <span class="meta">{children}</span>}</span><Chevron /></a>
);

export const MatterLink = ({ row }: { row: MatterRow }) => (
  <a class="row" href={`/services/matters/${row.code}`}>
    <span class="grow"><b>{named(row.name)}</b><span class="meta">{named(row.summary)}</span></span>
    <Pill tone="plain">{named(row.promise.text)}</Pill><Chevron />
  </a>
);

export const LicenceLink = ({ one }: { one: LicenceView }) => (
  <a class="licence" href={`/services/licences/${one.id}`}>
    <b>{named(one.name)}</b>
    {one.state === 'valid' ? <span class="fine">{t('licence.to', { when: date(one.valid_to) })}</span> : <span><Pill tone={one.state === 'revoked' ? 'bad' : one.state === 'suspended' ? 'warn' : 'mute'}>{t(`licence.${one.state}`)}</Pill></span>}
  </a>
);

interface Pages<T> {
  items: T[];
  next_cursor: string | null;
}

/** A list that goes on: the first page, and what was fetched after it. */
export function usePages<T>(path: string, query: Record<string, string | number> = {}) {
  const first = useGet<Pages<T>>(path, { query });
  const [more, setMore] = useState<Pages<T>>();
  const from = useRef<Pages<T> | undefined>(undefined);
  useEffect(() => {
    if (from.current && from.current !== first.data) setMore(undefined);
    from.current = first.data;
  }, [first.data]);
  const cursor = more ? more.next_cursor : (first.data?.next_cursor ?? null);
  return {
    items: first.data && [...first.data.items, ...(more?.items ?? [])],
    error: first.error,
    again: first.again,
    more: cursor === null ? null : async () => {
      const found = await get<Pages<T>>(path, { ...query, cursor });
      setMore((was) => ({ items: [...(was?.items ?? []), ...found.items], next_cursor: found.next_cursor }));
    },
  };
}
