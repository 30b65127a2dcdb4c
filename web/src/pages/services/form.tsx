// Filling in: one group of questions a page, what the city knows is there already, and every answer is looked at once more before it is sent.
import { useEffect, useState } from 'preact/hooks';
import { answer, ProblemError } from '../../api/client';
import type { CaseView } from '../../api/types';
import { faultsOf, useDraft, type DraftInHand } from '../../forms/draft';
import { asked, groupsOf, hidden, idOf, isEmpty, isWithin, partAt, questionsOf, valueAt, type Group, type Question, type Schema } from '../../forms/schema';
import { Answer, labelOf, Part, Source, wordsOfFault, type Drawn } from '../../forms/schema_form';
import { named } from '../../i18n';
import { agency, t } from '../../i18n/services';
import { ActButton } from '../../kit/controls';
import { ErrorSummary } from '../../kit/field';
import { Icon } from '../../kit/icon';
import { Banner, Trouble, Waiting } from '../../kit/say';
import { go, type PageProps } from '../../router';
import { PageHead } from '../../shell';
import { ConfirmDialog } from './confirm';
import './services.css';

const CHECK = 'check';

export default function FormPage({ params, query }: PageProps) {
  const id = params.id!, draft = useDraft(id), view = draft.view, here = `/services/cases/${id}/form`;
  useEffect(() => {
    if (view && view.state !== 'draft' && view.state !== 'supplement') go(`/services/cases/${id}`, { replace: true });
  }, [view?.state]);
  return (
    <main id="main" class="page">
      <PageHead title={view ? named(view.name) : t('title')} back={view?.state === 'supplement' ? `/services/cases/${id}` : '/services'}>
        {view?.state === 'draft' && <a class="btn quiet s" href="/services">{t('form.later')}</a>}
      </PageHead>
      {draft.error && !view ? <div class="wrap"><Trouble error={draft.error} /></div> : !view ? <Waiting /> : <Steps draft={draft} view={view} step={query.get('step')} here={here} />}
    </main>
  );
}

const groupName = (group: Group) => (group.label ? named(group.label) : t('form.more'));

/** Unanswered questions of a group, as faults of the page; the server says the same when it is sent. */
const gaps = (questions: Question[], draft: DraftInHand, view: CaseView) =>
  questions.filter((one) => one.required && isEmpty(valueAt(draft.form, one.pointer)) && !view.pledged.includes(one.pointer));

function drawnOf(draft: DraftInHand, view: CaseView, errors: Record<string, string>): Drawn {
  const schema = view.schema as Schema;
  return {
    schema, form: draft.form, closed: hidden(schema, draft.form), origins: view.provenance, choices: view.choices, errors,
    files: { case: view.id, known: [...view.files, ...draft.files], attach: draft.attach },
    pledged: Object.fromEntries(view.pledged.map((pointer) => [pointer, view.asked[pointer] ?? ''])), change: draft.change, leave: () => void draft.save(),
  };
}

function Steps({ draft, view, step, here }: { draft: DraftInHand; view: CaseView; step: string | null; here: string }) {
  const schema = view.schema as Schema, groups = groupsOf(schema, draft.form), all = groups.length + 1;
  const first = groups.findIndex((group) => gaps(asked(schema, draft.form, group), draft, view).length > 0);
  const at = step === CHECK ? groups.length : step === null ? (first < 0 ? groups.length : first) : Math.max(0, Math.min(groups.length, Number(step) - 1 || 0));
  const where = at === groups.length ? CHECK : String(at + 1);
  useEffect(() => {
    if (step !== where) go(`${here}?step=${where}`, { replace: true });
  }, [step, where]);
  useEffect(() => {
    document.getElementById('group')?.focus({ preventScroll: true });
  }, [where]);
  const known = Object.keys(view.provenance).length;
  return (
    <div class="wrap cols left formcols">
      <aside class="desk-only stack">
        <nav class="card side" aria-label={t('form.steps')}>
          <h2>{t('form.all', { n: all })}</h2>
          {groups.map((group, i) => (
            <a key={i} href={`${here}?step=${i + 1}`} aria-current={i === at ? 'step' : undefined}>{i + 1} {groupName(group)}<span>{stateOf(group, draft, view)}</span></a>
          ))}
          <a href={`${here}?step=${CHECK}`} aria-current={at === groups.length ? 'step' : undefined}>{all} {t('form.check')}<span /></a>
        </nav>
        {known > 0 && <div class="card sec"><h2>{t('form.spared')}</h2><p class="meta">{t('form.spared.line', { n: known })}</p></div>}
      </aside>
      <div class="stack wide">
        <div class="stepper phone-only"><div class="bars" aria-hidden="true">{Array.from({ length: all }, (_, i) => <i key={i} class={i < at ? 'done' : i === at ? 'now' : ''} />)}</div><p class="meta">{t('step.of', { n: at + 1, all })}</p></div>
        <Saved draft={draft} view={view} />
        {at === groups.length ? <Check draft={draft} view={view} groups={groups} here={here} /> : <GroupPage key={at} draft={draft} view={view} group={groups[at]!} next={() => go(`${here}?step=${at + 1 === groups.length ? CHECK : at + 2}`)} />}
      </div>
      {draft.conflict && <Newer draft={draft} />}
    </div>
  );
}

