// Those who decide: what waits, the one whose promise ends first on top; lanes by clock and matter; the case beside the list.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { CaseRow } from '../../api/types';
import { useGet } from '../../api/use';
import { choice } from '../../choice';
import { named } from '../../i18n';
import { moment } from '../../i18n/services';
import { t as shell } from '../../i18n/shell';
import { t } from '../../i18n/staff';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { Light, Pill } from '../../kit/status';
import { go, type PageProps } from '../../router';
import { StatePill } from '../services/parts';
import { CaseDesk } from './case_desk';
import './staff.css';

const over = (row: CaseRow) => !row.recheck && (row.state === 'approved' || row.state === 'rejected');
const PAGE = 500, EVERY_MS = 10_000;
type Clock = 'late' | 'today' | 'calm';
export const clockOf = (row: { promise: CaseRow['promise'] }): Clock => (row.promise.late ? 'late' : (row.promise.working_days_left ?? 0) < 1 ? 'today' : 'calm');
const TONES = { late: 'bad', today: 'warn', calm: 'ok' } as const;

interface Rows {
  items: CaseRow[];
  next_cursor: string | null;
}

interface Lane {
  id: string;
  text: string;
  has: (row: CaseRow) => boolean;
}

export default function Inbox({ params, query }: PageProps) {
  const lane = query.get('lane') ?? 'all', past = lane === 'decided';
  const found = useGet<Rows>('/api/v1/services/inbox', { query: { limit: PAGE }, every: EVERY_MS });
  const ended = useGet<Rows>(past ? '/api/v1/services/inbox' : null, { query: { limit: 100, which: 'decided' } });
  const rows = found.data?.items ?? [], lanes = lanesOf(rows);
  const listed = past ? ended : found, shown = past ? (ended.data?.items ?? []) : rows.filter((lanes.find((one) => one.id === lane) ?? lanes[0]!).has);
  useEffect(() => {
    document.title = `${t('title')} · ${shell('app.name')}`;
  }, [choice.value.lang]);
  const open = (id: string | null) => go(`/inbox${id ? '/' + id : ''}${lane === 'all' ? '' : `?lane=${encodeURIComponent(lane)}`}`);
  /** What was decided leaves, and the next one is there: nobody has to go back to the list. */
  const decided = (id: string) => {
    const at = shown.findIndex((row) => row.id === id), next = shown[at + 1] ?? shown.find((row) => row.id !== id);
    found.again();
    open(next?.id ?? null);
  };
  return (
    <main id="main" class={`deskmain ib ${params.id ? 'one' : ''}`} tabIndex={-1}>
      <h1 class="sr">{t('title')}</h1>
      <Lanes lanes={lanes} rows={rows} lane={lane} />
      <section class="pane list" aria-label={t('list')}>
        <header><h2>{t(past ? 'decided.count' : 'count', { n: shown.length })}</h2><span class="fine">{t(past ? 'latest' : 'soonest')}</span>
          <div class="end">{shown.length > 0 && <button type="button" class="btn s" onClick={() => open(shown[0]!.id)}>{t('next')}</button>}</div></header>
        {listed.error && !listed.data ? <Trouble error={listed.error} again={listed.again} /> : !listed.data ? <Waiting /> : shown.length === 0 ? <Empty>{t('none')}</Empty> : <List rows={shown} current={params.id} lane={lane} />}
        {found.data?.next_cursor && <p class="fine pad">{t('many', { n: PAGE })}</p>}
      </section>
      {params.id ? <CaseDesk key={params.id} id={params.id} back={() => open(null)} decided={() => decided(params.id!)} /> : <section class="pane detail wait"><Empty>{t('choose')}</Empty></section>}
    </main>
  );
}

function lanesOf(rows: CaseRow[]): Lane[] {
  const matters = new Map(rows.map((row) => [row.matter, named(row.name)]));
  return [
    { id: 'all', text: t('lane.all'), has: () => true },
    { id: 'mine', text: t('lane.mine'), has: (row) => row.clerk?.mine ?? false },
    ...(['late', 'today', 'calm'] as const).map((clock) => ({ id: clock, text: t(`lane.${clock}`), has: (row: CaseRow) => clockOf(row) === clock })),
    { id: 'pledged', text: t('lane.pledged'), has: (row) => row.pledged > 0 },
    { id: 'recheck', text: t('lane.recheck'), has: (row) => row.recheck },
    ...[...matters].sort().map(([code, text]) => ({ id: `matter:${code}`, text, has: (row: CaseRow) => row.matter === code })),
  ];
}

