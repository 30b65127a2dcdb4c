// An application: what is wanted of me now, where it stands, why it came out so, its letters, who looked, and what I may still do.
import { useState } from 'preact/hooks';
import { ask } from '../../api/client';
import type { AccessView, CaseView, MatterView } from '../../api/types';
import { useGet } from '../../api/use';
import { labelOf } from '../../forms/schema_form';
import { partAt, type Schema } from '../../forms/schema';
import { lang, named, type Words } from '../../i18n';
import { agency, moment, t } from '../../i18n/services';
import { ActButton } from '../../kit/controls';
import { Icon } from '../../kit/icon';
import { say, Trouble, Waiting } from '../../kit/say';
import { Light } from '../../kit/status';
import type { PageProps } from '../../router';
import { PageHead } from '../../shell';
import { Accesses } from './accesses_table';
import { ConfirmDialog } from './confirm';
import { lastReason } from './form';
import { dayBefore, lastDay, promiseLine, StatePill, usePages } from './parts';
import { Reasons } from './reasons';

export default function CasePage({ params }: PageProps) {
  const found = useGet<CaseView>(`/api/v1/services/cases/${params.id}`, { every: 5000 }), view = found.data;
  return (
    <main id="main" class="page">
      <PageHead title={view ? named(view.name) : t('title')} back="/services">{view && <StatePill state={view.state} />}</PageHead>
      {found.error && !view ? <div class="wrap"><Trouble error={found.error} again={found.again} /></div> : !view ? <Waiting /> : <Whole view={view} set={found.set} />}
    </main>
  );
}

function Whole({ view, set }: { view: CaseView; set: (view: CaseView) => void }) {
  const act = useAct(view, set);
  return (
    <div class="wrap cols">
      <div class="stack wide">
        {act.error ? <Trouble error={act.error} /> : null}
        <Now view={view} act={act} />
        {view.reasons.length > 0 && <section class="card sec stack"><h2>{t('case.reasons')}</h2><Reasons view={view} /></section>}
        <section class="card sec"><h2>{t('case.where')}</h2><Timeline view={view} /></section>
        <Looks view={view} />
      </div>
      <aside class="stack wide">
        <Letters view={view} />
        {view.checks.length > 0 && <Checks view={view} />}
        <Law view={view} />
        <section class="card rows">
          <a class="row" href="tel:12345"><Icon name="phone" /><span class="grow">{t('call')}<span class="meta">{t('call.line')}</span></span></a>
          {view.acts.includes('withdraw') && <button type="button" class="row" onClick={() => act.ask('withdraw')}><Icon name="cross" /><span class="grow">{t('case.withdraw')}</span></button>}
        </section>
      </aside>
      {act.dialog}
    </div>
  );
}

type Word = 'withdraw' | 'review';

function useAct(view: CaseView, set: (view: CaseView) => void) {
  const [asking, setAsking] = useState<Word | null>(null), [error, setError] = useState<unknown>(null);
  const run = async (word: Word) => {
    setAsking(null);
    try {
      set(await ask<CaseView>('POST', `/api/v1/services/cases/${view.id}/${word}`));
      setError(null);
    } catch (problem) {
      setError(problem);
    }
  };
  const check = async () => {
    try {
      const now = await ask<CaseView>('POST', `/api/v1/services/cases/${view.id}/check`);
      set(now);
      setError(null);
      if (now.recheck) say(t('now.recheck.still'));
    } catch (problem) {
      setError(problem);
    }
  };
  const dialog = asking && (
    <ConfirmDialog title={t(`${asking}.title`)} yes={t(`${asking}.yes`)} no={t('no.leave')} bad={asking === 'withdraw'} onYes={() => run(asking)} onNo={() => setAsking(null)}>{t(`${asking}.line`)}</ConfirmDialog>
  );
  return { ask: setAsking, check, error, dialog };
}

/** What matters now, first: a wish of the office, a result, or the day by which there is one. */
function Now({ view, act }: { view: CaseView; act: { ask: (word: Word) => void; check: () => Promise<void> } }) {
  const form = `/services/cases/${view.id}/form`;
  return (
    <section class="card sec stack now">
      <p class="meta">{t('case.number')} <span class="code number">{view.id}</span></p>
      {view.state === 'draft' && <><p class="lead strong">{t('now.draft')}</p><a class="btn go" href={form}>{t('now.draft.go')}</a></>}
      {(view.state === 'submitted' || view.state === 'in_review') && <><p class="lead strong">{t(view.promise.late ? 'now.late' : 'now.running', { when: lastDay(view.promise), agency: agency(view.agency) })}</p><p class="meta">{promiseLine(view.promise)}</p></>}
      {view.state === 'supplement' && <><div><p class="lead strong">{lastReason(view)}</p><p class="meta">{t('now.supplement', { n: view.promise.working_days_left ?? 0 })}</p></div><div class="line flow"><a class="btn go" href={`${form}?step=check`}>{t('now.supplement.go')}</a></div></>}
      {view.state === 'approved' && view.recheck && <Recheck due={view.recheck.due_at} check={act.check} />}
      {view.state === 'approved' && <>{!view.recheck && <p class="lead strong">{t('now.approved')}</p>}{view.licence && <a class="btn go" href={`/services/licences/${view.licence}`}>{t('now.approved.go')}</a>}</>}
      {view.state === 'rejected' && <><p class="lead strong">{t('now.rejected')}</p>{lastReason(view) && <p>{lastReason(view)}</p>}{view.acts.includes('review') && <><p class="meta">{t('now.review')}</p><div><button type="button" class="btn go" onClick={() => act.ask('review')}>{t('review.yes')}</button></div></>}</>}
      {view.state === 'withdrawn' && <><p class="lead strong">{t('now.withdrawn')}</p><a class="btn" href={`/services/matters/${view.matter}`}>{t('now.withdrawn.go')}</a></>}
    </section>
  );
}