function stateOf(group: Group, draft: DraftInHand, view: CaseView): string {
  const questions = asked(view.schema as Schema, draft.form, group);
  const faults = Object.keys(draft.faults).filter((pointer) => isWithin(pointer, group.pointers)).length;
  if (faults) return t('form.fix', { n: faults });
  if (gaps(questions, draft, view).length) return '';
  return questions.some((one) => view.pledged.includes(one.pointer)) ? t('form.pledged') : t('form.done');
}

/** What is kept, where, and since when: nobody has to wonder. */
function Saved({ draft, view }: { draft: DraftInHand; view: CaseView }) {
  const saved = <p class="saved" role="status">{t(`saved.${draft.how}`)}</p>;
  if (view.state === 'draft') return saved;
  return <><Banner tone="info" icon="pen" round>{t('form.supplement', { reason: lastReason(view) })}</Banner>{saved}</>;
}

export const lastReason = (view: CaseView): string => [...view.steps].reverse().find((step) => step.reason)?.reason ?? '';

function GroupPage({ draft, view, group, next }: { draft: DraftInHand; view: CaseView; group: Group; next: () => void }) {
  const schema = view.schema as Schema;
  const [wanting, setWanting] = useState<string[]>([]);
  const [summary, setSummary] = useState(false);
  const errors: Record<string, string> = {};
  for (const pointer of wanting) if (isEmpty(valueAt(draft.form, pointer))) errors[pointer] = wordsOfFault({ code: 'missing', detail: '' }, partAt(schema, pointer), pointer);
  for (const [pointer, fault] of Object.entries(draft.faults)) if (isWithin(pointer, group.pointers)) errors[pointer] = wordsOfFault(fault, partAt(schema, pointer), pointer);
  const go_on = async () => {
    const missing = gaps(asked(schema, draft.form, group), draft, view).map((one) => one.pointer);
    setWanting(missing);
    const saved = await draft.save(), wrong = Object.keys(draft.wrong()).some((pointer) => isWithin(pointer, group.pointers));
    if (!missing.length && saved && !wrong) next();
    else setSummary(true);
  };
  const said = Object.entries(errors), alone = group.pointers.length === 1 && group.pointers[0] !== undefined && partAt(schema, group.pointers[0])?.type !== 'object';
  return (
    <form class="stack wide" noValidate onSubmit={(event) => { event.preventDefault(); void go_on(); }}>
      {summary && <ErrorSummary title={t('form.fix.title', { n: said.length })} errors={Object.fromEntries(said.map(([pointer, text]) => [idOf(pointer), text]))} />}
      <section class={`card sec stack group ${alone ? 'alone' : ''}`}>
        <h2 id="group" tabIndex={-1}>{groupName(group)}</h2>
        {group.pointers.map((pointer) => <Part key={pointer} pointer={pointer} schema={partAt(schema, pointer)!} drawn={drawnOf(draft, view, errors)} top />)}
      </section>
      <div class="dock inflow"><button type="submit" class="sr" tabIndex={-1} aria-hidden="true" /><ActButton act={go_on} class="block">{t('form.next')}</ActButton><p class="fine mid">{t('form.before')}</p></div>
    </form>
  );
}

