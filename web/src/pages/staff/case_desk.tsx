// A case on the desk: what is said and by whom, what the rules make of it, what each decision leads to and the letter it sends; then decide.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, ProblemError } from '../../api/client';
import type { CaseView, MatterView } from '../../api/types';
import { useGet } from '../../api/use';
import { hidden, isEmpty, isWithin, questionsOf, valueAt, type Question, type Schema } from '../../forms/schema';
import { Answer, labelOf } from '../../forms/schema_form';
import { lang, named } from '../../i18n';
import { agency, moment } from '../../i18n/services';
import { t } from '../../i18n/staff';
import { ActButton, Segmented } from '../../kit/controls';
import { ErrorSummary, described } from '../../kit/field';
import { Icon } from '../../kit/icon';
import { say, Trouble, Waiting, wordsOf } from '../../kit/say';
import { Light } from '../../kit/status';
import { Reasons } from '../services/reasons';
import { Hands } from './hands';
import { HeldLicence } from './held_licence';
import { ClockLight } from './inbox';

type Word = 'approve' | 'reject' | 'supplement';

export function CaseDesk({ id, back, decided }: { id: string; back: () => void; decided: () => void }) {
  const found = useGet<CaseView>(`/api/v1/services/cases/${id}`), view = found.data;
  useEffect(() => document.getElementById('case')?.focus({ preventScroll: true }), [!view]);
  return (
    <section class="pane detail" aria-labelledby="case">
      {found.error && !view ? <Trouble error={found.error} again={found.again} /> : !view ? <Waiting /> : <Open view={view} back={back} decided={decided} again={found.again} set={found.set} />}
    </section>
  );
}

function Open({ view, back, decided, again, set }: { view: CaseView; back: () => void; decided: () => void; again: () => void; set: (view: CaseView) => void }) {
  const words = view.acts as Word[], [word, setWord] = useState<Word>(words.includes('approve') ? 'approve' : (words[0] ?? 'approve')), [reason, setReason] = useState('');
  const name = String(valueAt(view.form, '/applicant/name') ?? ''), others = view.clerk !== null && !view.clerk.mine && !view.clerk.left && words.length > 0;
  return (
    <>
      <header>
        <button type="button" class="iconbtn phone-only" aria-label={t('back')} onClick={back}><Icon name="back" /></button>
        <div class="grow"><h2 id="case" tabIndex={-1}>{named(view.name)}{name && <><i class="sep"> </i>{name}</>} <span class="code c-2">{view.id}</span></h2></div>
        {words.length > 0 && <ClockLight row={view} />}
      </header>
      <div class="body" tabIndex={0} role="group" aria-label={t('case')}>
        <div class="dgrid">
          <div class="stack">
            <Evidence view={view} />
            <section><h3>{t('rules')}</h3>{view.reasons.length ? <Reasons view={view} /> : <p class="c-2">{t('rules.none')}</p>}</section>
            {words.length > 0 && <Ahead view={view} word={word} reason={reason} />}
          </div>
          <div class="stack">
            {words.length > 0 && <Hands view={view} set={set} />}
            {view.licence && <HeldLicence id={view.licence} />}
            <History view={view} />
          </div>
        </div>
      </div>
      {others ? <p class="decide c-2">{t('hands.busy', { name: view.clerk!.name })}</p> : words.length > 0 ? <Decide view={view} word={word} setWord={setWord} reason={reason} setReason={setReason} decided={decided} again={again} /> : <p class="decide c-2">{t('closed')}</p>}
    </>
  );
}

