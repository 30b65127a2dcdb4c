// Who one is, proved step by step on the way to something: the register for the name, a clerk for the presence. No face is ever asked for.
import { useEffect, useState } from 'preact/hooks';
import { ask, ProblemError } from '../../api/client';
import { me } from '../../api/session';
import type { PersonView } from '../../api/types';
import { t } from '../../i18n/services';
import { ActButton } from '../../kit/controls';
import { ErrorSummary, TextField } from '../../kit/field';
import { Icon } from '../../kit/icon';
import { wordsOf } from '../../kit/say';
import { go, type PageProps } from '../../router';
import { PageHead } from '../../shell';
import './services.css';

const RANK: Record<string, number> = { L1: 1, L2: 2, L3: 3 };
const ours = (then: string | null) => (then && /^\/(?![/\\])/.test(then) ? then : '/services');

export default function Level({ query }: PageProps) {
  const to = query.get('to') === 'L2' ? 'L2' : 'L3', then = ours(query.get('then'));
  const level = RANK[me.value!.level] ?? 1, done = level >= RANK[to]!;
  useEffect(() => {
    if (done) go(then, { replace: true });
  }, [done]);
  return (
    <main id="main" class="page">
      <PageHead title={t('level.title')} back={then} />
      <div class="wrap narrow">
        {to === 'L3' && (
          <div class="stepper"><div class="bars" aria-hidden="true"><i class={level > 1 ? 'done' : 'now'} /><i class={level > 1 ? 'now' : ''} /></div><p class="meta">{t('step.of', { n: level > 1 ? 2 : 1, all: 2 })}</p></div>
        )}
        {done ? null : level < 2 ? <Registry key="L2" /> : <Counter key="L3" />}
        <p class="fine line"><Icon name="shield" />{t('level.noFace')}</p>
      </div>
    </main>
  );
}

/** What was wrong, in the person's language: by the field it belongs to. */
function wordsOfRefusal(error: unknown, fields: Record<string, string>): Record<string, string> {
  if (!(error instanceof ProblemError)) return { '': wordsOf(error) };
  if (error.status === 429) return { '': t('level.tries') };
  if (error.status === 503) return { '': t('level.away') };
  const pointer = error.problem.errors[0]?.pointer ?? '', code = error.code() ?? '';
  if (code === 'another_person') return { [fields[pointer] ?? '']: t('level.another') };
  if (code === 'not_confirmed') return { 'level-id': t('level.notConfirmed') };
  const field = fields[pointer];
  return field ? { [field]: t(field === 'level-name' ? 'level.name.bad' : field === 'level-id' ? 'level.id.bad' : 'level.code.bad') } : { '': wordsOf(error) };
}

function useRaise(fields: Record<string, string>) {
  const [errors, setErrors] = useState<Record<string, string>>({});
  const raise = async (body: unknown, wanting: Record<string, string>) => {
    setErrors(wanting);
    if (Object.keys(wanting).length) return;
    try {
      me.value = await ask<PersonView>('POST', '/api/v1/me/level', { body });
    } catch (error) {
      setErrors(wordsOfRefusal(error, fields));
    }
  };
  return { errors, raise };
}

function Registry() {
  const [name, setName] = useState(''), [number, setNumber] = useState('');
  const { errors, raise } = useRaise({ '/name': 'level-name', '/id_no': 'level-id' });
  const send = () => raise({ to: 'L2', way: 'registry', name: name.trim(), id_no: number.trim().toUpperCase() }, {
    ...(name.trim() ? {} : { 'level-name': t('level.name.missing') }), ...(number.trim() ? {} : { 'level-id': t('level.id.missing') }),
  });
  return (
    <>
      <ErrorSummary errors={errors} />
      <form class="card sec stack" noValidate onSubmit={(event) => { event.preventDefault(); void send(); }}>
        <h2>{t('level.registry')}</h2>
        <p class="meta">{t('level.registry.line')}</p>
        <TextField id="level-name" label={t('level.name')} hint={t('level.name.hint')} error={errors['level-name']} value={name} onValue={setName} autocomplete="name" maxLength={50} />
        <TextField id="level-id" label={t('level.id')} hint={t('level.id.hint')} error={errors['level-id']} value={number} onValue={setNumber} autocomplete="off" maxLength={18} />
        <ActButton act={send} class="block">{t('level.check')}</ActButton>
        <EnterKey />
      </form>
    </>
  );
}

/** Enter sends a form of several fields only where there is a button that submits. */
const EnterKey = () => <button type="submit" class="sr" tabIndex={-1} aria-hidden="true" />;

function Counter() {
  const [code, setCode] = useState('');
  const { errors, raise } = useRaise({ '/code': 'level-code' });
  const send = () => raise({ to: 'L3', way: 'counter', code: code.replace(/\s/g, '') }, code.trim() ? {} : { 'level-code': t('level.code.missing') });
  useEffect(() => document.getElementById('level-code')?.focus(), []);
  return (
    <>
      <ErrorSummary errors={errors} />
      <form class="card sec stack" noValidate onSubmit={(event) => { event.preventDefault(); void send(); }}>
        <h2>{t('level.counter')}</h2>
        <ol class="steps meta"><li>{t('level.counter.1')}</li><li>{t('level.counter.2')}</li><li>{t('level.counter.3')}</li></ol>
        <TextField id="level-code" label={t('level.code')} hint={t('level.code.hint')} error={errors['level-code']} value={code} onValue={setCode} inputMode="numeric" autocomplete="one-time-code" maxLength={16} />
        <ActButton act={send} class="block">{t('level.check')}</ActButton>
      </form>
    </>
  );
}
