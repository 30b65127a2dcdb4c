// One matter: what it takes, what the city fetches itself and from whom, how long, how much; then begin.
import { ask, freshKey, ProblemError } from '../../api/client';
import { me } from '../../api/session';
import type { CaseView, ElementView, MatterView } from '../../api/types';
import { useGet } from '../../api/use';
import { lang, named, type Words } from '../../i18n';
import { agency, t } from '../../i18n/services';
import { questionsOf, partAt, type Schema } from '../../forms/schema';
import { labelOf } from '../../forms/schema_form';
import { ActButton } from '../../kit/controls';
import { Icon } from '../../kit/icon';
import { say, Trouble, Waiting, wordsOf } from '../../kit/say';
import { go, type PageProps } from '../../router';
import { PageHead } from '../../shell';
import './services.css';

export default function Matter({ params }: PageProps) {
  const code = params.code!, found = useGet<MatterView>(`/api/v1/services/matters/${code}`);
  const matter = found.data;
  return (
    <main id="main" class="page">
      <PageHead title={matter ? named(matter.name) : t('title')} back="/services" />
      {found.error && !matter ? <div class="wrap"><Trouble error={found.error} again={found.again} /></div> : !matter ? <Waiting /> : <Whole matter={matter} />}
    </main>
  );
}

function Whole({ matter }: { matter: MatterView }) {
  const element = (key: string) => matter.elements.find((one) => one.key === key)?.value;
  const fetched = matter.fetched.filter((one) => one.pointer), own = ownQuestions(matter);
  return (
    <div class="wrap cols">
      <div class="stack wide">
        <section class="card sec stack">
          <p class="lead">{named(matter.summary)}</p>
          <dl class="facts3">
            <div><dt>{t('matter.promise')}</dt><dd>{named(matter.promise.text)}</dd></div>
            <div><dt>{t('matter.fee')}</dt><dd>{said(matter.fee) || t('matter.free')}</dd></div>
            <div><dt>{t('matter.visits')}</dt><dd>{t('matter.visits.n', { n: Number(element('visits') ?? 0) })}</dd></div>
          </dl>
          <Begin matter={matter} />
        </section>
        <section class="card sec stack">
          <h2>{t('matter.needs')}</h2>
          <ul class="needs">{list(element('conditions')).map((one, i) => <li key={i}><Icon name="check" />{said(one)}</li>)}</ul>
          {own.length ? <p>{t('matter.own', { what: own.join(lang() === 'zh' ? '、' : ', ') })}</p> : <p>{t('matter.own.none')}</p>}
        </section>
        <section class="card">
          <div class="sec"><h2>{t('matter.fetched')}</h2><p class="meta">{t('matter.fetched.line')}</p></div>
          <ul class="rows ruled">{fetched.map((one) => (
            <li key={one.pointer} class="row"><Icon name="lock" /><span class="grow">{labelOf(partAt(matter.form as Schema, one.pointer) ?? {}, one.pointer)}<span class="meta">{t('source', { agency: agency(one.source) })}</span></span></li>
          ))}</ul>
        </section>
      </div>
      <aside class="stack wide">
        <section class="card sec"><h2>{t('matter.steps')}</h2><ol class="timeline small">{matter.steps.map((step) => <li key={step.id} class="todo"><h3>{named(step.name)}</h3></li>)}</ol></section>
        <section class="card sec stack">
          <h2>{t('matter.law')}</h2>
          <ul class="meta stack">{list(element('legal_basis')).map((one, i) => <li key={i}>{law(one)}</li>)}</ul>
          {element('remedies') ? <p class="meta">{said(element('remedies'))}</p> : null}
          <p class="meta">{said(element('consult'))}</p>
        </section>
        <details class="card sec all36"><summary>{t('matter.all')}</summary><dl class="kv lines">{matter.elements.filter((one) => one.value !== null).map((one) => <Line key={one.key} one={one} />)}</dl></details>
      </aside>
    </div>
  );
}

const Line = ({ one }: { one: ElementView }) => <><dt>{named(one.label)}</dt><dd>{said(one.value) || '—'}</dd></>;

/** What nobody but the applicant knows. */
function ownQuestions(matter: MatterView): string[] {
  const schema = matter.form as Schema, filled = new Set(matter.fetched.map((one) => one.pointer));
  return questionsOf(schema).filter((one) => one.required && !filled.has(one.pointer)).map((one) => labelOf(one.schema, one.pointer));
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]);

function law(value: unknown): string {
  const { doc, art } = value as { doc?: string; art?: number[] };
  return doc ? `${doc}${art?.length ? ' ' + t('matter.art', { n: art.join(lang() === 'zh' ? '、' : ', ') }) : ''}` : said(value);
}

/** An element as the matter says it: a text in both languages, a list, a plain value. */
function said(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(said).join(lang() === 'zh' ? '、' : ', ');
  if (typeof value !== 'object') return String(value);
  if ('zh' in value && 'en' in value) return named(value as Words);
  return 'doc' in value ? law(value) : Object.entries(value).map(([key, one]) => `${key}: ${said(one)}`).join('; ');
}

/** A level that is too low is a step on the way, and leads back here. */
function Begin({ matter }: { matter: MatterView }) {
  const here = `/services/matters/${matter.code}`;
  const begin = async () => {
    if (!me.value) return go(`/login?then=${encodeURIComponent(here)}`);
    try {
      const made = await ask<CaseView>('POST', '/api/v1/services/cases', { body: { matter: matter.code }, key: freshKey() });
      go(`/services/cases/${made.id}/form`);
    } catch (error) {
      const needs = error instanceof ProblemError && error.status === 403 ? (error.problem as unknown as { needs?: string }).needs : undefined;
      if (needs) go(`/services/level?to=${needs}&then=${encodeURIComponent(here)}`);
      else say(wordsOf(error));
    }
  };
  return (
    <div class="stack begin">
      <ActButton act={begin} class="block">{t('begin')}</ActButton>
      <p class="fine">{me.value ? t(matter.level === 'L3' ? 'begin.l3' : matter.level === 'L2' ? 'begin.l2' : 'begin.l1') : t('begin.login')}</p>
    </div>
  );
}