function Evidence({ view }: { view: CaseView }) {
  const schema = view.schema as Schema, closed = hidden(schema, view.form);
  const asked = questionsOf(schema).filter((one) => !isWithin(one.pointer, closed));
  return (
    <section>
      <h3>{t('evidence')}</h3>
      <div class="scroll">
        <table class="table ev">
          <caption class="sr">{t('evidence.caption')}</caption>
          <thead><tr><th scope="col">{t('evidence.item')}</th><th scope="col">{t('evidence.value')}</th><th scope="col">{t('evidence.source')}</th><th scope="col">{t('evidence.check')}</th></tr></thead>
          <tbody>{asked.map((one) => <Item key={one.pointer} one={one} view={view} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

function Item({ one, view }: { one: Question; view: CaseView }) {
  const value = valueAt(view.form, one.pointer), origin = view.provenance[one.pointer], pledged = view.pledged.includes(one.pointer);
  const check = view.checks.find((made) => made.pointer === one.pointer), silent = agency(view.asked[one.pointer] ?? '');
  return (
    <tr>
      <th scope="row">{labelOf(one.schema, one.pointer)}</th>
      <td class="wraps">{pledged && isEmpty(value) ? <span class="c-2">{t('value.open')}</span> : <>{pledged && t('value.pledge')}<Answer schema={one.schema} value={value} view={view} /></>}</td>
      <td class="c-2 wraps">{origin ? <>{agency(origin.source)}{origin.as_of && (lang() === 'zh' ? '，' : ', ') + moment(origin.as_of)}</> : pledged ? t('source.silent', { agency: silent }) : t('source.applicant')}</td>
      <td>{check ? <Light tone={check.held ? 'ok' : 'bad'}>{t(check.held ? 'check.held' : 'check.broken')}</Light> : origin ? <Light tone="ok">{t('check.register')}</Light> : pledged ? <Light tone="mute">{t('check.pending')}</Light> : isEmpty(value) ? <Light tone="mute">{t('check.nothing')}</Light> : <Light tone="warn">{t('check.look')}</Light>}</td>
    </tr>
  );
}

/** What the click will do, and what the applicant will read: both before it. */
function Ahead({ view, word, reason }: { view: CaseView; word: Word; reason: string }) {
  const matter = useGet<MatterView>(`/api/v1/services/matters/${view.matter}`).data;
  const letter = view.previews.find((one) => one.decision === word);
  const says = reason.trim() || (word === 'approve' ? ruled(view) : t('letter.reason'));
  if (view.recheck) return <Again view={view} word={word} reason={reason} />;
  return (
    <section class="two">
      <div>
        <h3>{t(`after.${word}`)}</h3>
        <ul class="rules">
          {word === 'approve' && matter?.licence && <li>{t('after.licence', { name: named(matter.licence) })}</li>}
          {word === 'approve' && view.pledged.length > 0 && <li>{t('after.pledges')}</li>}
          {word === 'supplement' && <><li>{t('after.paused')}</li><li>{t('after.returned')}</li></>}
          {word === 'reject' && <li>{t('after.remedies')}</li>}
          <li>{t('after.letter')}</li>
          <li>{t(word === 'supplement' ? 'after.comes' : 'after.final')}</li>
        </ul>
      </div>
      {letter && <div><h3>{named(letter.title)}</h3><blockquote class="letter" data-letter>{named(letter.body).replace('{reason}', says)}</blockquote></div>}
    </section>
  );
}

/** What was approved is looked at once more: it is kept, or it ends. */
function Again({ view, word, reason }: { view: CaseView; word: Word; reason: string }) {
  const letter = view.previews.find((one) => one.decision === word), end = endOf(word);
  return (
    <section class="two">
      <div><h3>{t(`after.${end}`)}</h3><ul class="rules"><li>{t(`again.${end}`)}</li>{end === 'end' && <li>{t('after.remedies')}</li>}<li>{t('after.letter')}</li></ul></div>
      {letter && <div><h3>{named(letter.title)}</h3><blockquote class="letter" data-letter>{named(letter.body).replace('{reason}', reason.trim() || (end === 'end' ? t('letter.reason') : ''))}</blockquote></div>}
    </section>
  );
}

const endOf = (word: Word) => (word === 'approve' ? 'keep' : 'end');

/** Without a reason of one's own the letter says what the rules said, as the server writes it. */
function ruled(view: CaseView): string {
  const verdict = view.reasons.some((one) => one.verdict === 'no') ? 'no' : 'yes';
  return view.reasons.filter((one) => one.verdict === verdict).map((one) => named(one.text)).join(lang() === 'zh' ? '；' : '; ');
}

function History({ view }: { view: CaseView }) {
  return (
    <div class="stack">
      <section><h3>{t('history')}</h3>
        <ol class="timeline small">{view.steps.map((step, i) => (
          <li key={`${step.id}-${i}`} class={step.state === 'done' ? 'done' : step.state === 'now' ? 'now' : 'todo'} aria-current={step.state === 'now' ? 'step' : undefined}>
            <p>{named(step.name)}</p>{step.at && <p class="fine">{moment(step.at)}</p>}{step.reason && <p class="c-2 because">{step.reason}</p>}
          </li>
        ))}</ol>
      </section>
      {view.letters.length > 0 && <section><h3>{t('letters')}</h3>{view.letters.map((one) => <details key={one.id}><summary>{named(one.title)} <span class="fine">{moment(one.at)}</span></summary><blockquote class="letter">{named(one.body)}</blockquote></details>)}</section>}
      <p class="fine">{t('recorded')}</p>
    </div>
  );
}

const KEYS: Record<Word, 'decide.approve' | 'decide.reject' | 'decide.supplement'> = { approve: 'decide.approve', reject: 'decide.reject', supplement: 'decide.supplement' };

function Decide({ view, word, setWord, reason, setReason, decided, again }: {
  view: CaseView; word: Word; setWord: (word: Word) => void; reason: string; setReason: (reason: string) => void; decided: () => void; again: () => void;
}) {
  const [errors, setErrors] = useState<Record<string, string>>({}), busy = useRef(false);
  const send = async () => {
    if (busy.current) return;
    if (!reason.trim() && word !== 'approve') return setErrors({ why: t('why.missing') });
    busy.current = true;
    try {
      await ask<CaseView>('POST', `/api/v1/services/cases/${view.id}/decision`, { body: { decision: word, reason: reason.trim() } });
      say(t(view.recheck ? `done.${endOf(word)}` : `done.${word}`));
      decided();
    } catch (error) {
      const status = error instanceof ProblemError ? error.status : 0;
      setErrors(status === 422 ? { why: t('why.unclean') } : { '': status === 409 ? t('already') : status === 403 ? t('own') : wordsOf(error) });
      if (status === 409) again();
    } finally {
      busy.current = false;
    }
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void send();
    }
  };
  const options = (['approve', 'supplement', 'reject'] as const).filter((one) => view.acts.includes(one)).map((one) => ({ value: one, text: t(view.recheck ? `word.${endOf(one)}` : `word.${one}`) }));
  return (
    <footer class="decide" onKeyDown={keys}>
      {Object.keys(errors).length > 0 && <div class="all"><ErrorSummary errors={errors} /></div>}
      <Segmented label={t('decision')} value={word} options={options} onChange={(chosen) => { setWord(chosen); setErrors({}); }} />
      <div class={`field grow ${errors.why ? 'err' : ''}`}>
        <label class="sr" for="why">{t('why')}</label>
        <input class="input" id="why" maxLength={1000} placeholder={t(word === 'approve' ? 'why.optional' : 'why.needed')} value={reason} onInput={(event) => setReason(event.currentTarget.value)} {...described('why', 'keys', errors.why)} />
        <span class="sr" id="why-hint">{t('keys')}</span>
        {errors.why && <span class="sr" id="why-error">{errors.why}</span>}
      </div>
      <ActButton act={send} kind={word === 'reject' ? 'bad' : 'go'}>{t(view.recheck ? `decide.${endOf(word)}` : KEYS[word])}</ActButton>
      <p class="fine all care-off keyline">{t('keys')}</p>
    </footer>
  );
}