/** What was pledged and does not hold: by when staff decide, and what she can do until then. */
const Recheck = ({ due, check }: { due: string; check: () => Promise<void> }) => (
  <>
    <p class="lead strong">{t('now.recheck')}</p>
    <p>{t('now.recheck.line', { when: dayBefore(due) })}</p>
    <div><ActButton act={check}>{t('now.recheck.go')}</ActButton></div>
  </>
);

function Timeline({ view }: { view: CaseView }) {
  const paused = view.promise.paused_at !== null;
  return (
    <ol class="timeline">
      {view.steps.map((step, i) => (
        <li key={`${step.id}-${i}`} class={step.state === 'done' ? 'done' : step.state === 'now' ? (paused ? 'hold' : 'now') : 'todo'} aria-current={step.state === 'now' ? 'step' : undefined}>
          <h3>{named(step.name)}</h3>
          <p class="meta">{step.at ? <time dateTime={step.at}>{moment(step.at)}</time> : step.state === 'ahead' && view.promise.due_at ? t('case.by', { when: lastDay(view.promise) }) : step.state === 'now' ? t('case.now') : null}{step.reason && <span class="because">{t('case.because', { reason: step.reason })}</span>}</p>
        </li>
      ))}
    </ol>
  );
}

function Letters({ view }: { view: CaseView }) {
  if (!view.letters.length) return null;
  return (
    <section class="card">
      <div class="sec"><h2>{t('case.letters')}</h2></div>
      <div class="rows ruled">{[...view.letters].reverse().map((one) => (
        <details key={one.id} class="letterbox"><summary class="row"><Icon name="letter" /><span class="grow">{named(one.title)}<span class="meta">{moment(one.at)}</span></span></summary><blockquote class="letter">{named(one.body)}</blockquote></details>
      ))}</div>
    </section>
  );
}

function Checks({ view }: { view: CaseView }) {
  return (
    <section class="card sec stack"><h2>{t('case.pledges')}</h2>
      <ul class="stack">{view.checks.map((one) => (
        <li key={one.pointer}><Light tone={one.held ? 'ok' : 'bad'}>{t(one.held ? 'pledge.held' : 'pledge.broken', { what: labelOf(partAt(view.schema as Schema, one.pointer) ?? {}, one.pointer) })}</Light><p class="fine">{t('source', { agency: agency(one.source) })}{one.as_of ? ` ${moment(one.as_of)}` : ''}</p></li>
      ))}</ul>
    </section>
  );
}

function Law({ view }: { view: CaseView }) {
  const matter = useGet<MatterView>(`/api/v1/services/matters/${view.matter}`).data;
  if (!matter) return null;
  const value = (key: string) => matter.elements.find((one) => one.key === key)?.value;
  const texts = (found: unknown) => (found && typeof found === 'object' && 'zh' in found ? named(found as Words) : String(found ?? ''));
  const laws = (value('legal_basis') as { doc: string; art?: number[] }[] | null) ?? [];
  return (
    <section class="card sec"><h2>{t('case.law')}</h2>
      <dl class="kv">
        <dt>{t('matter.promise')}</dt><dd>{named(matter.promise.text)}</dd>
        <dt>{t('matter.fee')}</dt><dd>{texts(matter.fee) || t('matter.free')}</dd>
        <dt>{t('matter.law')}</dt><dd>{laws.map((one) => `${one.doc}${one.art?.length ? ' ' + t('matter.art', { n: one.art.join(lang() === 'zh' ? '、' : ', ') }) : ''}`).join('; ')}</dd>
        {value('remedies') ? <><dt>{t('case.remedies')}</dt><dd>{texts(value('remedies'))}</dd></> : null}
      </dl>
    </section>
  );
}

function Looks({ view }: { view: CaseView }) {
  const { items, more } = usePages<AccessView>('/api/v1/me/accesses', { limit: 50 });
  const mine = (items ?? []).filter((one) => one.case === view.id);
  if (!mine.length) return null;
  return (
    <section class="card" id="looks">
      <div class="sec"><h2>{t('looks.title')}</h2></div>
      <Accesses items={mine} schema={view.schema as Schema} />
      <p class="sec fine">{t('looks.every')} <a href="/me/accesses">{t('looks.all')}</a>{more && ` ${t('looks.older')}`}</p>
    </section>
  );
}
