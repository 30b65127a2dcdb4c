// Phone, code, in: two fields, one after the other, and back to where one came from.
import { useEffect, useState } from 'preact/hooks';
import { ProblemError } from '../../api/client';
import { askCode, logIn } from '../../api/session';
import { t } from '../../i18n/driver';
import { ActButton } from '../../kit/controls';
import { ErrorSummary, TextField } from '../../kit/field';
import { wordsOf } from '../../kit/say';
import { go, type PageProps } from '../../router';
import { PageHead } from '../../shell';

/** +86 is what a number without a country means here. */
export function phoneOf(text: string): string | null {
  const bare = text.replace(/[\s-]/g, '');
  if (/^1\d{10}$/.test(bare)) return `+86${bare}`;
  return /^\+\d{8,15}$/.test(bare) ? bare : null;
}

/** Only a path of ours: a link may not lead a person who has just logged in to somebody else's page. */
const target = (query: URLSearchParams) => {
  const then = query.get('then') ?? '/';
  return /^\/(?![/\\])/.test(then) ? then : '/';
};

export default function Login({ query }: PageProps) {
  const [phone, setPhone] = useState('');
  const [sent, setSent] = useState<string | null>(null);
  const [code, setCode] = useState('');
  const [wait, setWait] = useState(0);
  const [errors, setErrors] = useState<Record<string, string>>({});
  useEffect(() => {
    if (wait <= 0) return;
    const timer = setTimeout(() => setWait(wait - 1), 1000);
    return () => clearTimeout(timer);
  }, [wait]);
  useEffect(() => {
    document.getElementById(sent ? 'code' : 'phone')?.focus();
  }, [sent]);

  const send = async () => {
    const number = phoneOf(phone);
    if (!number) return setErrors({ phone: t('login.phone.bad') });
    try {
      const found = await askCode(number);
      setErrors({});
      setWait(found.retry_s);
      setSent(number);
    } catch (error) {
      const pointed = error instanceof ProblemError && error.fields['/phone'];
      setErrors(pointed ? { phone: t('login.phone.bad') } : { '': wordsOf(error) });
    }
  };
  const enter = async () => {
    try {
      await logIn(sent!, code.trim());
      go(target(query), { replace: true });
    } catch (error) {
      const wrong = error instanceof ProblemError && (error.status === 401 || error.status === 422 || error.status === 403);
      setErrors(wrong ? { code: t('login.code.bad') } : { '': wordsOf(error) });
    }
  };

  return (
    <main id="main" class="page">
      <PageHead title={t('login.title')} back="/" />
      <div class="wrap narrow">
        <ErrorSummary errors={errors} />
        <form class="card sec stack" noValidate onSubmit={(event) => { event.preventDefault(); void (sent ? enter() : send()); }}>
          {sent === null ? (
            <>
              <p class="meta">{t('login.why')}</p>
              <TextField id="phone" label={t('login.phone')} hint={t('login.phone.hint')} error={errors.phone} value={phone} onValue={setPhone} type="tel" autocomplete="tel" inputMode="tel" />
              <ActButton act={send} class="block">{t('login.send')}</ActButton>
            </>
          ) : (
            <>
              <TextField id="code" label={t('login.code')} hint={t('login.code.hint', { phone: sent })} error={errors.code} value={code} onValue={setCode} inputMode="numeric" autocomplete="one-time-code" maxLength={8} />
              <ActButton act={enter} class="block">{t('login.enter')}</ActButton>
              <div class="line apart flow">
                {wait > 0 ? <span class="meta">{t('login.again.in', { n: wait })}</span> : <ActButton act={send} kind="quiet">{t('login.again')}</ActButton>}
                <button type="button" class="btn quiet" onClick={() => { setSent(null); setCode(''); setErrors({}); }}>{t('login.change')}</button>
              </div>
            </>
          )}
        </form>
      </div>
    </main>
  );
}