function Lanes({ lanes, rows, lane }: { lanes: Lane[]; rows: CaseRow[]; lane: string }) {
  const link = (one: Lane) => (
    <a key={one.id} href={one.id === 'all' ? '/inbox' : `/inbox?lane=${encodeURIComponent(one.id)}`} aria-current={one.id === lane ? 'page' : undefined}>
      {one.id in TONES ? <Light tone={TONES[one.id as Clock]}>{one.text}</Light> : one.text}<span>{rows.filter(one.has).length}</span>
    </a>
  );
  return (
    <nav class="pane side" aria-label={t('lanes')}>
      <h2>{t('lanes.mine')}</h2>{lanes.slice(0, 2).map(link)}
      <h2>{t('lanes.clock')}</h2>{lanes.slice(2, 5).map(link)}
      <h2>{t('lanes.look')}</h2>{lanes.slice(5, 7).map(link)}
      {lanes.length > 7 && <><h2>{t('lanes.matters')}</h2>{lanes.slice(7).map(link)}</>}
      <a href="/inbox?lane=decided" aria-current={lane === 'decided' ? 'page' : undefined}>{t('lane.decided')}<span /></a>
      <Find />
    </nav>
  );
}

/** A case that is on no list any more, by the number that its applicant reads out. */
function Find() {
  const [number, setNumber] = useState(''), [error, setError] = useState('');
  const find = (event: Event) => {
    event.preventDefault();
    const id = number.trim().toLowerCase();
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return setError(t('find.wrong'));
    setError('');
    go(`/inbox/${id}`);
  };
  return (
    <form class={`field find ${error ? 'err' : ''}`} noValidate onSubmit={find}>
      <label for="find">{t('find')}</label>
      {error && <p class="errtext" id="find-error">{error}</p>}
      <input id="find" class="input s" maxLength={60} autocomplete="off" value={number} onInput={(event) => setNumber(event.currentTarget.value)} aria-invalid={error ? 'true' : undefined} aria-describedby={error ? 'find-error' : undefined} />
      <button type="submit" class="btn s">{t('find.go')}</button>
    </form>
  );
}

/** Arrows go from case to case, Enter opens: the list is one stop for the Tab key. */
function List({ rows, current, lane }: { rows: CaseRow[]; current?: string; lane: string }) {
  const box = useRef<HTMLOListElement>(null);
  const move = (event: KeyboardEvent) => {
    const links = [...box.current!.querySelectorAll('a')], at = links.indexOf(document.activeElement as HTMLAnchorElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    links[Math.max(0, Math.min(links.length - 1, to))]!.focus();
  };
  const stop = rows.some((row) => row.id === current) ? current : rows[0]!.id;
  return (
    <ol class="body inlist" aria-label={t('list')} ref={box} onKeyDown={move}>
      {rows.map((row) => (
        <li key={row.id}>
          <a href={`/inbox/${row.id}${lane === 'all' ? '' : `?lane=${encodeURIComponent(lane)}`}`} aria-current={row.id === current ? 'true' : undefined} tabIndex={row.id === stop ? 0 : -1}>
            <span class="line apart"><b class="cut">{named(row.name)}</b>{over(row) ? <StatePill state={row.state} /> : <ClockLight row={row} />}</span>
            <span class="line apart c-2"><span class="cut">{row.applicant || t('nameless')}<i class="sep"> </i>{row.submitted_at ? t('since', { when: moment(row.submitted_at) }) : ''}</span><span class="code">{row.id.slice(0, 8)}</span></span>
            {row.clerk && !row.clerk.left && <span class="fine">{row.clerk.mine ? t('hands.me') : t('hands.other', { name: row.clerk.name })}</span>}
            {row.recheck && <span class="line"><Pill tone="bad">{t('recheck')}</Pill></span>}
            {row.pledged > 0 && <span class="line"><Pill tone="warn">{t('pledged', { n: row.pledged })}</Pill></span>}
          </a>
        </li>
      ))}
    </ol>
  );
}

export function ClockLight({ row }: { row: { promise: CaseRow['promise'] } }) {
  const clock = clockOf(row);
  if (row.promise.paused_at) return <Light tone="mute">{t('clock.paused')}</Light>;
  return <Light tone={TONES[clock]}>{clock === 'calm' ? t('clock.left', { n: row.promise.working_days_left ?? 0 }) : t(`clock.${clock}`)}</Light>;
}
