// Whoever is shown a licence asks here whether it holds: no log-in, and nothing about the holder but what was shown.
import { useState } from 'preact/hooks';
import { ask } from '../../api/client';
import type { VerdictView } from '../../api/types';
import { named } from '../../i18n';
import { date, t } from '../../i18n/services';
import { ActButton } from '../../kit/controls';
import { ErrorSummary, described, Field } from '../../kit/field';
import { Icon } from '../../kit/icon';
import { wordsOf } from '../../kit/say';
import { PageHead } from '../../shell';
import './services.css';

export default function Verify() {
  const [token, setToken] = useState(''), [verdict, setVerdict] = useState<VerdictView | null>(null), [errors, setErrors] = useState<Record<string, string>>({});
  const check = async () => {
    setVerdict(null);
    if (!token.trim()) return setErrors({ token: t('verify.missing') });
    setErrors({});
    try {
      setVerdict(await ask<VerdictView>('POST', '/api/v1/services/verify', { body: { token: token.trim() } }));
    } catch (error) {
      setErrors({ '': wordsOf(error) });
    }
  };
  return (
    <main id="main" class="page">
      <PageHead title={t('verify.title')} back="/services" />
      <div class="wrap narrow">
        <ErrorSummary errors={errors} />
        {verdict && <Verdict verdict={verdict} />}
        <form class="card sec stack" noValidate onSubmit={(event) => { event.preventDefault(); void check(); }}>
          <Field id="token" label={t('verify.token')} hint={t('verify.hint')} error={errors.token}>
            <textarea class="input code" id="token" rows={4} spellcheck={false} autocomplete="off" value={token} {...described('token', true, errors.token)} onInput={(event) => setToken(event.currentTarget.value)} />
          </Field>
          <ActButton act={check} class="block">{t('verify.check')}</ActButton>
        </form>
        <p class="fine">{t('verify.what')}</p>
      </div>
    </main>
  );
}

const Verdict = ({ verdict }: { verdict: VerdictView }) => (
  <section class={`card sec verdict ${verdict.valid ? 'ok' : 'bad'}`} role="status">
    <span class="mark"><Icon name={verdict.valid ? 'check' : 'cross'} /></span>
    <div class="stack">
      <h2>{t(verdict.valid ? 'verify.valid' : 'verify.invalid')}</h2>
      {verdict.text && <p>{named(verdict.text)}</p>}
      {verdict.name && <p>{named(verdict.name)}</p>}
      {verdict.valid_to && <p class="meta">{t('licence.to', { when: date(verdict.valid_to) })}</p>}
    </div>
  </section>
);