/** Everything once more, with the way to change it; a pledge is given here, in words. */
function Check({ draft, view, groups, here }: { draft: DraftInHand; view: CaseView; groups: Group[]; here: string }) {
  const schema = view.schema as Schema;
  const pledged = view.pledged.filter((pointer) => partAt(schema, pointer));
  const [given, setGiven] = useState(false), [errors, setErrors] = useState<Record<string, string>>({}), [trouble, setTrouble] = useState<unknown>(null);
  const send = async () => {
    setTrouble(null);
    if (pledged.length && !given) return setErrors({ pledge: t('pledge.missing') });
    setErrors({});
    const saved = await draft.save(), wrong = draft.wrong();
    if (Object.keys(wrong).length) return setErrors(pointed(wrong));
    if (!saved) return setErrors({ '': t('saved.apart') });
    try {
      const supplement = view.state === 'supplement', path = `/api/v1/services/cases/${view.id}/${supplement ? 'supplement' : 'submit'}`;
      await answer('POST', path, supplement ? { body: { form: draft.changes() } } : {});
      go(`/services/cases/${view.id}/sent${supplement ? '?again=1' : ''}`, { replace: true });
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status !== 422) return setTrouble(error);
      draft.said(faultsOf(error));
      setErrors(pointed(faultsOf(error)));
    }
  };
  /** What is wrong inside of a list is led to by the list: here each question is one row. */
  const rowOf = (pointer: string) => questionsOf(schema).find((one) => isWithin(pointer, [one.pointer]))?.pointer ?? pointer;
  const pointed = (faults: DraftInHand['faults']) => Object.fromEntries(Object.entries(faults).map(([pointer, fault]) => [idOf(rowOf(pointer)), wordsOfFault(fault, partAt(schema, pointer), pointer)]));
  return (
    <div class="stack wide">
      <ErrorSummary title={t('form.fix.title', { n: Object.keys(errors).length })} errors={errors} />
      {trouble ? <Trouble error={trouble} /> : null}
      <h2 id="group" class="big" tabIndex={-1}>{t('form.check.title')}</h2>
      {groups.map((group, i) => (
        <section key={i} class="card sec">
          <h3>{groupName(group)}</h3>
          <table class="checks"><caption class="sr">{groupName(group)}</caption><tbody>
            {asked(schema, draft.form, group).map((one) => <CheckRow key={one.pointer} one={one} draft={draft} view={view} href={`${here}?step=${i + 1}`} />)}
          </tbody></table>
        </section>
      ))}
      {pledged.length > 0 && (
        <section class="card sec">
          <div class={`field ${errors.pledge ? 'err' : ''}`}>
            {errors.pledge && <p class="errtext" id="pledge-error">{errors.pledge}</p>}
            <label class="tick" for="pledge"><input id="pledge" type="checkbox" checked={given} aria-describedby={errors.pledge ? 'pledge-error' : undefined} aria-invalid={errors.pledge ? 'true' : undefined} onChange={(event) => setGiven(event.currentTarget.checked)} />
              <span>{t('pledge.text', { what: pledged.map((pointer) => labelOf(partAt(schema, pointer)!, pointer)).join(t('and')), agency: [...new Set(pledged.map((pointer) => agency(view.asked[pointer] ?? '')))].join(t('and')) })}</span></label>
          </div>
        </section>
      )}
      <div class="dock inflow"><ActButton act={send} class="block">{t(view.state === 'supplement' ? 'form.send.more' : 'form.send')}</ActButton><p class="fine mid">{t('form.send.line')}</p></div>
    </div>
  );
}

function CheckRow({ one, draft, view, href }: { one: Question; draft: DraftInHand; view: CaseView; href: string }) {
  const value = valueAt(draft.form, one.pointer), origin = view.provenance[one.pointer], pledged = view.pledged.includes(one.pointer);
  const label = labelOf(one.schema, one.pointer), colour = view.choices[one.pointer]?.find((choice) => choice.value === value)?.colour;
  return (
    <tr>
      <th scope="row">{label}</th>
      <td>
        {isEmpty(value) && pledged ? <span class="c-2">{t('pledge.open', { agency: agency(view.asked[one.pointer] ?? '') })}</span> : <Answer schema={one.schema} value={value} colour={colour} view={{ id: view.id, files: [...view.files, ...draft.files] }} />}
        {origin ? <span class="src"><Source origin={origin} /></span> : pledged && !isEmpty(value) ? <span class="src">{t('pledge.short')}</span> : null}
      </td>
      <td class="act">{origin?.locked ? <span id={idOf(one.pointer)} tabIndex={-1} class="c-3"><Icon name="lock" /><span class="sr">{t('locked')}</span></span> : <a id={idOf(one.pointer)} href={href}>{t('change')}<span class="sr"> {label}</span></a>}</td>
    </tr>
  );
}

/** Somebody, most likely oneself in another window, saved meanwhile: nothing is lost without being asked. */
const Newer = ({ draft }: { draft: DraftInHand }) => (
  <ConfirmDialog title={t('newer.title')} yes={t('newer.take')} no={t('newer.mine')} onYes={() => void draft.takeNewer()} onNo={() => void draft.keepMine()}>{t('newer.line')}</ConfirmDialog>
);
